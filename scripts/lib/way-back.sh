# shellcheck shell=bash
# The names are used by the scripts that source this file.
# shellcheck disable=SC2034
# The way back, shared by upgrade and rollback: old images, and the database as it was if the
# migration changed it. Every step can be repeated, so a killed way back is walked again from its
# beginning.

WAY_BACK_PROBLEM=
WAY_BACK_HINT=
# How long it took, and the application's part of it, ms.
WAY_BACK_MS=null
APPLICATION_BACK_MS=null
# What else the operator may want, where rows that were written are kept.
POINT_OFFERED=
# What could hold it up was asked already.
WAY_BACK_ASKED=
# Before it was ever walked: stopping and starting an application that boots in about two seconds.
readonly APPLICATION_BACK_RULE_MS=6000

# How long the way back would take: the database's part as tg-backup plans it, the application's as it was the last time.
# A line of the checklist (checklist.sh).
predict_way_back() {
  local database application prediction
  database=$(TG_FORMAT=json TG_RUN_ID=$RUN tg-backup plan "${PROJECT_FLAGS[@]}" 2>/dev/null 7>&- 9>&- |
    jq -rs 'map(select(.type == "result"))[-1].data.back_by_point_ms // empty') || database=
  [[ -n $database ]] || return 0
  application=$(history_lines | jq -s 'map(.application_back_ms | values)[-1]')
  prediction=$(jq -cn --argjson database "$database" --argjson application "$application" --argjson rule "$APPLICATION_BACK_RULE_MS" \
    '{kind: "way-back", ms: (($application // $rule) + $database), database_ms: $database, application_ms: ($application // $rule), measured: ($application != null)}')
  emit record "$(columns note "way back" "$(jq -r '
    def seconds: . / 100 | round / 10 | tostring + " s";
    "about \(.ms | seconds): database \(.database_ms | seconds), application \(.application_ms | seconds) "
    + if .measured then "as the last time" else "by a rule of thumb" end' <<<"$prediction")")" "$prediction"
}

# go_back [--accept-data-loss]
go_back() {
  local begun
  begun=$(milliseconds)
  DATABASE_BACK_MS=0
  walk_back "$@" || return
  WAY_BACK_MS=$(($(milliseconds) - begun))
  APPLICATION_BACK_MS=$((WAY_BACK_MS - DATABASE_BACK_MS))
}

walk_back() {
  local begun serving=
  to_the_end tg-migrate abort || {
    stuck "a migrator could not be ended" $?
    return 1
  }
  database_can_come_back "$@" || {
    WAY_BACK_PROBLEM+="; nothing was stopped"
    return 1
  }
  to_the_end tg-swap stop || {
    stuck "the application could not be stopped" $?
    return 1
  }
  if [[ $(answer .data.changed) == true || ${PHASE:-} == undo-served ]]; then serving=1; fi
  begun=$(milliseconds)
  database_back "$@" || {
    [[ -z $serving ]] || serve_again "$DATABASE_STATUS"
    return 1
  }
  DATABASE_BACK_MS=$(($(milliseconds) - begun))
  to_the_end tg-swap rollback --to-run "$RUN" || {
    stuck "the old images could not be started" $?
    # Its API alone, rather than nothing.
    ! to_the_end tg-swap rollback --role api --to-run "$RUN" || WAY_BACK_PROBLEM+="; its API was started, its workers were not"
    return 1
  }
  well_again
}

# What would hold the way back up is known before anything is stopped for it.
database_can_come_back() { # [--accept-data-loss]
  local status=0
  [[ -z $WAY_BACK_ASKED ]] || return 0
  database_was_changed || status=$?
  [[ $status -ne "$EXIT_NO" ]] || return 0
  [[ $status -eq 0 ]] || return 1
  to_the_end tg-backup restore --dry-run --run "$RUN" "$@" || status=$?
  [[ $status -eq 0 ]] || {
    database_stuck "$status"
    return 1
  }
}

# What the way back has stopped and can't replace serves again, where the database is as that left it: STATUS of what failed.
serve_again() {
  case $1 in
  "$EXIT_UNCHANGED" | "$EXIT_UNDONE" | "$EXIT_REFUSED" | "$EXIT_ENVIRONMENT" | "$EXIT_LOCKED" | "$EXIT_DEADLINE") ;;
  *) return 0 ;;
  esac
  # First the API: workers that can't be started shall not keep it down.
  to_the_end tg-swap start --role api || {
    WAY_BACK_PROBLEM+="; and what ran could not be started again: $REASON"
    return 0
  }
  WAY_BACK_PROBLEM+="; what ran was started again"
  to_the_end tg-swap start || WAY_BACK_PROBLEM+=", without its workers: $REASON"
}

# Back to the old instances without stopping anything: what is in hand is given up, what was swapped is swapped back.
flip_back() {
  to_the_end tg-swap abort || {
    stuck "the swap could not be given up" $?
    return 1
  }
  # Where nothing was swapped, nothing was recorded.
  [[ ! -r $STATE_DIR/runs/$RUN/before.json ]] || to_the_end tg-swap rollback --to-run "$RUN" || {
    stuck "the old images could not be started" $?
    return 1
  }
  well_again
}

# What ran before is well.
well_again() {
  local status=0
  to_the_end tg-health "--wait=$WAIT" --expect-version "$FROM" || status=$?
  [[ $status -eq 0 ]] || {
    stuck "$FROM was started but did not become healthy" "$status"
    return 1
  }
}

# Whether the migration changed it; 1 where it did not.
database_was_changed() {
  local status=0
  to_the_end tg-migrate changed || status=$?
  [[ $status -le "$EXIT_NO" ]] || stuck "nobody can tell whether the migration changed the database" "$status"
  return "$status"
}

database_back() {
  DATABASE_STATUS=0
  database_was_changed || {
    DATABASE_STATUS=$?
    [[ $DATABASE_STATUS -eq "$EXIT_NO" ]] || return
    undo_what_a_start_did
    return
  }
  to_the_end tg-backup restore --run "$RUN" "$@" || DATABASE_STATUS=$?
  [[ $DATABASE_STATUS -eq 0 ]] && return 0
  database_stuck "$DATABASE_STATUS"
  return 1
}

# The migration changed nothing, but a release that migrates when it starts may have: the database itself is compared with
# the rollback point. The point comes back where no row would be lost by that, and is offered where some would.
undo_what_a_start_did() {
  [[ ${PHASE:-} == undo-served || $PROCEDURE == rollback ]] || return 0
  to_the_end tg-backup restore --run "$RUN" --if-changed || DATABASE_STATUS=$?
  case $DATABASE_STATUS in
  # Without a point there is nothing to compare with.
  0 | "$EXIT_NO" | "$EXIT_UNCHANGED") ;;
  "$EXIT_REFUSED")
    POINT_OFFERED="rows were written since the rollback point of this run, and are kept; to have the database as it was instead: tg-backup restore --run $RUN --accept-data-loss"
    say "$POINT_OFFERED"
    ;;
  *)
    database_stuck "$DATABASE_STATUS"
    return 1
    ;;
  esac
}

database_stuck() { # STATUS
  stuck "the database could not be put back" "$1"
  if [[ $1 -eq $EXIT_REFUSED ]]; then
    WAY_BACK_PROBLEM="the new release has written rows that would be lost"
    WAY_BACK_HINT="to lose them run: $COMMAND --accept-data-loss${TO:+ $TO}"
  fi
}

stuck() { # PROBLEM STATUS
  WAY_BACK_PROBLEM="$1 (exit code $2): $REASON"
  WAY_BACK_HINT="mend what stands above, then run the same command again: it goes on with the way back"
}
