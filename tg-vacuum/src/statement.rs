//! The statement that a table gets, or several small ones together.

use crate::count::Count;
use crate::server::Server;
use crate::table::Table;

/// What is done to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// `VACUUM (ANALYZE)`.
    Vacuum,
    /// `VACUUM (FREEZE, ANALYZE)`.
    Freeze,
    /// `ANALYZE`.
    Analyze,
}

impl Action {
    /// The step's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::Vacuum => "vacuum",
            Action::Freeze => "freeze",
            Action::Analyze => "analyze",
        }
    }

    /// The command, for people.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Action::Vacuum => "VACUUM (ANALYZE)",
            Action::Freeze => "VACUUM (FREEZE, ANALYZE)",
            Action::Analyze => "ANALYZE",
        }
    }

    /// A parent of partitions has no rows to vacuum, but statistics that autovacuum never refreshes.
    pub(crate) fn on(self, table: &Table) -> Self {
        if table.parent { Action::Analyze } else { self }
    }

    /// Whether a table's TOAST comes with it; not where there is nothing to do, as far as is known. Whoever asks for a freeze gets
    /// all of it.
    pub(crate) fn takes_toast(self, count: Option<&Count>) -> bool {
        match self {
            Action::Vacuum => count.is_none_or(|count| count.toast),
            Action::Freeze => true,
            Action::Analyze => false,
        }
    }
}

/// What goes beside the statement's tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) server: Server,
    /// One worker, no helpers for the indexes.
    pub(crate) gentle: bool,
}

impl Manner {
    /// The statement. It does not wait for a table that somebody holds; one that comes `again` does, for who was made
    /// way for may hold it for a moment yet, and `lock_timeout` ends the wait. It does not truncate, since that takes
    /// an exclusive lock that standbys wait behind; it leaves `toast` alone where it can; it never rewrites a table; and a
    /// vacuum says what it did.
    pub(crate) fn statement(self, action: Action, tables: &[&Table], again: bool, toast: bool) -> String {
        // Before 18 a parent's children come with it; from 18 on they are left out only by ONLY.
        let only = if self.server.knows_only() { "ONLY " } else { "" };
        let targets: Vec<String> = tables.iter().map(|table| format!("{only}{}", table.quoted())).collect();
        let mut options = Vec::new();
        if !again {
            options.push("SKIP_LOCKED");
        }
        if action == Action::Analyze {
            // Where nothing is counted at once, only its words tell what it did.
            options.extend(self.server.counts_late().map(|_| "VERBOSE"));
        } else {
            options.extend(["VERBOSE", "ANALYZE", "TRUNCATE false"]);
            if action == Action::Freeze {
                options.push("FREEZE");
            }
            if !toast && self.server.knows_toast() {
                options.push("PROCESS_TOAST false");
            }
            if self.server.skips_database_stats() {
                options.push("SKIP_DATABASE_STATS");
            }
            if self.gentle && self.server.knows_parallel() {
                options.push("PARALLEL 0");
            }
        }
        let verb = if action == Action::Analyze { "ANALYZE" } else { "VACUUM" };
        let options = if options.is_empty() { String::new() } else { format!("({}) ", options.join(", ")) };
        format!("{verb} {options}{}", targets.join(", "))
    }
}

/// Once at the end instead of once a statement: it reads all of `pg_class`.
pub(crate) const DATABASE_STATS: &str = "VACUUM (ONLY_DATABASE_STATS)";

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Table {
        Table { schema: "a b".into(), name: name.into(), ..Table::default() }
    }

    fn on(version: i32) -> Manner {
        Manner { server: Server { number: version * 10_000, standby: false, counts: true }, gentle: false }
    }

    #[test]
    fn names_are_quoted_and_versions_respected() {
        let odd = table("x\"; DROP TABLE y; --");
        let name = "\"a b\".\"x\"\"; DROP TABLE y; --\"";
        let options = "SKIP_LOCKED, VERBOSE, ANALYZE, TRUNCATE false";
        assert_eq!(
            on(15).statement(Action::Vacuum, &[&odd], false, true),
            format!("VACUUM ({options}) {name}")
        );
        assert_eq!(
            on(18).statement(Action::Vacuum, &[&odd, &table("t")], false, true),
            format!("VACUUM ({options}, SKIP_DATABASE_STATS) ONLY {name}, ONLY \"a b\".\"t\"")
        );
        assert_eq!(
            on(15).statement(Action::Analyze, &[&table("t")], false, true),
            "ANALYZE (SKIP_LOCKED) \"a b\".\"t\""
        );
        let gentle = Manner { gentle: true, ..on(17) };
        assert!(
            gentle
                .statement(Action::Freeze, &[&odd], false, true)
                .contains("FREEZE, SKIP_DATABASE_STATS, PARALLEL 0")
        );
    }

    #[test]
    fn no_statement_rewrites_or_truncates_or_waits() {
        for (version, action) in [(12, Action::Vacuum), (16, Action::Freeze), (18, Action::Analyze)] {
            let text = on(version).statement(action, &[&table("t")], false, true);
            assert!(!text.contains("FULL") && text.contains("SKIP_LOCKED"), "{text}");
            assert!(action == Action::Analyze || text.contains("TRUNCATE false"), "{text}");
        }
    }

    #[test]
    fn toast_is_left_alone_where_nothing_is_to_do_and_the_server_knows_how() {
        let leaves = |version, action: Action, toast: Option<bool>| {
            let count = toast.map(|toast| Count { toast, ..Count::default() });
            let toast = action.takes_toast(count.as_ref());
            on(version).statement(action, &[&table("t")], false, toast).contains("PROCESS_TOAST false")
        };
        assert!(leaves(14, Action::Vacuum, Some(false)));
        assert!(!leaves(13, Action::Vacuum, Some(false)));
        assert!(!leaves(18, Action::Vacuum, Some(true)));
        assert!(!leaves(18, Action::Vacuum, None), "who knows");
        assert!(!leaves(18, Action::Freeze, Some(false)));
        assert!(!leaves(18, Action::Analyze, Some(false)));
    }

    #[test]
    fn an_analysis_tells_what_it_does_where_nothing_is_counted_at_once() {
        let quiet = Server { number: 170_000, standby: false, counts: false };
        for server in [quiet, Server { number: 140_000, counts: true, ..quiet }] {
            let manner = Manner { server, gentle: false };
            let text = manner.statement(Action::Analyze, &[&table("t")], false, true);
            assert!(text.starts_with("ANALYZE (SKIP_LOCKED, VERBOSE) "), "{text}");
        }
    }

    #[test]
    fn what_made_way_waits_for_its_lock_the_second_time() {
        assert_eq!(on(15).statement(Action::Analyze, &[&table("t")], true, true), "ANALYZE \"a b\".\"t\"");
    }

    #[test]
    fn a_parent_of_partitions_is_analysed_and_never_vacuumed() {
        let parent = Table { parent: true, ..table("p") };
        assert_eq!(Action::Vacuum.on(&parent), Action::Analyze);
        assert_eq!(Action::Freeze.on(&table("t")), Action::Freeze);
    }
}
