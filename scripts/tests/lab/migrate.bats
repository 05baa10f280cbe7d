#!/usr/bin/env bats
# What a release's migrations will do is known beforehand, and while they run nobody waits long behind them.

bats_require_minimum_version 1.5.0
load helper

# The old release does what it does, and is backed up and proven.
prepare() {
  "$LAB/run-load" --rate 20 --duration 3s >/dev/null
  tg-backup -q create --verify >/dev/null
  for version in "$@"; do tg-swap -q pull --to "$version" --accept major >/dev/null; done
  before=$(contents)
}

# Usage: record JQ-CONDITION. One of the records fits.
told() { jq -se "map(select(.type == \"record\" and ($1))) | length > 0" <<<"$output" >/dev/null; }

nothing_is_left() {
  leaves_no_helper_behind
  same "" "$(docker volume ls -q --filter "label=tg.state=$STATE")"
  same "" "$(docker network ls -q --filter "label=tg.state=$STATE")"
  same "" "$(find "$STATE" -maxdepth 1 -name '.tg-*')"
}

@test "a compatible release is proven, with its index and its backfill in the trace, in less than 90 s" {
  prepare 1.5.0
  begun=$SECONDS
  gives 0 tg-migrate rehearse --to 1.5.0
  ((SECONDS - begun < 90))
  same proven "$(result data.conclusion)"
  same true "$(result data.idempotent)"
  same true "$(result data.convergent)"
  told '.data.kind == "ddl" and .data.tag == "CREATE INDEX" and .data.concurrently'
  told '.data.kind == "rows" and .data.table == "features" and .data.updated >= 200000'
  same "$before" "$(contents)"
  nothing_is_left
  verdict=$(result data.verdict)
  # It holds for what was rehearsed and for nothing else.
  gives 0 tg-migrate --to 1.5.0 --rehearsal "$verdict"
  same applied "$(result data.ending)"
  gives 6 tg-migrate --to 1.5.0 --rehearsal "$verdict"
  same rehearsal-moved "$(result data.error.code)"
  # Both releases may share the schema, so nobody need be stopped.
  gives 0 tg-swap --to 1.5.0
  serves 1.5.0
}

# bats test_tags=long
@test "a migration that fails half-way is known beforehand, and nothing is touched" {
  prepare 1.6.0
  gives 1 tg-migrate rehearse --to 1.6.0
  same broken "$(result data.conclusion)"
  [[ $(result 'data.reasons[0]') == "the migration failed and left changes: "*qualty* ]]
  same "$before" "$(contents)"
  nothing_is_left
  gives 6 tg-migrate --to 1.6.0 --rehearsal "$(result data.verdict)"
  same failed-in-rehearsal "$(result data.error.code)"
  same "$before" "$(contents)"
}

# bats test_tags=long
@test "a release that breaks the one before it is found, with column, table and statement" {
  prepare 1.7.0
  gives 1 tg-migrate rehearse --to 1.7.0
  same broken "$(result data.conclusion)"
  [[ $(result 'data.reasons[0]') == *category*features* ]]
  told '.data.kind == "change" and .data.class == "breaking" and .data.relation == "features" and .data.name == "category"'
  told '.data.kind == "witness" and (.data.statement | contains("category")) and (.data.problem | contains("42703"))'
  same "$before" "$(contents)"
  nothing_is_left
  # Beside it the old one would fail.
  gives 6 tg-swap --to 1.7.0
  same unproven "$(result 'data.needs | join(",")')"
  [[ $stderr == *category* ]]
  gives 0 tg-swap --to 1.7.0 --accept unproven --dry-run
  serves 1.4.0
}

@test "a release that misses a setting is found, and the setting is named" {
  prepare 2.0.0
  gives 1 tg-migrate rehearse --to 2.0.0
  same broken "$(result data.conclusion)"
  [[ $(result 'data.reasons | join(" ")') == *"missing required environment variable TERRAGNOS_TENANT"* ]]
  [[ $(result 'data.reasons | join(" ")') == *"api does not start"* ]]
  same "$before" "$(contents)"
  nothing_is_left
}

# bats test_tags=long
@test "a killed rehearsal leaves nothing once any other command has run" {
  prepare 1.5.0
  for seconds in 1 4 8 14; do
    tg-migrate -q rehearse --to 1.5.0 >/dev/null 2>&1 3>&- &
    pid=$!
    sleep "$seconds"
    kill -9 "$pid"
    wait "$pid" || :
    gives 0 tg-migrate status
    # What the killed one had begun may still be at work, and hold its lock.
    for _ in {1..50}; do
      [[ -n $(docker ps -aq --filter "label=tg.state=$STATE") ]] || break
      sleep 0.2
      tg-migrate -q status >/dev/null
    done
    nothing_is_left
  done
  same "$before" "$(contents)"
}

@test "without a proven backup that is young enough nothing is migrated" {
  tg-swap -q pull --to 1.5.0 >/dev/null
  gives 6 tg-migrate --to 1.5.0
  same no-backup "$(result data.error.code)"
  hint_given
  tg-backup -q create >/dev/null
  gives 6 tg-migrate --to 1.5.0
  gives 0 tg-migrate --to 1.5.0 --accept unverified-backup --dry-run
  tg-backup -q verify >/dev/null
  gives 0 tg-migrate --to 1.5.0 --dry-run
  sleep 2
  gives 6 tg-migrate --to 1.5.0 --backup-max-age 1s
  gives 0 tg-migrate --to 1.5.0
  same applied "$(result data.ending)"
  gives 0 tg-migrate --to 1.5.0
  same nothing-to-do "$(result data.ending)"
}

@test "what is in the way is named, with pid, age and query, and refused" {
  gives 0 tg-migrate preflight
  "$LAB/psql" -qc "BEGIN; LOCK features IN ACCESS SHARE MODE; SELECT pg_sleep(30)" >/dev/null 2>&1 3>&- &
  holder=$!
  until [[ $("$LAB/psql" -Atqc "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK features%'") == 1 ]]; do sleep 0.1; done
  sleep 2
  gives 1 tg-migrate preflight --blocker-age 1s
  told '.data.code == "long-transaction" and .data.pid > 0 and .data.age_s >= 1 and (.data.query | contains("pg_sleep"))'
  "$LAB/psql" -qc "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK features%'" >/dev/null
  wait "$holder" || :
  "$LAB/psql" -qc "CREATE TABLE knex_migrations_lock (index int, is_locked int); INSERT INTO knex_migrations_lock VALUES (1, 1)"
  gives 1 tg-migrate preflight
  told '.data.code == "stuck-lock" and .data.migrator == "Knex"'
  gives 1 tg-migrate status
}

@test "a snapshot is compared with the database and with another, and a cut one is refused" {
  tg-migrate -q snapshot >"$BATS_TEST_TMPDIR/before"
  gives 0 tg-migrate diff "$BATS_TEST_TMPDIR/before" --equal
  "$LAB/psql" -qc "ALTER TABLE features ADD COLUMN note text"
  gives 0 tg-migrate diff "$BATS_TEST_TMPDIR/before"
  gives 1 tg-migrate diff "$BATS_TEST_TMPDIR/before" --equal
  "$LAB/psql" -qc "ALTER TABLE features DROP COLUMN category"
  tg-migrate -q snapshot >"$BATS_TEST_TMPDIR/after"
  gives 1 tg-migrate diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
  told '.data.class == "breaking" and .data.name == "category"'
  head -n 5 "$BATS_TEST_TMPDIR/after" >"$BATS_TEST_TMPDIR/cut"
  gives 10 tg-migrate diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/cut"
  hint_given
}

# A report that holds the table, for so many seconds.
report_holds() {
  "$LAB/psql" -qc "BEGIN; SELECT count(*) FROM features; SELECT pg_sleep($1)" >/dev/null 2>&1 3>&- &
  REPORT=$!
  until [[ $("$LAB/psql" -Atqc "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep($1)' AND wait_event = 'PgSleep'") == 1 ]]; do sleep 0.1; done
}

# Runs a command while 200 requests a second go through the balancer and a report holds the table. $LONGEST is what the longest of the
# requests took that were sent since then, ms: those before warm the application up. Usage: under_load FILE COMMAND...
under_load() {
  local file=$1 began since
  shift
  "$LAB/run-load" --rate 200 --mix get=80,post=20 --duration 60s --samples "$file.samples" >"$file" 3>&- &
  LOAD=$!
  began=$(date +%s%3N)
  sleep 3
  report_holds 10
  since=$(($(date +%s%3N) - began))
  "$@"
  wait "$REPORT" || :
  sleep 1
  kill -INT "$LOAD"
  wait "$LOAD" || :
  LOAD=
  LONGEST=$(awk -v since="$since" '$1 - $5 >= since && $5 > most { most = $5 } END { printf "%d", most }' "$file.samples")
}

# bats test_tags=long
@test "nobody waits longer than --max-block behind it, and without the tool everybody does" {
  tg-swap -q pull --to 1.5.0 >/dev/null
  under_load "$BATS_TEST_TMPDIR/plain" env TERRAGNOS_VERSION=1.5.0 docker compose --progress quiet run --rm -T --no-deps db-setup >/dev/null
  plain=$LONGEST
  "$LAB/reset" 2>/dev/null
  tg-swap -q pull --to 1.5.0 >/dev/null
  under_load "$BATS_TEST_TMPDIR/watched" gives 0 tg-migrate --to 1.5.0 --accept no-backup --max-block 2s --retries 9
  same applied "$(result data.ending)"
  (($(result data.attempts) > 1))
  # By the server's own clock; a request waits for its turn after those that were held up, too.
  blocked=$(result data.longest_block_ms)
  ((blocked > 0 && blocked <= 2000))
  same 0 "$(jq .failed "$BATS_TEST_TMPDIR/watched")"
  echo "# longest request: $plain ms without the tool, $LONGEST ms with it; --max-block 2000, blocked $blocked" >&3
  ((LONGEST <= 3000 && LONGEST * 2 < plain))
}
