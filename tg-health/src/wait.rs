//! Each target is asked at its own pace until all are ready, or any, or there is no use in asking on.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tg_core::health::{Prober, Verdict};
use tg_core::{Answer as Outcome, Session};

use crate::ask::{self, Answer};
use crate::config::Config;
use crate::error::Error;
use crate::report::Report;
use crate::seat::{Seat, Streaks};
use crate::source::Source;
use crate::standing::Standing;
use crate::target::{Ask, Target};

/// How often we look whether the user wants an end.
const TICK: Duration = Duration::from_millis(20);
/// What a probe may take beyond its limit to say that it gives up.
const GRACE: Duration = Duration::from_millis(20);
/// How often a source is asked at most: Docker's answer costs more than a container's.
const LOOK: Duration = Duration::from_millis(100);

/// Asks the first targets until it is decided; the answer is no as soon as one is not ready, unless we wait.
pub(crate) fn until_ready(
    session: &Session,
    config: &Config,
    source: &mut dyn Source,
    targets: Vec<Target>,
) -> Result<Outcome, Error> {
    let mut wait = Wait::new(session, config, targets);
    loop {
        session.interrupt.check()?;
        wait.ask();
        wait.hear()?;
        if let Some(outcome) = wait.standing().decided() {
            return outcome;
        }
        wait.look(source)?;
    }
}

struct Wait<'a> {
    session: &'a Session,
    config: &'a Config,
    prober: Arc<Prober>,
    streaks: Streaks,
    seats: Vec<Seat>,
    report: Report,
    begun: Instant,
    looked: Instant,
    /// So many seats there were.
    numbers: usize,
    answers: (Sender<Answer>, Receiver<Answer>),
}

impl<'a> Wait<'a> {
    fn new(session: &'a Session, config: &'a Config, targets: Vec<Target>) -> Self {
        let now = Instant::now();
        let numbers = targets.len();
        Wait {
            session,
            config,
            prober: Arc::new(config.prober(session.emit.redactor())),
            streaks: config.streaks,
            seats: targets
                .into_iter()
                .enumerate()
                .map(|(number, target)| Seat::new(number, target, now))
                .collect(),
            report: Report::default(),
            begun: now,
            looked: now,
            numbers,
            answers: mpsc::channel(),
        }
    }

    /// Asks whoever is due.
    fn ask(&mut self) {
        let now = Instant::now();
        let limit = self.limit();
        for seat in &mut self.seats {
            let settled =
                self.config.wait.is_none() && (seat.is_ready(self.streaks) || seat.is_unready(self.streaks));
            if seat.asked.is_none() && seat.due <= now && !settled {
                seat.asked = Some(now);
                seat.asks += 1;
                ask::begin(seat.number, &seat.target, &self.prober, limit, &self.answers.0);
            }
        }
    }

    /// What one answer may take.
    fn limit(&self) -> Duration {
        self.config
            .deadline
            .left()
            .map_or(self.config.probe_timeout, |left| left.min(self.config.probe_timeout))
    }

    /// Waits for an answer, no longer than until there is something else to do.
    fn hear(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let limit = self.limit();
        let next =
            self.seats.iter().map(|seat| seat.asked.map_or(seat.due, |asked| asked + limit + GRACE)).min();
        let mut pause = next.map_or(TICK, |next| next.saturating_duration_since(now)).min(TICK);
        if let Some(left) = self.config.deadline.left() {
            pause = pause.min(left);
        }
        match self.answers.1.recv_timeout(pause) {
            Ok(answer) => self.take(answer),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        while let Ok(answer) = self.answers.1.try_recv() {
            self.take(answer);
        }
        self.give_up_on_the_late();
        self.report.tell(
            &self.session.emit,
            self.seats.iter().filter_map(|s| Some((&s.target, s.verdict.as_ref()?))),
        )?;
        Ok(())
    }

    fn take(&mut self, (number, verdict): Answer) {
        let (now, waited, streaks) = (Instant::now(), self.begun.elapsed(), self.streaks);
        // One that is not there any more, or that is late, is not listened to.
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.number == number && seat.asked.is_some()) {
            seat.hear(verdict, now, waited, streaks);
        }
    }

    fn give_up_on_the_late(&mut self) {
        let (now, waited, streaks) = (Instant::now(), self.begun.elapsed(), self.streaks);
        let limit = self.config.probe_timeout;
        let over = self.config.deadline.passed();
        for seat in &mut self.seats {
            if seat.asked.is_some_and(|asked| over || now - asked >= limit + GRACE) {
                let asked = seat.asked.map_or(limit, |asked| (now - asked).min(limit));
                let late = Verdict::no(format!("no whole answer within {:.1} s", asked.as_secs_f64()));
                // Its answer would be taken for that of the next question.
                self.numbers += 1;
                seat.number = self.numbers;
                seat.hear(late, now, waited, streaks);
            }
        }
    }

    fn standing(&self) -> Standing<'_> {
        Standing { config: self.config, seats: &self.seats, begun: self.begun }
    }

    /// Whoever comes and goes is looked for.
    fn look(&mut self, source: &mut dyn Source) -> Result<(), Error> {
        let part = self.begun.elapsed() / 100;
        if self.config.wait.is_none() || !source.changes() || self.looked.elapsed() < LOOK.max(part) {
            return Ok(());
        }
        self.looked = Instant::now();
        let targets = match source.targets() {
            Err(Error::Crashed { crash, .. }) => {
                self.session.emit.record(&crash.sentence(), crash.data())?;
                return Err(Error::Crashed { crash, summary: self.standing().data(false) });
            }
            found => found?,
        };
        let mut old = std::mem::take(&mut self.seats);
        for target in targets {
            let known = old
                .iter()
                .position(|seat| seat.target.name == target.name && seat.target.place() == target.place());
            let mut seat = if let Some(i) = known {
                old.swap_remove(i)
            } else {
                self.numbers += 1;
                Seat::new(self.numbers, target.clone(), self.looked)
            };
            // What Docker says is new each time.
            if matches!(target.ask, Ask::Told(_)) {
                seat.due = seat.due.min(self.looked);
            }
            seat.target = target;
            self.seats.push(seat);
        }
        Ok(self.report.forget(
            &self.session.emit,
            &self.seats.iter().map(|seat| seat.target.name.as_str()).collect::<Vec<_>>(),
        )?)
    }
}
