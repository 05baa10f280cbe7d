#!/usr/bin/env bats
# What a script branches on says yes only of what it has looked at: each gate says yes here, and never once what it looks at is taken away.

bats_require_minimum_version 1.5.0
load helper

setup() {
  back_to_the_start
  tg-backup -q create --verify >/dev/null
}

teardown() { docker start tg-lab-db-1 >/dev/null; }

# Usage: yes_and_never_into_a_full_stream COMMAND...
yes_and_never_into_a_full_stream() {
  gives 0 "$@"
  never_yes_into full "$@"
  status=0
  TG_FORMAT=text "$@" >/dev/full 2>/dev/null || status=$?
  [[ $status -ne 0 ]] || { echo "a yes into a full disk, as text: $*"; return 1; }
  # A reader that has heard enough is no failure, and changes no verdict.
  status=0
  "$@" > >(exec true) 2>/dev/null || status=$?
  same 0 "$status"
}

never_yes_into() { # DEVICE COMMAND...
  local status=0
  "${@:2}" >"/dev/$1" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  [[ $status -ne 0 ]] || { echo "a yes into a full disk: ${*:2}"; return 1; }
  grep -q 'error: ' "$BATS_TEST_TMPDIR/err"
}

# Usage: no_keeps_its_code CODE COMMAND...
no_keeps_its_code() {
  local status
  gives "$@"
  for sink in /dev/full /dev/null; do
    status=0
    "${@:2}" >"$sink" 2>/dev/null || status=$?
    same "$1" "$status"
  done
  status=0
  "${@:2}" > >(exec true) 2>/dev/null || status=$?
  same "$1" "$status"
}

# Usage: never_yes COMMAND...
never_yes() {
  local status=0
  "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  [[ $status -ne 0 ]] || { echo "a yes: $*"; tail -n 1 "$BATS_TEST_TMPDIR/out"; return 1; }
}

without_the_database() {
  docker stop -t 5 tg-lab-db-1 >/dev/null
  never_yes "$@"
  docker start tg-lab-db-1 >/dev/null
  until docker exec tg-lab-db-1 pg_isready -q -h 127.0.0.1 -U terragnos -d terragnos; do sleep 0.2; done
}

# A directory in the place of a file: nobody can read it, root neither.
unreadable() { # FILE COMMAND...
  mv "$1" "$1.kept"
  mkdir "$1"
  never_yes "${@:2}"
  rmdir "$1"
  mv "$1.kept" "$1"
}

@test "tg-backup check --verified" {
  yes_and_never_into_a_full_stream tg-backup check --verified
  backup=$(echo backups/*/)
  unreadable "${backup}manifest.json" tg-backup check --verified
  unreadable "${backup}verification.json" tg-backup check --verified
  no_keeps_its_code 1 tg-backup check --verified --max-age 1s
}

@test "tg-migrate changed, diff, preflight" {
  tg-swap -q pull --to 1.5.0 >/dev/null
  yes_and_never_into_a_full_stream tg-migrate preflight
  without_the_database tg-migrate preflight
  tg-migrate -q snapshot >"$BATS_TEST_TMPDIR/snapshot"
  yes_and_never_into_a_full_stream tg-migrate diff --equal "$BATS_TEST_TMPDIR/snapshot"
  without_the_database tg-migrate diff --equal "$BATS_TEST_TMPDIR/snapshot"
  unreadable "$BATS_TEST_TMPDIR/snapshot" tg-migrate diff --equal "$BATS_TEST_TMPDIR/snapshot"
  # One whose writer met a full disk.
  head -c 2000 "$BATS_TEST_TMPDIR/snapshot" >"$BATS_TEST_TMPDIR/cut"
  never_yes tg-migrate diff --equal "$BATS_TEST_TMPDIR/cut"

  # 0 is "it has changed"; what relies on the opposite is never told so of what could not be looked at.
  export TG_RUN_ID=gate
  tg-migrate -q --to 1.5.0 >/dev/null
  yes_and_never_into_a_full_stream tg-migrate changed
  journal=$(echo "$STATE"/runs/gate/*-tg-migrate.jsonl)
  unreadable "$journal" tg-migrate changed
  TG_RUN_ID=gate2
  tg-migrate -q --to 1.5.0 >/dev/null
  no_keeps_its_code 1 tg-migrate changed
  docker stop -t 5 tg-lab-db-1 >/dev/null
  gives 10 tg-migrate changed
}

@test "tg-migrate rehearsed" {
  tg-swap -q pull --to 1.4.1 >/dev/null
  "$LAB/run-load" --rate 20 --duration 3s >/dev/null
  gives 0 tg-migrate rehearse --to 1.4.1
  yes_and_never_into_a_full_stream tg-migrate rehearsed --to 1.4.1
  without_the_database tg-migrate rehearsed --to 1.4.1
  unreadable "$(echo "$STATE"/rehearsals/*.json)" tg-migrate rehearsed --to 1.4.1
  no_keeps_its_code 1 tg-migrate rehearsed --to 1.9.9
}

@test "tg-health" {
  yes_and_never_into_a_full_stream tg-health
  no_keeps_its_code 1 tg-health http://127.0.0.1:1/
  without_the_database tg-health
}

@test "scripts/preflight" {
  gives 0 "$SCRIPTS/preflight" --accept unrehearsed 1.4.1
  without_the_database "$SCRIPTS/preflight" --accept unrehearsed --accept no-backup --accept unhealthy 1.4.1
  # Where its own notes can't be written nothing was looked at.
  TMPDIR=/nowhere never_yes "$SCRIPTS/preflight" --accept unrehearsed 1.4.1
}
