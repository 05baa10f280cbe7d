#!/usr/bin/env bats
# A rehearsal: what it needs is made, and what is there is taken. Stub tools; the real ones are tried in lab/.

bats_require_minimum_version 1.5.0
load helper

setup() {
  stubs
  exits tg-migrate-rehearsed 1
}

@test "a proven backup beside the pull, then the rehearsal" {
  exits tg-backup-check 1
  run -0 --separate-stderr "$SCRIPTS/rehearse" 1.5.0
  assert_equal "$(calls | sort)" "backup create --verify
migrate rehearse --to 1.5.0
swap pull --to 1.5.0"
  [[ $(calls | tail -n 1) == "migrate rehearse --to 1.5.0" ]]
  [[ $(last_result data.verdict) == verdict.json ]]
}

@test "a backup that is young and proven is taken, and so is a rehearsal that holds, unless one is wanted again" {
  run -0 --separate-stderr "$SCRIPTS/rehearse" --backup-max-age 2h 1.5.0
  grep -q 'backup check --verified --max-age 2h' "$STUB/calls"
  refute_called 'backup create'
  exits tg-migrate-rehearsed 0
  : >"$STUB/calls"
  run -0 --separate-stderr "$SCRIPTS/rehearse" 1.5.0
  refute_called 'rehearse --to' pull
  run -0 --separate-stderr "$SCRIPTS/rehearse" --again 1.5.0
  grep -q 'rehearse --to' "$STUB/calls"
}

@test "its answer is the rehearsal's: no is 1, what could not be tried is 3" {
  for code in 1 3 10; do
    exits tg-migrate-rehearse "$code"
    run "-$code" --separate-stderr "$SCRIPTS/rehearse" 1.7.0
    [[ $(last_result data.error.message) == "1.7.0: what tg-migrate-rehearse says" ]]
  done
}

@test "without backup or images there is no rehearsal, and the reason is told, whoever of the two failed" {
  exits tg-swap-pull 10
  run -10 --separate-stderr "$SCRIPTS/rehearse" 1.5.0
  [[ $(last_result data.error.message) == "not rehearsed: what tg-swap-pull says" ]]
  rm "$STUB/exit/tg-swap-pull"
  exits tg-backup-check 1
  exits tg-backup-create 1
  run -3 --separate-stderr "$SCRIPTS/rehearse" 1.5.0
  [[ $(last_result data.error.message) == "not rehearsed: what tg-backup-create says" ]]
  refute_called 'rehearse --to'
}

@test "lines nest: what is said meanwhile comes afterwards" {
  exits tg-backup-check 1
  hook tg-backup-create 'sleep 0.3'
  run -0 --separate-stderr "$SCRIPTS/rehearse" 1.5.0
  [[ $(jq -r .msg <<<"$output" | grep -n says | cut -d: -f 2 | head -n 2 | xargs) == "what tg-backup-create says what tg-swap-pull says" ]]
}
