# shellcheck shell=bash
# Summary: what quick reads cost while tg-swap is at work, against the same number of instances that merely come and go.
# Usage: sourced by scripts/bench/swap after lib/common.sh
#
# Both windows are equally long, under the same load, within the same minute: only their ratio is a claim.

WINDOW=20s

# Containers of the api's that were never started.
just_created() { containers_of "$PROJECT" --filter label=com.docker.compose.service=api --filter status=created; }

# Usage: ready CONTAINER… Each on its own address.
ready() {
  local address
  for address in $(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$@"); do
    curl -fs -m 2 -o /dev/null "http://$address:3000/v1/health/ready" || return 1
  done
}

# So many instances beside those that serve: made, started, ready, stopped, removed by Docker's own programs. Usage: come_and_go COUNT
come_and_go() {
  local ids serving
  serving="$(containers_of "$PROJECT" --filter label=com.docker.compose.service=api | wc -l)"
  compose --progress quiet create --no-recreate --no-build --pull never --scale "api=$((serving + $1))" api
  mapfile -t ids < <(just_created)
  ((${#ids[@]} == $1)) || fail "Compose has created ${#ids[@]} containers instead of $1"
  docker start "${ids[@]}"
  wait_for 60 ready "${ids[@]}" || fail "the control's instances did not get ready"
  docker stop "${ids[@]}"
  docker rm "${ids[@]}"
}

# One window of load with something done in it; fails where that took longer. Usage: in_window NAME COMMAND…
in_window() {
  local name="$1" code=0
  shift
  warm_up 8s
  begin_load "$WINDOW"
  sleep 1
  "$@" >"$WORK/$name.log" 2>"$WORK/$name.stderr" || fail "$name failed" "see $WORK/$name.stderr"
  kill -0 "$LOAD_PID" 2>/dev/null || code=1
  await_load
  ((code == 0)) || say "$name took longer than $WINDOW: not counted"
  mv "$WORK/samples" "$WORK/$name.samples"
  jq -c --arg window "$name" '{window: $window, failed, total} + .latency_ms.get' "$WORK/load.json" >"$WORK/$name.window"
  return "$code"
}

# Usage: keep_window NAME
keep_window() {
  cat "$WORK/$1.window" >>"$WORK/windows.jsonl"
  awk -F '\t' '$2 == "get" && $3 == "ok" { print $5 }' "$WORK/$1.samples" >>"$WORK/$1.reads"
}

swap_set() { (cd "$STACK_DIR" && tg-swap --to "$NEW" --keep 0s); }

# The same with instances that nobody has warmed up.
swap_cold() {
  sed -i '/^  warm_up:/d' "$STACK_DIR/compose.yaml"
  swap_set
}

# How long an instance takes from docker start to its first good answer, while the others are busy. Usage: measure_boot
measure_boot() {
  local id begun
  set_stage polite
  warm_up 3s
  begin_load 1m
  compose --progress quiet create --no-recreate --no-build --pull never --scale api=3 api
  id="$(just_created)"
  begun="$(now_ms)"
  docker start "$id" >/dev/null
  until ready "$id"; do sleep 0.02; done
  echo $(($(now_ms) - begun)) >"$WORK/boot_ms"
  end_load
}

measure_pairs() {
  local n
  for ((n = 1; n <= $1; n++)); do
    fits 100 "pair $n of $1" || break
    say "latency, pair $n of $1"
    set_stage polite
    if in_window swap swap_set && in_window control come_and_go 2; then
      keep_window swap
      keep_window control
    fi
  done
  fits 60 "instances that nobody has warmed up" || return 0
  set_stage polite
  ! in_window cold swap_cold || keep_window cold
}
