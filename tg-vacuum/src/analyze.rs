//! `tg-vacuum analyze`: statistics after pg_upgrade or a restore, which bring none, or not all.

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;
use tg_core::database::Client;
use tg_core::database::DatabaseFlags;
use tg_core::{Answer, Error as CoreError, Session};

use crate::cli::some_time;
use crate::error::Error;
use crate::run::{self, RunFlags, Stages};
use crate::server::Server;

/// Whether any table of a user has statistics of any column.
const ANY: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stats WHERE schemaname <> 'information_schema' AND schemaname !~ '^pg_')";

#[derive(Args, Debug)]
pub(crate) struct AnalyzeFlags {
    /// Only tables that lack statistics of a column, an expression, their partitions, or extended ones
    #[arg(long)]
    missing: bool,

    /// Coarsely first, so that plans are usable soon; refused (6) where there are statistics already
    #[arg(long)]
    in_stages: bool,

    /// These tables and no others: table, schema.table, "My schema"."My table"
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    tables: Vec<String>,

    /// The tables of this schema
    #[arg(long, value_name = "SCHEMA")]
    schema: Vec<String>,

    /// How many tables at once [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: Option<u8>,

    /// Skip a table that can't be locked within this time, and make way for who waits so long behind us [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = some_time)]
    lock_timeout: Option<Duration>,

    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

impl AnalyzeFlags {
    /// The run that it is.
    fn as_run(&self) -> RunFlags {
        RunFlags {
            analyze_only: true,
            tables: self.tables.clone(),
            schema: self.schema.clone(),
            jobs: self.jobs,
            dry_run: self.dry_run,
            lock_timeout: self.lock_timeout,
            ..RunFlags::default()
        }
    }
}

/// Makes what is missing, or all; in stages only where there is none at all.
pub(crate) fn analyze(
    session: &Session,
    database: &DatabaseFlags,
    flags: &AnalyzeFlags,
) -> Result<Answer, Error> {
    let stages = if flags.in_stages { Stages::Three } else { Stages::One };
    run::maintain(session, database, &flags.as_run(), stages, flags.missing, |client| {
        if flags.in_stages { refuse_where_there_are_some(client) } else { Ok(()) }
    })
}

/// The first stage is so coarse that plans would be worse for a while than they are.
fn refuse_where_there_are_some(client: &mut Client) -> Result<(), Error> {
    let any: bool =
        client.query_one(ANY, &[]).and_then(|row| Ok(row.try_get(0)?)).map_err(CoreError::from)?;
    if any { Err(Error::HasStatistics) } else { Ok(()) }
}

/// The tables that lack statistics, and whether this role may see those that there are.
pub(crate) type Missing = HashMap<u32, bool>;

/// Tables that lack statistics; `again`: after an analysis, which makes none of expressions where their index has no row.
pub(crate) fn missing(client: &mut Client, server: Server, again: bool) -> Result<Missing, CoreError> {
    let rows = client.query(include_str!("sql/missing.sql"), &[&server.knows_only(), &again])?;
    let all: Result<_, postgres::Error> =
        rows.iter().map(|row| Ok((row.try_get("oid")?, row.try_get("seen")?))).collect();
    Ok(all?)
}
