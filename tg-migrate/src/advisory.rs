//! One migrator at a time on a database, whoever starts it: an advisory lock, polled from a session that
//! is idle between two tries. A session that waits in `pg_advisory_lock()` has a snapshot, and
//! CREATE INDEX CONCURRENTLY would wait for it for ever.

use std::time::Duration;

use serde_json::json;
use tg_core::database::Client;

use crate::context::Context;
use crate::error::MigrateError;

/// "tg-migra" in ASCII.
const KEY: i64 = 0x7467_2d6d_6967_7261;
const TRY: &str = "SELECT pg_catalog.pg_try_advisory_lock($1)";
const POLL: Duration = Duration::from_millis(250);

/// Held as long as this lives.
pub(crate) struct AdvisoryLock {
    _session: Client,
}

impl AdvisoryLock {
    /// Waits for another one, as long as the deadline allows.
    pub(crate) fn take(ctx: &Context) -> Result<Self, MigrateError> {
        let mut client = ctx.target.connect("tg-migrate-lock", None)?;
        let mut told = false;
        while !client.query_one(TRY, &[&KEY])?.get::<_, bool>(0) {
            if !told {
                let msg = "another tg-migrate, perhaps of another host, is at work on this database; waiting for it";
                ctx.session.emit.warning("migrator-running", msg, json!({"advisory_key": KEY}))?;
                told = true;
            }
            ctx.session.check("waiting for another tg-migrate")?;
            ctx.session.deadline.sleep(POLL);
        }
        Ok(AdvisoryLock { _session: client })
    }
}
