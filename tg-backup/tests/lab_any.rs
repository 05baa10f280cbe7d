//! Any database: what its settings, its texts, its name and its extensions need to come back. With the lab up,
//! `cargo test -p tg-backup --features lab --test lab_any`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod lab_stack;

use std::fs;
use std::path::Path;

use serde_json::Value;

use lab_stack::server::{Image, Server, shared};
use lab_stack::{Database, Outcome, code_of};

fn ok(outcome: &Outcome) {
    assert_eq!(outcome.exit, 0, "{outcome:?}");
}

/// The warnings of this code.
fn warnings(outcome: &Outcome, code: &str) -> Vec<Value> {
    let lines = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["type"] == "warning" && line["data"]["code"] == code)
        .map(|line| line["data"].clone())
        .collect()
}

fn verified(made: &Outcome) {
    ok(made);
    assert_eq!(made.data["verification"]["outcome"], "verified", "{made:?}");
}

fn manifest(made: &Outcome) -> Value {
    serde_json::from_str(&fs::read_to_string(made.text("manifest")).unwrap()).unwrap()
}

/// A server of the lab's image of the version that is tested.
fn own(initdb: &str, options: &[&str]) -> Server {
    let major = major();
    Server::of(&format!("tg-lab/postgres:{major}"), major, initdb, options)
}

fn major() -> u32 {
    Database::of(shared(), "template1", "", "SELECT").major()
}

/// Functions, a check, a generated column, an index and a materialized view that all depend on a setting.
const BY_SETTING: &str = "
    CREATE FUNCTION factor() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
        $$ BEGIN RETURN pg_catalog.current_setting('app.factor')::int; END $$;
    CREATE TABLE priced (id int PRIMARY KEY, v int CHECK (v % factor() = 0), w int GENERATED ALWAYS AS (v * factor()) STORED);
    INSERT INTO priced (id, v) SELECT g, g * 3 FROM pg_catalog.generate_series(1, 100) AS g;
    CREATE INDEX priced_w ON priced ((v * factor()));
    CREATE MATERIALIZED VIEW total AS SELECT sum(v * factor()) AS total FROM priced";

fn by_setting(name: &str) -> String {
    format!("ALTER DATABASE {name} SET app.factor = 3; SET app.factor = 3; {BY_SETTING}")
}

#[test]
fn what_depends_on_a_setting_of_the_database_comes_back_as_it_was() {
    let db = &Database::create("setting", "SELECT");
    db.sql(&by_setting(&db.name));
    // A database that is read-only by default comes back all the same.
    db.psql("postgres", &format!("ALTER DATABASE {} SET default_transaction_read_only = on", db.name));
    let before = (db.fingerprint(), db.sql("SELECT total FROM total"));
    let made = db.tg(&["create", "--verify"]);
    verified(&made);
    assert_eq!(warnings(&made, "computed-differs"), Vec::<Value>::new(), "views that are kept are compared");
    assert_eq!(manifest(&made)["views"][0]["rows"], 1);
    ok(&db.tg(&["restore", "--latest"]));
    assert_eq!((db.fingerprint(), db.sql("SELECT total FROM total")), before);
    ok(&db.tg(&["commit"]));
}

#[test]
fn what_depends_on_a_setting_of_the_server_is_proven_where_the_server_has_it() {
    let server = own("", &["-c", "app.factor=3"]);
    let db = &server.database("served", "", BY_SETTING);
    verified(&db.tg(&["create", "--verify"]));
}

#[test]
fn a_view_that_was_not_refreshed_is_told_and_no_loss() {
    let db = &Database::create(
        "stale",
        "CREATE TABLE t AS SELECT 1 AS v; CREATE MATERIALIZED VIEW \"m v\" AS SELECT v FROM t; UPDATE t SET v = 2; \
         CREATE MATERIALIZED VIEW empty AS SELECT v FROM t WITH NO DATA",
    );
    let made = db.tg(&["create", "--verify"]);
    verified(&made);
    let told = warnings(&made, "computed-differs");
    assert_eq!((told.len(), &told[0]["object"]), (1, &"public.m v".into()), "{made:?}");
    assert_eq!(made.data["verification"]["computed"][0], "public.m v");
    ok(&db.tg(&["restore", "--latest"]));
    assert_eq!(db.sql("SELECT v FROM \"m v\""), "2");
}

/// How texts are kept, as the server says it, and an order that shows it.
fn texts(db: &Database) -> String {
    db.sql(
        "SELECT pg_catalog.to_jsonb(d) - '{oid,datname,datfrozenxid,datminmxid,datacl,datdba,dattablespace}'::text[] \
         FROM pg_catalog.pg_database AS d WHERE datname = pg_catalog.current_database(); SELECT v FROM words ORDER BY v",
    )
}

const WORDS: &str =
    "CREATE TABLE words (v text); INSERT INTO words VALUES ('a'), ('B'), ('c'), ('Z'), ('-b')";

#[test]
fn texts_are_sorted_as_before_whatever_the_server_s_own_default_is() {
    let major = major();
    let mut kinds = vec![("", "libc", "LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'")];
    kinds.push(("", "icu", "LOCALE_PROVIDER icu ICU_LOCALE 'de-AT'"));
    if major >= 16 {
        kinds.push(("", "rules", "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' ICU_RULES '&Z < b'"));
    }
    if major >= 17 {
        kinds.push(("", "builtin", "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"));
    }
    for options in ["--locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US", "--locale=C.UTF-8"] {
        let server = own(options, &[]);
        for (_, name, create) in &kinds {
            let db = &server.database(name, &format!("TEMPLATE template0 {create}"), WORDS);
            let before = texts(db);
            verified(&db.tg(&["create", "--verify"]));
            ok(&db.tg(&["restore", "--latest"]));
            assert_eq!(texts(db), before, "{name} in a cluster of {options}");
        }
    }
}

#[test]
fn a_database_that_would_sort_otherwise_takes_no_one_s_place() {
    let db = &Database::create("sorts", WORDS);
    let made = db.tg(&["create"]);
    ok(&made);
    // As if the operating system had sorted by a locale of ICU: nothing that can be made sorts like that.
    let backup = db.path("backups").join(made.text("id"));
    db.reseal(&backup, |document| document["database"]["locale"] = "de-AT".into());
    let (before, proof) = (db.fingerprint(), db.tg(&["verify"]));
    assert_eq!(
        (proof.exit, proof.text("problem")),
        (1, "its locale: none instead of de-AT".into()),
        "{proof:?}"
    );
    let restored = db.tg(&["restore", "--latest"]);
    assert_eq!((restored.exit, restored.code()), (3, "differs".into()), "{restored:?}");
    assert_eq!((db.fingerprint(), db.siblings()), (before, 0));
}

const GENERATED: &str = "
    CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
    CREATE TABLE g (v int, \"W w\" int GENERATED ALWAYS AS (twice(v)) STORED, x text DEFAULT 'x');
    INSERT INTO g (v) SELECT * FROM pg_catalog.generate_series(0, 100)";
const REPLACED: &str =
    "CREATE OR REPLACE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 3'";

#[test]
fn a_column_that_is_computed_anew_is_told_with_its_rows_and_comes_back() {
    let db = &Database::create("computed", GENERATED);
    let made = db.tg(&["create", "--verify"]);
    verified(&made);
    assert_eq!(warnings(&made, "computed-differs"), Vec::<Value>::new());
    db.sql(REPLACED);
    let made = db.tg(&["create", "--tables-hash", "full"]);
    ok(&made);
    let told = &warnings(&made, "computed-differs")[0];
    assert_eq!((&told["object"], &told["column"]), (&"public.g".into(), &"W w".into()), "{made:?}");
    assert_eq!(told["rows"], 100, "of 101: zero is the same twice and thrice");
    let proven = db.tg(&["verify"]);
    ok(&proven);
    assert_eq!(proven.data["computed"][0], "public.g.W w");
    assert_eq!(warnings(&proven, "computed-differs")[0]["rows"], 100);
    ok(&db.tg(&["restore", "--latest"]));
    assert_eq!(db.sql("SELECT max(\"W w\"), count(*) FROM g"), "300|101");
    // What is data is still compared.
    let made = db.tg(&["create", "--tables-hash", "full"]);
    let data = db.path("backups").join(made.text("id")).join("data");
    let file =
        fs::read_dir(data).unwrap().map(|e| e.unwrap().path()).find(|p| !p.ends_with("toc.dat")).unwrap();
    db.rewrite(&file, "sed '7s/^[0-9]*/0/'");
    let proven = db.tg(&["verify"]);
    assert!(proven.exit == 1 && proven.text("problem").ends_with("has other rows than before"), "{proven:?}");
}

#[test]
fn a_backup_whose_hashes_are_of_whole_rows_is_still_proven_by_them() {
    let db = &Database::create("older", GENERATED);
    let made = db.tg(&["create", "--tables-hash", "full"]);
    ok(&made);
    let hash = db.sql("SELECT sum(hashtextextended((t.*)::text COLLATE \"C\", 0)) FROM g AS t");
    let as_before = |document: &mut Value| {
        let table = document["tables"][0].as_object_mut().unwrap();
        table.remove("computed").unwrap();
        table.remove("data_hash").unwrap();
        table.insert("hash".into(), hash.clone().into());
    };
    db.reseal(Path::new(&made.text("manifest")).parent().unwrap(), as_before);
    let proven = db.tg(&["verify"]);
    ok(&proven);
    assert_eq!(proven.text("depth"), "full");
    db.reseal(Path::new(&made.text("manifest")).parent().unwrap(), |document| {
        document["tables"][0]["hash"] = "1".into();
    });
    let proven = db.tg(&["verify"]);
    assert!(proven.exit == 1 && proven.text("problem").contains("or its generated columns"), "{proven:?}");
}

#[test]
fn a_function_that_can_no_longer_compute_a_column_is_told_when_the_backup_is_made() {
    let db = &Database::create("fails", GENERATED);
    db.sql("CREATE OR REPLACE FUNCTION twice(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE ''no more''; END'");
    let made = db.tg(&["create", "--verify"]);
    assert_eq!(
        (made.exit, warnings(&made, "computed-fails")[0]["object"].as_str()),
        (1, Some("public.g")),
        "{made:?}"
    );
    assert_eq!(made.data["verification"]["object"], "TABLE DATA public g");
}

/// An extension that exists in one database alone, as pg_cron does.
const CONTROL: &str = "default_version = '1'\nrelocatable = true\n";
const SCRIPT: &str = "DO $$ BEGIN IF pg_catalog.current_database() <> pg_catalog.current_setting('bound_one.database_name') THEN
    RAISE 'can only create extension in database %', pg_catalog.current_setting('bound_one.database_name'); END IF; END $$;
    CREATE TABLE job (id int); SELECT pg_catalog.pg_extension_config_dump('job', '');";

#[test]
fn an_extension_that_belongs_to_one_database_s_name_is_proven_and_what_a_restore_can_not_do_is_said_before() {
    let major = major();
    // Its files must be in the image that proves it.
    let files = tempfile::tempdir().unwrap();
    for (name, text) in [("bound_one.control", CONTROL), ("bound_one--1.sql", SCRIPT)] {
        fs::write(files.path().join(name), text).unwrap();
    }
    let image = Image::with(
        &format!("tg-lab/postgres:{major}"),
        files.path(),
        &format!("/usr/share/postgresql/{major}/extension"),
    );
    let server = Server::of(&image.name, major, "", &["-c", "bound_one.database_name=app one"]);
    let db = &server.database("app one", "", "CREATE EXTENSION bound_one; INSERT INTO job VALUES (1)");
    let planned = db.tg(&["plan"]);
    ok(&planned);
    let told = &warnings(&planned, "bound-to-name")[0];
    assert_eq!((&told["object"], &told["proven"]), (&"bound_one".into(), &false.into()), "{planned:?}");
    let unproven = db.tg(&["create"]);
    assert_eq!(warnings(&unproven, "bound-to-name").len(), 1);
    let recovery = fs::read_to_string(Path::new(&unproven.text("path")).join("RECOVERY.md")).unwrap();
    assert!(recovery.contains("Extension bound_one may refuse"), "{recovery}");
    let tried = db.tg(&["restore", "--latest"]);
    assert_eq!((tried.exit, db.siblings()), (3, 0), "{tried:?}");
    let error = &tried.data["error"];
    assert!(error["message"].as_str().unwrap().contains("bound_one"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("rename app one"), "{error}");
    let made = db.tg(&["create", "--verify"]);
    verified(&made);
    assert_eq!(made.data["verification"]["bound"][0], "bound_one");
    for words in [&["restore", "--latest"][..], &["--dry-run", "restore", "--latest"]] {
        let refused = db.tg(words);
        assert_eq!((refused.exit, refused.code()), (3, "bound-to-name".into()), "{refused:?}");
        assert!(refused.data["error"]["hint"].as_str().unwrap().contains("rename app one"));
    }
    assert_eq!(warnings(&db.tg(&["plan"]), "bound-to-name").len(), 2);
    // The way that is told works.
    db.sql("INSERT INTO job VALUES (2)");
    db.psql("postgres", "ALTER DATABASE \"app one\" RENAME TO aside");
    db.psql("postgres", &code_of(&recovery, 3).replace("recovered", "app one"));
    db.copy_in(Path::new(&unproven.text("path")), "/tmp/recovery");
    let command =
        code_of(&recovery, 4).replace("--dbname=recovered data", "-U terragnos --dbname='app one' data");
    db.inside(&["sh", "-ec", &format!("cd /tmp/recovery && {command}")], b"");
    assert_eq!(db.sql("SELECT count(*) FROM job"), "1");
}

#[test]
fn a_database_of_any_name_is_proven_and_comes_back() {
    for name in ["we ird=\"x' Y\\", "dbname=x", "UPPER", "tg_new_20260101000000_x", "päth/../%41?#"] {
        let db = &Database::of(shared(), name, "TEMPLATE template0", WORDS);
        let before = db.fingerprint();
        verified(&db.tg(&["create", "--verify"]));
        ok(&db.tg(&["restore", "--latest"]));
        assert_eq!(db.fingerprint(), before, "{name}");
        ok(&db.tg(&["commit"]));
    }
}

#[test]
fn the_databases_that_every_server_has_are_proven_and_come_back_too() {
    let server = own("", &[]);
    for name in ["postgres", "template1"] {
        let db = &server.database(name, "", WORDS);
        let before = texts(db);
        verified(&db.tg(&["create", "--verify"]));
        ok(&db.tg(&["restore", "--latest"]));
        assert_eq!(texts(db), before, "{name}");
        ok(&db.tg(&["commit"]));
        assert_eq!(db.siblings(), 0);
        db.sql("DROP TABLE words");
    }
}

#[test]
fn programs_that_are_not_in_path_are_found_and_an_image_without_them_is_told() {
    let major = major();
    let image = Image::like(&format!("tg-lab/postgres:{major}"), "ENV PATH=/usr/local/bin:/usr/bin:/bin");
    let server = Server::of(&image.name, major, "", &[]);
    let db = &server.database("path", "", WORDS);
    verified(&db.tg(&["create", "--verify"]));
    ok(&db.tg(&["restore", "--latest"]));
    let tried = db.tg(&["verify", "--image", "tg-lab/base:trixie"]);
    assert_eq!((tried.exit, tried.code()), (10, "could-not-verify".into()), "{tried:?}");
    let error = &tried.data["error"];
    assert_eq!(error["details"]["cause"], "image-unfit");
    assert!(error["message"].as_str().unwrap().contains("initdb of PostgreSQL"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("PATH"), "{error}");
    assert_eq!(db.left_in_docker(), Vec::<String>::new());
}

#[test]
fn what_can_not_be_built_again_is_named_whatever_it_is() {
    const BREAK: &str = "CREATE OR REPLACE FUNCTION f(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE ''no more''; END'";
    const FINE: &str = "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; \
        CREATE SCHEMA \"s s\"; CREATE TABLE \"s s\".t (v int); INSERT INTO \"s s\".t VALUES (1), (2); \
        CREATE TABLE big AS SELECT g FROM pg_catalog.generate_series(1, 1000) AS g; CREATE INDEX ON big (g); CREATE INDEX ON big ((g + 1))";
    for (short, content, object) in [
        ("index", "CREATE INDEX \"i i;\" ON \"s s\".t (f(v))", "INDEX s s i i;"),
        (
            "matview",
            "CREATE MATERIALIZED VIEW \"m m\" AS SELECT f(v) FROM \"s s\".t",
            "MATERIALIZED VIEW DATA public m m",
        ),
        (
            "exclude",
            "ALTER TABLE \"s s\".t ADD CONSTRAINT \"e e\" EXCLUDE (f(v) WITH =)",
            "CONSTRAINT s s t e e",
        ),
    ] {
        let db = &Database::create(short, &format!("{FINE}; {content}"));
        db.sql(BREAK);
        let made = db.tg(&["create", "--verify"]);
        let proof = &made.data["verification"];
        assert_eq!((made.exit, &proof["object"]), (1, &object.into()), "{made:?}");
        assert!(proof["problem"].as_str().unwrap().contains("no more"), "{made:?}");
        let restored = db.tg(&["restore", "--latest"]);
        assert_eq!(
            (restored.exit, &restored.data["error"]["details"]["object"]),
            (3, &object.into()),
            "{restored:?}"
        );
        assert_eq!(db.siblings(), 0);
    }
}

#[test]
fn nothing_fires_because_we_connect_or_define_something() {
    let db = &Database::create(
        "fires",
        "CREATE TABLE fired (tag text, who text); INSERT INTO fired VALUES ('first', ''); \
         CREATE FUNCTION fire() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN \
         IF pg_catalog.current_setting('application_name') <> 'psql' THEN INSERT INTO public.fired \
         VALUES (tg_tag, pg_catalog.current_setting('application_name')); END IF; END $$; \
         CREATE EVENT TRIGGER fires ON ddl_command_end EXECUTE FUNCTION fire(); ALTER EVENT TRIGGER fires ENABLE ALWAYS",
    );
    // Before, no session can say that nothing shall fire, and pg_restore fills a view when the triggers are there already.
    if db.major() >= 17 {
        db.sql(
            "CREATE EVENT TRIGGER login ON login EXECUTE FUNCTION fire(); ALTER EVENT TRIGGER login ENABLE ALWAYS; \
             CREATE MATERIALIZED VIEW v AS SELECT 1 AS one",
        );
    }
    let before = db.sql("SELECT * FROM fired");
    verified(&db.tg(&["create", "--verify"]));
    assert_eq!(db.sql("SELECT * FROM fired"), before);
    ok(&db.tg(&["restore", "--latest"]));
    assert_eq!(db.sql("SELECT * FROM fired"), before);
}

/// What takes longer to restore than the limits allow, and what comes after it.
const SLOW: &str = "
    CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_catalog.pg_sleep(4); RETURN $1; END';
    CREATE TABLE t AS SELECT 1 AS id; CREATE INDEX ON t (slow(id)); CREATE MATERIALIZED VIEW v AS SELECT id FROM t";

#[test]
fn limits_of_the_application_s_sessions_end_none_of_ours() {
    let server = own("", &["-c", "wal_level=replica"]);
    let db = &server.database("limits", "", SLOW);
    let before = db.fingerprint();
    let mut limits = vec![
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
    ];
    if major() >= 17 {
        limits.push("transaction_timeout");
    }
    for whose in ["DATABASE limits", "ROLE terragnos"] {
        for limit in &limits {
            db.psql("postgres", &format!("ALTER {whose} SET {limit} = '2s'"));
        }
        verified(&db.tg(&["create", "--verify", "--method", "basebackup"]));
        let made = db.tg(&["create", "--verify"]);
        verified(&made);
        ok(&db.tg(&["restore", &made.text("id")]));
        db.psql("postgres", &format!("ALTER {whose} RESET ALL"));
        ok(&db.tg(&["commit"]));
    }
    assert_eq!(db.fingerprint(), before);
}

#[test]
fn a_role_that_may_only_read_by_default_restores_all_the_same() {
    let server = own("", &[]);
    let db = &server.database("reads", "", WORDS);
    db.psql("postgres", "ALTER ROLE terragnos SET default_transaction_read_only = on");
    let before = texts(db);
    verified(&db.tg(&["create", "--verify"]));
    ok(&db.tg(&["restore", "--latest"]));
    assert_eq!(texts(db), before);
    ok(&db.tg(&["commit"]));
}
