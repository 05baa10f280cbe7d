#!/usr/bin/env bats
# The checklist. Stub tools; the real ones are tried in lab/.

bats_require_minimum_version 1.5.0
load helper

@test "every check is told, and all must be yes" {
  run -0 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  assert_equal "$(jq -r 'select(.data.kind == "check") | .data.check + " " + .data.verdict' <<<"$output")" "release ok
health ok
backup ok
migration ok"
}

@test "all checks are made even when the first says no" {
  exits tg-swap-pull-check 3
  exits tg-health-check 1
  run -1 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  [[ $(jq -r 'select(.data.verdict == "no") | .data.check' <<<"$output" | wc -l) -eq 2 ]]
}

@test "what can't be reached weighs more than what is refused, and that more than a no" {
  exits tg-health-check 1
  exits tg-swap-pull-check 6
  run -6 --separate-stderr "$SCRIPTS/preflight" 2.0.0
  exits tg-backup-create-check 10
  run -10 --separate-stderr "$SCRIPTS/preflight" 2.0.0
}

@test "a sick release can be upgraded from when a person says so" {
  exits tg-health-check 1
  run -1 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  run -0 --separate-stderr "$SCRIPTS/preflight" --accept unhealthy 1.5.0
}

@test "a procedure that has not ended is a refusal" {
  echo '{"procedure":"upgrade","run":"r","from":"1.4.0","to":"1.5.0","phase":"migrate"}' >"$STUB/state/procedure.json"
  run -6 --separate-stderr "$SCRIPTS/preflight" 1.6.0
}

@test "a missing tool is named" {
  rm "$STUB/bin/tg-backup"
  PATH=$STUB/bin:/usr/bin:/bin run -10 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  [[ $stderr == *tg-backup* ]]
}
