# shellcheck shell=bash
# Summary: the tables, from the measurements' lines.
# Usage: sourced by scripts/bench/swap after lib/common.sh

# Tab-separated lines, aligned: words to the left, numbers to the right.
aligned() {
  awk -F '\t' '
    { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) }; fields[NR] = NF }
    END {
      for (n = 1; n <= NR; n++) {
        line = ""
        for (i = 1; i <= fields[n]; i++) line = line sprintf(i <= 2 ? "%-" width[i] "s  " : "%" width[i] "s  ", cell[n, i])
        sub(/ +$/, "", line)
        print line
      }
    }'
}

print_ways() {
  [[ -s "$WORK/rows.jsonl" ]] || return 0
  printf '\nTwo instances replaced by two of another version, %s requests/s\n\n' "$RATE"
  {
    printf '%s\t' "way" "SIGTERM" "failed" "of" "lost writes" "p50 ms" "p99 ms" "only new s" "flip s" "command s" && printf 'load average\n'
    jq -r '
      def seconds: if . == null then "" else . / 100 | round / 10 | tostring end;
      def name: {"compose": "docker compose up -d", "swarm": "swarm start-first", "rollback": "tg-swap rollback"}[.] // .;
      if .why then [(.way | name), .manner, "not measured: \(.why)"]
      else [(.way | name), .manner, .failed, .total, .lost, .p50, .p99, (.only_new_ms | seconds), (.flip_ms | seconds),
        (.took_ms | seconds) + (if .code == 0 then "" else " (exit \(.code))" end), .load] end | @tsv' "$WORK/rows.jsonl"
  } | aligned
}

# What the swap itself takes, without what nobody can save: boots of the application, and the longest request in flight.
print_claims() {
  [[ -s "$WORK/rows.jsonl" ]] || return 0
  jq -rs --argjson boot "$(cat "$WORK/boot_ms")" --argjson slow "$SLOW_MS" '
    def seconds: . / 100 | round / 10;
    def verdict(most): if . <= most then "holds" else "does not hold in this run" end;
    (map(select(.way == "tg-swap" and .boots != null) | .only_new_ms - .boots * $boot - .warm_ms - $slow)) as $beyond
    | (map(.flip_ms | values)) as $flips
    | ($beyond | values | select(length > 0)
        | "\nbeyond boots of \($boot | seconds) s and the longest request in flight, claimed: at most 2 s: \(map(seconds | tostring) | join(", ")) s: \(max | verdict(2000))"),
      ($flips | select(length > 0) | "rollback, claimed: under 1 s: \(map(. / 1000 | tostring) | join(", ")) s: \(max | verdict(999))")' "$WORK/rows.jsonl"
}

# The nearest rank over all windows of a name, in ms; null without any. Usage: percentile NAME PERCENT
percentile() {
  [[ -s "$WORK/$1.reads" ]] || { echo null && return; }
  sort -n "$WORK/$1.reads" | awk -v percent="$2" '{ read[NR] = $1 } END { n = int((NR * percent + 99) / 100); print read[n] }'
}

# Usage: print_window NAME WORDS
print_window() {
  [[ -s "$WORK/$1.reads" ]] || return 0
  jq -rs --arg name "$1" --arg words "$2" --argjson p50 "$(percentile "$1" 50)" --argjson p99 "$(percentile "$1" 99)" '
    map(select(.window == $name))
    | "\($words): p50 \($p50) ms, p99 \($p99) ms (windows: \(map(.p99 | tostring) | join(", "))), failed \(map(.failed) | add)"' "$WORK/windows.jsonl"
}

print_pairs() {
  [[ -s "$WORK/windows.jsonl" ]] || return 0
  printf '\nQuick reads while tg-swap replaces two by two, and while two merely come and go beside the set (%s each)\n\n' "$WINDOW"
  print_window swap "tg-swap"
  print_window control "control"
  print_window cold "tg-swap without a warm-up"
  jq -rn --argjson swap "$(percentile swap 99)" --argjson control "$(percentile control 99)" '
    if $swap == null or $control == null then empty else ($swap / $control)
    | "ratio of p99, over all windows: \(. * 100 | round / 100), claimed: at most 1.15: \(if . <= 1.15 then "holds" else "does not hold in this run" end)" end'
}

# Two views of what the tool adds: its whole time without the plain programs' for the same work, which holds the noise of two
# long runs of Docker; and its time outside its own create, start and stop, which holds that of one.
print_scale() {
  [[ -s "$WORK/scale.jsonl" ]] || return 0
  printf '\nWhat tg-swap adds to create, start, ready, stop and remove by the plain programs; an application that costs nothing\n\n'
  {
    printf '%s\t' "instances" "" "plain s" "tg-swap s" "difference s" "each ms" "outside Docker s" && printf 'each ms\n'
    jq -r '
      def seconds: . / 100 | round / 10;
      [.count, "", (.plain_ms | seconds), (.tool_ms | seconds), (.added_ms | seconds), (.added_ms / .count | round),
        (.own_ms | seconds), (.own_ms / .count | round)] | @tsv' "$WORK/scale.jsonl"
  } | aligned
  (($(wc -l <"$WORK/scale.jsonl") > 1)) || return 0
  jq -rs '
    (.[0]) as $few | (.[-1]) as $many
    | def slope(f): (($many | f) - ($few | f)) / ($many.count - $few.count) | round;
      def verdict: if . <= 100 then "holds" else "does not hold in this run" end;
      (slope(.added_ms)) as $added | (slope(.own_ms)) as $own
    | "\neach instance more, from \($few.count) to \($many.count), claimed: at most 100 ms",
      "  by the difference: \($added) ms: \($added | verdict)",
      "  outside Docker: \($own) ms: \($own | verdict)"' "$WORK/scale.jsonl"
}

print_machine() {
  [[ -n "$LOAD_BEFORE" ]] || return 0
  printf '\n%s cores; load average of the last minutes when it began: %s; at the end: %s; %s s\n' "$(nproc)" "$LOAD_BEFORE" \
    "$(cut -d ' ' -f 1-3 /proc/loadavg)" "$SECONDS"
}

print_tables() {
  print_ways
  print_claims
  print_pairs
  print_scale
  print_machine
}
