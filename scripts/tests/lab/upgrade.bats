#!/usr/bin/env bats
# The guide's upgrade and rollback, on real parts.

bats_require_minimum_version 1.5.0
load helper

@test "an upgrade and its rollback leave database and balancer alone and the data as it was" {
  before=$(contents)
  gives 0 "$SCRIPTS/upgrade" 1.5.0
  serves 1.5.0
  infrastructure_untouched
  nothing_to_do
  [[ $(grep -v -e schema -e features <<<"$before") == "$(contents | grep -v -e schema -e features)" ]]
  [[ $(contents | awk '$1 == "public.features" { print $2 }') -eq 200000 ]]
  same succeeded "$(history_of upgrade outcome)"
  [[ $(result data.downtime_ms) -gt 0 ]]

  gives 0 "$SCRIPTS/rollback"
  serves 1.4.0
  infrastructure_untouched
  nothing_to_do
  same "$before" "$(contents)"
  leaves_no_helper_behind
  [[ $(result msg) == *"the way back took "* ]]

  # Said beforehand, and as it was: within a factor of two.
  gives 0 "$SCRIPTS/upgrade" 1.5.0
  predicted=$(jq -rs 'map(select(.data.kind == "way-back"))[0].data.ms' <<<"$output")
  gives 0 "$SCRIPTS/rollback"
  took=$(result data.way_back_ms)
  echo "predicted $predicted ms, took $took ms"
  ((predicted < 2 * took && took < 2 * predicted))
}

@test "a patch without a migration goes forth and back and the database is not even restored" {
  gives 0 "$SCRIPTS/upgrade" 1.4.1
  serves 1.4.1
  id=$(posted_feature)
  gives 0 "$SCRIPTS/rollback"
  serves 1.4.0
  [[ -z $(history_of tg-backup 'action | select(. == "restore")') ]]
  same 1 "$("$LAB/psql" -Atc "select count(*) from features where client_id = '$id'")"
}

# Usage: is_undone RELEASE...
is_undone() {
  local before release
  before=$(contents)
  for release in "$@"; do
    gives 4 "$SCRIPTS/upgrade" --wait 20s "$release"
    serves 1.4.0
    infrastructure_untouched
    nothing_to_do
    same "$before" "$(contents)"
    same "undone $release" "$(history_of upgrade '| .outcome + " " + .to' | tail -n 1)"
  done
  leaves_no_helper_behind
}

@test "what a migration breaks is undone: 1.6.0" { is_undone 1.6.0; }

# bats test_tags=long
@test "a release that never gets ready or crashes is undone: 1.5.1 and 1.5.2" { is_undone 1.5.1 1.5.2; }

@test "rows written after an upgrade are named, and lost only when that is accepted" {
  gives 0 "$SCRIPTS/upgrade" 1.5.0
  id=$(posted_feature)
  gives 6 "$SCRIPTS/rollback"
  serves 1.5.0
  printed '.tool == "tg-backup" and .data.kind == "lost" and .data.table == "features" and .data.rows == 1'
  gives 0 "$SCRIPTS/rollback" --accept-data-loss
  serves 1.4.0
  same 0 "$("$LAB/psql" -Atc "select count(*) from features where client_id = '$id'")"
}

@test "no acknowledged write is lost by an upgrade under load, nor by one that fails" {
  for release in 1.6.0 1.5.0; do
    "$LAB/run-load" --rate 40 --duration 60s --acked "$BATS_TEST_TMPDIR/acked" >"$BATS_TEST_TMPDIR/load" 2>/dev/null &
    load=$!
    sleep 2
    if [[ $release == 1.6.0 ]]; then gives 4 "$SCRIPTS/upgrade" "$release"; else gives 0 "$SCRIPTS/upgrade" "$release"; fi
    sleep 1
    kill -INT "$load"
    wait "$load" || :
    [[ $(wc -l <"$BATS_TEST_TMPDIR/acked") -gt 20 ]]
    "$LAB/run-load" verify "$BATS_TEST_TMPDIR/acked"
  done
}

@test "a rollback finds the very image again though its tag has moved and the registry is down" {
  image=$(docker inspect -f '{{.Image}}' tg-lab-api-1)
  gives 0 "$SCRIPTS/upgrade" 1.4.1
  docker tag "$TG_LAB_REGISTRY/terragnos-core:1.4.1" "$TG_LAB_REGISTRY/terragnos-core:1.4.0"
  docker stop "$TG_LAB_REGISTRY_CONTAINER" >/dev/null
  gives 0 "$SCRIPTS/rollback"
  docker start "$TG_LAB_REGISTRY_CONTAINER" >/dev/null
  # The images alone go back, beside what runs: other containers, the same image.
  for service in api worker; do
    same "$image" "$(docker compose ps -q "$service" | xargs docker inspect -f '{{.Image}}' | sort -u)"
  done
  nothing_to_do
}

@test "only the release changes in .env, and a literal in the compose file is edited as well" {
  cp .env "$BATS_TEST_TMPDIR/env"
  gives 0 tg-swap pull --to 1.4.1
  gives 0 tg-swap start --to 1.4.1
  same 'TERRAGNOS_VERSION=1.4.1' "$(diff "$BATS_TEST_TMPDIR/env" .env | sed -n 's/^> //p')"
  gives 0 tg-swap rollback
  cmp "$BATS_TEST_TMPDIR/env" .env
  sed -i 's/:${TERRAGNOS_VERSION:-1.4.0}"/:1.4.0"/' compose.yaml
  cp compose.yaml "$BATS_TEST_TMPDIR/compose"
  gives 0 tg-swap start --to 1.4.1
  same 1 "$(diff "$BATS_TEST_TMPDIR/compose" compose.yaml | grep -c '^>')"
  nothing_to_do
  gives 0 tg-swap rollback
  cmp "$BATS_TEST_TMPDIR/compose" compose.yaml
}

@test "the manual way refuses a container of another release" {
  gives 0 tg-swap pull --to 1.5.0
  without=(--accept no-backup)
  gives 6 tg-migrate --exec --to 1.5.0 "${without[@]}"
  hint_given
  gives 0 tg-migrate --exec "${without[@]}"
  gives 0 tg-migrate --to 1.5.0 "${without[@]}"
  same true "$(result data.schema_changed)"
  gives 0 tg-migrate --to 1.5.0 "${without[@]}"
  same false "$(result data.changed)"
}

@test "the report names a table with dead rows, and vacuum clears it" {
  "$LAB/psql" -qc "update features set name = name where id <= 5000" >/dev/null
  gives 0 tg-vacuum report
  printed '.type == "record" and .data.table == "features" and .data.dead >= 5000'
  gives 0 tg-vacuum
  printed '.type == "record" and .data.table == "features" and .data.dead_after == 0'
  gives 0 tg-vacuum report
  [[ $(result data.tables) -eq 0 ]]
  gives 0 tg-vacuum --analyze-only
  infrastructure_untouched
}
