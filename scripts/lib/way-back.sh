# shellcheck shell=bash
# The names are used by the scripts that source this file.
# shellcheck disable=SC2034
# The way back, shared by upgrade and rollback: old images, and the database as it was if the
# migration changed it. Every step can be repeated, so a killed way back is walked again from its
# beginning.

WAY_BACK_PROBLEM=
WAY_BACK_HINT=

# go_back [--accept-data-loss]
go_back() {
  local status=0
  tool_to_the_end tg-migrate abort || {
    stuck "a migrator could not be ended" $?
    return 1
  }
  tool_to_the_end tg-swap stop || {
    stuck "the application could not be stopped" $?
    return 1
  }
  database_back "$@" || return 1
  tool_to_the_end tg-swap rollback --to-run "$RUN" || {
    stuck "the old images could not be started" $?
    return 1
  }
  tool_to_the_end tg-health "--wait=${WAIT:-5m}" --expect-version "$FROM" || status=$?
  [[ $status -eq 0 ]] || {
    stuck "$FROM was started but did not become healthy" "$status"
    return 1
  }
}

database_back() {
  local status=0
  tool_to_the_end tg-migrate changed || status=$?
  case $status in
  0) ;;
  "$EXIT_NO") return 0 ;;
  *)
    stuck "nobody can tell whether the migration changed the database" "$status"
    return 1
    ;;
  esac
  status=0
  tool_to_the_end tg-backup restore --run "$RUN" "$@" || status=$?
  [[ $status -eq 0 ]] && return 0
  stuck "the database could not be put back" "$status"
  if [[ $status -eq $EXIT_REFUSED ]]; then
    WAY_BACK_PROBLEM="the new release has written rows that would be lost"
    WAY_BACK_HINT="to lose them run: $PROCEDURE --accept-data-loss${TO:+ $TO}"
  fi
  return 1
}

stuck() { # PROBLEM STATUS
  WAY_BACK_PROBLEM="$1 (exit code $2)"
  WAY_BACK_HINT="mend what stands above, then run the same command again: it goes on with the way back"
}
