# shellcheck shell=bash
# The stage's place is handed to functions of lib/stack.sh by its variables' own names.
# shellcheck disable=SC2034
# Summary: what tg-swap adds to Docker's own create, start and stop, by number of instances.
# Usage: sourced by scripts/bench/swap after lib/common.sh and lib/pairs.sh

HAPROXY_NAMES=10 # found by name before the slots are taken: server-template any 1-10

# Usage: scale_stage COUNT
scale_stage() {
  remove_project "$PROJECT"
  rm -rf "$STACK_DIR"
  mkdir -p "$STACK_DIR"
  write_balancer api
  cp "$BENCH_SRC/stack/scale.yaml" "$STACK_DIR/compose.yaml"
  printf '%s\n' "STILL_VERSION=$OLD" "INSTANCES=$1" "LB_PORT=$LB_PORT" "LB_STATS_PORT=$LB_STATS_PORT" >"$STACK_DIR/.env"
  quietly compose up -d || fail "$1 instances did not start"
  wait_for 60 checked_servers "$(($1 < HAPROXY_NAMES ? $1 : HAPROXY_NAMES))" || fail "$1 instances did not get ready"
}

still_version() { sed -i "s/^STILL_VERSION=.*/STILL_VERSION=$1/" "$STACK_DIR/.env"; }

swap_still() { (cd "$STACK_DIR" && tg-swap --to "$NEW" --keep 0s --boot all); }

# Milliseconds that a command takes. Usage: timed NAME COMMAND…
timed() {
  local name="$1" begun
  shift
  begun="$(now_ms)"
  "$@" >"$WORK/$name.log" 2>"$WORK/$name.stderr" || fail "$name failed" "see $WORK/$name.stderr"
  echo $(($(now_ms) - begun))
}

# Usage: measure_scale COUNT
measure_scale() {
  local PROJECT="$SCALE_PROJECT" STACK_DIR="$TG_LAB_DIR/bench/scale" LB_PORT=15102 LB_STATS_PORT=15103
  local plain tool
  say "$1 instances"
  scale_stage "$1"
  still_version "$NEW"
  plain="$(timed "plain-$1" come_and_go "$1")"
  still_version "$OLD"
  tool="$(timed "scale-$1" swap_still)"
  jq -sc --argjson count "$1" --argjson plain "$plain" --argjson tool "$tool" '
    map(select(.type == "result"))[-1].data.phases_ms as $phases
    | {count: $count, plain_ms: $plain, tool_ms: $tool, added_ms: ($tool - $plain),
      own_ms: ($tool - $phases.create - $phases.start - $phases.retire), phases_ms: $phases}' "$WORK/scale-$1.log" >>"$WORK/scale.jsonl"
  remove_project "$PROJECT"
  rm -rf "$STACK_DIR"
}
