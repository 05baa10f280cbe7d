# shellcheck shell=bash
# Summary: a swarm of one on loopback, begun where there is none and left again.
# Usage: sourced by scripts/bench/swap after lib/common.sh

SWARM_NETWORK=tg-bench-swarm
SWARM_SERVICE=tg-bench_app

swarm_is_active() { [[ "$(docker info -f '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}')" == "active true" ]]; }

network_exists() { docker network inspect "$1" >/dev/null 2>&1; }

# A swarm that is left takes the names of running containers out of Docker's DNS with it, whoever they
# belong to: seen on Docker 20.10. They find each other again when they are restarted.
nobody_else_runs() {
  ! docker ps --format '{{.Label "com.docker.compose.project"}}' | grep -qvE "^($PROJECT.*)?\$"
}

# Remembers what this run has begun, so that only that is ended. Fails where Swarm can't be had.
swarm_begin() {
  swarm_is_active && return
  if ! nobody_else_runs; then
    echo "other projects run here, whose containers would lose their names; scripts/lab/down first" >"$WORK/swarm.log"
    return 1
  fi
  network_exists docker_gwbridge || echo gwbridge >>"$WORK/swarm-begun"
  echo swarm >>"$WORK/swarm-begun"
  docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:15190 --data-path-port 15191 >"$WORK/swarm.log" 2>&1
}

swarm_network() {
  network_exists "$SWARM_NETWORK" ||
    docker network create -d overlay --attachable --label "$LABEL" "$SWARM_NETWORK" >>"$WORK/swarm.log" 2>&1
}

begun_by_us() { grep -qx "$1" "$WORK/swarm-begun" 2>/dev/null; }

tasks_gone() { [[ -z "$(docker ps -aq --filter "label=com.docker.swarm.service.name=$SWARM_SERVICE")" ]]; }

swarm_remove_service() {
  docker service inspect "$SWARM_SERVICE" >/dev/null 2>&1 || return 0
  docker stack rm "$PROJECT" >/dev/null 2>&1
  # Those that ignore SIGTERM would hold the network.
  docker ps -q --filter "label=com.docker.swarm.service.name=$SWARM_SERVICE" | xargs -r docker kill >/dev/null 2>&1 || :
  wait_for 30 tasks_gone
}

swarm_clear() {
  local container
  swarm_remove_service || return 1
  network_exists "$SWARM_NETWORK" || return 0
  for container in $(docker network inspect -f '{{range .Containers}}{{.Name}} {{end}}' "$SWARM_NETWORK"); do
    docker network disconnect -f "$SWARM_NETWORK" "$container" >/dev/null 2>&1 || :
  done
}

swarm_end() {
  [[ -e "$WORK/swarm-begun" ]] || swarm_is_active || return 0
  swarm_clear
  docker network rm "$SWARM_NETWORK" >/dev/null 2>&1
  if begun_by_us swarm; then docker swarm leave --force >/dev/null 2>&1; fi
  if begun_by_us gwbridge; then docker network rm docker_gwbridge >/dev/null 2>&1; fi
  rm -f "$WORK/swarm-begun"
}

# The service at OLD, found by HAProxy through Docker's DNS. Usage: swarm_stage MANNER
swarm_stage() {
  swarm_clear
  clear_stage
  write_bench_env "$1"
  write_balancer "tasks.$SWARM_SERVICE"
  swarm_network || return 1
  docker network connect --alias db "$SWARM_NETWORK" "$(service_container db)" || return 1
  quietly compose up -d lb || fail "the load balancer did not start"
  docker network connect "$SWARM_NETWORK" "$(service_container lb)" || return 1
  (
    set -a
    # shellcheck source=/dev/null
    . "$STACK_DIR/.env"
    quietly docker stack deploy --resolve-image never -c "$BENCH_SRC/stack/swarm.yaml" "$PROJECT"
  ) || return 1
  wait_for 60 checked_servers 2 || fail "the tasks did not get ready" "docker service ps $SWARM_SERVICE"
}
