//! How many locks a server can hold: a dump takes one on each table, and again in each of its workers.

use tg_core::database::Client;

use crate::error::Error;

/// The documented size of the shared lock table: max_locks_per_transaction × (max_connections +
/// max_prepared_transactions). The server lets each lock have two holders on average.
const SLOTS: &str = "SELECT pg_catalog.current_setting('max_locks_per_transaction')::bigint * \
    (pg_catalog.current_setting('max_connections')::bigint + pg_catalog.current_setting('max_prepared_transactions')::bigint)";
const PER_TRANSACTION: &str = "SELECT pg_catalog.current_setting('max_locks_per_transaction')::bigint";
/// What is left to the application: a part of all.
const OTHERS: usize = 5;

/// The room for locks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    slots: usize,
    per_transaction: usize,
}

impl Budget {
    pub(crate) fn of(client: &mut Client) -> Result<Self, Error> {
        let mut number = |sql: &str| -> Result<usize, Error> {
            Ok(usize::try_from(client.query_one(sql, &[])?.get::<_, i64>(0)).unwrap_or(0))
        };
        Ok(Budget { slots: number(SLOTS)?, per_transaction: number(PER_TRANSACTION)? })
    }

    /// Holders of locks that we may be.
    fn room(self) -> usize {
        2 * (self.slots - self.slots / OTHERS)
    }

    /// Whether our own lock on each table fits beside those of the dump and its workers.
    pub(crate) fn may_hold(self, tables: usize) -> bool {
        3 * tables <= self.room()
    }

    /// Whether workers, which lock each table once more, fit.
    pub(crate) fn may_share(self, tables: usize) -> bool {
        2 * tables <= self.room()
    }

    /// What `max_locks_per_transaction` should be where even the dump alone is too much.
    pub(crate) fn wanted(self, tables: usize) -> Option<usize> {
        let enough = self.slots - self.slots / OTHERS;
        (tables > enough).then(|| (self.per_transaction * tables).div_ceil(enough.max(1)).next_power_of_two())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Budget = Budget { slots: 6400, per_transaction: 64 };

    #[test]
    fn the_more_tables_the_fewer_locks_on_each() {
        assert!(DEFAULT.may_hold(3000) && DEFAULT.may_share(3000));
        assert!(!DEFAULT.may_hold(4000) && DEFAULT.may_share(4000));
        assert!(!DEFAULT.may_share(10_000));
    }

    #[test]
    fn a_server_with_too_little_room_is_told_how_much_it_needs() {
        assert_eq!(DEFAULT.wanted(5000), None);
        let wanted = DEFAULT.wanted(10_000).unwrap();
        assert_eq!(wanted, 128);
        assert_eq!(Budget { slots: wanted * 100, per_transaction: wanted }.wanted(10_000), None);
    }
}
