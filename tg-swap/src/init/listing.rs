//! How Compose learns of the new file: `COMPOSE_FILE` in `.env`, unless the user names the files.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tg_core::cli::Shared;
use tg_core::project::Project;
use tg_core::{Error, dotenv, settings};

use super::COMPOSE_FILE;
use super::change::{self, Change};

const VARIABLE: &str = "COMPOSE_FILE";
const SEPARATOR: &str = "COMPOSE_PATH_SEPARATOR";

/// The list of the project's compose files, and who keeps it.
pub(super) enum Listing {
    /// `.env`: the change, and what takes it back.
    Env(Change, Entry),
    /// The user, who must add the new file: why, and what to do.
    Named(String),
    /// The user, who has done so.
    Done,
}

/// What was written in `.env`, and what takes it out again whatever else has changed there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The value before; `None` where the variable was not there.
    before: Option<String>,
    after: String,
    /// Whether the file was made for it.
    created: bool,
    /// Whether the last line had no end, so that it was given one.
    unended: bool,
}

/// Somebody has changed that very value since.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChangedSince;

impl Listing {
    /// Reads; writes nothing.
    pub(super) fn plan(shared: &Shared, project: &Project) -> Result<Self, Error> {
        if !shared.files.is_empty() {
            return Ok(Listing::Named(format!(
                "the compose files are named with -f: add -f {COMPOSE_FILE} after them to every docker compose and tg command"
            )));
        }
        if !shared.env_files.is_empty() {
            return Ok(Listing::Named(format!(
                "--env-file stands for .env: name every compose file with -f, and -f {COMPOSE_FILE} after them"
            )));
        }
        let separator = settings::process_env(SEPARATOR).unwrap_or_else(|| ":".into());
        if let Some(list) = settings::process_env(VARIABLE) {
            if list.split(separator.as_str()).any(is_ours) {
                return Ok(Listing::Done);
            }
            return Ok(Listing::Named(format!(
                "{VARIABLE} of the environment names the compose files: set it to {list}{separator}{COMPOSE_FILE}"
            )));
        }
        let path = project.path(".env");
        let before = change::read(&path)?;
        let files = project.files.iter().map(|file| name(file, &project.directory)).collect::<Vec<_>>();
        let (after, entry) = add(before.as_deref(), &files.join(&separator), &separator);
        Ok(Listing::Env(Change { path, before, after: Some(after), private: true }, entry))
    }
}

fn name(file: &Path, directory: &Path) -> String {
    file.strip_prefix(directory).unwrap_or(file).display().to_string()
}

fn is_ours(file: &str) -> bool {
    file == COMPOSE_FILE || file.ends_with(&format!("/{COMPOSE_FILE}"))
}

/// The text of `.env` with the new file in its list; `files` are those that Compose loads without one.
fn add(text: Option<&str>, files: &str, separator: &str) -> (String, Entry) {
    let (created, text) = (text.is_none(), text.unwrap_or_default());
    let before = dotenv::get(text, VARIABLE);
    let list = before.as_deref().filter(|list| !list.is_empty()).unwrap_or(files);
    let after = if list.split(separator).any(is_ours) {
        list.to_owned()
    } else {
        format!("{list}{separator}{COMPOSE_FILE}")
    };
    let unended = !text.is_empty() && !text.ends_with('\n');
    let changed = dotenv::set(text, VARIABLE, &after);
    (changed, Entry { before, after, created, unended })
}

impl Entry {
    /// The text of `.env` without what was written there; `None` where the file shall not be.
    pub(super) fn remove(&self, text: Option<&str>) -> Result<Option<String>, ChangedSince> {
        let now = text.and_then(|text| dotenv::get(text, VARIABLE));
        if now == self.before {
            return Ok(text.map(str::to_owned));
        }
        let text = text.filter(|_| now.as_ref() == Some(&self.after)).ok_or(ChangedSince)?;
        if let Some(before) = &self.before {
            return Ok(Some(dotenv::set(text, VARIABLE, before)));
        }
        let rest = without_line(text, self.unended);
        Ok(Some(rest).filter(|rest| !(self.created && rest.is_empty())))
    }

    /// Whether Compose looked for its files by itself before: then it did so above, too.
    pub(super) fn is_first(&self) -> bool {
        self.before.as_deref().is_none_or(str::is_empty)
    }

    /// The text of `.env` as it would be if nobody had changed that value.
    pub(super) fn put_in(&self, text: Option<&str>) -> String {
        dotenv::set(text.unwrap_or_default(), VARIABLE, &self.after)
    }
}

/// The text without its last line that sets the variable; `unended` if the line before had no end.
fn without_line(text: &str, unended: bool) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some(at) = lines.iter().rposition(|line| dotenv::get(line, VARIABLE).is_some()) else {
        return text.to_owned();
    };
    let (head, tail) = (lines[..at].concat(), lines[at + 1..].concat());
    let head = match head.strip_suffix('\n') {
        Some(bare) if unended && tail.is_empty() => bare.strip_suffix('\r').unwrap_or(bare).to_owned(),
        _ => head,
    };
    head + &tail
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_files_that_compose_loads_by_itself_are_named_before_the_new_one() {
        let (text, entry) = add(None, "compose.yaml:compose.override.yaml", ":");
        assert_eq!(text, "COMPOSE_FILE=compose.yaml:compose.override.yaml:compose.tg.yaml\n");
        assert_eq!(entry.remove(Some(&text)), Ok(None), "the file was made for it");
    }

    #[test]
    fn a_list_that_is_there_is_extended_once() {
        let (text, _) = add(Some("COMPOSE_FILE='a.yaml:b.yaml' # both\n"), "compose.yaml", ":");
        assert_eq!(text, "COMPOSE_FILE='a.yaml:b.yaml:compose.tg.yaml' # both\n");
        assert_eq!(add(Some(&text), "compose.yaml", ":").0, text);
    }

    #[test]
    fn a_list_that_somebody_changed_is_not_touched() {
        let (text, entry) = add(Some("A=1\n"), "compose.yaml", ":");
        assert_eq!(entry.remove(Some(&text.replace("tg.yaml", "tg.yaml:more.yaml"))), Err(ChangedSince));
        assert_eq!(entry.remove(Some("A=1\n")), Ok(Some("A=1\n".into())), "it is out already");
    }

    const ENV: &str =
        "([A-C]=[a-z0-9.]{0,4}( # c)?\r?\n|# [a-z ]{0,6}\n|\n|COMPOSE_FILE=['\"]?a.yaml\n){0,5}(B=2|# end)?";

    proptest! {
        #[test]
        fn what_is_taken_back_leaves_every_byte(text in ENV) {
            let (changed, entry) = add(Some(&text), "compose.yaml", ":");
            prop_assert_eq!(entry.remove(Some(&changed)), Ok(Some(text)));
        }

        #[test]
        fn what_others_wrote_meanwhile_stays(text in "([A-C]=[a-z0-9.]{0,4}\n|# [a-z ]{0,6}\n){1,5}", more in "(D=[a-z]{0,4}\n){0,2}") {
            let (changed, entry) = add(Some(&text), "compose.yaml", ":");
            let edited = dotenv::set(&changed, "A", "new") + &more;
            let expected = if dotenv::get(&text, "A").is_some() {
                dotenv::set(&text, "A", "new") + &more
            } else {
                format!("{text}A=new\n{more}")
            };
            prop_assert_eq!(entry.remove(Some(&edited)), Ok(Some(expected)));
        }
    }
}
