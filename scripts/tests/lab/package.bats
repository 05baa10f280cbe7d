#!/usr/bin/env bats
# The package on a clean Debian 12 and 13 with systemd running, from apt install to apt purge. Debug builds: what they need of a
# system is the same. The lab's stack is not needed.

bats_require_minimum_version 1.5.0

SUITES=(bookworm trixie)

setup_file() {
  REPO=$(readlink -f "$BATS_TEST_DIRNAME/../../..")
  TREE=$BATS_FILE_TMPDIR/tree
  export REPO TREE PACKAGE_LEVEL=1
  make -C "$REPO" deb tarball PROFILE=dev PACKAGE_DIR="$BATS_FILE_TMPDIR" >"$BATS_FILE_TMPDIR/make" 2>&1 || {
    tail "$BATS_FILE_TMPDIR/make"
    return 1
  }
  dpkg-deb -x "$BATS_FILE_TMPDIR"/tg_*.deb "$TREE"
  "$REPO/scripts/package/test/images" "${SUITES[@]}"
  local suite
  for suite in "${SUITES[@]}"; do
    boot "$suite"
    on "$suite" mkdir -p /srv/terragnos/.tg
    on "$suite" apt-get -qq update
    docker cp -q "$BATS_FILE_TMPDIR"/tg_*.deb "$(container "$suite"):/root/tg.deb"
    files "$suite" >"$BATS_FILE_TMPDIR/$suite.before"
    on "$suite" apt-get install -y -qq --no-install-recommends /root/tg.deb >"$BATS_FILE_TMPDIR/$suite.install" 2>&1 || :
  done
}

teardown_file() {
  local suite
  for suite in "${SUITES[@]}"; do docker rm -f "$(container "$suite")" >/dev/null 2>&1 || :; done
}

container() { echo "tg-lab-package-$1"; }

# Usage: on SUITE COMMAND...
on() { docker exec "$(container "$1")" "${@:2}"; }

# The same of a script on stdin, with the suite in what it says when it fails.
script_on() {
  docker exec -i "$(container "$1")" bash -euo pipefail -s -- "${@:2}" || {
    echo "on $1"
    return 1
  }
}

# Usage: on_each [ARGUMENT...] <SCRIPT
on_each() {
  local suite script
  script=$(cat)
  for suite in "${SUITES[@]}"; do script_on "$suite" "$@" <<<"$script"; done
}

# systemd as in a virtual machine. Debian 13's would refuse the older kind of control groups, which some hosts still have.
boot() { # SUITE
  docker rm -f "$(container "$1")" >/dev/null 2>&1 || :
  docker run -d -t --name "$(container "$1")" --network host --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
    --tmpfs /run --tmpfs /run/lock --cgroupns host -v /sys/fs/cgroup:/sys/fs/cgroup:rw \
    -e container=docker -e SYSTEMD_PROC_CMDLINE=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 "tg-lab/package:$1" >/dev/null
  on "$1" timeout 60 bash -c 'until [[ $(systemctl is-system-running) =~ running|degraded ]]; do sleep 0.2; done'
}

# Everything on the disk but what apt and dpkg write down about themselves, and logs.
files() { # SUITE
  on "$1" find / -xdev \( -path /tmp -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg \) -prune \
    -o -printf '%p %y %l\n' | sort
}

@test "apt installs the package and what it needs on a clean system" {
  local suite
  for suite in "${SUITES[@]}"; do
    [[ $(on "$suite" dpkg-query -W -f '${db:Status-Abbrev}' tg) == "ii " ]] || {
      cat "$BATS_FILE_TMPDIR/$suite.install"
      return 1
    }
  done
  on_each <<'SCRIPT'
jq --version
dpkg --verify tg
[[ $(zcat /usr/share/doc/tg/changelog.gz) == "tg ("*") "* ]]
test -s /usr/share/doc/tg/copyright
test -s /usr/share/tg/role.sql
for tool in tg-backup tg-health tg-migrate tg-swap tg-vacuum; do "$tool" --version; done
SCRIPT
}

@test "the binaries run wherever the C library is that of 2021 or later" {
  local newest
  newest=$(objdump -T "$TREE"/usr/bin/tg-{backup,health,migrate,swap,vacuum} | grep -oP '\bGLIBC_\K[0-9.]+' | sort -Vu | tail -n 1)
  [[ $(printf '%s\n' 2.34 "$newest" | sort -V | tail -n 1) == 2.34 ]]
  dpkg-deb -f "$BATS_FILE_TMPDIR"/tg_*.deb Depends | grep -F "libc6 (>= $newest)"
}

@test "a manual page opens for every command, and says what the command does" {
  on_each <<'SCRIPT'
for command in /usr/bin/tg-*; do
  command=${command##*/}
  page=$(LC_ALL=C.UTF-8 man -P cat "$command" 2>&1 | tr -s ' ')
  [[ $page == *" $command - "* && $page != *troff:* ]]
done
SCRIPT
}

@test "bash completes every command once bash-completion is loaded" {
  on_each <<'SCRIPT'
set +eu
. /usr/share/bash-completion/bash_completion
set -e
load=$(type -t _comp_load >/dev/null && echo _comp_load || echo __load_completion)
for command in /usr/bin/tg-*; do
  "$load" "${command##*/}" || :
  complete -p "${command##*/}"
done
COMP_WORDS=(tg-upgrade --accept-d) COMP_CWORD=1 COMP_LINE='tg-upgrade --accept-d' COMP_POINT=21
_longopt tg-upgrade --accept-d tg-upgrade || :
[[ " ${COMPREPLY[*]} " == *" --accept-data-loss "* ]]
SCRIPT
}

@test "tg-health waits for a page that is there, and gives up on one that is not" {
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  mkdir "$BATS_TEST_TMPDIR/www"
  : >"$BATS_TEST_TMPDIR/www/index.html"
  python3 -m http.server -b 127.0.0.1 -d "$BATS_TEST_TMPDIR/www" "$port" >/dev/null 2>&1 3>&- &
  local server=$! suite
  for suite in "${SUITES[@]}"; do
    run -0 on "$suite" tg-health --wait=5s "http://127.0.0.1:$port/"
    [[ $(tail -n 1 <<<"$output" | jq .data.exit) == 0 ]]
  done
  kill "$server"
  for suite in "${SUITES[@]}"; do run -124 on "$suite" tg-health --wait=1s "http://127.0.0.1:$port/"; done
}

@test "every procedure explains itself under the name that is typed" {
  on_each <<'SCRIPT'
for procedure in /usr/lib/tg/*; do
  [[ -f $procedure && -x $procedure ]] || continue
  [[ $("tg-${procedure##*/}" --help) == *"Usage: "* ]]
done
SCRIPT
}

@test "every verb of tg.mk finds its procedure, whatever a Makefile includes besides" {
  local verb
  printf 'include %s/usr/lib/tg/tg.mk\ninclude /dev/null\n' "$TREE" >"$BATS_TEST_TMPDIR/Makefile"
  cd "$BATS_TEST_TMPDIR"
  for verb in $(make tg-help | awk '{ print $1 }'); do
    run -0 make -n "$verb" TO=1.5.0
    [[ $output != *"$TREE"/* ]] || [[ -x $(grep -o "$TREE/[^ ]*" <<<"$output") ]] || [[ $verb == tg-help ]]
  done
  [[ $(make -n tg-upgrade TO=1.5.0 | tail -n 1) == "$TREE"/usr/lib/tg/upgrade*1.5.0 ]]
}

@test "no timer runs before somebody says so, and systemd finds nothing wrong with them" {
  on_each <<'SCRIPT'
for kind in weekly monthly quarterly security; do
  unit=tg-$kind@srv-terragnos
  [[ $(systemctl is-enabled "$unit.timer") == disabled ]]
  [[ -z $(systemd-analyze verify "$unit.timer" "$unit.service" 2>&1) ]]
done
[[ -z $(systemctl list-timers --all --no-legend 'tg-*') ]]
SCRIPT
}

@test "a maintenance that ends badly is a failed unit" {
  on_each <<'SCRIPT'
if systemctl start tg-weekly@srv-terragnos.service; then exit 1; fi
systemctl list-units --failed --plain --no-legend 'tg-*' | grep '^tg-weekly@srv-terragnos.service '
# There is no project here: what can't be read is 10.
[[ $(systemctl show -P ExecMainStatus tg-weekly@srv-terragnos.service) == 10 ]]
SCRIPT
}

@test "a maintenance that is stopped ends at once, and the monitor is told" {
  local suite
  for suite in "${SUITES[@]}"; do
    docker cp -q "$REPO/scripts/tests/stub/tool" "$(container "$suite"):/srv/tool"
  done
  on_each <<'SCRIPT'
unit=tg-weekly@srv-terragnos.service
mkdir -p /srv/stub/{bin,hook,state} /run/systemd/system/$unit.d
for tool in tg-backup tg-health tg-swap tg-vacuum; do ln -s /srv/tool /srv/stub/bin/$tool; done
echo 1.4.0 >/srv/stub/version
printf '#!/bin/sh\nexec sleep 60\n' >/srv/stub/hook/tg-vacuum-blockers
chmod +x /srv/stub/hook/tg-vacuum-blockers
printf '[Service]\nEnvironment=STUB=/srv/stub PATH=/srv/stub/bin:/usr/bin:/bin\n' >/run/systemd/system/$unit.d/stub.conf
systemctl daemon-reload
systemctl start --no-block $unit
timeout 60 bash -c 'until grep -qs "vacuum blockers" /srv/stub/calls; do sleep 0.1; done'
begun=$SECONDS
systemctl stop $unit
((SECONDS - begun < 30))
[[ $(systemctl show -P ActiveState $unit) =~ ^(inactive|failed)$ ]]
[[ $(jq -r '"\(.tool) \(.exit)"' /srv/stub/state/history.jsonl) == "maintain-weekly 143" ]]
status=0
PATH=/srv/stub/bin:$PATH STUB=/srv/stub tg-maintain-status -C /srv/terragnos --only weekly || status=$?
[[ $status == 1 ]]
rm -r /srv/stub /srv/tool /run/systemd/system/$unit.d
systemctl daemon-reload
systemctl reset-failed $unit || :
SCRIPT
}

@test "a newer package leaves the timers as they were; a removed one leaves none" {
  on_each <<'SCRIPT'
systemctl enable --now tg-weekly@srv-terragnos.timer tg-monthly@srv-terragnos.timer
mkdir -p /etc/systemd/system/tg-monthly@srv-terragnos.service.d
printf '[Service]\nNice=5\n' >/etc/systemd/system/tg-monthly@srv-terragnos.service.d/override.conf
apt-get install -y -qq --reinstall /root/tg.deb >/dev/null 2>&1
systemctl is-active tg-weekly@srv-terragnos.timer tg-monthly@srv-terragnos.timer
apt-get remove -y -qq tg >/dev/null 2>&1
[[ -z $(systemctl list-units --all --plain --no-legend 'tg-*') ]]
[[ $(ls /etc/systemd/system/*.wants) != *tg-* ]]
# A configuration stays until a purge.
test -s /etc/systemd/system/tg-monthly@srv-terragnos.service.d/override.conf
SCRIPT
}

@test "apt purge leaves nothing behind but the projects' own state" {
  local suite
  for suite in "${SUITES[@]}"; do
    on "$suite" apt-get purge -y -qq --autoremove tg >/dev/null 2>&1
    diff "$BATS_FILE_TMPDIR/$suite.before" <(files "$suite")
    on "$suite" test -d /srv/terragnos/.tg
  done
}

@test "make uninstall removes all that make install has put there" {
  local root=$BATS_TEST_TMPDIR/root
  make -C "$REPO" --no-print-directory install PROFILE=dev DESTDIR="$root" prefix=/opt/tg >/dev/null
  [[ -x $root/opt/tg/bin/tg-swap && -L $root/opt/tg/bin/tg-upgrade ]]
  grep -q '^ExecStart=/opt/tg/lib/tg/maintain-weekly ' "$root/opt/tg/lib/systemd/system/tg-weekly@.service"
  make -C "$REPO" --no-print-directory uninstall DESTDIR="$root" prefix=/opt/tg
  [[ -z $(find "$root" ! -type d) ]]
  [[ -z $(find "$root/opt/tg" -mindepth 1 -name '*tg*') ]]
}

@test "a tarball works wherever it is unpacked" {
  mkdir "$BATS_TEST_TMPDIR/here"
  tar -xzf "$BATS_FILE_TMPDIR"/tg-*-linux.tar.gz -C "$BATS_TEST_TMPDIR/here" --strip-components=1
  PATH=$BATS_TEST_TMPDIR/here/bin:/usr/bin:/bin run -0 tg-upgrade --help
  PATH=$BATS_TEST_TMPDIR/here/bin:/usr/bin:/bin run -0 tg-swap --version
  [[ -s $BATS_TEST_TMPDIR/here/share/doc/tg/docs/install.md && -s $BATS_TEST_TMPDIR/here/share/doc/tg/CRATES ]]
}
