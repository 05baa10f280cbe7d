#!/usr/bin/env bats
# The order of an upgrade without downtime, and its way back from each step. Stub tools; the real ones are tried in lab/.

bats_require_minimum_version 1.5.0
load helper

setup() {
  stubs
  echo '{"name":"haproxy","abilities":{"measure":true,"share":true,"count":true}}' >"$STUB/balancer"
  exits tg-migrate-rehearsed 1
  # Once it was rehearsed, that holds.
  hook tg-migrate-rehearse 'echo 0 >"$STUB/exit/tg-migrate-rehearsed"'
}

zero_downtime() { "$SCRIPTS/upgrade-zero-downtime" "$@"; }

# What was called from a line that matches on.
calls_from() { calls | sed -n "/$1/,\$p"; }

@test "baseline, proven backup beside the pull, rehearsal, migration, canary and swap, watch, commit" {
  run -0 --separate-stderr zero_downtime 1.5.0
  run=$(jq -rs '.[0].run' <<<"$output")
  # Backup and pull go on side by side.
  calls | sed "s#$STUB/state/runs/$run/##" >"$BATS_TEST_TMPDIR/calls"
  assert_equal "$(sed -n 1p "$BATS_TEST_TMPDIR/calls" && sed -n 2,3p "$BATS_TEST_TMPDIR/calls" | sort && sed -n '4,$p' "$BATS_TEST_TMPDIR/calls")" "health watch --for 1m --rate 10 --record baseline
backup create --verify
swap pull --to 1.5.0
migrate rehearse --to 1.5.0
migrate --to 1.5.0 --rehearsal verdict.json
swap --to 1.5.0 --keep 1h --canary 10% --for 1m
health watch --for 5m --rate 10 --baseline baseline --expect-version 1.5.0
swap commit"
  [[ $(last_result data.ok) == true && $(last_result data.downtime_ms) == 0 ]]
  [[ $(history_of upgrade-zero-downtime outcome) == succeeded && ! -e $STUB/state/procedure.json ]]
  grep -q "health review --run $run --html" "$STUB/calls"
}

@test "a rehearsal that still holds is not made again, and the canary can be left out" {
  exits tg-migrate-rehearsed 0
  run -0 --separate-stderr zero_downtime --canary 0 1.5.0
  refute_called 'migrate rehearse ' canary
}

@test "where the balancer can't try a canary there is none, and whoever asks for one is told before anything is changed" {
  echo '{"name":"nginx","abilities":{"measure":true,"share":true,"count":false}}' >"$STUB/balancer"
  run -3 --separate-stderr zero_downtime --canary 20% 1.5.0
  [[ $(last_result data.error.message) == *"nginx can't give a canary its share"* && ! -e $STUB/calls ]]
  run -0 --separate-stderr zero_downtime 1.5.0
  refute_called canary
}

@test "one that was killed after it changed something goes on without the canary that the balancer can't try" {
  echo '{"name":"nginx","abilities":{"measure":true,"share":true,"count":false}}' >"$STUB/balancer"
  echo '{"procedure":"upgrade-zero-downtime","run":"r","from":"1.4.0","to":"1.5.0","phase":"swap"}' >"$STUB/state/procedure.json"
  exits tg-swap 4
  exits tg-swap-abort 5
  run -5 --separate-stderr zero_downtime --canary 20% 1.5.0
  refute_called canary
  [[ -e $STUB/state/procedure.json ]]
}

@test "what is asked while it is watched is asked of the canary too" {
  run -0 --separate-stderr zero_downtime --ask http://h/a --ask http://h/b 1.5.0
  grep -q 'swap --to 1.5.0 --keep 1h --canary 10% --for 1m --ask http://h/a --ask http://h/b' "$STUB/calls"
}

@test "what says no before the migration changes nothing, and its reason is told" {
  for step in tg-health-watch:3 tg-backup-create:3 tg-swap-pull:10 tg-migrate-rehearse:3; do
    : >"$STUB/calls"
    exits "${step%:*}" "${step#*:}"
    run "-${step#*:}" --separate-stderr zero_downtime 1.5.0
    rm "$STUB/exit/${step%:*}"
    exits tg-migrate-rehearsed 1
    refute_called 'migrate --to' 'swap --to'
    [[ ! -e $STUB/state/procedure.json && $(last_result data.error.message) == *"nothing was changed: what ${step%:*} says"* ]]
  done
}

@test "a rehearsal that says no is a refusal" {
  exits tg-migrate-rehearse 1
  run -6 --separate-stderr zero_downtime 1.7.0
  refute_called 'migrate --to' 'swap --to'
  [[ $(last_result data.error.message) == *"the rehearsal says no: what tg-migrate-rehearse says" ]]
}

@test "what the image itself wants and nobody sets is known once it is here, before anything is changed" {
  hook tg-swap-pull 'echo "{\"type\":\"record\",\"data\":{\"kind\":\"finding\",\"code\":\"variable-missing\",\"msg\":\"nobody sets X\",\"cure\":\"set X\"}}" >"$STUB/lines/tg-swap-plan"'
  run -3 --separate-stderr zero_downtime 1.5.0
  [[ $(last_result data.error.message) == *"nobody sets X"* ]]
  refute_called 'migrate rehearse ' 'migrate --to'
}

@test "a migration that failed and left nothing is told, and nothing is undone" {
  exits tg-migrate 3
  exits tg-migrate-changed 1
  run -3 --separate-stderr zero_downtime 1.6.0
  refute_called 'swap --to' 'swap rollback' restore
  [[ ! -e $STUB/state/procedure.json ]]
}

@test "what a failed migration left is lived with where the old release can" {
  exits tg-migrate 5
  run -4 --separate-stderr zero_downtime 1.6.0
  grep -q 'migrate diff' "$STUB/calls"
  refute_called 'swap --to' restore
  [[ $(last_result data.error.message) == *"lives with the schema as it is" && ! -e $STUB/state/procedure.json ]]
}

@test "where it can not, a person decides; the database comes back when its loss is accepted" {
  exits tg-migrate 5
  exits tg-migrate-diff 1
  run -5 --separate-stderr zero_downtime 1.6.0
  refute_called restore
  [[ $(last_result data.error.hint) == *"--accept-data-loss 1.6.0"* ]]
  [[ $(jq -r .phase "$STUB/state/procedure.json") == migrate ]]
  : >"$STUB/calls"
  run=$(jq -r .run "$STUB/state/procedure.json")
  run -4 --separate-stderr zero_downtime --accept-data-loss 1.6.0
  assert_equal "$(calls_from 'migrate abort')" "migrate abort
migrate changed
swap stop
migrate changed
backup restore --run $run --accept-data-loss
swap rollback --to-run $run
health --wait=5m --expect-version 1.4.0"
  [[ ! -e $STUB/state/procedure.json ]]
}

@test "a swap or a watch that fails goes back by the balancer, and the database is left alone" {
  hook tg-swap 'mkdir -p "$STUB/state/runs/$TG_RUN_ID" && echo {} >"$STUB/state/runs/$TG_RUN_ID/before.json"'
  for step in tg-swap:4 tg-swap:6 tg-health-watch:1 tg-health-watch:3; do
    : >"$STUB/calls"
    hook tg-migrate "echo ${step#*:} >\"\$STUB/exit/${step%:*}\""
    run -4 --separate-stderr zero_downtime 1.5.3
    run=$(jq -rs '.[0].run' <<<"$output")
    rm "$STUB/exit/${step%:*}"
    exits tg-migrate-rehearsed 1
    assert_equal "$(calls_from 'swap abort')" "swap abort
swap rollback --to-run $run
health --wait=5m --expect-version 1.4.0
migrate diff --equal $STUB/state/runs/$run/migrated.jsonl"
    refute_called restore 'swap stop' commit
    [[ $(last_result data.error.message) == "not upgraded to 1.5.3: what ${step%:*} says; 1.4.0 serves" && ! -e $STUB/state/procedure.json ]]
  done
}

@test "a schema that the new release changed when it started is named, on the way back" {
  hook tg-migrate 'echo 4 >"$STUB/exit/tg-swap"'
  exits tg-migrate-diff 1
  run -4 --separate-stderr zero_downtime 1.5.3
  [[ $(last_result data.error.message) == *"it changed the schema when it started, and 1.4.0 may not live with that"*"tg-backup restore --run "* ]]
}

@test "a way back that fails is for a person, and goes on when it is run again" {
  exits tg-swap 4
  exits tg-swap-abort 5
  run -5 --separate-stderr zero_downtime 1.5.1
  [[ $(jq -r .phase "$STUB/state/procedure.json") == undo ]]
  rm "$STUB/exit/tg-swap-abort"
  : >"$STUB/calls"
  run -4 --separate-stderr zero_downtime 1.5.1
  refute_called 'migrate --to' 'swap --to'
}

@test "killed in any step the same command goes on in the same run" {
  for step in tg-health-watch tg-backup-create tg-migrate-rehearse tg-migrate tg-swap tg-swap-commit; do
    rm -rf "$STUB/state" "$STUB/hook" "$STUB/calls"
    mkdir -p "$STUB/state" "$STUB/hook"
    exits tg-migrate-rehearsed 1
    hook tg-migrate-rehearse 'echo 0 >"$STUB/exit/tg-migrate-rehearsed"'
    # The tool kills the procedure and itself, once.
    hook "$step" 'rm "$0"; kill -9 $(cat "$STUB/pid"); exit 9'
    status=0
    bash -c 'echo $$ >"$STUB/pid"; exec "$0" 1.5.0' "$SCRIPTS/upgrade-zero-downtime" >/dev/null 2>&1 || status=$?
    [[ $status -eq 137 ]] || { echo "$step: $status"; false; }
    hook tg-migrate-rehearse 'echo 0 >"$STUB/exit/tg-migrate-rehearsed"'
    run=$(jq -r .run "$STUB/state/procedure.json")
    run -0 --separate-stderr zero_downtime 1.5.0
    [[ $(jq -rs '.[0].run' <<<"$output") == "$run" && ! -e $STUB/state/procedure.json ]] || { echo "$step"; false; }
  done
}

@test "a migration that was begun is not held to the schema of the rehearsal when it goes on" {
  hook tg-migrate 'rm "$0"; kill -9 $(cat "$STUB/pid"); exit 9'
  bash -c 'echo $$ >"$STUB/pid"; exec "$0" 1.5.0' "$SCRIPTS/upgrade-zero-downtime" >/dev/null 2>&1 || :
  : >"$STUB/calls"
  run -0 --separate-stderr zero_downtime 1.5.0
  assert_equal "$(calls | head -n 2)" "migrate --to 1.5.0
swap --to 1.5.0 --keep 1h --canary 10% --for 1m"
}

@test "an interrupt lets the step end, then goes back" {
  hook tg-swap 'mkdir -p "$STUB/state/runs/$TG_RUN_ID"; echo {} >"$STUB/state/runs/$TG_RUN_ID/before.json"; kill -INT $(cat "$STUB/pid")'
  status=0
  # Tests that are run in the background ignore SIGINT, and a shell that was begun so can't trap it.
  env --default-signal=INT bash -c 'echo $$ >"$STUB/pid"; exec "$0" 1.5.0' "$SCRIPTS/upgrade-zero-downtime" >"$BATS_TEST_TMPDIR/out" 2>/dev/null || status=$?
  [[ $status -eq 130 ]]
  grep -q 'swap abort' "$STUB/calls"
  refute_called commit
  output=$(cat "$BATS_TEST_TMPDIR/out")
  [[ $(last_result data.error.message) == "interrupted; 1.4.0 serves again" ]]
}

@test "the two ways to one release do not go on with each other's change" {
  echo '{"procedure":"upgrade","run":"r","from":"1.4.0","to":"1.5.0","phase":"migrate"}' >"$STUB/state/procedure.json"
  run -6 --separate-stderr zero_downtime 1.5.0
  echo '{"procedure":"upgrade","run":"r","from":"1.4.0","to":"1.5.0","phase":"prepare"}' >"$STUB/state/procedure.json"
  run -0 --separate-stderr zero_downtime 1.5.0
}

@test "a dry run says each step and takes none" {
  run -0 --separate-stderr zero_downtime -n 1.5.0
  [[ -z $(calls) && ! -e $STUB/state/procedure.json ]]
  [[ $(jq -r 'select(.data.kind == "would").data.command' <<<"$output" | wc -l) -ge 8 ]]
}
