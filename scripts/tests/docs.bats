#!/usr/bin/env bats
# The documents say what is so: each command in them is known by its program, each file that they link to is there, and each procedure
# explains itself. What is run on real parts from docs/procedures.md is in lab/docs.bats.

bats_require_minimum_version 1.5.0

setup_file() {
  REPO=$(readlink -f "$BATS_TEST_DIRNAME/../..")
  export REPO
  cd "$REPO"
  cargo build --quiet --workspace
  PATH=${CARGO_TARGET_DIR:-$REPO/target}/debug:$PATH
  export PATH
}

setup() { cd "$REPO"; }

# The commands that the console blocks of a document show, one a line, without comments, places and what they are piped to.
commands_of() {
  sed -n '/^```console$/,/^```$/s/^\$ //p' "$1" | sed -E 's/ +#.*//; s/ (&&|\|\||\|) /\n/g; s/\\$//' |
    sed -E "s/ '[^']*'/ X/g; s/ (<|>)[^ ]+//g" | grep -E '^(tg-|scripts/(preflight|rehearse|upgrade|rollback|maintain))' || :
}

# A procedure by the name under which it is installed, or in the checkout.
words_to_run() {
  local name=${1%% *} rest=''
  [[ $1 != *' '* ]] || rest=${1#* }
  case $name in
  tg-health | tg-backup | tg-migrate | tg-swap | tg-vacuum) echo "$1" ;;
  scripts/*) echo "$1" ;;
  *) echo "scripts/${name#tg-} $rest" ;;
  esac
}

@test "every command in README and docs has words that its program knows" {
  local document line count=0
  for document in README.md docs/*.md; do
    while IFS= read -r line; do
      count=$((count + 1))
      # shellcheck disable=SC2046
      run bash -c 'set -f; "$@" --help >/dev/null' _ $(words_to_run "$line")
      [[ $status -eq 0 ]] || {
        echo "$document: $line"
        echo "$output"
        return 1
      }
    done < <(commands_of "$document")
  done
  [[ $count -gt 50 ]] || { echo "$count commands"; return 1; }
  # Words that are not known are seen.
  run ! tg-swap status --no-such-option --help
  run ! scripts/upgrade --no-such-option --help
}

@test "every place that a document links to is there" {
  local document link
  for document in *.md docs/*.md scripts/*/README.md; do
    for link in $(grep -oE '\]\([^)#]+' "$document" | sed 's/](//' | grep -v '://'); do
      [[ -e $(dirname "$document")/$link ]] || { echo "$document: $link"; return 1; }
    done
  done
}

@test "every procedure explains itself, knows the release of its help, and refuses what it does not know" {
  local procedure
  for procedure in $(sed -n '/^PROCEDURES/,/[^\\]$/s/PROCEDURES := //; /^PROCEDURES/,/[^\\]$/p' Makefile | sed 's/PROCEDURES := //' | tr -d '\\' | tr ' ' '\n' | sort -u); do
    run -0 "scripts/$procedure" --help
    [[ $output == *"Summary: "*"Usage: $procedure "*"Exit codes: "* ]] || { echo "$procedure"; return 1; }
    run -2 "scripts/$procedure" --no-such-option
    grep -q "\"$procedure\"" tg-core/tests/contract.rs
    grep -q "$procedure" scripts/tg.mk
  done
}

@test "every exit code of the contract stands in the table" {
  local code
  for code in 0 1 2 3 4 5 6 10 11 124 130; do grep -qE "^\| $code[ ,]" docs/exit-codes.md; done
}
