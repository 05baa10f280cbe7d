# shellcheck shell=bash
# Summary: what the example's scripts share: its names, its images, its files, its database.
# Usage: . "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

EXAMPLE_SRC="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
# shellcheck source=../lib/common.sh
. "$EXAMPLE_SRC/../lib/common.sh"
# shellcheck source=../lib/apt.sh
. "$LAB_SRC/lib/apt.sh"
# shellcheck source=../lib/images.sh
. "$LAB_SRC/lib/images.sh"
# shellcheck source=../lib/registry.sh
. "$LAB_SRC/lib/registry.sh"
# shellcheck source=../lib/stack.sh
. "$LAB_SRC/lib/stack.sh"

# From here on the lab's own helpers work on the example's project; the registry is the lab's.
PROJECT=tg-example
STACK_DIR="$TG_LAB_DIR/example"
DATABASE=reservations
DB_USER=booker
REPOSITORY=example/bookings
RELEASES=(v2.3.0 v2.4.0 v2.4.1 v2.5.0)
PUBLISHED="$REGISTRY_DIR/example-hash"
PROXY_PORT="${PROXY_PORT:-$(saved PROXY_PORT 8080)}"
PROXY_ADMIN_PORT="${PROXY_ADMIN_PORT:-$(saved PROXY_ADMIN_PORT 9998)}"

# psql inside the database container, as the superuser. Usage: postgres_psql DATABASE [psql arguments]
postgres_psql() {
  docker exec -i "$(service_container postgres)" psql -X -q -v ON_ERROR_STOP=1 -U "$DB_USER" -d "$@"
}

releases_hash() {
  inputs_hash "$EXAMPLE_SRC/releases" "$(image_hash tg-lab/python:trixie)" "${RELEASES[@]}"
}

are_published() {
  local release
  [[ "$(cat "$PUBLISHED" 2>/dev/null)" == "$(releases_hash)" ]] || return 1
  for release in "${RELEASES[@]}"; do
    [[ -n "$(tag_digest "$release")" ]] || return 1
  done
}

# Each release is the one before it, and what its own directory adds or replaces.
publish_releases() {
  local work release image
  are_published && return
  rm -f "$PUBLISHED"
  work="$(mktemp -d)"
  for release in "${RELEASES[@]}"; do
    say "publishing $REPOSITORY $release"
    cp -R "$EXAMPLE_SRC/releases/$release/." "$work/"
    image="$REGISTRY/$REPOSITORY:$release"
    if ! build_image --build-arg "RELEASE=$release" -t "$image" "$work" || ! quietly docker push "$image"; then
      fail "$REPOSITORY $release could not be published"
    fi
  done
  rm -rf "$work"
  releases_hash >"$PUBLISHED"
  forget_releases
}

# Also under the names that tg keeps them by; what runs stays. A pull must be a pull.
forget_releases() {
  docker images --format '{{.Repository}}:{{.Tag}}' "$REGISTRY/$REPOSITORY" | xargs -r docker rmi >/dev/null 2>&1 || true
}

# The project as a user would have it, at the first release.
write_files() {
  local text
  mkdir -p "$STACK_DIR"
  cp -R "$EXAMPLE_SRC/stack/." "$STACK_DIR/"
  : >"$STACK_DIR/haproxy/servers.state"
  text="$(<"$EXAMPLE_SRC/env.template")"
  text="${text//@REGISTRY@/$REGISTRY}"
  text="${text//@PASSWORD@/$(random_hex 20)}"
  text="${text//@PROXY_PORT@/$PROXY_PORT}"
  text="${text//@PROXY_ADMIN_PORT@/$PROXY_ADMIN_PORT}"
  (umask 077 && printf '%s\n' "$text" >"$STACK_DIR/.env")
}

# Files, containers and data go together; only a directory that was written here goes.
remove_example() {
  remove_project
  forget_releases
  [[ ! -f "$STACK_DIR/haproxy/haproxy.cfg" ]] || rm -rf "$STACK_DIR"
}
