# shellcheck shell=bash
# The names are used by the scripts that source this file.
# shellcheck disable=SC2034
# Summary: names, places and small helpers that every lab script shares.
# Usage: . "$(dirname -- "${BASH_SOURCE[0]}")/lib/common.sh"

LAB_SRC="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
REPO_ROOT="$(cd -- "$LAB_SRC/../.." && pwd -P)"
# An absolute path, because Compose and bind mounts compare it across working directories.
TG_LAB_DIR="$(realpath -m -- "${TG_LAB_DIR:-$REPO_ROOT/.lab}")"
STACK_DIR="$TG_LAB_DIR/stack"

PROJECT=tg-lab
LABEL=tg.lab=1
DATABASE=terragnos
DB_USER=terragnos
SEED_DATABASE=terragnos_seed
START_VERSION=1.4.0
VERSIONS=(1.4.0 1.4.1 1.5.0 1.5.1 1.5.2 1.5.3 1.5.4 1.5.5 1.5.6 1.6.0 1.7.0 1.7.1 2.0.0)

say() { printf 'lab: %s\n' "$*" >&2; }

# What `set -e` ends without a word still gets one.
trap 'say "error: line $LINENO of ${BASH_SOURCE[0]##*/} failed"' ERR

# A setting of the stack that is there already, else the default: ports chosen at the first `up` stay chosen.
# Usage: saved NAME DEFAULT
saved() {
  local value=""
  if [[ -r "$STACK_DIR/.env" ]]; then
    value="$(sed -n "s/^$1=//p" "$STACK_DIR/.env" | tr -d "\"'" | head -n 1)"
  fi
  printf '%s\n' "${value:-$2}"
}

REGISTRY_CONTAINER=tg-lab-registry
REPOSITORY=terragnos-core
REGISTRY="$(saved REGISTRY localhost:5000)"
REGISTRY_PORT="${TG_LAB_REGISTRY_PORT:-${REGISTRY##*:}}"
REGISTRY="localhost:$REGISTRY_PORT"
LB_PORT="${LB_PORT:-$(saved LB_PORT 3000)}"
LB_STATS_PORT="${LB_STATS_PORT:-$(saved LB_STATS_PORT 9999)}"

# Usage: fail MESSAGE [HINT] [CODE]
fail() {
  say "error: $1"
  [[ -z "${2:-}" ]] || say "hint: $2"
  exit "${3:-1}"
}

# What the caller's shell says about other projects must not steer this one.
compose() {
  env -u COMPOSE_FILE -u COMPOSE_PROFILES docker compose -p "$PROJECT" --project-directory "$STACK_DIR" -f "$STACK_DIR/compose.yaml" "$@"
}

# The container's id, or nothing. Usage: service_container SERVICE
service_container() {
  docker ps -q --filter "label=com.docker.compose.project=$PROJECT" --filter "label=com.docker.compose.service=$1" \
    --filter label=com.docker.compose.oneoff=False | head -n 1
}

# psql inside the database container, as the superuser. Usage: db_psql DATABASE [psql arguments]
db_psql() {
  local database="$1" container
  shift
  container="$(service_container db)"
  [[ -n "$container" ]] || fail "the database is not running" "scripts/lab/up"
  docker exec -i "$container" psql -X -q -v ON_ERROR_STOP=1 -U "$DB_USER" -d "$database" "$@"
}

# Runs a command that talks too much, and shows what it said only when it fails.
quietly() {
  local log code=0
  log="$(mktemp)"
  "$@" </dev/null >"$log" 2>&1 || code=$?
  ((code == 0)) || tail -n 30 "$log" >&2
  rm -f "$log"
  return "$code"
}

# Usage: wait_for SECONDS COMMAND…
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# One lab script at a time in a lab directory: two resets at once would leave neither state.
lab_lock() {
  mkdir -p "$TG_LAB_DIR"
  exec 9>"$TG_LAB_DIR/lock"
  flock -n 9 && return
  say "waiting for another lab script"
  flock 9
}
