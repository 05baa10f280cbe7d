//! pgBackRest, where the server's container has it with a stanza. Its repository keeps the data and
//! the WAL; we keep the record and the proof.

use std::time::Duration;

use serde_json::{Value, json};
use tg_core::backup::output::Output;
use tg_core::backup::store::Entry;
use tg_core::backup::{Method, Physical, Relative};
use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::{Error as CoreError, process};

use crate::cli::CreateOptions;
use crate::context::Context;
use crate::error::Error;
use crate::facts;
use crate::physical::{Copied, beside, server_bytes};
use crate::taken::Taken;

/// The server's own user, who owns repository and archive.
const USER: &str = "postgres";
/// What the repository says of the backup.
const INFO: &str = "data/pgbackrest.json";
/// Under this name our identifier stands on the repository's own record.
const ANNOTATION: &str = "tg";
/// A backup may take as long as it takes.
const FOREVER: Duration = Duration::from_hours(7 * 24);
/// So that what shall end can be found, of each of its verbs: exec tells no process.
const PID_FILE: &str = "/tmp/tg-pgbackrest-";
const WITH_PID: &str = r#"echo $$ >"$0" && exec pgbackrest "$@""#;
/// The configuration, from either of its places, and the files beside it.
const CONFIGURATION: &str = "for file in /etc/pgbackrest/pgbackrest.conf /etc/pgbackrest.conf; do \
    [ ! -r $file ] || { cat $file; break; }; done; cat /etc/pgbackrest/conf.d/*.conf 2>/dev/null || :";

/// A stanza, and the container that has it.
pub(crate) struct Stanza<'a> {
    ctx: &'a Context<'a>,
    engine: Engine,
    pub container: Container,
    pub name: String,
}

impl<'a> Stanza<'a> {
    /// The one that `pgbackrest_stanza` names, else the only one that there is.
    pub(crate) fn find(ctx: &'a Context<'a>) -> Result<Self, Error> {
        let engine = Engine::connect(&ctx.session.bounds())?;
        let (project, service) = (&ctx.project.name, &ctx.project.database);
        let container = engine.running(project, service)?.into_iter().next();
        let container = container.ok_or_else(|| CoreError::NotRunning(service.clone()))?;
        let wanted = ctx.project.settings().string(None, "pgbackrest_stanza")?;
        let mut stanza = Stanza { ctx, engine, container, name: wanted.clone().unwrap_or_default() };
        if wanted.is_none() {
            let all = stanza.info(&[])?;
            let names: Vec<&str> =
                all.as_array().into_iter().flatten().filter_map(|s| s["name"].as_str()).collect();
            match names.as_slice() {
                [only] => stanza.name = String::from(*only),
                [] => return Err(Error::NoStanza("pgBackRest has no stanza there".into())),
                many => return Err(Error::NoStanza(format!("there are {}", many.join(", ")))),
            }
        }
        Ok(stanza)
    }

    fn info(&self, more: &[&str]) -> Result<Value, Error> {
        let words = ["info", "--output=json", "--log-level-console=off", "--log-level-stderr=off"];
        let text = self.run(&[&words[..], more].concat(), &|| false)?;
        serde_json::from_str(text.trim())
            .map_err(|e| Error::NoStanza(format!("what pgBackRest says can't be read: {e}")))
    }

    /// The stanza's backups, as `info` tells them.
    pub(crate) fn backups(&self) -> Result<Vec<Value>, Error> {
        let own = format!("--stanza={}", self.name);
        let mut all = self.info(&[&own])?;
        Ok(all[0]["backup"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// Runs pgBackRest in the server's container to its end; it is ended when the caller, the user or
    /// the deadline wants so.
    fn run(&self, words: &[&str], give_up: &(dyn Fn() -> bool + Sync)) -> Result<String, Error> {
        let session = self.ctx.session;
        session.emit.explain(&format!("running pgbackrest {} in {}", words.join(" "), self.container.name));
        let pid_file = format!("{PID_FILE}{}.pid", words[0]);
        let command = [&["sh", "-c", WITH_PID, &pid_file][..], words].concat();
        let enough = || session.check("").is_err() || give_up();
        let ended = self.engine.exec_as(&self.container.id, Some(USER), &command, FOREVER, enough)?;
        let Some((code, text)) = ended else {
            let kill = format!("kill $(cat {pid_file})");
            self.engine.exec(&self.container.id, &["sh", "-c", &kill])?;
            session.check("running pgbackrest")?;
            return Err(Error::Client { program: "pgbackrest".into(), code: -1, problem: "ended".into() });
        };
        match code {
            0 => Ok(text),
            126 | 127 => Err(Error::NoStanza("the server's image has no pgBackRest".into())),
            code => Err(Error::Client { program: "pgbackrest".into(), code, problem: process::tail(&text) }),
        }
    }

    /// Removes a backup from the repository, with what stands on it; one that is gone is fine.
    pub(crate) fn expire(&self, label: &str) -> Result<(), Error> {
        if !self.backups()?.iter().any(|backup| backup["label"] == label) {
            return Ok(());
        }
        let (own, set) = (format!("--stanza={}", self.name), format!("--set={label}"));
        self.run(&["expire", &own, &set], &|| false).map(drop)
    }

    /// Configuration and environment, for another container that shall read the same repository.
    pub(crate) fn configuration(&self) -> Result<(String, Vec<String>), Error> {
        let id = &self.container.id;
        let (_, text) = self.engine.exec(id, &["sh", "-c", CONFIGURATION])?;
        let (_, environment) = self.engine.exec(id, &["env"])?;
        let ours = environment.lines().filter(|line| line.starts_with("PGBACKREST_")).map(str::to_owned);
        Ok((text, ours.collect()))
    }
}

/// Has pgBackRest make a backup, and reads the tables of our database meanwhile.
pub(crate) fn run(ctx: &Context, output: &Output, id: &str, options: &CreateOptions) -> Result<Taken, Error> {
    let stanza = Stanza::find(ctx)?;
    let server_bytes = server_bytes(&mut ctx.target.connect(crate::TOOL, None)?)?;
    let kind = if options.incremental { "incr" } else { "full" };
    let intent = json!({"stanza": stanza.name, "type": kind});
    ctx.change("pgbackrest", &format!("have pgBackRest back stanza {} up", stanza.name), intent, || {
        let taken = beside(ctx, options, |give_up| {
            let words = [
                "backup".to_owned(),
                format!("--stanza={}", stanza.name),
                format!("--type={kind}"),
                format!("--annotation={ANNOTATION}={id}"),
                "--start-fast".into(),
            ];
            stanza.run(&words.each_ref().map(String::as_str), give_up)?;
            let made = stanza.backups()?.into_iter().rfind(|backup| backup["annotation"][ANNOTATION] == id);
            let made = made.ok_or_else(|| Error::Incomplete("pgBackRest does not know of it".into()))?;
            keep(output, &made)?;
            let physical = Physical {
                parent: made["prior"].as_str().and_then(|prior| of_label(ctx, prior)),
                stanza: Some(stanza.name.clone()),
                label: made["label"].as_str().map(str::to_owned),
                server_bytes,
                ..Physical::default()
            };
            Ok(Copied { method: Method::Pgbackrest, format: "pgbackrest", compression: "", physical })
        })?;
        let label = taken.physical.as_ref().and_then(|p| p.label.clone());
        let data = json!({"label": label, "rows": facts::rows(&taken.facts.tables)});
        Ok((taken, data))
    })
}

/// What the repository says of it, beside our own record.
fn keep(output: &Output, made: &Value) -> Result<(), Error> {
    let name = Relative::parse(INFO).map_err(|problem| CoreError::File { path: INFO.into(), problem })?;
    let text = serde_json::to_string_pretty(made).unwrap_or_default();
    output.write(&name, &mut format!("{text}\n").as_bytes())?;
    Ok(())
}

/// Our backup of this label.
fn of_label(ctx: &Context, label: &str) -> Option<String> {
    let has = |entry: &Entry| {
        let physical = entry.manifest.as_ref().ok().and_then(|m| m.physical.as_ref());
        physical.is_some_and(|p| p.label.as_deref() == Some(label))
    };
    ctx.store.list().into_iter().find(has).map(|entry| entry.id)
}

/// Forgets the records of backups that pgBackRest has let go by its own rules.
pub(crate) fn forget_expired(ctx: &Context) -> Result<(), Error> {
    let stanza = Stanza::find(ctx)?;
    let known = stanza.backups()?;
    for entry in ctx.store.list() {
        let physical = entry.manifest.as_ref().ok().and_then(|m| m.physical.as_ref());
        let Some(Physical { stanza: Some(name), label: Some(label), .. }) = physical else { continue };
        if *name == stanza.name && !known.iter().any(|backup| backup["label"] == **label) {
            let msg = format!("pgBackRest has expired {label}: {} is none any more", entry.id);
            ctx.session.emit.warning("expired", &msg, json!({"id": entry.id, "label": label}))?;
            ctx.store.remove(&entry)?;
        }
    }
    Ok(())
}
