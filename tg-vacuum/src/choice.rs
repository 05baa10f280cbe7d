//! Which tables are meant: all of them, some by name, or those that need it.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use tg_core::Error as CoreError;

use crate::error::Error;
use crate::table::Table;

/// Dead rows that are worth a vacuum: the guide's threshold.
const MANY_DEAD: i64 = 1000;
/// And so large a part of a smaller table.
const DEAD_PART: f64 = 0.1;
/// Rows that have to be changed before statistics are old: a part of the table, as autovacuum has it.
const CHANGED_PART: f64 = 0.1;
/// Below this nobody's plan depends on it.
const FEW: i64 = 100;

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Not all of them.
    some: bool,
    /// Tables by name.
    names: Vec<Name>,
    schemas: Vec<String>,
    /// Only those that need it.
    needed: bool,
}

/// A table as a person writes it: `features`, `public.features`, `"My schema"."My.table"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name {
    schema: Option<String>,
    table: String,
}

impl Choice {
    /// From flags and the records of a report.
    pub(crate) fn new(
        tables: &[String],
        schemas: &[String],
        from: Option<&Path>,
        needed: bool,
    ) -> Result<Self, Error> {
        let mut names: Vec<Name> =
            tables.iter().map(|text| Name::parse(text)).collect::<Result<_, _>>().map_err(usage)?;
        // An empty list is not all of them.
        let some = from.is_some() || !names.is_empty() || !schemas.is_empty();
        if let Some(path) = from {
            names.extend(records(path)?);
        }
        Ok(Choice { some, names, schemas: schemas.to_vec(), needed })
    }

    /// Those of all tables that are meant; a name that none has is an error.
    pub(crate) fn of(&self, all: Vec<Table>, freeze_limit: i64) -> Result<Vec<Table>, Error> {
        let mut chosen: HashSet<u32> = HashSet::new();
        for name in &self.names {
            let found: Vec<&Table> = name.find(&all);
            if found.is_empty() {
                return Err(Error::NoTable { name: name.to_string(), like: name.like(&all) });
            }
            chosen.extend(found.iter().map(|table| table.oid));
        }
        for schema in &self.schemas {
            if !all.iter().any(|table| table.schema == *schema) {
                return Err(Error::NoSchema { name: schema.clone() });
            }
        }
        let meant =
            |table: &Table| !self.some || chosen.contains(&table.oid) || self.schemas.contains(&table.schema);
        Ok(all
            .into_iter()
            .filter(|table| meant(table) && (!self.needed || needs(table, freeze_limit)))
            .collect())
    }
}

/// Whether a table has dead rows, old statistics or old transactions enough.
pub(crate) fn needs(table: &Table, freeze_limit: i64) -> bool {
    let dead = table.dead > MANY_DEAD || (table.dead >= FEW && table.dead_ratio() > DEAD_PART);
    #[expect(clippy::cast_precision_loss, reason = "a threshold")]
    let changed = table.changed >= FEW && table.changed as f64 > table.live as f64 * CHANGED_PART;
    let unknown = table.analyzed.is_none() && (table.parent || table.live + table.dead > 0);
    dead || changed || unknown || table.freeze_age > freeze_limit
}

impl Name {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("'{text}' is no table's name; write table, schema.table or \"My schema\".\"My table\"")
        };
        let mut parts = vec![String::new()];
        let (mut quoted, mut chars) = (false, text.trim().chars().peekable());
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    parts.last_mut().ok_or_else(wrong)?.push('"');
                    chars.next();
                }
                '"' => quoted = !quoted,
                '.' if !quoted => parts.push(String::new()),
                c => parts.last_mut().ok_or_else(wrong)?.push(c),
            }
        }
        if quoted || parts.iter().any(String::is_empty) {
            return Err(wrong());
        }
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next(), parts.next()) {
            (Some(table), None, None) => Ok(Name { schema: None, table }),
            (Some(schema), Some(table), None) => Ok(Name { schema: Some(schema), table }),
            _ => Err(wrong()),
        }
    }

    /// By its very name; else as PostgreSQL reads a name without quotes.
    fn find<'a>(&self, all: &'a [Table]) -> Vec<&'a Table> {
        let by = |schema: Option<&str>, name: &str| -> Vec<&'a Table> {
            all.iter().filter(|t| t.name == name && schema.is_none_or(|s| t.schema == s)).collect()
        };
        let exact = by(self.schema.as_deref(), &self.table);
        if exact.is_empty() {
            by(self.schema.as_ref().map(|s| s.to_lowercase()).as_deref(), &self.table.to_lowercase())
        } else {
            exact
        }
    }

    /// The nearest names, for a hint.
    fn like(&self, all: &[Table]) -> Vec<String> {
        let name = self.table.to_lowercase();
        let near = |table: &&Table| {
            let other = table.name.to_lowercase();
            other.contains(&name) || name.contains(&other)
        };
        all.iter().filter(near).take(3).map(Table::label).collect()
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.table),
            None => f.write_str(&self.table),
        }
    }
}

/// The tables of a report's records, one JSON line each; other lines are passed over.
fn records(path: &Path) -> Result<Vec<Name>, Error> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|e| CoreError::file(path, &e))?;
    let mut names = Vec::new();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let value: Value = serde_json::from_str(line)
            .map_err(|e| usage(format!("line {} of {} is no JSON: {e}", n + 1, path.display())))?;
        // Lines of other types, and the bare data of a record.
        let data = if value["type"].is_string() {
            if value["type"] != "record" {
                continue;
            }
            &value["data"]
        } else {
            &value
        };
        if let (Some(schema), Some(table)) = (data["schema"].as_str(), data["table"].as_str()) {
            names.push(Name { schema: Some(schema.into()), table: table.into() });
        }
    }
    Ok(names)
}

fn usage(problem: String) -> Error {
    CoreError::Usage { problem, hint: "tg-vacuum report names the tables".into() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(oid: u32, schema: &str, name: &str) -> Table {
        Table { oid, schema: schema.into(), name: name.into(), analyzed: Some(1.0), ..Table::default() }
    }

    fn chosen(tables: &[&str], schemas: &[&str]) -> Result<Vec<u32>, Error> {
        let all = vec![table(1, "public", "t"), table(2, "Public", "T"), table(3, "a b", "x.\"y")];
        let owned = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let choice = Choice::new(&owned(tables), &owned(schemas), None, false)?;
        Ok(choice.of(all, 1)?.iter().map(|table| table.oid).collect())
    }

    #[test]
    fn a_name_is_taken_as_it_stands_and_then_as_sql_would() {
        assert_eq!(chosen(&["t"], &[]).unwrap(), [1]);
        assert_eq!(chosen(&["T"], &[]).unwrap(), [2]);
        assert_eq!(chosen(&["PUBLIC.t"], &[]).unwrap(), [1]);
        assert_eq!(chosen(&["\"a b\".\"x.\"\"y\""], &[]).unwrap(), [3]);
        assert_eq!(chosen(&["t"], &["a b"]).unwrap(), [1, 3]);
        assert_eq!(chosen(&[], &[]).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn what_is_not_there_is_an_error_and_never_all_tables() {
        for bad in ["nobody", "a.b.c", "\"t", ".t", ""] {
            assert!(chosen(&[bad], &[]).is_err(), "{bad}");
        }
        assert!(chosen(&[], &["nobody"]).is_err());
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("records");
        std::fs::write(&file, "{\"type\":\"start\",\"data\":{}}\n\n").unwrap();
        let choice = Choice::new(&[], &[], Some(&file), false).unwrap();
        assert!(choice.of(vec![table(1, "public", "t")], 1).unwrap().is_empty());
        std::fs::write(&file, "{\"type\":\"record\",\"data\":{\"schema\":\"public\",\"table\":\"t\"}}")
            .unwrap();
        let choice = Choice::new(&[], &[], Some(&file), false).unwrap();
        assert_eq!(choice.of(vec![table(1, "public", "t"), table(2, "public", "u")], 1).unwrap().len(), 1);
    }

    #[test]
    fn a_table_needs_it_for_its_dead_rows_its_changes_its_age_or_for_want_of_statistics() {
        let well = Table { live: 10_000, ..table(1, "s", "t") };
        assert!(!needs(&well, 100));
        assert!(needs(&Table { dead: 1001, live: 1_000_000, ..well.clone() }, 100));
        assert!(needs(&Table { dead: 200, live: 500, ..well.clone() }, 100));
        assert!(needs(&Table { changed: 2000, ..well.clone() }, 100));
        assert!(needs(&Table { freeze_age: 101, ..well.clone() }, 100));
        assert!(needs(&Table { analyzed: None, ..well }, 100));
    }
}
