//! A deadlock of our own making: one of our sessions holds a table, somebody waits for it to change that table, and another
//! session of ours waits behind him. The server can't see it; we can, and begin anew when he is done.

use std::sync::{Mutex, PoisonError};

use serde_json::json;
use tg_core::database::Client;

use crate::backends::Session;
use crate::context::Context;
use crate::error::Error;

const STANDOFF: &str = include_str!("sql/standoff.sql");
const TERMINATE: &str =
    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.unnest($1::int[]) AS t(pid)";
/// How often a dump is begun before the one who gets in between is told of as an error.
pub(crate) const ATTEMPTS: u32 = 3;
/// What a worker of pg_dump says, which waits for nobody.
const NOT_OBTAINED: &str = "could not obtain lock on relation";

/// Whom we have met; the sessions of ours that were in it have been ended.
#[derive(Default)]
pub(crate) struct Standoff(Mutex<Option<Session>>);

impl Standoff {
    /// Looks whether there is one. If so, ends those of our sessions that wait: what they would do is begun anew.
    pub(crate) fn look(&self, client: &mut Client) -> Result<bool, Error> {
        self.end(client, false)
    }

    /// The same; ends also those of our sessions that are waited for.
    pub(crate) fn yield_to(&self, client: &mut Client) -> Result<bool, Error> {
        self.end(client, true)
    }

    fn end(&self, client: &mut Client, holders: bool) -> Result<bool, Error> {
        let rows = client.query(STANDOFF, &[&crate::TOOL])?;
        let Some(row) = rows.first() else { return Ok(false) };
        let session =
            Session { pid: row.get(1), application: row.get(2), user: row.get(3), kind: row.get(4) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        let mut ours: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        if holders {
            ours.extend(rows.iter().flat_map(|row| row.get::<_, Vec<i32>>(5)));
        }
        client.query(TERMINATE, &[&ours])?;
        Ok(true)
    }

    /// Whom we have met.
    pub(crate) fn met(&self) -> Option<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether an attempt failed since somebody stood in between, and who.
pub(crate) fn behind(ctx: &Context, standoff: &Standoff, error: &Error) -> Option<Vec<Session>> {
    if let Some(session) = standoff.met() {
        return Some(vec![session]);
    }
    let refused = matches!(error, Error::Client { problem, .. } if problem.contains(NOT_OBTAINED));
    refused.then(|| waiting(ctx).unwrap_or_default())
}

/// Says that it begins anew.
pub(crate) fn tell(ctx: &Context, sessions: &[Session]) -> Result<(), Error> {
    let who = crate::error::describe(sessions);
    let msg = format!(
        "{who} wants to change a table between our lock on it and the dump's; letting it go first and beginning again"
    );
    Ok(ctx.session.emit.warning("standoff", &msg, json!({"sessions": sessions}))?)
}

/// Who waits for a session of ours.
fn waiting(ctx: &Context) -> Result<Vec<Session>, Error> {
    let mut client = ctx.target.connect(crate::TOOL, None)?;
    let read = |row: &postgres::Row| Session {
        pid: row.get(0),
        application: row.get(1),
        user: row.get(2),
        kind: row.get(3),
    };
    Ok(client.query(crate::watcher::WAITING, &[&crate::TOOL])?.iter().map(read).collect())
}
