//! What a rehearsal found, as a file: pinned to the backup, the images and the schema that it was made of, and
//! sealed with its own hash.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tg_core::backup::manifest::{sealed, unsealed};
use tg_core::{Error as CoreError, Truth, atomic_file};

use crate::error::MigrateError;
use crate::mark::Written;
use crate::rehearse::migration::Effect;
use crate::rehearse::statements::Witness;
use crate::rehearse::trace::{self, Trace};

pub(super) const VERSION: u8 = 1;

/// What it says of the old release on the new schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Conclusion {
    /// Its images ran on the new schema, did what was asked of them, and enough of its statements are good.
    Proven,
    /// Nothing speaks against it, and not enough was tried.
    NoCounterexample,
    /// Something fails, and is named.
    Broken,
    /// It could not be tried.
    #[default]
    Unknown,
}

/// What a migration will take, as far as an idle server tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Predicted {
    /// A lower bound: nobody else was there.
    pub duration_ms: u64,
    pub wal_bytes: i64,
    /// Bytes of relations that are written anew, which are there twice meanwhile.
    pub rewritten_bytes: u64,
    /// The strongest lock on each relation that was there before.
    pub locks: BTreeMap<String, String>,
    /// Rows inserted, updated and deleted.
    pub rows: i64,
}

/// The statements of the old release that were tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Coverage {
    pub statements: usize,
    /// Those that the live database was asked. What a rehearsal asks itself is not all that is done.
    #[serde(default)]
    pub live: usize,
    /// The part of all calls whose statements are good on the old schema, 0 to 1.
    pub calls: f64,
    pub smoke_commands: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub v: u8,
    pub run: String,
    /// RFC 3339.
    pub created: String,
    pub tool_version: String,
    pub database: String,
    pub backup: String,
    /// The releases, as tags.
    pub from: String,
    pub to: String,
    /// Image identifiers by service.
    pub images_from: BTreeMap<String, String>,
    pub images_to: BTreeMap<String, String>,
    pub schema_before: String,
    /// Nothing where the migration failed.
    pub schema_after: Option<String>,
    pub conclusion: Conclusion,
    /// Why, in words; what speaks against it first.
    pub reasons: Vec<String>,
    pub witnesses: Vec<Witness>,
    pub coverage: Coverage,
    /// Whether all of it reached the rehearsal's server and no other.
    #[serde(default)]
    pub isolated: Truth,
    /// How that was shown.
    #[serde(default)]
    pub isolation: Vec<String>,
    /// A second run changes nothing.
    pub idempotent: Truth,
    /// A run after one that was killed ends as one that was not.
    pub convergent: Truth,
    pub predicted: Predicted,
    pub trace: Trace,
    pub duration_ms: u64,
}

impl Verdict {
    /// Draws the conclusion from what speaks against the old release on the new schema, and from what it came to on its own:
    /// one that is not well there shows nothing by failing elsewhere. `unseen` is what was not looked at after all.
    pub(super) fn conclude(&mut self, mut charges: Vec<String>, baseline: &[String], unseen: Vec<String>) {
        let missing = self.coverage.missing();
        self.conclusion = match (charges.is_empty(), baseline.is_empty(), &missing) {
            (false, ..) => Conclusion::Broken,
            (true, ..) if !unseen.is_empty() => Conclusion::Unknown,
            (true, false, _) => Conclusion::Unknown,
            (true, true, None) => Conclusion::Proven,
            (true, true, Some(_)) => Conclusion::NoCounterexample,
        };
        if !baseline.is_empty() {
            charges.push(format!(
                "the old release is not well in the rehearsal, even on its own schema: {}",
                baseline.join("; ")
            ));
        }
        charges.extend(unseen);
        charges.append(&mut self.reasons);
        charges.extend(missing.filter(|_| self.conclusion == Conclusion::NoCounterexample));
        self.reasons = charges;
    }

    /// What can't be told after all, whatever was concluded.
    pub(super) fn doubt(&mut self, why: String) {
        self.isolated = Truth::unknown(&why);
        self.conclusion = Conclusion::Unknown;
        self.reasons.insert(0, why);
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), MigrateError> {
        if let Some(parent) = path.parent() {
            atomic_file::make_dir(parent)?;
        }
        let (_, text) = sealed(serde_json::to_value(self).unwrap_or_default());
        Ok(atomic_file::write(path, text.as_bytes())?)
    }

    pub(crate) fn read(path: &Path) -> Result<Self, MigrateError> {
        let text = std::fs::read_to_string(path).map_err(|e| CoreError::file(path, &e))?;
        Self::parse(&text).map_err(|problem| {
            let hint = "make another one: tg-migrate rehearse".into();
            CoreError::Form { path: path.to_owned(), problem, hint }.into()
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (document, _) = unsealed(text)?;
        if document["v"] != VERSION {
            return Err(format!("form {} is not known to this version of tg", document["v"]));
        }
        serde_json::from_value(document).map_err(|e| e.to_string())
    }

    /// What has moved since: the schema, an image. Nothing where all is as it was.
    pub(crate) fn moved(&self, database: &str, schema: &str, service: &str, image: &str) -> Option<String> {
        if self.database != database {
            return Some(format!("it is of database {}", self.database));
        }
        if self.schema_before != schema {
            return Some("the schema is another one now".into());
        }
        match self.images_to.get(service) {
            Some(rehearsed) if rehearsed == image => None,
            _ => Some(format!("the image of {service} is another one now")),
        }
    }

    /// Why it says nothing of what is here; nothing where it does. The migration may have run since.
    /// `from` are the images that are to go on, `to` those of the new release by service, as far as they are here.
    pub(crate) fn elsewhere(
        &self,
        database: &str,
        schema: &str,
        from: &[String],
        to: &[(String, String)],
    ) -> Option<String> {
        if self.database != database {
            return Some(format!("it is of database {}", self.database));
        }
        if self.schema_before != schema && self.schema_after.as_deref() != Some(schema) {
            return Some("the schema is another one now".into());
        }
        if let Some((service, _)) = to.iter().find(|(service, id)| self.images_to.get(service) != Some(id)) {
            return Some(format!("the image of {service} is another one now"));
        }
        let known = |id: &String| self.images_from.values().any(|other| other == id);
        (!from.iter().all(known)).then(|| format!("it is of other images of {}", self.from))
    }
}

impl Coverage {
    /// The part of the old release's calls that must be known for a proof.
    const ENOUGH: f64 = 0.9;

    pub(super) fn has_enough_calls(&self) -> bool {
        self.statements > 0 && self.calls >= Self::ENOUGH
    }

    /// What a proof lacks.
    fn missing(&self) -> Option<String> {
        let mut missing = Vec::new();
        if self.live == 0 {
            missing.push("no statement of the release that runs is known (pg_stat_statements)".to_owned());
        } else if !self.has_enough_calls() {
            missing.push(format!("only {:.0} % of its calls are known", self.calls * 100.0));
        }
        if self.smoke_commands == 0 {
            missing.push("nothing was asked of the application (x-tg: smoke)".into());
        }
        (!missing.is_empty()).then(|| format!("not proven: {}", missing.join("; ")))
    }
}

impl Predicted {
    pub(super) fn of(effect: &Effect) -> Self {
        let mut locks = BTreeMap::new();
        for (relation, mode) in effect.trace.steps.iter().flat_map(|step| &step.locks) {
            let known: &mut String = locks.entry(relation.clone()).or_default();
            if trace::strength(mode) > trace::strength(known) {
                known.clone_from(mode);
            }
        }
        Predicted {
            duration_ms: u64::try_from(effect.run.duration.as_millis()).unwrap_or(u64::MAX),
            wal_bytes: effect.after.wal_bytes - effect.before.wal_bytes,
            rewritten_bytes: effect.trace.rewritten_bytes(),
            locks,
            rows: effect.rows.iter().map(Written::total).sum(),
        }
    }

    /// Bytes that are needed beside what is there: what is written anew is there twice, and its WAL.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.rewritten_bytes.saturating_mul(2).saturating_add(self.wal_bytes.max(0).unsigned_abs())
    }
}

impl std::fmt::Display for Conclusion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_tried_enough_on_its_own_schema_and_on_the_new_one_is_proven() {
        let enough = Coverage { statements: 5, live: 3, calls: 0.95, smoke_commands: 1 };
        let conclusion = |coverage: Coverage, charges: &[&str], baseline: &[&str]| {
            let of = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
            let mut verdict = Verdict { coverage, ..Verdict::default() };
            verdict.conclude(of(charges), &of(baseline), Vec::new());
            assert_eq!(verdict.reasons.is_empty(), verdict.conclusion == Conclusion::Proven);
            verdict.conclusion
        };
        assert_eq!(conclusion(enough.clone(), &[], &[]), Conclusion::Proven);
        assert_eq!(
            conclusion(Coverage { calls: 0.5, ..enough.clone() }, &[], &[]),
            Conclusion::NoCounterexample
        );
        assert_eq!(
            conclusion(Coverage { live: 0, ..enough.clone() }, &[], &[]),
            Conclusion::NoCounterexample
        );
        assert_eq!(
            conclusion(Coverage { smoke_commands: 0, ..enough.clone() }, &[], &[]),
            Conclusion::NoCounterexample
        );
        assert_eq!(conclusion(enough.clone(), &[], &["it needs a bucket"]), Conclusion::Unknown);
        assert_eq!(
            conclusion(enough.clone(), &["a column is gone"], &["it needs a bucket"]),
            Conclusion::Broken
        );
        assert_eq!(conclusion(enough, &["a column is gone"], &[]), Conclusion::Broken);
    }

    #[test]
    fn what_was_not_looked_at_is_never_a_proof() {
        let coverage = Coverage { statements: 5, live: 3, calls: 0.95, smoke_commands: 1 };
        let mut verdict = Verdict { coverage, ..Verdict::default() };
        let conclude = |verdict: &mut Verdict, charges: &[&str], unseen: &[&str]| {
            let of = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
            verdict.conclude(of(charges), &[], of(unseen));
            verdict.conclusion
        };
        assert_eq!(conclude(&mut verdict, &[], &["no session was seen"]), Conclusion::Unknown);
        assert_eq!(verdict.reasons, ["no session was seen"]);
        assert_eq!(
            conclude(&mut verdict, &["a column is gone"], &["no session was seen"]),
            Conclusion::Broken
        );
        let mut proven =
            Verdict { isolated: Truth::Yes, conclusion: Conclusion::Proven, ..Verdict::default() };
        proven.doubt("the live schema has changed".into());
        assert!(proven.conclusion == Conclusion::Unknown && !proven.isolated.is_yes());
    }

    #[test]
    fn a_verdict_is_read_as_it_was_written_and_not_when_it_was_edited() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rehearsals/r.json");
        let verdict = Verdict {
            v: VERSION,
            database: "d".into(),
            conclusion: Conclusion::Broken,
            schema_before: "s".into(),
            images_to: BTreeMap::from([("m".into(), "i".into())]),
            isolated: Truth::Yes,
            idempotent: Truth::Yes,
            convergent: Truth::No,
            // One that a reader who rounds gives back as another number.
            coverage: Coverage { calls: 0.992_857_142_857_142_9, ..Coverage::default() },
            ..Verdict::default()
        };
        verdict.write(&path).unwrap();
        assert_eq!(Verdict::read(&path).unwrap(), verdict);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"broken\"", "\"proven\"")).unwrap();
        assert!(Verdict::read(&path).is_err());
        assert_eq!(verdict.moved("d", "s", "m", "i"), None);
        assert!(verdict.moved("e", "s", "m", "i").is_some());
        assert!(verdict.moved("d", "t", "m", "i").is_some());
        assert!(verdict.moved("d", "s", "m", "j").is_some());
        assert!(verdict.moved("d", "s", "other", "i").is_some());
    }

    #[test]
    fn a_verdict_holds_before_and_after_the_migration_for_the_images_that_it_is_of() {
        let of = |service: &str, id: &str| (service.to_owned(), id.to_owned());
        let verdict = Verdict {
            database: "d".into(),
            schema_before: "s".into(),
            schema_after: Some("t".into()),
            images_from: BTreeMap::from([of("api", "old")]),
            images_to: BTreeMap::from([of("api", "new")]),
            ..Verdict::default()
        };
        let elsewhere = |database, schema, from: &str, to| {
            verdict.elsewhere(database, schema, &[from.to_owned()], &[of("api", to)])
        };
        assert_eq!(elsewhere("d", "s", "old", "new"), None);
        assert_eq!(elsewhere("d", "t", "old", "new"), None);
        assert_eq!(verdict.elsewhere("d", "s", &[], &[]), None, "nothing runs, and nothing is here");
        for (database, schema, from, to) in [
            ("e", "s", "old", "new"),
            ("d", "u", "old", "new"),
            ("d", "s", "older", "new"),
            ("d", "s", "old", "newer"),
        ] {
            assert!(elsewhere(database, schema, from, to).is_some(), "{database} {schema} {from} {to}");
        }
    }
}
