//! Compares two states of a schema: what differs, and what that means to code made for the first.

use serde_json::{Value, json};
use tg_core::session::{Answer, Session};

use crate::catalog::{self, Catalog};
use crate::cli::{Cli, DiffOptions};
use crate::compat::{self, Change, Class};
use crate::context::Context;
use crate::error::MigrateError;

pub(crate) fn run(session: &Session, cli: &Cli, options: &DiffOptions) -> Result<Answer, MigrateError> {
    let before = catalog::read_file(&options.before)?;
    let after = if let Some(path) = &options.after {
        session.emit.start("comparing two snapshots", json!({"version": crate::VERSION}))?;
        catalog::read_file(path)?
    } else {
        let ctx = Context::open(session, cli)?;
        ctx.start("comparing a snapshot with", "diff", json!({}))?;
        Catalog::read(&mut ctx.connect()?)?
    };
    let changes = compat::changes(&before, &after);
    tell(session, &changes)?;
    let data = summary(&changes, &before, &after);
    let breaking = count(&changes, Class::Breaking);
    let msg = match (changes.len(), breaking) {
        (0, _) => "nothing differs".to_owned(),
        (all, 0) => format!("{all} differences, none breaks code made for the first"),
        (all, some) => format!("{all} differences, {some} of them break code made for the first"),
    };
    let no = breaking > 0 || (options.equal && !changes.is_empty());
    Ok(if no { Answer::no(msg, data) } else { Answer::yes(msg, data) })
}

/// One record for each difference.
pub(crate) fn tell(session: &Session, changes: &[Change]) -> Result<(), MigrateError> {
    for change in changes {
        let msg = match change.verdict.class {
            Class::Compatible => change.describe(),
            Class::Risky => format!("risky: {}: {}", change.describe(), change.verdict.reason),
            Class::Breaking => format!("breaking: {}: {}", change.describe(), change.verdict.reason),
        };
        session.emit.record(&msg, change.data())?;
    }
    Ok(())
}

fn summary(changes: &[Change], before: &Catalog, after: &Catalog) -> Value {
    json!({
        "changed": false, "differences": changes.len(), "breaking": count(changes, Class::Breaking),
        "risky": count(changes, Class::Risky), "hash_before": before.hash(), "hash_after": after.hash(),
    })
}

fn count(changes: &[Change], class: Class) -> usize {
    changes.iter().filter(|change| change.verdict.class == class).count()
}
