//! Two databases change places by changing names. The live one is closed for as short as that
//! takes, and whatever happens in between, one of the two serves in the end.

use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::deadline::Deadline;

use crate::cluster::{Cluster, allow, comment, rename};
use crate::context::Context;
use crate::error::Error;
use crate::loss::{self, Watch};
use crate::mark::{Mark, Marked};
use crate::names::Kind;

/// The name of the step in the journal.
pub(crate) const STEP: &str = "swap";
/// How long to try to let the application in again after a failure.
const RECOVER: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(500);
/// Transactions of our own between the last look and the closed database: the closing itself.
const OWN: i64 = 1;

/// What takes the live database's place.
pub(crate) struct Swap<'a> {
    pub new: &'a Marked,
    /// `restore` or `undo`.
    pub action: &'static str,
    /// The backup or point that this brings back.
    pub source: &'a str,
    pub source_run: Option<&'a str>,
    /// Rows that may be lost without a question.
    pub accepted: bool,
}

pub(crate) struct Swapped {
    /// How long connections were refused.
    pub closed_ms: u64,
    /// The name under which the replaced database is kept.
    pub kept: Option<String>,
}

impl Swap<'_> {
    /// Swaps, and tells both identities in its intent: after a kill they say whether it happened.
    pub(crate) fn perform(
        &self,
        ctx: &Context,
        cluster: &mut Cluster,
        watch: Option<Watch>,
    ) -> Result<Swapped, Error> {
        let live = ctx.target.name.as_str();
        let live_oid = cluster.find(live)?.map(|(oid, _)| oid);
        cluster.refuse_prepared(live)?;
        let kept = live_oid.map(|_| cluster.free_name(Kind::Old, live)).transpose()?;
        let intent = json!({
            "live": live, "live_oid": live_oid, "new": self.new.name, "new_oid": self.new.oid, "kept": kept,
            "action": self.action, "source": self.source, "source_run": self.source_run,
        });
        ctx.change(STEP, &format!("put {} in the place of {live}", self.new.name), intent, || {
            let exchange = self.exchange(ctx, cluster, kept.as_deref())?;
            // Whoever counted in the new database may still be leaving.
            cluster.empty(&self.new.name, None)?;
            let begun = Instant::now();
            if let Err(error) = self.closed(ctx, cluster, watch, kept.is_some(), &exchange) {
                self.settle(ctx, error)?;
            }
            let closed_ms = tg_core::clock::milliseconds(begun);
            let data = json!({"closed_ms": closed_ms, "kept": kept});
            Ok((Swapped { closed_ms, kept }, data))
        })
    }

    /// From closing the live database to opening the new one.
    fn closed(
        &self,
        ctx: &Context,
        cluster: &mut Cluster,
        mut watch: Option<Watch>,
        live_is_there: bool,
        exchange: &str,
    ) -> Result<(), Error> {
        let live = ctx.target.name.as_str();
        if live_is_there {
            let pid = watch.as_mut().map(Watch::pid).transpose()?;
            let closing = Mark { closing: true, ..self.new.mark.clone() };
            cluster.execute(&format!(
                "{} {}",
                comment(&self.new.name, Some(&closing.text())),
                allow(live, false)
            ))?;
            cluster.empty(live, pid)?;
            if let Some(watch) = watch.as_mut().filter(|_| !self.accepted) {
                loss::judge(ctx, &watch.look_again(OWN)?, false)?;
            }
            drop(watch);
            cluster.empty(live, None)?;
        }
        Ok(cluster.execute(exchange)?)
    }

    /// The one transaction that does it.
    fn exchange(&self, ctx: &Context, cluster: &mut Cluster, kept: Option<&str>) -> Result<String, Error> {
        let live = ctx.target.name.as_str();
        let mut sql = String::new();
        if let Some(kept) = kept {
            let mut mark = Mark::new(Kind::Old, live, &ctx.session.run);
            mark.source = Some(self.source.to_owned());
            mark.source_run = self.source_run.map(str::to_owned);
            mark.replaced_by = Some(self.new.oid);
            mark.action = Some(self.action.to_owned());
            mark.comment = cluster.database(live)?.comment;
            sql += &rename(live, kept);
            sql += &comment(kept, Some(&mark.text()));
        }
        sql += &rename(&self.new.name, live);
        sql += &comment(live, self.new.mark.comment.as_deref());
        sql += &allow(live, true);
        Ok(sql)
    }

    /// After a failure: has it happened after all? Else lets the application in again.
    fn settle(&self, ctx: &Context, error: Error) -> Result<(), Error> {
        let live = ctx.target.name.as_str();
        let again = || -> Result<bool, Error> {
            let mut cluster = ctx.cluster()?;
            if cluster.find(live)?.is_some_and(|(oid, _)| oid == self.new.oid) {
                return Ok(true);
            }
            cluster.reopen(live)?;
            Ok(false)
        };
        let deadline = Deadline::after(Some(RECOVER));
        let mut settled = again();
        while settled.is_err() && !deadline.passed() {
            deadline.sleep(RETRY);
            settled = again();
        }
        match (settled, error) {
            (Ok(true), _) => Ok(()),
            (Ok(false), lost @ Error::DataLoss { .. }) => Err(lost),
            (Ok(false), error) => Err(Error::Undone(error.to_string())),
            (Err(worse), error) => Err(Error::Stuck {
                database: live.into(),
                problem: format!("{error}; then {worse}"),
                sql: allow(live, true),
            }),
        }
    }
}
