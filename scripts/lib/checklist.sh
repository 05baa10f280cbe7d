# shellcheck shell=bash
# The names are used by the scripts that source this file.
# shellcheck disable=SC2034
# A list of verdicts, each from a tool's own answer. The worst one is the exit code. Sourced, never run.

WORST=0
NOES=0
FIRST_NO=
FIRST_CURE=

# The columns of the list: VERDICT NAME REASON.
columns() { printf '%-8s %-13s %s' "$@"; }

# One line of the list: NAME VERDICT REASON [HINT] [EXIT]. A verdict is ok, note, accepted, no or refused.
verdict() {
  emit record "$(columns "$2" "$1" "$3")${4:+$'\n'$(printf '%-22s cure: %s' '' "$4")}" \
    "$(jq -cn --arg check "$1" --arg verdict "$2" --arg reason "$3" --arg hint "${4:-}" --argjson exit "${5:-null}" \
      '{kind: "check", check: $check, verdict: $verdict, reason: $reason, hint: (if $hint == "" then null else $hint end), exit: $exit}')"
}

# A line that says no: NAME STATUS REASON [HINT]. What can't be reached weighs more than what is refused, and that more than a no.
deny() {
  local verdict=no
  [[ $2 -ne $EXIT_REFUSED ]] || verdict=refused
  verdict "$1" "$verdict" "$3" "${4:-}" "$2"
  NOES=$((NOES + 1))
  [[ $NOES -gt 1 ]] || FIRST_NO=$3 FIRST_CURE=${4:-}
  case $2 in
  "$EXIT_ENVIRONMENT" | "$EXIT_LOCKED") WORST=$2 ;;
  "$EXIT_REFUSED") [[ $WORST -ge $EXIT_ENVIRONMENT ]] || WORST=$2 ;;
  *) [[ $WORST -ne 0 ]] || WORST=$EXIT_NO ;;
  esac
}

# What helps where a tool names no cure.
declare -A CURES=()

# The line of a tool that has just answered: NAME STATUS. Its yes is ok; its no stands in the list, with its cure.
judge() { if [[ $2 -eq 0 ]]; then verdict "$1" ok "$REASON" '' 0; else deny "$1" "$2" "$REASON" "${HINT:-${CURES[$1]:-}}"; fi; }

# A line from a tool's answer: NAME COMMAND...
check() {
  local name=$1 status=0
  shift
  ask "$@" || status=$?
  judge "$name" "$status"
}

# The same, where a no has been accepted by name: ACCEPTED NAME COMMAND...
check_unless() {
  local accepted=$1 name=$2 status=0
  shift 2
  [[ -n $accepted ]] || {
    check "$name" "$@"
    return
  }
  ask "$@" || status=$?
  if [[ $status -eq 0 ]]; then judge "$name" 0; else verdict "$name" accepted "$REASON" '' "$status"; fi
}

# What says no, in one sentence.
noes() { if [[ $NOES -eq 1 ]]; then echo "$FIRST_NO"; else echo "$NOES checks say no, the first: $FIRST_NO"; fi; }

# Hands records of the tool that was asked last on, as lines of this list: FILTER of jq's.
hand_on() {
  if text_wanted; then
    jq -r "select(.type == \"record\") | select($1).msg" "$LINES"
  else
    jq -c --arg tool "$PROCEDURE" "select(.type == \"record\") | select($1) | .tool = \$tool" "$LINES"
  fi
}

# Whether one of its records is so: FILTER of jq's.
found() { jq -es "any(.[]; .type == \"record\" and ($1))" "$LINES" >/dev/null; }
