//! What has become of the transactions of a span of time: the server's own word on whether anybody can have written.

use postgres::Row;

use crate::database::Client;
use crate::{Error, Truth};

const TRANSACTIONS: &str = include_str!("sql/transactions.sql");
/// Where more than so many transactions were begun, they are not looked up one by one.
const MOST: i64 = 200_000;

/// What the server's transaction counter shows of a span of time; of the whole server, for it has one counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transactions {
    /// The next one, in 64 bits.
    pub next: i64,
    /// Begun since, and neither committed nor rolled back yet.
    pub open: i64,
    /// Committed, of those that were looked up.
    pub committed: i64,
    /// Begun since.
    pub begun: i64,
}

impl Transactions {
    /// Since a transaction, in 64 bits.
    pub fn since(client: &mut Client, xid: i64) -> Result<Self, Error> {
        let row: Row = client.query_one(TRANSACTIONS, &[&xid, &MOST])?;
        Ok(Transactions { next: row.get(0), open: row.get(1), committed: row.get(2), begun: row.get(3) })
    }

    /// Whether none of them can have changed anything.
    #[must_use]
    pub fn wrote_nothing(&self) -> Truth {
        match self {
            Transactions { open: 1.., .. } => {
                Truth::unknown(format!("{} transactions that were begun meanwhile are still open", self.open))
            }
            Transactions { committed: 1.., .. } => Truth::unknown(format!(
                "{} transactions were committed on the server meanwhile, and it does not say whose they are",
                self.committed
            )),
            Transactions { begun, .. } if *begun > MOST => {
                Truth::unknown(format!("{begun} transactions were begun on the server meanwhile"))
            }
            _ => Truth::Yes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transactions_that_were_all_rolled_back_wrote_nothing() {
        let none = Transactions { next: 9, ..Transactions::default() };
        assert!(none.wrote_nothing().is_yes());
        assert!(Transactions { begun: 5, ..none }.wrote_nothing().is_yes(), "rolled back");
        for moved in [
            Transactions { begun: 5, committed: 1, ..none },
            Transactions { begun: 1, open: 1, ..none },
            Transactions { open: 1, ..none },
            Transactions { begun: MOST + 1, ..none },
        ] {
            assert!(moved.wrote_nothing().why().is_some(), "{moved:?}");
        }
    }
}
