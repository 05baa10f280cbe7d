#!/usr/bin/env bats
# kill -9 of tg-backup and tg-migrate, in each of their verbs: the content is the same, and nothing is left.

bats_require_minimum_version 1.5.0
load helper

# Runs a command once and kills it in later runs, after these parts of the time that it took. Usage: killed_in "PERCENT..." COMMAND...
killed_in() {
  local parts=$1 status=0 begun took percent
  shift
  begun=$(date +%s%3N)
  "$@" >/dev/null 2>&1 || status=$?
  [[ $status -le 1 ]] || {
    echo "exit $status: $*"
    return 1
  }
  took=$(($(date +%s%3N) - begun))
  for percent in $parts; do killed_after $((took * percent / 100)) "$@"; done
}

# Usage: killed_after MILLISECONDS COMMAND...
killed_after() {
  timeout -s KILL "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))" "${@:2}" >/dev/null 2>&1 || :
  KILLS=$((KILLS + 1))
}

# The same, where the content is the same after each kill, whatever became of the command.
harmless_in() {
  killed_in "$@" || return
  same "$BEFORE" "$(contents)" || {
    echo "after $*"
    return 1
  }
}

databases() { "$LAB/psql" -Atc "select count(*) from pg_database where datname like 'tg\_%'"; }

# bats test_tags=long
@test "forty kills over all verbs of tg-backup and tg-migrate: the same content, and nothing left" {
  local verb percent delay backup
  KILLED=1 KILLS=0
  BEFORE=$(contents)
  gives 0 tg-backup create --verify
  backup=$(result data.id)
  tg-migrate snapshot >"$BATS_TEST_TMPDIR/snapshot" 2>/dev/null
  harmless_in "10 35 60 85" tg-backup create
  harmless_in "20 50 80" tg-backup create --verify
  harmless_in "20 60" tg-backup verify
  for verb in plan databases list check "prune --keep-last 3" "point list"; do
    # shellcheck disable=SC2086
    harmless_in 50 tg-backup $verb
  done
  for verb in preflight snapshot "diff $BATS_TEST_TMPDIR/snapshot" status "changed --run-id r" abort rehearsed; do
    # shellcheck disable=SC2086
    harmless_in 60 tg-migrate $verb
  done
  tg-swap pull --to 1.5.0 >/dev/null 2>&1
  harmless_in "20 40 60 80" tg-migrate rehearse --to 1.5.0

  # What changes the database: the same command again, and it is as it was.
  docker compose stop api worker 2>/dev/null
  harmless_in "30 60 90" tg-backup point create
  for percent in 20 40 60 80; do
    killed_in "$percent" tg-backup restore "$backup" --accept-data-loss
    gives 0 tg-backup restore "$backup" --accept-data-loss
    same "$BEFORE" "$(contents)"
  done
  killed_in 50 tg-backup undo
  gives 0 tg-backup restore "$backup" --accept-data-loss
  killed_in "30 70" tg-backup commit
  same "$BEFORE" "$(contents)"
  for percent in 30 60 90; do
    killed_in "$percent" tg-migrate --to 1.5.0
    gives 0 tg-migrate --to 1.5.0
    gives 0 tg-backup restore "$backup" --accept-data-loss
    same "$BEFORE" "$(contents)"
  done
  gives 0 tg-backup point drop
  # A point that was brought back is used up.
  for delay in 200 350 500; do
    gives 0 tg-backup point create
    killed_after "$delay" tg-backup point restore --accept-data-loss
    gives 0 tg-backup restore "$backup" --accept-data-loss
    same "$BEFORE" "$(contents)"
  done

  gives 0 tg-backup point drop
  gives 0 tg-backup commit
  gives 0 tg-backup create
  docker compose start api worker 2>/dev/null
  serves 1.4.0
  same "$BEFORE" "$(contents)"
  echo "# $KILLS kills" >&3
  [[ $KILLS -ge 40 ]]
  leaves_no_helper_behind
  [[ -z $(find backups "$STATE" -name '.partial*' -o -name '.tg-p*') ]]
  same 0 "$(databases)"
}
