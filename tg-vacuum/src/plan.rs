//! Which statement each table gets.

use crate::database::Server;
use crate::table::Table;

/// What is done to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// `VACUUM (ANALYZE)`.
    Vacuum,
    /// `ANALYZE`.
    Analyze,
}

impl Action {
    /// The step's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::Vacuum => "vacuum",
            Action::Analyze => "analyze",
        }
    }

    /// For a sentence.
    pub(crate) fn doing(self) -> &'static str {
        match self {
            Action::Vacuum => "vacuuming",
            Action::Analyze => "analysing",
        }
    }

    /// A parent of partitions has no rows to vacuum, but statistics that autovacuum never refreshes.
    pub(crate) fn of(table: &Table, analyze_only: bool) -> Self {
        if analyze_only || table.parent { Action::Analyze } else { Action::Vacuum }
    }

    /// The statement. It does not wait for a table that somebody holds; it does not truncate, since
    /// that takes an exclusive lock that standbys wait behind; and it never rewrites a table.
    pub(crate) fn statement(self, table: &Table, server: Server) -> String {
        // Before 18 a parent's children come with it; from 18 on they are left out only by ONLY.
        let only = if server.knows_only() { "ONLY " } else { "" };
        let target = format!("{only}{}", table.quoted());
        match self {
            Action::Analyze => format!("ANALYZE (SKIP_LOCKED) {target}"),
            Action::Vacuum if server.skips_database_stats() => {
                format!("VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false, SKIP_DATABASE_STATS) {target}")
            }
            Action::Vacuum => format!("VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) {target}"),
        }
    }
}

/// Once at the end instead of once a table: it reads all of `pg_class`.
pub(crate) const DATABASE_STATS: &str = "VACUUM (ONLY_DATABASE_STATS)";

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, parent: bool) -> Table {
        Table { oid: 1, schema: "a b".into(), name: name.into(), parent, dead: 0, size: None }
    }

    #[test]
    fn names_are_quoted_and_versions_respected() {
        let statement = |version| {
            Action::Vacuum
                .statement(&table("x\"; DROP TABLE y; --", false), Server { version, standby: false })
        };
        let name = "\"a b\".\"x\"\"; DROP TABLE y; --\"";
        assert_eq!(statement(15), format!("VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) {name}"));
        assert_eq!(
            statement(18),
            format!("VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false, SKIP_DATABASE_STATS) ONLY {name}")
        );
    }

    #[test]
    fn a_parent_of_partitions_is_analysed_and_never_vacuumed() {
        assert_eq!(Action::of(&table("p", true), false), Action::Analyze);
        assert_eq!(Action::of(&table("t", false), false), Action::Vacuum);
        assert_eq!(Action::of(&table("t", false), true), Action::Analyze);
    }
}
