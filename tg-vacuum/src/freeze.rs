//! Transaction ids are used again after two thousand million of them: what is older must be frozen before.

use tg_core::Error;
use tg_core::database::Client;

use crate::table::Table;

/// Transactions that a table may be behind before the server refuses to begin more: 2^31 less three million,
/// where it stops (`SetTransactionIdLimit` in `varsup.c`).
pub(crate) const DANGER: i64 = (1 << 31) - 3_000_000;

/// The server's limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// `autovacuum_freeze_max_age`: autovacuum freezes what is older, whatever else it was told.
    pub(crate) forced: i64,
    /// `vacuum_freeze_table_age`: a vacuum of what is older reads all of it.
    whole: i64,
    /// `autovacuum_multixact_freeze_max_age`: the same for multixacts.
    multixacts: i64,
}

impl Limits {
    /// Asks the server.
    pub(crate) fn ask(client: &mut Client) -> Result<Self, Error> {
        let row = client.query_one(
            "SELECT pg_catalog.current_setting('autovacuum_freeze_max_age')::pg_catalog.int8 AS forced, \
             pg_catalog.current_setting('vacuum_freeze_table_age')::pg_catalog.int8 AS whole, \
             pg_catalog.current_setting('autovacuum_multixact_freeze_max_age')::pg_catalog.int8 AS multixacts",
            &[],
        )?;
        Ok(Limits {
            forced: row.try_get("forced")?,
            whole: row.try_get("whole")?,
            multixacts: row.try_get("multixacts")?,
        })
    }

    /// An age at which it is better done by plan than when it is forced.
    pub(crate) fn early(self) -> i64 {
        self.forced / 2
    }

    /// An age, of transactions and of multixacts, far from any limit: where nothing but freezing is to do, it can wait.
    pub(crate) fn young(self) -> i32 {
        i32::try_from(self.forced.min(self.multixacts) / 4).unwrap_or(i32::MAX)
    }

    /// Whether a vacuum will read all of a table (the server takes 95 % of the forced age at most).
    pub(crate) fn is_aggressive(self, table: &Table) -> bool {
        table.freeze_age > self.whole.min(self.forced / 100 * 95)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_table_is_read_as_a_whole() {
        let limits = Limits { forced: 200_000_000, whole: 150_000_000, multixacts: 400_000_000 };
        let aged = |freeze_age| Table { freeze_age, ..Table::default() };
        assert!(!limits.is_aggressive(&aged(150_000_000)) && limits.is_aggressive(&aged(150_000_001)));
        let odd = Limits { whole: 900_000_000, ..limits };
        assert!(odd.is_aggressive(&aged(190_000_001)));
        assert_eq!(limits.early(), 100_000_000);
        assert_eq!(limits.young(), 50_000_000);
        assert_eq!(Limits { multixacts: 10_000, ..limits }.young(), 2500);
    }
}
