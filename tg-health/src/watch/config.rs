//! What the flags of a watch come to, checked before anything is asked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use regex_lite::Regex;
use serde_json::{Map, Value, json};
use tg_core::balancer;
use tg_core::health::{Expect, Prober, check_url};
use tg_core::project::Project;
use tg_core::settings::{Settings, process_env};
use tg_core::{Error as CoreError, Session, clock};

use super::cli::{Matter, Watch};
use super::judges::Limits;
use super::recording::Recording;
use super::sensors::{Asked, Plan};
use crate::config::{expected, prober, read_token, token_file};
use crate::error::Error;
use crate::http;

/// Where the API's containers tell their metrics.
const METRICS_PATH: &str = "/metrics";

/// A checked configuration.
pub(super) struct Config {
    pub(super) length: Duration,
    pub(super) probe_timeout: Duration,
    pub(super) to_the_end: bool,
    /// Where what was seen is kept: where the user wants it, and beside the journals of the procedure that this watch is a step of.
    pub(super) keep: Vec<PathBuf>,
    pub(super) baseline: Option<Recording>,
    pub(super) replay: Option<Recording>,
    pub(super) limits: Limits,
    /// Whether it is to be a baseline.
    pub(super) records: bool,
    /// Why the load balancer can't be looked at, where it should be.
    pub(super) no_balancer: Option<String>,
    asked: Vec<Asked>,
    lenient: Arc<Prober>,
    project: Option<Project>,
    metrics: Vec<String>,
    looks_at: Vec<Matter>,
}

impl Config {
    pub(super) fn check(session: &Session, args: &Watch) -> Result<Self, Error> {
        let baseline = args.baseline.as_deref().map(Recording::baseline).transpose()?;
        let replay = args.replay.as_deref().map(Recording::read).transpose()?;
        let seconds = replay.as_ref().map(|recording| recording.samples.len());
        let limits = Limits {
            #[expect(clippy::cast_precision_loss, reason = "seconds")]
            seconds: seconds.map_or(args.length.as_secs_f64(), |seconds| seconds as f64),
            asks: replay.as_ref().map_or(args.looks_at(Matter::Probes), Recording::asks),
            rate: replay.as_ref().map_or(args.rate, |recording| recording.head.rate),
            budget: args.budget,
            slower: args.slower,
            settle_ms: u64::try_from(args.settle.as_millis()).unwrap_or(u64::MAX),
            rules: args.max.clone(),
        };
        let needed = replay.is_none() && args.needs_project();
        let project = if needed { Some(Project::load(session)?) } else { None };
        let (asked, lenient) = asked(session, args, project.as_ref(), replay.is_some())?;
        let metrics = match &project {
            Some(project) if args.metrics.is_empty() && !args.max.is_empty() => instances(session, project)?,
            _ => args.metrics.clone(),
        };
        let all = [Matter::Probes, Matter::Balancer, Matter::Containers, Matter::Logs, Matter::Metrics];
        Ok(Config {
            length: args.length,
            probe_timeout: args.probe_timeout,
            to_the_end: args.to_the_end,
            keep: args.record.iter().cloned().chain(beside_journals(session, project.as_ref())?).collect(),
            records: args.record.is_some(),
            no_balancer: project
                .as_ref()
                .filter(|_| args.looks_at(Matter::Balancer))
                .and_then(|project| balancer::Config::read(project).err())
                .map(|error| error.to_string()),
            baseline,
            replay,
            limits,
            asked,
            lenient,
            project,
            metrics,
            looks_at: all.into_iter().filter(|matter| args.looks_at(*matter)).collect(),
        })
    }

    pub(super) fn plan(&self) -> Plan<'_> {
        Plan {
            matters: &self.looks_at,
            asked: &self.asked,
            rate: self.limits.rate,
            probe_timeout: self.probe_timeout,
            project: self.project.as_ref(),
            known: self.records,
            rules: &self.limits.rules,
            metrics: &self.metrics,
            prober: &self.lenient,
        }
    }

    /// The first line for people.
    pub(super) fn opening(&self) -> String {
        match &self.replay {
            Some(recording) => format!("judging what was recorded at {}", recording.head.begun),
            None => format!("watching for {} s", self.length.as_secs_f64()),
        }
    }

    /// For the first line.
    pub(super) fn facts(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "targets": self.asked.iter().map(|asked| &asked.url).collect::<Vec<_>>(),
            "length_ms": self.length.as_millis(),
            "rate": self.limits.rate,
            "budget": self.limits.budget,
            "slower": self.limits.slower,
            "settle_ms": self.limits.settle_ms,
            "rules": self.limits.rules.iter().map(|rule| &rule.text).collect::<Vec<_>>(),
            "metrics": self.metrics,
            "looks_at": self.looks_at.iter().map(|matter| format!("{matter:?}").to_lowercase()).collect::<Vec<_>>(),
            "baseline": self.baseline.as_ref().map(|baseline| &baseline.head.begun),
            "record": self.keep.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        })
    }
}

fn beside_journals(session: &Session, project: Option<&Project>) -> Result<Option<PathBuf>, CoreError> {
    let (Some(project), true) = (project, session.joined) else { return Ok(None) };
    let dir = project.state()?.run_dir(&session.run);
    let name = format!("{}.{}", clock::digits(SystemTime::now()), Recording::EXTENSION);
    Ok(Some(dir.join(name)))
}

/// Who is asked and how: the health URL strictly, the others by their status and by not saying that they are ill.
fn asked(
    session: &Session,
    args: &Watch,
    project: Option<&Project>,
    replay: bool,
) -> Result<(Vec<Asked>, Arc<Prober>), Error> {
    let redactor = session.emit.redactor();
    for url in args.urls.iter().chain(&args.metrics) {
        check_url(url).map_err(|problem| CoreError::Usage {
            problem: format!("bad URL {url}: {problem}"),
            hint: "a watch asks http:// and https:// alone; write it as http://host:port/path".into(),
        })?;
    }
    let file = match project {
        Some(project) => token_file(&args.http, &project.settings(), |text| project.path(text))?,
        None => {
            token_file(&args.http, &Settings::new(&process_env, Map::new())?, |text| PathBuf::from(text))?
        }
    };
    let token = read_token(file, redactor)?;
    let manners = http::manners(&args.http, redactor)?;
    let strict = expected(&args.http);
    let anything = || Regex::new("").ok();
    let lenient = Expect { body: strict.body.clone().or_else(anything), ..strict.clone() };
    let strict = Arc::new(prober(token.as_ref(), strict, redactor, manners.clone()));
    let lenient = Arc::new(prober(token.as_ref(), lenient, redactor, manners));
    let mut asked = Vec::new();
    if let (Some(project), false) = (project, replay) {
        let url = project.health_url()?;
        asked.push(Asked { url, prober: strict });
    }
    asked.extend(args.urls.iter().map(|url| Asked { url: url.clone(), prober: Arc::clone(&lenient) }));
    Ok((asked, lenient))
}

/// The metrics of each API container: a balancer would answer with those of one or another.
fn instances(session: &Session, project: &Project) -> Result<Vec<String>, Error> {
    let engine = tg_core::engine::Engine::connect(&session.bounds())?;
    let (_, port) = project.health_place()?;
    let mut found = Vec::new();
    for service in &project.api {
        for container in engine.running(&project.name, service)? {
            found.extend(container.url(port, METRICS_PATH));
        }
    }
    Ok(found)
}
