//! The workers of a run.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tg_core::Error as CoreError;

use super::{Run, inner};
use crate::board::Why;
use crate::database::Connection;
use crate::error::Error;
use crate::maintain::{Shop, held};
use crate::overseer::Overseer;

impl Run<'_> {
    /// All workers at once, until nothing is left that fits.
    pub(super) fn work(
        &self,
        shop: &Shop<'_>,
        connection: &mut Connection,
        target: Option<i32>,
    ) -> Result<(), Error> {
        let jobs = self.flags.jobs().min(held(&shop.summary).tables.max(1));
        let mut connections = Vec::new();
        for _ in 0..jobs {
            let mut worker = self.access.connect()?;
            worker.throttle(self.flags.throttle(), self.access.server)?;
            if let Some(target) = target {
                let set = format!("SET default_statistics_target = {target}");
                worker.client.batch_execute(&set).map_err(CoreError::from)?;
            }
            connections.push(worker);
        }
        let workers = AtomicUsize::new(jobs);
        let problems: Mutex<Vec<Error>> = Mutex::default();
        let watching = std::thread::current();
        std::thread::scope(|scope| {
            for mut worker in connections {
                let (workers, problems, watching) = (&workers, &problems, &watching);
                scope.spawn(move || {
                    if let Err(error) = shop.work(&mut worker) {
                        // The others end what they do.
                        shop.board.stop(&Why::Over);
                        held(problems).push(error);
                    }
                    workers.fetch_sub(1, Ordering::Release);
                    watching.unpark();
                });
            }
            let overseer = Overseer {
                session: self.session,
                board: shop.board,
                budget: self.budget,
                connection,
                patience: self.flags.lock_timeout(),
                done: &|| {
                    let (done, tables) = held(&shop.summary).progress();
                    (done, tables, "tables")
                },
            };
            overseer.watch(&workers)
        })?;
        inner(problems).into_iter().next().map_or(Ok(()), Err)
    }
}
