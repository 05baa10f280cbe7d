//! Roles, their settings and grants, and tablespaces, which no dump of one database holds. They are
//! dumped beside it, in the same container.

use std::path::Path;

use serde_json::json;
use tg_core::Error as CoreError;
use tg_core::backup::GLOBALS;

use crate::context::Context;
use crate::error::Error;

const SUPERUSER: &str = "SELECT pg_catalog.current_setting('is_superuser') = 'on'";

/// Starts pg_dumpall in a shell, where `$globals` is its file: what it says goes beside that, and how
/// it ended into a third file. Without passwords.
pub(crate) const BEGIN: &str = r#"(
  pg_dumpall --globals-only --no-role-passwords --no-sync --file="$globals" 2>"$globals.err"
  echo $? >"$globals.code"
) & globals_pid=$!
"#;
pub(crate) const AWAIT: &str = r#"wait "$globals_pid""#;

/// Looks how it went. Who may not read roles gets a warning.
pub(crate) fn conclude(ctx: &Context, directory: &Path) -> Result<(), Error> {
    let beside = |end: &str| directory.join(format!("{GLOBALS}{end}"));
    let take = |end: &str| -> Result<String, Error> {
        let path = beside(end);
        let text = std::fs::read_to_string(&path).map_err(|e| CoreError::file(&path, &e))?;
        std::fs::remove_file(&path).map_err(|e| CoreError::file(&path, &e))?;
        Ok(text)
    };
    let (code, said) = (take(".code")?.trim().parse().unwrap_or(-1), take(".err")?);
    if code == 0 {
        return Ok(());
    }
    let problem = tg_core::process::tail(&said);
    if superuser(ctx)? {
        return Err(Error::Client { program: "pg_dumpall".into(), code, problem });
    }
    let msg = format!("roles and tablespaces are not in the backup: {problem}");
    ctx.session.emit.warning("no-globals", &msg, json!({"user": ctx.target.user}))?;
    let _ = std::fs::remove_file(beside(""));
    Ok(())
}

fn superuser(ctx: &Context) -> Result<bool, Error> {
    Ok(ctx.target.connect(crate::TOOL, None)?.query_one(SUPERUSER, &[])?.get(0))
}
