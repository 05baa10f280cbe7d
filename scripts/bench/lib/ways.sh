# shellcheck shell=bash
# Summary: the ways to replace two instances by two of another version, and one measurement of each.
# Usage: sourced by scripts/bench/swap after lib/common.sh

stage_compose() { set_stage "$1"; }
stage_swarm() { swarm_stage "$1"; }
stage_tg-swap() { set_stage "$1"; }
# The swap comes before the load: what is measured is the way back from it.
stage_rollback() {
  set_stage "$1"
  (cd "$STACK_DIR" && tg-swap --to "$NEW" --keep 10m >"$WORK/swap.jsonl" 2>"$WORK/swap.stderr") || fail "tg-swap failed" "see $WORK/swap.jsonl"
}

replace_compose() {
  set_version "$NEW"
  compose up -d
}
replace_swarm() {
  docker service update --quiet --detach=false --no-resolve-image --update-order start-first --image "tg-bench/app:$NEW" "$SWARM_SERVICE"
}
replace_tg-swap() { (cd "$STACK_DIR" && tg-swap --to "$NEW" --keep 0s); }
replace_rollback() { (cd "$STACK_DIR" && tg-swap rollback); }

# No container of a release is left. Usage: gone VERSION
gone() { [[ -z "$(docker ps -q --filter "ancestor=tg-bench/app:$1" --filter "label=tg.lab=1")" ]]; }

# Milliseconds between two lines of a tool: its first one and the end of a step. Usage: until_step FILE STEP
until_step() {
  jq -rs --arg step "$2" '
    def ms: .ts | (.[0:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber);
    (.[0] | ms) as $begun | map(select(.data.step == $step and .data.state == "succeeded"))[0] // empty | ms - $begun' "$1"
}

# One line of the first table. Usage: measure WAY MANNER
measure() {
  local way="$1" manner="$2" from="$OLD" to="$NEW" begun ended code=0 lost
  [[ "$way" != rollback ]] || { from="$NEW" to="$OLD"; }
  fits 45 "$way, $manner" || { without "$way" "$manner" "no time left" && return; }
  say "$way, $manner"
  "stage_$way" "$manner" || { without "$way" "$manner" "$(tail -n 1 "$WORK/$way.log")" && return; }
  warm_up 3s
  begin_load 3m
  sleep 1
  begun="$(now_ms)"
  "replace_$way" >"$WORK/replace.log" 2>"$WORK/replace.stderr" || code=$?
  ended="$(now_ms)"
  wait_for 40 gone "$from" || say "$from is still there"
  wait_for 40 only_new_answers "$to" || say "$to does not answer alone"
  sleep 2
  end_load
  ((code == 0)) || tail -n 3 "$WORK/replace.stderr" "$WORK/replace.log" >&2
  lost="$(lost_writes)"
  cp "$WORK/replace.log" "$WORK/$way-$manner.log"
  cp "$WORK/load.json" "$WORK/$way-$manner.json"
  row "$way" "$manner" "$from" "$to" "$((begun - LOAD_BEGUN))" "$((ended - begun))" "$code" "$lost"
}

# How often instances of the api were started, one set after another. Usage: boots FILE
boots() { jq -s 'map(select(.data.step == "start" and .data.state == "succeeded" and .data.service == "api")) | length' "$1"; }

# What the application's own warm-up took. Usage: warm_up_ms FILE
warm_up_ms() { jq -s 'map(select(.type == "result"))[-1].data.phases_ms["warm-up"] // 0' "$1"; }

row() {
  local flip=null boots=null warm=0
  [[ "$1" != rollback ]] || flip="$(until_step "$WORK/replace.log" undo-admit)"
  if [[ "$1" == tg-swap ]]; then
    boots="$(boots "$WORK/replace.log")"
    warm="$(warm_up_ms "$WORK/replace.log")"
  fi
  # What both versions have answered bounds the time in which only the new one did.
  jq -c --arg load "$(cut -d ' ' -f 1 /proc/loadavg)" --arg way "$1" --arg manner "$2" --arg from "$3" --arg to "$4" --argjson offset "$5" --argjson took "$6" --argjson code "$7" \
    --argjson lost "$8" --argjson flip "${flip:-null}" --argjson boots "$boots" --argjson warm "$warm" '{
      way: $way, manner: $manner, code: $code, failed, total, failures: (.failures | map_values(.count)), lost: $lost,
      p50: .latency_ms.get.p50, p99: .latency_ms.get.p99, took_ms: $took, flip_ms: $flip, boots: $boots, warm_ms: $warm, load: $load,
      only_new_ms: ([.versions[$from].last_ms // 0, .versions[$to].first_ms // 0] | max - $offset)
    }' "$WORK/load.json" >>"$WORK/rows.jsonl"
}

# Usage: without WAY MANNER REASON
without() {
  jq -nc --arg way "$1" --arg manner "$2" --arg why "$3" '{way: $way, manner: $manner, why: $why}' >>"$WORK/rows.jsonl"
}
