//! `tg-vacuum blockers`: who keeps dead rows from being removed.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use tg_core::cli::duration;
use tg_core::database::DatabaseFlags;
use tg_core::project::Project;
use tg_core::{Answer, Error as CoreError, Exit, Session};

use crate::cli::default_lock_timeout;
use crate::database::Access;
use crate::error::Error;
use crate::holder::Holder;
use crate::text;

/// What a role without `pg_read_all_stats` sees instead of others' queries.
const HIDDEN: &str = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity \
    WHERE query = '<insufficient privilege>' AND datname = pg_catalog.current_database()";

#[derive(Args, Debug)]
pub(crate) struct BlockerFlags {
    /// Leave out sessions and transactions that are younger: every query holds the horizon while it runs
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    older_than: Duration,
}

/// Names them, the oldest first; exit 1 when one is there.
pub(crate) fn blockers(
    session: &Session,
    database: &DatabaseFlags,
    flags: &BlockerFlags,
) -> Result<Answer, Error> {
    let project = Project::load(session)?;
    let (access, mut connection) = Access::find(session, &project, database, default_lock_timeout())?;
    session.check("asking the database")?;
    let data = json!({
        "version": env!("CARGO_PKG_VERSION"), "database": access.place, "server_version": access.server.major(),
        "older_than_s": flags.older_than.as_secs(),
    });
    session.emit.start(&format!("who keeps dead rows of {} from being removed", access.place), data)?;
    let hidden: i64 = connection
        .client
        .query_one(HIDDEN, &[])
        .and_then(|row| Ok(row.try_get(0)?))
        .map_err(CoreError::from)?;
    if hidden > 0 {
        let msg =
            format!("what {hidden} sessions do can't be seen by this role; GRANT pg_read_all_stats to it");
        session.emit.warning("hidden", &msg, json!({"sessions": hidden}))?;
    }
    let all = Holder::all(&mut connection.client).map_err(CoreError::from)?;
    let old = |holder: &&Holder| holder.age_s.is_none_or(|age| age >= flags.older_than.as_secs_f64());
    let holders: Vec<_> = all.iter().filter(old).collect();
    for holder in &holders {
        session.emit.record(&format!("{}\n  {}", holder.sentence(), holder.cure()), holder.data())?;
    }
    let oldest = holders.first().map(|holder| holder.age);
    let data = json!({"holders": holders.len(), "oldest_xids": oldest, "changed": false});
    Ok(match holders.first() {
        None => Answer::yes("nobody keeps dead rows from being removed", data),
        Some(first) => Answer {
            exit: Exit::No,
            msg: format!("{}; the oldest: {}", count(holders.len()), text::one_line(&first.sentence(), 200)),
            data,
        },
    })
}

fn count(n: usize) -> String {
    if n == 1 {
        "1 keeps dead rows from being removed".into()
    } else {
        format!("{n} keep dead rows from being removed")
    }
}
