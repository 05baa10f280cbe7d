//! What a run would do.

use std::time::Duration;

use serde_json::{Value, json};
use tg_core::Answer;
use tg_core::state::State;

use super::Run;
use crate::error::Error;
use crate::summary::Summary;
use crate::table::Table;
use crate::text;
use crate::times::Times;

impl Run<'_> {
    pub(super) fn dry_run(&self, tables: Vec<Table>, times: &Times, state: &State) -> Result<Answer, Error> {
        let cycle = self.cycle(state);
        let (jobs, done) = self.jobs(tables, times, cycle.as_ref());
        let (mut all, mut spent) = (Duration::ZERO, Duration::ZERO);
        for job in &jobs {
            let predicted = job.predicted / u32::try_from(self.flags.jobs()).unwrap_or(1);
            let fits = self.budget.whole().is_none_or(|whole| spent + predicted <= whole);
            all += predicted;
            spent += if fits { predicted } else { Duration::ZERO };
            let mut data = job.table.names();
            let facts = [
                ("action", json!(job.action.name())),
                ("dead_before", json!(job.table.dead)),
                ("size_before", json!(job.table.size)),
                ("predicted_ms", json!(job.predicted.as_millis())),
                ("fits", json!(fits)),
                ("planned", json!(true)),
            ];
            data.extend(facts.map(|(key, value)| (key.to_owned(), value)));
            let msg = format!(
                "would {} {}: {} dead rows, {}, about {}{}",
                job.action.name(),
                job.table.label(),
                text::count(job.table.dead),
                text::bytes(Some(job.table.size)),
                text::time(job.predicted.as_secs_f64()),
                if fits { "" } else { "; not in this window" }
            );
            self.session.emit.record(&msg, Value::Object(data))?;
        }
        let mut data = Summary::new(jobs.len()).data();
        data["dry_run"] = json!(true);
        data["predicted_ms"] = json!(all.as_millis());
        data["done_before"] = json!(done);
        let msg = format!(
            "{}, about {}; nothing was done, this is a dry run",
            text::tables(jobs.len()),
            text::time(all.as_secs_f64())
        );
        Ok(Answer::yes(msg, data))
    }
}
