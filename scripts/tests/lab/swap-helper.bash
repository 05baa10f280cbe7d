# What the tests of a swap share, besides helper.bash.

# The names of the API's instances that are to get new requests, by the balancer's own word: slots
# that are neither out of service nor draining, and the containers in them.
in_rotation() { haproxy "show servers state api" | serving_slots; }

serving_slots() { awk '$4 ~ /^tg[0-9]+$/ && $7 % 2 == 0 && int($7 / 8) % 2 == 0 { print $18 }' | sort; }

haproxy() { # COMMAND
  (
    exec 3<>"/dev/tcp/${TG_LAB_STATS%:*}/${TG_LAB_STATS#*:}"
    printf '%s\n' "$1" >&3
    timeout 2 cat <&3
  )
}

# Load through the balancer until `load_ends`.
load_begins() { # [OPTION...]
  "$LAB/run-load" --rate "${RATE:-60}" --duration 900s --acked "$BATS_TEST_TMPDIR/acked" "$@" \
    >"$BATS_TEST_TMPDIR/load" 2>"$BATS_TEST_TMPDIR/load.err" 3>&- &
  LOAD=$!
  sleep 1
}

# Ends the load: how many requests failed is in $FAILED, of $TOTAL; every acknowledged write is looked up.
load_ends() {
  sleep 1
  kill -INT "$LOAD"
  wait "$LOAD" || :
  FAILED=$(jq .failed "$BATS_TEST_TMPDIR/load")
  TOTAL=$(jq .total "$BATS_TEST_TMPDIR/load")
  "$LAB/run-load" verify "$BATS_TEST_TMPDIR/acked"
}

nothing_failed() {
  load_ends
  [[ $TOTAL -gt 50 ]]
  [[ $FAILED -eq 0 ]] || { jq -c '{total, failed, failures}' "$BATS_TEST_TMPDIR/load"; return 1; }
}

# One consistent set: containers, balancer, what the balancer will find when it starts, and files.
only_serves() { # VERSION
  local running
  same "$1" "$(sed -n 's/^TERRAGNOS_VERSION=//p' .env)"
  running=$(docker ps --filter label=com.docker.compose.project=tg-lab --filter label=com.docker.compose.service=api \
    --format '{{.Names}} {{.Image}}' | grep ":$1\$" | cut -d ' ' -f 1 | sort)
  [[ $(wc -l <<<"$running") -eq 2 ]]
  same "$running" "$(in_rotation)"
  same "$running" "$(serving_slots <haproxy/servers.state)"
  tg-health --wait=10s --expect-version "$1" >/dev/null
}

# Nothing of another release is left, and Compose has nothing to do.
is_alone() { # VERSION
  only_serves "$1"
  same "" "$(docker ps -a --filter label=com.docker.compose.project=tg-lab --format '{{.Image}}' | grep terragnos-core | grep -v ":$1\$")"
  nothing_to_do
}

# Starts a command and kills it -9 as soon as it has printed a line that matches. Usage: kill_at PATTERN COMMAND...
kill_at() {
  local pattern=$1 out=$BATS_TEST_TMPDIR/killed pid
  shift
  : >"$out"
  "$@" >"$out" 2>"$out.err" 3>&- &
  pid=$!
  until grep -q "$pattern" "$out"; do
    kill -0 "$pid" 2>/dev/null || { echo "ended before $pattern"; tail -n 3 "$out" "$out.err"; return 1; }
    sleep 0.005
  done
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || :
}

# Starts a command again and again, and kills it -9 each time at the first step in this state at which none was killed yet, until it ends by itself.
# How often it was killed is in $KILLS. Usage: kill_at_each_step STATE FIRST_COMMAND THEN_COMMAND
kill_at_each_step() {
  local state=$1 first=$2 then=$3 out=$BATS_TEST_TMPDIR/killed seen=$BATS_TEST_TMPDIR/seen next pid
  KILLS=0
  : >"$seen"
  while true; do
    : >"$out"
    # shellcheck disable=SC2086
    tg-swap $first >"$out" 2>"$out.err" 3>&- &
    pid=$!
    while true; do
      next=$(grep -oE "\"step\":\"[a-z-]+\",\"state\":\"$state\"(,\"service\":\"[a-z]+\")?" "$out" | grep -vxFf "$seen" | head -n 1) || :
      [[ -z $next ]] || break
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.005
    done
    if [[ -z $next ]]; then
      wait "$pid" || { tail -n 3 "$out" "$out.err"; return 1; }
      return 0
    fi
    kill -9 "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
    echo "# killed at $next"
    echo "$next" >>"$seen"
    ((++KILLS))
    traffic_flows
    # Before anything was remembered there is nothing to go on with.
    [[ ! -e $STATE/swap.json ]] || first=$then
  done
}

traffic_flows() {
  for _ in 1 2 3; do
    curl -fsS -m 5 -o /dev/null "$TG_LAB_URL/v1/health/ready" || { echo "nobody serves"; return 1; }
  done
}
