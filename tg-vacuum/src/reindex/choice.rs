//! Which indexes are built anew, and which go: what is broken, and what is bloated by measure and not by estimate alone.

use std::collections::HashMap;

use serde_json::{Value, json};
use tg_core::database::Client;
use tg_core::{Error as CoreError, Session};

use super::task::{Task, Work};
use crate::bloat::Column;
use crate::reindex::ReindexFlags;
use crate::report::index::Index;
use crate::report::measure::{self, Confirmation};
use crate::table::PAGE;

/// Indexes that are built right now, by whomever.
const BUILDING: &str = "SELECT index_relid FROM pg_catalog.pg_stat_progress_create_index \
    WHERE datname = pg_catalog.current_database() UNION SELECT relid FROM pg_catalog.pg_stat_progress_create_index \
    WHERE datname = pg_catalog.current_database()";
/// Rows of tables by the statistics, and how many were changed since they were analysed.
const ROWS: &str = "SELECT c.oid, COALESCE(pg_catalog.pg_stat_get_live_tuples(c.oid), 0), \
    COALESCE(pg_catalog.pg_stat_get_mod_since_analyze(c.oid), 0) FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1)";

/// What there is to do, and what only seems to be.
pub(super) struct Candidates {
    pub(super) tasks: Vec<Task>,
    /// Bloated by estimate, and nobody can measure.
    unconfirmed: Vec<Index>,
    /// Broken, and being built by somebody.
    building: Vec<Index>,
}

impl Candidates {
    /// Leftovers first, then what is broken, then the most bloated.
    pub(super) fn find(
        client: &mut Client,
        flags: &ReindexFlags,
    ) -> Result<Self, tg_core::database::QueryError> {
        let mut all = Index::all(client)?;
        all.retain(|index| flags.means(index));
        let building: Vec<u32> =
            client.query(BUILDING, &[])?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let oids: Vec<u32> = all.iter().map(|index| index.oid).collect();
        let sizes = measure::sizes(client, &oids)?;
        for index in &mut all {
            index.size = sizes.get(&index.oid).map(|size| size.own);
        }
        let (broken, sound): (Vec<Index>, Vec<Index>) = all.into_iter().partition(|index| !index.valid);
        let (busy, broken): (Vec<Index>, Vec<Index>) = broken
            .into_iter()
            .partition(|index| building.contains(&index.oid) || building.contains(&index.table_oid));
        let mut tasks: Vec<Task> = Vec::new();
        for index in broken {
            let work = if index.is_leftover() { Work::Drop } else { Work::Repair };
            tasks.push(Task { index, work, bloat: None });
        }
        tasks.sort_by_key(|task| task.work == Work::Repair);
        let mut candidates = Candidates { tasks, unconfirmed: Vec::new(), building: busy };
        if !flags.only_invalid {
            candidates.measure(client, flags, sound)?;
        }
        Ok(candidates)
    }

    fn measure(
        &mut self,
        client: &mut Client,
        flags: &ReindexFlags,
        sound: Vec<Index>,
    ) -> Result<(), tg_core::database::QueryError> {
        let sound: Vec<Index> = sound
            .into_iter()
            .filter(|index| {
                index.method == "btree" && index.size.is_some_and(|size| size >= flags.min_size())
            })
            .collect();
        let mut oids: Vec<u32> = sound.iter().flat_map(|index| [index.oid, index.table_oid]).collect();
        oids.sort_unstable();
        oids.dedup();
        let columns = measure::columns(client, &oids)?;
        let of = |oid: u32| columns.get(&oid).map_or(&[] as &[Column], Vec::as_slice);
        let mut rows: HashMap<u32, (i64, i64)> = HashMap::new();
        for row in client.query(ROWS, &[&oids])? {
            rows.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
        }
        let confirmation = Confirmation::new(client)?;
        let mut bloated = Vec::new();
        for index in sound {
            let live = rows.get(&index.table_oid).copied().unwrap_or_default();
            let estimate = measure::of_index(&index, live, of(index.oid), of(index.table_oid));
            // What can't be estimated is measured; what is tight by a good estimate need not be.
            let suspect = estimate
                .as_ref()
                .is_none_or(|bloat| bloat.ratio > flags.max_bloat / 2.0 || !bloat.is_believed());
            let measured = if suspect { confirmation.index(client, index.oid, index.fill()) } else { None };
            match (measured, estimate) {
                (Some(measured), _) if measured.ratio > flags.max_bloat => {
                    bloated.push(Task { index, work: Work::Rebuild, bloat: Some(measured) });
                }
                (None, Some(estimate)) if estimate.ratio > flags.max_bloat => {
                    self.unconfirmed.push(Index { bloat: Some(estimate), ..index });
                }
                _ => {}
            }
        }
        bloated.sort_by_key(|task| std::cmp::Reverse(task.bloat.as_ref().map_or(0, |bloat| bloat.bytes)));
        self.tasks.extend(bloated);
        Ok(())
    }

    /// What is left alone, and why.
    pub(super) fn warn(&self, session: &Session) -> Result<(), CoreError> {
        for index in &self.unconfirmed {
            let ratio = index.bloat.as_ref().map_or(0.0, |bloat| bloat.ratio);
            let msg = format!(
                "{} seems to be bloated by {:.0} %, which nobody can measure: CREATE EXTENSION pgstattuple",
                index.label(),
                ratio * 100.0
            );
            let mut data = index.names();
            data.insert("bloat".into(), index.bloat.as_ref().map_or(Value::Null, crate::bloat::Bloat::data));
            session.emit.warning("unconfirmed", &msg, Value::Object(data))?;
        }
        for index in &self.building {
            let msg = format!("{} is not valid, and is being built", index.label());
            session.emit.warning("building", &msg, Value::Object(index.names()))?;
        }
        if self.tasks.iter().any(|task| task.index.pages * PAGE > 1 << 30) {
            let msg =
                "an index of more than 1 GB is among them: it takes as much disk again while it is built";
            session.emit.warning("large", msg, json!({}))?;
        }
        Ok(())
    }
}
