//! Who keeps dead rows from being removed, and what would end that.

use postgres::Row;
use serde_json::{Value, json};
use tg_core::database::Client;
use tg_core::database::literal;

use crate::text;

/// Whoever is younger does no harm: every query holds the horizon while it runs.
pub(crate) const YOUNG_S: f64 = 60.0;

/// One who holds the horizon.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Holder {
    /// `backend`, `prepared transaction`, `slot`, `slot (catalog)`, `standby`.
    pub(crate) kind: String,
    /// Process, global identifier, slot's name, or the standby's name.
    pub(crate) id: String,
    /// Transactions since.
    pub(crate) age: i64,
    /// The transaction that it holds on to.
    horizon: String,
    /// Seconds since; nobody knows of slots and standbys.
    pub(crate) age_s: Option<f64>,
    database: Option<String>,
    user: Option<String>,
    application: Option<String>,
    client: Option<String>,
    state: Option<String>,
    query: Option<String>,
    /// Whether somebody reads from the slot.
    active: Option<bool>,
}

impl Holder {
    /// All of them, the oldest first.
    pub(crate) fn all(client: &mut Client) -> Result<Vec<Self>, tg_core::database::QueryError> {
        let rows = client.query(include_str!("sql/horizon.sql"), &[])?;
        rows.iter().map(Self::read).collect()
    }

    fn read(row: &Row) -> Result<Self, tg_core::database::QueryError> {
        Ok(Holder {
            kind: row.try_get("kind")?,
            id: row.try_get("id")?,
            age: row.try_get::<_, Option<i64>>("age")?.unwrap_or(0),
            horizon: row.try_get("horizon")?,
            age_s: row.try_get("age_s")?,
            database: row.try_get("database")?,
            user: row.try_get("user")?,
            application: row.try_get("application")?,
            client: row.try_get("client")?,
            state: row.try_get("state")?,
            query: row.try_get("query")?,
            active: row.try_get("active")?,
        })
    }

    /// Whether it is the same one that still holds on to the same transaction.
    pub(crate) fn is(&self, other: &Holder) -> bool {
        (&self.kind, &self.id, &self.horizon) == (&other.kind, &other.id, &other.horizon)
    }

    /// Whether rows of tables are held, and not only those of the catalogs.
    pub(crate) fn holds_tables(&self) -> bool {
        self.kind != "slot (catalog)"
    }

    /// The command that would end it. It is never run by this tool: each of them takes something from somebody.
    pub(crate) fn cure(&self) -> String {
        match self.kind.as_str() {
            "backend" => format!("SELECT pg_terminate_backend({});", self.id),
            "prepared transaction" => format!("ROLLBACK PREPARED {};", literal(&self.id)),
            "standby" => {
                "ALTER SYSTEM SET hot_standby_feedback = off; SELECT pg_reload_conf(); -- on the standby".into()
            }
            _ if self.active == Some(true) => {
                "ALTER SYSTEM SET hot_standby_feedback = off; SELECT pg_reload_conf(); -- on the standby, or let its reader catch up"
                    .into()
            }
            _ => format!("SELECT pg_drop_replication_slot({});", literal(&self.id)),
        }
    }

    /// For a record.
    pub(crate) fn data(&self) -> Value {
        json!({
            "kind": self.kind, "id": self.id, "age_xids": self.age, "horizon": self.horizon,
            "age_s": self.age_s.map(f64::round), "database": self.database, "user": self.user,
            "application": self.application, "client": self.client, "state": self.state, "query": self.query,
            "active": self.active, "command": self.cure(),
        })
    }

    /// For people.
    pub(crate) fn sentence(&self) -> String {
        let since = self.age_s.map(|s| format!(" for {}", text::time(s))).unwrap_or_default();
        let xids = format!("{} transactions", text::count(self.age));
        let named = |what: Option<&String>| {
            what.filter(|text| !text.is_empty()).map(|t| format!(" of {t}")).unwrap_or_default()
        };
        match self.kind.as_str() {
            "backend" => {
                let state = self.state.as_deref().unwrap_or("unknown");
                let query = self.query.as_deref().filter(|q| !q.is_empty());
                let query = query.map(|q| format!(": {}", text::one_line(q, 80))).unwrap_or_default();
                format!(
                    "process {}{} ({state}){since}, {xids}{query}",
                    self.id,
                    named(self.application.as_ref().filter(|a| !a.is_empty()).or(self.user.as_ref()))
                )
            }
            "prepared transaction" => {
                format!(
                    "prepared transaction {}{}{since}, {xids}",
                    literal(&self.id),
                    named(self.user.as_ref())
                )
            }
            "standby" => format!("standby {}, which sends feedback, {xids}", self.id),
            kind => {
                let reader = match self.active {
                    Some(true) => named(self.application.as_ref()),
                    _ => ", which nobody reads".into(),
                };
                format!("{kind} {}{reader}, {xids}", self.id)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(kind: &str, id: &str, active: Option<bool>) -> Holder {
        Holder { kind: kind.into(), id: id.into(), active, age: 1200, ..Holder::default() }
    }

    #[test]
    fn each_kind_has_a_cure_of_its_own_and_names_are_quoted() {
        assert_eq!(holder("backend", "42", None).cure(), "SELECT pg_terminate_backend(42);");
        assert_eq!(holder("prepared transaction", "a'b", None).cure(), "ROLLBACK PREPARED 'a''b';");
        assert!(holder("slot", "s1", Some(false)).cure().contains("pg_drop_replication_slot('s1')"));
        assert!(holder("slot", "s1", Some(true)).cure().contains("hot_standby_feedback"));
        assert!(holder("standby", "walreceiver", None).cure().contains("hot_standby_feedback"));
    }

    #[test]
    fn it_is_told_in_one_line() {
        let backend = Holder {
            state: Some("idle in transaction".into()),
            application: Some("api".into()),
            query: Some("select\n 1".into()),
            age_s: Some(3700.0),
            ..holder("backend", "42", None)
        };
        assert_eq!(
            backend.sentence(),
            "process 42 of api (idle in transaction) for 1h 1m, 1,200 transactions: select 1"
        );
        assert_eq!(
            holder("slot", "s", Some(false)).sentence(),
            "slot s, which nobody reads, 1,200 transactions"
        );
        assert!(!holder("slot (catalog)", "s", None).holds_tables());
    }
}
