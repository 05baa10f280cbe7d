//! A swap with no balancer in front: the API publishes its port itself, so the old instance goes
//! before the new one comes. Honest: the downtime is measured and told.

use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::container::Container;
use tg_core::health::{Expect, Prober, Verdict};
use tg_core::history;
use tg_core::release::Pin;
use tg_core::session::{Answer, Session};

use crate::before::Before;
use crate::cli::Cli;
use crate::effects::{DryRun, Real};
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
    let moves = || -> Result<_, SwapError> {
        let of = |services| Move::plan(plan, wanted, services);
        Ok((of(&plan.project.api)?, of(&plan.project.worker)?))
    };
    if cli.dry_run {
        let (api, worker) = moves()?;
        api.perform(session, plan, &DryRun { session })?;
        worker.perform(session, plan, &DryRun { session })?;
        return Ok(Answer::yes("dry run: nothing was changed", json!({"changed": false})));
    }
    let state = plan.project.state()?;
    let _lock = session.begin_change(&state)?;
    session.check("swapping")?;
    let effects = Real { session, project: &plan.project, engine: &plan.engine };
    pull_missing(session, plan, &effects, wanted)?;
    let (api, worker) = moves()?;
    Before::record(session, plan, &effects)?;
    let msg = "no load balancer is in front: the API is down while its instance is replaced";
    session.emit.warning("downtime", msg, json!({"services": plan.project.api}))?;
    let begun = Instant::now();
    let changed = api.perform(session, plan, &effects)?;
    let down = if changed { await_ready(session, plan, options, begun) } else { Ok(Duration::ZERO) };
    let down = down.map_err(|cause| api.undo(session, plan, &effects, cause))?;
    let jobs_too = worker.perform(session, plan, &effects)?;
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
    begun: Instant,
) -> Result<Duration, SwapError> {
    let (path, port) = plan.project.health_place()?;
    let token = plan.project.health_token(session.emit.redactor())?;
    let prober = Prober::new("tg-swap", token.as_ref(), Expect::default(), session.emit.redactor());
    loop {
        let mut reason = None;
        for container in instances(plan)? {
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
        if begun.elapsed() > options.pace.ready_timeout || container.restarts > 2 {
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
