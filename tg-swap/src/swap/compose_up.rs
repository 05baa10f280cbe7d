//! What a plain `docker compose up -d` would do now, by its own dry run.

use serde::Serialize;
use tg_core::Error;
use tg_core::process::{Runner, Stream};
use tg_core::project::Project;

/// What Compose does to a container that ends it.
const ENDING: [&str; 4] = ["Stopping", "Recreate", "Removing", "Killing"];
/// What it does that makes one.
const MAKING: [&str; 3] = ["Creating", "Starting", "Restarting"];

/// Its plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ComposeUp {
    /// Containers that it would stop.
    pub ends: Vec<String>,
    /// Containers that it would make or start.
    pub makes: Vec<String>,
}

impl ComposeUp {
    /// Asks Compose; nothing is changed.
    pub(crate) fn ask(project: &Project, runner: Runner) -> Result<Self, Error> {
        let mut text = String::new();
        let mut command =
            project.compose.command(&["up", "-d", "--dry-run", "--no-build", "--pull", "never"]);
        let status = runner.stream(&mut command, |_: Stream, line| {
            text.push_str(line);
            text.push('\n');
            Ok::<(), Error>(())
        })?;
        if status.success() {
            return Ok(Self::read(&text));
        }
        Err(Error::Compose {
            problem: tg_core::process::tail(&text),
            hint: "see what docker compose up -d --dry-run says".into(),
        })
    }

    /// Nothing would change.
    pub(crate) fn nothing_to_do(&self) -> bool {
        self.ends.is_empty() && self.makes.is_empty()
    }

    fn read(text: &str) -> Self {
        let mut plan = ComposeUp::default();
        for line in text.lines() {
            let mut words = line.split_whitespace().skip_while(|word| *word != "Container").skip(1);
            let (Some(name), Some(verb)) = (words.next(), words.next()) else { continue };
            let list = if ENDING.contains(&verb) {
                &mut plan.ends
            } else if MAKING.contains(&verb) {
                &mut plan.makes
            } else {
                continue;
            };
            if !list.iter().any(|known| known == name) {
                list.push(name.to_owned());
            }
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compose_would_end_is_read_from_its_dry_run() {
        let text = " DRY-RUN MODE -  Container p-db-1  Running\n DRY-RUN MODE -  Container p-api-4  Stopping\n DRY-RUN MODE -  Container p-api-4  Stopped\n DRY-RUN MODE -  Container p-api-4  Removing\n DRY-RUN MODE -  Container p-api-1  Recreate\n DRY-RUN MODE -  Container 24796cf07639_p-api-1  Starting\n";
        let plan = ComposeUp::read(text);
        assert_eq!(plan.ends, ["p-api-4", "p-api-1"]);
        assert_eq!(plan.makes, ["24796cf07639_p-api-1"]);
        assert!(ComposeUp::read(" DRY-RUN MODE -  Container p-db-1  Running\n").nothing_to_do());
    }
}
