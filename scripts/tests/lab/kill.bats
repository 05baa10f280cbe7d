#!/usr/bin/env bats
# kill -9 of a procedure and of the tool that it runs, at each step; then the same command again.

bats_require_minimum_version 1.5.0
load helper

setup_file() {
  eval "$("$BATS_TEST_DIRNAME/../../lab/env")"
  # What an undisturbed upgrade makes of the data, to compare with.
  load helper
  setup
  "$SCRIPTS/upgrade" 1.5.0 >/dev/null 2>&1
  contents >"$BATS_FILE_TMPDIR/upgraded"
}

# Starts an upgrade and kills it, with the tool that it runs then, some time after a tool's command line matched.
# Usage: kill_at RELEASE PATTERN DELAY
kill_at() {
  KILLED=1
  local procedure child='' waited=0
  setsid "$SCRIPTS/upgrade" --wait 20s "$1" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
  procedure=$!
  until [[ -n $child ]]; do
    child=$(pgrep -P "$procedure" -f -- "$2" | head -n 1 || :)
    kill -0 "$procedure" 2>/dev/null || { echo "ended before $2"; tail -n 5 "$BATS_TEST_TMPDIR/err"; return 1; }
    ((++waited < 6000)) || { echo "never came to $2"; return 1; }
    sleep 0.01
  done
  sleep "$3"
  # Held still, so that it can't start the next tool meanwhile, which would be alive and rightly keep us out.
  kill -STOP "$procedure"
  child=$(pgrep -P "$procedure" || :)
  # shellcheck disable=SC2086
  kill -9 "$procedure" $child 2>/dev/null || :
  wait "$procedure" || :
}

again_it_is_back() { # BEFORE
  gives 4 "$SCRIPTS/upgrade" --wait 20s 1.6.0
  serves 1.4.0
  infrastructure_untouched
  nothing_to_do
  same "$1" "$(contents)"
  leaves_no_helper_behind
}

@test "killed at each of its steps, one after another, the same command finishes it" {
  kill_at 1.5.0 'tg-swap pull' 0.05
  serves 1.4.0
  kill_at 1.5.0 'tg-backup create' 0.4
  serves 1.4.0
  kill_at 1.5.0 'tg-swap stop' 0.2
  kill_at 1.5.0 'tg-backup point' 0.15
  # The migrator that is left behind is waited for.
  kill_at 1.5.0 'tg-migrate --to' 1.5
  kill_at 1.5.0 'tg-swap start' 0.5
  kill_at 1.5.0 'tg-health --wait' 0.3
  gives 0 "$SCRIPTS/upgrade" --wait 60s 1.5.0
  serves 1.5.0
  infrastructure_untouched
  nothing_to_do
  same "$(cat "$BATS_FILE_TMPDIR/upgraded")" "$(contents)"
  leaves_no_helper_behind
  [[ ! -e $STATE/procedure.json ]]
  # What was half-made is gone, what is there is whole.
  gives 0 tg-backup list
  [[ -z $(find backups -maxdepth 1 -name '.partial*') ]]
  same 1 "$("$LAB/psql" -Atc "select count(*) from pg_database where datname like 'tg\_%'")"
}

# bats test_tags=long
@test "killed in a migration that fails, and at each step of the way back: back, with the database as it was" {
  before=$(contents)
  kill_at 1.6.0 'tg-migrate --to' 1.2
  kill_at 1.6.0 'tg-backup restore' 0.1
  kill_at 1.6.0 'tg-swap rollback' 0.3
  again_it_is_back "$before"
}

# bats test_tags=long
@test "killed in the middle, rollback brings the old release back too" {
  before=$(contents)
  kill_at 1.5.0 'tg-migrate --to' 1.0
  gives 0 "$SCRIPTS/rollback" --accept-data-loss
  serves 1.4.0
  same "$before" "$(contents)"
  nothing_to_do
}
