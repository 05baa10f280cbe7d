#!/usr/bin/env bats
# A project that is not Terragnos: other names, another language, another migrator. Its compose file says so under x-tg.

bats_require_minimum_version 1.5.0
load helper

setup_file() {
  eval "$("$BATS_TEST_DIRNAME/../../lab/env")"
  export TG_LAB_EXAMPLE=$TG_LAB_DIR/example
}

teardown_file() { "$BATS_TEST_DIRNAME/../../lab/example/down" 2>/dev/null; }

# A test that ended well at the first release has left everything as it was: that is what it looks at.
setup() {
  SCRIPTS=$BATS_TEST_DIRNAME/../..
  LAB=$SCRIPTS/lab
  STATE=$TG_LAB_EXAMPLE/.tg
  SOUND=$BATS_FILE_TMPDIR/sound
  export TG_FORMAT=json
  unset TG_RUN_ID
  [[ -e $SOUND && $(release) == v2.3.0 ]] || "$LAB/example/reset" 2>/dev/null
  rm -f "$SOUND"
  cd "$TG_LAB_EXAMPLE"
  URL=http://127.0.0.1:$(sed -n 's/^PROXY_PORT=//p' .env)
  STARTED=$(started_at)
  KEPT=$(lines_dir)/example-$BATS_TEST_NUMBER
  CALLS=0
  mkdir -p "$KEPT"
}

teardown() {
  touch "$BATS_TEST_TMPDIR/enough"
  [[ ! -d $STATE/runs ]] || cp -r "$STATE/runs" "$KEPT/journals"
  [[ -z ${BATS_TEST_COMPLETED:-} ]] || touch "$SOUND"
}

release() { sed -n 's/^BOOKINGS_TAG=//p' "$TG_LAB_EXAMPLE/.env"; }

postgres() { docker compose exec -T postgres psql -X -q -At -U booker reservations "$@"; }

# Rows and hash of every table, and a hash of the schema.
contents() { postgres <"$LAB/fingerprint.sql" | LC_ALL=C sort; }

started_at() { docker inspect -f '{{.Name}} {{.State.StartedAt}}' tg-example-postgres-1 tg-example-proxy-1; }

serves() { # RELEASE
  tg-health --wait=30s --expect-version "$1" >/dev/null
  same "$1" "$(release)"
  infrastructure_untouched
  nothing_to_do
}

# Books until it is enough; what was answered, and with which status, is kept.
books() {
  local night='{"room": "load", "guest": "load", "arrives": "2026-01-01", "leaves": "2026-01-02"}'
  until [[ -e $BATS_TEST_TMPDIR/enough ]]; do
    curl -s -m 10 -H 'content-type: application/json' -d "$night" -w 'status %{http_code}\n' "$URL/bookings" || :
    sleep 0.05
  done >"$BATS_TEST_TMPDIR/load.$1"
}

load_begins() {
  for client in 1 2; do books "$client" 3>&- & done
  sleep 1
}

# Every request was answered, and what was acknowledged is what is there.
nothing_failed() {
  sleep 1
  touch "$BATS_TEST_TMPDIR/enough"
  wait
  cat "$BATS_TEST_TMPDIR"/load.? >"$BATS_TEST_TMPDIR/load"
  same "" "$(grep '^status' "$BATS_TEST_TMPDIR/load" | grep -v ' 201$')"
  acknowledged=$(grep -v '^status' "$BATS_TEST_TMPDIR/load" | jq .id | sort -n)
  [[ $(wc -l <<<"$acknowledged") -gt 100 ]]
  same "$(postgres -c "SELECT id FROM bookings WHERE room = 'load' ORDER BY id")" "$acknowledged"
}

@test "its compose file has nothing of tg but x-tg, and without that the tools say what they miss" {
  same x-tg "$(docker compose --profile '*' config --format json | jq -r 'del(.["x-bookings"]) | keys[] | select(startswith("x-"))')"
  same 0 "$(docker compose --profile '*' config --format json | jq '[.services[].labels // empty] | length')"
  sed '/^x-tg:/,/^$/d' compose.yaml >plain.yaml
  same "" "$(diff <(docker compose config --hash '*') <(docker compose -f plain.yaml config --hash '*'))"
  gives 10 tg-swap -f plain.yaml status
  hint_given
  [[ $stderr == *"api (from the default): no service api; there are jobs, migrations, postgres, proxy, web"* ]]
  gives 10 tg-backup -f plain.yaml plan
  hint_given
  [[ $stderr == *"database (from the default): no service db; there are "* ]]
  gives 10 "$SCRIPTS/preflight" -f plain.yaml v2.4.0
  rm plain.yaml
  gives 0 tg-swap status
  same v2.3.0 "$(result data.version)"
}

@test "an upgrade and its rollback leave database and proxy alone and the data as it was" {
  before=$(contents)
  gives 0 "$SCRIPTS/upgrade" v2.4.0
  serves v2.4.0
  same "$(grep public.jobs <<<"$before")" "$(contents | grep public.jobs)"
  same 20000 "$(contents | awk '$1 == "public.bookings" { print $2 }')"
  same 0002 "$(postgres -c 'SELECT version_num FROM alembic_version')"
  docker compose exec -T web python3 -m bookings.smoke
  gives 6 "$SCRIPTS/rollback"
  gives 0 "$SCRIPTS/rollback" --accept-data-loss
  serves v2.3.0
  same "$before" "$(contents)"
}

# bats test_tags=long
@test "a release whose migration fails half-way is undone" {
  before=$(contents)
  gives 4 "$SCRIPTS/upgrade" v2.5.0
  [[ $stderr == *"after it had changed the database"*"bookings_nights_positive"* ]]
  serves v2.3.0
  same "$before" "$(contents)"
}

# bats test_tags=long
@test "under load a swap to a patch loses nothing, nor does the way back" {
  gives 0 "$SCRIPTS/upgrade" v2.4.0
  load_begins
  gives 0 tg-swap --to v2.4.1 --keep 0s
  same "0 0 0 0" "$(result data.evidence.failed | jq -r 'map(tostring) | join(" ")')"
  serves v2.4.1
  gives 0 tg-swap rollback
  serves v2.4.0
  nothing_failed
}

# bats test_tags=long
@test "an upgrade with a migration fails no request" {
  load_begins
  sleep 2
  gives 0 "$SCRIPTS/upgrade-zero-downtime" --baseline-for 10s --canary-for 10s --watch-for 15s --keep 0s v2.4.0
  serves v2.4.0
  nothing_failed
}
