//! Sizes and bloat of what is worth a look: estimated from the columns' statistics, and confirmed by `pgstattuple` where the
//! extension is there and the estimate is high.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tg_core::database::Client;

use super::index::Index;
use super::relation::{Relation, Size};
use crate::bloat::{self, Bloat, Column};
use crate::table::PAGE;

/// An estimate above this is worth to be confirmed.
pub(crate) const BLOATED: f64 = 0.3;
/// What one confirmation may take, and all of them.
const LIMIT: Duration = Duration::from_secs(10);
const ALL: Duration = Duration::from_mins(1);
/// Bytes of a page that are not for rows.
const PAGE_HEADER: f64 = 24.0;

/// Whether `pgstattuple` is there, and where.
const EXTENSION: &str = "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e \
    JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pgstattuple'";

/// Sizes of tables; one that somebody holds has none.
pub(crate) fn sizes(
    client: &mut Client,
    oids: &[u32],
) -> Result<HashMap<u32, Size>, tg_core::database::QueryError> {
    let rows = client
        .query(concat!(include_str!("../sql/closed.sql"), include_str!("../sql/sizes.sql")), &[&oids])?;
    let size = |row: &postgres::Row| {
        let size =
            Size { own: row.try_get("own")?, indexes: row.try_get("indexes")?, total: row.try_get("total")? };
        Ok((row.try_get("oid")?, size))
    };
    rows.iter().map(size).collect()
}

/// The columns of tables and indexes.
pub(crate) fn columns(
    client: &mut Client,
    oids: &[u32],
) -> Result<HashMap<u32, Vec<Column>>, tg_core::database::QueryError> {
    let mut all: HashMap<u32, Vec<Column>> = HashMap::new();
    for row in client.query(include_str!("../sql/columns.sql"), &[&oids])? {
        let width: Option<i32> = row.try_get("width")?;
        all.entry(row.try_get("oid")?).or_default().push(Column {
            number: row.try_get("number")?,
            length: row.try_get("length")?,
            alignment: bloat::alignment(row.try_get("alignment")?),
            width: width.map(f64::from),
            nulls: f64::from(row.try_get::<_, Option<f32>>("nulls")?.unwrap_or(0.0)),
            distinct: f64::from(row.try_get::<_, Option<f32>>("distinct")?.unwrap_or(-1.0)),
        });
    }
    Ok(all)
}

/// The estimate of a table whose size is known.
pub(super) fn of_table(relation: &Relation, columns: &[Column]) -> Option<Bloat> {
    let size = relation.size?;
    let facts = bloat::Relation {
        pages: size.own / PAGE,
        rows: relation.rows,
        live: relation.live,
        changed: relation.changed,
        fill: relation.fill(),
    };
    bloat::of_table(facts, columns)
}

/// The estimate of a B-tree whose size is known; `own`: its columns, `table`: those of its table, which have the statistics.
pub(crate) fn of_index(
    index: &Index,
    table: (i64, i64),
    own: &[Column],
    columns: &[Column],
) -> Option<Bloat> {
    if index.method != "btree" {
        return None;
    }
    let facts = bloat::Relation {
        pages: index.size? / PAGE,
        rows: index.rows,
        live: table.0,
        changed: table.1,
        fill: index.fill(),
    };
    let known: Vec<Column> = own
        .iter()
        .zip(&index.keys)
        .map(|(column, key)| {
            let of_table = columns.iter().find(|other| other.number == *key);
            // An expression has statistics of its own.
            of_table.map_or(*column, |other| Column {
                width: other.width,
                nulls: other.nulls,
                distinct: other.distinct,
                ..*column
            })
        })
        .collect();
    bloat::of_btree(facts, &known, index.unique, index.deduplicates())
}

/// Confirms estimates while there is time.
pub(crate) struct Confirmation {
    schema: Option<String>,
    begun: Instant,
}

impl Confirmation {
    pub(crate) fn new(client: &mut Client) -> Result<Self, tg_core::database::QueryError> {
        let schema = client.query_opt(EXTENSION, &[])?.map(|row| row.try_get(0)).transpose()?;
        Ok(Confirmation { schema, begun: Instant::now() })
    }

    /// Whether anything can be confirmed.
    pub(crate) fn is_there(&self) -> bool {
        self.schema.is_some()
    }

    /// A table's: dead rows and free space exactly, or nearly where all is visible.
    pub(crate) fn table(&self, client: &mut Client, oid: u32, fill: f64) -> Option<Bloat> {
        let query = format!(
            "SELECT table_len, dead_tuple_len + approx_free_space FROM {}.pgstattuple_approx($1::pg_catalog.oid::pg_catalog.regclass)",
            self.schema.as_deref()?
        );
        let row = self.ask(client, &query, oid)?;
        let bytes: i64 = row.try_get(0).ok()?;
        let free: i64 = row.try_get(1).ok()?;
        #[expect(clippy::cast_precision_loss, reason = "bytes of a table")]
        let (free, reserved) =
            (free as f64, (bytes as f64) * (1.0 - PAGE_HEADER / 8192.0) * (1.0 - fill / 100.0));
        Some(Bloat::measured(free - reserved, bytes, "pgstattuple_approx"))
    }

    /// A B-tree's: how densely its leaves are filled.
    pub(crate) fn index(&self, client: &mut Client, oid: u32, fill: f64) -> Option<Bloat> {
        let query = format!(
            "SELECT index_size, avg_leaf_density, leaf_pages, empty_pages + deleted_pages FROM {}.pgstatindex($1::pg_catalog.oid::pg_catalog.regclass)",
            self.schema.as_deref()?
        );
        let row = self.ask(client, &query, oid)?;
        let (bytes, density): (i64, f64) = (row.try_get(0).ok()?, row.try_get(1).ok()?);
        let (leaves, empty): (i64, i64) = (row.try_get(2).ok()?, row.try_get(3).ok()?);
        let density = if density.is_nan() { fill } else { density };
        #[expect(clippy::cast_precision_loss, reason = "pages of an index")]
        let free =
            leaves as f64 * PAGE as f64 * (1.0 - (density / fill).min(1.0)) + empty as f64 * PAGE as f64;
        Some(Bloat::measured(free, bytes, "pgstatindex"))
    }

    /// Nothing where it takes too long, or is not allowed: then the estimate stays what it is.
    fn ask(&self, client: &mut Client, query: &str, oid: u32) -> Option<postgres::Row> {
        if self.begun.elapsed() > ALL {
            return None;
        }
        let limit = format!("SET statement_timeout = {}", LIMIT.as_millis());
        client.batch_execute(&limit).ok()?;
        let row = client.query_one(query, &[&oid]).ok();
        client.batch_execute("SET statement_timeout = 0").ok()?;
        row
    }
}
