# shellcheck shell=bash
# Summary: the lab's Compose project: its files, its database, its containers.
# Usage: sourced after lib/common.sh and lib/images.sh

SEED_SOURCES=("$LAB_SRC/seed.sql" "$LAB_SRC/app/dist/migrations/0001_base.js")

random_hex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# Secrets stay for as long as the lab directory does: the database keeps the password it was made with.
# Usage: write_secrets NAME…
write_secrets() {
  local name
  mkdir -p "$STACK_DIR/secrets"
  chmod 0700 "$STACK_DIR/secrets"
  for name in "$@"; do
    [[ -s "$STACK_DIR/secrets/$name" ]] || (umask 077 && random_hex 20 >"$STACK_DIR/secrets/$name")
  done
}

# The project as a user would have it, at START_VERSION.
write_stack() {
  mkdir -p "$STACK_DIR"
  write_secrets db_password api_token
  cp "$LAB_SRC/stack/compose.yaml" "$STACK_DIR/"
  # The directory itself stays: the balancer has it mounted.
  mkdir -p "$STACK_DIR/haproxy"
  cp "$LAB_SRC/stack/haproxy/haproxy.cfg" "$STACK_DIR/haproxy/"
  : >"$STACK_DIR/haproxy/servers.state"
  rm -rf "$STACK_DIR/docs"
  cp -R "$LAB_SRC/app/docs" "$STACK_DIR/docs"
  write_env
}

# Filled in by the shell itself: an argument of a program could be read in the process list.
write_env() {
  local text
  text="$(<"$LAB_SRC/env.template")"
  text="${text//@REGISTRY@/$REGISTRY}"
  text="${text//@POSTGRES_PASSWORD@/$(<"$STACK_DIR/secrets/db_password")}"
  text="${text//@LB_PORT@/$LB_PORT}"
  text="${text//@LB_STATS_PORT@/$LB_STATS_PORT}"
  (umask 077 && printf '%s\n' "$text" >"$STACK_DIR/.env.new")
  mv "$STACK_DIR/.env.new" "$STACK_DIR/.env"
}

stack_is_there() { [[ -s "$STACK_DIR/compose.yaml" && -s "$STACK_DIR/.env" ]]; }

# Containers of the project and of the lab's images, whatever directory they were started from.
lab_containers() {
  {
    docker ps -aq --filter "label=com.docker.compose.project=$PROJECT"
    docker ps -aq --filter "label=$LABEL"
  } | sort -u
}

foreign_directory() {
  docker ps -a --filter "label=com.docker.compose.project=$PROJECT" \
    --format '{{.Label "com.docker.compose.project.working_dir"}}' | grep -vxF "$STACK_DIR" | head -n 1
}

remove_project() {
  docker ps -aq --filter "label=com.docker.compose.project=$PROJECT" | xargs -r docker rm -fv >/dev/null
  docker volume ls -q --filter "label=com.docker.compose.project=$PROJECT" | xargs -r docker volume rm >/dev/null
  docker network ls -q --filter "label=com.docker.compose.project=$PROJECT" | xargs -r docker network rm >/dev/null
}

take_down() {
  lab_containers | xargs -r docker rm -fv >/dev/null
  remove_project
}

# Names and ports are the same for every checkout, so only one lab can be up.
take_foreign_lab_down() {
  local other
  other="$(foreign_directory || true)"
  [[ -n "$other" ]] || return 0
  say "taking down the lab of $other"
  take_down
}

database_is_healthy() {
  [[ "$(docker inspect -f '{{.State.Health.Status}}' "$(service_container db)" 2>/dev/null)" == healthy ]]
}

start_database() {
  docker ps -q --filter "label=com.docker.compose.project=$PROJECT" --filter status=paused | xargs -r docker unpause >/dev/null
  # Not --wait: it gives up at once on a database that was paused a moment ago.
  if ! quietly compose up -d --quiet-pull db || ! wait_for 90 database_is_healthy; then
    fail "the database did not start" "docker compose logs db, in $STACK_DIR"
  fi
  # A volume that outlived its lab directory was made with another password.
  db_psql postgres <<<"ALTER ROLE $DB_USER PASSWORD '$(<"$STACK_DIR/secrets/db_password")';"
  # Beside the application's database, which need not know of it.
  db_psql postgres <<<'SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS pg_stat_statements;'
}

# Everything of the project but the database: what tests left behind, too.
remove_other_containers() {
  local keep
  keep="$(service_container db)"
  docker ps -aq --filter "label=com.docker.compose.project=$PROJECT" | awk -v keep="$keep" '$0 != keep' |
    xargs -r docker rm -fv >/dev/null
}

seed_hash() { cat "${SEED_SOURCES[@]}" | sha256sum | cut -c 1-16; }

seed_is_there() {
  local comment
  comment="$(db_psql postgres -At <<<"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '$SEED_DATABASE'")"
  [[ "$comment" == "$(seed_hash)" ]]
}

drop_databases() {
  db_psql postgres >/dev/null <<EOF
ALTER SYSTEM RESET ALL;
SELECT pg_reload_conf();
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active;
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
WHERE datname NOT IN ('postgres', 'template0', 'template1', '${1:-}') \gexec
EOF
}

# Usage: clone_database FROM TO. Nobody may be connected to FROM; copying files beats writing pages again.
clone_database() {
  db_psql postgres <<<"CREATE DATABASE $2 TEMPLATE $1 STRATEGY FILE_COPY;"
}

# The data, made once and kept as a database of its own, of which the live one is a copy.
make_seed() {
  say "seeding the database"
  remove_other_containers
  drop_databases
  db_psql postgres <<<"CREATE DATABASE $DATABASE;"
  TERRAGNOS_VERSION="$START_VERSION" quietly compose run --rm -T --no-deps --quiet-pull db-setup || fail "db-setup failed"
  db_psql "$DATABASE" <"$LAB_SRC/seed.sql"
  clone_database "$DATABASE" "$SEED_DATABASE"
  db_psql postgres <<<"COMMENT ON DATABASE $SEED_DATABASE IS '$(seed_hash)';"
}

reset_database() {
  if seed_is_there; then
    drop_databases "$SEED_DATABASE"
    clone_database "$SEED_DATABASE" "$DATABASE"
  else
    make_seed
  fi
}

# Servers that the balancer itself has checked. Usage: checked_servers COUNT
checked_servers() {
  local count
  count="$( (
    exec 3<>"/dev/tcp/127.0.0.1/$LB_STATS_PORT"
    printf 'show stat api 4 -1\n' >&3
    timeout 2 cat <&3
  ) 2>/dev/null | awk -F , '$18 == "UP" && $37 == "L7OK"' | wc -l)"
  ((count >= $1))
}

start_services() {
  local replicas
  quietly compose up -d --quiet-pull --remove-orphans || fail "the stack did not start" "docker compose up -d, in $STACK_DIR"
  replicas="$(compose ps -q api | wc -l)"
  wait_for 60 checked_servers "$replicas" || fail "the api did not get ready" "docker compose logs api lb, in $STACK_DIR"
  curl -fsS -m 5 -o /dev/null "http://127.0.0.1:$LB_PORT/v1/health/ready" || fail "the load balancer does not answer on port $LB_PORT"
}
