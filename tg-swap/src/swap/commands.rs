//! The commands of a swap: begin, go on, go back, end.

use std::time::Duration;

use serde_json::{Value, json};
use tg_core::Fault;
use tg_core::history;
use tg_core::lock::Lock;
use tg_core::process::Runner;
use tg_core::release::Pin;
use tg_core::session::{Answer, Session};
use tg_core::state::State;

use super::keeper;
use crate::balancer::{self, Balancer};
use crate::cli::{Cli, Role, To, Which};
use crate::direct;
use crate::effects::{Effects, Real};
use crate::error::SwapError;
use crate::finding;
use crate::lint::{self, Facts};
use crate::plan::Plan;
use crate::start::serving;
use crate::stop::object;
use crate::swap::{ComposeUp, Intent, Options, Pace, Phase, Swap};

/// The project's balancer.
type Driver<'a> = Box<dyn Balancer + 'a>;

/// How often a commit for later looks whether it is still wanted.
const GLANCE: Duration = Duration::from_secs(1);

/// The default action: swap to a release.
pub(crate) fn run(session: &Session, cli: &Cli, to: &To, options: &Options) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, &Which::default())?;
    let state = plan.project.state()?;
    let wanted = plan.wanted(to)?;
    let version = wanted.first().map_or_else(String::new, |(_, tag)| tag.clone());
    session.emit.start(&format!("swapping to {version}"), plan.facts(cli.dry_run))?;
    let Some(balancer) = balancer::open(session, &plan.project, &plan.engine)? else {
        return direct::run(session, cli, &plan, &wanted, options);
    };
    reach(&plan, balancer.as_ref())?;
    if options.canary.is_some() && !balancer.abilities().share {
        return Err(SwapError::NoShare(balancer.name()));
    }
    beside(&plan, to)?;
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
    let effects = Real { session, project: &plan.project, engine: &plan.engine };
    let mut found = in_hand(session, &plan, balancer.as_ref(), &wanted)?;
    if let Some(intent) = found.take_if(|intent| intent.phase == Phase::Back) {
        back(session, &plan, &state, balancer.as_ref(), intent)?;
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
    finish(session, &plan, &state, balancer.as_ref(), intent, lock)
}

/// The swap that a killed or interrupted tool left: goes on with it, forwards or backwards.
pub(crate) fn resume(session: &Session, cli: &Cli) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, &Which::default())?;
    let state = plan.project.state()?;
    session.emit.start("going on with the swap", plan.facts(cli.dry_run))?;
    let Some((balancer, intent)) = of_project(session, &plan, &state)? else {
        return Ok(Answer::yes("no swap is in hand", json!({"changed": false})));
    };
    if intent.phase == Phase::Kept {
        let msg = "the swap is done; its old instances are kept until tg-swap commit";
        return Ok(Answer::yes(msg, json!({"changed": false, "kept_until": intent.kept_until})));
    }
    if cli.dry_run {
        return would(session, &format!("go on with the swap to {}", intent.to.version));
    }
    let lock = session.begin_change(&state)?;
    finish(session, &plan, &state, balancer.as_ref(), intent, lock)
}

/// Back to what ran before the swap in hand.
pub(crate) fn abort(session: &Session, cli: &Cli) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, &Which::default())?;
    let state = plan.project.state()?;
    session.emit.start("going back from the swap", plan.facts(cli.dry_run))?;
    let Some((balancer, intent)) = of_project(session, &plan, &state)? else {
        return Ok(Answer::yes("no swap is in hand", json!({"changed": false})));
    };
    if intent.phase == Phase::Retire {
        return Err(SwapError::TooLate(intent.run));
    }
    if cli.dry_run {
        return would(session, &format!("go back to {}", intent.from.version));
    }
    let _lock = session.begin_change(&state)?;
    back(session, &plan, &state, balancer.as_ref(), intent)
}

/// Stops and removes the old instances of a swap that is done.
pub(crate) fn commit(session: &Session, cli: &Cli, after: Option<Duration>) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, &Which::default())?;
    let state = plan.project.state()?;
    session.emit.start("ending the time for which old instances are kept", plan.facts(cli.dry_run))?;
    if let Some(after) = after
        && !still_kept(session, &state, after)?
    {
        return Ok(Answer::yes("nothing is kept any more", json!({"changed": false})));
    }
    let Some((balancer, intent)) = of_project(session, &plan, &state)? else {
        return Ok(Answer::yes("nothing is kept", json!({"changed": false})));
    };
    if intent.phase != Phase::Kept && intent.phase != Phase::Retire {
        return Err(SwapError::Unfinished { run: intent.run, version: intent.to.version });
    }
    if cli.dry_run {
        return would(session, &format!("stop and remove the instances of {}", intent.from.version));
    }
    let Some(_lock) = lock_for_commit(session, &state, after.is_some())? else {
        return Ok(Answer::yes("nothing is kept any more", json!({"changed": false})));
    };
    // Somebody may have gone back while we waited for the lock.
    if Intent::read(&state)?.is_none_or(|now| now.run != intent.run || now.phase < Phase::Kept) {
        return Ok(Answer::yes("nothing is kept any more", json!({"changed": false})));
    }
    let mut swap = Swap::new(session, &plan, balancer.as_ref(), intent)?;
    swap.retire_all().map_err(|cause| SwapError::Leftover { cause: Box::new(cause) })?;
    let up = compose_up(session, &plan)?;
    let facts = json!({"changed": true, "version": swap.intent.to.version, "compose_up": up, "phases_ms": swap.phases()});
    Ok(Answer::yes(format!("only {} is left", swap.intent.to.version), facts))
}

/// Back to what ran before a run, without losing a request: by a flip of the balancer where its
/// instances are still kept, else by a swap to its very images. `None` where no balancer is in front
/// or nothing runs that could serve meanwhile.
pub(crate) fn roll_back(
    session: &Session,
    plan: &Plan,
    run: &str,
    wanted: &[(&Pin, String)],
    pace: &Pace,
) -> Result<Option<Answer>, SwapError> {
    let state = plan.project.state()?;
    let Ok(Some(balancer)) = balancer::open(session, &plan.project, &plan.engine) else { return Ok(None) };
    if !api_runs(plan)? {
        Intent::remove(&state)?;
        return Ok(None);
    }
    reach(plan, balancer.as_ref())?;
    if let Some(intent) = Intent::read(&state)? {
        if intent.run == run && intent.phase != Phase::Retire {
            return back(session, plan, &state, balancer.as_ref(), intent).map(Some);
        }
        end_kept(session, plan, balancer.as_ref(), intent)?;
    }
    let effects = Real { session, project: &plan.project, engine: &plan.engine };
    let options = Options::at(pace);
    let begun = Intent::prepare(session, plan, balancer.as_ref(), &effects, wanted, &options)?;
    let Some(mut intent) = begun else {
        return Ok(Some(Answer::yes("it runs already", json!({"changed": false}))));
    };
    intent.undoes = Some(run.to_owned());
    intent.write(&state)?;
    conclude(session, plan, &state, balancer.as_ref(), intent).map(|(_, answer)| Some(answer))
}

/// Drives a swap to its end and gives the lock back before somebody waits for `commit`.
fn finish(
    session: &Session,
    plan: &Plan,
    state: &State,
    balancer: &dyn Balancer,
    intent: Intent,
    lock: Lock,
) -> Result<Answer, SwapError> {
    if intent.phase == Phase::Back {
        return back(session, plan, state, balancer, intent);
    }
    let (intent, answer) = conclude(session, plan, state, balancer, intent)?;
    drop(lock);
    keeper::start(session, &intent)?;
    Ok(answer)
}

/// Drives a swap to its end and records it: as a rollback, where it is one.
fn conclude(
    session: &Session,
    plan: &Plan,
    state: &State,
    balancer: &dyn Balancer,
    intent: Intent,
) -> Result<(Intent, Answer), SwapError> {
    let mut swap = Swap::new(session, plan, balancer, intent)?;
    let mut facts = drive(&mut swap)?;
    let intent = swap.intent.clone();
    let ran: Value =
        intent.to.services.iter().map(|(name, side)| (name.clone(), json!(side.image_id))).collect();
    facts["ran"] = ran;
    let version = &intent.to.version;
    let (action, msg) = match (&intent.undoes, &intent.kept_until) {
        (Some(run), _) => {
            facts["undoes"] = json!(run);
            ("rollback", format!("{version} is back"))
        }
        (None, Some(until)) => (
            "swap",
            format!(
                "{version} serves; tg-swap rollback goes back at once until {until}, tg-swap commit ends that"
            ),
        ),
        (None, None) => ("swap", format!("{version} serves")),
    };
    history::append(state, &intent.run, crate::TOOL, action, object(facts.clone()))?;
    Ok((intent, Answer::yes(msg, facts)))
}

/// Goes, and tells what was seen.
fn drive(swap: &mut Swap) -> Result<Value, SwapError> {
    match swap.go() {
        Ok(()) => {}
        Err(SwapError::Undone { cause }) => {
            let evidence = swap.evidence();
            let facts = json!({
                "from": swap.intent.from.version, "to": swap.intent.to.version, "outcome": "undone",
                "error": {"code": cause.code(), "message": cause.to_string()}, "evidence": evidence,
            });
            let action = if swap.intent.undoes.is_some() { "rollback" } else { "swap" };
            history::append(&swap.state, &swap.intent.run, crate::TOOL, action, object(facts))?;
            return Err(SwapError::UndoneSwap { cause, evidence });
        }
        Err(error) => return Err(error),
    }
    let (session, plan, intent) = (swap.session, swap.plan, &swap.intent);
    let up = compose_up(session, plan)?;
    Ok(json!({
        "changed": true, "from": intent.from.version, "to": intent.to.version, "outcome": "succeeded",
        "services": plan.services, "balancer": swap.balancer.name(), "abilities": swap.balancer.abilities(),
        "evidence": swap.evidence(), "cut": intent.cut, "phases_ms": swap.phases(),
        "kept_until": intent.kept_until, "compose_up": up,
    }))
}

fn back(
    session: &Session,
    plan: &Plan,
    state: &State,
    balancer: &dyn Balancer,
    intent: Intent,
) -> Result<Answer, SwapError> {
    let mut swap = Swap::new(session, plan, balancer, intent)?;
    swap.back()
        .map_err(|cause| SwapError::HalfBack { cause: Box::new(cause), run: swap.intent.run.clone() })?;
    let intent = &swap.intent;
    let facts = json!({
        "changed": true, "undoes": intent.run, "from": intent.to.version, "to": intent.from.version,
        "outcome": "succeeded", "evidence": swap.evidence(), "cut": intent.cut, "phases_ms": swap.phases(),
        "compose_up": compose_up(session, plan)?,
    });
    history::append(state, &session.run, crate::TOOL, "rollback", object(facts.clone()))?;
    Ok(Answer::yes(format!("{} is back", intent.from.version), facts))
}

/// What `docker compose up -d` would do now; it warns where that would stop what serves.
fn compose_up(session: &Session, plan: &Plan) -> Result<ComposeUp, SwapError> {
    let runner = Runner { emit: &session.emit, deadline: tg_core::deadline::Deadline::after(None) };
    let up = ComposeUp::ask(&plan.project, runner)?;
    if !up.nothing_to_do() {
        let msg = format!(
            "docker compose up -d would stop {}; tg-swap commit or rollback comes first",
            up.ends.join(", ")
        );
        session.emit.warning("compose-up", &msg, json!({"ends": up.ends, "makes": up.makes}))?;
    }
    Ok(up)
}

/// Whether the balancer answers and is prepared: asked before anything is changed.
fn reach(plan: &Plan, balancer: &dyn Balancer) -> Result<(), SwapError> {
    if plan.project.api.len() != 1 {
        return Err(SwapError::SeveralApis(plan.project.api.join(", ")));
    }
    balancer.look(&[])?;
    Ok(())
}

/// Whether new instances can stand beside the old ones.
fn beside(plan: &Plan, to: &To) -> Result<(), SwapError> {
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
    finding::refuse(&found, &to.accept)
}

fn api_runs(plan: &Plan) -> Result<bool, SwapError> {
    for service in &plan.project.api {
        if !plan.engine.running(&plan.project.name, service)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The swap in hand, if it is the one that is wanted; one that is only kept ends first.
fn in_hand(
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
    end_kept(session, plan, balancer, intent)?;
    Ok(None)
}

fn end_kept(
    session: &Session,
    plan: &Plan,
    balancer: &dyn Balancer,
    intent: Intent,
) -> Result<(), SwapError> {
    if intent.phase != Phase::Kept && intent.phase != Phase::Retire {
        return Err(SwapError::Unfinished { run: intent.run, version: intent.to.version });
    }
    Swap::new(session, plan, balancer, intent)?.retire_all()
}

fn of_project<'a>(
    session: &'a Session,
    plan: &'a Plan,
    state: &State,
) -> Result<Option<(Driver<'a>, Intent)>, SwapError> {
    let Some(intent) = Intent::read(state)? else { return Ok(None) };
    let Some(balancer) = balancer::open(session, &plan.project, &plan.engine)? else { return Ok(None) };
    reach(plan, balancer.as_ref())?;
    Ok(Some((balancer, intent)))
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

/// Sleeps until the time for which old instances are kept is over; false as soon as it need not.
fn still_kept(session: &Session, state: &State, after: Duration) -> Result<bool, SwapError> {
    let begun = std::time::Instant::now();
    loop {
        let kept = Intent::read(state)?.is_some_and(|i| i.run == session.run && i.phase == Phase::Kept);
        if !kept || begun.elapsed() >= after {
            return Ok(kept);
        }
        session.check("waiting until the old instances need not be kept any more")?;
        std::thread::sleep(GLANCE.min(after));
    }
}

/// The lock; whoever waited for long waits for another tool as well, for as long as there is
/// something to commit.
fn lock_for_commit(session: &Session, state: &State, patient: bool) -> Result<Option<Lock>, SwapError> {
    loop {
        match session.begin_change(state) {
            Err(tg_core::Error::Locked { .. }) if patient => {
                session.check("waiting for the project's lock")?;
                std::thread::sleep(GLANCE);
                if Intent::read(state)?.is_none() {
                    return Ok(None);
                }
            }
            other => return Ok(Some(other?)),
        }
    }
}

fn would(session: &Session, action: &str) -> Result<Answer, SwapError> {
    session.emit.record(&format!("would {action}"), json!({"kind": "would", "action": action}))?;
    Ok(Answer::yes("dry run: nothing was changed", json!({"changed": false})))
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
        would(session, &steps)?;
    }
    would(session, &format!("keep the old instances for {}", humantime::format_duration(options.keep)))
}
