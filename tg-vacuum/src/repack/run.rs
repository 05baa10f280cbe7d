//! `pg_repack` in the server's own container, where its program and its extension are of one version: one table after another.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::event::StepState;
use tg_core::state::State;
use tg_core::{Answer, Error as CoreError, Exit, Session, history};

use super::{fits, needed};
use crate::database::{Access, Connection};
use crate::error::Error;
use crate::report::Bloated;
use crate::text;

/// The user whom the server's files belong to, and whom its socket lets in.
const OWNER: &str = "postgres";
/// How long it waits for a lock before it goes on waiting without being in anybody's way; it never ends a session.
const WAIT_TIMEOUT: &str = "10";
/// Longer than any table takes.
const FOREVER: Duration = Duration::from_hours(48);
/// What it does when it is told to stop: it takes its triggers and its copy away.
const CANCEL: &str = "SELECT pg_catalog.count(pg_catalog.pg_cancel_backend(pid)) FROM pg_catalog.pg_stat_activity \
    WHERE application_name = 'pg_repack' AND datname = pg_catalog.current_database()";
const SIZE: &str = "SELECT pg_catalog.pg_total_relation_size(c.oid) FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";

/// The file of a table's rows: another one where they were written anew.
const FILE: &str = "SELECT pg_catalog.pg_relation_filenode(c.oid) FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";

/// Writes tables anew.
pub(super) struct Repack<'a> {
    pub(super) session: &'a Session,
    pub(super) access: &'a Access,
    pub(super) engine: &'a Engine,
    pub(super) free: Option<u64>,
}

/// How one ended.
enum Outcome {
    Done(Option<i64>),
    Left(String),
    Failed(String),
}

impl Repack<'_> {
    /// One after another: each takes the disk of a second copy.
    pub(super) fn all(
        &self,
        connection: &mut Connection,
        state: &State,
        tables: &[Bloated],
    ) -> Result<Answer, Error> {
        let container = self
            .access
            .container()
            .ok_or_else(|| Error::NoRepack { problem: "the server is no service of the project".into() })?;
        let _lock = self.session.begin_change(state)?;
        let (mut done, mut failed, mut left, mut freed) = (0, 0, 0, 0);
        for table in tables {
            self.session.check("repacking").map_err(|cause| Error::Stopped {
                cause,
                summary: json!({"tables": tables.len(), "done": done}),
            })?;
            let begun = Instant::now();
            let outcome = if fits(table, self.free) == Some(false) {
                Outcome::Left(format!("it needs {}, which is not free", text::bytes(Some(needed(table)))))
            } else {
                self.one(container, connection, table)?
            };
            let mut data = names(table);
            let mut put = |key: &str, value: Value| drop(data.insert(key.into(), value));
            put("duration_ms", json!(begun.elapsed().as_millis()));
            let label = text::label(&table.schema, &table.name);
            let msg = match outcome {
                Outcome::Done(size) => {
                    done += 1;
                    freed += size.map_or(0, |size| table.size - size);
                    put("size_after", json!(size));
                    format!("{label}: {} before, {} after", text::bytes(Some(table.size)), text::bytes(size))
                }
                Outcome::Left(reason) => {
                    left += 1;
                    put("left", json!(reason));
                    format!("{label}: left as it is: {reason}")
                }
                Outcome::Failed(reason) => {
                    failed += 1;
                    put("failed", json!(reason));
                    format!("{label}: {reason}")
                }
            };
            self.session.emit.record(&msg, Value::Object(data))?;
        }
        let data = json!({
            "tables": tables.len(), "done": done, "failed": failed, "left": left, "freed_bytes": freed, "changed": done > 0,
            "database": self.access.place,
        });
        if let Value::Object(facts) = &data {
            history::append(state, &self.session.run, self.session.tool, "repack", facts.clone())?;
        }
        let exit = if failed > 0 || (left > 0 && done == 0) { Exit::No } else { Exit::Done };
        let msg = format!(
            "{done} of {} written anew, {} freed",
            text::tables(tables.len()),
            text::bytes(Some(freed))
        );
        Ok(Answer { exit, msg, data })
    }

    fn one(
        &self,
        container: &Container,
        connection: &mut Connection,
        table: &Bloated,
    ) -> Result<Outcome, Error> {
        let msg = format!("repack {}", text::label(&table.schema, &table.name));
        self.session.emit.step("repack", StepState::Started, &msg, Value::Object(names(table)))?;
        let quoted = table.quoted();
        let command = [
            "pg_repack",
            "--no-kill-backend",
            "--wait-timeout",
            WAIT_TIMEOUT,
            "--username",
            self.access.user(),
            "--dbname",
            &self.access.name,
            "--table",
            &quoted,
        ];
        let before = file(connection, table)?;
        let wanted = || self.session.interrupt.check().is_err() || self.session.deadline.passed();
        let ended = self.engine.exec_as(&container.id, Some(OWNER), &command, FOREVER, wanted)?;
        let outcome = match ended {
            // It succeeds also where it only warns, and leaves a table alone that has no primary key.
            Some((0, said)) if file(connection, table)? == before => {
                let said = text::one_line(last_words(&said), 300);
                Outcome::Failed(format!("it was not written anew: {said}"))
            }
            Some((0, _)) => {
                let size = connection.client.query_one(SIZE, &[&table.schema, &table.name]);
                Outcome::Done(size.ok().and_then(|row| row.try_get(0).ok()))
            }
            Some((_, said)) => Outcome::Failed(text::one_line(last_words(&said), 300)),
            None => {
                connection.client.query_one(CANCEL, &[]).map_err(CoreError::from)?;
                Outcome::Failed("it was interrupted, and takes away what it had made".into())
            }
        };
        let state =
            if matches!(outcome, Outcome::Done(_)) { StepState::Succeeded } else { StepState::Failed };
        self.session.emit.step("repack", state, &msg, Value::Object(names(table)))?;
        Ok(outcome)
    }
}

fn file(connection: &mut Connection, table: &Bloated) -> Result<Option<u32>, CoreError> {
    let row = connection.client.query_opt(FILE, &[&table.schema, &table.name])?;
    Ok(row.map(|row| row.try_get::<_, Option<u32>>(0)).transpose()?.flatten())
}

fn names(table: &Bloated) -> Map<String, Value> {
    let mut names = Map::new();
    let facts = [
        ("kind", json!("table")),
        ("schema", json!(table.schema)),
        ("table", json!(table.name)),
        ("size_before", json!(table.size)),
        ("bloat", table.bloat.data()),
    ];
    names.extend(facts.map(|(key, value)| (key.to_owned(), value)));
    names
}

/// The line that says what is wrong, else the last one.
fn last_words(said: &str) -> &str {
    let mut lines = said.lines().filter(|line| !line.trim().is_empty());
    let last = lines.next_back().unwrap_or("it said nothing");
    let worst = |word: &str| said.lines().find(|line| line.starts_with(word));
    worst("ERROR").or_else(|| worst("WARNING")).unwrap_or(last)
}
