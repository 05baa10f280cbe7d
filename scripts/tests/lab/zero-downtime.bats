#!/usr/bin/env bats
# The upgrade without downtime, on real parts and under load: to a release that is good, and to each that is not.

bats_require_minimum_version 1.5.0
load helper
load swap-helper

# Short looks, for releases that are ill at once. An answer takes a few milliseconds here, so that noise alone makes some twice as slow.
looks() { LOOKS=(--baseline-for 10s --canary-for 12s --watch-for 20s --rate 20 --slower 3 --ask "$TG_LAB_URL/v1/features?limit=1"); }

setup() {
  back_to_the_start
  looks
}

# no_upgrade CODE RELEASE REASON [OPTION...]: what runs goes on, and the reason is one sentence. What was not begun has left the schema as it was.
no_upgrade() {
  local schema
  schema=$(contents | grep schema)
  gives "$1" "$SCRIPTS/upgrade-zero-downtime" "${LOOKS[@]}" "${@:4}" "$2"
  [[ $(result data.error.message) == *"$3"* ]] || { result data.error.message; return 1; }
  serves 1.4.0
  infrastructure_untouched
  nothing_to_do
  [[ ! -e $STATE/procedure.json ]]
  leaves_no_helper_behind
  [[ $1 -eq 4 ]] || same "$schema" "$(contents | grep schema)"
}

@test "a good release: no request fails, no write is lost, and it is told on one page" {
  load_begins
  gives 0 "$SCRIPTS/upgrade-zero-downtime" "${LOOKS[@]}" 1.5.0
  is_alone 1.5.0
  infrastructure_untouched
  nothing_failed
  same succeeded "$(history_of upgrade-zero-downtime outcome)"
  page=$(jq -r 'select(.data.kind == "timeline").data.file' <<<"$output")
  grep -q '<html' "$page"
  leaves_no_helper_behind
  [[ ! -e $STATE/procedure.json ]]

  # The rehearsal has shown that the old release goes on with this schema: the way back is a swap of images, and no row is lost.
  id=$(posted_feature)
  load_begins
  gives 0 "$SCRIPTS/rollback"
  is_alone 1.4.0
  nothing_failed
  same 1 "$("$LAB/psql" -Atc "select count(*) from features where client_id = '$id'")"
  same true "$(history_of rollback images_only)"
}

@test "a setting that is missing and a migration that fails are known before anything is changed: 2.0.0 and 1.6.0" {
  load_begins
  no_upgrade 6 2.0.0 "nothing was changed"
  code=$(jq -r 'select(.data.check == "guide").data.hint' <<<"$output" | grep -o '[0-9a-f]*$')
  # Its notes have been read, and what they ask for was not done.
  no_upgrade 3 2.0.0 TERRAGNOS_TENANT --accept-major --guide-read "$code"
  printed '.data.check == "configuration" and .data.verdict == "no" and (.data.reason | contains("TERRAGNOS_TENANT"))'
  # The migration fails half-way, on a copy.
  no_upgrade 6 1.6.0 "the rehearsal says no: broken: the migration"
  nothing_failed
}

# bats test_tags=long
@test "what breaks the release that runs, or can't start, is known before anything is changed: 1.7.0 and 1.5.2" {
  load_begins
  # It renames a column that what runs reads.
  no_upgrade 6 1.7.0 "category"
  # It crashes at start, on a copy too.
  no_upgrade 6 1.5.2 "the new release is not well"
  nothing_failed
}

# bats test_tags=long
@test "a release that fails some of the requests is sent back by its canary, and only its share of them was affected" {
  load_begins
  no_upgrade 4 1.5.3 "1.4.0 serves"
  load_ends
  echo "$FAILED of $TOTAL"
  # Three in a hundred of a tenth, while it was watched.
  ((FAILED * 200 < TOTAL))
  same undone "$(history_of upgrade-zero-downtime outcome)"
}

# bats test_tags=long
@test "a release that never gets ready is known by its rehearsal, and one that is slow by being watched" {
  load_begins
  no_upgrade 6 1.5.1 "the new release is not well"
  no_upgrade 4 1.5.4 "1.4.0 serves"
  nothing_failed
}

# bats test_tags=long
@test "killed at each of its steps, one after another, the same command finishes it, and nothing is lost" {
  load_begins
  upgrade_killed_at 'tg-health watch' 2
  upgrade_killed_at 'tg-backup create' 1
  upgrade_killed_at 'tg-migrate rehearse' 6
  upgrade_killed_at 'tg-migrate --to' 1.5
  upgrade_killed_at 'tg-swap --to' 3
  upgrade_killed_at 'tg-health watch' 2
  gives 0 "$SCRIPTS/upgrade-zero-downtime" "${LOOKS[@]}" 1.5.0
  is_alone 1.5.0
  nothing_failed
  [[ ! -e $STATE/procedure.json ]]
  leaves_no_helper_behind
}

# bats test_tags=long
@test "killed on its way back, the same command finishes that, and nothing is lost" {
  load_begins
  upgrade_killed_at 'tg-swap abort' 0.05 1.5.4
  gives 4 "$SCRIPTS/upgrade-zero-downtime" "${LOOKS[@]}" 1.5.4
  serves 1.4.0
  nothing_failed
  nothing_to_do
  [[ ! -e $STATE/procedure.json ]]
}

# Usage: upgrade_killed_at PATTERN DELAY [RELEASE]
upgrade_killed_at() { killed_at "$1" "$2" "$SCRIPTS/upgrade-zero-downtime" "${LOOKS[@]}" "${3:-1.5.0}"; }
