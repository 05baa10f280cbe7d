//! Counts and hashes tables exactly, several at a time, in short transactions: a lock is held only
//! as long as its table is read.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tg_core::backup::Depth;
use tg_core::database::{Client, ident};
use tg_core::thread::joined;

use crate::error::Error;
use crate::facts::{LargeObjects, Table};
use crate::snapshot::{self, UNLIMITED};

/// What makes a value's text the same wherever it is read, as pg_dump sets it.
const CANONICAL: &str = "SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET DateStyle = ISO; \
    SET IntervalStyle = postgres; SET extra_float_digits = 3; SET bytea_output = hex; SET lc_monetary = 'C'; \
    SET client_encoding = 'UTF8'; SET jit = off";
/// A server that has lost us shall not go on counting. Known since 14.
const NOTICE: &str = "SELECT pg_catalog.set_config('client_connection_check_interval', '5s', false) \
    FROM pg_catalog.pg_settings WHERE name = 'client_connection_check_interval'";
const PID: &str = "SELECT pg_catalog.pg_backend_pid()";
const CANCEL: &str = "SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.unnest($1::int[]) AS t(pid)";
/// Their numbers and contents. sha256() since a content may be longer than a text may be.
const LARGE_OBJECTS: &str = "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended(\
    o.oid::text || ':' || pg_catalog.encode(pg_catalog.sha256(pg_catalog.lo_get(o.oid)), 'hex'), 0)), 0)::text \
    FROM pg_catalog.pg_largeobject_metadata AS o";
const LARGE_OBJECTS_COUNT: &str =
    "SELECT pg_catalog.count(*), NULL::text FROM pg_catalog.pg_largeobject_metadata";

/// How many small tables are read in one statement, and up to how many bytes of them.
const TOGETHER: usize = 100;
const SMALL: i64 = 8 << 20;

/// Somebody who reads tables, in a snapshot or as they are.
pub(crate) struct Tally<'a> {
    pub connect: &'a (dyn Fn() -> Result<Client, Error> + Sync),
    pub snapshot: Option<&'a str>,
    pub depth: Depth,
    /// How many tables are read side by side.
    pub readers: usize,
    backends: Mutex<Vec<i32>>,
    stopped: AtomicBool,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(
        connect: &'a (dyn Fn() -> Result<Client, Error> + Sync),
        snapshot: Option<&'a str>,
        depth: Depth,
        readers: usize,
    ) -> Self {
        let (backends, stopped) = (Mutex::default(), AtomicBool::new(false));
        Tally { connect, snapshot, depth, readers, backends, stopped }
    }

    /// Fills in rows and hashes.
    pub(crate) fn read(&self, tables: &mut [Table]) -> Result<LargeObjects, Error> {
        let batches = batches(tables);
        let queue = Mutex::new(batches.into_iter());
        let (plan, depth) = (&*tables, self.depth);
        let work = || -> Result<Vec<Row>, Error> {
            let mut client = self.client()?;
            let mut rows = Vec::new();
            while let Some(batch) = next(&queue).filter(|_| depth > Depth::Off && !self.is_stopped()) {
                rows.extend(self.batch(&mut client, plan, &batch)?);
            }
            Ok(rows)
        };
        let (rows, objects) = std::thread::scope(|scope| {
            let readers: Vec<_> = (0..self.readers.max(1)).map(|_| scope.spawn(work)).collect();
            let objects = self.client().and_then(|mut client| self.large_objects(&mut client));
            let rows: Result<Vec<_>, Error> = readers.into_iter().map(joined).collect();
            (rows, objects)
        });
        fill(tables, rows?.into_iter().flatten());
        objects
    }

    /// Ends what is being read, from a connection of the caller's.
    pub(crate) fn stop(&self, client: &mut Client) {
        self.stopped.store(true, Ordering::Relaxed);
        let backends = self.backends.lock().map(|b| b.clone()).unwrap_or_default();
        // Who can't be cancelled is done soon, or its server is gone.
        let _ = client.execute(CANCEL, &[&backends]);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn client(&self) -> Result<Client, Error> {
        let mut client = (self.connect)()?;
        client.batch_execute(&format!("{UNLIMITED}; {CANONICAL}"))?;
        client.query(NOTICE, &[])?;
        let pid = client.query_one(PID, &[])?.get(0);
        if let Ok(mut backends) = self.backends.lock() {
            backends.push(pid);
        }
        Ok(client)
    }

    fn batch(&self, client: &mut Client, tables: &[Table], batch: &[usize]) -> Result<Vec<Row>, Error> {
        let rows = self.transaction(client, |client| ask(client, tables, batch, self.depth));
        rows.map_err(|error| match batch {
            [one] => Error::Unread { table: tables[*one].plain(), problem: error.to_string() },
            _ => error,
        })
    }

    fn large_objects(&self, client: &mut Client) -> Result<LargeObjects, Error> {
        let sql = if self.depth == Depth::Full { LARGE_OBJECTS } else { LARGE_OBJECTS_COUNT };
        let ask = |client: &mut Client, sql: &str| {
            let row = self.transaction(client, |client| Ok(client.query_one(sql, &[])?))?;
            Ok(LargeObjects { count: row.get(0), hash: row.get(1) })
        };
        match ask(client, sql) {
            // lo_get() reads no object of more than a gigabyte; pg_dump does.
            Err(Error::Core(error)) if error.to_string().contains("request is too large") => {
                ask(client, LARGE_OBJECTS_COUNT)
            }
            answer => answer,
        }
    }

    pub(crate) fn transaction<T>(
        &self,
        client: &mut Client,
        work: impl FnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(snapshot) = self.snapshot else { return work(client) };
        snapshot::import(client, snapshot)?;
        match work(client) {
            Ok(value) => {
                client.batch_execute("COMMIT")?;
                Ok(value)
            }
            Err(error) => {
                // Without a connection there is nothing to roll back, and the first reason counts.
                let _ = client.batch_execute("ROLLBACK");
                Err(error)
            }
        }
    }
}

/// One table's answer.
pub(crate) struct Row {
    table: usize,
    rows: i64,
    hash: Option<String>,
    data_hash: Option<String>,
    computed_hash: Option<String>,
}

/// Counts tables in whatever snapshot the connection has.
pub(crate) fn count(client: &mut Client, tables: &mut [Table]) -> Result<(), Error> {
    for batch in batches(tables) {
        let rows = ask(client, tables, &batch, Depth::Count)?;
        fill(tables, rows);
    }
    Ok(())
}

pub(crate) fn ask(
    client: &mut Client,
    tables: &[Table],
    batch: &[usize],
    depth: Depth,
) -> Result<Vec<Row>, Error> {
    let sql = batch.iter().map(|&i| question(i, &tables[i], depth)).collect::<Vec<_>>();
    let row = |r: &postgres::Row| Row {
        table: usize::try_from(r.get::<_, i64>(0)).unwrap_or(usize::MAX),
        rows: r.get(1),
        hash: r.get(2),
        data_hash: r.get(3),
        computed_hash: r.get(4),
    };
    Ok(client.query(&sql.join(" UNION ALL "), &[])?.iter().map(row).collect())
}

pub(crate) fn fill(tables: &mut [Table], rows: impl IntoIterator<Item = Row>) {
    for row in rows {
        let table = &mut tables[row.table];
        (table.rows, table.hash, table.data_hash) = (Some(row.rows), row.hash, row.data_hash);
        if let Some(computed) = &mut table.computed {
            computed.hash = row.computed_hash;
        }
    }
}

fn next<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().ok()?.next()
}

/// The greatest tables first and alone, so that no reader is left with one at the end; small ones
/// together, since each statement costs a way to the server and back.
fn batches(tables: &[Table]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..tables.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(tables[i].bytes));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut together = 0;
    for i in order {
        let bytes = tables[i].bytes.max(0);
        match batches.last_mut() {
            Some(last) if last.len() < TOGETHER && together + bytes <= SMALL => {
                last.push(i);
                together += bytes;
            }
            _ => {
                batches.push(vec![i]);
                together = bytes;
            }
        }
    }
    batches
}

/// The hash is a sum over the rows, so that their order does not matter. `(t.*)` is the row even
/// where a column is called t. Columns that no dump carries have a hash of their own.
fn question(i: usize, table: &Table, depth: Depth) -> String {
    let sum = |row: &str| {
        format!(
            "coalesce(pg_catalog.sum(pg_catalog.hashtextextended({row}::text COLLATE \"C\", 0)), 0)::text"
        )
    };
    let of = |columns: Vec<&String>| {
        let columns: Vec<String> = columns.into_iter().map(|column| format!("t.{}", ident(column))).collect();
        sum(&format!("ROW({})", columns.join(", ")))
    };
    let nothing = || "NULL::text".to_owned();
    let hashes = match (depth, &table.computed) {
        (Depth::Full, None) => [sum("(t.*)"), nothing(), nothing()],
        (Depth::Full, Some(computed)) => [
            if table.whole { sum("(t.*)") } else { nothing() },
            of(table.carried.iter().collect()),
            of(computed.columns.iter().map(|column| &column.name).collect()),
        ],
        _ => [nothing(), nothing(), nothing()],
    };
    let hashes = hashes.join(", ");
    let from = match table.condition.as_str() {
        "" => format!("ONLY {}", table.quoted()),
        // The condition is the extension's own text, put here as pg_dump puts it into its COPY.
        condition => format!("(SELECT * FROM ONLY {} {condition})", table.quoted()),
    };
    format!("SELECT {i}::bigint, pg_catalog.count(*), {hashes} FROM {from} AS t")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Column, Computed};
    use proptest::prelude::*;

    fn table(bytes: i64) -> Table {
        Table { schema: "s".into(), name: "t".into(), bytes, ..Table::default() }
    }

    proptest! {
        #[test]
        fn every_table_is_read_once(sizes in prop::collection::vec(0i64..1 << 26, 0..500)) {
            let tables: Vec<_> = sizes.iter().map(|&bytes| table(bytes)).collect();
            let batches = batches(&tables);
            prop_assert!(batches.iter().all(|b| b.len() <= TOGETHER));
            let sum = |b: &Vec<usize>| b.iter().map(|&i| sizes[i]).sum::<i64>();
            prop_assert!(batches.iter().all(|b| b.len() == 1 || sum(b) <= SMALL));
            let mut all: Vec<_> = batches.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..tables.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_rows_of_an_extension_s_table_are_those_that_pg_dump_takes() {
        let table = Table { condition: "WHERE a > 1".into(), ..table(0) };
        assert_eq!(
            question(3, &table, Depth::Count),
            "SELECT 3::bigint, pg_catalog.count(*), NULL::text, NULL::text, NULL::text FROM (SELECT * FROM ONLY \"s\".\"t\" WHERE a > 1) AS t"
        );
    }

    #[test]
    fn computed_columns_have_a_hash_of_their_own_and_older_backups_one_of_the_whole_row() {
        let column = |name: &str| Column { name: name.into(), differing: None };
        let computed = Computed { columns: vec![column("c \"d")], hash: None };
        let table = Table { computed: Some(computed), carried: vec!["a".into(), "t".into()], ..table(0) };
        let asked = question(0, &table, Depth::Full);
        assert!(asked.starts_with("SELECT 0::bigint, pg_catalog.count(*), NULL::text, coalesce("), "{asked}");
        assert!(
            asked.contains("(ROW(t.\"a\", t.\"t\")::text") && asked.contains("(ROW(t.\"c \"\"d\")::text")
        );
        assert!(question(0, &Table { whole: true, ..table }, Depth::Full).contains("((t.*)::text"));
    }
}
