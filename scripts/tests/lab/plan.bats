#!/usr/bin/env bats
# What a move would mean, said beforehand: exit codes, findings, and that nothing is changed by it.

bats_require_minimum_version 1.5.0
load helper

# What must be the same afterwards.
state_of_things() {
  docker ps -a --no-trunc --format '{{.ID}} {{.Names}}' | sort
  docker images --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}' | sort
  cksum .env compose.yaml
  ls -A . .tg 2>/dev/null || :
}

# Usage: plans CODE WORD...
plans() {
  local code=$1 before
  shift
  before=$(state_of_things)
  gives "$code" tg-swap plan "$@"
  same "$before" "$(state_of_things)"
}

finding() { printed ".data.kind == \"finding\" and .data.code == \"$1\" and .data.severity == \"$2\""; }

# An earlier test may have pulled it.
forget() { docker rmi -f "$(sed -n 's/^REGISTRY="\(.*\)"/\1/p' .env)/terragnos-core:$1" >/dev/null 2>&1 || :; }

@test "a patch release: go, with what runs and what would run" {
  plans 0 --to 1.4.1
  [[ $(result data.moves) == true ]]
  printed '.data.kind == "image" and .data.service == "api" and .data.changes
    and .data.now[0].version == "1.4.0" and .data.now[0].containers == 2 and (.data.then.digest | startswith("sha256:"))'
  printed '.data.kind == "release-notes" and .data.version == "1.4.1" and .data.notes.file == "docs/releases/1.4.1.md"'
  serves 1.4.0
}

@test "a major release: refused until it is accepted by name, with what breaks" {
  plans 6 --to 2.0.0
  hint_given
  [[ $stderr == *"tg-swap plan --to 2.0.0 --accept major"* ]]
  [[ $(result 'data.needs | join(",")') == major ]]
  finding major unsafe
  finding variable-missing warning
  plans 0 --to 2.0.0 --accept major
  [[ $(result 'data.breaking | join(",")') == 2.0.0 ]]
  same "1.4.1 1.5.0 1.5.1 1.5.2 1.5.3 1.5.4 1.5.5 1.5.6 1.6.0 1.7.0 1.7.1 2.0.0" \
    "$(jq -rs 'map(select(.data.kind == "release-notes").data.version) | join(" ")' <<<"$output")"
}

@test "a release that does not exist, and one that can't be" {
  plans 3 --to 9.9.9
  hint_given
  plans 2 --to 'one two'
}

@test "what runs already is nothing to do" {
  plans 0 --to 1.4.0
  [[ $(result data.moves) == false ]]
}

@test "an older release: refused until it is accepted by name" {
  sed -i 's/^TERRAGNOS_VERSION=.*/TERRAGNOS_VERSION=1.4.1/' .env
  gives 0 tg-swap pull
  gives 0 tg-swap start
  plans 6 --to 1.4.0
  finding downgrade unsafe
  plans 0 --to 1.4.0 --accept downgrade
}

@test "a second instance that can't be, and a file that was changed behind the containers" {
  sed -i 's/^  api:/  api:\n    container_name: the-only-one/; s/replicas: 2/replicas: 1/' compose.yaml
  plans 6 --to 1.4.1
  finding container-name unsafe
  finding drift warning
  plans 0 --to 1.4.1 --accept container-name
}

@test "release notes come from the image where the project has none" {
  rm -r docs
  gives 0 tg-swap pull --to 1.4.1
  plans 0 --to 1.4.1
  printed '.data.kind == "release-notes" and .data.notes.file == "image:/app/docs/releases/1.4.1.md"'
  leaves_no_helper_behind
  forget 1.7.0
  plans 0 --to 1.7.0
  printed '.data.kind == "release-notes" and .data.version == "1.7.0" and .data.notes == null'
  finding image-not-here info
}

@test "the registry is down: 10, or a warning where the image is here" {
  gives 0 tg-swap pull --to 1.4.1
  forget 1.7.0
  docker stop "$TG_LAB_REGISTRY_CONTAINER" >/dev/null
  gives 10 tg-swap plan --to 1.7.0
  gives 0 tg-swap plan --to 1.4.1
  finding registry warning
  docker start "$TG_LAB_REGISTRY_CONTAINER" >/dev/null
}
