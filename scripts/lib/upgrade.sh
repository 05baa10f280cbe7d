# shellcheck shell=bash
# The names are used by the scripts that source this file.
# shellcheck disable=SC2034
# What both ways to upgrade share: their options, how one that was killed goes on, and how a failure is told.

TO=
FROM=
PHASE=
RESUMED=
WAIT=5m
PREFLIGHT=() # what is handed on to it
ACCEPT_DATA_LOSS=()
DATABASE=() # --accept X, of tg-migrate's gate

upgrade_option() {
  case $1 in
  --accept-data-loss) ACCEPT_DATA_LOSS=(--accept-data-loss) ;;
  --wait) needs_value "$@" && WAIT=$VALUE ;;
  --accept-major) accept major ;;
  --accept) needs_value "$@" && accept "$VALUE" ;;
  --guide-read) needs_value "$@" && GUIDE_READ=$VALUE && PREFLIGHT+=("$1" "$VALUE") ;;
  --window) needs_value "$@" && PREFLIGHT+=("$1" "$VALUE") ;;
  *) return 1 ;;
  esac
}

# Some are the preflight's own, the others tg-swap's as well.
accept() {
  PREFLIGHT+=(--accept "$1")
  case $1 in
  unhealthy | no-backup | unrehearsed) ;;
  empty-database | other-database) DATABASE+=(--accept "$1") ;;
  configuration) OTHERS_MOVE=1 ;;
  no-guide) NO_GUIDE=1 ;;
  *) ACCEPT+=(--accept "$1") ;;
  esac
}

# Everything that is to be known before the first step. No impact yet.
begin() {
  read_options "$@"
  read_release
  require_programs
  RUN=${TG_RUN_ID:-$(new_run)}
  read_state
  begin_or_resume
  take_lock
  begin_or_resume
  [[ -z $PHASE ]] || RESUMED=1
  [[ -z $PHASE ]] || say "going on with run $RUN, which ended in phase $PHASE"
  listen_to_signals
  emit start "upgrading from $FROM to $TO" "$(jq -cn --arg from "$FROM" --arg to "$TO" --arg phase "$PHASE" '{from: $from, to: $to, resumed_in: (if $phase == "" then null else $phase end)}')"
  [[ -z $PHASE ]] || return 0
  if [[ $FROM == "$TO" ]] && tg-swap status "${PROJECT_FLAGS[@]}" >/dev/null; then
    emit result "$TO runs already" '{"ok":true,"exit":0,"changed":false}'
    exit 0
  fi
}

# Goes on with what a killed upgrade to the same release left, or begins anew.
begin_or_resume() {
  if [[ $UNFINISHED == null ]] || { [[ $(unfinished to) != "$TO" ]] && ! unfinished_changed_something; }; then
    FROM=$VERSION_NOW
    return 0
  fi
  if [[ $(unfinished procedure) != "$PROCEDURE" || $(unfinished to) != "$TO" ]]; then
    # The other way to the same release is free to begin where nothing was changed.
    ! unfinished_changed_something || fail "$EXIT_REFUSED" "$(unfinished procedure) to $(unfinished to) has not ended" \
      "run $PREFIX$(unfinished procedure) $(unfinished to) again, or ${PREFIX}rollback"
    FROM=$VERSION_NOW
    return 0
  fi
  RUN=$(unfinished run)
  FROM=$(unfinished from)
  PHASE=$(unfinished phase)
}

# The release as it is known once its image is here: its own variables too.
check_again() {
  local missing='.data.code == "variable-missing"'
  ask tg-swap plan --to "$TO" "${ACCEPT[@]}" || return
  found "$missing" || return 0
  REASON=$(told "$missing" msg) HINT=$(told "$missing" cure)
  return "$EXIT_NO"
}

# Nothing has been changed yet: a failure here is only told.
early() {
  local status=0
  "$@" || status=$?
  if [[ $status -eq 0 && $INTERRUPTED -ne 0 ]]; then status=$INTERRUPTED REASON="interrupted"; fi
  [[ $status -eq 0 ]] || stop_early "$status" "$REASON" "$HINT"
}

stop_early() { # STATUS REASON [HINT]
  local status=$1
  forget
  record_history upgrade "$(facts failed "$status" "$2")"
  case $status in
  "$EXIT_NO" | "$EXIT_USAGE" | "$EXIT_UNDONE" | "$EXIT_STUCK" | 13[789]) status=$EXIT_UNCHANGED ;;
  esac
  fail "$status" "not upgraded to $TO, and nothing was changed: $2" "${3:-}"
}

# A tool and its verb, without the flags.
step_name() {
  local word words=()
  for word in "$@"; do
    [[ $word != -* ]] || break
    words+=("${word##*/}")
  done
  echo "${words[*]}"
}

# A file of this run.
run_file() {
  (umask 077 && mkdir -p "$STATE_DIR/runs/$RUN")
  echo "$STATE_DIR/runs/$RUN/$1"
}

# Runs the second of two commands while the first goes on; what it says comes afterwards, so that lines nest.
# Usage: beside FIRST-FUNCTION SECOND-FUNCTION
beside() {
  local first=0 second=0 pid aside reason hint
  [[ -z $DRY_RUN ]] || {
    "$1" && "$2"
    return
  }
  aside=$(run_file aside)
  ! text_wanted || local TG_FORMAT=text
  aside "$2" "$aside" &
  pid=$!
  "$1" || first=$?
  reason=$REASON hint=$HINT
  wait_for "$pid" || second=$?
  cat "$aside" 2>/dev/null || :
  cat "$aside.err" >&2
  if [[ $first -eq 0 && $second -ne 0 ]]; then
    { read -r reason && read -r hint; } <"$aside.reason" || :
  fi
  rm -f "$aside" "$aside".*
  REASON=$reason HINT=$hint
  return $((first != 0 ? first : second))
}

# A command whose output and whose reason are kept: FUNCTION FILE.
aside() {
  local status=0
  LINES=
  "$1" >"$2" 2>"$2.err" || status=$?
  printf '%s\n' "${REASON//$'\n'/ }" "${HINT//$'\n'/ }" >"$2.reason"
  return "$status"
}

# A signal ends `wait`, and not what is waited for.
wait_for() { # PID
  local status=0
  while :; do
    status=0
    wait "$1" || status=$?
    kill -0 "$1" 2>/dev/null || return "$status"
  done
}
