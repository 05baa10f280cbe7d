//! One setting, four sources: flag, `TG_*` environment, `x-tg` of the compose file, default.
//! A bad value is an error that names the key and where it came from.

use serde_json::{Map, Value};

use crate::Error;

/// Where a value comes from that nobody has set.
pub const DEFAULT: &str = "the default";

/// The keys that may stand under `x-tg`; any other is an error, so that a typing mistake can't be
/// taken for a setting.
pub const KEYS: &[&str] = &[
    "api",
    "worker",
    "migrate",
    "database",
    "database_url_file",
    "health_url",
    "health_path",
    "health_port",
    "health_token_file",
    "backup_dir",
    "backup_store",
    "backup_method",
    "tables_hash",
    "pgbackrest_stanza",
    "age_recipients",
    "age_identity_file",
    "state_dir",
    "migrate_exec",
    "migrate_lock_timeout",
    "migrate_options",
    "max_block",
    "backup_max_age",
    "smoke",
    "balancer",
    "release_notes",
    "warm_up",
    "ready_timeout",
    "smoke_timeout",
    "worker_uptime",
];

/// Where settings are looked up after the flags.
pub struct Settings<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    xtg: Map<String, Value>,
}

impl<'a> Settings<'a> {
    /// Checks the keys of `x-tg`.
    pub fn new(env: &'a dyn Fn(&str) -> Option<String>, xtg: Map<String, Value>) -> Result<Self, Error> {
        if let Some(key) = xtg.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(Error::Setting {
                key: format!("x-tg.{key}"),
                origin: "the compose file".into(),
                problem: format!("no such key; known are {}", KEYS.join(", ")),
            });
        }
        Ok(Settings { env, xtg })
    }

    /// The value of a key: the flag's if given, else the first source that has one.
    pub fn get<T>(
        &self,
        flag: Option<T>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        if flag.is_some() {
            return Ok(flag);
        }
        let Some((text, origin)) = self.text(key) else { return Ok(None) };
        let wrong = |problem| Error::Setting { key: key.into(), origin: origin.clone(), problem };
        parse(&text).map(Some).map_err(wrong)
    }

    /// A key whose value is any text.
    pub fn string(&self, flag: Option<String>, key: &str) -> Result<Option<String>, Error> {
        self.get(flag, key, |text| Ok(text.to_owned()))
    }

    /// A key that holds one word or a list of words; commas separate them in the environment.
    pub fn list(&self, flag: &[String], key: &str, default: &str) -> Result<Vec<String>, Error> {
        if !flag.is_empty() {
            return Ok(flag.to_vec());
        }
        let text = self.string(None, key)?.unwrap_or_else(|| default.to_owned());
        Ok(text.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect())
    }

    /// A key that holds one command or a list of them, each as it is; one a line in the environment.
    pub fn commands(&self, key: &str) -> Result<Vec<String>, Error> {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let all = match self.xtg.get(key) {
            Some(Value::Array(items)) if (self.env)(&variable(key)).is_none() => {
                items.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect()
            }
            _ => lines(&self.string(None, key)?.unwrap_or_default()),
        };
        Ok(all.into_iter().filter(|command| !command.trim().is_empty()).collect())
    }

    /// Where the value of a key is written, for messages about it.
    #[must_use]
    pub fn origin(&self, key: &str) -> String {
        self.text(key).map_or_else(|| DEFAULT.into(), |(_, origin)| origin)
    }

    fn text(&self, key: &str) -> Option<(String, String)> {
        let variable = variable(key);
        if let Some(text) = (self.env)(&variable) {
            return Some((text, format!("environment variable {variable}")));
        }
        let text = match self.xtg.get(key)? {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let words: Vec<_> =
                    items.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
                words.join(",")
            }
            other => other.to_string(),
        };
        Some((text, format!("x-tg.{key} of the compose file")))
    }
}

/// The environment's name of a key.
fn variable(key: &str) -> String {
    format!("TG_{}", key.to_ascii_uppercase())
}

/// The process's environment; an empty variable counts as not set.
#[must_use]
pub fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;

    fn xtg(json: &Value) -> Map<String, Value> {
        json.as_object().cloned().unwrap()
    }

    #[test]
    fn a_command_keeps_its_commas() {
        let none = |_: &str| None;
        let settings = Settings::new(&none, xtg(&serde_json::json!({"smoke": ["a -x 1,2", "b"]}))).unwrap();
        assert_eq!(settings.commands("smoke").unwrap(), ["a -x 1,2", "b"]);
        let env = |name: &str| (name == "TG_SMOKE").then(|| "c, d\ne".to_owned());
        let settings = Settings::new(&env, xtg(&serde_json::json!({"smoke": ["a"]}))).unwrap();
        assert_eq!(settings.commands("smoke").unwrap(), ["c, d", "e"]);
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_compose_file() {
        let env = |name: &str| (name == "TG_BACKUP_DIR").then(|| "2m".to_owned());
        let settings =
            Settings::new(&env, xtg(&serde_json::json!({"backup_dir": "3m", "api": ["a", "b"]}))).unwrap();
        let get = |flag| settings.string(flag, "backup_dir").unwrap().unwrap();
        assert_eq!((get(Some("1m".into())), get(None)), ("1m".into(), "2m".into()));
        assert_eq!(settings.list(&[], "api", "api").unwrap(), ["a", "b"]);
        assert_eq!(settings.list(&[], "worker", "worker").unwrap(), ["worker"]);
    }

    #[test]
    fn a_bad_value_names_its_key_and_where_it_came_from() {
        let env = |_: &str| None;
        let settings = Settings::new(&env, xtg(&serde_json::json!({"health_port": "soon"}))).unwrap();
        let error = settings.get(None, "health_port", crate::cli::duration).unwrap_err();
        assert!(
            error.to_string().contains("health_port (from x-tg.health_port of the compose file)"),
            "{error}"
        );
        assert_eq!(error.exit(), crate::Exit::Environment);
    }

    #[test]
    fn an_unknown_key_is_an_error_and_not_ignored() {
        let env = |_: &str| None;
        assert!(Settings::new(&env, xtg(&serde_json::json!({"helth_url": "x"}))).is_err());
    }
}
