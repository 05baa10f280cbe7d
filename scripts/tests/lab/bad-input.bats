#!/usr/bin/env bats
# Bad input and bad surroundings: the right exit code, a hint, and nothing changed.

bats_require_minimum_version 1.5.0
load helper


# What must be the same afterwards.
state_of_things() {
  docker ps --no-trunc --format '{{.ID}} {{.Names}} {{.Status}}' --filter label=com.docker.compose.project=tg-lab | awk '{print $1, $2, $3}' | sort
  cksum .env compose.yaml
}

# Usage: refused CODE COMMAND...
refused() {
  local before
  before=$(state_of_things)
  gives "$@"
  hint_given
  same "$before" "$(state_of_things)"
}

@test "no compose file" {
  cd "$BATS_TEST_TMPDIR"
  for tool in 'tg-health' 'tg-backup create' 'tg-migrate' 'tg-swap status' 'tg-vacuum'; do
    # shellcheck disable=SC2086
    gives 10 $tool
    hint_given
  done
  gives 10 "$SCRIPTS/upgrade" 1.5.0
}

@test "an unknown service" {
  refused 2 tg-swap stop no-such-service
  TG_API=no-such-service refused 10 tg-swap status
  TG_DATABASE=no-such-service refused 10 tg-backup create
  TG_MIGRATE=no-such-service refused 10 tg-migrate
}

@test "an unknown version, one that can't be, and a major one" {
  refused 3 tg-swap pull --to 1.99.0
  refused 2 tg-swap pull --to 'one two'
  refused 6 tg-swap pull --to 2.0.0
  refused 6 tg-swap start --to 2.0.0
  refused 3 tg-migrate --to 1.99.0
  refused 3 "$SCRIPTS/upgrade" 1.99.0
  refused 6 "$SCRIPTS/upgrade" 2.0.0
}

@test "a malformed .env" {
  echo 'this is no assignment' >>.env
  refused 10 tg-swap status
  refused 10 tg-backup create
  refused 10 "$SCRIPTS/upgrade" 1.5.0
}

@test "a setting that can't be, from each source" {
  TG_TIMEOUT=soon refused 10 tg-health
  refused 2 tg-health --timeout soon
  TG_FORMAT=xml refused 10 tg-swap status
  sed -i 's/^x-tg:/x-tg:\n  helth_url: x/' compose.yaml
  refused 10 tg-swap status
  [[ $stderr == *helth_url* ]]
}

@test "a version that the shell overrides is not edited in vain" {
  gives 0 tg-swap pull --to 1.4.1
  TERRAGNOS_VERSION=1.4.0 refused 10 tg-swap start --to 1.4.1
  [[ $stderr == *"unset TERRAGNOS_VERSION"* ]]
}

@test "Docker is not reachable" {
  for command in 'tg-swap status' 'tg-backup create' 'tg-migrate' 'tg-vacuum' 'tg-health'; do
    # shellcheck disable=SC2086
    DOCKER_HOST=unix:///nonexistent.sock refused 10 $command
  done
  DOCKER_HOST=unix:///nonexistent.sock refused 10 "$SCRIPTS/upgrade" 1.5.0
}

@test "a wrong database password" {
  echo "postgres://terragnos:wrong-password@db:5432/terragnos" >"$BATS_TEST_TMPDIR/url"
  for command in 'tg-backup create' 'tg-migrate' 'tg-vacuum' 'tg-vacuum report'; do
    # shellcheck disable=SC2086
    TG_DATABASE_URL_FILE=$BATS_TEST_TMPDIR/url refused 10 $command
    [[ $output$stderr != *wrong-password* ]]
  done
  TG_DATABASE_URL_FILE=$BATS_TEST_TMPDIR/url refused 10 "$SCRIPTS/upgrade" 1.5.0
}

@test "the database is down" {
  docker stop tg-lab-db-1 >/dev/null
  for command in 'tg-backup create' 'tg-migrate' 'tg-vacuum'; do
    # shellcheck disable=SC2086
    refused 10 $command
  done
  refused 10 "$SCRIPTS/upgrade" 1.5.0
  docker start tg-lab-db-1 >/dev/null
}

@test "the registry is down" {
  docker stop "$TG_LAB_REGISTRY_CONTAINER" >/dev/null
  refused 10 tg-swap pull --to 1.5.0
  refused 10 "$SCRIPTS/upgrade" 1.5.0
  docker start "$TG_LAB_REGISTRY_CONTAINER" >/dev/null
}

@test "a full disk" {
  [[ $(id -u) -eq 0 ]] || skip "only root can mount a small disk"
  mkdir -p backups
  mount -t tmpfs -o size=1m tmpfs backups
  refused 3 tg-backup create
  refused 3 "$SCRIPTS/upgrade" 1.5.0
  refused 3 "$SCRIPTS/upgrade-zero-downtime" --baseline-for 2s 1.5.0
  [[ -z $(ls -A backups) ]]
  umount backups
}

@test "a second upgrade at the same time, and one in a copy of the project's directory" {
  local copy=$BATS_TEST_TMPDIR/copy
  cp -r . "$copy"
  rm -rf "$copy/.tg"
  "$SCRIPTS/upgrade" 1.5.0 >"$KEPT/first.jsonl" 2>/dev/null 3>&- &
  first=$!
  until [[ -e $STATE/procedure.json ]]; do sleep 0.05; done
  gives 11 "$SCRIPTS/upgrade" 1.5.0
  [[ $stderr == *"upgrade (pid $first"* ]]
  gives 11 tg-backup create
  hint_given
  gives 11 env -C "$copy" "$SCRIPTS/upgrade" 1.5.0
  [[ $stderr == *"upgrade (pid $first"* ]]
  gives 11 env -C "$copy" tg-swap --to 1.4.1
  [[ $(result data.error.details.tool) == upgrade ]]
  wait "$first"
  serves 1.5.0
}
