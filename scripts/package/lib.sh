# shellcheck shell=bash
# Shared by the packages: their version, their time, their binaries, and how they fail. Sourced, never run.

REPO_ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)"

# The one of all tools: in [workspace.package].
version() { sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$REPO_ROOT/Cargo.toml"; }

# Seconds since 1970 of what is packed, so that the same source gives the same file.
epoch() { echo "${SOURCE_DATE_EPOCH:-$(git -C "$REPO_ROOT" log -1 --format=%ct 2>/dev/null || stat -c %Y "$REPO_ROOT/Cargo.toml")}"; }

# A release build has no symbols anyway.
strip_binaries() { # BINDIR
  command -v strip >/dev/null || fail "no strip" "apt-get install binutils"
  find "$1" -type f -exec strip --strip-unneeded {} +
}

fail() { # MESSAGE [HINT]
  printf 'package: error: %s\n' "$1" >&2
  [[ -z ${2:-} ]] || printf 'package: hint: %s\n' "$2" >&2
  exit 10
}
