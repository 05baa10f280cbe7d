//! The names that we give: readable, unique, and short enough for PostgreSQL.

use std::time::SystemTime;

use tg_core::clock;

/// `NAMEDATALEN - 1`: a longer identifier is cut by the server without an error.
const LONGEST: usize = 63;
const TIME_DIGITS: usize = 14;
/// How much of a database's name stands in a backup's.
const ID_DATABASE: usize = 40;
const ID_RUN: usize = 6;

/// What a database of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A rollback point.
    Point,
    /// A restored database that is not live yet.
    New,
    /// What a restore replaced.
    Old,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Point, Kind::New, Kind::Old];

    fn prefix(self) -> &'static str {
        match self {
            Kind::Point => "tg_point_",
            Kind::New => "tg_new_",
            Kind::Old => "tg_old_",
        }
    }

    /// `tg_point_20261123074500_terragnos`, at most 63 bytes.
    pub(crate) fn name(self, at: SystemTime, database: &str) -> String {
        let head = format!("{}{}_", self.prefix(), clock::digits(at));
        format!("{head}{}", cut(database, LONGEST - head.len()))
    }

    /// Whether a name has our pattern for this database.
    pub(crate) fn matches(self, name: &str, database: &str) -> bool {
        let Some(rest) = name.strip_prefix(self.prefix()) else { return false };
        let Some((time, of)) = rest.split_at_checked(TIME_DIGITS) else { return false };
        let room = LONGEST - self.prefix().len() - TIME_DIGITS - 1;
        time.bytes().all(|b| b.is_ascii_digit()) && of.strip_prefix('_') == Some(cut(database, room))
    }
}

/// `20261123T074500Z-terragnos-k3f9x2`.
pub(crate) fn backup_id(at: SystemTime, database: &str, run: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let database: String = database.chars().take(ID_DATABASE).map(word).collect();
    // Runs are ASCII, and their random part is at the end.
    let suffix = run[run.len().saturating_sub(ID_RUN)..].to_ascii_lowercase();
    format!("{}-{database}-{suffix}", clock::compact(at))
}

/// As many whole characters as fit.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const AT: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn a_backup_s_name_tells_when_what_and_which_run() {
        let at = AT + Duration::from_mins(29_923_665);
        assert_eq!(backup_id(at, "we ird\"/..", "01K3ABCDEF"), "20261123T074500Z-we_ird____-abcdef");
        assert_eq!(Kind::Point.name(at, "terragnos"), "tg_point_20261123074500_terragnos");
    }

    proptest! {
        #[test]
        fn no_name_is_longer_than_the_server_keeps(database in ".{1,80}") {
            for kind in Kind::ALL {
                let name = kind.name(AT, &database);
                prop_assert!(name.len() <= LONGEST, "{}", name);
                prop_assert!(kind.matches(&name, &database));
            }
        }

        #[test]
        fn a_name_of_another_kind_or_database_does_not_match(database in "[a-z]{1,20}") {
            let name = Kind::New.name(AT, &database);
            let other = format!("{database}x");
            prop_assert!(!Kind::Old.matches(&name, &database));
            prop_assert!(!Kind::New.matches(&name, &other));
            prop_assert!(!Kind::New.matches(&database, &database));
        }
    }
}
