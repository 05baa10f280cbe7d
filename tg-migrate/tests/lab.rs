//! The tool against real servers of several versions: with `scripts/lab/postgres 18` up,
//! `TG_LAB_STACK=$PWD/.lab/pg18 cargo test -p tg-migrate --features lab`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod server;

use serde_json::Value;
use server::{Database, USER};

/// One of everything that a catalog holds.
const SCHEMA: &str = r#"
    CREATE SCHEMA "we ird";
    CREATE TYPE "we ird".mood AS ENUM ('good', 'b"ad');
    CREATE DOMAIN "we ird".small AS int CHECK (VALUE < 10);
    CREATE TYPE pair AS (a int, b text);
    CREATE SEQUENCE q INCREMENT 5 MAXVALUE 500 CYCLE;
    CREATE TABLE "we ird"."Tä""ble" (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL DEFAULT 'x',
        twice int GENERATED ALWAYS AS (2 * 2) STORED, m "we ird".mood, s "we ird".small, UNIQUE (name, m), CHECK (name <> ''));
    CREATE INDEX part_of ON "we ird"."Tä""ble" (lower(name)) WHERE m = 'good';
    CREATE TABLE parent (id int, d date NOT NULL) PARTITION BY RANGE (d);
    CREATE TABLE child PARTITION OF parent FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TABLE other (id int PRIMARY KEY, up int);
    ALTER TABLE other ADD FOREIGN KEY (up) REFERENCES other (id) NOT VALID;
    CREATE VIEW v AS SELECT id, name FROM "we ird"."Tä""ble";
    CREATE MATERIALIZED VIEW mv AS SELECT 1 AS one;
    CREATE FUNCTION f(a int, OUT b text) LANGUAGE sql AS 'SELECT a::text';
    CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER tr BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION tr();
    ALTER TABLE other ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mine ON other USING (id > 0);
    CREATE RULE r AS ON DELETE TO child DO INSTEAD NOTHING;
    GRANT SELECT, UPDATE (id) ON other TO PUBLIC;
    CREATE STATISTICS st ON id, up FROM other;
    CREATE EXTENSION IF NOT EXISTS postgis;
"#;

/// The tables of migrators, as each makes them, with a row or two; under names that tell nothing.
const HISTORIES: [(&str, &str, &str); 14] = [
    (
        "Flyway",
        "installed_rank int, version text, description text, type text, script text, checksum int, installed_by text, installed_on timestamp, execution_time int, success boolean",
        "1, '1', 'a', 'SQL', 'f', 1, 'u', now(), 1, false",
    ),
    (
        "Liquibase",
        "id text, author text, filename text, dateexecuted timestamp, orderexecuted int, exectype text, md5sum text, description text, comments text, tag text, liquibase text",
        "'1', 'me', 'f', now(), 1, 'EXECUTED', 'x', '', '', '', ''",
    ),
    ("Liquibase", "id int, locked boolean, lockgranted timestamp, lockedby text", "1, true, now(), 'host'"),
    (
        "Prisma",
        "id text, checksum text, finished_at timestamptz, migration_name text, logs text, rolled_back_at timestamptz, started_at timestamptz, applied_steps_count int",
        "'1', 'x', NULL, '001', '', NULL, now(), 0",
    ),
    ("golang-migrate", "version bigint, dirty boolean", "7, true"),
    (
        "SQLx",
        "version bigint, description text, installed_on timestamptz, success boolean, checksum bytea, execution_time bigint",
        "1, 'a', now(), true, '', 1",
    ),
    ("Knex", "id int, name varchar, batch int, migration_time timestamptz", "1, '001', 1, now()"),
    ("Knex", "index int, is_locked int", "1, 1"),
    ("node-pg-migrate", "id int, name varchar, run_on timestamp", "1, '001', now()"),
    ("TypeORM", "id int, timestamp bigint, name varchar", "1, 1700000000000, 'A'"),
    ("Drizzle", "id int, hash text, created_at bigint", "1, 'abc', 1700000000000"),
    ("Rails or dbmate", "version varchar", "'001'"),
    ("Alembic", "version_num varchar(32)", "'abc'"),
    ("Django", "id bigint, app varchar, name varchar, applied timestamptz", "1, 'core', '0001', now()"),
];

#[test]
fn a_database_that_was_dumped_and_restored_has_the_same_hash_and_one_change_another() {
    let (db, copy) = (&Database::create("hash", SCHEMA), &Database::create("copy", ""));
    let (code, objects, result) = db.tg(&["snapshot"]);
    assert_eq!(code, 0, "{result}");
    for kind in [
        "schema",
        "enum",
        "domain",
        "sequence",
        "relation",
        "column",
        "constraint",
        "index",
        "function",
        "trigger",
        "policy",
        "rule",
        "grant",
        "statistics",
        "extension",
    ] {
        assert!(objects.iter().any(|o| o["object"] == kind), "{kind}");
    }
    assert!(
        !objects.iter().any(|o| o["name"] == "spatial_ref_sys"),
        "an extension's own are not the application's"
    );
    db.inside(&format!(
        "pg_dump -U {USER} {} | psql -X -q -v ON_ERROR_STOP=1 -U {USER} {} >/dev/null",
        db.name, copy.name
    ));
    let (_, again, restored) = copy.tg(&["snapshot"]);
    let differing: Vec<_> = objects.iter().filter(|o| !again.contains(o)).collect();
    assert_eq!(restored["hash"], result["hash"], "{differing:?}");
    copy.psql(&copy.name, "ALTER TABLE other ALTER COLUMN up SET DEFAULT 1");
    assert_ne!(copy.tg(&["snapshot"]).2["hash"], result["hash"]);
}

#[test]
fn migrators_are_known_by_their_tables_whatever_those_are_called() {
    let statements: Vec<String> = HISTORIES
        .iter()
        .enumerate()
        .map(|(i, (_, columns, row))| {
            format!("CREATE TABLE t{i} ({columns}); INSERT INTO t{i} VALUES ({row});")
        })
        .collect();
    let db = &Database::create("history", &statements.concat());
    db.psql(&db.name, "CREATE TABLE users (id int, name text)");
    let (code, entries, result) = db.tg(&["status"]);
    assert_eq!(code, 1, "{result}");
    for (i, (tool, ..)) in HISTORIES.iter().enumerate() {
        let found = entries
            .iter()
            .find(|e| e["table"] == format!("t{i}"))
            .unwrap_or_else(|| panic!("{tool}: {entries:?}"));
        assert_eq!(found["migrator"], *tool);
    }
    let bad = result["bad"].as_array().unwrap();
    assert_eq!(bad.len(), 5, "Flyway, Liquibase's lock, Prisma, golang-migrate, Knex's lock: {bad:?}");
    assert_eq!(db.tg(&["preflight"]).0, 1);
}

#[test]
fn a_migrator_at_work_is_known_by_the_key_of_its_lock() {
    // As each of them reckons it; the last three with a checksum or a hash of 305419896.
    let keys: [(&str, i64); 7] = [
        ("Prisma", 72_707_369),
        ("node-pg-migrate", 7_241_865_325_823_964),
        ("Kysely", 3_853_314_791_062_309_107),
        ("Sqitch", 75_474_063),
        ("Flyway", 0x466c_7977_6179 + 305_419_896),
        ("SQLx", 0x3d32_ad9e * 305_419_896),
        ("Rails", 2_053_462_845 * 305_419_896),
    ];
    let db = &Database::create("keys", "");
    assert_eq!(db.tg(&["preflight"]).0, 0);
    let locks: Vec<String> = keys.iter().map(|(_, key)| format!("pg_advisory_lock({key})")).collect();
    // Neither of the first two is a migrator's.
    let holder =
        db.hold(&format!("pg_advisory_lock(72707370), pg_advisory_lock(0, 72707369), {}", locks.join(", ")));
    let (code, findings, _) = db.tg(&["preflight"]);
    db.release(holder);
    assert_eq!(code, 1);
    let running: Vec<_> = findings.iter().filter(|f| f["code"] == "migrator-running").collect();
    assert_eq!(running.len(), keys.len(), "{running:?}");
    assert!(running.iter().all(|f| f["pid"].is_i64()), "{running:?}");
}

#[test]
fn who_can_not_see_what_others_do_is_told_so() {
    let db = &Database::create("blind", "");
    let role = format!("{}_role", db.name);
    db.psql(&db.name, &format!("CREATE ROLE {role} LOGIN PASSWORD 'x'"));
    db.connect_as(&role, "x");
    let blind = |findings: &[Value]| findings.iter().any(|f| f["code"] == "blind");
    let holder = db.hold("1");
    let seen = db.tg(&["preflight"]);
    db.psql(&db.name, &format!("GRANT pg_read_all_stats TO {role}"));
    let granted = db.tg(&["preflight"]);
    db.release(holder);
    db.psql(&db.name, &format!("DROP ROLE {role}"));
    assert!(seen.0 == 0 && blind(&seen.1), "{seen:?}");
    assert!(!blind(&granted.1), "{granted:?}");
}
