//! The project once more, beside the real one: the same images, environment, secrets and commands, on a network
//! that leads nowhere but to the throwaway database, with nothing of the real one's volumes and ports.

use std::collections::{BTreeSet, HashMap};
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;
use tg_core::compose;
use tg_core::container::Container;
use tg_core::ours::Maker;
use tg_core::release::{self, Pin};
use tg_core::{Error as CoreError, url};

use crate::context::Context;
use crate::error::MigrateError;

/// Its description, with secrets in it: readable by us alone, gone with the value.
pub(super) const FILE_PREFIX: &str = ".tg-stage-";
/// Compose's own names of what the copy must not have: each ties it to the real project, to this host, or to the world.
const LEFT_OUT: [&str; 20] = [
    "build",
    "cgroup",
    "cgroup_parent",
    "container_name",
    "depends_on",
    "devices",
    "dns",
    "external_links",
    "extra_hosts",
    "ipc",
    "links",
    "logging",
    "network_mode",
    "networks",
    "pid",
    "ports",
    "privileged",
    "profiles",
    "restart",
    "volumes_from",
];

/// The project at one release.
pub(super) struct Stage<'a> {
    ctx: &'a Context<'a>,
    /// Compose project.
    pub name: String,
    file: NamedTempFile,
    /// Image references by service.
    pub images: HashMap<String, String>,
}

impl<'a> Stage<'a> {
    /// The project with its application at a release; nothing is started.
    pub(super) fn at(
        ctx: &'a Context<'a>,
        maker: &Maker,
        network: &str,
        (tag, short): (&str, &str),
    ) -> Result<Self, MigrateError> {
        let runner = ctx.session.runner();
        let services = services(ctx);
        let pins = Pin::find(&ctx.project, runner, &services)?;
        let wanted: Vec<_> = pins.iter().map(|pin| (pin, tag.to_owned())).collect();
        let (compose, _overriding) = release::preview(&ctx.project, &wanted)?;
        let model = compose.config(runner, &[])?;
        let name = format!("tg-rehearse-{short}-{}", ctx.session.run.to_ascii_lowercase());
        let all: Vec<String> = services.into_iter().chain(helpers(ctx, &model)).collect();
        let copy = copy(&model, &all, &maker.labels_of_run(), network);
        let images =
            all.iter().filter_map(|s| Some((s.clone(), model["services"][s]["image"].as_str()?.to_owned())));
        let images = images.collect();
        Ok(Stage { ctx, file: written(ctx, &copy)?, name, images })
    }

    /// `docker compose …` on it.
    pub(super) fn compose(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["compose", "--progress", "quiet", "-p", &self.name, "-f"]).arg(self.file.path());
        command.args(words).env("COMPOSE_ANSI", "never").env("COMPOSE_MENU", "false");
        // What the shell says about other projects must not steer this one.
        command.env_remove("COMPOSE_FILE").env_remove("COMPOSE_PROFILES").env_remove("COMPOSE_PROJECT_NAME");
        command
    }

    /// Starts services, one container each, without those that they depend on.
    pub(super) fn start(&self, services: &[String]) -> Result<(), MigrateError> {
        let runner = self.ctx.session.runner();
        let mut words = vec!["up", "-d", "--no-deps", "--no-build"];
        words.extend(services.iter().map(String::as_str));
        runner.capture(&mut self.compose(&words))?;
        Ok(())
    }

    /// Its containers of a service.
    pub(super) fn containers(&self, service: &str) -> Result<Vec<Container>, MigrateError> {
        Ok(self.ctx.engine.containers(&self.name, service)?)
    }

    /// Removes its containers, with their volumes.
    pub(super) fn clear(&self) -> Result<(), MigrateError> {
        for service in self.images.keys() {
            for container in self.containers(service)? {
                self.ctx.engine.remove_own(&container.id)?;
            }
        }
        Ok(())
    }

    /// What the application depends on beside the database, the balancer and itself.
    pub(super) fn helpers(&self) -> Vec<String> {
        let own = services(self.ctx);
        self.images.keys().filter(|service| !own.contains(service)).cloned().collect()
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // What can't be removed now is swept by the next command.
        let _ = self.clear();
    }
}

/// The services that move together with a release.
pub(super) fn services(ctx: &Context) -> Vec<String> {
    let project = &ctx.project;
    let all = project.api.iter().chain(&project.worker).chain(std::iter::once(&project.migrate));
    all.filter(|service| project.service(service).is_some()).cloned().collect()
}

/// Under which names the application looks for its database: the service, and whatever its URLs say.
pub(super) fn database_names(ctx: &Context) -> Vec<String> {
    let mut names = BTreeSet::from([ctx.project.database.clone()]);
    for service in services(ctx) {
        let environment = ctx.project.service(&service).and_then(|s| s["environment"].as_object());
        for (name, _) in environment.into_iter().flatten() {
            let bare = name.strip_suffix("_FILE").unwrap_or(name);
            let value = ctx.project.variable(&service, bare).unwrap_or_default();
            names.extend(url::postgres_host(&value));
            if bare == "PGHOST" || bare.ends_with("DB_HOST") || bare.ends_with("DATABASE_HOST") {
                names.insert(value);
            }
        }
    }
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

/// What the application depends on, and what that depends on, but for the database and itself.
fn helpers(ctx: &Context, model: &Value) -> Vec<String> {
    let own = services(ctx);
    let (mut found, mut next) = (BTreeSet::new(), own.clone());
    while let Some(service) = next.pop() {
        let needs = model["services"][&service]["depends_on"].as_object();
        for name in needs.into_iter().flatten().map(|(name, _)| name.clone()) {
            if name != ctx.project.database && !own.contains(&name) && found.insert(name.clone()) {
                next.push(name);
            }
        }
    }
    found.into_iter().collect()
}

fn copy(model: &Value, services: &[String], labels: &HashMap<String, String>, network: &str) -> Value {
    let service = |name: &String| {
        let mut service = model["services"][name].as_object().cloned().unwrap_or_default();
        service.retain(|key, _| !LEFT_OUT.contains(&key.as_str()));
        service.insert("restart".into(), json!("no"));
        // What is rehearsed is what is here.
        service.insert("pull_policy".into(), json!("never"));
        service.insert("networks".into(), json!({"stage": {"aliases": [name]}}));
        if let Some(deploy) = service.get_mut("deploy").and_then(Value::as_object_mut) {
            deploy.retain(|key, _| key == "resources");
        }
        let volumes: Vec<Value> = service
            .get("volumes")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(volume)
            .collect();
        service.insert("volumes".into(), json!(volumes));
        let own = service.entry("labels").or_insert_with(|| json!({}));
        if let Some(own) = own.as_object_mut() {
            own.extend(labels.iter().map(|(name, value)| (name.clone(), json!(value))));
        }
        (name.clone(), Value::Object(service))
    };
    let all: Map<String, Value> = services.iter().map(service).collect();
    json!({
        "services": all, "secrets": model["secrets"].as_object().cloned().unwrap_or_default(),
        "configs": model["configs"].as_object().cloned().unwrap_or_default(),
        "networks": {"stage": {"name": network, "external": true}},
    })
}

/// An empty volume in the place of each of the real ones; a directory of the host can be read and not
/// written. The engine's socket is neither.
fn volume(volume: &Value) -> Option<Value> {
    let target = &volume["target"];
    match volume["type"].as_str()? {
        "bind" if volume["source"].as_str()?.ends_with("docker.sock") => None,
        "bind" => {
            Some(json!({"type": "bind", "source": volume["source"], "target": target, "read_only": true}))
        }
        "tmpfs" => Some(volume.clone()),
        _ => Some(json!({"type": "volume", "target": target})),
    }
}

/// The copy as a compose file. The model has the values as containers get them, and Compose fills in what it reads.
fn text(copy: &Value) -> String {
    compose::escaped(copy).to_string()
}

fn written(ctx: &Context, copy: &Value) -> Result<NamedTempFile, MigrateError> {
    let state = ctx.project.state()?;
    state.create()?;
    let write = || {
        let mut file =
            tempfile::Builder::new().prefix(FILE_PREFIX).suffix(".json").tempfile_in(state.root())?;
        std::io::Write::write_all(&mut file, text(copy).as_bytes())?;
        Ok(file)
    };
    write().map_err(|e| CoreError::file(state.root(), &e).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_keeps_what_the_application_is_and_nothing_that_ties_it_to_the_real_one() {
        let model = json!({
            "services": {"api": {
                "image": "r/app:2", "environment": {"A": "b", "PASSWORD": "a$b"}, "secrets": [{"source": "s"}], "command": ["x"],
                "ports": [{"published": "3000"}], "container_name": "api", "restart": "always", "depends_on": {"db": {}},
                "deploy": {"replicas": 2, "resources": {"limits": {"memory": "1"}}}, "networks": {"default": null},
                "volumes": [
                    {"type": "volume", "source": "uploads", "target": "/u"}, {"type": "bind", "source": "/etc/x", "target": "/x"},
                    {"type": "bind", "source": "/var/run/docker.sock", "target": "/var/run/docker.sock"}],
            }},
            "secrets": {"s": {"file": "/s"}}, "volumes": {"uploads": {}}, "networks": {"default": {}},
        });
        let labels = HashMap::from([("tg.run".to_owned(), "r".to_owned())]);
        let copy = copy(&model, &["api".into()], &labels, "net");
        let api = &copy["services"]["api"];
        assert_eq!(api["image"], "r/app:2");
        assert_eq!((&api["environment"]["A"], &api["command"][0]), (&json!("b"), &json!("x")));
        for key in ["ports", "container_name", "depends_on"] {
            assert!(api[key].is_null(), "{key}");
        }
        assert_eq!(api["deploy"], json!({"resources": {"limits": {"memory": "1"}}}));
        assert_eq!(api["networks"], json!({"stage": {"aliases": ["api"]}}));
        assert_eq!(
            api["volumes"],
            json!([
            {"type": "volume", "target": "/u"},
            {"type": "bind", "source": "/etc/x", "target": "/x", "read_only": true}])
        );
        assert_eq!(api["labels"]["tg.run"], "r");
        assert!(text(&copy).contains(r#""PASSWORD":"a$$b""#), "Compose makes one dollar sign of two");
        assert_eq!(copy["networks"]["stage"]["external"], true);
        assert!(copy.get("volumes").is_none());
    }
}
