#!/usr/bin/env bats
# HAProxy in front of a project that publishes its port itself, and away again: a project of its
# own in a temporary directory; the lab's stack is not touched.

bats_require_minimum_version 1.5.0
load helper

PORT=15080
ADMIN_PORT=15099

setup() {
  export TG_FORMAT=json COMPOSE_PROJECT_NAME=tg-lab-init
  unset TG_RUN_ID COMPOSE_FILE
  KEPT=$(lines_dir)/init-$BATS_TEST_NUMBER
  STATE=$BATS_TEST_TMPDIR/project/.tg
  mkdir -p "$KEPT" "$BATS_TEST_TMPDIR/project"
  cd "$BATS_TEST_TMPDIR/project" || return
  cat >compose.yaml <<'YAML'
x-tg: { api: [web], health_path: /healthz, backup_dir: "./b" }
services:
  web:
    image: tg-lab/node:trixie
    pull_policy: never
    init: true
    restart: unless-stopped
    labels: { tg.lab: "1" }
    command: [node, -e, "require('http').createServer((q,r)=>r.end(q.headers['x-forwarded-for']?'balanced':'direct')).listen(3000)"]
    ports: [ "127.0.0.1:${PORT:-1}:3000" ]
YAML
  printf 'SECRET=s3cret-value\n# the port\nPORT=%s\n' "$PORT" >.env
  FILES=$(files)
  docker compose up -d 2>/dev/null
  answers direct
}

teardown() {
  docker compose down -t 1 --remove-orphans 2>/dev/null
  [[ ! -d $STATE/runs ]] || cp -r "$STATE/runs" "$KEPT/journals"
}

files() { find . -path ./.tg -prune -o -type f -print0 | sort -z | xargs -0 sha256sum; }

init() { tg-swap init --image tg-lab/haproxy:3.0 --admin-port "$ADMIN_PORT" "$@"; }

# Usage: answers WHO
answers() {
  local found
  for _ in {1..50}; do
    found=$(curl -s -m 2 "http://127.0.0.1:$PORT/") || :
    [[ $found != "$1" ]] || return 0
    sleep 0.2
  done
  echo "$found instead of $1"
  return 1
}

@test "it is shown and nothing is changed" {
  gives 0 init
  same false "$(result data.changed)"
  same 3 "$(jq -s 'map(select(.data.kind == "change")) | length' <<<"$output")"
  [[ $output != *s3cret-value* ]]
  same "$FILES" "$(files)"
  [[ ! -e .tg ]]
}

@test "what is shown is what is done: git apply does the same" {
  gives 0 init
  jq -r 'select(.data.kind == "change").data.diff' <<<"$output" >"$BATS_TEST_TMPDIR/diff"
  cp -r . "$BATS_TEST_TMPDIR/copy"
  (cd "$BATS_TEST_TMPDIR/copy" && git apply --unsafe-paths --unidiff-zero "$BATS_TEST_TMPDIR/diff")
  gives 0 init --apply
  diff -r -x .tg . "$BATS_TEST_TMPDIR/copy"
}

@test "HAProxy serves after up, and the API after the undo, from the very same files" {
  gives 0 init --apply
  same true "$(result data.changed)"
  same "./b" "$(docker compose config --format json | jq -r '."x-tg".backup_dir')"
  docker compose up -d 2>/dev/null
  answers balanced
  gives 0 init --apply
  same false "$(result data.changed)"
  # What an upgrade writes meanwhile stays.
  sed -i 's/^SECRET=.*/SECRET=other/' .env
  gives 0 tg-swap init --undo
  same true "$(result data.changed)"
  sed -i 's/^SECRET=.*/SECRET=s3cret-value/' .env
  same "$FILES" "$(files)"
  docker compose up -d --remove-orphans 2>/dev/null
  answers direct
  gives 0 tg-swap init --undo
  same false "$(result data.changed)"
}

@test "what somebody changed since is shown and not taken back" {
  gives 0 init --apply
  sed -i 's/timeout server 60s/timeout server 5m/' haproxy/haproxy.cfg
  local changed
  changed=$(files)
  gives 6 tg-swap init --undo
  hint_given
  printed '.data.kind == "changed-since" and (.data.diff | contains("+    timeout server 5m"))'
  same "$changed" "$(files)"
}

@test "files that are named with -f are left to the user, who is told" {
  gives 0 init -f compose.yaml --apply
  printed '.type == "warning" and .data.code == "files-named"'
  same 0 "$(grep -c COMPOSE_FILE .env)"
  gives 0 init -f compose.yaml --apply
  same false "$(result data.changed)"
  docker compose -f compose.yaml -f compose.tg.yaml up -d 2>/dev/null
  answers balanced
  gives 0 tg-swap init -f compose.yaml --undo
  same "$FILES" "$(files)"
}

@test "an API that can't have a second instance is refused" {
  sed -i 's/^    init: true/    container_name: one/' compose.yaml
  local before
  before=$(files)
  gives 6 init --apply
  hint_given
  same "$before" "$(files)"
}
