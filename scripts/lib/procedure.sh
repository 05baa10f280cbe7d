# shellcheck shell=bash
# The names are used by the scripts that source this file.
# shellcheck disable=SC2034
# What the procedures share: their lines of output, their lock, their memory, and how they call a
# tool. Sourced, never run. A procedure branches on exit codes alone; jq only reads a result.

# Exit codes, the same as the tools'.
readonly EXIT_NO=1 EXIT_USAGE=2 EXIT_UNCHANGED=3 EXIT_UNDONE=4 EXIT_STUCK=5 EXIT_REFUSED=6
readonly EXIT_ENVIRONMENT=10 EXIT_LOCKED=11 EXIT_DEADLINE=124 EXIT_INTERRUPTED=130 EXIT_TERMINATED=143

COMMAND=${0##*/}         # as it is typed: what an installed one is called begins with tg-
PROCEDURE=${COMMAND#tg-} # on every line
# One that is a step of another is called as that one was.
PREFIX=${TG_PREFIX-${COMMAND%"$PROCEDURE"}}
COMMAND=$PREFIX$PROCEDURE
export TG_PREFIX=$PREFIX
SCRIPTS=$(dirname "$(readlink -f "$0")")
APART=()
PROJECT_FLAGS=() # -C, -f, -p, --env-file and --state-dir, handed on to every tool
ARGUMENTS=()
DRY_RUN=
RUN=
STATE_DIR=
UNFINISHED=null
STARTED=
INTERRUPTED=0
# Of the tool that ran last: the sentence of its result, its cure, and its lines in a file.
REASON=
HINT=
LINES=

say() { printf '%s: %s\n' "$PROCEDURE" "$*" >&2; }

# Ends the procedure: the reason and the cure for a person, the result for a machine.
fail() { # CODE MESSAGE [HINT]
  local code=$1 message=$2 hint=${3:-}
  say "error: $message"
  [[ -z $hint ]] || say "hint: $hint"
  RUN=${RUN:-$(new_run)}
  emit result "$message" "$(jq -cn --argjson exit "$code" --arg message "$message" --arg hint "$hint" \
    '{ok: false, exit: $exit, error: {code: "procedure", message: $message, hint: (if $hint == "" then null else $hint end), retryable: ($exit == 10 or $exit == 11)}}')"
  exit "$code"
}

text_wanted() {
  case ${TG_FORMAT:-auto} in
  text) true ;;
  json) false ;;
  *) [[ -t 1 ]] ;;
  esac
}

# One line of output, as the tools print theirs: TYPE MESSAGE DATA. A closed stdout is no reason to
# stop half-way.
emit() {
  # What fails before it could say what it is about still begins with a start.
  [[ $1 == start || -n $STARTED ]] || text_wanted || emit start "$PROCEDURE" '{}'
  [[ $1 != start ]] || STARTED=1
  if text_wanted; then
    [[ $1 == result && $3 == *'"ok":false'* ]] || printf '%s\n' "$2" || :
    return 0
  fi
  jq -cn --arg ts "$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)" --arg run "$RUN" --arg tool "$PROCEDURE" \
    --arg type "$1" --arg msg "$2" --argjson data "$3" \
    '{v: 1, ts: $ts, run: $run, tool: $tool, type: $type, msg: $msg, data: $data}' 2>/dev/null || :
}

# Prints the header of a script as its help.
usage() { sed -n '2,/^$/{s/^# \{0,1\}//;s/^Usage: /&'"$PREFIX"'/;p}' "$0"; }

usage_error() { # MESSAGE
  say "error: $1"
  say "hint: $COMMAND --help"
  exit "$EXIT_USAGE"
}

# The value of the option that stands first is in $VALUE.
needs_value() {
  [[ $# -ge 2 ]] || usage_error "$1 needs a value"
  VALUE=$2
  SHIFT=2
}

# An option of the script's own; it says in $SHIFT how many words it was.
option() { return 1; }

# One that is handed on to every tool.
project_option() {
  case $1 in
  -C | -f | -p | --project-directory | --file | --project-name | --env-file | --state-dir)
    needs_value "$@"
    PROJECT_FLAGS+=("$1" "$2")
    ;;
  -q | -v | --quiet | --verbose) PROJECT_FLAGS+=("$1") ;;
  *) usage_error "unknown option $1" ;;
  esac
}

# Reads the command line; what is no option is in $ARGUMENTS.
read_options() {
  while [[ $# -gt 0 ]]; do
    SHIFT=1
    case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    -n | --dry-run) DRY_RUN=1 ;;
    --?*=*)
      set -- "${1%%=*}" "${1#*=}" "${@:2}"
      continue
      ;;
    -?*) option "$@" || project_option "$@" ;;
    *) ARGUMENTS+=("$1") ;;
    esac
    shift "$SHIFT"
  done
}

# The one argument of a procedure that goes to a release is in $TO.
read_release() {
  [[ ${#ARGUMENTS[@]} -eq 1 && -n ${ARGUMENTS[0]} ]] || usage_error "name one release, as its tag in the registry"
  TO=${ARGUMENTS[0]}
}

no_arguments() { [[ ${#ARGUMENTS[@]} -eq 0 ]] || usage_error "unexpected argument ${ARGUMENTS[0]}"; }

require_programs() {
  local program
  for program in jq flock tg-health tg-backup tg-migrate tg-swap tg-vacuum; do
    command -v "$program" >/dev/null || {
      say "error: $program is not in PATH"
      say "hint: make install puts the tools there; jq and flock come from your distribution"
      exit "$EXIT_ENVIRONMENT"
    }
  done
}

# Runs a tool of the project and prints what it says. The lock stays ours alone: a tool that outlives us
# must not keep it, nor what reads its lines.
tool() {
  if [[ -n $DRY_RUN ]]; then would "$*"; else look "$@"; fi
}

would() { emit record "would run ${1#"$SCRIPTS/"}" "$(jq -cn --arg command "${1#"$SCRIPTS/"}" '{kind: "would", command: $command}')"; }

# The same of what changes nothing, in a dry run as well.
look() {
  local status=0
  keep_lines
  TG_FORMAT=json TG_RUN_ID=$RUN "${APART[@]}" "$@" "${PROJECT_FLAGS[@]}" 7>&- 8>&- 9>&- | print_lines 7>&- 8>&- 9>&- || status=${PIPESTATUS[0]}
  read_reason "$status"
  return "$status"
}

# The same, out of reach of Ctrl-C: a way back is walked to its end.
tool_to_the_end() {
  local APART=(setsid --wait)
  tool "$@"
}

# A step, once more while something that it needs can't be reached: an engine or a database that is away now may be
# back in a moment. Within --wait; a signal ends it. Usage: patiently COMMAND...
patiently() {
  local status=0 end pause=1
  end=$((SECONDS + $(whole_seconds "${WAIT:-5m}")))
  while :; do
    status=0
    "$@" || status=$?
    [[ $status -eq "$EXIT_ENVIRONMENT" && $(answer .data.error.retryable) == true ]] || return "$status"
    [[ $SECONDS -lt $end && ($INTERRUPTED -eq 0 || $1 == tool_to_the_end) ]] || return "$status"
    say "$REASON: trying again"
    sleep "$pause" || :
    pause=$((pause < 8 ? pause * 2 : 8))
  done
}

# The same for a step of a way back, which is walked to its end. Usage: to_the_end COMMAND...
to_the_end() { patiently tool_to_the_end "$@"; }

# A duration as the tools take it, such as 90s, 5m or 1h 30m; five minutes where it is none, which the tools tell.
whole_seconds() {
  local left=${1// /} sum=0 unit
  while [[ $left =~ ^([0-9]+)(ms|s|sec|m|min|h)([0-9].*)?$ ]]; do
    case ${BASH_REMATCH[2]} in ms) unit=0 ;; s | sec) unit=1 ;; m | min) unit=60 ;; h) unit=3600 ;; esac
    sum=$((sum + 10#${BASH_REMATCH[1]} * unit)) left=${BASH_REMATCH[3]}
  done
  if [[ -n $left || -z $1 ]]; then echo 300; else echo "$sum"; fi
}

# Runs a tool for its answer alone, in a dry run as well; its lines are in the file $LINES.
ask() {
  local status=0
  keep_lines
  TG_FORMAT=json TG_RUN_ID=$RUN "$@" "${PROJECT_FLAGS[@]}" >"$LINES" 2>"$LINES.err" 7>&- 8>&- 9>&- || status=$?
  read_reason "$status"
  believed "$status"
}

# A yes counts only where its result is there and says the same: a full disk may have taken it. Usage: believed STATUS
believed() {
  [[ $1 -eq 0 ]] || return "$1"
  [[ $(answer '.data.exit | tostring') == 0 ]] || {
    REASON="what it said could not be read back" HINT="free disk space where TMPDIR is, then run the same command again"
    return "$EXIT_ENVIRONMENT"
  }
}

# What a tool said last, by a filter of jq's.
answer() { tail -n 1 "$LINES" | jq -r "$1 // empty" 2>/dev/null || :; }

keep_lines() {
  [[ -n $LINES ]] || {
    LINES=$(mktemp)
    trap 'rm -f "$LINES" "$LINES".*' EXIT
  }
  : >"$LINES"
  rm -f "$LINES.err"
}

read_reason() { # STATUS
  REASON=$(answer '.data.error.message // .msg')
  HINT=$(answer .data.error.hint)
  # Wrong usage is told on stderr alone.
  [[ -n $REASON || ! -s $LINES.err ]] || REASON=$(sed -n 's/^[a-z-]*: error: //p' "$LINES.err" | head -n 1)
  REASON=${REASON:-exit code $1}
}

# Lines as they come: for machines as they are, for people as sentences. Nothing that is sent to us ends this early.
print_lines() {
  trap '' INT TERM HUP PIPE
  if text_wanted; then
    tee "$LINES" | jq -r --unbuffered '
      def took: if .data.duration_ms then " (\(.data.duration_ms / 100 | round / 10) s)" else "" end;
      if .type == "step" then (if .data.state | endswith("started") then empty else "\(.msg): \(.data.state | gsub("_"; " "))\(took)" end)
      # A warning has been told on stderr.
      elif .type == "progress" or .type == "start" or .type == "warning" then empty
      elif .type == "result" and .data.ok == false then empty
      else .msg end'
  else
    tee "$LINES"
  fi 2>/dev/null
}

# Where the project keeps its state, and what a killed procedure left there.
read_state() {
  local status=0 result
  result=$(
    TG_FORMAT=json tg-swap status "${PROJECT_FLAGS[@]}" | jq -c 'select(.type == "result").data'
    exit "${PIPESTATUS[0]}"
  ) || status=$?
  if [[ $status -gt $EXIT_NO ]]; then
    PROBLEM=$(jq -r '.error.message // "tg-swap status failed"' <<<"$result")
    fail "$status" "the project can't be read: $PROBLEM"
  fi
  PROJECT_STATE=$result
  STATE_DIR=$(jq -r .state_dir <<<"$result")
  UNFINISHED=$(jq -c .unfinished <<<"$result")
  LAST_CHANGE=$(jq -r '.undoable_run // empty' <<<"$result")
  RUNNING=$(jq -r '.running // 0' <<<"$result")
  VERSION_NOW=$(jq -r '.version // empty' <<<"$result")
}

# An upgrade that was killed before it stopped anything has changed nothing: it binds nobody.
unfinished_changed_something() { [[ $UNFINISHED != null && $(unfinished phase) != prepare ]]; }

unfinished() { jq -r ".$1 // empty" <<<"$UNFINISHED"; }

new_run() { date -u "+%Y%m%dT%H%M%SZ-$(printf '%04x' $((RANDOM * 2 + RANDOM % 2)))"; }

# Who holds a lock, by the file that is locked.
lock_holder() { jq -r '"\(.tool) (pid \(.pid), run \(.run)) since \(.since) on \(.host)"' "$1" 2>/dev/null || echo "another tg tool"; }

# Writes who holds it into a lock that is held: DESCRIPTOR FILE.
sign_lock() {
  truncate -s 0 "$2"
  jq -cn --arg tool "$PROCEDURE" --argjson pid $$ --arg host "$(uname -n)" --arg run "$RUN" \
    --arg since "$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)" '{tool: $tool, pid: $pid, host: $host, run: $run, since: $since}' >&"$1"
}

# One change at a time. The lock is a file that tells who holds it; it goes with the process.
take_lock() {
  [[ -z $DRY_RUN ]] || return 0
  (umask 077 && mkdir -p "$STATE_DIR" && : >>"$STATE_DIR/lock")
  exec 9<>"$STATE_DIR/lock"
  flock --nonblock 9 || fail "$EXIT_LOCKED" "$(lock_holder "$STATE_DIR/lock") holds the project's lock" "wait until it ends"
  sign_lock 9 "$STATE_DIR/lock"
  take_shared_lock
  # What was read before the lock may be old: the file is the truth.
  UNFINISHED=$(cat "$STATE_DIR/procedure.json" 2>/dev/null || echo null)
}

# The project is one on its engine: another directory of the same project has the same lock.
take_shared_lock() {
  local lock
  lock=$(jq -r '.lock // empty' <<<"$PROJECT_STATE")
  [[ -n $lock ]] || return 0
  [[ ! -L $lock ]] || fail "$EXIT_ENVIRONMENT" "$lock is a link, and no lock of ours" "remove it"
  exec 7<>"$lock" || fail "$EXIT_ENVIRONMENT" "$lock can't be opened" "set TG_LOCK_DIR to a directory that you may write"
  flock --nonblock 7 || fail "$EXIT_LOCKED" "$(lock_holder "$lock") holds the project's lock, in another directory" "wait until it ends"
  sign_lock 7 "$lock"
}

# Remembers, across a power cut, which phase has begun: PHASE FROM TO.
remember() {
  [[ -z $DRY_RUN ]] || return 0
  PHASE=$1
  local new=$STATE_DIR/.procedure.$$
  (umask 077 && jq -cn --arg procedure "$PROCEDURE" --arg run "$RUN" --arg from "$2" --arg to "$3" --arg phase "$1" \
    --arg since "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '{v: 1, procedure: $procedure, run: $run, from: $from, to: $to, phase: $phase, since: $since}' >"$new")
  sync "$new"
  mv "$new" "$STATE_DIR/procedure.json"
  sync "$STATE_DIR"
}

forget() {
  [[ -z $DRY_RUN ]] || return 0
  rm -f "$STATE_DIR/procedure.json"
  sync "$STATE_DIR"
}

# The history, but for a line that a full disk or a power cut has left half-written.
history_lines() { jq -cR 'fromjson? | objects' "$STATE_DIR/history.jsonl" 2>/dev/null || :; }

# A line of the history: ACTION FACTS.
record_history() {
  [[ -z $DRY_RUN ]] || return 0
  # Behind half a line it would be lost with that.
  [[ -z $(tail -c 1 "$STATE_DIR/history.jsonl" 2>/dev/null) ]] || echo >>"$STATE_DIR/history.jsonl"
  (umask 077 && jq -cn --arg ts "$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)" --arg run "$RUN" --arg tool "$PROCEDURE" --arg action "$1" \
    --arg user "${SUDO_USER:-${USER:-}}" --arg host "$(uname -n)" --argjson facts "$2" \
    '{v: 1, ts: $ts, run: $run, tool: $tool, action: $action, user: (if $user == "" then null else $user end), host: $host} + $facts' >>"$STATE_DIR/history.jsonl")
  sync "$STATE_DIR/history.jsonl"
}

# Ctrl-C and SIGTERM are remembered; the step that runs ends first, then the procedure decides.
listen_to_signals() {
  trap 'INTERRUPTED=$EXIT_INTERRUPTED' INT
  trap 'INTERRUPTED=$EXIT_TERMINATED' TERM
  trap '' HUP PIPE
}

milliseconds() { date +%s%3N; }

# Milliseconds for people.
seconds() { printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }
