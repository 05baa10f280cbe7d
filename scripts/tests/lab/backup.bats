#!/usr/bin/env bats
# Backups as a person keeps them, on the lab's own stack: proven, checked, planned, pruned, brought back.

bats_require_minimum_version 1.5.0
load helper

@test "a backup is made and proven, and gates and monitors can ask for it" {
  gives 1 tg-backup check --verified
  gives 0 tg-backup create
  gives 1 tg-backup check --verified
  gives 0 tg-backup check
  gives 0 tg-backup verify
  same verified "$(result data.outcome)"
  gives 0 tg-backup check --max-age 1h --verified --intact --prometheus "$BATS_TEST_TMPDIR/tg.prom"
  grep -qx 'tg_backup_check_ok{database="terragnos"} 1' "$BATS_TEST_TMPDIR/tg.prom"
  gives 1 tg-backup check --max-age 0s
  gives 0 tg-backup list
  printed '.data.kind == "backup" and .data.verified'
  leaves_no_helper_behind
}

@test "what may go is said before it goes" {
  gives 2 tg-backup prune
  gives 0 tg-backup create --verify
  gives 0 tg-backup create --verify
  gives 0 tg-backup prune --keep-last 1 --dry-run
  printed '.data.kind == "verdict" and (.data.keep | not)'
  gives 0 tg-backup prune --keep-last 1
  same 1 "$(result data.removed)"
  gives 0 tg-backup prune --keep-last 1
  same false "$(result data.changed)"
}

@test "how long it would take is planned, by a rule first and then as it was measured" {
  gives 0 tg-backup plan
  printed '.data.what == "back-by-backup" and (.data.measured | not)'
  gives 0 tg-backup create --verify
  gives 0 tg-backup plan
  printed '.data.what == "back-by-backup" and .data.measured'
  predicted=$(result data.back_by_backup_ms)
  gives 0 tg-backup restore --latest
  took=$(result data.duration_ms)
  echo "predicted $predicted ms, took $took ms"
  ((predicted < 3 * took && took < 3 * predicted))
  gives 0 tg-backup commit
}

@test "a rollback point is listed, says that it is no backup, and comes back" {
  gives 0 tg-swap stop
  before=$(contents)
  gives 0 tg-backup point create
  gives 0 tg-backup point list
  printed '.data.kind == "point" and .data.is_backup == false and (.data.note | startswith("no backup"))'
  gives 0 tg-backup point restore
  same "$before" "$(contents)"
  (($(result data.closed_ms) < 1000))
  gives 0 tg-backup undo
  gives 0 tg-backup commit
}

@test "an upgrade that needs its backup keeps it from being pruned" {
  gives 0 tg-backup --run-id needed create --verify
  gives 0 tg-backup create --verify
  echo '{"run": "needed", "procedure": "upgrade", "phase": "migrate", "from": "1.4.0", "to": "1.5.0"}' >"$STATE/procedure.json"
  gives 0 tg-backup prune --keep-last 1
  same 0 "$(result data.removed)"
  rm "$STATE/procedure.json"
  gives 0 tg-backup prune --keep-last 1
  same 1 "$(result data.removed)"
}
