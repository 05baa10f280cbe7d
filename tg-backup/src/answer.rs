//! How a command ends: words for people, and a line in the history.

use serde_json::Value;
use tg_core::{Answer, history};

use crate::context::Context;
use crate::error::Error;

/// Appends the finished change to the history and answers with the same facts.
pub(crate) fn changed(
    ctx: &Context,
    action: &str,
    msg: impl Into<String>,
    data: Value,
) -> Result<Answer, Error> {
    let facts = data.as_object().cloned().unwrap_or_default();
    history::append(&ctx.state, &ctx.session.run, crate::TOOL, action, facts)?;
    Ok(Answer::yes(msg, data))
}

/// Answers that the change was made before; a run that was killed just before it could write its
/// history gets that line now.
pub(crate) fn unchanged(
    ctx: &Context,
    action: &str,
    msg: impl Into<String>,
    data: Value,
) -> Result<Answer, Error> {
    let run = &ctx.session.run;
    let known = history::read(&ctx.state)
        .iter()
        .any(|line| line["run"] == *run && line["tool"] == crate::TOOL && line["action"] == action);
    if !known && ctx.session.joined {
        let facts = data.as_object().cloned().unwrap_or_default();
        history::append(&ctx.state, run, crate::TOOL, action, facts)?;
    }
    Ok(Answer::yes(msg, data))
}
