#!/usr/bin/env bats
# A host that is busy with other things: an upgrade ends with the new release or with the old one serving, never with none.

bats_require_minimum_version 1.5.0
load helper
load swap-helper

teardown() {
  busy_ends
  [[ ! -d $STATE/runs ]] || cp -r "$STATE/runs" "$KEPT/journals"
}

# Forty processes that never wait, for half an hour at most.
busy_begins() {
  BUSY=()
  for _ in {1..40}; do
    timeout 30m sh -c 'while :; do :; done' 3>&- &
    BUSY+=($!)
  done
}

# By their ids: timeout(1) ends what it has started.
busy_ends() {
  local pid
  for pid in "${BUSY[@]:-}"; do
    [[ -z $pid ]] || kill "$pid" 2>/dev/null || :
    [[ -z $pid ]] || wait "$pid" 2>/dev/null || :
  done
  BUSY=()
}

# The release that answers through the load balancer, asked as long as it takes a busy host to answer at all.
served() {
  local version
  for version in "$@"; do
    ! tg-health --wait=2m --instances no --expect-version "$version" >/dev/null 2>&1 || { echo "$version"; return 0; }
  done
  echo none
}

# Usage: ends_serving FROM TO COMMAND...: exit 0 and the new release, or any other and one of both; asked while the host is still busy.
ends_serving() {
  local from=$1 to=$2
  run --separate-stderr "${@:3}"
  printf '%s\n' "$output" >"$KEPT/1.jsonl"
  printf '%s\n' "$stderr" >>"$KEPT/stderr"
  echo "# exit $status: $(result msg)" >&3
  if [[ $status -eq 0 ]]; then
    same "$to" "$(served "$to")"
  else
    [[ $(result data.exit) == "$status" ]]
    # What is undone serves as it was; only a person's case may be either.
    if [[ $status -eq 5 ]]; then [[ $(served "$from" "$to") != none ]]; else same "$from" "$(served "$from")"; fi
  fi
  traffic_flows
  busy_ends
  infrastructure_untouched
}

# bats test_tags=long
@test "an upgrade on a host with forty busy processes ends with the new release, or the old one serving" {
  busy_begins
  ends_serving 1.4.0 1.5.0 "$SCRIPTS/upgrade" --wait 10m 1.5.0
  [[ $status -eq 5 ]] || [[ ! -e $STATE/procedure.json ]]
}

# bats test_tags=long
@test "an upgrade without downtime on a host with forty busy processes ends with the new release, or the old one serving" {
  busy_begins
  ends_serving 1.4.0 1.5.0 "$SCRIPTS/upgrade-zero-downtime" --wait 10m --baseline-for 10s --canary-for 12s --watch-for 20s --rate 5 --slower 10 \
    --ask "$TG_LAB_URL/v1/features?limit=1" 1.5.0
  [[ $status -eq 5 ]] || [[ ! -e $STATE/procedure.json ]]
}
