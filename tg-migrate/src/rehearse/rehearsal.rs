//! The order of a rehearsal: what is tried, and what each part of it says.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::json;
use tg_core::Truth;

use crate::catalog::Catalog;
use crate::context::Context;
use crate::error::MigrateError;
use crate::rehearse::arena::{Arena, MIGRATED, PRISTINE};
use crate::rehearse::isolation::{Isolation, Lookout, Proof};
use crate::rehearse::limits::Limits;
use crate::rehearse::migration::{self, Effect, Migration};
use crate::rehearse::play::{Act, Play};
use crate::rehearse::stage::Stage;
use crate::rehearse::statements::{self, Statements};
use crate::rehearse::verdict::{self, Conclusion, Predicted, Verdict};

/// Two releases, and a copy of their database.
pub(super) struct Rehearsal<'a> {
    pub ctx: &'a Context<'a>,
    pub arena: &'a Arena<'a>,
    pub old: Stage<'a>,
    pub new: Stage<'a>,
    /// Commands for an API container.
    pub smoke: Vec<String>,
    /// How often the migrator is killed.
    pub kills: Option<usize>,
    /// What the live database was asked.
    pub statements: Statements,
    pub lookout: &'a Lookout<'a>,
    pub limits: Cell<Limits>,
}

impl Rehearsal<'_> {
    pub(super) fn verdict(&self) -> Result<Verdict, MigrateError> {
        let mut verdict = Verdict {
            v: verdict::VERSION,
            images_from: self.images(&self.old)?,
            images_to: self.images(&self.new)?,
            schema_before: self.pristine()?.hash(),
            ..Verdict::default()
        };
        let isolation = self.prove_isolation()?;
        (verdict.isolated, verdict.isolation) = (isolation.isolated, isolation.how);
        // What does not run here on its own schema says nothing about another one.
        let baseline = self.play(&self.old, "the old release on the old schema")?;
        self.limits.set(self.limits.get().after(baseline.ready_in, baseline.smoke_in));
        let statements = self.all_statements()?;
        self.arena.reset(PRISTINE)?;
        let effect = self.migration().observe()?;
        self.tell(&effect)?;
        verdict.trace.clone_from(&effect.trace);
        verdict.predicted = Predicted::of(&effect);
        // One that fails without asking the database fails by itself, where the old release reaches it.
        let mut unseen: Vec<String> = match effect.run.was_seen() {
            Truth::Unknown(why) if effect.run.is_well() || baseline.sessions == 0 => vec![why],
            _ => Vec::new(),
        };
        if !effect.run.is_well() {
            return self.failed(verdict, &effect, unseen);
        }
        self.arena.keep(MIGRATED)?;
        verdict.schema_after = Some(effect.after.catalog.hash());
        verdict.idempotent = self.is_idempotent(&effect, &mut verdict.reasons)?;
        verdict.convergent = self.is_convergent(&effect, &mut verdict.reasons)?;
        let mut charges = self.charges(&effect, &statements, &mut verdict)?;
        charges.extend(self.acts(&effect, &mut verdict, (baseline.is_well(), &mut unseen))?);
        verdict.conclude(charges, &baseline.problems, unseen);
        Ok(verdict)
    }

    /// Both releases on the new schema, and the new one on the old; what speaks against it.
    fn acts(
        &self,
        effect: &Effect,
        verdict: &mut Verdict,
        (comparable, unseen): (bool, &mut Vec<String>),
    ) -> Result<Vec<String>, MigrateError> {
        let (mut charges, mut new_is_well) = (Vec::new(), true);
        for (stage, name) in [(&self.new, "new"), (&self.old, "old")] {
            self.arena.reset(MIGRATED)?;
            let act = self.play(stage, &format!("the {name} release on the new schema"))?;
            charges.extend(
                act.problems.iter().map(|p| format!("the {name} release is not well on the new schema: {p}")),
            );
            if act.is_well() && act.sessions == 0 {
                unseen.push(format!("the {name} release has begun no session on the rehearsal's server"));
            }
            new_is_well &= name == "old" || act.problems.is_empty();
            verdict.coverage.smoke_commands = act.smoke;
            if migration::catalog(self.arena)?.hash() != effect.after.catalog.hash() {
                charges.push(format!("the {name} release changes the new schema when it starts"));
            }
        }
        if !comparable {
            verdict.reasons.append(&mut charges);
        }
        // One that is not well where it belongs says nothing elsewhere, and takes its time for that.
        if !new_is_well {
            return Ok(charges);
        }
        self.arena.reset(PRISTINE)?;
        self.play(&self.new, "the new release on the old schema")?;
        if migration::catalog(self.arena)?.hash() != verdict.schema_before {
            verdict.reasons.push(
                "the new release changes the schema by merely starting: each of its instances migrates"
                    .into(),
            );
        }
        Ok(charges)
    }

    /// What the live database was asked, and what the old release has asked here.
    fn all_statements(&self) -> Result<Statements, MigrateError> {
        let mut all = self.statements.clone();
        if self.arena.counts {
            let name = self.arena.target().name;
            for (sql, calls) in statements::collect(&mut self.arena.admin()?, self.arena.role(), &name)? {
                *all.entry(sql).or_default() += calls;
            }
        }
        Ok(all)
    }

    pub(super) fn migration(&self) -> Migration<'_> {
        Migration { ctx: self.ctx, arena: self.arena, stage: &self.new, lookout: self.lookout }
    }

    /// Once for both releases, whose containers have the same mounts, settings and network.
    fn prove_isolation(&self) -> Result<Isolation, MigrateError> {
        self.arena.reset(PRISTINE)?;
        Proof { ctx: self.ctx, arena: self.arena, stage: &self.new, lookout: self.lookout }.prove()
    }

    fn pristine(&self) -> Result<Catalog, MigrateError> {
        self.arena.reset(PRISTINE)?;
        migration::catalog(self.arena)
    }

    fn images(&self, stage: &Stage) -> Result<BTreeMap<String, String>, MigrateError> {
        let id = |(service, reference): (&String, &String)| {
            let image = self.ctx.engine.image(reference)?;
            let image = image.ok_or_else(|| MigrateError::ImageMissing(reference.clone()))?;
            Ok((service.clone(), image.id))
        };
        stage.images.iter().map(id).collect()
    }

    fn play(&self, stage: &Stage, what: &str) -> Result<Act, MigrateError> {
        let play =
            Play { ctx: self.ctx, arena: self.arena, stage, smoke: &self.smoke, limits: self.limits.get() };
        let act = play.run()?;
        play.tell(what, &act)?;
        Ok(act)
    }

    /// A migration that does not get through proves enough.
    fn failed(
        &self,
        mut verdict: Verdict,
        effect: &Effect,
        unseen: Vec<String>,
    ) -> Result<Verdict, MigrateError> {
        let dirty = !effect.after.catalog.is_as(&effect.before.catalog) || !effect.rows.is_empty();
        let how = if dirty { "failed and left changes" } else { "failed and left nothing" };
        verdict.reasons.push(format!("the migration {how}: {}", effect.run.describe()));
        self.arena.reset(PRISTINE)?;
        let new = self.play(&self.new, "the new release on the old schema")?;
        verdict.reasons.extend(new.problems);
        verdict.conclusion = if unseen.is_empty() { Conclusion::Broken } else { Conclusion::Unknown };
        verdict.reasons.extend(unseen);
        Ok(verdict)
    }

    fn tell(&self, effect: &Effect) -> Result<(), MigrateError> {
        let emit = &self.ctx.session.emit;
        for step in &effect.trace.steps {
            let locks: Vec<String> =
                step.locks.iter().map(|(relation, mode)| format!("{mode} on {relation}")).collect();
            let locks = if locks.is_empty() { String::new() } else { format!(" ({})", locks.join(", ")) };
            let mut data = serde_json::to_value(step).unwrap_or_default();
            data["kind"] = json!("ddl");
            emit.record(&format!("{}{locks}", step.tag), data)?;
        }
        for written in &effect.rows {
            let mut data = written.data();
            data["kind"] = json!("rows");
            emit.record(&format!("{} rows written in {}", written.total(), written.place()), data)?;
        }
        Ok(())
    }
}
