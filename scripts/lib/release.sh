# shellcheck shell=bash
# The names are used by the scripts that source this file.
# shellcheck disable=SC2034,SC2153
# What is looked at before the application goes to a release. Needs checklist.sh.

ACCEPT=() # --accept X, of tg-swap's
GUIDE_READ=
NO_GUIDE=
OTHERS_MOVE=

# The release, its notes, what they say of a new major version, and the configuration that it wants: TO.
check_release() {
  local status=0 reason hint needs
  ask tg-swap plan --to "$1" "${ACCEPT[@]}" || status=$?
  reason=$REASON hint=$HINT needs=$(answer '.data.needs // [] | map("--accept " + .) | join(" ")')
  hand_on '.data.kind == "release-notes"'
  hand_on '.data.kind == "finding" and .data.severity != "info"'
  if [[ $status -eq 0 ]]; then
    verdict release ok "$reason" '' 0
  else
    [[ -z $needs ]] || hint="decide, then pass: $needs"
    deny release "$status" "$reason" "$hint"
  fi
  check_guide "$1"
  check_configuration
}

# A new major version wants its guide read: the notes have a fingerprint, which is known to who has seen them.
check_guide() {
  local fingerprint
  found '.data.code == "major"' || return 0
  if ! found '.data.kind == "release-notes"'; then
    [[ -z $NO_GUIDE ]] || {
      verdict guide accepted "there are no release notes" '' 0
      return
    }
    deny guide "$EXIT_REFUSED" "$1 is a new major version, and there are no release notes" \
      "put them where x-tg: release_notes says; or pass --accept no-guide"
    return
  fi
  fingerprint=$(jq -c 'select(.data.kind == "release-notes").data.notes' "$LINES" | sha256sum | cut -c 1-8)
  if [[ $GUIDE_READ == "$fingerprint" ]]; then
    verdict guide ok "the notes up to $1 have been read" '' 0
  else
    deny guide "$EXIT_REFUSED" "$1 is a new major version: its notes and its migration guide, above, are to be read" \
      "do what they say, then pass: --guide-read $fingerprint"
  fi
}

# By the findings of the plan that was asked for last.
check_configuration() {
  local missing='.data.code == "variable-missing"' others='.data.code == "model-differs" and .data.severity == "warning"'
  if found "$missing"; then
    deny configuration "$EXIT_NO" "$(told "$missing" msg)" "$(told "$missing" cure)"
  elif [[ -z $OTHERS_MOVE ]] && found "$others"; then
    # A worker under a name that nobody has said goes on working while the database is copied.
    deny configuration "$EXIT_NO" "$(told "$others" msg)" "name those of the application under x-tg: api, worker; or pass --accept configuration"
  elif found '.data.code == "model-differs" or .data.code == "drift"'; then
    verdict configuration note "the findings above say what differs" '' 0
  else
    verdict configuration ok "nothing that the release wants is missing" '' 0
  fi
}

# What findings say: FILTER KEY.
told() { jq -rs "map(select($1).data.$2) | unique | join(\"; \")" "$LINES"; }
