#!/usr/bin/env bats
# Health on real parts: every kind of target, releases that are ill behind a health check that is well, and what a review tells.

load helper
load swap-helper

db_url() {
  local port
  port=$(docker inspect -f '{{(index .NetworkSettings.Networks "tg-lab_default").IPAddress}}' tg-lab-db-1)
  echo "postgres://terragnos@$port:5432/terragnos"
}

# The release of these containers is another one now; no swap, since what is looked at here is what comes after one.
runs() { # VERSION
  sed -i "s/^TERRAGNOS_VERSION=.*/TERRAGNOS_VERSION=$1/" .env
  docker compose --progress quiet up -d --no-deps api worker
  tg-health --wait=30s --expect-version "$1" >/dev/null
}

migrated() {
  sed -i 's/^TERRAGNOS_VERSION=.*/TERRAGNOS_VERSION=1.5.0/' .env
  docker compose --progress quiet run --rm -T --no-deps db-setup >/dev/null
  runs 1.5.0
}

watches() { # CODE FOR [OPTION...]
  gives "$1" tg-health watch --for "$2" --rate 20 "${@:3}" "$TG_LAB_URL/v1/features?limit=1"
}

@test "each kind of target is asked in its own way, and what is wrong with it is told" {
  PGPASSFILE=$BATS_TEST_TMPDIR/pgpass
  (umask 077 && echo "*:*:*:*:$(sed -n "s/^POSTGRES_PASSWORD='*\\([^']*\\)'*$/\\1/p" .env)" >"$PGPASSFILE")
  export PGPASSFILE
  gives 0 tg-health "$TG_LAB_URL/v1/health/ready" "tcp://$TG_LAB_STATS" "$(db_url)" docker://worker docker://lb
  printed '.data.target? // "" | startswith("postgres://")'
  gives 0 tg-health --wait=20s docker://api docker://db
  docker stop -t 1 tg-lab-worker-1 >/dev/null
  gives 1 tg-health docker://worker
  [[ $(result data.error.code) == null ]]
  docker start tg-lab-worker-1 >/dev/null
  docker pause tg-lab-db-1 >/dev/null
  gives 124 tg-health "$(db_url)" --wait=2s
  docker unpause tg-lab-db-1 >/dev/null
  gives 0 tg-health "$(db_url)" --wait=10s
  echo "*:*:*:*:wrong" >"$PGPASSFILE"
  gives 10 tg-health "$(db_url)"
  gives 2 tg-health docker://nobody
  gives 2 tg-health "postgres://terragnos:secret@h/d"
  [[ $stderr != *secret* ]]
}

@test "a one-shot is well when it has ended with 0, and a name that moves is followed" {
  docker compose --progress quiet --profile setup up -d --no-deps db-setup
  gives 0 tg-health --wait=20s docker://db-setup
  cp /etc/hosts "$BATS_TEST_TMPDIR/hosts"
  echo "127.0.0.9 moving.test" >>"$BATS_TEST_TMPDIR/hosts"
  unshare -m sh -c "mount --bind '$BATS_TEST_TMPDIR/hosts' /etc/hosts && exec tg-health --wait=20s 'http://moving.test:${TG_LAB_URL##*:}/v1/health/ready'" \
    >"$BATS_TEST_TMPDIR/moving" &
  sleep 1
  # In place: another file would not be seen below the mount.
  sed 's/127.0.0.9/127.0.0.1/' "$BATS_TEST_TMPDIR/hosts" >"$BATS_TEST_TMPDIR/moved"
  cat "$BATS_TEST_TMPDIR/moved" >"$BATS_TEST_TMPDIR/hosts"
  wait $!
  jq -es '.[-1].data.first_ready_ms > 500' "$BATS_TEST_TMPDIR/moving" >/dev/null
}

# bats test_tags=long
@test "a release that is as well as the one before passes, and one that only its health check calls well does not" {
  migrated
  load_begins
  watches 0 30s --record before
  watches 0 20s --baseline before
  [[ $(jq -s 'map(select(.data.code? == "compared").data.what) | unique | length' <<<"$output") -ge 8 ]]
  runs 1.5.3
  watches 1 60s --baseline before
  [[ $(result 'data.findings[0].code') == *errors ]]
  runs 1.5.4
  watches 1 60s --baseline before
  [[ $(result 'data.findings[0].code') == *slow* ]]
  runs 1.5.5
  watches 1 60s --baseline before
  same memory-grows "$(result 'data.findings[0].code')"
  runs 1.5.6
  watches 1 60s --baseline before
  same new-log-line "$(result 'data.findings[0].code')"
  [[ $(result 'data.findings[0].example') == *"tile cache is not writable"* ]]
  load_ends || :
}

# bats test_tags=long
@test "what can't be seen is not called well: no traffic, no containers, no balancer, no metrics" {
  migrated
  load_begins
  watches 0 20s --record before --max 'http_requests_total{status="500"}:rate10s=1'
  load_ends || :
  unset LOAD
  watches 3 20s --baseline before
  [[ $(result 'data.gaps | map(.code) | join(" ")') == *no-traffic* ]]
  gives 3 tg-health watch --for 20s --baseline before --only probes,balancer --rate 20
  watches 3 12s --max 'no_such_metric=1'
  [[ $(result 'data.gaps | map(.code) | join(" ")') == *metric-missing* ]]
  watches 1 12s --max 'process_resident_memory_bytes=1000'
  same threshold "$(result 'data.findings[0].code')"
}

@test "a review tells what was said, what runs and what was changed, and knows the next time what is new" {
  gives 0 tg-swap --to 1.4.1 --keep 10m
  docker exec tg-lab-worker-1 sh -c 'echo "{\"level\":50,\"msg\":\"no such thing 17\"}" >/proc/1/fd/1' || docker exec tg-lab-worker-2 sh -c 'echo "{\"level\":50,\"msg\":\"no such thing 17\"}" >/proc/1/fd/1'
  gives 1 tg-health review --html review.html
  printed '.data.code? == "log-signature" and .data.signature == "no such thing <*>" and .data.new == null'
  printed '.data.code? == "backup" and .data.severity == "attention"'
  printed '.data.code? == "database-size" and .data.bytes > 1000000'
  printed '.data.code? == "change" and .data.action == "swap"'
  # What is kept for the way back is not ill for having ended.
  printed '.data.code? == "container" and .data.container == "tg-lab-worker-1" and .data.resting and .data.severity == "fine"'
  "$LAB/browser" review.html
  gives 1 tg-health review --full --since 1h
  printed '.data.code? == "log-signature" and .data.new == false'
  printed '.data.code? == "table" and .data.table == "public.features"'
  run=$(jq -r 'select(.tool == "tg-swap").run' .tg/history.jsonl | tail -n 1)
  gives 0 tg-health review --run "$run" --html run.html
  printed '.data.code? == "phase" and .data.step == "admit"'
  printed '.data.code? == "instance" and (.data.stages | map(.stage) | index("serving"))'
  "$LAB/browser" run.html
  gives 2 tg-health review --run nobody
}
