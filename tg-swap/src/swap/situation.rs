//! Where a swap stands, for `status`: who serves, and what a person's next command would do.

use serde_json::{Value, json};
use tg_core::session::Session;

use crate::error::SwapError;
use crate::plan::Plan;
use crate::swap::{ComposeUp, Intent, Phase, Release};
use tg_core::balancer::{self, Instance, Seen};

/// What there is to say.
#[derive(Default)]
pub(crate) struct Situation {
    /// The balancer's name and what it can do; null without one, or where it is away.
    pub balancer: Value,
    /// The swap in hand; null without one.
    pub swap: Value,
    /// What is not as it should be.
    pub problems: Vec<String>,
}

/// Tells each instance of the API with its place in the balancer, and the swap in hand.
pub(crate) fn tell(session: &Session, plan: &Plan) -> Result<Situation, SwapError> {
    let mut situation = Situation::default();
    let intent = Intent::read(&plan.project.state()?)?;
    let serving = match rotation(session, plan, intent.as_ref()) {
        Ok((balancer, serving)) => {
            situation.balancer = balancer;
            serving
        }
        Err(error) => {
            // A project without a balancer needs none for its status; one that is away is a problem.
            if tg_core::balancer::Config::read(&plan.project).is_ok() {
                situation.problems.push(error.to_string());
            }
            Vec::new()
        }
    };
    let Some(intent) = intent else { return Ok(situation) };
    let runner = session.runner();
    let up = ComposeUp::ask(&plan.project, runner)?;
    let lost: Vec<&String> = up.ends.iter().filter(|name| serving.contains(name)).collect();
    situation.problems.push(standing(&intent));
    if !lost.is_empty() {
        let names = lost.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ");
        situation.problems.push(format!("docker compose up -d would now stop {names}, which serve"));
    }
    situation.swap = json!({
        "run": intent.run, "from": intent.from.version, "to": intent.to.version, "phase": intent.phase,
        "since": intent.since, "kept_until": intent.kept_until, "serving": serving,
        "compose_up": {"ends": up.ends, "makes": up.makes, "loses": lost},
    });
    Ok(situation)
}

fn standing(intent: &Intent) -> String {
    let (from, to) = (&intent.from.version, &intent.to.version);
    match (intent.phase, &intent.kept_until) {
        (Phase::Kept, Some(until)) if intent.kept_for().is_some_and(|left| left.is_zero()) => {
            format!("{from} was to be kept until {until}: tg-swap commit stops its instances")
        }
        (Phase::Kept, Some(until)) => {
            format!("{from} is kept beside {to} until {until}: tg-swap rollback or tg-swap commit")
        }
        (Phase::Back, _) => format!("the way back from {to} to {from} has not ended: tg-swap abort goes on"),
        (Phase::Retire, _) => format!("{to} serves, {from} is not yet removed: tg-swap commit goes on"),
        _ => format!("the swap from {from} to {to} has not ended: tg-swap resume or tg-swap abort"),
    }
}

/// One record an instance; the balancer, and the names of those that get new requests.
fn rotation(
    session: &Session,
    plan: &Plan,
    intent: Option<&Intent>,
) -> Result<(Value, Vec<String>), SwapError> {
    let Some(balancer) = balancer::open(session, &plan.project, &plan.engine)? else {
        return Ok((Value::Null, Vec::new()));
    };
    let (_, port) = plan.project.health_place()?;
    let mut containers = Vec::new();
    for service in &plan.project.api {
        containers.extend(plan.engine.running(&plan.project.name, service)?);
    }
    let instances = containers.iter().filter_map(|c| Instance::of(c, port));
    let seen = balancer.look(&instances.collect::<Vec<_>>())?;
    let of = |name: &str| seen.iter().find(|s| s.name == name).cloned().unwrap_or_default();
    for container in &containers {
        let seen = of(&container.name);
        let Seen { takes_new, healthy, in_flight, .. } = &seen;
        let side = intent.map(|i| side(&i.from, &i.to, container));
        let data = json!({
            "kind": "instance", "container": container.name, "service": container.service, "side": side,
            "takes_new": takes_new, "healthy": healthy, "in_flight": in_flight,
        });
        let word = if seen.serves() { "serves" } else { "gets no new requests" };
        session.emit.record(&format!("{}: {word}", container.name), data)?;
    }
    let about = json!({"name": balancer.name(), "abilities": balancer.abilities()});
    Ok((about, seen.into_iter().filter(Seen::serves).map(|s| s.name).collect()))
}

fn side(from: &Release, to: &Release, container: &tg_core::container::Container) -> &'static str {
    if to.has(container, from) {
        "new"
    } else if from.has(container, to) {
        "old"
    } else {
        "stranger"
    }
}
