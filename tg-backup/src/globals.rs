//! Roles, their settings and grants, and tablespaces, which no dump of one database holds.

use std::path::Path;

use serde_json::json;

use crate::clients::Call;
use crate::context::Context;
use crate::error::Error;

pub(crate) const GLOBALS: &str = "globals.sql";
const SUPERUSER: &str = "SELECT pg_catalog.current_setting('is_superuser') = 'on'";

/// Dumps them without passwords. Who may not read them gets a warning.
pub(crate) fn run(ctx: &Context, directory: &Path) -> Result<(), Error> {
    let command = |at: &str| {
        let words = ["pg_dumpall", "--globals-only", "--no-role-passwords", "--no-sync"].map(str::to_owned);
        words.into_iter().chain([format!("--file={at}/{GLOBALS}")]).collect()
    };
    match Call::new("pg_dumpall", directory, &command).writing().run(ctx) {
        Err(Error::Client { problem, .. }) if !superuser(ctx)? => {
            let msg = format!("roles and tablespaces are not in the backup: {problem}");
            ctx.session.emit.warning("no-globals", &msg, json!({"user": ctx.target.user}))?;
            let _ = std::fs::remove_file(directory.join(GLOBALS));
            Ok(())
        }
        ended => ended,
    }
}

fn superuser(ctx: &Context) -> Result<bool, Error> {
    Ok(ctx.target.connect(crate::TOOL, None)?.query_one(SUPERUSER, &[])?.get(0))
}
