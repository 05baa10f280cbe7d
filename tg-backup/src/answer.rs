//! How a command ends: words for people, and a line in the history.

use serde_json::Value;
use tg_core::{Answer, history};

use crate::context::Context;
use crate::error::Error;

/// Bytes for people.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Signed bytes, as PostgreSQL counts them.
pub(crate) fn unsigned(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

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

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_told_with_one_decimal() {
        for (bytes, text) in [(7, "7 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (72_000_000, "72.0 MB")] {
            assert_eq!(super::size(bytes), text);
        }
    }
}
