//! The Compose project that a tool works on, and the settings that describe it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::cli::Shared;
use crate::compose::Compose;
use crate::health::token::{self, Token};
use crate::redact;
use crate::session::Session;
use crate::settings::{Settings, process_env};
use crate::state::State;
use crate::{Error, dotenv};

/// Terragnos Core's own names, from its guide.
pub const DEFAULT_API: &str = "api";
/// The service that takes jobs.
pub const DEFAULT_WORKER: &str = "worker";
/// The one-shot that migrates.
pub const DEFAULT_MIGRATE: &str = "db-setup";
/// The database service.
pub const DEFAULT_DATABASE: &str = "db";
/// What a container is asked for its readiness.
pub const HEALTH_PATH: &str = "/v1/health/ready";
/// Where a container listens.
pub const HEALTH_PORT: u16 = 3000;
/// The state directory, beside the compose file.
pub const DEFAULT_STATE_DIR: &str = ".tg";

/// The file names that Compose looks for, in its order.
const COMPOSE_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// A Compose project.
pub struct Project {
    /// Its name, the prefix of its containers.
    pub name: String,
    /// The directory of its first compose file.
    pub directory: PathBuf,
    /// Its compose files, absolute.
    pub files: Vec<PathBuf>,
    /// How to call Compose for it.
    pub compose: Compose,
    /// Services that answer requests.
    pub api: Vec<String>,
    /// Services that work off jobs.
    pub worker: Vec<String>,
    /// The one-shot service that migrates.
    pub migrate: String,
    /// The database service.
    pub database: String,
    model: Value,
    xtg: Map<String, Value>,
    shared: Shared,
}

impl Project {
    /// Reads the project that the flags name, and learns its secrets so that none is ever printed.
    pub fn load(session: &Session) -> Result<Self, Error> {
        let shared = session.shared.clone();
        let mut compose = Compose::new(&shared)?;
        let files = compose_files(&shared, &compose.directory)?;
        let directory = files.first().and_then(|f| f.parent()).unwrap_or(&compose.directory).to_owned();
        compose.directory.clone_from(&directory);
        let runner = session.runner();
        let model = compose.config(runner, &[])?;
        let xtg = match &model["x-tg"] {
            Value::Object(map) => map.clone(),
            Value::Null => Map::new(),
            _ => {
                return Err(Error::Setting {
                    key: "x-tg".into(),
                    origin: "the compose file".into(),
                    problem: "it must be a mapping".into(),
                });
            }
        };
        let settings = Settings::new(&process_env, xtg.clone())?;
        let one = |key: &str, default: &str| {
            Ok::<_, Error>(settings.string(None, key)?.unwrap_or_else(|| default.into()))
        };
        let mut project = Project {
            name: model["name"].as_str().unwrap_or_default().to_owned(),
            directory,
            files,
            compose,
            api: settings.list(&[], "api", DEFAULT_API)?,
            worker: settings.list(&[], "worker", DEFAULT_WORKER)?,
            migrate: one("migrate", DEFAULT_MIGRATE)?,
            database: one("database", DEFAULT_DATABASE)?,
            model,
            xtg,
            shared,
        };
        // A project need not have workers; a name that was written down must exist.
        let written = project.settings().string(None, "worker")?.is_some();
        if !written && project.worker.iter().any(|s| project.service(s).is_none()) {
            project.worker.clear();
        }
        project.learn_secrets(session.emit.redactor());
        Ok(project)
    }

    /// The sources of settings below the flags.
    #[must_use]
    pub fn settings(&self) -> Settings<'static> {
        Settings::new(&process_env, self.xtg.clone())
            .unwrap_or_else(|_| unreachable!("checked when the project was loaded"))
    }

    /// Every service's name.
    #[must_use]
    pub fn service_names(&self) -> Vec<&str> {
        self.model["services"].as_object().map(|m| m.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// A service of the model, with variables filled in.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Value> {
        self.model["services"].get(name)
    }

    /// An entry of a top-level map such as `secrets`; null where there is none.
    #[must_use]
    pub fn top_level(&self, kind: &str, name: &str) -> &Value {
        &self.model[kind][name]
    }

    /// A service that must exist; `key` is the setting that names it.
    pub fn require(&self, name: &str, key: &str) -> Result<&Value, Error> {
        self.service(name).ok_or_else(|| Error::Setting {
            key: key.to_owned(),
            origin: self.settings().origin(key),
            problem: format!("no service {name}; there are {}", self.service_names().join(", ")),
        })
    }

    /// The services that run a release, API first: the order in which they are started.
    pub fn application(&self) -> Result<Vec<String>, Error> {
        for (key, names) in [("api", &self.api), ("worker", &self.worker)] {
            for name in names {
                self.require(name, key)?;
            }
        }
        Ok(self.api.iter().chain(&self.worker).cloned().collect())
    }

    /// The image of a service as Compose would start it now.
    pub fn image(&self, service: &str) -> Result<String, Error> {
        let model = self.require(service, "service")?;
        model["image"].as_str().map(str::to_owned).ok_or_else(|| Error::Compose {
            problem: format!("service {service} has no image"),
            hint: "tg moves services between published images; give the service an image:".into(),
        })
    }

    /// A variable of a service's environment, or the content of the file that `NAME_FILE` names:
    /// a path inside the container, found again through the service's secrets.
    #[must_use]
    pub fn variable(&self, service: &str, name: &str) -> Option<String> {
        let environment = &self.service(service)?["environment"];
        if let Some(value) = environment[name].as_str() {
            return Some(value.to_owned());
        }
        let inside = environment[format!("{name}_FILE")].as_str()?;
        let file = self.secret_file(service, inside)?;
        std::fs::read_to_string(file).ok().map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn secret_file(&self, service: &str, inside: &str) -> Option<PathBuf> {
        let secrets = self.service(service)?["secrets"].as_array()?;
        let named = secrets.iter().find(|secret| {
            let source = secret["source"].as_str().unwrap_or_default();
            let target = secret["target"].as_str().unwrap_or(source);
            inside == target || inside == format!("/run/secrets/{target}")
        })?;
        let file = self.model["secrets"][named["source"].as_str()?]["file"].as_str()?;
        Some(self.path(file))
    }

    /// A path as the compose file means it: relative to the project's directory.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        // Without the dots of ./backups, which people write and nobody wants to read.
        self.directory.join(path).components().collect()
    }

    /// The state directory.
    pub fn state(&self) -> Result<State, Error> {
        let flag =
            self.shared.state_dir.as_ref().map(|d| std::env::current_dir().unwrap_or_default().join(d));
        let root = self.settings().get(flag, "state_dir", |text| Ok(self.path(text)))?;
        let root = root.unwrap_or_else(|| self.path(DEFAULT_STATE_DIR));
        Ok(State::at(root).of_project(&self.name))
    }

    /// Where an instance of the API is asked for its readiness: path and port.
    pub fn health_place(&self) -> Result<(String, u16), Error> {
        let settings = self.settings();
        let port = settings.get(None, "health_port", |text| {
            let port = text.parse().ok().filter(|port| *port != 0);
            port.ok_or_else(|| "it must be a port from 1 to 65535".to_owned())
        })?;
        let path = settings.get(None, "health_path", |text| {
            let good = text.starts_with('/') && format!("http://h{text}").parse::<ureq::http::Uri>().is_ok();
            if good { Ok(text.to_owned()) } else { Err("it must be a path such as /health".into()) }
        })?;
        Ok((path.unwrap_or_else(|| HEALTH_PATH.to_owned()), port.unwrap_or(HEALTH_PORT)))
    }

    /// The token that readiness is asked with, if the project names one; it is learnt as a secret.
    pub fn health_token(&self, redactor: &redact::Redactor) -> Result<Option<Token>, Error> {
        let path = self.settings().get(None, "health_token_file", |text| Ok(self.path(text)))?;
        let token = path.map(|path| token::read(&path, token::Origin::Setting)).transpose()?;
        if let Some(token) = &token {
            redactor.learn(token.secret());
        }
        Ok(token)
    }

    /// The environment files that fill in the compose file's variables, in Compose's order.
    #[must_use]
    pub fn env_files(&self) -> Vec<PathBuf> {
        if self.shared.env_files.is_empty() {
            return vec![self.path(".env")];
        }
        let here = std::env::current_dir().unwrap_or_default();
        self.shared.env_files.iter().map(|f| here.join(f)).collect()
    }

    fn learn_secrets(&self, redactor: &redact::Redactor) {
        for service in self.service_names() {
            let Some(environment) = self.service(service).and_then(|s| s["environment"].as_object()) else {
                continue;
            };
            for (name, value) in environment {
                let bare = name.strip_suffix("_FILE").unwrap_or(name);
                if redact::names_a_secret(bare)
                    && let Some(secret) = self.variable(service, bare)
                {
                    redactor.learn(&secret);
                }
                if let Some(password) = value.as_str().and_then(crate::url::password) {
                    redactor.learn(&password);
                }
            }
        }
        for secret in self.model["secrets"].as_object().into_iter().flat_map(Map::values) {
            let content = secret["file"].as_str().and_then(|f| std::fs::read_to_string(self.path(f)).ok());
            if let Some(content) = content.filter(|c| c.len() < 4096) {
                redactor.learn(&content);
            }
        }
    }
}

/// The compose files of a project: `-f`, else `COMPOSE_FILE`, else the names that Compose looks for
/// in the directory and those above it.
fn compose_files(shared: &Shared, directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let here = std::env::current_dir().map_err(|e| Error::file(".", &e))?;
    if !shared.files.is_empty() {
        return Ok(shared.files.iter().map(|f| here.join(f)).collect());
    }
    let written = process_env("COMPOSE_FILE").or_else(|| {
        dotenv::read(&directory.join(".env")).and_then(|text| dotenv::get(&text, "COMPOSE_FILE"))
    });
    if let Some(list) = written {
        let separator = process_env("COMPOSE_PATH_SEPARATOR").unwrap_or_else(|| ":".into());
        return Ok(list.split(separator.as_str()).map(|f| directory.join(f)).collect());
    }
    for dir in directory.ancestors() {
        if let Some(file) = COMPOSE_FILES.iter().map(|name| dir.join(name)).find(|f| f.is_file()) {
            let overriding = ["override.yaml", "override.yml"]
                .iter()
                .flat_map(|end| ["compose", "docker-compose"].map(|stem| dir.join(format!("{stem}.{end}"))));
            let more = overriding.into_iter().find(|f| f.is_file());
            return Ok(std::iter::once(file).chain(more).collect());
        }
    }
    Err(Error::Compose {
        problem: format!("no compose file in {} or above it", directory.display()),
        hint: "change to the directory of the compose file, or name it with -C or -f".into(),
    })
}

#[cfg(test)]
impl Project {
    /// Of a model as Compose prints it, without Compose.
    pub(crate) fn of_model(model: Value) -> Self {
        let words = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let compose = Compose::new(&Shared::default()).unwrap_or_else(|e| panic!("{e}"));
        Project {
            name: model["name"].as_str().unwrap_or("x").to_owned(),
            directory: compose.directory.clone(),
            files: Vec::new(),
            compose,
            api: words(&[DEFAULT_API]),
            worker: Vec::new(),
            migrate: DEFAULT_MIGRATE.into(),
            database: DEFAULT_DATABASE.into(),
            model,
            xtg: Map::new(),
            shared: Shared::default(),
        }
    }
}
