//! Roles, their settings and grants, and tablespaces, which no dump of one database holds. They are
//! dumped beside it, in the same container.

use serde_json::json;
use tg_core::backup::GLOBALS;
use tg_core::backup::output::Written;

use crate::context::Context;
use crate::error::Error;

const SUPERUSER: &str = "SELECT pg_catalog.current_setting('is_superuser') = 'on'";

/// What it says, and how it ended: beside its file.
pub(crate) const SAID: &str = "globals.sql.err";
pub(crate) const CODE: &str = "globals.sql.code";

/// Starts pg_dumpall in a shell, where `$globals` is its file: what it says goes beside that, and how
/// it ended into a third file. Without passwords.
pub(crate) const BEGIN: &str = r#"(
  pg_dumpall --globals-only --no-role-passwords --no-sync --file="$globals" 2>"$globals.err"
  echo $? >"$globals.code"
) & globals_pid=$!
"#;
pub(crate) const AWAIT: &str = r#"wait "$globals_pid""#;

/// Looks how it went. Who may not read roles gets a warning.
pub(crate) fn conclude(ctx: &Context, written: &Written) -> Result<(), Error> {
    let take = |name: &str| -> Result<String, Error> {
        let text = written.text(name)?;
        written.remove(name)?;
        Ok(text)
    };
    let (code, said) = (take(CODE)?.trim().parse().unwrap_or(-1), take(SAID)?);
    if code == 0 {
        return Ok(());
    }
    let problem = tg_core::process::tail(&said);
    if superuser(ctx)? {
        return Err(Error::Client { program: "pg_dumpall".into(), code, problem });
    }
    let msg = format!("roles and tablespaces are not in the backup: {problem}");
    ctx.session.emit.warning("no-globals", &msg, json!({"user": ctx.target.user}))?;
    let _ = written.remove(GLOBALS);
    Ok(())
}

fn superuser(ctx: &Context) -> Result<bool, Error> {
    Ok(ctx.target.connect(crate::TOOL, None)?.query_one(SUPERUSER, &[])?.get(0))
}
