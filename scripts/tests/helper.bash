# Shared by the quick tests of the procedures: stub tools in front of PATH, and their log.

setup() { stubs; }

stubs() {
  STUB=$BATS_TEST_TMPDIR/stub
  mkdir -p "$STUB"/{bin,exit,hook,lines,state}
  export STUB
  local tool
  for tool in tg-health tg-backup tg-migrate tg-swap tg-vacuum; do
    ln -s "$BATS_TEST_DIRNAME/stub/tool" "$STUB/bin/$tool"
  done
  export PATH=$STUB/bin:$PATH TG_FORMAT=json
  unset TG_RUN_ID
  SCRIPTS=$BATS_TEST_DIRNAME/..
  echo 1.4.0 >"$STUB/version"
}

# exits TOOL-WORD CODE
exits() { echo "$2" >"$STUB/exit/$1"; }

# hook TOOL-WORD COMMANDS: run before the stub says anything.
hook() {
  printf '#!/bin/sh\n%s\n' "$2" >"$STUB/hook/$1"
  chmod +x "$STUB/hook/$1"
}

# What was called, in order, without what only asks.
calls() {
  grep -v -e --dry-run -e '^health *$' -e '^migrate preflight' -e '^migrate rehearsed' -e '^migrate snapshot' -e '^swap plan' -e '^backup check' -e '^backup databases' \
    -e '^health review' "$STUB/calls" | sed 's/ *$//'
}

# refute_called PATTERN...: a function, because bash lets a failing `! command` pass.
refute_called() {
  local pattern
  for pattern in "$@"; do
    if grep -e "$pattern" "$STUB/calls"; then return 1; fi
  done
}

# before RUN VERSION: what tg-swap would have recorded.
before() {
  mkdir -p "$STUB/state/runs/$1"
  jq -cn --arg version "$2" '{services: [{name: "api", version: $version, image_id: ("sha256:" + $version)}]}' >"$STUB/state/runs/$1/before.json"
}

last_result() { jq -rs "map(select(.type == \"result\"))[-1].$1" <<<"$output"; }

history_of() { jq -r "select(.tool == \"$1\") | .$2" "$STUB/state/history.jsonl"; }

assert_equal() {
  [[ $1 == "$2" ]] || {
    diff <(echo "$2") <(echo "$1") | sed 's/^</expected:/; s/^>/but was: /'
    return 1
  }
}
