#!/usr/bin/env bats
# The schedule on real parts: a month by the calendar of its timers, two at once, a backup that does not come back.

bats_require_minimum_version 1.5.0
load helper

UNITS=$BATS_TEST_DIRNAME/../../package/systemd

# What the timers start in a month, in order: one name a line. Usage: month BEGINNING
month() {
  local kind calendar
  for kind in weekly monthly quarterly security; do
    calendar=$(sed -n 's/^OnCalendar=//p' "$UNITS/tg-$kind@.timer")
    TZ=UTC systemd-analyze calendar --base-time "$1" --iterations 31 "$calendar" |
      sed -nE 's/^ *(Next elapse|Iteration #[0-9]+|Iter\. #[0-9]+): \w+ ([0-9-]+ [0-9:]+).*/\2 '"$kind"'/p'
  done | awk -v end="$(date -u -d "$1 1 month" '+%F %T')" '$1 " " $2 < end' | sort | awk '{ print $3 }'
}

verdict_of() { jq -rs --arg check "$1" 'map(select(.data.kind == "check" and .data.check == $check))[-1].data.verdict' <<<"$output"; }

@test "in a month each part is run when its timer says so, does its work, and leaves what a monitor asks for" {
  local due kind status
  due=$(month '2026-01-01 00:00:00')
  same "monthly 1
quarterly 1
security 31
weekly 4" "$(sort <<<"$due" | uniq -c | awk '{ print $2, $1 }')"
  gives 0 tg-backup create --verify
  "$LAB/psql" -qc 'update features set name = name where id <= 5000' >/dev/null
  for kind in $due; do
    # A registry that is asked once a day answers the same for ever.
    [[ $kind != security || ! -e $BATS_TEST_TMPDIR/security ]] || continue
    touch "$BATS_TEST_TMPDIR/$kind"
    run --separate-stderr "$SCRIPTS/maintain-$kind" --backup-max-age 1h
    printf '%s\n' "$output" >"$KEPT/$kind.jsonl"
    # The lab's balancer complains when it starts, and there is a patch.
    [[ $status -le 1 ]] || { echo "$kind: $status"; echo "$stderr"; return 1; }
    case $kind in
    weekly) [[ $(verdict_of backup) == ok && $(verdict_of blockers) == ok && -s $STATE/reports/maintain-weekly-$(date +%F).html ]] ;;
    monthly) [[ $status -eq 0 ]] && printed '.data.table == "features" and .data.dead_after == 0' ;;
    quarterly) [[ $(verdict_of drill) == ok && $(verdict_of files) == ok && $(verdict_of indexes) == ok ]] ;;
    security) [[ $status -eq 1 && $output == *"upgrade-zero-downtime 1.4.1"* ]] ;;
    esac
  done
  run --separate-stderr "$SCRIPTS/maintain-status" --only monthly
  [[ $status -eq 0 ]]
  gives 1 "$SCRIPTS/maintain-status" --only security
  infrastructure_untouched
  leaves_no_helper_behind
}

@test "the second of two ends at once and names the first, or waits for it" {
  gives 0 tg-backup create --verify
  "$SCRIPTS/maintain-quarterly" >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  first=$!
  until grep -q '"check":"files"' "$BATS_TEST_TMPDIR/first"; do
    kill -0 "$first"
    sleep 0.05
  done
  gives 11 "$SCRIPTS/maintain-monthly"
  [[ $(result data.error.message) == "maintain-quarterly (pid "* ]]
  gives 0 "$SCRIPTS/maintain-monthly" --wait-lock 2m
  ! kill -0 "$first" 2>/dev/null
}

@test "a backup that does not come back is a no that the monitor's command sees until one does" {
  gives 0 tg-backup create
  file=$(find backups -type f -size +100k | head -n 1)
  truncate -s -4096 "$file"
  gives 1 "$SCRIPTS/maintain-quarterly"
  same no "$(verdict_of drill)"
  same no "$(verdict_of files)"
  gives 1 "$SCRIPTS/maintain-status" --only quarterly
  [[ $(history_of maintain-quarterly outcome) == failed ]]
  gives 0 tg-backup create --verify
  run --separate-stderr "$SCRIPTS/maintain-quarterly"
  same ok "$(verdict_of drill)"
  leaves_no_helper_behind
}

# bats test_tags=long
@test "killed at each of its steps, the next run does all of it, and nothing is left behind" {
  gives 0 tg-backup create --verify
  "$LAB/psql" -qc 'update features set name = name' >/dev/null
  killed_at 'tg-health review' 0.1 "$SCRIPTS/maintain-weekly"
  killed_at 'tg-vacuum blockers' 0 "$SCRIPTS/maintain-weekly"
  killed_at 'tg-vacuum --budget' 0.1 "$SCRIPTS/maintain-monthly"
  killed_at 'tg-backup verify' 2 "$SCRIPTS/maintain-quarterly"
  # What was killed was not done.
  gives 1 "$SCRIPTS/maintain-status" --only weekly,monthly,quarterly
  gives 0 "$SCRIPTS/maintain-monthly"
  # The server may have ended what the killed run had begun.
  printed '.tool == "tg-vacuum" and .type == "result" and .data.done + (.data.done_before // 0) == 5'
  same 0 "$("$LAB/psql" -Atc "select n_dead_tup from pg_stat_user_tables where relname = 'features'")"
  run --separate-stderr "$SCRIPTS/maintain-weekly"
  [[ $status -le 1 && $(verdict_of blockers) == ok ]]
  run --separate-stderr "$SCRIPTS/maintain-quarterly"
  [[ $status -le 1 && $(verdict_of drill) == ok ]]
  infrastructure_untouched
  leaves_no_helper_behind
}
