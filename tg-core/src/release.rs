//! Which release a service runs, and where the project says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::compose::{self, Compose};
use crate::image::Reference;
use crate::process::Runner;
use crate::project::Project;
use crate::template::{self, Place};
use crate::{Error, atomic_file, dotenv};

/// A service's image and the place of its tag in the project's files.
#[derive(Clone, Debug)]
pub struct Pin {
    /// Service.
    pub service: String,
    /// The image as Compose would start it now.
    pub reference: Reference,
    place: Place,
    raw: String,
}

impl Pin {
    /// Reads where the release of each service is written.
    pub fn find(project: &Project, runner: Runner, services: &[String]) -> Result<Vec<Self>, Error> {
        let raw_model = project.compose.config(runner, &["--no-interpolate"])?;
        services.iter().map(|service| Self::of(project, &raw_model, service)).collect()
    }

    fn of(project: &Project, raw_model: &Value, service: &str) -> Result<Self, Error> {
        let filled = project.image(service)?;
        let raw = raw_model["services"][service]["image"].as_str().unwrap_or(&filled).to_owned();
        let place = template::locate(&raw, &filled).ok_or_else(|| Error::Compose {
            problem: format!("image {raw} of service {service} has no tag that can be changed in one place"),
            hint: "write it as image: repository:${VERSION:-1.4.0}, or with the whole tag in plain text"
                .into(),
        })?;
        Ok(Pin { service: service.to_owned(), reference: Reference::parse(&filled), place, raw })
    }

    /// The image reference at another tag; the tag may carry `@sha256:…`.
    #[must_use]
    pub fn at(&self, tag: &str) -> String {
        self.reference.at(tag)
    }

    /// Tag, with its digest if one is written.
    #[must_use]
    pub fn tag(&self) -> String {
        let tag = self.reference.tag.clone().unwrap_or_default();
        self.reference.digest.as_ref().map_or(tag.clone(), |digest| format!("{tag}@{digest}"))
    }

    /// The variable that holds the release and the value it would need for a tag.
    #[must_use]
    pub fn variable(&self, tag: &str) -> Option<(String, String)> {
        match &self.place {
            Place::Variable { name, before } => Some((name.clone(), format!("{before}{tag}"))),
            Place::Literal => None,
        }
    }
}

/// Compose as it would see the project at other tags, with no file changed. The second value keeps
/// a temporary file alive.
pub fn preview(
    project: &Project,
    wanted: &[(&Pin, String)],
) -> Result<(Compose, Option<tempfile::NamedTempFile>), Error> {
    let mut compose = project.compose.clone();
    let mut overriding = String::new();
    for (pin, tag) in wanted {
        if let Some((name, value)) = pin.variable(tag) {
            compose = compose.with_variable(&name, &value);
        } else {
            let (service, image) = (Value::String(pin.service.clone()), Value::String(pin.at(tag)));
            let image = compose::escaped(&image);
            let _ = writeln!(overriding, "  {service}: {{image: {image}}}");
        }
    }
    if overriding.is_empty() {
        return Ok((compose, None));
    }
    // Beside the compose file, so that relative paths keep their meaning; JSON strings are YAML.
    let mut file = tempfile::Builder::new()
        .prefix(".tg-")
        .suffix(".yaml")
        .tempfile_in(&project.directory)
        .map_err(|e| Error::file(&project.directory, &e))?;
    std::io::Write::write_all(&mut file, format!("services:\n{overriding}").as_bytes())
        .map_err(|e| Error::file(file.path(), &e))?;
    let files: Vec<PathBuf> =
        project.files.iter().cloned().chain(std::iter::once(file.path().to_owned())).collect();
    Ok((compose.with_files(&files), Some(file)))
}

/// A file's text before and after a change of release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Which file.
    pub path: PathBuf,
    /// `None` where the file does not exist yet.
    pub before: Option<String>,
    /// The whole new text.
    pub after: String,
}

impl Edit {
    /// Replaces the file whole.
    pub fn apply(&self) -> Result<(), Error> {
        atomic_file::replace(&self.path, self.after.as_bytes())
    }
}

/// What must be written where so that the pins name these tags. Nothing is written yet.
pub fn edits(project: &Project, wanted: &[(&Pin, String)]) -> Result<Vec<Edit>, Error> {
    let mut edits: Vec<Edit> = Vec::new();
    for (pin, tag) in wanted {
        if let Some((name, value)) = pin.variable(tag) {
            refuse_shadowed(&name, &value)?;
            let path = env_file_of(project, &name);
            change(&mut edits, &path, true, |text| Some(dotenv::set(text, &name, &value)))?;
        } else {
            let new = Reference::parse(&pin.raw).at(tag);
            for path in compose_files_of(project, &pin.raw)? {
                change(&mut edits, path, false, |text| replace_image(text, &pin.raw, &new))?;
            }
        }
    }
    edits.retain(|edit| edit.before.as_deref() != Some(edit.after.as_str()));
    Ok(edits)
}

/// A variable of the shell wins over the `.env` file: an edit there would change nothing.
fn refuse_shadowed(name: &str, value: &str) -> Result<(), Error> {
    match std::env::var(name) {
        Ok(shell) if shell != value => Err(Error::Setting {
            key: name.into(),
            origin: "the environment".into(),
            problem: format!("it is set to {shell} and wins over the .env file; unset {name} first"),
        }),
        _ => Ok(()),
    }
}

fn env_file_of(project: &Project, name: &str) -> PathBuf {
    let files = project.env_files();
    let holds = |file: &&PathBuf| dotenv::read(file).is_some_and(|text| dotenv::get(&text, name).is_some());
    files.iter().rev().find(holds).or_else(|| files.last()).cloned().unwrap_or_else(|| project.path(".env"))
}

/// Every compose file with a line for this image: services may stand in several.
fn compose_files_of<'a>(project: &'a Project, raw: &str) -> Result<Vec<&'a PathBuf>, Error> {
    let holds = |file: &&PathBuf| {
        std::fs::read_to_string(file).is_ok_and(|text| replace_image(&text, raw, raw).is_some())
    };
    let files: Vec<_> = project.files.iter().filter(holds).collect();
    if files.is_empty() {
        return Err(Error::Compose {
            problem: format!("no line with image: {raw} in {}", display(&project.files)),
            hint:
                "the image may come from extends or include; write it in the compose file, or use a variable"
                    .into(),
        });
    }
    Ok(files)
}

fn change(
    edits: &mut Vec<Edit>,
    path: &Path,
    may_be_new: bool,
    edit: impl Fn(&str) -> Option<String>,
) -> Result<(), Error> {
    let known = edits.iter_mut().find(|e| e.path == path);
    let (before, text) = match &known {
        Some(known) => (known.before.clone(), known.after.clone()),
        None => match std::fs::read_to_string(path) {
            Ok(text) => (Some(text.clone()), text),
            Err(e) if may_be_new && e.kind() == std::io::ErrorKind::NotFound => (None, String::new()),
            Err(e) => return Err(Error::file(path, &e)),
        },
    };
    // Two services may share one line: then the first edit already did it.
    let after = edit(&text).unwrap_or(text);
    match known {
        Some(known) => known.after = after,
        None => edits.push(Edit { path: path.to_owned(), before, after }),
    }
    Ok(())
}

/// The text with every `image:` line of exactly this image changed; `None` where there is none.
fn replace_image(text: &str, old: &str, new: &str) -> Option<String> {
    let mut found = false;
    let lines = text.split_inclusive('\n').map(|line| {
        let Some(range) = image_value(line).filter(|range| line[range.clone()] == *old) else {
            return line.to_owned();
        };
        found = true;
        format!("{}{new}{}", &line[..range.start], &line[range.end..])
    });
    let changed: String = lines.collect();
    found.then_some(changed)
}

/// Where the value of an `image:` line stands, without its quotes.
fn image_value(line: &str) -> Option<std::ops::Range<usize>> {
    let trimmed = line.trim_start();
    let value = trimmed.strip_prefix("image")?.trim_start().strip_prefix(':')?.trim_start();
    let start = line.len() - value.len();
    if let Some(quote) = value.chars().next().filter(|c| ['"', '\''].contains(c)) {
        let length = value[1..].find(quote)?;
        return Some(start + 1..start + 1 + length);
    }
    let length = value.find([' ', '\t', '\r', '\n']).unwrap_or(value.len());
    Some(start..start + length)
}

/// The digest of an image in the repository of a reference, `sha256:…`.
#[must_use]
pub fn digest_in(reference: &Reference, digests: &[String]) -> Option<String> {
    digests.iter().find_map(|d| d.strip_prefix(&format!("{}@", reference.repository)).map(str::to_owned))
}

/// `docker pull`: the docker program knows every credential store; the API does not.
#[must_use]
pub fn pull_command(reference: &str) -> Command {
    let mut command = Command::new("docker");
    command.args(["pull", "--quiet", reference]);
    command
}

fn display(files: &[PathBuf]) -> String {
    files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_image_s_value_changes_in_a_compose_file() {
        let text = "services:\r\n  api:   # the api\r\n    image :  'r/app:1.4.0'   # keep\r\n  w: {image: r/app:1.4.0}\r\n  x:\r\n    image: r/app:1.4.0-debug\r\n";
        let changed = replace_image(text, "r/app:1.4.0", "r/app:1.5.0").unwrap();
        assert_eq!(changed, text.replacen("'r/app:1.4.0'", "'r/app:1.5.0'", 1));
        assert_eq!(replace_image(text, "r/other:1", "r/other:2"), None);
    }
}
