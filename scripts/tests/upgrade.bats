#!/usr/bin/env bats
# The order of an upgrade's steps, and what it does when one of them fails. Stub tools; the real
# ones are tried in lab/.

bats_require_minimum_version 1.5.0
load helper

@test "an upgrade does the guide's steps in the guide's order and starts workers last" {
  run -0 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
  assert_equal "$(calls)" "swap pull --to 1.5.0
backup create
swap stop
backup point create
migrate --to 1.5.0 --accept unverified-backup
swap start --role api --to 1.5.0
health --wait=5m --expect-version 1.5.0
swap start --to 1.5.0
health --wait=5m --expect-version 1.5.0"
  [[ $(last_result data.ok) == true && $(last_result data.to) == 1.5.0 ]]
  [[ $(history_of upgrade outcome) == succeeded ]]
  [[ ! -e $STUB/state/procedure.json ]]
}

@test "flags that name the project reach every tool" {
  run -0 --separate-stderr "$SCRIPTS/upgrade" -C /x -f a.yaml --wait 9s 1.5.0
  [[ $(grep -c -v -- '-C /x -f a.yaml' "$STUB/calls") == 0 ]]
  grep -q -- '--wait=9s' "$STUB/calls"
}

@test "what fails before the application is stopped changes nothing" {
  for step in tg-swap-pull tg-backup-create; do
    : >"$STUB/calls"
    exits "$step" 3
    run -3 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
    rm "$STUB/exit/$step"
    refute_called 'swap stop' 'migrate --to' rollback
    [[ ! -e $STUB/state/procedure.json ]]
    [[ $(last_result data.exit) == 3 ]]
  done
}

@test "an exit code that tells more than failed is handed on while nothing is changed" {
  for code in 6 10 11; do
    exits tg-swap-pull "$code"
    run "-$code" --separate-stderr "$SCRIPTS/upgrade" 1.5.0
    [[ $(last_result data.exit) == "$code" ]]
  done
}

@test "a migration that fails and changed the database brings database and images back" {
  exits tg-migrate 5
  run -4 --separate-stderr "$SCRIPTS/upgrade" 1.6.0
  RUN=$(jq -rs '.[0].run' <<<"$output")
  assert_equal "$(calls | sed -n '/migrate --to/,$p')" "migrate --to 1.6.0 --accept unverified-backup
migrate abort
migrate changed
swap stop
migrate changed
backup restore --run $RUN --accept-data-loss
swap rollback --to-run $RUN
health --wait=5m --expect-version 1.4.0"
  [[ $(history_of upgrade outcome) == undone ]]
}

@test "a migration that changed nothing leaves the database alone" {
  exits tg-migrate 3
  exits tg-migrate-changed 1
  run -4 --separate-stderr "$SCRIPTS/upgrade" 1.6.0
  refute_called restore
  grep -q 'swap rollback' "$STUB/calls"
}

@test "a release that never gets healthy goes back, workers untouched, and no row is lost unasked" {
  cat >"$STUB/hook/tg-health" <<'HOOK'
#!/bin/sh
# Well before, never at the new release, well again at the old one.
tail -n 1 "$STUB/calls" | grep -q 'expect-version 1.5.1' && echo 124 >"$STUB/exit/tg-health" || rm -f "$STUB/exit/tg-health"
HOOK
  chmod +x "$STUB/hook/tg-health"
  run -4 --separate-stderr "$SCRIPTS/upgrade" 1.5.1
  refute_called 'swap start --to'
  grep -q "backup restore --run [^ ]*\$" "$STUB/calls"
  refute_called accept-data-loss
}

@test "rows that the new release wrote are kept until a person gives them up" {
  exits tg-swap-start 4
  exits tg-backup-restore 6
  run -5 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
  [[ $(last_result data.error.hint) == *"upgrade --accept-data-loss 1.5.0"* ]]
  [[ $(jq -r .phase "$STUB/state/procedure.json") == undo-served ]]
  rm "$STUB/exit/tg-backup-restore"
  run -4 --separate-stderr "$SCRIPTS/upgrade" --accept-data-loss 1.5.0
  grep -q 'backup restore .*--accept-data-loss' "$STUB/calls"
  [[ ! -e $STUB/state/procedure.json ]]
}

@test "rows that would be lost are known before anything is stopped, and the new release goes on" {
  # Its worker crashes; meanwhile somebody has written.
  hook tg-swap-start 'tail -n 1 "$STUB/calls" | grep -q "role api" || echo 4 >"$STUB/exit/tg-swap-start"'
  exits tg-backup-restore-check 6
  run -5 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
  [[ $(grep -c '^swap stop' "$STUB/calls") == 1 ]]
  refute_called 'backup restore --run [^ ]* *$' 'swap rollback'
  [[ $(last_result data.error.message) == *"rows that would be lost; nothing was stopped" ]]
  [[ $(last_result data.error.hint) == *"upgrade --accept-data-loss 1.5.0"* ]]
}

@test "a database that can't be put back after all leaves what served serving, unless it is half-way itself" {
  for code in 3 6 10; do
    rm -rf "$STUB/calls" "$STUB/state"
    mkdir -p "$STUB/state"
    hook tg-swap-start 'tail -n 1 "$STUB/calls" | grep -q "role api" && rm -f "$STUB/exit/tg-swap-start" || echo 4 >"$STUB/exit/tg-swap-start"'
    exits tg-backup-restore "$code"
    run -5 --separate-stderr "$SCRIPTS/upgrade" --wait 0s 1.5.0
    assert_equal "$(calls | sed -n '/backup restore/,$p' | sed 's/--run .*/--run/')" "backup restore --run
swap start --role api
swap start"
    [[ $(last_result data.error.message) == *"what ran was started again"* ]]
  done
  : >"$STUB/calls"
  rm -rf "$STUB/state/procedure.json"
  exits tg-backup-restore 5
  run -5 --separate-stderr "$SCRIPTS/upgrade" --wait 0s 1.5.0
  [[ $(calls | tail -n 1) == "backup restore"* ]]
}

@test "old workers that can't be started do not keep the old API down" {
  exits tg-migrate 5
  hook tg-swap-rollback 'tail -n 1 "$STUB/calls" | grep -q "role api" && rm -f "$STUB/exit/tg-swap-rollback" || echo 4 >"$STUB/exit/tg-swap-rollback"'
  run -5 --separate-stderr "$SCRIPTS/upgrade" 1.6.0
  [[ $(calls | tail -n 1) == "swap rollback --role api --to-run "* ]]
  [[ $(last_result data.error.message) == *"its API was started, its workers were not"* ]]
}

@test "what is away for a moment is asked again, forth and back" {
  # Each of them can't reach something once.
  for step in tg-swap-stop tg-backup-point tg-migrate tg-swap-start tg-migrate-abort tg-migrate-changed tg-backup-restore tg-swap-rollback; do
    hook "$step" 'exit="$STUB/exit/'"$step"'"; if [ -e "$exit.once" ]; then rm -f "$exit"; else echo 10 >"$exit"; : >"$exit.once"; fi'
  done
  run -0 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
  for call in 'swap stop' 'backup point create' 'migrate --to' 'swap start --role api'; do
    [[ $(grep -c "^$call" "$STUB/calls") == 2 ]] || { cat "$STUB/calls"; return 1; }
  done
  rm "$STUB/hook/tg-migrate"
  exits tg-migrate 5
  echo 1.5.0 >"$STUB/version"
  run -4 --separate-stderr "$SCRIPTS/upgrade" 1.6.0
  for call in 'migrate abort' 'swap rollback'; do
    [[ $(grep -c "^$call" "$STUB/calls") == 2 ]] || { cat "$STUB/calls"; return 1; }
  done
  [[ $stderr == *"what tg-swap-rollback says: trying again"* ]]
}

@test "what is away is not asked again when --wait is over, and what stays is not asked again at all" {
  for code in 10:0s 3:1h; do
    rm -rf "$STUB/calls" "$STUB/state"
    mkdir -p "$STUB/state"
    exits tg-swap-start "${code%:*}"
    run -4 --separate-stderr "$SCRIPTS/upgrade" --wait "${code#*:}" 1.5.0
    [[ $(grep -c '^swap start --role api' "$STUB/calls") == 1 ]]
  done
}

@test "a host that can't start the workers now does not take the new release down: a person is needed, and the same command goes on" {
  for code in 10 5; do
    rm -rf "$STUB/calls" "$STUB/state" "$STUB/exit"
    mkdir -p "$STUB/state" "$STUB/exit"
    hook tg-swap-start 'tail -n 1 "$STUB/calls" | grep -q "role api" && rm -f "$STUB/exit/tg-swap-start" || echo '"$code"' >"$STUB/exit/tg-swap-start"'
    run -5 --separate-stderr "$SCRIPTS/upgrade" --wait 0s 1.5.0
    refute_called 'swap rollback' restore 'migrate abort'
    [[ $(grep -c '^swap stop' "$STUB/calls") == 1 ]]
    [[ $(last_result data.error.message) == "1.5.0 serves and is well, but its workers could not be started: what tg-swap-start says" ]]
    [[ $(last_result data.error.hint) == *"run upgrade 1.5.0 again"*"rollback" ]]
    [[ $(jq -r .phase "$STUB/state/procedure.json") == start && $(history_of upgrade outcome) == stuck ]]
  done
  rm "$STUB/hook/tg-swap-start" "$STUB/exit/tg-swap-start"
  : >"$STUB/calls"
  run -0 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
  refute_called '^swap stop' 'migrate --to'
}

@test "workers that crash, and an API that is not well any more, go back" {
  hook tg-swap-start 'tail -n 1 "$STUB/calls" | grep -q "role api" || echo 4 >"$STUB/exit/tg-swap-start"'
  run -4 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
  grep -q '^swap rollback' "$STUB/calls"
  rm -rf "$STUB/calls" "$STUB/state" "$STUB/exit"
  mkdir -p "$STUB/state" "$STUB/exit"
  hook tg-swap-start 'tail -n 1 "$STUB/calls" | grep -q "role api" || { echo 10 >"$STUB/exit/tg-swap-start"; echo 124 >"$STUB/exit/tg-health"; }'
  hook tg-health 'tail -n 1 "$STUB/calls" | grep -q "expect-version 1.4.0" && rm "$STUB/exit/tg-health"; :'
  run -4 --separate-stderr "$SCRIPTS/upgrade" --wait 0s 1.5.0
  grep -q '^swap rollback' "$STUB/calls"
}

@test "a time to wait is read as the tools read it" {
  seconds() { bash -c '. "$0/lib/procedure.sh"; whole_seconds "$1"' "$SCRIPTS" "$1"; }
  assert_equal "$(for text in 90s 5m 1h30m '1h 30m' 0s 500ms 08m soon ''; do seconds "$text"; done | xargs)" "90 300 5400 5400 0 0 480 300 300"
}

@test "a way back that fails says so with exit 5 and goes on when it is run again" {
  exits tg-migrate 5
  exits tg-swap-rollback 5
  run -5 --separate-stderr "$SCRIPTS/upgrade" 1.6.0
  [[ $(jq -r .phase "$STUB/state/procedure.json") == undo ]]
  rm "$STUB/exit/tg-swap-rollback"
  : >"$STUB/calls"
  run -4 --separate-stderr "$SCRIPTS/upgrade" 1.6.0
  refute_called 'migrate --to' 'swap pull'
}

@test "killed in any step the same command goes on in the same run and takes no second rollback point" {
  for step in tg-backup-create tg-swap-stop tg-backup-point tg-migrate tg-swap-start tg-health; do
    rm -rf "$STUB/state" "$STUB/hook" "$STUB/calls"
    mkdir -p "$STUB/state" "$STUB/hook"
    # The tool kills the procedure and itself, once.
    printf '#!/bin/sh\nrm "$0"\nkill -9 $(cat "$STUB/pid")\n' >"$STUB/hook/$step"
    chmod +x "$STUB/hook/$step"
    status=0
    bash -c 'echo $$ >"$STUB/pid"; exec "$0" 1.5.0' "$SCRIPTS/upgrade" >/dev/null 2>&1 || status=$?
    [[ $status -eq 137 ]]
    run=$(jq -r .run "$STUB/state/procedure.json")
    run -0 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
    [[ $(jq -rs '.[0].run' <<<"$output") == "$run" ]]
    [[ ! -e $STUB/state/procedure.json ]]
    case $step in tg-migrate | tg-swap-start | tg-health) [[ $(grep -c 'point create' "$STUB/calls") == 1 ]] ;; esac
  done
}

@test "an unfinished upgrade to another release is not run over" {
  mkdir -p "$STUB/state"
  echo '{"procedure":"upgrade","run":"r","from":"1.4.0","to":"1.5.0","phase":"migrate"}' >"$STUB/state/procedure.json"
  run -6 --separate-stderr "$SCRIPTS/upgrade" 1.6.0
  [[ $(last_result data.error.hint) == *"upgrade 1.5.0 again"* ]]
  [[ ! -e $STUB/calls ]]
}

@test "an upgrade that was killed before it changed anything is no obstacle to another" {
  mkdir -p "$STUB/state"
  echo '{"procedure":"upgrade","run":"r","from":"1.4.0","to":"1.5.0","phase":"prepare"}' >"$STUB/state/procedure.json"
  run -3 --separate-stderr "$SCRIPTS/rollback"
  run -0 --separate-stderr "$SCRIPTS/preflight" 1.4.1
  run -0 --separate-stderr "$SCRIPTS/upgrade" 1.4.1
  [[ $(jq -rs '.[0].run' <<<"$output") != r && ! -e $STUB/state/procedure.json ]]
}

@test "what a person started meanwhile makes the rows of a resumed upgrade theirs" {
  mkdir -p "$STUB/state"
  echo '{"procedure":"upgrade","run":"r","from":"1.4.0","to":"1.6.0","phase":"migrate"}' >"$STUB/state/procedure.json"
  exits tg-migrate 5
  exits tg-backup-restore 6
  run -5 --separate-stderr "$SCRIPTS/upgrade" 1.6.0
  refute_called accept-data-loss
}

@test "two at once: the second is told who holds the lock" {
  mkdir -p "$STUB/state"
  exec 8<>"$STUB/state/lock"
  flock 8
  echo '{"tool":"upgrade","pid":42,"run":"other","host":"h","since":"s"}' >&8
  run -11 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
  exec 8>&-
  [[ $(jq -rs 'map(.type) | join(" ")' <<<"$output") == "start result" ]]
  [[ $(last_result data.error.message) == *"upgrade (pid 42, run other)"* ]]
  [[ ! -e $STUB/calls ]]
}

@test "a tool does not inherit the lock" {
  printf '#!/bin/sh\n[ ! -e /proc/self/fd/9 ] || echo inherited >>"$STUB/inherited"\n' >"$STUB/hook/tg-migrate"
  chmod +x "$STUB/hook/tg-migrate"
  run -0 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
  [[ ! -e $STUB/inherited ]]
}

@test "SIGTERM lets the step end, then goes back" {
  printf '#!/bin/sh\nkill -TERM $(cat "$STUB/pid")\nsleep 0.2\n' >"$STUB/hook/tg-migrate"
  chmod +x "$STUB/hook/tg-migrate"
  run -143 --separate-stderr bash -c 'echo $$ >"$STUB/pid"; exec "$0" 1.5.0' "$SCRIPTS/upgrade"
  grep -q 'swap rollback' "$STUB/calls"
  [[ $(last_result data.exit) == 143 ]]
}

@test "a closed stdout does not stop it half-way" {
  "$SCRIPTS/upgrade" 1.5.0 2>/dev/null | true
  [[ ${PIPESTATUS[0]} -eq 0 ]]
  [[ $(history_of upgrade outcome) == succeeded ]]
}

@test "what runs already needs no upgrade" {
  echo 1.5.0 >"$STUB/version"
  run -0 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
  [[ $(last_result data.changed) == false && ! -e $STUB/calls ]]
}

@test "a dry run calls nothing that changes anything" {
  run -0 --separate-stderr "$SCRIPTS/upgrade" -n 1.5.0
  [[ -z $(calls) ]]
  [[ $(jq -rs 'map(select(.data.kind == "would")) | length' <<<"$output") -ge 8 ]]
  [[ ! -e $STUB/state/procedure.json && ! -e $STUB/state/history.jsonl ]]
}

@test "wrong usage is exit 2 and help is exit 0" {
  run -2 "$SCRIPTS/upgrade"
  run -2 "$SCRIPTS/upgrade" --no-such-flag 1.5.0
  run -2 "$SCRIPTS/upgrade" 1.5.0 1.6.0
  run -0 "$SCRIPTS/upgrade" --help
  [[ $output == *"Usage: upgrade"*"Exit codes:"* ]]
}

@test "a person is told a tool's warning once, by the tool itself" {
  echo '{"type":"warning","msg":"the disk is nearly full","data":{"code":"space"}}' >"$STUB/lines/tg-backup-create"
  TG_FORMAT=text run -0 --separate-stderr "$SCRIPTS/upgrade" 1.5.0
  [[ $output == *"what tg-backup-create says"* && $output != *"nearly full"* ]]
}

@test "a database without tables is accepted by name once, for the checklist and for the migration" {
  run -0 --separate-stderr "$SCRIPTS/upgrade" --accept empty-database 1.5.0
  grep -q -- 'backup databases --accept empty-database' "$STUB/calls"
  grep -q -- 'migrate --to 1.5.0 --accept unverified-backup --accept empty-database' "$STUB/calls"
  refute_called 'swap.*--accept empty-database'
}
