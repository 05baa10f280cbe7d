# shellcheck shell=bash
# Summary: PostgreSQL servers beside the stack: a small Compose project for each major version.
# Usage: sourced after lib/common.sh, lib/images.sh and lib/stack.sh

POSTGRES_MAJORS=(15 17 18 19)

check_majors() {
  local major
  for major in "$@"; do
    postgres_suite "$major" >/dev/null || fail "the lab has no PostgreSQL '$major'" "it has ${POSTGRES_MAJORS[*]}" 2
  done
}

# What lib/common.sh and lib/stack.sh do to the stack, done to a server's project.
# Usage: in_server MAJOR FUNCTION [ARGUMENT…]
in_server() {
  local PROJECT="$PROJECT-pg$1" STACK_DIR="$TG_LAB_DIR/pg$1"
  shift
  "$@"
}

# Usage: write_server MAJOR
write_server() {
  local options="-c max_prepared_transactions=10"
  # Incremental backups need it; 17 is the first to know it.
  (($1 < 17)) || options+=" -c summarize_wal=on"
  mkdir -p "$STACK_DIR"
  write_secrets db_password
  cp "$LAB_SRC/postgres-stack/compose.yaml" "$STACK_DIR/"
  printf '%s\n' "POSTGRES_MAJOR=$1" "POSTGRES_OPTIONS=$options" >"$STACK_DIR/.env"
}

# Usage: start_server MAJOR
start_server() {
  # Names are the same for every checkout, and a new directory has a new password: what is left of another server goes.
  [[ -s "$STACK_DIR/secrets/db_password" && -z "$(foreign_directory || true)" ]] || remove_project
  write_server "$1"
  start_database
  say "up: PostgreSQL $1 ($STACK_DIR)"
}

remove_servers() {
  local major
  for major in "$@"; do
    in_server "$major" remove_project
  done
}

# Only a directory that the lab has written.
remove_own_directory() {
  [[ ! -f "$STACK_DIR/compose.yaml" ]] || rm -rf "$STACK_DIR"
}

remove_server_files() {
  local major
  for major in "$@"; do
    in_server "$major" remove_own_directory
  done
}
