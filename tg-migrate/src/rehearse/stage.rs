//! The project once more, beside the real one: the same images, environment, secrets and commands, on a network
//! that leads nowhere but to the throwaway database, with nothing of the real one's volumes and ports.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;
use tg_core::Error as CoreError;
use tg_core::compose;
use tg_core::container::{Container, PROJECT_LABEL, RUN_LABEL};
use tg_core::ours::Maker;
use tg_core::release::{self, Pin};

use crate::context::Context;
use crate::error::MigrateError;
use crate::rehearse::arena::Arena;
use crate::rehearse::bounds::Bounds;
use crate::rehearse::migration::APPLICATION;
use crate::rehearse::mounts::{self, Mounts};
use crate::rehearse::{definition, places, probe};

/// Its description, with secrets in it: readable by us alone, gone with the value.
pub(super) const FILE_PREFIX: &str = ".tg-stage-";

/// The project at one release.
pub(super) struct Stage<'a> {
    ctx: &'a Context<'a>,
    arena: &'a Arena<'a>,
    mounts: &'a Mounts,
    /// Compose project.
    pub name: String,
    file: NamedTempFile,
    /// Image references by service.
    pub images: HashMap<String, String>,
    /// Services that try what can be reached from it.
    pub probes: Vec<String>,
    /// What of the real project it goes without, by service.
    pub without: Vec<String>,
}

/// The copy of a project's description.
#[derive(Debug)]
struct Copy {
    model: Value,
    without: Vec<String>,
}

impl<'a> Stage<'a> {
    /// The project with its application at a release; nothing is started.
    pub(super) fn at(
        ctx: &'a Context<'a>,
        maker: &Maker,
        (arena, mounts): (&'a Arena<'a>, &'a Mounts),
        (tag, short): (&str, &str),
    ) -> Result<Self, MigrateError> {
        let runner = ctx.session.runner();
        let own = services(ctx);
        let pins = Pin::find(&ctx.project, runner, &own)?;
        let wanted: Vec<_> = pins.iter().map(|pin| (pin, tag.to_owned())).collect();
        let (compose, _overriding) = release::preview(&ctx.project, &wanted)?;
        let model = compose.config(runner, &[])?;
        let name = format!("tg-rehearse-{short}-{}", ctx.session.run.to_ascii_lowercase());
        let all: Vec<String> = own.iter().cloned().chain(helpers(ctx, &model)).collect();
        let network = arena.network()?.name;
        let project = (ctx.project.migrate.as_str(), ctx.project.directory.as_path());
        let mut copy = copy(project, &model, &all, (mounts, &maker.labels_of_run(), &network))?;
        let services = copy.model["services"].as_object().cloned().unwrap_or_default();
        let probes = probe::services(&services, &own, &arena.image);
        for (name, probe) in &probes {
            copy.model["services"][name] = probe.clone();
        }
        for note in &copy.without {
            ctx.session.emit.explain(&format!("not in the rehearsal: {note}"));
        }
        let images =
            all.iter().filter_map(|s| Some((s.clone(), model["services"][s]["image"].as_str()?.to_owned())));
        let images = images.collect();
        let probes = probes.into_iter().map(|(name, _)| name).collect();
        let file = written(ctx, &copy.model)?;
        Ok(Stage { ctx, arena, mounts, name, file, images, probes, without: copy.without })
    }

    /// `docker compose …` on it.
    fn compose(&self, words: &[&str], services: &[String]) -> Command {
        let mut command = Command::new("docker");
        command.args(["compose", "--progress", "quiet", "-p", &self.name, "-f"]).arg(self.file.path());
        command.args(words).args(services).env("COMPOSE_ANSI", "never").env("COMPOSE_MENU", "false");
        // What the shell says about other projects must not steer this one.
        command.env_remove("COMPOSE_FILE").env_remove("COMPOSE_PROFILES").env_remove("COMPOSE_PROJECT_NAME");
        command
    }

    /// Makes the containers of services, one each, without those that they depend on, and refuses what the engine has made of
    /// them if it has a way out. None is started.
    pub(super) fn create(&self, services: &[String]) -> Result<Vec<Container>, MigrateError> {
        let words = ["up", "--no-start", "--no-deps", "--no-build"];
        self.ctx.session.runner().capture(&mut self.compose(&words, services))?;
        let mut containers = Vec::new();
        for service in services {
            containers.extend(self.containers(service)?);
        }
        self.refuse_ways_out(&containers)?;
        Ok(containers)
    }

    fn refuse_ways_out(&self, containers: &[Container]) -> Result<(), MigrateError> {
        let network = self.arena.network()?;
        let mut inspect = Command::new("docker");
        inspect.args(["container", "inspect"]).args(containers.iter().map(|container| &container.id));
        // As the engine says it, with what a later engine may say.
        let text = self.ctx.session.runner().ask(&mut inspect)?;
        let all: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
        let shown = self.mounts.shown();
        let bounds = Bounds { network: &network, shown: &shown };
        let mut ways: Vec<String> = all.iter().flat_map(|container| bounds.ways_out(container)).collect();
        if all.len() != containers.len() {
            ways.push("the engine does not say what it has made".into());
        }
        let ours = self.ctx.engine.labelled(&[format!("{RUN_LABEL}={}", self.ctx.session.run)])?;
        let strangers = network.containers.iter().filter(|id| ours.iter().all(|own| own.id != **id));
        ways.extend(strangers.map(|id| format!("network {}: container {id} is on it", network.name)));
        if !network.internal {
            ways.push(format!("network {} is not internal", network.name));
        }
        if ways.is_empty() { Ok(()) } else { Err(MigrateError::NotIsolated(ways)) }
    }

    /// Starts the containers that were made of services.
    pub(super) fn start(&self, services: &[String]) -> Result<(), MigrateError> {
        // Compose hands over those secrets and configs that are no files.
        self.ctx.session.runner().capture(&mut self.compose(&["start"], services))?;
        Ok(())
    }

    /// Its containers of a service.
    pub(super) fn containers(&self, service: &str) -> Result<Vec<Container>, MigrateError> {
        Ok(self.ctx.engine.containers(&self.name, service)?)
    }

    /// Removes its containers, with their volumes.
    pub(super) fn clear(&self) -> Result<(), MigrateError> {
        for container in self.ctx.engine.labelled(&[format!("{PROJECT_LABEL}={}", self.name)])? {
            self.ctx.engine.remove_own(&container.id)?;
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

/// Under which names the application looks for its database: the service, and whatever its settings say.
pub(super) fn database_names(ctx: &Context) -> Vec<String> {
    let places = places::named(&ctx.project, &services(ctx));
    let names: BTreeSet<String> = places.into_iter().map(|(host, _)| host).collect();
    // A directory is no name.
    names.into_iter().filter(|name| !name.starts_with('/')).collect()
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

fn copy(
    (migrate, directory): (&str, &Path),
    model: &Value,
    services: &[String],
    (mounts, labels, network): (&Mounts, &HashMap<String, String>, &str),
) -> Result<Copy, MigrateError> {
    let (mut all, mut without) = (Map::new(), Vec::new());
    let mut used: [BTreeSet<String>; 2] = Default::default();
    for name in services {
        let original = &model["services"][name];
        let (mut service, keys) = definition::kept(original);
        let mounted = mounts.of(original)?;
        without.extend(keys.into_iter().chain(mounted.notes).map(|what| format!("{name}: {what}")));
        service.insert("volumes".into(), json!(mounted.volumes));
        service.insert("restart".into(), json!("no"));
        // What is rehearsed is what is here.
        service.insert("pull_policy".into(), json!("never"));
        service.insert("networks".into(), json!({"stage": {"aliases": [name]}}));
        service.insert("labels".into(), json!(labels));
        for (kind, used) in ["secrets", "configs"].into_iter().zip(&mut used) {
            used.extend(mounts::used(original, kind));
            service.extend(original.get(kind).map(|own| (kind.to_owned(), own.clone())));
        }
        if name == migrate {
            one_shot(&mut service);
        }
        all.insert(name.clone(), Value::Object(service));
    }
    let [secrets, configs] = used;
    let model = json!({
        "services": all,
        "secrets": mounts.definitions("secrets", model, &secrets, directory)?,
        "configs": mounts.definitions("configs", model, &configs, directory)?,
        "networks": {"stage": {"name": network, "external": true}},
    });
    Ok(Copy { model, without })
}

/// The migrator has nobody who types, and its sessions are known by their name.
fn one_shot(service: &mut Map<String, Value>) {
    service.remove("tty");
    service.remove("stdin_open");
    let environment = service.entry("environment").or_insert_with(|| json!({}));
    environment["PGAPPNAME"] = json!(APPLICATION);
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
                "image": "r/app:2", "environment": {"A": "b"}, "secrets": [{"source": "s", "target": "s"}], "command": ["x"],
                "ports": [{"published": "3000"}], "container_name": "api", "restart": "always", "depends_on": {"db": {}},
                "deploy": {"replicas": 2, "resources": {"limits": {"memory": "1"}}}, "networks": {"default": null}, "privileged": true,
                "labels": {"traefik.enable": "true"},
                "volumes": [
                    {"type": "volume", "source": "uploads", "target": "/u"},
                    {"type": "bind", "source": "/run/docker.sock", "target": "/var/run/docker.sock"}],
            }, "migrate": {"image": "r/app:2", "tty": true}},
            "secrets": {"s": {"environment": "S"}, "other": {"file": "/s"}},
            "volumes": {"uploads": {"driver_opts": {"type": "none", "o": "bind", "device": "/run"}}}, "networks": {"default": {}},
        });
        let labels = HashMap::from([("tg.run".to_owned(), "r".to_owned())]);
        let dir = tempfile::tempdir().unwrap();
        let mounts = Mounts::new(dir.path(), &[], BTreeSet::new(), dir.path()).unwrap();
        let services = ["api".to_owned(), "migrate".to_owned()];
        let copy = copy(("migrate", dir.path()), &model, &services, (&mounts, &labels, "net")).unwrap();
        let api = &copy.model["services"]["api"];
        assert_eq!(
            *api,
            json!({
                "image": "r/app:2", "environment": {"A": "b"}, "command": ["x"], "deploy": {"resources": {"limits": {"memory": "1"}}},
                "volumes": [{"type": "volume", "target": "/u"}], "restart": "no", "pull_policy": "never",
                "networks": {"stage": {"aliases": ["api"]}}, "labels": {"tg.run": "r"}, "secrets": [{"source": "s", "target": "s"}],
            })
        );
        let migrate = &copy.model["services"]["migrate"];
        assert_eq!(migrate["environment"], json!({"PGAPPNAME": APPLICATION}));
        assert!(migrate["tty"].is_null());
        assert_eq!(copy.model["secrets"], json!({"s": {"environment": "S"}}));
        assert_eq!(copy.model["networks"]["stage"], json!({"name": "net", "external": true}));
        assert!(copy.model.get("volumes").is_none());
        assert_eq!(copy.without[0], "api: privileged");
        assert!(copy.without[1].starts_with("api: /var/run/docker.sock: "), "{:?}", copy.without);
    }
}
