//! Replaces the running release without losing a request: new instances beside the old ones, ready
//! by their own word and the balancer's, let in; the old ones out of rotation, empty, stopped; then
//! the workers. Each step looks at what is there first, so that it can be repeated, and the same
//! steps with the sides exchanged are the way back.

mod asker;
mod begin;
mod boot;
mod canary;
mod commit;
mod compose_up;
mod conclusion;
mod drain;
mod evidence;
mod fleet;
mod in_hand;
mod intent;
mod keeper;
mod options;
mod pin;
mod prepare;
mod retire;
mod rotation;
pub(crate) mod situation;
mod warm_up;
mod way_back;
mod workers;

use std::cell::RefCell;
use std::time::Instant;

use serde_json::{Value, json};
use tg_core::deadline::Deadline;
use tg_core::session::Session;
use tg_core::state::State;

use crate::error::SwapError;
use crate::held;
use crate::patience::Patience;
use crate::plan::Plan;
use tg_core::balancer::Balancer;

pub(crate) use self::begin::{pull_missing, run};
pub(crate) use self::boot::{Readiness, needs_compose_to_start};
pub(crate) use self::commit::commit;
pub(crate) use self::compose_up::ComposeUp;
pub(crate) use self::in_hand::{abort, resume};
pub(crate) use self::intent::{Intent, Phase, Release, Side};
pub(crate) use self::options::{Options, Pace, Strategy};
pub(crate) use self::way_back::roll_back;
pub(crate) use self::workers::SETTLED;

/// A swap in hand, and all that it works with.
pub(crate) struct Swap<'a> {
    session: &'a Session,
    plan: &'a Plan,
    state: State,
    balancer: &'a dyn Balancer,
    readiness: Readiness,
    intent: Intent,
    /// When outside programs are ended; the way back has no limit.
    deadline: Deadline,
    /// Milliseconds by step.
    spent: RefCell<Vec<(String, u64)>>,
    /// What may pass is waited for.
    patience: Patience<'a>,
}

impl<'a> Swap<'a> {
    pub(crate) fn new(
        session: &'a Session,
        plan: &'a Plan,
        balancer: &'a dyn Balancer,
        intent: Intent,
    ) -> Result<Self, SwapError> {
        Ok(Swap {
            session,
            plan,
            state: plan.project.state()?,
            balancer,
            readiness: Readiness::new(session, &plan.project, &intent)?,
            deadline: if intent.phase == Phase::Back { Deadline::after(None) } else { session.deadline },
            patience: Patience::new(&session.emit, intent.options.pace.ready_timeout()),
            intent,
            spent: RefCell::default(),
        })
    }

    /// Goes on from where the swap is, to its end; what fails is undone.
    pub(crate) fn go(&mut self) -> Result<(), SwapError> {
        if self.intent.phase == Phase::Back {
            return self.back();
        }
        let Err(cause) = self.forward() else { return Ok(()) };
        // The old release is going: there is nothing to go back to that would be quicker than on.
        if self.intent.phase >= Phase::Kept {
            return Err(SwapError::Leftover { cause: Box::new(cause) });
        }
        // After the cut-over the new release serves: whoever interrupts decides which way to go on.
        if cause.interrupted() && self.intent.phase > Phase::Forward {
            return Err(SwapError::Paused { cause: Box::new(cause), run: self.intent.run.clone() });
        }
        let cause = Box::new(cause);
        match self.back() {
            Ok(()) => Err(SwapError::Undone { cause }),
            Err(undo) => {
                Err(SwapError::HalfWay { cause, undo: Box::new(undo), run: self.intent.run.clone() })
            }
        }
    }

    fn forward(&mut self) -> Result<(), SwapError> {
        if self.intent.phase == Phase::Forward {
            self.adopt()?;
            self.try_canary()?;
        }
        if self.intent.phase <= Phase::CutOver {
            self.turn()?;
            if self.intent.options.keep.is_zero() {
                self.retire(&self.plan.project.api)?;
            }
            self.turn_workers()?;
            self.keep()?;
        }
        if self.intent.phase == Phase::Retire {
            self.retire_all()?;
        }
        Ok(())
    }

    /// The way back from any point, to its end.
    pub(crate) fn back(&mut self) -> Result<(), SwapError> {
        self.deadline = Deadline::after(None);
        self.enter(Phase::Back)?;
        self.adopt()?;
        self.turn()?;
        self.turn_workers()?;
        self.retire_all()
    }

    /// The API's set becomes the goal's.
    fn turn(&mut self) -> Result<(), SwapError> {
        for service in &self.plan.project.api {
            let replicas = self.goal().replicas(service);
            if self.intent.options.pace.strategy == Strategy::OneByOne {
                self.one_by_one(service, replicas)?;
            }
            if self.intent.phase == Phase::Back && self.never_left(service, replicas)? {
                continue;
            }
            self.boot(service, replicas)?;
            self.admit(service)?;
        }
        self.cut_over()?;
        self.drain(usize::MAX)
    }

    /// One new instance in, one old one out, until none is left.
    fn one_by_one(&mut self, service: &str, replicas: usize) -> Result<(), SwapError> {
        loop {
            let fleet = self.fleet(service)?;
            if fleet.others.iter().filter(|c| c.running()).count() == 0 {
                return Ok(());
            }
            self.boot(service, replicas.min(fleet.goal.len() + 1))?;
            self.admit(service)?;
            self.cut_over()?;
            self.drain(1)?;
            self.retire_drained(service)?;
        }
    }

    /// The side that shall serve in the end.
    fn goal(&self) -> &Release {
        if self.intent.phase == Phase::Back { &self.intent.from } else { &self.intent.to }
    }

    fn other(&self) -> &Release {
        if self.intent.phase == Phase::Back { &self.intent.to } else { &self.intent.from }
    }

    /// Remembers how far the swap is before anything of the phase is done.
    fn enter(&mut self, phase: Phase) -> Result<(), SwapError> {
        if self.intent.phase != phase {
            self.intent.phase = phase;
            if phase != Phase::Kept {
                self.intent.resting.clear();
            }
            self.intent.write(&self.state)?;
        }
        Ok(())
    }

    /// A change with its intent before it and its outcome after it; on the way back its name says so.
    fn step<T>(
        &self,
        name: &str,
        msg: &str,
        intent: Value,
        work: impl FnOnce() -> Result<(T, Value), SwapError>,
    ) -> Result<T, SwapError> {
        self.check(name)?;
        let name = if self.intent.phase == Phase::Back { format!("undo-{name}") } else { name.to_owned() };
        let begun = Instant::now();
        let done = self.session.emit.change(&name, msg, intent, work);
        let spent = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.spent.borrow_mut().push((name, spent));
        done
    }

    /// Asks again for as long as a failure may pass.
    fn patiently<T>(&self, ask: impl FnMut() -> Result<T, SwapError>) -> Result<T, SwapError> {
        let Plan { project, engine, .. } = self.plan;
        let may_pass = |error: &SwapError| held::may_pass(engine, &project.name, error);
        self.patience.outlast(&|doing| self.check(doing), &may_pass, ask)
    }

    /// Between steps and while waiting: the way back is walked to its end whoever interrupts.
    fn check(&self, doing: &str) -> Result<(), SwapError> {
        if self.intent.phase == Phase::Back { Ok(()) } else { Ok(self.session.check(doing)?) }
    }

    /// Milliseconds by step, for the result.
    fn phases(&self) -> Value {
        let mut phases = serde_json::Map::new();
        for (name, ms) in self.spent.borrow().iter() {
            let before = phases.get(name).and_then(Value::as_u64).unwrap_or(0);
            phases.insert(name.clone(), json!(before + ms));
        }
        Value::Object(phases)
    }
}
