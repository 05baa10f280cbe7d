# shellcheck shell=bash
# Summary: one backup after another by different programs, timed; the way back; what is claimed of both.
# Usage: sourced by scripts/bench/backup after lib/common.sh and lib/table.sh

SERVER=tg-lab-pg17-db-1
SERVER_DIR="$TG_LAB_DIR/pg17"
BENCH_DATABASE=bench

server_psql() { docker exec -i "$SERVER" psql -X -q -At -v ON_ERROR_STOP=1 -U "$DB_USER" "$@"; }

drop_bench_database() {
  server_psql -d postgres -c "DROP DATABASE IF EXISTS $BENCH_DATABASE WITH (FORCE)" >/dev/null 2>&1 || :
  rm -rf "$WORK/backups" "$WORK/dump" "$WORK/state"
}

# Usage: make_bench_database GIGABYTES
make_bench_database() {
  say "making a database of $1 GB"
  drop_bench_database
  server_psql -d postgres -c "CREATE DATABASE $BENCH_DATABASE"
  server_psql -v "gigabytes=$1" -d "$BENCH_DATABASE" <"$BENCH_SRC/backup.sql" >/dev/null
  DATABASE_BYTES="$(server_psql -d postgres -c "SELECT pg_database_size('$BENCH_DATABASE')")"
  (umask 077 && printf 'postgres://%s:%s@db:5432/%s' "$DB_USER" "$(<"$SERVER_DIR/secrets/db_password")" "$BENCH_DATABASE" >"$WORK/url")
}

# PostgreSQL's own clients as a careful person runs them: from the server's image, beside it, into a mounted directory.
# Usage: own_client PROGRAM [ARGUMENT…]
own_client() {
  mkdir -p "$WORK/dump"
  docker run --rm --network "container:$SERVER" -v "$WORK/dump:/backup" -e PGHOST=127.0.0.1 -e "PGUSER=$DB_USER" \
    -e "PGPASSWORD=$(<"$SERVER_DIR/secrets/db_password")" "$(docker inspect -f '{{.Image}}' "$SERVER")" "$@"
}

# Usage: tg_backup [ARGUMENT…]
tg_backup() {
  exec tg-backup -q -C "$SERVER_DIR" --database-url-file "$WORK/url" --backup-dir "$WORK/backups" --state-dir "$WORK/state" "$@"
}

back_up() {
  case "$1" in
  pg_dump_dir) own_client pg_dump -Fd -j2 -Z zstd:1 -f /backup/d "$BENCH_DATABASE" ;;
  pg_dump_custom) own_client pg_dump -Fc -f /backup/d "$BENCH_DATABASE" ;;
  basebackup) own_client pg_basebackup -D /backup/d -Ft -Xfetch --checkpoint=fast --compress=server-zstd:1 ;;
  tg_count) (tg_backup create) ;;
  tg_full) (tg_backup create --tables-hash full) ;;
  esac
}

# Looking takes a processor a moment, so it is done where no time counts.
# Usage: watched COMMAND…
watched() {
  local pid
  "$@" >/dev/null &
  pid=$!
  peak_memory "$pid" >>"$WORK/memory" &
  wait "$pid"
}

# Usage: measure_backup ROUND WAY
measure_backup() {
  local begun took bytes
  rm -rf "$WORK/dump" "$WORK/backups"
  mkdir -p "$WORK/dump" "$WORK/backups"
  # Nobody pays for what another has written.
  sync
  begun="$(now_ms)"
  back_up "$2" >/dev/null || fail "$2 failed"
  took=$(($(now_ms) - begun))
  bytes="$(du -sb "$WORK/dump" "$WORK/backups" 2>/dev/null | awk '{ sum += $1 } END { print sum }')"
  say "round $1: $2: $took ms"
  jq -cn --argjson round "$1" --arg way "$2" --argjson ms "$took" --argjson bytes "$bytes" '{$round, $way, $ms, $bytes}' >>"$WORK/rows.jsonl"
}

measure_memory() {
  rm -rf "$WORK/backups"
  watched tg_backup create --tables-hash full
}

# A proof, a restore and a rollback point, once each.
measure_way_back() {
  local what
  rm -rf "$WORK/backups"
  (tg_backup create --verify) >"$WORK/verified"
  for what in "restore --latest" "commit" "point create" "restore --latest" "commit"; do
    # shellcheck disable=SC2086
    (tg_backup $what) | tail -n 1 | jq -c --arg what "$what" '{what: $what, data: .data}' >>"$WORK/way-back.jsonl" || fail "$what failed"
  done
}

print_backups() {
  printf '\nA database of %s MB, each backed up %s times in turn; medians of the times, and of the ratios inside each round\n\n' "$((DATABASE_BYTES / 1000000))" "$ROUNDS"
  jq -L "$BENCH_SRC/lib" -rs '
    include "median";
    def seconds: . / 10 | round / 100;
    (map(select(.way == "pg_dump_dir")) | INDEX(.round)) as $base
    | {pg_dump_dir: "pg_dump -Fd -j2 -Z zstd:1", tg_count: "tg-backup create", tg_full: "tg-backup create --tables-hash full",
       pg_dump_custom: "pg_dump -Fc", basebackup: "pg_basebackup -Ft, server-zstd:1"} as $names
    | (["way", "", "s", "of pg_dump -Fd", "MB", "each s"] | @tsv),
      (group_by(.way) | sort_by(map(.ms) | median)[] | (map(.ms) | median) as $ms
        | [$names[.[0].way], "", ($ms | seconds), (map(.ms / $base[.round | tostring].ms) | median | . * 100 | round / 100), (.[0].bytes / 1000000 | round),
           (map(.ms | seconds | tostring) | join(" "))] | @tsv)' "$WORK/rows.jsonl" | aligned
  jq -rs '
    map(select(.type == "result"))[0].data.verification
    | "\nproven by tg-backup create --verify: \(.tables) tables, \(.rows) rows; restored in \(.restore_ms / 1000) s, compared in \(.read_ms / 1000) s"' "$WORK/verified"
}

# What the documents claim, against this run.
judge_backups() {
  jq -L "$BENCH_SRC/lib" -rs --slurpfile back "$WORK/way-back.jsonl" --argjson memory "$(sort -n "$WORK/memory" | tail -n 1)" '
    include "median";
    # What else the machine does is in both of one round, and not the same in two.
    def ratio($a; $b): group_by(.round) | map(INDEX(.way) | .[$a].ms / .[$b].ms) | median;
    def claim($words; $value; $holds): "\(if $holds then "holds" else "DOES NOT HOLD" end): \($words): \($value)";
    def hundredths: . * 100 | round / 100;
    ratio("tg_count"; "pg_dump_dir") as $same | ratio("pg_dump_custom"; "tg_count") as $faster
    | ($back | map(select(.what == "restore --latest").data)) as [$dump, $point]
    | "",
      claim("with hashes, manifest and counts at most 1.10 x pg_dump -Fd -j2 of the same codec"; $same | hundredths; $same <= 1.10),
      claim("at least 2.5 x faster than pg_dump -Fc"; $faster | hundredths; $faster >= 2.5),
      claim("memory of tg-backup under 30 MB"; "\($memory / 1000 | round) MB"; $memory < 30000),
      claim("a restore closes connections for less than 200 ms"; "\($dump.closed_ms) ms, after \($dump.duration_ms / 1000) s of restoring and comparing"; $dump.closed_ms < 200),
      claim("a rollback point is back in less than 1 s"; "\($point.duration_ms) ms, \($point.closed_ms) ms of it closed"; $point.duration_ms < 1000)' \
    "$WORK/rows.jsonl" | tee "$WORK/claims"
  ! grep -q '^DOES NOT HOLD' "$WORK/claims"
}
