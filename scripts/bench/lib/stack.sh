# shellcheck shell=bash
# Summary: the bench's Compose projects: files, database, and a fresh set of instances before each measurement.
# Usage: sourced by scripts/bench/swap after lib/common.sh

# The lab's own HAProxy, with slots for many instances. Usage: write_balancer NAME-TO-LOOK-UP
write_balancer() {
  mkdir -p "$STACK_DIR/haproxy"
  sed -e 's/ tg 1-20 / tg 1-100 /' -e "s/ api:3000 / $1:3000 /" "$LAB_SRC/stack/haproxy/haproxy.cfg" >"$STACK_DIR/haproxy/haproxy.cfg"
  if ! grep -q " tg 1-100 " "$STACK_DIR/haproxy/haproxy.cfg" || ! grep -q " $1:3000 " "$STACK_DIR/haproxy/haproxy.cfg"; then
    fail "the lab's haproxy.cfg has changed" "adapt write_balancer in scripts/bench/lib/stack.sh"
  fi
  : >"$STACK_DIR/haproxy/servers.state"
}

# Usage: write_bench_env MANNER
write_bench_env() {
  (umask 077 && printf '%s\n' "TERRAGNOS_VERSION=$OLD" "ON_SIGTERM=$1" "LB_PORT=$LB_PORT" "LB_STATS_PORT=$LB_STATS_PORT" \
    "POSTGRES_PASSWORD=$(<"$STACK_DIR/secrets/db_password")" >"$STACK_DIR/.env")
}

set_version() { sed -i "s/^TERRAGNOS_VERSION=.*/TERRAGNOS_VERSION=$1/" "$STACK_DIR/.env"; }

begin_database() {
  say "making a database of the lab's size"
  mkdir -p "$STACK_DIR"
  write_secrets
  write_bench_env polite
  cp "$BENCH_SRC/stack/compose.yaml" "$STACK_DIR/"
  start_database
  quietly compose run --rm -T --no-deps db-setup || fail "db-setup failed"
  db_psql "$DATABASE" <"$LAB_SRC/seed.sql"
}

# Everything but the database goes; nothing of an earlier measurement is left to help or to hinder.
clear_stage() {
  local service
  for service in api lb; do
    containers_of "$PROJECT" --filter "label=com.docker.compose.service=$service" | xargs -r docker rm -fv >/dev/null
  done
  rm -rf "$STACK_DIR/.tg"
}

# Two instances at OLD behind the balancer. Usage: set_stage MANNER
set_stage() {
  clear_stage
  write_bench_env "$1"
  write_balancer api
  cp "$BENCH_SRC/stack/compose.yaml" "$STACK_DIR/"
  quietly compose up -d || fail "the stack did not start" "docker compose logs, in $STACK_DIR"
  wait_for 60 checked_servers 2 || fail "the instances did not get ready" "docker compose logs api lb, in $STACK_DIR"
}
