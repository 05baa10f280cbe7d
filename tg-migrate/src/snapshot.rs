//! Prints the catalog as records with one hash: to keep, and to compare with later.

use serde_json::json;
use tg_core::session::{Answer, Session};

use crate::catalog::{self, Catalog};
use crate::cli::Cli;
use crate::context::Context;
use crate::error::MigrateError;

pub(crate) fn run(session: &Session, cli: &Cli) -> Result<Answer, MigrateError> {
    let ctx = Context::open(session, cli)?;
    ctx.start("reading the catalog of", "snapshot", json!({}))?;
    let mut client = ctx.connect()?;
    let catalog = Catalog::read(&mut client)?;
    for (key, attributes) in catalog.iter() {
        session.emit.record(&key.to_string(), catalog::data(key, attributes))?;
    }
    let hash = catalog.hash();
    let data = json!({
        "changed": false, "database": ctx.target.name, "objects": catalog.len(), "hash": hash, "hash_here": catalog.hash_here(),
        "origin": catalog.origin(),
    });
    Ok(Answer::yes(format!("{} objects, {}", catalog.len(), &hash[..12]), data))
}
