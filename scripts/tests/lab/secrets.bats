#!/usr/bin/env bats
# No secret of the lab in any output, journal or process list.

bats_require_minimum_version 1.5.0
load helper

secrets() {
  local file
  for file in secrets/*; do
    tr -d '\r\n' <"$file"
    echo
  done
}

@test "no secret in output, journal, history, backup facts or the process list of an upgrade and a rollback" {
  secrets >"$BATS_TEST_TMPDIR/secrets"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/secrets") -ge 2 ]]
  (while :; do
    cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' '
    sleep 0.05
  done) >"$BATS_TEST_TMPDIR/processes" 3>&- &
  watcher=$!
  (
    "$SCRIPTS/upgrade" -v 1.5.0
    "$SCRIPTS/rollback" -v --accept-data-loss
    "$SCRIPTS/upgrade" -v --wait 20s 1.6.0 || :
    tg-swap status -v
    tg-backup list -v
    tg-vacuum -v
  ) >"$BATS_TEST_TMPDIR/output" 2>&1
  kill "$watcher"
  grep -q tg-migrate "$BATS_TEST_TMPDIR/processes"
  run ! grep -rlF -f "$BATS_TEST_TMPDIR/secrets" "$BATS_TEST_TMPDIR/output" "$BATS_TEST_TMPDIR/processes" "$STATE"
  run ! grep -rlF -f "$BATS_TEST_TMPDIR/secrets" --include=manifest.json --include='*.md' --include=SHA256SUMS backups
}

@test "what tg writes is readable by its owner alone" {
  gives 0 tg-backup create
  [[ -z $(find "$STATE" backups -type f -perm /077) ]]
  [[ -z $(find "$STATE" backups -type d -perm /077) ]]
}
