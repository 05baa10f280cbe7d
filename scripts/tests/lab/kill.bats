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

# Usage: kill_at RELEASE PATTERN DELAY
kill_at() { killed_at "$2" "$3" "$SCRIPTS/upgrade" --wait 20s "$1"; }

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

# bats test_tags=long
@test "a rehearsal and a way back that are killed at each of their steps are finished by the same command" {
  before=$(contents)
  killed_at 'tg-backup create' 0.3 "$SCRIPTS/rehearse" 1.5.0
  killed_at 'tg-migrate rehearse' 5 "$SCRIPTS/rehearse" 1.5.0
  gives 0 "$SCRIPTS/rehearse" 1.5.0
  leaves_no_helper_behind
  serves 1.4.0
  same "$before" "$(contents)"

  gives 0 "$SCRIPTS/upgrade" 1.5.0
  local back=("$SCRIPTS/rollback" --with-database --accept-data-loss)
  killed_at 'tg-swap stop' 0.2 "${back[@]}"
  killed_at 'tg-backup restore' 0.2 "${back[@]}"
  killed_at 'tg-swap rollback' 0.3 "${back[@]}"
  killed_at 'tg-health --wait' 0.3 "${back[@]}"
  gives 0 "${back[@]}"
  serves 1.4.0
  infrastructure_untouched
  nothing_to_do
  same "$before" "$(contents)"
  leaves_no_helper_behind
  [[ ! -e $STATE/procedure.json ]]
}
