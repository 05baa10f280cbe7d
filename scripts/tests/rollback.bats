#!/usr/bin/env bats
# The order of a rollback's steps. Stub tools; the real ones are tried in lab/.

bats_require_minimum_version 1.5.0
load helper

@test "a rollback asks what would be lost while everything still runs, then goes back" {
  before r1 1.4.0
  echo r1 >"$STUB/last-run"
  run -0 --separate-stderr "$SCRIPTS/rollback"
  assert_equal "$(sed 's/ *$//' "$STUB/calls")" "migrate changed
backup restore --dry-run --run r1
migrate abort
swap stop
migrate changed
backup restore --run r1
swap rollback --to-run r1
health --wait=5m --expect-version 1.4.0"
  [[ $(history_of rollback outcome) == succeeded && ! -e $STUB/state/procedure.json ]]
}

@test "rows that would be lost are a refusal and nothing is touched" {
  before r1 1.4.0
  echo r1 >"$STUB/last-run"
  exits tg-backup-restore-check 6
  run -6 --separate-stderr "$SCRIPTS/rollback"
  refute_called stop 'swap rollback'
  [[ $(last_result data.error.hint) == *--accept-data-loss* ]]
}

@test "images alone go back where the migration changed nothing or a person wants it so" {
  before r1 1.4.0
  echo r1 >"$STUB/last-run"
  exits tg-migrate-changed 1
  run -0 --separate-stderr "$SCRIPTS/rollback"
  refute_called restore
  rm "$STUB/exit/tg-migrate-changed" "$STUB/calls"
  run -0 --separate-stderr "$SCRIPTS/rollback" --images-only
  refute_called restore stop
}

@test "images alone go back, by the balancer, where a rehearsal has proven that the old release goes on with the schema" {
  before r1 1.4.0
  echo r1 >"$STUB/last-run"
  echo '{"v":1,"run":"r1","tool":"upgrade-zero-downtime","action":"upgrade","to":"1.5.0"}' >"$STUB/state/history.jsonl"
  run -0 --separate-stderr "$SCRIPTS/rollback"
  grep -q 'migrate rehearsed --to 1.5.0 --from-image sha256:1.4.0' "$STUB/calls"
  assert_equal "$(calls)" "migrate changed
swap abort
swap rollback --to-run r1
health --wait=5m --expect-version 1.4.0"
  [[ $(history_of rollback images_only) == true ]]
  # A person may want the data back all the same.
  run -0 --separate-stderr "$SCRIPTS/rollback" --with-database
  grep -q '^backup restore --run r1' "$STUB/calls"
  run -2 --separate-stderr "$SCRIPTS/rollback" --with-database --images-only
}

@test "a rehearsal that does not hold is none, and a killed rollback of images goes on as one of images" {
  before r1 1.4.0
  echo r1 >"$STUB/last-run"
  echo '{"v":1,"run":"r1","tool":"upgrade","action":"upgrade","to":"1.5.0"}' >"$STUB/state/history.jsonl"
  exits tg-migrate-rehearsed 1
  run -0 --separate-stderr "$SCRIPTS/rollback"
  grep -q '^backup restore --run r1' "$STUB/calls"
  rm "$STUB/exit/tg-migrate-rehearsed"
  exits tg-swap-rollback 5
  run -5 --separate-stderr "$SCRIPTS/rollback"
  rm "$STUB/exit/tg-swap-rollback"
  exits tg-migrate-rehearsed 1
  : >"$STUB/calls"
  run -0 --separate-stderr "$SCRIPTS/rollback"
  refute_called restore
}

@test "an unfinished upgrade is what a rollback goes back from" {
  before left 1.4.0
  echo '{"procedure":"upgrade","run":"left","from":"1.4.0","to":"1.5.0","phase":"start"}' >"$STUB/state/procedure.json"
  run -0 --separate-stderr "$SCRIPTS/rollback"
  grep -q -- '--to-run left' "$STUB/calls"
}

@test "a killed rollback is walked again from its beginning" {
  before r1 1.4.0
  echo r1 >"$STUB/last-run"
  exits tg-swap-rollback 5
  run -5 --separate-stderr "$SCRIPTS/rollback"
  [[ $(jq -r .procedure "$STUB/state/procedure.json") == rollback ]]
  rm "$STUB/exit/tg-swap-rollback"
  run -6 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
  run -0 --separate-stderr "$SCRIPTS/rollback"
  [[ ! -e $STUB/state/procedure.json ]]
}

@test "the way back is timed, and the next one is predicted from it" {
  before r1 1.4.0
  echo r1 >"$STUB/last-run"
  run -0 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  jq -es 'any(.[]; .data.kind == "way-back" and .data.ms == 6500 and (.data.measured | not))' <<<"$output"
  run -0 --separate-stderr "$SCRIPTS/rollback"
  [[ $(last_result msg) == *"the way back took "*" s" && $(last_result data.way_back_ms) -gt 0 ]]
  application=$(history_of rollback application_back_ms)
  run -0 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  jq -es --argjson ms $((application + 500)) 'any(.[]; .data.kind == "way-back" and .data.ms == $ms and .data.measured)' <<<"$output"
}

@test "with nothing to go back to nothing is changed" {
  run -3 --separate-stderr "$SCRIPTS/rollback"
  [[ -n $(last_result run) ]]
  run -3 --separate-stderr "$SCRIPTS/rollback" no-such-run
  [[ ! -e $STUB/calls ]]
}
