#!/usr/bin/env bats
# What may pass is waited for, and what stays is not: a project of its own, whose database misses its health check when it
# is told to; the lab's stack is not touched.

bats_require_minimum_version 1.5.0
load helper

PORT=15180
IMAGE=tg-lab-patience

setup_file() {
  eval "$("$BATS_TEST_DIRNAME/../../lab/env")"
  local version server='require("http").createServer((q, r) => r.end("{\"status\":\"ok\",\"version\":\"" + process.env.RELEASE + "\"}")).listen(3000)'
  for version in 1.0.0 1.1.0; do
    jq -rn --arg version "$version" --arg server "$server" \
      '"FROM tg-lab/node:trixie\nENV RELEASE=\($version)\nCMD " + (["node", "-e", $server] | tojson)' |
      docker build -q -t "tg-lab-patience:$version" - >/dev/null 2>&1
  done
}

# With the names under which tg-swap keeps what ran.
teardown_file() { docker images -q "$IMAGE" | sort -u | xargs -r docker rmi -f >/dev/null 2>&1 || :; }

# Usage: project [WORKER]: what the worker runs.
project() {
  cat >compose.yaml <<YAML
x-tg: { health_url: "http://127.0.0.1:$PORT/v1/health/ready", migrate: worker }
x-app: &app
  image: $IMAGE:\${RELEASE:-1.0.0}
  pull_policy: never
  init: true
  restart: unless-stopped
  stop_grace_period: 1s
  labels: { tg.lab: "1" }
  depends_on: { db: { condition: service_healthy } }
services:
  api:
    <<: *app
    ports: [ "127.0.0.1:$PORT:3000" ]
  worker:
    <<: *app
    command: [ sh, -c, '${1:-exec sleep infinity}' ]
  db:
    image: tg-lab/node:trixie
    pull_policy: never
    init: true
    stop_grace_period: 1s
    labels: { tg.lab: "1" }
    command: [ sleep, infinity ]
    healthcheck:
      test: [ CMD-SHELL, 'test ! -e /tmp/busy || { echo no response; exit 1; }' ]
      interval: 1s
      retries: 1
YAML
  echo RELEASE=1.0.0 >.env
  docker compose up -d 2>/dev/null
}

setup() {
  export TG_FORMAT=json COMPOSE_PROJECT_NAME=tg-lab-patience
  unset TG_RUN_ID COMPOSE_FILE
  KEPT=$(lines_dir)/patience-$BATS_TEST_NUMBER
  STATE=$BATS_TEST_TMPDIR/project/.tg
  mkdir -p "$KEPT" "$BATS_TEST_TMPDIR/project"
  cd "$BATS_TEST_TMPDIR/project" || return
}

teardown() {
  docker rm -f tg-lab-patience-stranger >/dev/null 2>&1 || :
  docker compose down -t 1 --remove-orphans 2>/dev/null
  [[ ! -d $STATE/runs ]] || cp -r "$STATE/runs" "$KEPT/journals"
}

# The health check of the database misses from now on, and from then on not.
busy_begins() {
  docker compose exec -T db touch /tmp/busy
  health_is unhealthy
}

busy_ends() { docker compose exec -T db rm -f /tmp/busy; }

health_is() {
  local tries=0
  until [[ $(docker inspect -f '{{.State.Health.Status}}' tg-lab-patience-db-1) == "$1" ]]; do
    ((++tries < 600)) || return 1
    sleep 0.1
  done
}

# What runs of a service: its release and whether it runs.
state_of() { docker compose ps -a --format '{{.Image}} {{.State}}' "$1" | sed "s/^$IMAGE://"; }

since() { docker inspect -f '{{.Id}} {{.State.StartedAt}}' "$(docker compose ps -q "$1")"; }

warned() { jq -r 'select(.type == "warning").data.code' <<<"$output" | xargs; }

@test "a worker is started although the health check of its database misses meanwhile, and that is told once" {
  project
  api=$(since api)
  gives 0 tg-swap stop --role worker
  busy_begins
  tg-swap start --role worker >"$BATS_TEST_TMPDIR/out" 2>/dev/null 3>&- &
  pid=$!
  until grep -q dependency-unhealthy "$BATS_TEST_TMPDIR/out"; do
    kill -0 "$pid" || { tail -n 3 "$BATS_TEST_TMPDIR/out"; return 1; }
    sleep 0.1
  done
  busy_ends
  status=0
  wait "$pid" || status=$?
  same 0 "$status"
  output=$(cat "$BATS_TEST_TMPDIR/out")
  same dependency-unhealthy "$(warned)"
  printed '.type == "warning" and (.data.reason | contains("no response"))'
  same "1.0.0 running" "$(state_of worker)"
  same "$api" "$(since api)"
}

@test "a deadline ends the wait: what was begun is undone, and what serves goes on" {
  project
  api=$(since api)
  gives 0 tg-swap stop --role worker
  busy_begins
  gives 124 tg-swap start --role worker --timeout 3s
  same "1.0.0 exited" "$(state_of worker)"
  same "$api" "$(since api)"
}

@test "an API is not stopped for a release whose dependency is not healthy" {
  project
  api=$(since api)
  busy_begins
  gives 124 tg-swap start --to 1.1.0 --timeout 3s
  same "$api" "$(since api)"
  same RELEASE=1.0.0 "$(cat .env)"
}

@test "a worker that crashes once is given another try" {
  project 'test $$RELEASE = 1.0.0 -o -e /tmp/once && exec sleep infinity; touch /tmp/once; exit 3'
  gives 0 tg-swap start --to 1.1.0
  same "1.1.0 running" "$(state_of worker)"
  same 1 "$(docker inspect -f '{{.RestartCount}}' "$(docker compose ps -q worker)")"
}

@test "a worker that keeps crashing sends the release back, with its last words" {
  project 'test $$RELEASE = 1.0.0 && exec sleep infinity; echo no queue; exit 3'
  gives 4 tg-swap start --to 1.1.0
  [[ $(result data.error.code) == not-ready && $(result 'data.error.details.logs | last') == "no queue" ]]
  for service in api worker; do same "1.0.0 running" "$(state_of "$service")"; done
  same RELEASE=1.0.0 "$(cat .env)"
  # Without a load balancer it is the same.
  gives 4 tg-swap --to 1.1.0
  for service in api worker; do same "1.0.0 running" "$(state_of "$service")"; done
  same RELEASE=1.0.0 "$(cat .env)"
}

@test "a port that a stranger holds is not waited for" {
  project
  gives 0 tg-swap stop --role api
  docker run -d --name tg-lab-patience-stranger --label tg.lab=1 -p "127.0.0.1:$PORT:3000" tg-lab/node:trixie sleep 600 >/dev/null
  gives 4 tg-swap start --role api
  same "" "$(warned)"
  [[ $(result data.error.message) == *"port is already allocated"* ]]
}

# bats test_tags=long
@test "a host that can't start the workers keeps the new API serving, and the way back starts what ran all the same" {
  project
  # The database is busy from the moment in which the new API serves.
  (
    until curl -s -m 1 "http://127.0.0.1:$PORT/" | grep -q 1.1.0; do sleep 0.02; done
    docker compose exec -T db touch /tmp/busy
  ) 3>&- &
  export TG_READY_TIMEOUT=1m
  gives 5 tg-swap --to 1.1.0
  hint_given
  [[ $(result data.error.message) == "the new release serves, but worker could not be started: "* ]]
  same "1.1.0 running" "$(state_of api)"
  same RELEASE=1.1.0 "$(cat .env)"
  gives 0 tg-swap stop
  gives 0 tg-swap rollback
  same "dependency-unhealthy started-all-the-same" "$(warned)"
  for service in api worker; do same "1.0.0 running" "$(state_of "$service")"; done
}
