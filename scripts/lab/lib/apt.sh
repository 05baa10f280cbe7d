# shellcheck shell=bash
# Summary: Debian's packages, asked for without touching the machine's own package lists.
# Usage: sourced by scripts/lab/engine and lib/images.sh after lib/common.sh

DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
APT_UPDATED=""

is_root() { [[ "$(id -u)" == 0 ]]; }

# TG_LAB_INSTALL=yes|no decides; unset, a person is asked, and without a terminal root goes ahead and says so.
# Usage: may_install WHAT
may_install() {
  local answer
  command -v apt-get >/dev/null || return 1
  is_root || return 1
  case "${TG_LAB_INSTALL:-}" in
  yes) return 0 ;;
  no) return 1 ;;
  '') ;;
  *) fail "TG_LAB_INSTALL is '$TG_LAB_INSTALL'" "set it to yes or no" 2 ;;
  esac
  if [[ -t 0 && -t 2 ]]; then
    read -r -p "lab: install $1 from Debian's packages? [y/N] " answer
    [[ "$answer" == [yY]* ]]
  else
    say "installing $1 from Debian's packages (TG_LAB_INSTALL=no forbids it)"
  fi
}

apt_install() {
  if [[ -z "$APT_UPDATED" ]]; then
    quietly apt-get update -qq || say "some package lists could not be refreshed"
    APT_UPDATED=yes
  fi
  quietly env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# The Debian mirror that this machine already trusts. TG_LAB_MIRROR overrides it, for machines that are not Debian.
debian_mirror() {
  if [[ -n "${TG_LAB_MIRROR:-}" ]]; then
    printf '%s\n' "$TG_LAB_MIRROR"
    return
  fi
  command -v apt-get >/dev/null || return 1
  # The variables are apt's, not the shell's.
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(REPO_URI) $(LABEL) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "Debian" && $3 == "main" { print $1; exit }' | grep .
}

# What this machine's apt does about lists that have expired: a mirror that stands still has such for sid, whose lists last a week.
expiry_setting() {
  apt-config dump --format '%v' Acquire::Check-Valid-Until 2>/dev/null | grep . || echo true
}

# apt on a private set of lists for one Debian release, so that the machine's own sources stay as they are.
# Usage: trixie_apt DIR ARGUMENTS…
trixie_apt() {
  local dir="$1" mirror
  shift
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  if [[ ! -s "$dir/sources.list" ]]; then
    mirror="$(debian_mirror)" || return 1
    printf 'deb [signed-by=%s] %s trixie main\n' "$DEBIAN_KEYRING" "$mirror" >"$dir/sources.list"
  fi
  apt-get -qq -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=/nonexistent \
    -o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root "$@"
}
