# shellcheck shell=bash
# Summary: what the database gives to others while a migration is watched, against the same migration unwatched.
# Usage: sourced by scripts/bench/migrate after lib/cases.sh

OBSERVED="$TG_LAB_DIR/bench/migrate-observer.jsonl"
OBSERVER_PAIRS=10
OBSERVER_WINDOW_S=6

prepare_observer() {
  docker exec "$CASES_PROJECT-db-1" pgbench -q -i -s 10 -U app app >/dev/null 2>&1 || fail "pgbench could not make its tables"
  : >"$OBSERVED"
}

# Transactions a second of eight clients, while a migrator holds a lock that none of them wants; and what the watch takes of the processors.
# Nobody waits for the disk, whose pace changes more from one window to the next than what is measured. Usage: throughput watched|unwatched PAIR
throughput() {
  local migrator tps watch=() before=0 share=0
  (
    cd "$CASES_DIR" || exit
    export HOLD_S=$((OBSERVER_WINDOW_S + 3))
    if [[ "$1" == watched ]]; then
      exec tg-migrate -q --accept no-backup
    else
      exec docker compose --progress quiet run --rm -T --no-deps db-setup
    fi
  ) >/dev/null 2>&1 &
  migrator=$!
  wait_for 20 migrator_holds || fail "the migrator did not begin"
  if [[ "$1" == watched ]]; then
    watch=("$migrator" "$(host_pid_of_watch)")
    before="$(ticks_of "${watch[@]}")"
  fi
  tps="$(docker exec -e PGOPTIONS='-c synchronous_commit=off' "$CASES_PROJECT-db-1" pgbench -n -c 8 -T "$OBSERVER_WINDOW_S" -U app app 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/\1/p')"
  ((${#watch[@]} == 0)) || share="$(share_of "$(($(ticks_of "${watch[@]}") - before))")"
  wait "$migrator" || fail "the migrator failed"
  jq -cn --arg how "$1" --argjson pair "$2" --argjson tps "$tps" --argjson share "$share" '{$how, $pair, $tps, $share}' >>"$OBSERVED"
}

# The watch's session in the server, by its number on this host.
host_pid_of_watch() {
  local inside server
  inside="$(cases_psql -d app -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'tg-migrate-watch'")"
  server="$(docker inspect -f '{{.State.Pid}}' "$CASES_PROJECT-db-1")"
  grep -lE "^NSpid:.*[[:space:]]$inside$" /proc/[0-9]*/status 2>/dev/null | while IFS=/ read -r _ _ pid _; do
    if [[ "$(readlink "/proc/$pid/ns/pid")" == "$(readlink "/proc/$server/ns/pid")" ]]; then printf '%s\n' "$pid"; fi
  done
}

# Processor time of processes, in ticks of the kernel. Usage: ticks_of PID...
ticks_of() {
  local pid sum=0 fields
  for pid in "$@"; do
    read -ra fields <"/proc/$pid/stat"
    sum=$((sum + fields[13] + fields[14]))
  done
  printf '%s\n' "$sum"
}

# The part of all processors' time in a window that so many ticks are.
share_of() { jq -n "$1 / $(getconf CLK_TCK) / $(nproc) / $OBSERVER_WINDOW_S"; }

migrator_holds() {
  [[ "$(cases_psql -d app -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")" == 1 ]]
}

# In pairs, the order turned round each time: what else the machine does is in both.
measure_observer() {
  local pair
  say "measuring what it costs to be watched"
  prepare_observer
  for ((pair = 1; pair <= OBSERVER_PAIRS; pair++)); do
    if ((pair % 2)); then
      throughput watched "$pair"
      throughput unwatched "$pair"
    else
      throughput unwatched "$pair"
      throughput watched "$pair"
    fi
  done
}

# What the watch takes decides; the pairs show what is left of it in what the machine's other work does to them.
judge_observer() {
  jq -L "$BENCH_SRC/lib" -rs '
    include "median";
    def percent: . * 1000 | round / 10;
    (group_by(.pair) | map(INDEX(.how) | .watched.tps / .unwatched.tps)) as $ratios
    | ([.[] | select(.how == "watched").share]) as $shares
    | "",
      "\(if ($shares | length > 0 and max <= 0.02) then "holds" else "DOES NOT HOLD" end): watching takes at most 2 % of the processors that pgbench keeps busy: median \($shares | median | percent) %, most \($shares | max | percent) %",
      "measured: pgbench watched against unwatched, \($ratios | length) pairs: median \($ratios | median | percent) % (\($ratios | sort | map(percent | tostring) | join(" ")))"' \
    "$OBSERVED" | tee "$OBSERVED.claim"
  ! grep -q '^DOES NOT HOLD' "$OBSERVED.claim"
}
