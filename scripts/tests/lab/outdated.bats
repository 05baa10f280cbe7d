#!/usr/bin/env bats
# A real registry that wants a password: what is newer there, what has moved, and what it is like when it does not tell.

bats_require_minimum_version 1.5.0
load helper

REGISTRY_NAME=tg-lab-private-registry
REGISTRY_LABEL=tg.lab=1
REGISTRY_PUBLISH=127.0.0.1::5000
PASSWORD=correct-horse

# A project of its own: the lab's stays as it is.
setup_file() {
  eval "$("$BATS_TEST_DIRNAME/../../lab/env")"
  local auth=$BATS_FILE_TMPDIR/auth
  mkdir "$auth"
  # bcrypt is all that the registry takes; perl has it from the C library.
  printf 'ann:%s\n' "$(perl -e 'print crypt($ARGV[0], q($2y$05$abcdefghijklmnopqrstuu))' "$PASSWORD")" >"$auth/htpasswd"
  export REGISTRY_ID
  # By its id from here on: whatever else has the name is not ours to remove.
  REGISTRY_ID=$(docker run -d --name "$REGISTRY_NAME" --label "$REGISTRY_LABEL" -p "$REGISTRY_PUBLISH" -v "$auth:/auth:ro" \
    -e REGISTRY_AUTH=htpasswd -e REGISTRY_AUTH_HTPASSWD_REALM=lab -e REGISTRY_AUTH_HTPASSWD_PATH=/auth/htpasswd tg-lab/registry:2)
  export HOST PLUGINS=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
  HOST=localhost:$(docker port "$REGISTRY_ID" 5000 | sed -n 's/^127.0.0.1://p')
  until curl -s -o /dev/null "http://$HOST/v2/"; do sleep 0.1; done
  export DOCKER_CONFIG=$BATS_FILE_TMPDIR/docker
  log_in "$PASSWORD"
  publish app 1.3.9 1.4.0 1.4.1 1.5.0 1.5.10 1.6.0-rc.1 2.0.0 latest
  publish db 16-alpine 17-alpine 18beta1-alpine
}

teardown_file() {
  [[ -n ${REGISTRY_ID:-} ]] || return 0
  docker rm -f "$REGISTRY_ID"
  [[ -n ${HOST:-} ]] || return 0
  docker images -q --filter "reference=$HOST/*" | sort -u | xargs -r docker rmi -f
}

setup() {
  export TG_FORMAT=json DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
  unset TG_RUN_ID
  log_in "$PASSWORD"
  KEPT=$(lines_dir)/outdated-$BATS_TEST_NUMBER
  mkdir -p "$KEPT" "$BATS_TEST_TMPDIR/project"
  cd "$BATS_TEST_TMPDIR/project"
  cat >compose.yaml <<EOF
name: tg-outdated
services:
  api: { image: "$HOST/app:\${VERSION:-1.4.0}" }
  worker: { image: "$HOST/app:\${VERSION:-1.4.0}" }
  db: { image: "$HOST/db:17-alpine" }
  lb: { image: "tg-lab/haproxy:3.0", pull_policy: never }
  tool: { build: . }
EOF
}

teardown() { :; }

# The file that docker login PASSWORD leaves.
log_in() {
  mkdir -p "$DOCKER_CONFIG"
  jq -n --arg plugins "$PLUGINS" --arg host "$HOST" --arg auth "$(printf 'ann:%s' "$1" | base64)" \
    '{cliPluginsExtraDirs: [$plugins], auths: {($host): {auth: $auth}}}' >"$DOCKER_CONFIG/config.json"
}

# An image for each tag, each another one. Usage: publish NAME TAG...
publish() {
  local tag image
  for tag in "${@:2}"; do
    image=$HOST/$1:$tag
    tar -c -T /dev/null | docker import --change "LABEL salt=$tag-$RANDOM" - "$image" >/dev/null
    docker push -q "$image" >/dev/null
  done
}

row() { jq -cs "map(select(.type == \"record\") | .data | select(.image == \"$1\"))[0] | $2" <<<"$output"; }

@test "newer tags of every image are told once, by patch, minor and major, and --only chooses what counts" {
  gives 1 tg-swap outdated
  same '["api","worker"]' "$(row "$HOST/app:1.4.0" .services)"
  same '{"patch":"1.4.1","minor":"1.5.10","major":"2.0.0"}' "$(row "$HOST/app:1.4.0" .newer)"
  same '[false,null,true]' "$(row "$HOST/app:1.4.0" '[.moved, .problem, .digest_here == .digest_there]')"
  same '{"patch":null,"minor":null,"major":null}' "$(row "$HOST/db:17-alpine" .newer)"
  same '[true,null,null]' "$(row tg-lab/haproxy:3.0 '[.local, .digest_there, .problem]')"
  same '[true,null]' "$(row tg-outdated-tool '[.local, .problem]')"
  same 4 "$(jq -s 'map(select(.type == "record")) | length' <<<"$output")"
  same "[\"$HOST/app:1.4.0\"]" "$(jq -cs '.[-1].data.outdated' <<<"$output")"
  gives 0 tg-swap outdated --only moved
  gives 1 tg-swap outdated --only moved,patch
  gives 2 tg-swap outdated --only everything
  [[ ! -e .tg ]]
}

@test "the newest release is current, and so is a tag that holds no version" {
  VERSION=2.0.0 gives 0 tg-swap outdated
  VERSION=latest gives 0 tg-swap outdated
  VERSION=2.0.0 run tg-swap outdated --format text
  [[ $output == *"$HOST/app:2.0.0 (api, worker): current"* ]]
}

@test "a tag that has another image now has moved" {
  here=$(docker image inspect -f '{{index .RepoDigests 0}}' "$HOST/app:latest")
  publish app latest
  there=$(docker image inspect -f '{{index .RepoDigests 0}}' "$HOST/app:latest")
  docker pull -q "$here"
  docker tag "$here" "$HOST/app:latest"
  export VERSION=latest
  gives 1 tg-swap outdated --only moved
  same "[true,\"${here#*@}\",\"${there#*@}\"]" "$(row "$HOST/app:latest" '[.moved, .digest_here, .digest_there]')"
  gives 0 tg-swap outdated --only patch,minor,major
}

@test "a wrong password or none ends with 10 and the cure, and the other images are told" {
  sed -i 's|image: "[^"]*/db:17-alpine"|image: "tg-lab/postgres:17", pull_policy: never|' compose.yaml
  log_in wrong-horse
  gives 10 tg-swap -v outdated
  hint_given
  [[ $stderr == *"docker login $HOST"* ]]
  [[ $output$stderr != *wrong-horse* && $output$stderr != *"$(printf 'ann:wrong-horse' | base64)"* ]]
  printed '.type == "result" and .data.error.code == "registry" and (.data.unanswered | length) == 1'
  printed '.type == "record" and .data.image == "tg-lab/postgres:17" and .data.problem == null'
  gives 10 tg-swap pull --to 1.5.0 --dry-run
  [[ $stderr == *"docker login $HOST"* ]]
  jq 'del(.auths)' "$DOCKER_CONFIG/config.json" >config.json && mv config.json "$DOCKER_CONFIG"
  gives 10 tg-swap outdated
  [[ $stderr == *"wants a login"*"docker login $HOST"* ]]
}

@test "a login behind a credential helper is found" {
  mkdir bin
  cat >bin/docker-credential-lab <<EOF
#!/bin/sh
[ "\$1" = get ] && [ "\$(cat)" = "$HOST" ] && echo '{"ServerURL":"$HOST","Username":"ann","Secret":"$PASSWORD"}'
EOF
  chmod +x bin/docker-credential-lab
  for key in '.credsStore = "lab"' ".credHelpers = {\"$HOST\": \"lab\"}"; do
    log_in "$PASSWORD"
    jq "del(.auths) | $key" "$DOCKER_CONFIG/config.json" >config.json && mv config.json "$DOCKER_CONFIG"
    PATH=$PWD/bin:$PATH gives 1 tg-swap outdated
  done
  gives 10 tg-swap outdated
  [[ $stderr == *"credential helper"*"docker login $HOST"* ]]
}

@test "a dry run of a pull asks a registry that wants a password" {
  gives 0 tg-swap pull --to 1.5.0 --dry-run
  digest=$(docker image inspect -f '{{index .RepoDigests 0}}' "$HOST/app:1.5.0")
  printed ".type == \"record\" and .data.digest == \"${digest#*@}\""
  gives 3 tg-swap pull --to 1.9.9 --dry-run
  printed '.type == "result" and .data.error.code == "image-not-found"'
}

@test "a tag that is gone and a registry that is down end with 10" {
  VERSION=1.4.7 gives 10 tg-swap outdated
  same '"1.5.10"' "$(row "$HOST/app:1.4.7" .newer.minor)"
  [[ $stderr == *"has no app:1.4.7"* ]]
  docker pause "$REGISTRY_ID"
  run --separate-stderr timeout 60 tg-swap outdated
  docker unpause "$REGISTRY_ID"
  same 10 "$status"
  docker stop -t 1 "$REGISTRY_ID"
  gives 10 tg-swap outdated
  printed '.type == "result" and (.data.unanswered | length) == 2'
  hint_given
}
