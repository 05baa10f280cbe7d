//! The default action: a swap begins, or goes on where it was killed.

use serde_json::json;
use tg_core::release::Pin;
use tg_core::session::{Answer, Session};

use super::{commit, conclusion, in_hand, way_back};
use crate::cli::{Cli, Role, To, Which};
use crate::direct;
use crate::effects::{Effects, Real};
use crate::error::SwapError;
use crate::finding;
use crate::lint::{self, Facts};
use crate::plan::Plan;
use crate::proof;
use crate::start::serving;
use crate::swap::{Intent, Options, Phase};
use tg_core::balancer::{self, Balancer};

/// The default action: swap to a release.
pub(crate) fn run(session: &Session, cli: &Cli, to: &To, options: &Options) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, &Which::default())?;
    let state = plan.project.state()?;
    let wanted = plan.wanted(to)?;
    let version = wanted.first().map_or_else(String::new, |(_, tag)| tag.clone());
    session.emit.start(&format!("swapping to {version}"), plan.facts(cli.dry_run))?;
    let options = &Options { pace: options.pace.of(&plan.project)?, ..options.clone() };
    let Some(balancer) = balancer::open(session, &plan.project, &plan.engine)? else {
        return direct::run(session, cli, &plan, &wanted, options);
    };
    in_hand::reach(&plan, balancer.as_ref())?;
    if options.canary.is_some() {
        let able = balancer.abilities();
        if !able.share {
            return Err(SwapError::NoShare(balancer.name()));
        }
        if !able.count && options.judge.is_none() {
            return Err(SwapError::NoCount(balancer.name()));
        }
    }
    beside(&plan, to, &wanted)?;
    if !balancer.abilities().add {
        let msg = format!(
            "{} changes its set by a reload, which may cut connections that clients keep",
            balancer.name()
        );
        session.emit.warning("reload", &msg, json!({"balancer": balancer.name()}))?;
    }
    if cli.dry_run {
        return tell(session, &plan, balancer.as_ref(), &wanted, options);
    }
    let lock = session.begin_change(&state)?;
    session.check("swapping")?;
    let effects = Real::new(session, &plan, options.pace.ready_timeout)?;
    let mut found = already_begun(session, &plan, balancer.as_ref(), &wanted)?;
    if let Some(intent) = found.take_if(|intent| intent.phase == Phase::Back) {
        way_back::back(session, &plan, &state, balancer.as_ref(), intent)?;
    }
    let intent = match found {
        Some(intent) if intent.phase == Phase::Kept => {
            return Ok(Answer::yes(
                "it was swapped before",
                json!({"changed": false, "kept_until": intent.kept_until}),
            ));
        }
        Some(intent) => intent,
        None => {
            pull_missing(session, &plan, &effects, &wanted)?;
            let begun = Intent::prepare(session, &plan, balancer.as_ref(), &effects, &wanted, options)?;
            let Some(intent) = begun else {
                // Somebody may have scaled it: all that run serve.
                balancer.assign(&serving(&plan)?)?;
                return Ok(Answer::yes(format!("{version} runs already"), json!({"changed": false})));
            };
            session.emit.change(
                "plan",
                &format!("swap from {} to {}", intent.from.version, intent.to.version),
                json!({"from": intent.from, "to": intent.to}),
                || {
                    intent.write(&state)?;
                    Ok::<_, SwapError>(((), json!({})))
                },
            )?;
            intent
        }
    };
    conclusion::finish(session, &plan, &state, balancer.as_ref(), intent, lock)
}

/// The swap in hand, if it is the one that is wanted; one that is only kept ends first.
fn already_begun(
    session: &Session,
    plan: &Plan,
    balancer: &dyn Balancer,
    wanted: &[(&Pin, String)],
) -> Result<Option<Intent>, SwapError> {
    let Some(intent) = Intent::read(&plan.project.state()?)? else { return Ok(None) };
    let same = wanted
        .iter()
        .all(|(pin, tag)| intent.to.services.get(&pin.service).is_some_and(|side| side.tag == *tag));
    if same {
        return Ok(Some(intent));
    }
    commit::end_kept(session, plan, balancer, intent)?;
    Ok(None)
}

/// Whether new instances can stand beside the old ones, and both on one schema.
fn beside(plan: &Plan, to: &To, wanted: &[(&Pin, String)]) -> Result<(), SwapError> {
    let mut found = Vec::new();
    for service in &plan.project.api {
        let model = plan.project.require(service, "api")?.clone();
        found.extend(lint::beside(&Facts {
            service: service.clone(),
            role: Some(Role::Api),
            model,
            ..Facts::default()
        }));
    }
    found.extend(proof::missing(plan, wanted)?);
    finding::refuse(&found, &to.accept)
}

/// Images that are not here are fetched; those that are need no registry.
pub(crate) fn pull_missing(
    session: &Session,
    plan: &Plan,
    effects: &dyn Effects,
    wanted: &[(&Pin, String)],
) -> Result<(), SwapError> {
    let mut references: Vec<String> = wanted.iter().map(|(pin, tag)| pin.at(tag)).collect();
    references.sort();
    references.dedup();
    for reference in references {
        if plan.engine.image(&reference)?.is_none() {
            session.emit.change("pull", &format!("pull {reference}"), json!({"image": reference}), || {
                effects.pull(&reference)?;
                Ok::<_, SwapError>(((), json!({"image": reference})))
            })?;
        }
    }
    Ok(())
}

/// A dry run: the steps in their order, with what is known of them.
fn tell(
    session: &Session,
    plan: &Plan,
    balancer: &dyn Balancer,
    wanted: &[(&Pin, String)],
    options: &Options,
) -> Result<Answer, SwapError> {
    for (pin, tag) in wanted.iter().filter(|(pin, _)| plan.services.contains(&pin.service)) {
        let (service, image) = (&pin.service, pin.at(tag));
        let n = plan.project.service(service).map_or(1, lint::replicas);
        let steps = if plan.project.api.contains(service) {
            format!(
                "create {n} of {service} at {image}, wait until ready, let them in by {}, drain and stop the old ones",
                balancer.name()
            )
        } else {
            format!("create {n} of {service} at {image}, then ask the old ones to finish")
        };
        in_hand::would(session, &steps)?;
    }
    in_hand::would(
        session,
        &format!("keep the old instances for {}", humantime::format_duration(options.keep)),
    )
}
