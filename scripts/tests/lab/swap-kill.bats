#!/usr/bin/env bats
# kill -9 at every step of a swap and of its way back, in the middle of the step and right after it:
# traffic flows on, and resume or abort leads to one consistent set. Whoever goes on is killed at the next step.

load helper
load swap-helper

STEPS=(plan adopt create start ready admit pin drain 'create","state":"@","service":"worker' 'start","state":"@","service":"worker' settle finish-workers)

# The place of a kill: a step has begun, or has ended.
place() { # STEP STATE
  local step=$1
  if [[ $step == *@* ]]; then
    echo "\"step\":\"${step/@/$2}"
  else
    echo "\"step\":\"$step\",\"state\":\"$2\""
  fi
}

setup_quick() {
  KILLED=1
  sed -i 's/^BOOT_MS=.*/BOOT_MS=200/' .env
  docker compose up -d --quiet-pull 2>/dev/null
  docker pull -q "$TG_LAB_REGISTRY/terragnos-core:1.4.1" >/dev/null
  tg-health --wait=60s >/dev/null
}

@test "killed at each step of a swap, and whoever goes on at the next one, it is finished and nothing is lost" {
  setup_quick
  load_begins --slow-ms 500
  for state in started succeeded; do
    kill_at_each_step "$state" "--to 1.4.1" resume
    # What was done when it was killed is not begun again.
    ((KILLS >= 8))
    only_serves 1.4.1
    gives 0 tg-swap rollback
    is_alone 1.4.0
  done
  nothing_failed
  infrastructure_untouched
}

# bats test_tags=long
@test "killed at any step of a swap, it goes back and nothing is lost" {
  local turn=0 step state
  setup_quick
  load_begins --slow-ms 500
  for step in "${STEPS[@]}"; do
    # In the middle of one step, right after the next.
    if ((turn++ % 2)); then state=succeeded; else state=started; fi
    echo "# killed at $(place "$step" "$state")"
    kill_at "$(place "$step" "$state")" tg-swap --to 1.4.1
    traffic_flows
    gives 0 tg-swap abort
    is_alone 1.4.0
  done
  nothing_failed
  infrastructure_untouched
}

# bats test_tags=long
@test "killed on trial, or between one instance and the next, it goes on or back" {
  setup_quick
  load_begins --slow-ms 500
  for state in started succeeded; do
    kill_at "$(place canary "$state")" tg-swap --to 1.4.1 --canary 10% --for 2s
    traffic_flows
    if [[ $state == started ]]; then gives 0 tg-swap resume; else gives 0 tg-swap abort; fi
    [[ $state == succeeded ]] || gives 0 tg-swap rollback
    is_alone 1.4.0
    # Half of the old set is gone by then: the way back makes it again.
    kill_at "$(place retire "$state")" tg-swap --to 1.4.1 --strategy one-by-one
    traffic_flows
    if [[ $state == started ]]; then gives 0 tg-swap resume; else gives 0 tg-swap abort; fi
    [[ $state == succeeded ]] || gives 0 tg-swap rollback
    is_alone 1.4.0
  done
  nothing_failed
}

# bats test_tags=long
@test "killed at each step of the way back or of its end, and whoever goes on at the next one, it is finished" {
  setup_quick
  load_begins --slow-ms 500
  for state in started succeeded; do
    gives 0 tg-swap --to 1.4.1
    if [[ $state == started ]]; then kill_at_each_step started rollback rollback; else kill_at_each_step succeeded rollback abort; fi
    ((KILLS >= 5))
    is_alone 1.4.0
  done
  for state in started succeeded; do
    gives 0 tg-swap --to 1.4.1
    kill_at "$(place retire "$state")" tg-swap commit
    traffic_flows
    gives 0 tg-swap commit
    is_alone 1.4.1
    gives 0 tg-swap rollback
    is_alone 1.4.0
  done
  nothing_failed
}

@test "status says what docker compose up -d would lose after a kill" {
  setup_quick
  kill_at "$(place drain succeeded)" tg-swap --to 1.4.1
  gives 1 tg-swap status
  would_end=$(docker compose up -d --dry-run 2>&1 | awk '/Container/ && /Stopping|Recreate$/ { print $5 }' | sort -u)
  loses=$(jq -rs 'map(select(.type == "result"))[-1].data.swap.compose_up.loses[]' <<<"$output" | sort)
  same "$(comm -12 <(echo "$would_end") <(in_rotation))" "$loses"
  gives 0 tg-swap abort
  is_alone 1.4.0
}
