//! What the server counts of tables, at one moment.

use std::collections::HashMap;

use postgres::Row;
use tg_core::Truth;

use crate::database::Connection;

/// A table's statistics and its size.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    /// How often it was vacuumed, by a statement and not by autovacuum.
    pub(crate) vacuums: i64,
    /// How often it was analysed, by a statement.
    pub(crate) analyses: i64,
    /// How often its TOAST was vacuumed; `None` where it has none.
    pub(crate) toast_vacuums: Option<i64>,
    /// The transactions before which nothing is left to freeze, in the table and in its TOAST; 0 where it has no rows of its own.
    pub(crate) frozen: i64,
    pub(crate) toast_frozen: Option<i64>,
    /// Dead rows.
    pub(crate) dead: i64,
    /// Bytes of its rows and of their TOAST; `None` while somebody holds it exclusively.
    pub(crate) size: Option<i64>,
    /// A vacuum has something to do in its TOAST.
    pub(crate) toast: bool,
    /// When the database's statistics were last reset, in seconds since 1970.
    pub(crate) reset: Option<f64>,
    /// The next transaction, all of whose forerunners may have left rows.
    pub(crate) next: i64,
}

/// What was counted of some tables.
#[derive(Debug, Default)]
pub(crate) struct Look {
    counts: HashMap<u32, Count>,
    /// Why nothing is known, where nothing is.
    problem: Option<String>,
}

impl Look {
    /// Looks at tables by their oids; a look that fails only makes us know less. `young`: an age at which nothing has to be
    /// frozen yet.
    pub(crate) fn at(connection: &mut Connection, oids: &[u32], young: i32) -> Self {
        let query = concat!(include_str!("sql/closed.sql"), include_str!("sql/statistics.sql"));
        match connection.ask(query, &[&oids, &young]).and_then(|rows| rows.iter().map(read).collect()) {
            Ok(counts) => Look { counts, problem: None },
            Err(error) => Look { counts: HashMap::new(), problem: Some(error.to_string()) },
        }
    }

    pub(crate) fn of(&self, oid: u32) -> Option<&Count> {
        self.counts.get(&oid)
    }

    /// Whether a table was not there any more.
    pub(crate) fn is_gone(&self, oid: u32) -> bool {
        self.problem.is_none() && !self.counts.contains_key(&oid)
    }
}

/// What was counted of one table before a statement and after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) before: Option<&'a Count>,
    pub(crate) after: Option<&'a Count>,
    /// Why a count that stands still may have moved.
    pub(crate) late: Option<&'a str>,
}

impl<'a> Change<'a> {
    /// By two looks; `late`: why the server may count later than it does.
    pub(crate) fn between(before: &'a Look, after: &'a Look, oid: u32, late: Option<&'a str>) -> Self {
        let problem = before.problem.as_deref().or(after.problem.as_deref());
        Change { before: before.of(oid), after: after.of(oid), late: problem.or(late) }
    }

    /// Whether a count has moved.
    pub(crate) fn moved(&self, count: impl Fn(&Count) -> i64) -> Truth {
        let (Some(before), Some(after)) = (self.before, self.after) else {
            return Truth::unknown(self.late.unwrap_or("the table was not there at both times"));
        };
        if count(after) > count(before) {
            return Truth::Yes;
        }
        match self.late {
            _ if before.reset != after.reset => Truth::unknown("the statistics were reset meanwhile"),
            Some(why) => Truth::unknown(why),
            None => Truth::No,
        }
    }
}

fn read(row: &Row) -> Result<(u32, Count), tg_core::database::QueryError> {
    let count = Count {
        vacuums: row.try_get("vacuums")?,
        analyses: row.try_get("analyses")?,
        toast_vacuums: row.try_get("toast_vacuums")?,
        frozen: row.try_get("frozen")?,
        toast_frozen: row.try_get("toast_frozen")?,
        dead: row.try_get("dead")?,
        size: row.try_get("size")?,
        toast: row.try_get("toast")?,
        reset: row.try_get("reset")?,
        next: row.try_get("next")?,
    };
    Ok((row.try_get("oid")?, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_stands_still_is_a_no_only_where_it_would_have_moved() {
        let count = |vacuums, reset| Count { vacuums, reset, ..Count::default() };
        let moved = |before: Count, after: Count, late| {
            let change = Change { before: Some(&before), after: Some(&after), late };
            change.moved(|count| count.vacuums)
        };
        assert_eq!(moved(count(1, None), count(2, None), Some("late")), Truth::Yes);
        assert_eq!(moved(count(1, None), count(1, None), None), Truth::No);
        assert_eq!(moved(count(1, None), count(1, None), Some("late")), Truth::unknown("late"));
        assert!(
            moved(count(0, None), count(0, Some(1.0)), None).why().is_some_and(|why| why.contains("reset"))
        );
        let gone = Change { before: Some(&count(1, None)), after: None, late: None };
        assert!(gone.moved(|count| count.vacuums).why().is_some());
    }
}
