#!/usr/bin/env bats
# A server or an engine that takes connections and never answers: every tool ends with its deadline and with a signal, and lets go of the lock.

bats_require_minimum_version 1.5.0
load helper

setup() {
  back_to_the_start
  tg-backup -q create --verify >/dev/null
}

teardown() {
  wake
  [[ -z ${ENGINE:-} ]] || kill "$ENGINE" 2>/dev/null || :
}

# The server's first process alone: sessions that are open go on, and no new one begins.
stop_postmaster() { kill -STOP "$(docker inspect -f '{{.State.Pid}}' tg-lab-db-1)"; }

# Every process of it.
pause_database() { docker pause tg-lab-db-1 >/dev/null; }

wake() {
  kill -CONT "$(docker inspect -f '{{.State.Pid}}' tg-lab-db-1)" 2>/dev/null || :
  docker unpause tg-lab-db-1 >/dev/null 2>&1 || :
}

# What speaks with the database, and what of it takes the lock.
readonly ASKING=('tg-migrate snapshot' 'tg-migrate preflight' 'tg-backup plan' 'tg-vacuum report')
readonly CHANGING=('tg-backup create' 'tg-backup point create' 'tg-vacuum' 'tg-migrate --to 1.4.0')

lock_is_free() { flock --nonblock "$STATE/lock" true && flock --nonblock "$STATE/step.lock" true; }

# Many times as long as it may take, so that a busy machine is not a failure.
ends_with() { # CODE COMMAND...
  local status=0
  timeout -s KILL 30 "${@:2}" >"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
  [[ $status -eq $1 ]] || { echo "exit $status instead of $1: ${*:2}"; tail -n 5 "$BATS_TEST_TMPDIR/out"; return 1; }
}

each_ends_with_its_deadline() {
  local command
  for command in "${ASKING[@]}" "${CHANGING[@]}"; do
    # shellcheck disable=SC2086
    ends_with 124 $command --timeout 2s
    lock_is_free
  done
}

each_ends_with_a_signal() {
  local command pid status
  for command in "${ASKING[@]}" "${CHANGING[@]}"; do
    # shellcheck disable=SC2086
    timeout -s KILL 60 $command >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    pid=$!
    sleep 3
    pkill -TERM -P "$pid"
    status=0
    wait "$pid" || status=$?
    [[ $status -eq 143 ]] || { echo "exit $status instead of 143: $command"; tail -n 5 "$BATS_TEST_TMPDIR/out"; return 1; }
    lock_is_free
  done
}

@test "a server whose first process was stopped" {
  stop_postmaster
  each_ends_with_its_deadline
  each_ends_with_a_signal
  ends_with 1 tg-health --timeout 5s --probe-timeout 1s "postgres://terragnos@$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' tg-lab-db-1)/terragnos"
}

@test "a server that was paused is named, with the cure" {
  pause_database
  for command in "${ASKING[@]}" "${CHANGING[@]}"; do
    # shellcheck disable=SC2086
    ends_with 10 $command --timeout 2s
    grep -q 'is paused' "$BATS_TEST_TMPDIR/out"
    grep -q 'docker compose unpause db' "$BATS_TEST_TMPDIR/out"
    lock_is_free
  done
}

@test "a server that is stopped in the middle of a backup" {
  tg-backup create --timeout 8s >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  pid=$!
  sleep 1
  pause_database
  status=0
  wait "$pid" || status=$?
  # It may have been done already.
  [[ $status -eq 124 || $status -eq 0 ]] || { tail -n 5 "$BATS_TEST_TMPDIR/out"; return 1; }
  lock_is_free
  wake
  gives 0 tg-backup create
  leaves_no_helper_behind
}

# Usage: engine_that drips WORDS | silent PATH
engine_that() {
  "$BATS_TEST_DIRNAME/half-engine.py" "$BATS_TEST_TMPDIR/docker.sock" "$@" 3>&- &
  ENGINE=$!
  until [[ -S $BATS_TEST_TMPDIR/docker.sock ]]; do sleep 0.1; done
  export DOCKER_HOST=unix://$BATS_TEST_TMPDIR/docker.sock
}

each_is_bounded_by_the_engine() {
  local command
  for command in 'tg-swap status' 'tg-swap plan --to 1.5.0' 'tg-backup list' 'tg-backup create' 'tg-migrate preflight' 'tg-vacuum report' 'tg-swap stop'; do
    # shellcheck disable=SC2086
    ends_with 124 $command --timeout 2s
    lock_is_free
  done
}

@test "an engine that takes connections and never answers" {
  engine_that drips ''
  each_is_bounded_by_the_engine
  unset DOCKER_HOST
}

@test "an engine that drips" {
  engine_that drips 'HTTP/1.1 200 OK and so on for a long time'
  each_is_bounded_by_the_engine
  unset DOCKER_HOST
}

@test "an engine that answers who it is and no more" {
  engine_that silent /containers/json
  each_is_bounded_by_the_engine
  unset DOCKER_HOST
}
