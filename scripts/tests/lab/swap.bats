#!/usr/bin/env bats
# Swaps on real parts, under load: nothing is lost, and what fails is undone.

load helper
load swap-helper

# There and back under load, to instances that are kept and to those that are made again. Usage: loses_nothing MANNERS
loses_nothing() {
  # The application that ignores SIGTERM is killed after its grace: let that be short.
  sed -i "s/^ON_SIGTERM=.*/ON_SIGTERM=$1/; s/^BOOT_MS=.*/BOOT_MS=300/; \$a GRACE=3s" .env
  sed -i 's/stop_grace_period: 20s/stop_grace_period: ${GRACE:-20s}/; s/stop_grace_period: 30s/stop_grace_period: ${GRACE:-30s}/' compose.yaml
  docker compose up -d --quiet-pull 2>/dev/null
  tg-health --wait=60s >/dev/null
  load_begins
  gives 0 tg-swap --to 1.4.1
  same "0 0 0 0" "$(result data.evidence.failed | jq -r 'map(tostring) | join(" ")')"
  [[ $(result data.evidence.requests) -gt 20 ]]
  only_serves 1.4.1
  gives 0 tg-swap rollback
  is_alone 1.4.0
  gives 0 tg-swap --to 1.4.1 --keep 0s
  is_alone 1.4.1
  gives 0 tg-swap rollback
  is_alone 1.4.0
  nothing_failed
}

@test "a swap and its rollback lose nothing" { loses_nothing polite; }

# bats test_tags=long
@test "a swap and its rollback lose nothing when the application ends at once on SIGTERM" { loses_nothing die; }

# bats test_tags=long
@test "a swap and its rollback lose nothing when the application ignores SIGTERM" { loses_nothing ignore; }

@test "within the keep time a rollback is a flip of the balancer, afterwards it recreates the very images" {
  image=$(docker inspect -f '{{.Image}}' tg-lab-api-1)
  gives 0 tg-swap --to 1.4.1
  run_of_swap=$(jq -rs '.[0].run' <<<"$output")
  gives 1 tg-swap status
  printed '.data.kind == "instance" and .data.container == "tg-lab-api-1" and .data.side == "old" and (.data.takes_new | not)'
  gives 0 tg-swap commit
  gives 0 tg-swap status
  is_alone 1.4.1
  gives 0 tg-swap commit
  [[ $(result data.changed) == false ]]
  docker tag "$TG_LAB_REGISTRY/terragnos-core:1.4.1" "$TG_LAB_REGISTRY/terragnos-core:1.4.0"
  docker stop "$TG_LAB_REGISTRY_CONTAINER" >/dev/null
  load_begins
  gives 0 tg-swap rollback --to "$run_of_swap"
  docker start "$TG_LAB_REGISTRY_CONTAINER" >/dev/null
  nothing_failed
  same "rollback $run_of_swap" "$(tail -n 1 "$STATE/history.jsonl" | jq -r '"\(.action) \(.undoes)"')"
  gives 3 tg-swap rollback
  same nothing-to-undo "$(result data.error.code)"
  for container in $(in_rotation); do same "$image" "$(docker inspect -f '{{.Image}}' "$container")"; done
  nothing_to_do
  docker tag "$image" "$TG_LAB_REGISTRY/terragnos-core:1.4.0"
}

@test "the time for which old instances are kept ends by itself" {
  gives 0 tg-swap --to 1.4.1 --keep 4s
  [[ $(result data.kept_until) == 2* ]]
  for _ in {1..40}; do
    [[ -e $STATE/swap.json ]] || break
    sleep 0.5
  done
  is_alone 1.4.1
}

@test "a release that never gets ready or crashes at start changes nothing: its last words are told" {
  load_begins
  worker=$(docker inspect -f '{{.Id}} {{.State.StartedAt}}' tg-lab-worker-1)
  for release in 1.5.1 1.5.2; do
    gives 4 tg-swap --to "$release" --ready-timeout 5s
    [[ $(result data.error.code) == not-ready ]]
    [[ $(result data.error.details.container) == tg-lab-api-* ]]
    [[ $(result data.error.details.logs | jq length) -gt 0 ]]
    same "$worker" "$(docker inspect -f '{{.Id}} {{.State.StartedAt}}' tg-lab-worker-1)"
    is_alone 1.4.0
    same $'tg-lab-api-1\ntg-lab-api-2' "$(in_rotation)"
  done
  nothing_failed
  infrastructure_untouched
}

# bats test_tags=long
@test "new instances are warm before they get requests, and one that can't be warmed up is not let in" {
  TG_WARM_UP='node dist/scripts/warm-up.js && touch /tmp/warm' gives 0 tg-swap --to 1.4.1 --keep 0s
  same "warm-up admit" "$(jq -r 'select(.data.state == "started") | .data.step' <<<"$output" | grep -E '^(warm-up|admit)$' | paste -sd ' ')"
  for container in $(in_rotation); do docker exec "$container" test -e /tmp/warm; done
  TG_WARM_UP='echo cold >&2; exit 7' gives 4 tg-swap --to 1.5.0
  [[ $(result data.error.details.reason) == *"exit code 7: cold"* ]]
  is_alone 1.4.1
  TG_WARM_UP='sleep 600' gives 4 tg-swap --to 1.5.0 --ready-timeout 8s
  [[ $(result data.error.details.reason) == "its warm-up did not end within 8s" ]]
  is_alone 1.4.1
}

# bats test_tags=long
@test "a canary that fails or is slow is sent back, and only its share of the requests was affected" {
  docker pull -q "$TG_LAB_REGISTRY/terragnos-core:1.5.0" >/dev/null
  TERRAGNOS_VERSION=1.5.0 docker compose run --rm -T --no-deps db-setup >/dev/null 2>&1
  load_begins --mix get=80,post=20
  gives 4 tg-swap --to 1.5.3 --canary 10% --for 60s
  [[ $(result data.error.details.reason) == *"requests failed"* ]]
  requests=$(result data.evidence.requests)
  is_alone 1.4.0
  gives 4 tg-swap --to 1.5.4 --canary 10% --for 60s || { jq -c 'select(.data.canary?) | .data' <<<"$output"; return 1; }
  [[ $(result data.error.details.reason) == *"ms on average"* ]]
  is_alone 1.4.0
  gives 4 tg-swap --to 1.5.0 --canary 10% --for 2s --judge 'echo no >&2; exit 1'
  [[ $(result data.error.code) == canary-judged ]]
  is_alone 1.4.0
  load_ends
  # 3 of 100 answers of 1.5.3 fail: of a tenth of the requests of its trial.
  [[ $FAILED -gt 0 && $FAILED -le $((requests / 50)) ]] || { echo "$FAILED of $requests"; return 1; }
  # Nobody can say that it is well when nobody asked it, and what does not come through the balancer asks nobody.
  gives 4 tg-swap --to 1.5.0 --canary 10% --for 3s --ask http://127.0.0.1:9/
  [[ $(result data.error.details.reason) == *"no request"*"were made to http://127.0.0.1:9/, and none came to it" ]]
  is_alone 1.4.0
  # At night we ask it ourselves.
  gives 0 tg-swap --to 1.5.0 --canary 10% --for 5s
  jq -es 'any(.[]; .data.step == "canary" and .data.canary.requests >= 3 and .data.asked >= 30)' <<<"$output"
  gives 0 tg-swap rollback
  is_alone 1.4.0
  load_begins --mix get=80,post=20
  gives 0 tg-swap --to 1.5.0 --canary 10% --for 3s --keep 0s
  is_alone 1.5.0
  nothing_failed
}

@test "one instance after another needs but one more at a time" {
  load_begins
  (
    most=0
    while [[ -d $BATS_TEST_TMPDIR ]]; do
      now=$(docker ps -q --filter label=com.docker.compose.project=tg-lab --filter label=com.docker.compose.service=api | wc -l)
      if ((now > most)); then echo "$now" >"$BATS_TEST_TMPDIR/most"; most=$now; fi
      sleep 0.1
    done
  ) 3>&- &
  watcher=$!
  gives 0 tg-swap --to 1.4.1 --strategy one-by-one --keep 0s
  kill "$watcher"
  [[ $(cat "$BATS_TEST_TMPDIR/most") -eq 3 ]]
  is_alone 1.4.1
  nothing_failed
}

# bats test_tags=long
@test "requests that do not end in time send the swap back, or are cut and counted" {
  load_begins --mix get=70,slow=30 --slow-ms 4000
  sleep 4
  gives 4 tg-swap --to 1.4.1 --drain-timeout 1s
  [[ $(result data.error.code) == drain-timeout ]]
  only_serves 1.4.0
  kill -INT "$LOAD"
  wait "$LOAD" || :
  load_begins --mix get=70,slow=30 --slow-ms 4000
  sleep 4
  sed -i 's/^ON_SIGTERM=.*/ON_SIGTERM=die/' .env
  gives 0 tg-swap --to 1.4.1 --drain-timeout 1s --on-drain-timeout cut --keep 0s
  [[ $(result data.cut) -gt 0 ]]
  is_alone 1.4.1
  kill -INT "$LOAD"
  wait "$LOAD" || :
}

@test "the second of two swaps ends at once, and what can't be had changes nothing" {
  tg-swap --to 1.4.1 >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  first=$!
  until [[ -s $STATE/lock ]]; do sleep 0.05; done
  gives 11 tg-swap --to 1.4.1
  [[ $(result data.error.details.tool) == tg-swap ]]
  wait "$first"
  gives 0 tg-swap rollback
  before=$(docker ps -a --no-trunc --format '{{.ID}}' | sort; cat .env)
  gives 3 tg-swap --to 1.4.9
  gives 6 tg-swap --to 2.0.0
  gives 2 tg-swap --to 1.4.1 --canary 80%
  gives 2 tg-swap --to 1.4.1 --canary 10% --ask ftp://h/
  docker rmi -f "$TG_LAB_REGISTRY/terragnos-core:1.5.0" >/dev/null 2>&1 || :
  docker stop "$TG_LAB_REGISTRY_CONTAINER" >/dev/null
  gives 10 tg-swap --to 1.5.0
  docker start "$TG_LAB_REGISTRY_CONTAINER" >/dev/null
  docker pause tg-lab-lb-1 >/dev/null
  gives 10 tg-swap --to 1.4.1
  docker unpause tg-lab-lb-1 >/dev/null
  [[ $(result data.error.code) == balancer-unreachable ]]
  hint_given
  TG_BALANCER='{"haproxy": "127.0.0.1:1"}' gives 10 tg-swap --to 1.4.1
  TG_BALANCER="{\"haproxy\": \"$TG_LAB_STATS\", \"backend\": \"nobody\"}" gives 10 tg-swap --to 1.4.1
  TG_BALANCER="{\"haproxy\": \"$TG_LAB_STATS\", \"slots\": \"no\"}" gives 10 tg-swap --to 1.4.1
  TG_BALANCER='{"haproxy": 1}' gives 10 tg-swap --to 1.4.1
  same "$before" "$(docker ps -a --no-trunc --format '{{.ID}}' | sort; cat .env)"
  is_alone 1.4.0
}

@test "the set survives a restart of the balancer and of the host's containers with nobody there" {
  gives 0 tg-swap --to 1.4.1 --keep 10m
  serving=$(in_rotation)
  docker restart tg-lab-lb-1 >/dev/null
  sleep 1
  same "$serving" "$(in_rotation)"
  # As after a reboot: everything starts again, in another order and with other addresses.
  docker stop tg-lab-lb-1 tg-lab-api-1 tg-lab-api-2 tg-lab-api-3 tg-lab-api-4 >/dev/null
  docker start tg-lab-api-4 tg-lab-lb-1 tg-lab-api-1 tg-lab-api-3 tg-lab-api-2 >/dev/null
  tg-health --wait=60s --expect-version 1.4.1 >/dev/null
  sleep 2
  same "$serving" "$(in_rotation)"
  for _ in {1..10}; do
    same 1.4.1 "$(curl -fsS -H "Authorization: Bearer $(cat secrets/api_token)" "$TG_LAB_URL/v1/health/ready" | jq -r .version)"
  done
  gives 0 tg-swap rollback
  is_alone 1.4.0
}

@test "a balancer that is reloaded in the middle of a swap loses nothing" {
  load_begins
  tg-swap --to 1.4.1 --keep 0s >"$BATS_TEST_TMPDIR/swap" 2>&1 3>&- &
  swap=$!
  for step in start admit drain; do
    until grep -q "\"step\":\"$step\",\"state\":\"started\"" "$BATS_TEST_TMPDIR/swap"; do
      kill -0 "$swap"
      sleep 0.02
    done
    docker kill -s USR2 tg-lab-lb-1 >/dev/null
  done
  wait "$swap"
  is_alone 1.4.1
  nothing_failed
}

# bats test_tags=long
@test "a balancer that is restarted in the middle of a swap costs what its own absence costs, and no more" {
  sed -i 's/^BOOT_MS=.*/BOOT_MS=200/' .env
  docker compose up -d --quiet-pull 2>/dev/null
  tg-health --wait=60s >/dev/null
  load_begins
  for step in ready admit drain; do
    tg-swap --to 1.4.1 --keep 0s >"$BATS_TEST_TMPDIR/swap" 2>&1 3>&- &
    swap=$!
    until grep -q "\"step\":\"$step\",\"state\":\"started\"" "$BATS_TEST_TMPDIR/swap"; do sleep 0.01; done
    docker restart -t 0 tg-lab-lb-1 >/dev/null
    wait "$swap" || { tail -n 3 "$BATS_TEST_TMPDIR/swap"; return 1; }
    is_alone 1.4.1
    gives 0 tg-swap rollback
    is_alone 1.4.0
  done
  load_ends
  # Nobody was sent to an instance that could not answer: the only failures are connections that nobody took.
  same "" "$(jq -r '.failures | keys - ["connect", "reset"] | .[]' "$BATS_TEST_TMPDIR/load")"
}

# bats test_tags=long
@test "docker that is away for ten seconds in the middle of a swap is waited for" {
  load_begins
  for step in ready drain; do
    docker_through_a_door
    DOCKER_HOST=unix://$DOOR tg-swap --to 1.4.1 --keep 0s >"$BATS_TEST_TMPDIR/swap" 2>&1 3>&- &
    swap=$!
    until grep -q "\"step\":\"$step\",\"state\":\"started\"" "$BATS_TEST_TMPDIR/swap"; do sleep 0.02; done
    close_the_door
    sleep 10
    docker_through_a_door
    wait "$swap" || { cat "$BATS_TEST_TMPDIR/swap"; return 1; }
    close_the_door
    grep -q '"code":"away"' "$BATS_TEST_TMPDIR/swap"
    is_alone 1.4.1
    gives 0 tg-swap rollback
  done
  nothing_failed
}

# A way to the engine that can be cut.
docker_through_a_door() {
  DOOR=$BATS_TEST_TMPDIR/docker.sock
  rm -f "$DOOR"
  python3 "$BATS_TEST_DIRNAME/door.py" "$DOOR" /var/run/docker.sock 3>&- &
  DOOR_PID=$!
  until [[ -S $DOOR ]]; do sleep 0.05; done
}

close_the_door() { kill "$DOOR_PID"; wait "$DOOR_PID" 2>/dev/null || :; }

@test "an interrupted swap is undone before the cut-over, and after it waits for a decision" {
  load_begins
  interrupt_at '"step":"ready","state":"started"' 130
  is_alone 1.4.0
  interrupt_at '"step":"settle","state":"started"' 130
  gives 1 tg-swap status
  [[ $(result data.swap.phase) == cut-over ]]
  gives 3 tg-swap --to 1.5.0
  gives 0 tg-swap resume
  only_serves 1.4.1
  gives 0 tg-swap abort
  is_alone 1.4.0
  nothing_failed
}

interrupt_at() { # PATTERN CODE
  local out=$BATS_TEST_TMPDIR/interrupted status=0
  : >"$out"
  setsid tg-swap --to 1.4.1 >"$out" 2>&1 3>&- &
  until grep -q "$1" "$out"; do sleep 0.01; done
  pkill -INT -P $$ -x tg-swap || kill -INT $!
  wait $! || status=$?
  same "$2" "$status"
}

@test "without a balancer a swap is honest about its downtime, and goes back when the release fails" {
  sed -i 's/^  balancer: .*/  balancer: none/' compose.yaml
  gives 0 tg-swap --to 1.4.1
  [[ $(result data.downtime_ms) -gt 500 ]]
  serves 1.4.1
  gives 4 tg-swap --to 1.5.1 --ready-timeout 5s
  serves 1.4.1
  nothing_to_do
}
