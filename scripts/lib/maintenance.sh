# shellcheck shell=bash
# The names are used by the scripts that source this file.
# shellcheck disable=SC2034
# What the procedures of the schedule share: their lock, their reports, their summary. Needs checklist.sh.

WAIT_LOCK=
BACKUP_MAX_AGE=7d

maintenance_option() {
  case $1 in
  --wait-lock) needs_value "$@" && WAIT_LOCK=$(in_seconds "$VALUE") ;;
  --backup-max-age) needs_value "$@" && BACKUP_MAX_AGE=$VALUE ;;
  *) return 1 ;;
  esac
}

# A duration as 90s, 5m, 2h.
in_seconds() {
  [[ $1 =~ ^([0-9]+)([smh])$ ]] || usage_error "a time to wait is written as 90s, 5m or 2h"
  case ${BASH_REMATCH[2]} in
  s) echo "${BASH_REMATCH[1]}" ;;
  m) echo $((BASH_REMATCH[1] * 60)) ;;
  h) echo $((BASH_REMATCH[1] * 3600)) ;;
  esac
}

# Usage: begin_maintenance TITLE. One at a time, beside whatever else is done to the project: an upgrade need
# not wait for a review.
begin_maintenance() {
  no_arguments
  require_programs
  RUN=${TG_RUN_ID:-$(new_run)}
  read_state
  emit start "$1" '{}'
  [[ -z $DRY_RUN ]] || return 0
  take_maintenance_lock
  trap 'stop_maintenance $EXIT_INTERRUPTED' INT
  trap 'stop_maintenance $EXIT_TERMINATED' TERM
}

# Somebody wants it to end: the tool that runs gets the signal too, and ends what it is at. CODE.
stop_maintenance() {
  trap '' INT TERM
  WORST=$1 NOES=1 FIRST_NO="stopped by a signal before it was done" FIRST_CURE="run it again: what is done already comes last"
  end_maintenance
}

take_maintenance_lock() {
  local lock=$STATE_DIR/maintenance.lock
  (umask 077 && mkdir -p "$STATE_DIR/reports")
  (umask 077 && : >>"$lock")
  exec 8<>"$lock"
  flock --timeout "${WAIT_LOCK:-0}" 8 ||
    fail "$EXIT_LOCKED" "$(lock_holder "$lock") is at work" "wait until it ends, or let this one wait: --wait-lock 2h"
  sign_lock 8 "$lock"
}

# A page of this run. Usage: report_file SUFFIX
report_file() { echo "$STATE_DIR/reports/$PROCEDURE-$(date +%Y-%m-%d).$1"; }

# What a review found that needs attention, and where its page is: FILE.
show_review() {
  [[ -z $DRY_RUN ]] || return 0
  hand_on '.data.severity == "attention"'
  [[ ! -s $1 ]] || emit record "page: $1" "$(jq -cn --arg file "$1" '{kind: "page", file: $file}')"
}

# A verdict of a tool that is shown while it works: NAME COMMAND...
do_and_check() {
  local name=$1 status=0
  shift
  tool "$@" || status=$?
  [[ -z $DRY_RUN ]] || return 0
  judge "$name" "$status"
}

# The same of one that only asks.
check_if_real() {
  if [[ -n $DRY_RUN ]]; then would "${*:2}"; else check "$@"; fi
}

# The summary, the line of the history that maintain-status looks for, and the exit code.
end_maintenance() {
  [[ -z $DRY_RUN ]] || {
    emit result "dry run: nothing was done" '{"ok":true,"exit":0,"changed":false}'
    exit 0
  }
  local outcome=succeeded
  [[ $WORST -eq 0 ]] || outcome=failed
  record_history maintain "$(jq -cn --arg outcome "$outcome" --argjson exit "$WORST" --argjson noes "$NOES" '{outcome: $outcome, exit: $exit, noes: $noes}')"
  [[ $WORST -eq 0 ]] || fail "$WORST" "$(noes)" "${FIRST_CURE:-do what the cures say}"
  emit result "all is well" '{"ok":true,"exit":0}'
}
