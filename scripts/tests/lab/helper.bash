# Shared by the tests on real parts. Each test begins with the lab at 1.4.0 with its first data.

# Where the lines that tools really printed are kept for the contract test.
lines_dir() { echo "$TG_LAB_DIR/lines"; }

bats_require_minimum_version 1.5.0

setup_file() {
  eval "$("$BATS_TEST_DIRNAME/../../lab/env")"
}

setup() { back_to_the_start; }

back_to_the_start() {
  SCRIPTS=$BATS_TEST_DIRNAME/../..
  LAB=$SCRIPTS/lab
  STATE=$TG_LAB_STACK/.tg
  export TG_FORMAT=json
  unset TG_RUN_ID
  cd "$TG_LAB_STACK/.."
  "$LAB/reset" 2>/dev/null
  cd "$TG_LAB_STACK"
  STARTED=$(started_at)
  KEPT=$(lines_dir)/$(basename "$BATS_TEST_FILENAME" .bats)-$BATS_TEST_NUMBER
  CALLS=0
  mkdir -p "$KEPT"
}

# The journals tell the same as stdout; a killed tool's has no end and is left out by its test.
teardown() {
  [[ -z ${LOAD:-} ]] || kill "$LOAD" 2>/dev/null || :
  [[ -n ${KILLED:-} || ! -d $STATE/runs ]] || cp -r "$STATE/runs" "$KEPT/journals"
}

# Runs a command; its stdout is kept for the contract test and in $output, its code in $status.
# Usage: gives CODE COMMAND...
gives() {
  local want=$1
  shift
  run --separate-stderr "$@"
  CALLS=$((${CALLS:-0} + 1))
  [[ -z $output ]] || printf '%s\n' "$output" >"$KEPT/$CALLS.jsonl"
  printf '%s\n' "$stderr" >>"$KEPT/stderr"
  if [[ $status -ne $want ]]; then
    echo "exit $status instead of $want: $*"
    echo "$stderr" | tail -n 20
    echo "$output" | tail -n 5
    return 1
  fi
}

# Starts a procedure and kills it, with all that it has started, some time after the command line of a tool that it runs matched.
# Usage: killed_at PATTERN DELAY COMMAND...
killed_at() {
  KILLED=1
  local procedure child='' waited=0
  setsid "${@:3}" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
  procedure=$!
  until [[ -n $child ]]; do
    child=$(pgrep -P "$procedure" -f -- "$1" | head -n 1 || :)
    kill -0 "$procedure" 2>/dev/null || { echo "ended before $1"; tail -n 5 "$BATS_TEST_TMPDIR/err"; return 1; }
    ((++waited < 12000)) || { echo "never came to $1"; return 1; }
    sleep 0.01
  done
  sleep "$2"
  # Held still, so that it can't start the next tool meanwhile. A step of the way back is in a group of its own.
  kill -STOP "$procedure"
  # shellcheck disable=SC2046
  kill -9 -- "-$procedure" $(pgrep -P "$procedure") 2>/dev/null || :
  wait "$procedure" || :
}

result() { jq -rs "map(select(.type == \"result\"))[-1].$1" <<<"$output"; }

# Whether a line of the output meets a condition of jq's.
printed() { jq -es "any(.[]; $1)" <<<"$output" >/dev/null || { echo "no line: $1"; return 1; }; }

# A row that was acknowledged through the load balancer; its id.
posted_feature() {
  local id
  id=$(cat /proc/sys/kernel/random/uuid)
  curl -fsS -X POST -H 'content-type: application/json' -d "{\"client_id\":\"$id\",\"name\":\"n\",\"lon\":1,\"lat\":2}" \
    "$TG_LAB_URL/v1/features" >/dev/null
  echo "$id"
}

hint_given() { [[ $stderr == *"hint: "* ]] || { echo "no hint: $stderr"; return 1; }; }

# Nobody may stop or recreate these, whatever happens to the application.
started_at() { docker inspect -f '{{.Name}} {{.State.StartedAt}}' tg-lab-db-1 tg-lab-lb-1; }

infrastructure_untouched() { same "$STARTED" "$(started_at)"; }

same() { # EXPECTED FOUND
  [[ $1 == "$2" ]] || {
    diff <(echo "$1") <(echo "$2") || :
    return 1
  }
}

serves() { # VERSION
  tg-health --wait=30s --expect-version "$1" >/dev/null
  same "$1" "$(sed -n 's/^TERRAGNOS_VERSION=//p' .env)"
}

nothing_to_do() {
  local plan
  plan=$(docker compose up -d --dry-run 2>&1)
  if grep -E 'Recreate|Creat|Start|Stop|Remov|Pull' <<<"$plan"; then return 1; fi
}

# Times at which migrations ran differ between two runs; nothing else may.
contents() { "$LAB/fingerprint" "$@" | sed -E 's/^(public\.schema_migrations +[0-9]+).*/\1/'; }

leaves_no_helper_behind() {
  local left
  left=$(docker ps -aq --filter label=tg.run)
  [[ -z $left ]] || { docker ps -a --filter label=tg.run; return 1; }
}

history_of() { jq -r "select(.tool == \"$1\") | .$2" "$STATE/history.jsonl"; }
