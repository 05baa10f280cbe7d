//! When autovacuum comes to a table: `autovacuum_vacuum_threshold` and `autovacuum_vacuum_scale_factor` of its rows.

use tg_core::database::Client;

use super::relation::{Relation, option};

/// A table so far beyond its threshold has been waiting.
const BEHIND: f64 = 2.0;
/// Fewer dead rows are nobody's trouble.
const FEW: i64 = 10_000;
/// A fifth of so many rows is a lot to wait for.
const LARGE: i64 = 1_000_000;

/// What it was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Autovacuum {
    enabled: bool,
    threshold: f64,
    scale: f64,
    /// `autovacuum_vacuum_max_threshold`: from 18 on it comes for so many at the latest.
    most: f64,
}

impl Autovacuum {
    /// The server's settings.
    pub(super) fn ask(client: &mut Client) -> Result<Self, tg_core::database::QueryError> {
        let row = client.query_one(include_str!("../sql/autovacuum.sql"), &[])?;
        Ok(Autovacuum {
            enabled: row.try_get("enabled")?,
            threshold: row.try_get("threshold")?,
            scale: row.try_get("scale")?,
            most: row.try_get("most")?,
        })
    }

    /// With a table's own.
    pub(super) fn of(self, options: &[String]) -> Self {
        let number = |name: &str, default: f64| {
            option(options, name).and_then(|value| value.parse().ok()).unwrap_or(default)
        };
        let enabled = option(options, "autovacuum_enabled")
            .is_none_or(|value| !matches!(value, "false" | "off" | "0" | "no"));
        Autovacuum {
            enabled: self.enabled && enabled,
            threshold: number("autovacuum_vacuum_threshold", self.threshold),
            scale: number("autovacuum_vacuum_scale_factor", self.scale),
            most: number("autovacuum_vacuum_max_threshold", self.most),
        }
    }

    /// Dead rows at which it comes.
    pub(super) fn due(self, live: i64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "rows of a table")]
        let due = self.threshold + self.scale * live as f64;
        if self.most >= 0.0 { due.min(self.most) } else { due }
    }

    /// What would help, where it does not keep up with a table.
    pub(super) fn cure(self, relation: &Relation, quoted: &str) -> Option<String> {
        if relation.parent || relation.dead < FEW {
            return None;
        }
        if !self.enabled {
            return Some(format!(
                "ALTER TABLE {quoted} RESET (autovacuum_enabled); -- or turn autovacuum on"
            ));
        }
        #[expect(clippy::cast_precision_loss, reason = "rows of a table")]
        let dead = relation.dead as f64;
        if dead > self.due(relation.live) * BEHIND {
            return Some(
                "ALTER SYSTEM SET autovacuum_vacuum_cost_limit = 2000; -- it comes, and is too slow".into(),
            );
        }
        let small_part = dead > self.due(relation.live).min(f64::from(1 << 20)) && relation.live > LARGE;
        (small_part && self.scale > 0.05)
            .then(|| format!("ALTER TABLE {quoted} SET (autovacuum_vacuum_scale_factor = 0.02);"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Autovacuum = Autovacuum { enabled: true, threshold: 50.0, scale: 0.2, most: -1.0 };

    fn cure(dead: i64, live: i64, options: &[&str]) -> Option<String> {
        let options: Vec<String> = options.iter().map(|&o| o.to_owned()).collect();
        let relation = Relation { dead, live, options: options.clone(), ..Relation::default() };
        SERVER.of(&options).cure(&relation, "t")
    }

    #[test]
    fn a_table_has_settings_of_its_own() {
        assert_eq!(SERVER.due(1000).to_string(), "250");
        assert_eq!(SERVER.of(&["autovacuum_vacuum_scale_factor=0.01".into()]).due(1000).to_string(), "60");
        assert_eq!(Autovacuum { most: 100.0, ..SERVER }.due(1000).to_string(), "100");
    }

    #[test]
    fn what_would_help_depends_on_why_it_does_not_keep_up() {
        assert_eq!(cure(20_000, 1_000_000, &[]), None);
        assert!(cure(900_000, 1_000_000, &[]).unwrap().contains("cost_limit"));
        assert!(cure(20_000, 1_000_000, &["autovacuum_enabled=false"]).unwrap().contains("RESET"));
        assert!(cure(1_100_000, 20_000_000, &[]).unwrap().contains("scale_factor"));
        assert_eq!(cure(5000, 10, &[]), None);
    }
}
