//! `tg-vacuum report`: which tables and indexes are bloated, old, unused or not kept up with, and what would help. Changes nothing.

mod autovacuum;
mod finding;
mod flags;
pub(crate) mod index;
pub(crate) mod measure;
mod prometheus;
mod relation;
mod row;
mod standing;

use std::collections::HashMap;

use serde_json::json;
use tg_core::database::Client;
use tg_core::database::{DatabaseFlags, ident};
use tg_core::project::Project;
use tg_core::{Answer, Error as CoreError, Exit, Session, atomic_file};

use self::autovacuum::Autovacuum;
use self::finding::Grounds;
pub(crate) use self::flags::ReportFlags;
use self::index::Index;
use self::measure::Confirmation;
use self::relation::Relation;
use self::row::Row;
use self::standing::Standing;
use crate::bloat::{Bloat, Column};
use crate::cli::default_lock_timeout;
use crate::database::Access;
use crate::error::Error;
use crate::freeze::Limits;
use crate::table::PAGE;
use crate::text;

/// Looks, and tells the worst first.
pub(crate) fn report(
    session: &Session,
    database: &DatabaseFlags,
    flags: &ReportFlags,
) -> Result<Answer, Error> {
    let project = Project::load(session)?;
    let state = project.state()?;
    let (access, mut connection) = Access::find(session, &project, database, default_lock_timeout())?;
    session.check("asking the database")?;
    let client = &mut connection.client;
    let standing = Standing::ask(client, &state, &access.place).map_err(CoreError::from)?;
    let grounds = Grounds {
        min_dead: flags.min_dead,
        limits: Limits::ask(client)?,
        autovacuum: Autovacuum::ask(client).map_err(CoreError::from)?,
        counted_s: standing.counted_s,
    };
    let mut rows = look(client, flags, &grounds).map_err(CoreError::from)?;
    rows.sort_by(Row::by_weight);
    let listed = flags.top.map_or(rows.len(), |top| rows.len().min(top as usize));
    start(session, &access, flags, &rows[..listed])?;
    warn(session, &access, &standing, &rows)?;
    let lines = row::lines(&rows[..listed]);
    for (row, line) in rows.iter().zip(&lines) {
        session.emit.record(line, row.data())?;
    }
    session.emit.record(&standing.sentence(&grounds.limits), standing.data(&grounds.limits))?;
    let over = over(flags, &rows, &standing, &grounds.limits);
    if let Some(path) = &flags.prometheus {
        let text = prometheus::text(&access.name, &rows, &standing, over.is_empty());
        atomic_file::replace(path, text.as_bytes())?;
    }
    Ok(conclude(&rows, listed, &over, flags))
}

/// Everything, with what is wrong with each; only what is worth a line.
fn look(
    client: &mut Client,
    flags: &ReportFlags,
    grounds: &Grounds,
) -> Result<Vec<Row>, tg_core::database::QueryError> {
    let mut relations = Relation::all(client)?;
    let mut indexes = Index::all(client)?;
    let lives: HashMap<u32, (i64, i64)> =
        relations.iter().map(|relation| (relation.oid, (relation.live, relation.changed))).collect();
    let large = |pages: i64| pages * PAGE >= flags.min_size();
    relations.retain(|relation| {
        let all = large(relation.pages) || relation.pages == 0 && relation.live > 0;
        all || relation.dead > flags.min_dead || !finding::of_table(relation, grounds).is_empty()
    });
    indexes.retain(|index| large(index.pages) || index.same_as.is_some() || !index.valid);
    measure(client, &mut relations, &mut indexes, &lives)?;
    relations.retain(|relation| relation.size.is_none_or(|size| size.total >= flags.min_size()));
    let mut rows = Vec::new();
    for relation in relations {
        let findings = finding::of_table(&relation, grounds);
        let due = grounds.autovacuum.of(&relation.options).due(relation.live);
        if !findings.is_empty() || flags.all {
            rows.push(Row::table(relation, findings, due));
        }
    }
    for index in indexes {
        let live = lives.get(&index.table_oid).map_or(0, |(live, _)| *live);
        let findings = finding::of_index(&index, live, grounds);
        if !findings.is_empty() || flags.all {
            rows.push(Row::index(index, findings));
        }
    }
    Ok(rows)
}

/// A table that would be smaller if it were written anew.
pub(crate) struct Bloated {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// Bytes of all of it, and how many of them are too many in it and its B-trees.
    pub(crate) size: i64,
    pub(crate) bytes: i64,
    pub(crate) bloat: Bloat,
}

impl Bloated {
    /// For SQL.
    pub(crate) fn quoted(&self) -> String {
        format!("{}.{}", ident(&self.schema), ident(&self.name))
    }
}

/// Those tables of which more than this part is too much, and can be believed; the most bytes first.
pub(crate) fn bloated(client: &mut Client, most: f64) -> Result<Vec<Bloated>, tg_core::database::QueryError> {
    let mut relations = Relation::all(client)?;
    relations.retain(|relation| relation.pages * PAGE >= finding::WORTH);
    let mut indexes = Index::all(client)?;
    indexes.retain(|index| relations.iter().any(|relation| relation.oid == index.table_oid));
    let lives: HashMap<u32, (i64, i64)> =
        relations.iter().map(|relation| (relation.oid, (relation.live, relation.changed))).collect();
    measure(client, &mut relations, &mut indexes, &lives)?;
    let mut found: Vec<Bloated> = relations
        .into_iter()
        .filter_map(|relation| {
            let bloat = relation.bloat.filter(|bloat| bloat.is_believed() && bloat.ratio > most)?;
            let of_indexes = indexes.iter().filter(|index| index.table_oid == relation.oid);
            let of_indexes: i64 = of_indexes
                .filter_map(|index| index.bloat.as_ref().filter(|b| b.is_believed()))
                .map(|b| b.bytes)
                .sum();
            let bytes = bloat.bytes + of_indexes;
            Some(Bloated {
                schema: relation.schema,
                name: relation.name,
                size: relation.size?.total,
                bytes,
                bloat,
            })
        })
        .collect();
    found.sort_by_key(|table| std::cmp::Reverse(table.bytes));
    Ok(found)
}

fn measure(
    client: &mut Client,
    relations: &mut [Relation],
    indexes: &mut [Index],
    lives: &HashMap<u32, (i64, i64)>,
) -> Result<(), tg_core::database::QueryError> {
    let mut oids: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
    oids.extend(indexes.iter().map(|index| index.oid));
    let sizes = measure::sizes(client, &oids)?;
    oids.extend(indexes.iter().map(|index| index.table_oid));
    oids.sort_unstable();
    oids.dedup();
    let columns = measure::columns(client, &oids)?;
    let of = |oid: u32| columns.get(&oid).map_or(&[] as &[Column], Vec::as_slice);
    let confirmation = Confirmation::new(client)?;
    for relation in relations.iter_mut().filter(|relation| !relation.parent) {
        relation.size = sizes.get(&relation.oid).copied();
        relation.bloat = measure::of_table(relation, of(relation.oid));
        if confirmation.is_there()
            && relation.bloat.as_ref().is_some_and(|bloat| bloat.ratio > measure::BLOATED)
        {
            let exact = confirmation.table(client, relation.oid, relation.fill());
            relation.bloat = exact.or(relation.bloat.take());
        }
    }
    for index in indexes.iter_mut() {
        index.size = sizes.get(&index.oid).map(|size| size.own);
        let live = lives.get(&index.table_oid).copied().unwrap_or_default();
        index.bloat = measure::of_index(index, live, of(index.oid), of(index.table_oid));
        if confirmation.is_there() && index.bloat.as_ref().is_some_and(|bloat| bloat.ratio > measure::BLOATED)
        {
            let exact = confirmation.index(client, index.oid, index.fill());
            index.bloat = exact.or(index.bloat.take());
        }
    }
    Ok(())
}

fn start(session: &Session, access: &Access, flags: &ReportFlags, rows: &[Row]) -> Result<(), CoreError> {
    let mut msg = format!("tables and indexes of {} that need somebody", access.place);
    if !rows.is_empty() {
        msg = format!("{msg}\n{}", row::header(rows));
    }
    let data = json!({
        "version": env!("CARGO_PKG_VERSION"), "database": access.place, "server_version": access.server.major(),
        "min_dead": flags.min_dead, "min_size": flags.min_size(), "top": flags.top,
    });
    session.emit.start(&msg, data)
}

fn warn(session: &Session, access: &Access, standing: &Standing, rows: &[Row]) -> Result<(), CoreError> {
    if access.server.standby {
        let msg = "this is a standby: its statistics don't count what the primary's tables hold";
        session.emit.warning("standby", msg, json!({}))?;
    }
    if standing.is_new() {
        let msg = "the statistics begin anew: dead rows and unused indexes of before are not counted; ANALYZE lets them be believed again";
        session.emit.warning("statistics-reset", msg, json!({"reset_s": standing.reset_s}))?;
    }
    let locked: Vec<_> = rows.iter().filter(|row| row.is_locked()).map(Row::label).collect();
    if !locked.is_empty() {
        let msg = format!("{} locked by somebody: no size is known", text::tables(locked.len()));
        session.emit.warning("locked", &msg, json!({"tables": locked}))?;
    }
    Ok(())
}

/// What is above the limits that were given.
fn over(flags: &ReportFlags, rows: &[Row], standing: &Standing, limits: &Limits) -> Vec<String> {
    let mut over: Vec<String> = rows
        .iter()
        .filter(|row| {
            flags.max_dead_ratio.is_some_and(|most| row.dead_ratio().is_some_and(|ratio| ratio > most))
                || flags
                    .max_bloat
                    .is_some_and(|most| row.bloat().is_some_and(|b| b.is_believed() && b.ratio > most))
        })
        .map(Row::label)
        .collect();
    if flags.max_freeze.is_some_and(|most| standing.freeze_ratio(limits) > most) {
        over.push("the database's age".into());
    }
    over
}

fn conclude(rows: &[Row], listed: usize, over: &[String], flags: &ReportFlags) -> Answer {
    let dead: i64 = rows.iter().map(Row::dead).sum();
    let count = |code: &str| rows.iter().filter(|row| row.has(code)).count();
    let tables = rows.iter().filter(|row| row.has("dead-rows")).count();
    let data = json!({
        "tables": tables, "listed": listed, "found": rows.len(), "dead": dead, "bloated": count("bloated"), "invalid": count("invalid") + count("leftover"),
        "unused": count("unused"), "duplicate": count("duplicate"), "over": over, "changed": false,
    });
    let mut msg =
        format!("{} with more than {} dead rows", text::tables(tables), text::count(flags.min_dead));
    for (code, what) in [
        ("bloated", "bloated"),
        ("unused", "unused"),
        ("duplicate", "the same as another"),
        ("invalid", "invalid"),
    ] {
        if count(code) > 0 {
            msg = format!("{msg}, {} {what}", count(code));
        }
    }
    if over.is_empty() {
        return Answer::yes(msg, data);
    }
    let exit = Exit::No;
    Answer { exit, msg: format!("{msg}; over the limit: {}", over.join(", ")), data }
}
