//! The `docker compose` program. Compose alone knows its own hashes, secrets, networks and
//! interpolation, so whatever creates a container goes through it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::Error;
use crate::cli::Shared;
use crate::process::Runner;

/// How to call Compose for one project.
#[derive(Clone, Debug)]
pub struct Compose {
    /// Where Compose is started.
    pub directory: PathBuf,
    options: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Compose {
    /// From the flags that name the project. Files are made absolute, since Compose is started in
    /// the project directory.
    pub fn new(shared: &Shared) -> Result<Self, Error> {
        let here = std::env::current_dir().map_err(|e| Error::file(".", &e))?;
        let directory = shared.project_directory.as_ref().map_or_else(|| here.clone(), |d| here.join(d));
        if !directory.is_dir() {
            return Err(Error::Compose {
                problem: format!("{} is no directory", directory.display()),
                hint: "name the project's directory with -C".into(),
            });
        }
        let mut options = Vec::new();
        let files =
            shared.files.iter().map(|f| ("-f", f)).chain(shared.env_files.iter().map(|f| ("--env-file", f)));
        for (flag, file) in files {
            options.extend([flag.to_owned(), here.join(file).display().to_string()]);
        }
        if let Some(name) = &shared.project_name {
            options.extend(["-p".to_owned(), name.clone()]);
        }
        Ok(Compose { directory, options, environment: Vec::new() })
    }

    /// The same project with a variable set for its interpolation.
    #[must_use]
    pub fn with_variable(&self, name: &str, value: &str) -> Self {
        let mut compose = self.clone();
        compose.environment.push((name.to_owned(), value.to_owned()));
        compose
    }

    /// The same project read from exactly these files.
    #[must_use]
    pub fn with_files(&self, files: &[PathBuf]) -> Self {
        let mut compose = self.clone();
        let mut kept = Vec::new();
        let mut words = self.options.iter();
        while let Some(word) = words.next() {
            if word == "-f" {
                words.next();
            } else {
                kept.push(word.clone());
            }
        }
        for file in files {
            kept.extend(["-f".to_owned(), file.display().to_string()]);
        }
        compose.options = kept;
        compose
    }

    /// `docker compose …` ready to run.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.arg("compose").args(&self.options).args(words).current_dir(&self.directory);
        command.envs(self.environment.iter().map(|(k, v)| (k, v)));
        // Colours and menus are for people at a terminal; ours is a pipe.
        command.env("COMPOSE_ANSI", "never").env("COMPOSE_MENU", "false");
        command
    }

    /// Compose's hash of a service's configuration; a container with another one is out of date.
    pub fn hash(&self, runner: Runner, service: &str) -> Result<String, Error> {
        let text = runner
            .ask(&mut self.command(&["--profile", "*", "config", "--hash", service]))
            .map_err(unreadable)?;
        Ok(text.split_whitespace().last().unwrap_or_default().to_owned())
    }

    /// The hashes of all services, by name.
    pub fn hashes(&self, runner: Runner) -> Result<HashMap<String, String>, Error> {
        let text = runner
            .ask(&mut self.command(&["--profile", "*", "config", "--hash", "*"]))
            .map_err(unreadable)?;
        let pair = |line: &str| line.split_once(' ').map(|(name, hash)| (name.to_owned(), hash.to_owned()));
        Ok(text.lines().filter_map(pair).collect())
    }

    /// The project as Compose sees it, with the services of all profiles and every value as a container gets it. With
    /// `--no-interpolate` among the flags (`more`): with the values as they are written, `$$` for a dollar sign.
    pub fn config(&self, runner: Runner, more: &[&str]) -> Result<Value, Error> {
        let mut words = vec!["--profile", "*", "config", "--format", "json"];
        words.extend(more);
        let text = runner.capture(&mut self.command(&words)).map_err(unreadable)?;
        let text = if more.contains(&"--no-interpolate") { text } else { unescaped(&text) };
        serde_json::from_str(&text).map_err(|e| Error::Compose {
            problem: format!("docker compose config printed no JSON: {e}"),
            hint: "Compose v2 is needed; see docker compose version".into(),
        })
    }
}

/// What `docker compose config` prints is a compose file again, in which a dollar sign is written twice: each one of the whole
/// text, names too (`escapeDollarSign` in its `cmd/compose/config.go`). Where one stands alone, this Compose does not do so.
fn unescaped(text: &str) -> String {
    let dollars = text.split(|c| c != '$');
    if dollars.into_iter().all(|run| run.len().is_multiple_of(2)) {
        text.replace("$$", "$")
    } else {
        text.to_owned()
    }
}

/// A part of a model as it has to be written into a compose file: Compose fills in every value, and leaves names as they are.
#[must_use]
pub fn escaped(model: &Value) -> Value {
    match model {
        Value::String(text) => Value::String(text.replace('$', "$$")),
        Value::Array(items) => Value::Array(items.iter().map(escaped).collect()),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(name, value)| (name.clone(), escaped(value))).collect())
        }
        other => other.clone(),
    }
}

fn unreadable(error: Error) -> Error {
    let Error::ProgramFailed { problem, .. } = error else { return error };
    let hint = if problem.contains("no configuration file") {
        "change to the directory of the compose file, or name it with -C or -f"
    } else if problem.contains("is not a docker command")
        || problem.contains("unknown") && problem.contains("flag")
    {
        "install Compose v2, the docker-compose-plugin"
    } else if problem.contains(".env") || problem.contains("env file") || problem.contains("variable name") {
        "correct the .env file; each line is NAME=value, a comment or empty"
    } else {
        "see what docker compose config says"
    };
    Error::Compose { problem, hint: hint.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dollar_sign_is_one_in_the_model_and_two_in_a_compose_file() {
        let printed = r#"{"environment":{"PASSWORD":"a$$b","TWO":"$$$$"},"labels":{"l$$k":"v"}}"#;
        let model = serde_json::from_str::<Value>(&unescaped(printed)).unwrap();
        assert_eq!(model, json!({"environment": {"PASSWORD": "a$b", "TWO": "$$"}, "labels": {"l$k": "v"}}));
        let file = escaped(&model);
        assert_eq!(file, json!({"environment": {"PASSWORD": "a$$b", "TWO": "$$$$"}, "labels": {"l$k": "v"}}));
        assert_eq!(unescaped(r#"{"A":"a$b","B":"c$$d"}"#), r#"{"A":"a$b","B":"c$$d"}"#, "not escaped at all");
    }
}
