#!/usr/bin/env bats
# Everything but restore and rehearse, with the role of docs/role.sql, which is no superuser; the application is none either.

bats_require_minimum_version 1.5.0
load helper
load swap-helper

# The application owns its tables and is no superuser, as in production; tg has a role of its own.
roles() {
  local password
  password=$(cat /proc/sys/kernel/random/uuid)
  {
    echo "CREATE ROLE app LOGIN PASSWORD '$(<secrets/db_password)' NOSUPERUSER; ALTER DATABASE terragnos OWNER TO app; ALTER SCHEMA public OWNER TO app;"
    echo "SELECT format('ALTER %s %I.%I OWNER TO app', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') \\gexec"
  } | "$LAB/psql" -q
  "$LAB/psql" -q -v owner=app -f - <"$SCRIPTS/../docs/role.sql"
  "$LAB/psql" -q <<<"ALTER ROLE tg PASSWORD '$password';"
  (umask 077 && echo "postgres://tg:$password@db:5432/terragnos" >secrets/tg_database_url)
  sed -i 's#postgres://terragnos:#postgres://app:#; s#^  smoke:#  database_url_file: ./secrets/tg_database_url\n  smoke:#' compose.yaml
  docker compose up -d --quiet-pull 2>/dev/null
  tg-health --wait=60s >/dev/null
}

teardown() {
  [[ -z ${LOAD:-} ]] || kill "$LOAD" 2>/dev/null || :
  rm -f secrets/tg_database_url
  "$LAB/reset" 2>/dev/null
  "$LAB/psql" -q -d postgres -c 'DROP OWNED BY tg, app' -c 'DROP ROLE tg, app' || :
}

@test "a role that is no superuser is enough for all that looks, backs up, migrates, swaps and vacuums" {
  roles
  same f "$("$LAB/psql" -Atc "select rolsuper from pg_roles where rolname = 'tg'")"
  load_begins
  # What looks.
  gives 0 tg-health
  "$SCRIPTS/../scripts/lab/psql" -qc 'select pg_stat_reset()' >/dev/null
  run tg-health review --since 1h
  [[ $status -le 1 ]]
  printed '.data.kind == "database" or .data.section == "database" or (.msg | contains("database"))'
  gives 0 tg-migrate preflight
  gives 0 tg-migrate status
  gives 0 tg-migrate snapshot
  gives 0 tg-vacuum blockers
  gives 0 tg-backup plan
  # Backups: made, proven, listed, looked for.
  gives 0 tg-backup create --verify
  gives 0 tg-backup list
  gives 0 tg-backup check --verified --max-age 1h --intact
  # The migration, watched; the swap.
  gives 0 tg-swap pull --to 1.5.0
  gives 0 tg-migrate --to 1.5.0
  printed '.type == "record" and .data.kind == "lock"'
  gives 0 tg-swap --to 1.5.0 --keep 0s --accept unproven
  nothing_failed
  is_alone 1.5.0
  # Maintenance.
  "$LAB/psql" -qc 'update features set name = name where id <= 5000' >/dev/null
  gives 0 tg-vacuum
  printed '.type == "record" and .data.table == "features" and .data.removed >= 5000'
  gives 0 tg-vacuum report
  gives 0 tg-vacuum analyze --missing
  gives 0 tg-vacuum reindex
  gives 0 "$SCRIPTS/maintain-monthly"
}

# bats test_tags=long
@test "a rollback point and an upgrade in a window need no superuser" {
  roles
  gives 0 "$SCRIPTS/upgrade" 1.5.0
  serves 1.5.0
  same 1 "$("$LAB/psql" -Atc "select count(*) from pg_database where datname like 'tg\_point\_%'")"
  gives 0 "$SCRIPTS/rollback" --images-only
  serves 1.4.0
}
