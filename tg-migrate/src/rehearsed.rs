//! Has a rehearsal proven a release, and is it still of what is here?

use std::collections::BTreeSet;

use serde_json::json;
use tg_core::rehearsal::Rehearsal;
use tg_core::release::Pin;
use tg_core::session::{Answer, Session};

use crate::catalog::Catalog;
use crate::cli::{Cli, RehearsedOptions};
use crate::context::Context;
use crate::error::MigrateError;
use crate::rehearse::{self, Conclusion, Verdict};

pub(crate) fn run(session: &Session, cli: &Cli, options: &RehearsedOptions) -> Result<Answer, MigrateError> {
    let ctx = Context::open(session, cli)?;
    let to = cli.to.clone().map_or_else(|| rehearse::written(&ctx), Ok)?;
    ctx.start("looking for a rehearsal of", "rehearsed", json!({"to": to}))?;
    let Some((path, _)) = Rehearsal::newest_file(&ctx.project.state()?, &to)? else {
        return Ok(Answer::no(format!("{to} was never rehearsed"), json!({"changed": false, "to": to})));
    };
    let verdict = Verdict::read(&path)?;
    let schema = Catalog::read(&mut ctx.connect()?)?.hash();
    let images = Images::find(&ctx, &to, &options.from_image)?;
    let data = json!({
        "changed": false, "from": verdict.from, "to": to, "verdict": path, "created": verdict.created, "backup": verdict.backup,
        "conclusion": verdict.conclusion, "reasons": verdict.reasons, "isolated": verdict.isolated, "migrated": verdict.schema_after.as_ref() == Some(&schema),
    });
    if let Some(why) = verdict.elsewhere(&ctx.target.name, &schema, &images.from, &images.to) {
        return Ok(Answer::no(format!("the rehearsal of {to} does not hold any more: {why}"), data));
    }
    if !verdict.isolated.is_yes() {
        let why = "it was not shown to reach no other server";
        return Ok(Answer::no(format!("the rehearsal of {to} does not hold: {why}"), data));
    }
    let good = match verdict.conclusion {
        Conclusion::Proven => true,
        Conclusion::NoCounterexample => options.accept_no_counterexample,
        Conclusion::Broken | Conclusion::Unknown => false,
    };
    if good {
        return Ok(Answer::yes(
            format!("{} goes on with the schema of {to}, as rehearsed", verdict.from),
            data,
        ));
    }
    let first = verdict.reasons.first().map_or("it could not be tried", String::as_str);
    Ok(Answer::no(format!("{} does not go on with {to}: {first}", verdict.from), data))
}

/// What of both releases is on this host.
struct Images {
    /// Those that are to go on.
    from: Vec<String>,
    /// Those of the new release, by service.
    to: Vec<(String, String)>,
}

impl Images {
    /// `named` are to go on, else those that run and are not of the new release.
    fn find(ctx: &Context, to: &str, named: &[String]) -> Result<Self, MigrateError> {
        let runner = ctx.session.runner();
        let (mut new, mut running) = (Vec::new(), BTreeSet::new());
        for pin in Pin::find(&ctx.project, runner, &ctx.project.application()?)? {
            let containers = ctx.engine.running(&ctx.project.name, &pin.service)?;
            running.extend(containers.into_iter().map(|container| container.image_id));
            if let Some(image) = ctx.engine.image(&pin.at(to))? {
                new.push((pin.service, image.id));
            }
        }
        running.retain(|id| new.iter().all(|(_, of_new)| of_new != id));
        let from = if named.is_empty() { running.into_iter().collect() } else { named.to_vec() };
        Ok(Images { from, to: new })
    }
}
