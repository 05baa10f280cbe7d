# shellcheck shell=bash
# Summary: the project of migrations/, one rehearsal for each case, and what came of all of them.
# Usage: sourced by scripts/bench/migrate after lib/common.sh and lib/table.sh

CASES_SRC="$BENCH_SRC/migrations"
CASES_DIR="$TG_LAB_DIR/bench/migrate"
CASES_PROJECT=tg-bench-migrate
ROWS="$TG_LAB_DIR/bench/migrate-rows.jsonl"

cases_compose() { (cd "$CASES_DIR" && docker compose "$@"); }

cases_psql() { docker exec -i "$CASES_PROJECT-db-1" psql -X -q -At -v ON_ERROR_STOP=1 -U app "$@"; }

remove_cases_project() {
  remove_project "$CASES_PROJECT"
  rm -rf "$CASES_DIR"
}

# Usage: make_cases_project MAJOR
make_cases_project() {
  local i
  say "making the project of the cases on PostgreSQL $1"
  remove_cases_project
  mkdir -p "$CASES_DIR"
  ensure_base trixie
  ensure_image tg-lab/node:trixie "$LAB_SRC/images/node" tg-lab/base:trixie
  for i in 1 2; do ensure_image "tg-lab/corpus:$i" "$CASES_SRC" tg-lab/node:trixie --build-arg "RELEASE=$i"; done
  cp "$CASES_SRC/compose.yaml" "$CASES_DIR/"
  (umask 077 && printf 'POSTGRES_MAJOR=%s\nPOSTGRES_PASSWORD=%s\n' "$1" "$(od -An -N 16 -tx1 /dev/urandom | tr -d ' \n')" >"$CASES_DIR/.env")
  quietly cases_compose up -d --wait api db
  cases_psql -d app <"$CASES_SRC/base.sql" >/dev/null
  cases_psql -d postgres -c 'CREATE EXTENSION pg_stat_statements'
  # What the old release does all day, as far as the server counts it.
  for i in 1 2 3; do
    sed 's/$/;/; s/^/BEGIN; /; s/;$/; ROLLBACK;/' "$CASES_SRC/old.sql" | cases_psql -d app >/dev/null
  done
  (cd "$CASES_DIR" && tg-backup -q create --verify) >/dev/null || fail "the base could not be backed up"
  : >"$ROWS"
}

# What a case says of itself. Usage: says NAME KEY DEFAULT
says() {
  local value
  value="$(sed -n "s/^-- $2: //p" "$CASES_SRC/cases/$1.sql" | head -n 1)"
  printf '%s\n' "${value:-$3}"
}

# Usage: rehearse_case NAME
rehearse_case() {
  local code=0 begun out
  begun="$(now_ms)"
  out="$(cd "$CASES_DIR" && CASE="$1" tg-migrate -q rehearse --to 2)" || code=$?
  jq -cs --arg case "$1" --argjson exit "$code" --argjson ms "$(($(now_ms) - begun))" \
    --arg expect "$(says "$1" expect "")" --arg idempotent "$(says "$1" idempotent yes)" --arg convergent "$(says "$1" convergent yes)" \
    --arg rewrites "$(says "$1" rewrites "")" --arg locks "$(says "$1" locks "")" --arg fails "$(says "$1" fails no)" --arg told "$(says "$1" told "")" '
    (map(select(.type == "result"))[0].data) as $result
    | (map(select(.data.kind == "ddl").data)) as $steps
    | {$case, $exit, $ms, $expect, called: ($result.conclusion // $result.error.code // "?"), reason: ($result.reasons[0] // $result.error.message // ""),
       wrong: [
         (if $fails == "no" and $result.idempotent != ($idempotent == "yes") then "idempotent: \($result.idempotent)" else empty end),
         (if $fails == "no" and $result.convergent != null and $result.convergent != ($convergent == "yes") then "convergent: \($result.convergent)" else empty end),
         (if $told != "" and ($result.reasons // [] | map(contains($told)) | any | not) then "not told: \($told)" else empty end),
         (if $rewrites != "" and ([$steps[].rewritten | keys[]] | index($rewrites)) == null then "rewrite not seen" else empty end),
         (if $locks != "" and ([$steps[].locks | to_entries[] | "\(.value) \(.key)"] | index($locks)) == null then "lock not seen" else empty end)]}' \
    <<<"$out" >>"$ROWS"
  tail -n 1 "$ROWS" | jq -r '"\(.case): \(.called) (\(.ms / 1000 | round) s) \(.wrong | join(", "))"' | while read -r line; do say "$line"; done
}

print_cases() {
  printf '\nMigrations, each in one known way, and what a rehearsal called them\n\n'
  jq -rs '(["case", "is", "called", "told wrongly", "because"] | @tsv),
    (sort_by(.expect, .case)[] | [.case, .expect, .called, (.wrong | join(", ")), (.reason | gsub("[\\t\\n]"; " ") | .[0:110])] | @tsv)' "$ROWS" | aligned
}

judge_cases() {
  jq -rs '
    def claim($words; $value; $holds): "\(if $holds then "holds" else "DOES NOT HOLD" end): \($words): \($value)";
    map(select(.expect == "breaking")) as $breaking | map(select(.expect == "compatible")) as $compatible
    | ($breaking | map(select(.called == "broken")) | length) as $caught
    | ($compatible | map(select(.called != "proven" and .called != "no-counterexample")) | length) as $slandered
    | map(select(.wrong != []).case) as $wrong
    | "",
      claim("every breaking one is called broken"; "\($caught) of \($breaking | length)"; $caught == ($breaking | length)),
      claim("at most 5 % of the compatible ones are called broken"; "\($slandered) of \($compatible | length)"; $slandered * 20 <= ($compatible | length)),
      claim("promises, locks and rewrites are told rightly"; "\(length - ($wrong | length)) of \(length)"; $wrong == [])' "$ROWS" | tee "$ROWS.claims"
  ! grep -q '^DOES NOT HOLD' "$ROWS.claims"
}
