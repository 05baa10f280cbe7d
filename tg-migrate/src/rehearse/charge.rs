//! What the catalog and the old release's own statements have against a new schema.

use serde_json::json;

use crate::compat::{self, Change, Class, Use};
use crate::diff;
use crate::error::MigrateError;
use crate::rehearse::arena::PRISTINE;
use crate::rehearse::migration::Effect;
use crate::rehearse::rehearsal::Rehearsal;
use crate::rehearse::statements::{self, Evidence, Statements, Witness};
use crate::rehearse::verdict::{Coverage, Verdict};

impl Rehearsal<'_> {
    /// What speaks against the new schema; what is merely to be known goes to the reasons.
    pub(super) fn charges(
        &self,
        effect: &Effect,
        statements: &Statements,
        verdict: &mut Verdict,
    ) -> Result<Vec<String>, MigrateError> {
        // The working database has the new schema; the old one is looked at under its kept name.
        let mut old = self.arena.admin_of(PRISTINE)?;
        let evidence =
            statements::compare(&mut old, &mut self.arena.connect()?, self.arena.role(), statements)?;
        verdict.coverage = Coverage {
            statements: evidence.statements,
            live: self.statements.len(),
            calls: evidence.coverage(),
            smoke_commands: 0,
        };
        let changes = compat::changes(&effect.before.catalog, &effect.after.catalog);
        diff::tell(self.ctx.session, &changes)?;
        let mut against = Vec::new();
        for witness in &evidence.refused {
            against.push(self.testify("the new schema refuses a statement of the old release", witness)?);
        }
        for witness in &evidence.reshaped {
            verdict.reasons.push(self.testify("a statement of the old release gets another form", witness)?);
        }
        let enough = verdict.coverage.has_enough_calls();
        let breaking = changes.iter().filter(|change| change.verdict.class == Class::Breaking);
        against.extend(breaking.filter_map(|change| charge(change, &evidence, enough)));
        verdict.witnesses = evidence.refused.into_iter().chain(evidence.reshaped).collect();
        Ok(against)
    }

    fn testify(&self, what: &str, witness: &Witness) -> Result<String, MigrateError> {
        let Witness { statement, calls, problem } = witness;
        let msg = format!("{what}: {problem}: {statement}");
        let data = json!({"kind": "witness", "statement": statement, "calls": calls, "problem": problem});
        self.ctx.session.emit.record(&msg, data)?;
        Ok(msg)
    }
}

/// What a breaking difference comes to, given what the old release does.
fn charge(change: &Change, evidence: &Evidence, enough: bool) -> Option<String> {
    let said = |more: &str| Some(format!("{}: {}{more}", change.describe(), change.verdict.reason));
    let user = match &change.verdict.harms {
        // PostgreSQL would have refused the statement.
        Use::Name => None,
        Use::Insert(relation) => evidence.user(|form| form.inserts.contains(relation)),
        Use::Write(relation) => evidence.user(|form| form.writes.contains(relation)),
        Use::Read(relation) => evidence.user(|form| form.reads.contains(relation)),
        Use::Unknown => return said(""),
    };
    match (user, enough) {
        (Some(statement), _) => said(&format!("; the old release does: {statement}")),
        // Enough of what it does is known, and none of it is harmed.
        (None, true) => None,
        (None, false) => said("; too little is known of what the old release does"),
    }
}
