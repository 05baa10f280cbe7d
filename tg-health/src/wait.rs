//! Each target is asked at its own pace until all are ready, or any, or there is no use in asking on.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tg_core::health::{Prober, Verdict};
use tg_core::passing::Passing;
use tg_core::{Answer as Outcome, Session};

use crate::ask::{self, Answer};
use crate::away;
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
    /// Why the targets of now can't be looked up.
    away: Option<String>,
    /// Whether that has been told.
    told: bool,
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
            away: None,
            told: false,
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

    /// The targets are asked on as they were; told once.
    fn wait_for_the_source(&mut self, error: &tg_core::Error) -> Result<(), Error> {
        self.away = Some(error.to_string());
        if !std::mem::replace(&mut self.told, true) {
            away::tell(self.session, error)?;
        }
        Ok(())
    }

    fn standing(&self) -> Standing<'_> {
        Standing { config: self.config, seats: &self.seats, begun: self.begun, away: self.away.as_deref() }
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
            // An engine that restarts comes back, and the wait has its own end.
            Err(Error::Core(error)) if Passing::of(&error).is_some() => {
                return self.wait_for_the_source(&error);
            }
            found => found?,
        };
        self.away = None;
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

#[cfg(test)]
mod tests {
    use tg_core::cli::Shared;
    use tg_core::deadline::Deadline;
    use tg_core::emitter::Emitter;
    use tg_core::interrupt::Interrupt;
    use tg_core::messages::{Messages, Verbosity};
    use tg_core::{Error as CoreError, Exit, Fault};

    use super::*;

    /// Says one thing after another, the last for ever.
    struct Script(Vec<Result<bool, ()>>, usize);

    impl Source for Script {
        fn targets(&mut self) -> Result<Vec<Target>, Error> {
            let said = self.0[self.1.min(self.0.len() - 1)];
            self.1 += 1;
            let ready = said.map_err(|()| CoreError::EngineUnreachable("no answer".into()))?;
            Ok(vec![Target::told("app-worker-1", Verdict { ready, ..Verdict::no("starting") })])
        }
    }

    fn waited(limit: Duration, said: &[Result<bool, ()>]) -> (Result<Outcome, Error>, usize) {
        let messages = Messages::new("tg-health", Verbosity::Quiet);
        let session = Session {
            tool: "tg-health",
            run: "r".into(),
            joined: false,
            emit: Emitter::new(messages, "r", true, Box::new(std::io::sink())),
            interrupt: Interrupt::default(),
            deadline: Deadline::after(None),
            shared: Shared::default(),
        };
        let mut source = Script(said.to_vec(), 0);
        let targets = vec![Target::told("app-worker-1", Verdict::no("starting"))];
        (until_ready(&session, &Config::waiting(limit), &mut source, targets), source.1)
    }

    #[test]
    fn an_engine_that_restarts_is_waited_for() {
        let (ended, looks) = waited(Duration::from_mins(1), &[Ok(false), Err(()), Err(()), Ok(true)]);
        assert_eq!(ended.unwrap().exit, Exit::Done);
        assert_eq!(looks, 4);
    }

    #[test]
    fn one_that_stays_away_is_named_when_the_time_is_over_and_is_no_yes() {
        let (ended, _) = waited(Duration::from_millis(500), &[Err(())]);
        let error = ended.unwrap_err();
        assert_eq!(error.exit(), Exit::Deadline);
        assert!(error.to_string().contains("can't reach the docker engine"), "{error}");
    }

    #[test]
    fn who_is_ready_is_no_yes_while_nobody_can_tell_who_else_there_is() {
        let (config, now) = (Config::waiting(Duration::from_mins(1)), Instant::now());
        let mut seats = vec![Seat::new(0, Target::url("http://h/"), now)];
        seats[0].hear(Verdict { ready: true, ..Verdict::default() }, now, Duration::ZERO, config.streaks);
        let standing = |away| Standing { config: &config, seats: &seats, begun: now, away };
        assert!(standing(None).decided().is_some_and(|ended| ended.is_ok()));
        assert!(standing(Some("no answer")).decided().is_none());
    }
}
