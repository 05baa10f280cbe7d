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
  local begun
  tool_to_the_end tg-migrate abort || {
    stuck "a migrator could not be ended" $?
    return 1
  }
  tool_to_the_end tg-swap stop || {
    stuck "the application could not be stopped" $?
    return 1
  }
  begun=$(milliseconds)
  database_back "$@" || return 1
  DATABASE_BACK_MS=$(($(milliseconds) - begun))
  tool_to_the_end tg-swap rollback --to-run "$RUN" || {
    stuck "the old images could not be started" $?
    return 1
  }
  well_again
}

# Back to the old instances without stopping anything: what is in hand is given up, what was swapped is swapped back.
flip_back() {
  tool_to_the_end tg-swap abort || {
    stuck "the swap could not be given up" $?
    return 1
  }
  # Where nothing was swapped, nothing was recorded.
  [[ ! -r $STATE_DIR/runs/$RUN/before.json ]] || tool_to_the_end tg-swap rollback --to-run "$RUN" || {
    stuck "the old images could not be started" $?
    return 1
  }
  well_again
}

# What ran before is well.
well_again() {
  local status=0
  tool_to_the_end tg-health "--wait=$WAIT" --expect-version "$FROM" || status=$?
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
    WAY_BACK_HINT="to lose them run: $COMMAND --accept-data-loss${TO:+ $TO}"
  fi
  return 1
}

stuck() { # PROBLEM STATUS
  WAY_BACK_PROBLEM="$1 (exit code $2): $REASON"
  WAY_BACK_HINT="mend what stands above, then run the same command again: it goes on with the way back"
}
