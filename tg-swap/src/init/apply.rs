//! Shows what would be made or changed, and makes it.

use serde_json::{Value, json};
use tg_core::history;
use tg_core::project::Project;
use tg_core::session::{Answer, Session};
use tg_core::state::State;

use super::change;
use super::error::InitError;
use super::listing::Entry;
use super::plan::Plan;
use super::record::Record;
use super::{Init, LB};
use crate::cli::Cli;
use crate::stop::object;
use tg_core::balancer::Config;

pub(super) fn run(session: &Session, cli: &Cli, init: &Init) -> Result<Answer, InitError> {
    let project = Project::load(session)?;
    project.application()?;
    let facts = json!({"version": crate::VERSION, "project": project.name, "apply": init.apply, "dry_run": cli.dry_run});
    session.emit.start(&format!("a load balancer in front of {}", project.api.join(", ")), facts)?;
    if Config::read(&project)? != Config::None {
        return Ok(Answer::yes(
            "a load balancer is configured already: x-tg.balancer",
            json!({"changed": false}),
        ));
    }
    let plan = Plan::read(session, &project, init)?;
    warn(session, &plan)?;
    if plan.changes.is_empty() {
        return Ok(Answer::yes("the files are as they shall be", json!({"changed": false})));
    }
    if !init.apply || cli.dry_run {
        show(session, &plan)?;
        let msg = "nothing was changed; --apply makes the change, --undo takes it back then";
        return Ok(Answer::yes(msg, summary(&plan, false)));
    }
    let state = project.state()?;
    let _lock = session.begin_change(&state)?;
    session.check("writing files")?;
    make(session, &plan, &state)?;
    history::append(&state, &session.run, crate::TOOL, "init", object(summary(&plan, true)))?;
    Ok(Answer::yes(format!("the files are written. {}", meaning(&plan)), summary(&plan, true)))
}

fn show(session: &Session, plan: &Plan) -> Result<(), InitError> {
    for change in &plan.changes {
        let diff = change.diff(&plan.project.directory);
        session.emit.record(&diff, json!({"kind": "change", "path": change.path, "diff": diff}))?;
    }
    let data = json!({"kind": "meaning", "service": plan.facts.service, "replicas": plan.facts.replicas});
    Ok(session.emit.record(&meaning(plan), data)?)
}

/// Writes the files, all or none.
fn make(session: &Session, plan: &Plan, state: &State) -> Result<(), InitError> {
    let runner = session.runner();
    let earlier = Record::read(state)?;
    let record = earlier.clone().unwrap_or_default().with(plan.made(), plan.entry.clone());
    let intent = json!({"files": paths(plan)});
    let done = session.emit.change("init", "write the files", intent, || {
        record.write(state)?;
        change::make_all(&plan.changes)?;
        plan.verify(runner)?;
        Ok(((), json!({"files": paths(plan)})))
    });
    done.map_err(|cause| {
        super::put_back(session, &plan.changes, cause, || match &earlier {
            Some(earlier) => earlier.write(state),
            None => Record::forget(state),
        })
    })
}

fn warn(session: &Session, plan: &Plan) -> Result<(), InitError> {
    if let Some(advice) = &plan.by_hand {
        session.emit.warning("files-named", advice, json!({"file": super::COMPOSE_FILE}))?;
    }
    if plan.facts.settings.contains_key("health_token_file") {
        let msg = format!(
            "HAProxy asks {} without a token; where one is needed there, it takes every instance for dead",
            plan.facts.health_path
        );
        session.emit.warning("health-token", &msg, json!({"health_path": plan.facts.health_path}))?;
    }
    Ok(())
}

fn meaning(plan: &Plan) -> String {
    let facts = &plan.facts;
    let ports: Vec<String> =
        facts.ports.iter().map(|p| p.as_str().map_or(p.to_string(), str::to_owned)).collect();
    let (service, ports, replicas) = (&facts.service, ports.join(", "), facts.replicas);
    let instances = if replicas == 1 { "one instance".into() } else { format!("{replicas} instances") };
    let named = if plan.by_hand.is_some() { ", with that file named too" } else { "" };
    let anywhere = if plan.entry.as_ref().is_some_and(Entry::is_first) {
        let directory = plan.project.directory.display();
        format!(" From then on docker compose is to be started in {directory} itself, not below it.")
    } else {
        String::new()
    };
    format!(
        "{ports} moves from service {service} to {LB}, HAProxy, with {instances} of {service} behind it. Then run \
         docker compose up -d{named}: it stops and starts {service} and moves the port. Nobody answers there for about as \
         long as that takes, since two containers can't hold one port.{anywhere}"
    )
}

fn paths(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(|change| change.path.display().to_string()).collect()
}

fn summary(plan: &Plan, changed: bool) -> Value {
    json!({
        "changed": changed, "files": paths(plan), "service": plan.facts.service, "balancer": LB,
        "ports": plan.facts.ports, "replicas": plan.facts.replicas, "by_hand": plan.by_hand,
    })
}
