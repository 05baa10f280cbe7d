//! What a snapshot of the catalog holds, against PostgreSQL's own list: with `scripts/lab/postgres 19` up,
//! `TG_LAB_STACK=$PWD/.lab/pg19 cargo test -p tg-migrate --features lab --test catalog`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod kinds;
#[expect(dead_code, reason = "the other tests need more of it")]
mod server;

use kinds::{BASE, KINDS, Kind, TWISTS, Twist};
use serde_json::Value;
use server::{Database, USER};

const CLASSES: &str = include_str!("../src/sql/catalog_classes.sql");
const REFERENCES: &str = include_str!("../src/sql/catalog_references.sql");
const REFERENCES_13: &str = include_str!("../src/sql/catalog_references_13.sql");

/// The catalogs that no snapshot tells of.
const NOT_TOLD: [(&str, &str); 6] = [
    ("pg_largeobject", "data"),
    ("pg_replication_origin", "how far a subscription is"),
    ("pg_shdepend", "follows from the rest"),
    ("pg_statistic", "computed from data"),
    ("pg_statistic_ext_data", "computed from data"),
    ("pg_subscription_rel", "how far a subscription is"),
];

/// A database with roles of its own.
struct Subject {
    db: Database,
    roles: [String; 2],
    major: i32,
}

impl Subject {
    fn create(short: &str) -> Self {
        let db = Database::create(short, "");
        let roles = ["a", "b"].map(|name| format!("{}_{name}", db.name));
        let number: i32 = db.psql(&db.name, "SHOW server_version_num").trim().parse().unwrap();
        let subject = Subject { db, roles, major: number / 10_000 };
        subject.run(&["CREATE ROLE {role}", BASE]);
        subject
    }

    fn words(&self, text: &str) -> String {
        text.replace("{db}", &self.db.name)
            .replace("{role}", &self.roles[0])
            .replace("{other}", &self.roles[1])
    }

    /// Each statement by itself: some can't be part of a transaction.
    fn run(&self, statements: &[&str]) {
        let script = self.words(&statements.join(";\n"));
        let (user, name) = (USER, &self.db.name);
        self.db.inside(&format!(
            "psql -X -q -At -v ON_ERROR_STOP=1 -U {user} {name} <<'END_OF_SCRIPT'\n{script};\nEND_OF_SCRIPT"
        ));
    }

    fn kinds(&self) -> impl DoubleEndedIterator<Item = &'static Kind> {
        KINDS.iter().filter(|kind| kind.since <= self.major)
    }

    fn twists(&self) -> impl Iterator<Item = &'static Twist> {
        TWISTS.iter().filter(|twist| twist.since <= self.major)
    }

    fn is_of(&self, record: &Value, object: &str, name: &str) -> bool {
        let is = record["name"].as_str().unwrap();
        record["object"] == object
            && match name.strip_suffix('…') {
                Some(begin) => is.starts_with(begin),
                None => is == self.words(name),
            }
    }

    /// The snapshot as a file, and its hash.
    fn snapshot(&self, file: &str) -> Value {
        let (code, lines, result) = self.db.tg(&["snapshot"]);
        assert_eq!(code, 0, "{result}");
        let record = |data: &Value| serde_json::json!({"type": "record", "data": data}).to_string();
        let mut text: Vec<String> = lines.iter().map(record).collect();
        text.push(serde_json::json!({"type": "result", "data": result}).to_string());
        std::fs::write(self.db.dir.path().join(file), text.join("\n")).unwrap();
        result["hash"].clone()
    }

    /// The differences between two snapshots.
    fn differences(&self, before: &str, after: &str) -> Vec<Value> {
        let paths = [before, after].map(|file| self.db.dir.path().join(file));
        let (_, records, result) =
            self.db.tg(&["diff", paths[0].to_str().unwrap(), paths[1].to_str().unwrap()]);
        assert!(result["differences"].is_u64(), "{result}");
        // Other tests make roles and tablespaces meanwhile.
        let of_server = ["parameter ACL", "role", "role setting", "tablespace"];
        let ours = |record: &Value| {
            let object = record["object"].as_str().unwrap();
            !of_server.contains(&object) || record["name"].as_str().unwrap().contains(&self.db.name)
        };
        records.into_iter().filter(ours).collect()
    }
}

impl Drop for Subject {
    /// What a test that failed has left would keep the database or its roles from being dropped.
    fn drop(&mut self) {
        let [role, other] = &self.roles;
        forget(&self.db);
        let statements = [
            format!("REVOKE ALL ON PARAMETER {role}.x FROM {role}"),
            format!("DROP DATABASE {} WITH (FORCE)", self.db.name),
            format!("DROP TABLESPACE {other}"),
            format!("DROP ROLE {other}"),
            format!("DROP ROLE {role}"),
        ];
        let words = statements.map(|sql| format!(" -c '{sql}'")).concat();
        self.db.inside(&format!("psql -X -q -U {USER} postgres{words} >/dev/null 2>&1 || true"));
    }
}

/// A database with a subscription can't be dropped.
fn forget(db: &Database) {
    let name = &db.name;
    db.inside(&format!(
        "psql -X -q -U {USER} {name} -c 'DROP SUBSCRIPTION k_subscription' >/dev/null 2>&1 || true"
    ));
}

fn changes(record: &Value, attribute: &str) -> bool {
    record["differs"].as_array().into_iter().flatten().any(|d| d["attribute"] == attribute)
}

#[test]
fn an_object_of_each_kind_that_is_made_altered_or_dropped_is_named() {
    let subject = Subject::create("kinds");
    let first = subject.snapshot("first");
    subject.run(&subject.kinds().map(|kind| kind.create).collect::<Vec<_>>());
    subject.snapshot("created");
    subject.run(&subject.kinds().map(|kind| kind.alter).collect::<Vec<_>>());
    subject.snapshot("altered");
    subject.run(&subject.kinds().rev().map(|kind| kind.drop).collect::<Vec<_>>());
    let last = subject.snapshot("dropped");
    let [created, altered, dropped] = [("first", "created"), ("created", "altered"), ("altered", "dropped")]
        .map(|(a, b)| subject.differences(a, b));
    let mut silent = Vec::new();
    for kind in subject.kinds() {
        let of = |records: &[Value], holds: &dyn Fn(&Value) -> bool| {
            records.iter().any(|r| subject.is_of(r, kind.object, kind.name) && holds(r))
        };
        let told = [
            of(&created, &|r| r["change"] == "added"),
            of(&altered, &|r| changes(r, kind.attribute)) || kind.attribute.is_empty(),
            of(&dropped, &|r| r["change"] == "removed"),
        ];
        if told != [true; 3] {
            silent.push((kind.object, kind.name, told));
        }
    }
    let all: Vec<String> = [created, altered, dropped].concat().iter().map(Value::to_string).collect();
    assert!(silent.is_empty(), "{silent:?}\n{}", all.join("\n"));
    assert_eq!((subject.differences("first", "dropped"), first), (Vec::new(), last));
}

#[test]
fn a_change_of_something_that_stays_is_named_and_its_way_back_leaves_no_difference() {
    let subject = Subject::create("twists");
    let first = subject.snapshot("first");
    subject.run(&subject.twists().map(|twist| twist.there).collect::<Vec<_>>());
    subject.snapshot("there");
    subject.run(&subject.twists().map(|twist| twist.back).collect::<Vec<_>>());
    let last = subject.snapshot("back");
    let there = subject.differences("first", "there");
    let told = |twist: &&Twist| {
        there.iter().any(|r| subject.is_of(r, twist.object, twist.name) && changes(r, twist.attribute))
    };
    let silent: Vec<_> = subject.twists().filter(|twist| !told(twist)).map(|twist| twist.there).collect();
    assert!(silent.is_empty(), "{silent:?}\n{there:?}");
    assert_eq!((subject.differences("first", "back"), first), (Vec::new(), last));
}

#[test]
fn no_secret_is_in_a_snapshot_and_who_takes_it_makes_no_difference() {
    let subject = Subject::create("secrets");
    subject.run(&subject.kinds().map(|kind| kind.create).collect::<Vec<_>>());
    let (_, objects, _) = subject.db.tg(&["snapshot"]);
    let telling: Vec<_> = objects.iter().filter(|object| object.to_string().contains("geheim")).collect();
    assert!(telling.is_empty(), "{telling:?}");
    for object in ["subscription", "user mapping", "setting"] {
        assert!(objects.iter().any(|o| o["object"] == object), "{object}");
    }
    let hash = subject.snapshot("super");
    subject.run(&["ALTER ROLE {role} LOGIN PASSWORD 'x'"]);
    subject.db.connect_as(&subject.roles[0], "x");
    assert_eq!(subject.snapshot("plain"), hash, "{:?}", subject.differences("super", "plain"));
}

#[test]
fn a_dump_of_everything_brings_back_the_same_hash() {
    let (subject, copy) = (Subject::create("all"), Database::create("all_copy", ""));
    // A dump has no members for a provider that is not loaded, and what is the server's is there already.
    let twists: Vec<_> =
        subject.twists().filter(|t| t.attribute != "security_labels").map(|t| t.there).collect();
    subject.run(&subject.kinds().map(|kind| kind.create).collect::<Vec<_>>());
    subject.run(&subject.kinds().map(|kind| kind.alter).collect::<Vec<_>>());
    subject.run(&twists);
    let of_database: Vec<String> = subject
        .kinds()
        .flat_map(|kind| [kind.create, kind.alter])
        .chain(twists)
        .filter(|sql| sql.contains("{db}"))
        .map(|sql| subject.words(sql).replace(&subject.db.name, &copy.name))
        .collect();
    subject.db.inside(&format!(
        "pg_dump -U {USER} {} | psql -X -q -v ON_ERROR_STOP=1 -U {USER} {} >/dev/null",
        subject.db.name, copy.name
    ));
    copy.psql(&copy.name, &of_database.join(";").replace(&format!("{}_a", copy.name), &subject.roles[0]));
    let ((_, live, result), (_, restored, again)) = (subject.db.tg(&["snapshot"]), copy.tg(&["snapshot"]));
    let differing: Vec<_> = live.iter().filter(|o| !restored.contains(o)).collect();
    forget(&copy);
    drop(copy);
    assert_eq!(result["hash"], again["hash"], "{differing:?}");
}

#[test]
fn what_a_server_does_by_itself_is_no_change() {
    let subject = Subject::create("upkeep");
    subject.run(&[
        "INSERT INTO base SELECT g, g, g, g FROM generate_series(1, 1000) AS g",
        "CLUSTER base USING base_pkey",
    ]);
    let first = subject.snapshot("first");
    subject.run(&[
        "INSERT INTO base SELECT g, g, g, repeat('x', 9000) FROM generate_series(2001, 3000) AS g",
        "DELETE FROM base WHERE id < 500",
        "SELECT nextval('counter')",
        "VACUUM (ANALYZE, FREEZE)",
        "VACUUM FULL",
        "CLUSTER",
        "REINDEX TABLE base",
        "ANALYZE",
    ]);
    let last = subject.snapshot("last");
    assert_eq!((subject.differences("first", "last"), first), (Vec::new(), last));
}

#[test]
fn every_catalog_of_the_server_is_told_or_left_out_for_a_reason() {
    let db = Database::create("classes", "");
    let plan = format!(
        "SET search_path = ''; CREATE TEMPORARY TABLE plan AS WITH reference (catalog, attributes, target, several) AS ({REFERENCES}) {CLASSES}"
    );
    let ask = |query: &str| -> Vec<String> {
        db.psql(&db.name, &format!("{plan}; {query}")).lines().map(str::to_owned).collect()
    };
    let unknown = "SELECT c.relname FROM pg_class AS c LEFT JOIN plan AS p ON p.catalog = c.relname
        WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND p.statement IS NULL AND p.reason IS NULL";
    assert_eq!(ask(unknown), [""; 0], "catalogs that are neither told nor left out");
    let strange = "SELECT catalog, strange FROM plan WHERE statement IS NOT NULL AND strange IS NOT NULL";
    assert_eq!(ask(strange), [""; 0], "columns that nobody knows how to tell");
    let proven: Vec<&str> = KINDS
        .iter()
        .map(|kind| kind.catalogs)
        .chain(TWISTS.iter().map(|twist| twist.catalogs))
        .flatten()
        .copied()
        .collect();
    let unproven: Vec<String> =
        ask("SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'")
            .into_iter()
            .filter(|name| {
                !proven.contains(&name.as_str()) && !NOT_TOLD.iter().any(|(not_told, _)| not_told == name)
            })
            .collect();
    assert_eq!(unproven, [""; 0], "catalogs of which no test makes, alters and drops an object");
    let gone = format!("SELECT f.fktable::regclass, f.fkcols FROM pg_get_catalog_foreign_keys() AS f JOIN plan AS p ON p.catalog = f.fktable::regclass::text
        WHERE p.statement IS NOT NULL AND cardinality(f.fkcols) = 1 AND current_setting('server_version_num')::int < 190000
          AND NOT EXISTS (SELECT FROM ({REFERENCES_13}) AS r (catalog, attributes, target, several)
            WHERE (r.catalog, r.attributes, r.target, r.several) = (f.fktable, f.fkcols, f.pktable, f.is_array))");
    assert_eq!(ask(&gone), [""; 0], "references that are not in the list for servers that have none");
}
