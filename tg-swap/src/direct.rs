//! A swap with no balancer in front: the API publishes its port itself, so the old instance goes
//! before the new one comes. Honest: the downtime is measured and told.

use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::container::Container;
use tg_core::crash::Watch;
use tg_core::health::{Expect, Prober, Verdict};
use tg_core::history;
use tg_core::release::Pin;
use tg_core::session::{Answer, Session};

use crate::before::Before;
use crate::cli::Cli;
use crate::effects::{DryRun, Effects, Real, outlast};
use crate::error::SwapError;
use crate::plan::Plan;
use crate::start::Move;
use crate::stop::object;
use crate::swap::{Options, pull_missing};

/// Between two questions; the downtime is known no finer.
const ROUND: Duration = Duration::from_millis(50);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

pub(crate) fn run(
    session: &Session,
    cli: &Cli,
    plan: &Plan,
    wanted: &[(&Pin, String)],
    options: &Options,
) -> Result<Answer, SwapError> {
    if options.canary.is_some() {
        return Err(SwapError::NoShare("none"));
    }
    let moved = |services| Move::plan(plan, wanted, services);
    if cli.dry_run {
        moved(&plan.project.api)?.perform(session, plan, &DryRun { session })?;
        moved(&plan.project.worker)?.perform(session, plan, &DryRun { session })?;
        return Ok(Answer::yes("dry run: nothing was changed", json!({"changed": false})));
    }
    let state = plan.project.state()?;
    let _lock = session.begin_change(&state)?;
    session.check("swapping")?;
    let effects = Real::new(session, plan, options.pace.ready_timeout)?;
    pull_missing(session, plan, &effects, wanted)?;
    let (api, all) = (moved(&plan.project.api)?, moved(&plan.services)?);
    Before::record(session, plan, &effects)?;
    let msg = "no load balancer is in front: the API is down while its instance is replaced";
    session.emit.warning("downtime", msg, json!({"services": plan.project.api}))?;
    let begun = Instant::now();
    let changed = api.perform(session, plan, &effects)?;
    let down =
        if changed { await_ready(session, plan, options, &effects, begun) } else { Ok(Duration::ZERO) };
    let down = down.map_err(|cause| api.undo(session, plan, &effects, cause))?;
    // The files name the release already: what fails from here on is not undone with them alone.
    let jobs_too = match moved(&plan.project.worker)?.perform(session, plan, &effects) {
        Ok(jobs_too) => jobs_too,
        // The new API is well, and the release is not at fault.
        Err(SwapError::Undone { cause }) if cause.did_not_pass() => {
            let facts = json!({"to": api.images, "services": plan.project.api, "balancer": "none", "ran": api.ids, "outcome": "stuck"});
            history::append(&state, &session.run, crate::TOOL, "swap", object(facts))?;
            return Err(SwapError::Workers { cause, services: plan.project.worker.join(" ") });
        }
        Err(SwapError::Undone { cause }) => return Err(all.undo(session, plan, &effects, *cause)),
        Err(other) => return Err(other),
    };
    let facts = json!({
        "changed": changed || jobs_too, "to": api.images, "services": plan.services, "balancer": "none",
        "ran": api.ids, "downtime_ms": down.as_millis(), "outcome": "succeeded",
    });
    if changed || jobs_too {
        history::append(&state, &session.run, crate::TOOL, "swap", object(facts.clone()))?;
    }
    Ok(Answer::yes(format!("{} serves; it was down for {:.1} s", api.releases(), down.as_secs_f64()), facts))
}

/// Until every instance answers well; the time since the first was stopped.
fn await_ready(
    session: &Session,
    plan: &Plan,
    options: &Options,
    effects: &dyn Effects,
    begun: Instant,
) -> Result<Duration, SwapError> {
    let (path, port) = plan.project.health_place()?;
    let token = plan.project.health_token(session.emit.redactor())?;
    let prober = Prober::new("tg-swap", token.as_ref(), Expect::default(), session.emit.redactor());
    let mut watch = Watch::over(&outlast(effects, || instances(plan))?, Instant::now());
    loop {
        let mut reason = None;
        let now = outlast(effects, || instances(plan))?;
        let crash = watch.look(&now, Instant::now());
        for container in now {
            if let Some(crash) = crash.as_ref().filter(|crash| crash.id == container.id) {
                let how = format!("it {}", crash.how);
                return Err(SwapError::not_ready(session, &plan.engine, &container, how));
            }
            let verdict = match container.url(port, &path).filter(|_| container.running()) {
                Some(url) => prober.probe(&url, ANSWER),
                None => {
                    Verdict::no(format!("it is {} with exit code {}", container.state, container.exit_code))
                }
            };
            if !verdict.ready {
                reason = Some((container, verdict.reason.unwrap_or_default()));
            }
        }
        let Some((container, reason)) = reason else { return Ok(begun.elapsed()) };
        if begun.elapsed() > options.pace.ready_timeout() {
            return Err(SwapError::not_ready(session, &plan.engine, &container, reason));
        }
        session.check("waiting until the new instance is ready")?;
        std::thread::sleep(ROUND);
    }
}

/// The containers of the API; there is one at least, or nothing was started.
fn instances(plan: &Plan) -> Result<Vec<Container>, SwapError> {
    let mut all = Vec::new();
    for service in &plan.project.api {
        let mut containers = plan.engine.containers(&plan.project.name, service)?;
        containers.retain(|c| !c.one_off);
        if containers.is_empty() {
            return Err(SwapError::NotAsTold(1, format!("{service} has no container")));
        }
        all.extend(containers);
    }
    Ok(all)
}
