#!/usr/bin/env bats
# The checklist. Stub tools; the real ones are tried in lab/.

bats_require_minimum_version 1.5.0
load helper

@test "every check is told, and all must be yes" {
  run -0 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  assert_equal "$(jq -r 'select(.data.kind == "check") | .data.check + " " + .data.verdict' <<<"$output")" "run ok
release ok
configuration ok
database ok
backup ok
space ok
rehearsal ok
health ok
migration ok
balancer note"
}

@test "all checks are made even when the first says no" {
  exits tg-swap-plan 3
  exits tg-health-check 1
  run -1 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  [[ $(jq -r 'select(.data.verdict == "no") | .data.check' <<<"$output" | wc -l) -eq 2 ]]
}

@test "what can't be reached weighs more than what is refused, and that more than a no" {
  exits tg-health-check 1
  exits tg-swap-plan 6
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

# plan FINDING...: what tg-swap plan would find.
plan() {
  local code
  for code in "$@"; do
    jq -cn --arg code "$code" '{type: "record", msg: $code, data: {kind: "finding", code: $code, severity: "warning", msg: "\($code) found", cure: "mend \($code)"}}'
  done >"$STUB/lines/tg-swap-plan"
}

@test "what the release wants and nobody sets is a no, with its cure" {
  plan variable-missing
  run -1 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  jq -es 'any(.[]; .data.check == "configuration" and .data.verdict == "no" and .data.hint == "mend variable-missing")' <<<"$output"
  plan drift
  run -0 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  jq -es 'any(.[]; .data.check == "configuration" and .data.verdict == "note")' <<<"$output"
}

@test "a new major version is gone to when it is accepted and its notes have been read" {
  plan major
  run -6 --separate-stderr "$SCRIPTS/preflight" --accept-major 2.0.0
  jq -es 'any(.[]; .data.check == "guide" and (.data.hint | contains("--accept no-guide")))' <<<"$output"
  run -0 --separate-stderr "$SCRIPTS/preflight" --accept-major --accept no-guide 2.0.0
  echo '{"type":"record","msg":"notes","data":{"kind":"release-notes","notes":{"text":"breaking"}}}' >>"$STUB/lines/tg-swap-plan"
  run -6 --separate-stderr "$SCRIPTS/preflight" --accept-major 2.0.0
  code=$(jq -r 'select(.data.check == "guide").data.hint' <<<"$output" | grep -o '[0-9a-f]*$')
  run -0 --separate-stderr "$SCRIPTS/preflight" --accept-major --guide-read "$code" 2.0.0
  grep -q -- 'plan --to 2.0.0 --accept major' "$STUB/calls"
  # Other notes are other words.
  sed -i 's/breaking/broken/' "$STUB/lines/tg-swap-plan"
  run -6 --separate-stderr "$SCRIPTS/preflight" --accept-major --guide-read "$code" 2.0.0
}

@test "a window that is closed is a refusal, one that is open is not, also past midnight" {
  hour() { date -d "$1 hour" +%H:%M; }
  run -0 --separate-stderr "$SCRIPTS/preflight" --window "$(hour -1)-$(hour +1)" 1.5.0
  run -6 --separate-stderr "$SCRIPTS/preflight" --window "$(hour +1)-$(hour +2)" 1.5.0
  run -6 --separate-stderr "$SCRIPTS/preflight" --window "$(hour -2)-$(hour -1)" 1.5.0
  run -0 --separate-stderr "$SCRIPTS/preflight" --window "$(hour -11)-$(hour +11)" 1.5.0
  run -2 --separate-stderr "$SCRIPTS/preflight" --window 2-5 1.5.0
}

@test "without a balancer nothing goes without downtime, and one that does not count is told" {
  run -1 --separate-stderr "$SCRIPTS/preflight" --zero-downtime 1.5.0
  echo '{"name":"haproxy","abilities":{"measure":true,"share":true,"count":true}}' >"$STUB/balancer"
  run -0 --separate-stderr "$SCRIPTS/preflight" --zero-downtime 1.5.0
  jq -es 'any(.[]; .data.check == "balancer" and .data.verdict == "ok")' <<<"$output"
  echo '{"name":"caddy","abilities":{"measure":true,"count":false}}' >"$STUB/balancer"
  run -0 --separate-stderr "$SCRIPTS/preflight" --zero-downtime 1.5.0
  jq -es 'any(.[]; .data.check == "balancer" and .data.verdict == "note")' <<<"$output"
}

@test "another run that is at work is named, also in another directory of the project, and weighs more than what is refused" {
  local lock
  exits tg-swap-plan 6
  for lock in "$STUB/state/lock" "$STUB/shared.lock"; do
    (
      exec 9<>"$lock"
      flock 9
      echo '{"tool":"upgrade","pid":7,"run":"r","since":"s","host":"h"}' >"$lock"
      sleep 60 3>&-
    ) &
    until [[ -s $lock ]]; do sleep 0.05; done
    run -11 --separate-stderr "$SCRIPTS/preflight" 1.5.0
    pkill -P $!
    jq -es 'any(.[]; .data.check == "run" and (.data.reason | contains("upgrade (pid 7")))' <<<"$output"
  done
}

@test "a backup and a rehearsal that are missing are a no until that is accepted" {
  exits tg-backup-check 1
  exits tg-migrate-rehearsed 1
  run -1 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  run -1 --separate-stderr "$SCRIPTS/preflight" --accept no-backup 1.5.0
  run -0 --separate-stderr "$SCRIPTS/preflight" --accept no-backup --accept unrehearsed 1.5.0
  [[ $(jq -r 'select(.data.verdict == "accepted").data.check' <<<"$output" | xargs) == "backup rehearsal" ]]
}

@test "a missing tool is named" {
  rm "$STUB/bin/tg-backup"
  PATH=$STUB/bin:/usr/bin:/bin run -10 --separate-stderr "$SCRIPTS/preflight" 1.5.0
  [[ $stderr == *tg-backup* ]]
}

@test "a database that can hardly be the application's is a no, also where no backup is wanted, until that is accepted by name" {
  exits tg-backup-databases 1
  jq -cn '{type: "record", msg: "database default (58 tables)", data: {kind: "database", name: "default", tables: 58, own: false, backed_up: false}},
    {type: "record", msg: "database kept (2 tables)", data: {kind: "database", name: "kept", tables: 2, own: false, backed_up: true}}' >"$STUB/lines/tg-backup-databases"
  run -1 --separate-stderr "$SCRIPTS/preflight" --accept no-backup 1.5.0
  assert_equal "$(jq -r 'select(.data.kind == "database").data.name' <<<"$output")" default
  jq -es 'any(.[]; .data.check == "database" and .data.verdict == "no" and (.data.hint | contains("database_url_file")))' <<<"$output"
  exits tg-backup-databases 0
  run -0 --separate-stderr "$SCRIPTS/preflight" --accept empty-database 1.5.0
  grep -q -- 'backup databases --accept empty-database' "$STUB/calls"
  grep -q -- 'backup check --verified --max-age 24h --accept empty-database' "$STUB/calls"
}
