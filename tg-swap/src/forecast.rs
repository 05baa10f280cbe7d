//! Says beforehand what moving to a release means; changes nothing.

use serde_json::{Value, json};
use tg_core::image_config::ImageConfig;
use tg_core::session::{Answer, Session};
use tg_core::version::parse;

use crate::cli::{To, Which};
use crate::error::SwapError;
use crate::finding::{Finding, Severity, refuse};
use crate::judge;
use crate::library::Library;
use crate::lint::variables;
use crate::notes::{Notes, Topic, between};
use crate::plan::Plan;
use crate::succession::{self, Succession};

pub(crate) fn run(session: &Session, to: &To) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, &Which::default())?;
    let wanted = plan.tags(to.to.as_deref())?;
    session.emit.start(&format!("planning project {}", plan.project.name), plan.facts(true))?;
    let successions = succession::look(session, &plan, &wanted)?;
    for succession in &successions {
        session.emit.record(&succession.text(), succession.data())?;
    }
    let notes = notes(session, &plan, &successions)?;
    for (version, notes) in &notes {
        tell(session, version, notes.as_ref())?;
    }
    let mut findings = judge::findings(session, &plan, to.to.as_deref(), &successions)?;
    findings.extend(notes.iter().filter_map(|(version, notes)| unset(&plan, version, notes.as_ref()?)));
    findings.sort_by_key(|finding| finding.severity);
    for finding in &findings {
        session.emit.record(&finding.text(), finding.data())?;
    }
    let moves =
        successions.iter().any(Succession::changes) || wanted.iter().any(|(pin, tag)| pin.tag() != *tag);
    if moves {
        refuse(&findings, &to.accept)?;
    }
    Ok(answer(&plan, to, &successions, &notes, &findings, moves))
}

/// The notes of each release on the way, oldest first.
fn notes(
    session: &Session,
    plan: &Plan,
    successions: &[Succession],
) -> Result<Vec<(String, Option<Notes>)>, SwapError> {
    let Some(first) = successions.first() else { return Ok(Vec::new()) };
    let to = &first.then.version;
    let from = running(plan, successions);
    let Some(from) = from.iter().min_by_key(|version| parse(version)) else { return Ok(Vec::new()) };
    let config: Option<(&str, ImageConfig)> = match &first.then.here {
        Some(image) => plan.engine.image_config(&image.id)?.map(|config| (image.id.as_str(), config)),
        None => None,
    };
    let image = config.as_ref().map(|(id, config)| (*id, config));
    let library = Library::open(&plan.project, &plan.engine, &session.run, to, image)?;
    let versions = between(library.versions(), from, to);
    Ok(versions
        .into_iter()
        .map(|v| {
            let notes = library.of(&v).cloned();
            (v, notes)
        })
        .collect())
}

fn tell(session: &Session, version: &str, notes: Option<&Notes>) -> Result<(), SwapError> {
    let msg = match notes {
        Some(notes) => format!("release notes of {version}: {}{}", notes.file, notes.text()),
        None => format!("release notes of {version}: none found"),
    };
    Ok(session.emit.record(&msg, json!({"kind": "release-notes", "version": version, "notes": notes}))?)
}

fn unset(plan: &Plan, version: &str, notes: &Notes) -> Option<Finding> {
    let models: Vec<&Value> = plan.pins.iter().filter_map(|pin| plan.project.service(&pin.service)).collect();
    variables::unset(version, &notes.variables(), &models)
}

/// The distinct releases that the application runs.
fn running(plan: &Plan, successions: &[Succession]) -> Vec<String> {
    let mut versions: Vec<String> = Vec::new();
    let application = successions.iter().filter(|s| plan.services.contains(&s.service));
    for present in application.flat_map(|s| &s.now) {
        if !versions.contains(&present.version) {
            versions.push(present.version.clone());
        }
    }
    versions
}

fn answer(
    plan: &Plan,
    to: &To,
    successions: &[Succession],
    notes: &[(String, Option<Notes>)],
    findings: &[Finding],
    moves: bool,
) -> Answer {
    let from = running(plan, successions);
    let target = successions.first().map(|s| s.then.version.clone()).unwrap_or_default();
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let counts: serde_json::Map<String, Value> = [Severity::Unsafe, Severity::Warning, Severity::Info]
        .map(|severity| (severity.word().to_owned(), json!(count(severity))))
        .into_iter()
        .collect();
    let breaks =
        |notes: &Notes| notes.sections.iter().any(|s| s.topic == Topic::Breaking && s.says_something());
    let breaking: Vec<&String> =
        notes.iter().filter(|(_, n)| n.as_ref().is_some_and(breaks)).map(|(version, _)| version).collect();
    let accepted: Vec<String> = to.accept.iter().map(|word| word.name()).collect();
    let msg = if moves {
        format!("from {} to {target}: {}", from.join(" and "), summary(findings))
    } else {
        format!("{target} is what runs; there is nothing to do")
    };
    let data = json!({
        "changed": false, "moves": moves, "from": from, "to": target, "services": plan.services,
        "findings": counts, "breaking": breaking, "accepted": accepted,
    });
    Answer::yes(msg, data)
}

fn summary(findings: &[Finding]) -> String {
    let accepted = findings.iter().filter(|f| f.severity == Severity::Unsafe).count();
    match (accepted, findings.iter().filter(|f| f.severity == Severity::Warning).count()) {
        (0, 0) => "nothing speaks against it".into(),
        (0, warnings) => format!("nothing forbids it, warnings: {warnings}"),
        (accepted, warnings) => format!("accepted: {accepted}, warnings: {warnings}"),
    }
}
