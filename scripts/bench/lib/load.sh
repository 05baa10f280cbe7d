# shellcheck shell=bash
# The names are used by the scripts beside this file.
# shellcheck disable=SC2034
# Summary: the load beside a measurement, and what came of it.
# Usage: sourced by scripts/bench/swap after lib/common.sh

LOAD_PID=""

# Becomes the load program, so that a signal reaches it: for a subshell only.
load() { exec "$TOOLS_DIR/tg-lab-load" --url "http://127.0.0.1:$LB_PORT" --rate "$RATE" "$@"; }

# As applications are that have run for hours: first requests are slow (connections to the database, code not yet compiled). Usage: warm_up DURATION
warm_up() {
  local id
  for id in $(docker ps -q --filter label=tg.lab=1 --filter "ancestor=tg-bench/app:$OLD" --filter "ancestor=tg-bench/app:$NEW"); do
    docker exec "$id" node dist/scripts/warm-up.js || fail "an instance could not be warmed up" "docker logs $id"
  done
  (load --duration "$1") >/dev/null
}

# Usage: begin_load DURATION
begin_load() {
  LOAD_BEGUN="$(now_ms)"
  load --duration "$1" --acked "$WORK/acked" --samples "$WORK/samples" >"$WORK/load.json" &
  LOAD_PID=$!
}

await_load() {
  wait "$LOAD_PID" || fail "the load program failed"
  LOAD_PID=""
}

end_load() {
  kill -INT "$LOAD_PID"
  await_load
}

# Acknowledged writes that are missing or there twice.
lost_writes() {
  local answer
  answer="$("$TOOLS_DIR/tg-lab-load" verify "$WORK/acked" --project "$PROJECT" || :)"
  jq -e '.missing + .doubled' <<<"$answer" || fail "the acknowledged writes could not be looked up"
}

# A new instance answers; asked often enough to meet each.
only_new_answers() {
  local n
  for n in 1 2 3 4 5 6; do
    curl -fsS -m 2 -o /dev/null -D - "http://127.0.0.1:$LB_PORT/v1/features?limit=1" 2>/dev/null | grep -qi "^x-version: $1" || return 1
  done
  ((n == 6))
}
