# shellcheck shell=bash
# The names are used by the scripts that source this file.
# shellcheck disable=SC2034
# Summary: names, ports and small helpers of the bench, on top of the lab's; and its end, which leaves nothing.
# Usage: . "$(dirname -- "${BASH_SOURCE[0]}")/lib/common.sh"

BENCH_SRC="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"

# shellcheck source=../../lab/lib/common.sh
. "$BENCH_SRC/../lab/lib/common.sh"
# shellcheck source=../../lab/lib/apt.sh
. "$LAB_SRC/lib/apt.sh"
# shellcheck source=../../lab/lib/images.sh
. "$LAB_SRC/lib/images.sh"
# shellcheck source=../../lab/lib/stack.sh
. "$LAB_SRC/lib/stack.sh"

# The lab may be up, and in use, at the same time: nothing here has its names.
PROJECT=tg-bench
SCALE_PROJECT=tg-bench-scale
STACK_DIR="$TG_LAB_DIR/bench/stack"
WORK="$TG_LAB_DIR/bench/work"
LB_PORT=15100
LB_STATS_PORT=15101
OLD=1.4.0
NEW=1.4.1
# So long take the load program's slow reads, where nothing else is said.
SLOW_MS=2000
TOOLS_DIR="${CARGO_TARGET_DIR:-$REPO_ROOT/target}/release"

say() { printf 'bench: %s\n' "$*" >&2; }

now_ms() { printf '%s\n' "$(($(date +%s%N) / 1000000))"; }

# Settings come from .env alone: a variable of the caller's shell would win over it.
clean_environment() {
  unset TERRAGNOS_VERSION ON_SIGTERM POSTGRES_PASSWORD STILL_VERSION INSTANCES "${!COMPOSE_@}" "${!TG_RUN@}"
  export TG_FORMAT=json PATH="$TOOLS_DIR:$PATH"
}

# Containers of a project, running or not. Usage: containers_of PROJECT [docker ps arguments]
containers_of() {
  local project="$1"
  shift
  docker ps -aq --filter "label=com.docker.compose.project=$project" "$@"
}

remove_project() {
  containers_of "$1" | xargs -r docker rm -fv >/dev/null
  docker volume ls -q --filter "label=com.docker.compose.project=$1" | xargs -r docker volume rm >/dev/null
  docker network ls -q --filter "label=com.docker.compose.project=$1" | xargs -r docker network rm >/dev/null
}

remove_everything() {
  swarm_end
  remove_project "$PROJECT"
  remove_project "$SCALE_PROJECT"
  docker images -q --filter label=tg.bench=1 | sort -u | xargs -r docker rmi -f >/dev/null
  rm -rf "$STACK_DIR"
}

# At the end, however it comes; never ends early itself. Usage: tidy_up EXIT-CODE
tidy_up() {
  trap - EXIT ERR
  trap '' INT TERM
  set +e
  [[ -z "${LOAD_PID:-}" ]] || kill "$LOAD_PID" 2>/dev/null
  [[ -z "${ALARM_PID:-}" ]] || kill "$ALARM_PID" 2>/dev/null
  say "removing containers, networks, volumes and images of the bench"
  remove_everything 2>/dev/null
  exit "$1"
}

# Ends the whole bench after so many seconds, whatever hangs.
limit_time() {
  (
    trap - EXIT ERR
    sleep "$1" &
    sleeper=$!
    trap 'kill "$sleeper"; exit' TERM
    wait "$sleeper" && say "the time limit of $1 s is over" && kill -TERM $$
    # The shell hears of it only when the program that it waits for has ended.
    pkill -TERM -P $$
  ) &
  ALARM_PID=$!
}

# The most memory that a process has had, kB, until it ends. It looks without starting a program: that would be measured too.
# Usage: peak_memory PID
peak_memory() {
  local key value peak=0
  exec 7<> <(:)
  while kill -0 "$1" 2>/dev/null; do
    while read -r key value _; do
      [[ "$key" != VmHWM: ]] || peak="$value"
    done <"/proc/$1/status" 2>/dev/null || :
    read -r -t 0.2 -u 7 _ || :
  done
  printf '%s\n' "$peak"
}
