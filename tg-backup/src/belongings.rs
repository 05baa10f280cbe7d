//! What belongs to a database itself and does not come with a copy of it: replication slots, subscriptions. When two
//! databases change places it stays with the one that goes, and is lost when that one is dropped.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use tg_core::database::ident;

use crate::cluster::{Cluster, allow};
use crate::context::Context;
use crate::error::Error;

const BELONGINGS: &str = include_str!("sql/belongings.sql");
const ACTIVE: &str = "SELECT pg_catalog.pg_terminate_backend(active_pid) FROM pg_catalog.pg_replication_slots \
    WHERE database = $1 AND active";
const STILL_ACTIVE: &str =
    "SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots WHERE database = $1 AND active";
/// How long the reader of a slot may take to go.
const LEAVE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// What may be dropped together with a kept database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Accept {
    /// Logical replication slots: their readers have to begin again
    Slots,
    /// Subscriptions; the slot on the publisher stays, and keeps its WAL until it is dropped there
    Subscriptions,
}

/// Something that stays with a database.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Belonging {
    /// `slot`, `subscription`, `security-label` or `template-flag`.
    pub kind: String,
    pub name: String,
    details: Map<String, Value>,
}

impl Belonging {
    /// What has to be accepted before it is dropped.
    pub(crate) fn accept(&self) -> Option<Accept> {
        match self.kind.as_str() {
            "slot" => Some(Accept::Slots),
            "subscription" => Some(Accept::Subscriptions),
            _ => None,
        }
    }

    pub(crate) fn data(&self, database: &str) -> Value {
        let mut data = self.details.clone();
        data.insert("kind".into(), json!(self.kind));
        data.insert("name".into(), json!(self.name));
        data.insert("database".into(), json!(database));
        Value::Object(data)
    }

    pub(crate) fn describe(&self) -> String {
        let text = |key: &str| self.details.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
        let state = |key: &str, yes: &str, no: &str| {
            if self.details.get(key) == Some(&Value::Bool(true)) { yes.to_owned() } else { no.to_owned() }
        };
        match self.kind.as_str() {
            "slot" => format!(
                "logical replication slot {} ({}, {}, confirmed to {})",
                self.name,
                text("plugin"),
                state("active", "active", "inactive"),
                text("confirmed_flush_lsn")
            ),
            "subscription" => {
                format!("subscription {} ({})", self.name, state("enabled", "enabled", "disabled"))
            }
            "security-label" => format!("security label {} of {}", text("label"), self.name),
            _ => "the flag IS_TEMPLATE".into(),
        }
    }
}

/// What belongs to this database.
pub(crate) fn of(cluster: &mut Cluster, database: &str) -> Result<Vec<Belonging>, Error> {
    let rows = cluster.client.query(BELONGINGS, &[&database])?;
    let read = |row: &postgres::Row| Belonging {
        kind: row.get(0),
        name: row.get(1),
        details: serde_json::from_str(row.get::<_, &str>(2)).unwrap_or_default(),
    };
    Ok(rows.iter().map(read).collect())
}

/// Warns, before anything is changed, of what stays with the live database when another takes its place.
pub(crate) fn tell(ctx: &Context, cluster: &mut Cluster) -> Result<usize, Error> {
    let live = &ctx.target.name;
    let all = of(cluster, live)?;
    for belonging in &all {
        let msg = format!(
            "{} belongs to {live} as it is now and stays with the database that is replaced; the one that takes its place has none",
            belonging.describe()
        );
        ctx.session.emit.warning("stays-behind", &msg, belonging.data(live))?;
    }
    Ok(all.len())
}

/// Refuses to drop databases with what belongs to them, unless that was accepted by its name.
pub(crate) fn judge(all: &[(&str, Vec<Belonging>)], accepted: &[Accept]) -> Result<(), Error> {
    let belongings = || all.iter().flat_map(|(_, belongings)| belongings);
    let needs: BTreeSet<Accept> = belongings().filter_map(Belonging::accept).collect();
    let missing: Vec<Accept> = needs.into_iter().filter(|need| !accepted.contains(need)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let lost = belongings().filter(|b| b.accept().is_some_and(|need| missing.contains(&need)));
    Err(Error::Belongings { lost: lost.map(Belonging::describe).collect(), missing })
}

/// Takes away what keeps a database from being dropped. The readers of slots are sent away; a subscription
/// lets go of its slot on the publisher, which may be out of reach.
pub(crate) fn release(
    ctx: &Context,
    cluster: &mut Cluster,
    database: &str,
    all: &[Belonging],
) -> Result<(), Error> {
    let subscriptions: Vec<_> = all.iter().filter(|b| b.kind == "subscription").collect();
    if !subscriptions.is_empty() {
        // A swap has closed it.
        cluster.execute(&allow(database, true))?;
        let mut inside = ctx.target.connect(crate::TOOL, Some(database))?;
        for subscription in subscriptions {
            let name = ident(&subscription.name);
            inside.batch_execute(&format!("ALTER SUBSCRIPTION {name} DISABLE"))?;
            inside.batch_execute(&format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"))?;
            inside.batch_execute(&format!("DROP SUBSCRIPTION {name}"))?;
        }
    }
    let begun = std::time::Instant::now();
    loop {
        let active: i64 = cluster.client.query_one(STILL_ACTIVE, &[&database])?.get(0);
        if active == 0 || begun.elapsed() > LEAVE {
            return Ok(());
        }
        cluster.client.query(ACTIVE, &[&database])?;
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belonging(kind: &str) -> Belonging {
        Belonging { kind: kind.into(), name: "n".into(), details: Map::new() }
    }

    #[test]
    fn what_would_be_lost_has_to_be_accepted_by_its_name() {
        let all = [("d", vec![belonging("slot"), belonging("subscription"), belonging("security-label")])];
        let missing = |accepted: &[Accept]| match judge(&all, accepted) {
            Ok(()) => vec![],
            Err(Error::Belongings { missing, .. }) => missing,
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(missing(&[]), [Accept::Slots, Accept::Subscriptions]);
        assert_eq!(missing(&[Accept::Slots]), [Accept::Subscriptions]);
        assert_eq!(missing(&[Accept::Subscriptions, Accept::Slots]), []);
        assert!(judge(&[("d", vec![belonging("template-flag")])], &[]).is_ok());
    }
}
