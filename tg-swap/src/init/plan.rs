//! The changes that put HAProxy in front, worked out before any is made.

use serde_json::Value;
use tg_core::process::Runner;
use tg_core::project::Project;
use tg_core::session::Session;
use tg_core::version;

use super::change::Change;
use super::error::InitError;
use super::facts::Facts;
use super::listing::{Entry, Listing};
use super::record::Made;
use super::{COMPOSE_FILE, HAPROXY_CFG, Init, LB, OLDEST_COMPOSE, STATE_FILE, files, ports};

/// What would be done to which project.
pub(super) struct Plan<'a> {
    pub project: &'a Project,
    pub facts: Facts,
    /// New files first, so that the list in `.env` never names one that is not there.
    pub changes: Vec<Change>,
    /// What takes the new file out of `.env` again.
    pub entry: Option<Entry>,
    /// What the user must do so that Compose learns of the new file.
    pub by_hand: Option<String>,
}

impl<'a> Plan<'a> {
    /// Reads the project; changes nothing.
    pub(super) fn read(session: &Session, project: &'a Project, init: &Init) -> Result<Self, InitError> {
        let runner = session.runner();
        check_compose(&runner.ask(&mut project.compose.command(&["version", "--short"]))?)?;
        let facts = Facts::read(project, runner, init)?;
        let mut changes = Vec::new();
        for (name, text) in
            [(HAPROXY_CFG, files::haproxy_cfg(&facts)), (COMPOSE_FILE, files::compose(&facts))]
        {
            let change = Change::to(project.path(name), Some(text))?;
            if change.before.is_some() && !change.is_none() {
                return Err(InitError::FileExists(change.path));
            }
            changes.push(change);
        }
        let state_file = project.path(STATE_FILE);
        if changes[0].before.is_none() && state_file.exists() {
            return Err(InitError::FileExists(state_file));
        }
        let (entry, by_hand) = match Listing::plan(&session.shared, project)? {
            Listing::Env(change, entry) => {
                changes.push(change);
                (Some(entry), None)
            }
            Listing::Named(advice) => (None, Some(advice)),
            Listing::Done => (None, None),
        };
        changes.retain(|change| !change.is_none());
        if !changes.is_empty() {
            ports::must_be_free(init.admin_port)?;
        }
        Ok(Plan { project, facts, changes, entry, by_hand })
    }

    /// The files that are not there yet, as they are remembered.
    pub(super) fn made(&self) -> Vec<Made> {
        let new = self.changes.iter().filter(|change| change.before.is_none() && !change.private);
        new.map(|change| Made {
            path: change.path.strip_prefix(&self.project.directory).unwrap_or(&change.path).to_owned(),
            text: change.after.clone().unwrap_or_default(),
        })
        .collect()
    }

    /// Asks Compose whether it now sees what was meant.
    pub(super) fn verify(&self, runner: Runner) -> Result<(), InitError> {
        let compose = if self.entry.is_some() {
            self.project.compose.clone()
        } else {
            let ours = self.project.path(COMPOSE_FILE);
            let files = self.project.files.iter().filter(|file| **file != ours).cloned();
            self.project.compose.with_files(&files.chain(std::iter::once(ours.clone())).collect::<Vec<_>>())
        };
        let model = compose.config(runner, &[]).map_err(|e| InitError::NotAsMeant(e.to_string()))?;
        let old = self.project.service(&self.facts.service).unwrap_or(&Value::Null);
        match difference(&self.facts, &old["ports"], &model) {
            Some(problem) => Err(InitError::NotAsMeant(problem)),
            None => Ok(()),
        }
    }
}

/// What Compose sees otherwise than it was meant.
fn difference(facts: &Facts, old_ports: &Value, model: &Value) -> Option<String> {
    let ports = |service: &str| model["services"][service]["ports"].as_array().cloned().unwrap_or_default();
    let (service, lb, xtg) = (&facts.service, ports(LB), &model["x-tg"]);
    if !ports(service).is_empty() {
        return Some(format!("service {service} still publishes a port"));
    }
    if old_ports.as_array().into_iter().flatten().any(|port| !lb.contains(port)) {
        return Some(format!("service {LB} does not publish every port of {service}"));
    }
    if let Some(key) = facts.settings.keys().find(|key| xtg.get(key.as_str()).is_none()) {
        return Some(format!("x-tg has lost {key}"));
    }
    let place = format!("127.0.0.1:{}", facts.admin_port);
    (xtg["balancer"]["haproxy"] != place.as_str()).then(|| format!("x-tg.balancer is {}", xtg["balancer"]))
}

fn check_compose(answer: &str) -> Result<(), InitError> {
    let text = answer.trim();
    // A distribution's suffix is no pre-release.
    let release = version::parse(text).map(|v| semver::Version::new(v.major, v.minor, v.patch));
    match release {
        Some(release) if release < OLDEST_COMPOSE => Err(InitError::OldCompose(text.to_owned())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tg_core::{Exit, Fault};

    use super::*;

    #[test]
    fn a_compose_that_does_not_know_the_tags_is_refused() {
        for old in ["2.23.3\n", "v2.20.0-desktop.1", "2.24.3-1"] {
            assert_eq!(check_compose(old).unwrap_err().exit(), Exit::Environment, "{old}");
        }
        for good in ["2.24.4-1", "2.26.1-4\n", "v2.40.0", "5.0.0", "dev"] {
            assert!(check_compose(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn each_thing_that_compose_sees_otherwise_is_named() {
        let port = json!({"target": 3000, "published": "80"});
        let facts = Facts {
            service: "api".into(),
            replicas: 1,
            ports: vec![],
            port: 3000,
            health_path: "/".into(),
            restart: None,
            networks: vec![],
            settings: json!({"backup_dir": "x"}).as_object().cloned().unwrap(),
            image: "haproxy".into(),
            admin_port: 9999,
        };
        let model = json!({
            "services": {"api": {}, "lb": {"ports": [port]}},
            "x-tg": {"backup_dir": "x", "balancer": {"haproxy": "127.0.0.1:9999"}},
        });
        let seen = |model: &Value| difference(&facts, &json!([port]), model);
        assert_eq!(seen(&model), None);
        for (pointer, word) in [
            ("/services/lb/ports", "lb does not publish"),
            ("/x-tg/backup_dir", "lost backup_dir"),
            ("/x-tg/balancer", "x-tg.balancer is null"),
        ] {
            let mut other = model.clone();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            other.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
            assert!(seen(&other).unwrap().contains(word), "{pointer}");
        }
        let mut other = model.clone();
        other["services"]["api"]["ports"] = json!([port]);
        assert!(seen(&other).unwrap().contains("still publishes"));
    }
}
