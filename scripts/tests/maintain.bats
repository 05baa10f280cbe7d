#!/usr/bin/env bats
# The schedule: what each part of it asks, its lock, and what a monitor sees of it. Stub tools; the real ones are tried in lab/.

bats_require_minimum_version 1.5.0
load helper

verdicts() { jq -r 'select(.data.kind == "check") | .data.check + " " + .data.verdict' <<<"$output" | xargs; }

# done_before NAME DAYS EXIT: a line of the history.
done_before() {
  jq -cn --arg tool "maintain-$1" --arg ts "$(date -u -d "$2 days ago" +%FT%T.000Z)" --argjson exit "$3" '{v: 1, ts: $ts, tool: $tool, exit: $exit}' >>"$STUB/state/history.jsonl"
}

@test "weekly: the review gets what is outdated, and backups and blockers are looked at" {
  exits tg-swap-outdated 1
  run -0 --separate-stderr "$SCRIPTS/maintain-weekly" --backup-max-age 3d
  day=$(date +%Y-%m-%d)
  assert_equal "$(sed "s#$STUB/state/##g; s/ *$//" "$STUB/calls")" "swap outdated
health review --since 7d --html reports/maintain-weekly-$day.html --from reports/maintain-weekly-$day.outdated.jsonl
backup check --verified --max-age 3d
vacuum blockers"
  [[ $(verdicts) == "review ok backup ok blockers ok" && $(history_of maintain-weekly outcome) == succeeded ]]
}

@test "what needs attention is a no, the rest is looked at all the same, and a monitor sees it" {
  exits tg-health-review 1
  run -1 --separate-stderr "$SCRIPTS/maintain-weekly"
  [[ $(verdicts) == "review no backup ok blockers ok" ]]
  run -1 --separate-stderr "$SCRIPTS/maintain-status" --only weekly
  [[ $output == *"exit code 1"* ]]
  rm "$STUB/exit/tg-health-review"
  run -0 --separate-stderr "$SCRIPTS/maintain-weekly"
  run -0 --separate-stderr "$SCRIPTS/maintain-status" --only weekly
}

@test "monthly: a report, the vacuum in its window, statistics, a report" {
  run -0 --separate-stderr "$SCRIPTS/maintain-monthly" --window 02:00-05:00 --gentle
  assert_equal "$(sed 's/ *$//' "$STUB/calls")" "vacuum report
vacuum --window 02:00-05:00 --gentle
vacuum analyze --missing
vacuum report"
  exits tg-vacuum 6
  run -6 --separate-stderr "$SCRIPTS/maintain-monthly" --window 02:00-05:00
}

@test "quarterly: a restore drill that fails is a no that a monitor sees" {
  run -0 --separate-stderr "$SCRIPTS/maintain-quarterly"
  [[ $(verdicts) == "review ok backup ok files ok drill ok indexes ok" ]]
  exits tg-backup-verify 1
  run -1 --separate-stderr "$SCRIPTS/maintain-quarterly"
  [[ $(verdicts) == *"drill no"* ]]
  run -1 --separate-stderr "$SCRIPTS/maintain-status" --only quarterly
}

@test "security: a patch is named with the command that applies it, and applied where asked" {
  image() { jq -cn --arg v "$1" --argjson moved "$2" --argjson newer "$3" '{type: "record", data: {kind: "image", image: ("app:" + $v), version: $v, services: ["api"], moved: $moved, newer: $newer}}'; }
  exits tg-swap-outdated 1
  { image 1.4.0 false '{"patch":"1.4.1"}'; image 17 true '{"patch":null}'; } >"$STUB/lines/tg-swap-outdated"
  run -1 --separate-stderr "$SCRIPTS/maintain-security"
  [[ $(verdicts) == "image no image no" && $output == *"upgrade-zero-downtime 1.4.1"* ]]
  refute_called 'swap --to'
  image 1.4.0 false '{"patch":"1.4.1"}' >"$STUB/lines/tg-swap-outdated"
  echo '{"name":"haproxy","abilities":{"measure":true,"share":true,"count":true}}' >"$STUB/balancer"
  run -0 --separate-stderr "$SCRIPTS/maintain-security" --apply
  grep -q 'swap --to 1.4.1' "$STUB/calls"
  image 1.4.0 false '{"patch":null}' >"$STUB/lines/tg-swap-outdated"
  run -0 --separate-stderr "$SCRIPTS/maintain-security" --apply
  exits tg-swap-outdated 10
  run -10 --separate-stderr "$SCRIPTS/maintain-security"
}

@test "what an installed one runs names commands as they are installed" {
  ln -s "$(readlink -f "$SCRIPTS/maintain-security")" "$STUB/bin/tg-maintain-security"
  jq -cn '{type: "record", data: {kind: "image", image: "app:1.4.0", version: "1.4.0", services: ["api"], moved: false, newer: {patch: "1.4.1"}}}' >"$STUB/lines/tg-swap-outdated"
  echo '{"procedure":"upgrade","run":"r","from":"1.4.0","to":"1.5.0","phase":"migrate"}' >"$STUB/state/procedure.json"
  exits tg-swap-outdated 1
  run -6 --separate-stderr tg-maintain-security --apply
  [[ $(jq -r 'select(.data.check == "application").data.hint' <<<"$output") == "run tg-upgrade 1.5.0 again, or tg-rollback" ]]
}

@test "the second run ends at once with the holder's name, or waits" {
  hook tg-vacuum-blockers 'while [ ! -e "$STUB/go" ]; do sleep 0.05; done'
  "$SCRIPTS/maintain-weekly" >/dev/null 2>&1 3>&- &
  until grep -q 'vacuum blockers' "$STUB/calls" 2>/dev/null; do sleep 0.05; done
  run -11 --separate-stderr "$SCRIPTS/maintain-monthly"
  [[ $(last_result data.error.message) == "maintain-weekly (pid "* ]]
  run -11 --separate-stderr "$SCRIPTS/maintain-monthly" --wait-lock 1s
  "$SCRIPTS/maintain-monthly" --wait-lock 30s >"$BATS_TEST_TMPDIR/second" 2>&1 3>&- &
  second=$!
  touch "$STUB/go"
  wait "$second"
  [[ $(history_of maintain-monthly outcome) == succeeded ]]
}

@test "what was never done, is overdue or was not well is a no" {
  run -1 --separate-stderr "$SCRIPTS/maintain-status"
  [[ $(jq -r 'select(.data.verdict == "no").data.reason' <<<"$output" | sort -u | grep -c 'maintain-.* was never done') -eq 4 ]]
  done_before weekly 9 0
  done_before monthly 32 0
  done_before quarterly 93 0
  done_before security 7 1
  run -1 --separate-stderr "$SCRIPTS/maintain-status"
  [[ $(verdicts) == "weekly no monthly ok quarterly ok security no" ]]
  done_before weekly 7 0
  done_before security 0 0
  run -0 --separate-stderr "$SCRIPTS/maintain-status"
  run -2 --separate-stderr "$SCRIPTS/maintain-status" --only daily
}

@test "half a line in the history hides neither what stands before it nor what comes after it" {
  done_before weekly 1 0
  printf '{"v":1,"tool":"maintain-mon' >>"$STUB/state/history.jsonl"
  run -0 --separate-stderr "$SCRIPTS/maintain-status" --only weekly
  run -0 --separate-stderr "$SCRIPTS/maintain-monthly"
  run -0 --separate-stderr "$SCRIPTS/maintain-status" --only weekly,monthly
}

@test "stopped by a signal it asks nothing more, says so to the monitor, and the same command does it" {
  hook tg-vacuum 'kill -TERM "$(jq .pid "$STUB/state/maintenance.lock")"'
  exits tg-vacuum 143
  run -143 --separate-stderr "$SCRIPTS/maintain-monthly"
  refute_called 'vacuum analyze'
  [[ $(last_result data.error.message) == "stopped by a signal before it was done" ]]
  run -1 --separate-stderr "$SCRIPTS/maintain-status" --only monthly
  [[ $output == *"exit code 143"* ]]
  rm "$STUB/hook/tg-vacuum" "$STUB/exit/tg-vacuum"
  run -0 --separate-stderr "$SCRIPTS/maintain-monthly"
  run -0 --separate-stderr "$SCRIPTS/maintain-status" --only monthly
}

@test "a dry run says what would be asked and leaves no trace" {
  for part in weekly monthly quarterly security; do
    run -0 --separate-stderr "$SCRIPTS/maintain-$part" --dry-run
    [[ $(last_result msg) == "dry run: nothing was done" ]]
  done
  [[ ! -e $STUB/state/history.jsonl && ! -e $STUB/state/reports ]]
}

@test "bad words on the command line are told with a cure, and nothing is run" {
  for words in "weekly x" "weekly --wait-lock 5" "monthly --window" "quarterly --nothing" "status x"; do
    # shellcheck disable=SC2086
    run -2 --separate-stderr "$SCRIPTS"/maintain-$words
    [[ $stderr == *"hint: "* ]]
  done
  [[ ! -e $STUB/calls ]]
}
