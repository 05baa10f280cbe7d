//! Since when rows count as lost, in transaction identifiers.

use serde_json::Value;
use tg_core::backup::database::Database;
use tg_core::database::Client;
use tg_core::journal;
use tg_core::transactions::Transactions;

use crate::context::Context;
use crate::error::Error;
use crate::facts::Table;
use crate::mark::Marked;
use crate::source::Source;

/// Half the circle of 32 bits: a row of a transaction further back can't be told from a new one.
const HORIZON: u64 = 1 << 31;
const CIRCLE: u64 = 1 << 32;

/// What is compared with to find lost rows.
#[derive(Debug, PartialEq)]
pub(crate) enum Baseline {
    /// Nobody has written anything since.
    Untouched,
    /// Rows of this transaction and later ones are lost, but for what migrations wrote: transactions
    /// from the first number to before the second.
    Since { xid: u64, migrations: Vec<(u64, u64)> },
    /// Another server or another database: only the numbers of rows can be compared.
    Counts(Vec<Table>),
}

impl Baseline {
    pub(crate) fn find(
        ctx: &Context,
        client: &mut Client,
        since: Option<u64>,
        source: &Source,
        live: &Database,
        next: u64,
    ) -> Result<Self, Error> {
        if let Some(xid) = since {
            return Self::since(xid, next, Vec::new());
        }
        let migrations = migrations(&journal::steps(&ctx.state, source.run())?);
        match source {
            Source::Point(point) if quiet(client, point)? => Ok(Baseline::Untouched),
            Source::Point(point) => {
                let xid = point.mark.xid.and_then(|xid| u64::try_from(xid).ok()).unwrap_or(0);
                Self::since(xid, next, migrations)
            }
            Source::Backup(_, manifest)
                if manifest.database.system == live.system && manifest.database.oid == live.oid =>
            {
                Self::since(manifest.since_xid, next, migrations)
            }
            Source::Backup(_, manifest) => Ok(Baseline::Counts(manifest.tables.clone())),
        }
    }

    fn since(xid: u64, next: u64, migrations: Vec<(u64, u64)>) -> Result<Self, Error> {
        let xid = whole(xid, next).ok_or(Error::TooLongAgo(xid))?;
        Ok(Baseline::Since { xid, migrations })
    }
}

/// Whether nobody has written since a point was made: every transaction of the server since then was rolled back, if there was one.
fn quiet(client: &mut Client, point: &Marked) -> Result<bool, Error> {
    let Some(quiet) = point.mark.quiet else { return Ok(false) };
    Ok(Transactions::since(client, quiet)?.wrote_nothing().is_yes())
}

/// A transaction identifier in 64 bits, given as such or as the 32 bits that tables hold; nothing
/// where rows of its time can't be told apart any more, or where it has not come yet.
fn whole(xid: u64, next: u64) -> Option<u64> {
    let full = if xid < CIRCLE && next >= CIRCLE {
        // The last transaction before the next one with these low bits.
        let back = (next % CIRCLE + CIRCLE - xid) % CIRCLE;
        next - back
    } else {
        xid
    };
    (full <= next && next - full < HORIZON).then_some(full)
}

/// The transactions of the migrations of a run, from the steps that tg-migrate journals. One that
/// was killed counts together with the next as long as no release was moved in between.
fn migrations(steps: &[Value]) -> Vec<(u64, u64)> {
    let (mut windows, mut open) = (Vec::new(), None);
    for line in steps {
        let data = &line["data"];
        match (line["tool"].as_str(), data["state"].as_str()) {
            (Some("tg-swap"), _) => open = None,
            (Some("tg-migrate"), Some("started")) if data["step"] == "migrate" => {
                open = open.or(data["xid_before"].as_u64());
            }
            (Some("tg-migrate"), Some("succeeded" | "failed")) if data["step"] == "migrate" => {
                windows.extend(open.take().zip(data["xid_after"].as_u64()));
            }
            _ => {}
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_transaction_given_in_32_bits_is_the_last_one_with_them() {
        let next = 3 * CIRCLE + 100;
        assert_eq!(whole(90, next), Some(3 * CIRCLE + 90));
        assert_eq!(whole(100, next), Some(next));
        assert_eq!(whole(CIRCLE - 5, next), Some(3 * CIRCLE - 5), "before the wrap");
        assert_eq!(whole(101, next), None, "a whole circle ago, or not yet");
        assert_eq!(whole(3 * CIRCLE + 101, next), None, "not yet");
        assert_eq!(whole(0, 1000), Some(0));
        assert_eq!(whole(0, HORIZON), None);
    }

    proptest! {
        #[test]
        fn low_bits_and_whole_number_mean_the_same(next in CIRCLE..u64::from(u32::MAX) << 20, back in 0..HORIZON) {
            let xid = next - back;
            prop_assert_eq!(whole(xid % CIRCLE, next), Some(xid));
            prop_assert_eq!(whole(xid, next), Some(xid));
        }
    }

    #[test]
    fn what_a_migration_wrote_is_told_from_what_the_application_wrote() {
        let step = |tool: &str, state: &str, key: &str, xid: u64| json!({"tool": tool, "data": {"step": "migrate", "state": state, key: xid}});
        let started = |xid| step("tg-migrate", "started", "xid_before", xid);
        let ended = |state, xid| step("tg-migrate", state, "xid_after", xid);
        assert_eq!(migrations(&[started(5), ended("failed", 9)]), [(5, 9)]);
        assert_eq!(migrations(&[started(5), started(7), ended("succeeded", 9)]), [(5, 9)]);
        let between = step("tg-swap", "started", "x", 0);
        assert_eq!(migrations(&[started(5), between, started(7), ended("succeeded", 9)]), [(7, 9)]);
        assert_eq!(migrations(&[started(5)]), [], "nobody knows where it ended");
    }
}
