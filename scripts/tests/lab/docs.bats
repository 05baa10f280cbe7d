#!/usr/bin/env bats
# The commands that docs/procedures.md and docs/recovery.md show, run as they stand there.
# bats file_tags=long

bats_require_minimum_version 1.5.0
load helper

# The console lines of a chapter of a document, as a person in a checkout would type them. Usage: shown DOCUMENT CHAPTER
shown() {
  sed -n "/^## $2\$/,/^## /p" "$SCRIPTS/../docs/$1" | sed -n '/^```console$/,/^```$/s/^\$ //p' | sed -E "s/ +#.*//; s#^tg-(preflight|rehearse|upgrade|rollback|maintain)#$SCRIPTS/\\1#"
}

# The same of what stands before the first chapter.
shown_first() { sed '/^## /q' "$SCRIPTS/../docs/$1" | sed -n '/^```console$/,/^```$/s/^\$ //p' | sed -E 's/ +#.*//'; }

# Runs them; each ends with 0 but for those that are named. Usage: follows DOCUMENT CHAPTER [LINE-NUMBER:CODE...]
follows() {
  local line number=0 code exception
  while IFS= read -r -u 4 line; do
    number=$((number + 1)) code=0
    for exception in "${@:3}"; do [[ $exception != "$number:"* ]] || code=${exception#*:}; done
    gives "$code" bash -c "$line"
  done 4< <(shown "$1" "$2")
  [[ $number -gt 0 ]] || { echo "no commands in $2 of $1"; return 1; }
}

@test "procedures.md: before, without downtime, back" {
  # The rehearsal has made the proven backup that the checklist wants.
  follows procedures.md Before
  gives 0 "$SCRIPTS/upgrade-zero-downtime" --baseline-for 10s --canary-for 10s --watch-for 10s --slower 4 1.5.0
  serves 1.5.0
  # The first takes the upgrade back; then there is nothing that a second one could.
  follows procedures.md Back 2:3
  serves 1.4.0
}

@test "procedures.md: in a window, a new major version, the schedule" {
  follows procedures.md "In a window"
  serves 1.5.0
  # The code in the document is of other notes.
  follows procedures.md "A new major version" 1:6 2:6
  serves 1.5.0
  gives 0 tg-backup create --verify
  now=$(date -d '-1 hour' +%H:%M)-$(date -d '+1 hour' +%H:%M)
  run --separate-stderr bash -c "$(shown procedures.md "The schedule" | sed "s/02:00-05:00/$now/; s/\$/ || [[ \$? -eq 1 ]]/")"
  [[ $status -eq 0 ]] || { echo "$output" | tail -n 3; echo "$stderr"; return 1; }
}

@test "recovery.md: what to look at first, and what is left when the tools are gone" {
  gives 0 "$SCRIPTS/upgrade" 1.4.1
  while IFS= read -r -u 4 line; do
    gives 0 bash -c "$line"
    # What is read out of a file is no output of a tool.
    [[ $line == tg-* ]] || rm "$KEPT/$CALLS.jsonl"
  done 4< <(shown_first recovery.md)
  bash -c "$(shown recovery.md "The tools themselves are gone" | head -n 1)"
  bash -c "$(shown recovery.md "The tools themselves are gone" | tail -n 1 | sed 's/-U postgres/-U terragnos -d postgres/; s/exec db/exec -T db/')"
}
