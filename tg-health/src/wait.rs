//! Round after round until all are ready, or there is no use in asking on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tg_core::health::{Expect, Prober, Verdict};
use tg_core::{Answer, Session};

use crate::config::Config;
use crate::error::Error;
use crate::pace::Pace;
use crate::report::{self, Report};
use crate::round;
use crate::source::Source;
use crate::target::Target;

/// How often a pause looks whether the user wants an end.
const TICK: Duration = Duration::from_millis(20);

/// Asks the first targets, then those of each further round; the answer is no as soon as one is not
/// ready, unless we wait.
pub(crate) fn until_ready(
    session: &Session,
    config: &Config,
    source: &mut dyn Source,
    mut targets: Vec<Target>,
) -> Result<Answer, Error> {
    let prober = Arc::new(prober(session, config));
    let (mut tally, mut report, mut pace) = (Tally::default(), Report::default(), Pace::default());
    loop {
        let limit =
            config.deadline.left().map_or(config.probe_timeout, |left| left.min(config.probe_timeout));
        let verdicts = round::ask_all(&prober, &targets, limit, &session.interrupt)?;
        report.tell(&session.emit, &targets, &verdicts)?;
        tally.count(&verdicts);
        if tally.streak >= config.rise {
            return Ok(ready(&tally, &targets));
        }
        let failed = tally.streak == 0;
        if failed && config.wait.is_none() && !config.deadline.passed() {
            return not_ready(&tally, &targets, &verdicts);
        }
        // While it is well, the next look comes soon: only the number of good answers is missing.
        if !failed {
            pace.quicken();
        }
        pause(session, config, pace.pause())?;
        if config.deadline.passed() {
            let reasons = report::reasons(&targets, &verdicts);
            return Err(Error::NotInTime { reasons, summary: tally.data(false, targets.len()) });
        }
        targets = match source.targets() {
            Err(Error::Crashed { crash, .. }) => {
                session.emit.record(&crash.sentence(), crash.data())?;
                return Err(Error::Crashed { crash, summary: tally.data(false, targets.len()) });
            }
            found => found?,
        };
    }
}

fn prober(session: &Session, config: &Config) -> Prober {
    let expect = config.expect_version.clone().map_or(Expect::Any, Expect::Version);
    let user_agent = concat!("tg-health/", env!("CARGO_PKG_VERSION"));
    Prober::new(user_agent, config.token.as_ref(), expect, session.emit.redactor())
}

fn ready(tally: &Tally, targets: &[Target]) -> Answer {
    let n = targets.len();
    let what = if n == 1 { "it is".to_owned() } else { format!("all {n} targets are") };
    Answer::yes(
        format!("{what} ready after {:.1} s", tally.begun.elapsed().as_secs_f64()),
        tally.data(true, n),
    )
}

fn not_ready(tally: &Tally, targets: &[Target], verdicts: &[Verdict]) -> Result<Answer, Error> {
    let summary = tally.data(false, targets.len());
    let reasons = report::reasons(targets, verdicts);
    if verdicts.iter().any(|v| v.environment) {
        return Err(Error::CannotAsk { reasons, summary });
    }
    Ok(Answer::no(format!("not ready: {}", report::sentence(&reasons)), summary))
}

/// Sleeps, but neither past the deadline nor past a signal.
fn pause(session: &Session, config: &Config, length: Duration) -> Result<(), Error> {
    let end = Instant::now() + length;
    loop {
        session.interrupt.check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || config.deadline.passed() {
            return Ok(());
        }
        config.deadline.sleep(left.min(TICK));
    }
}

/// What the rounds have come to.
struct Tally {
    begun: Instant,
    rounds: u32,
    /// Rounds in a row in which all were ready.
    streak: u32,
    first_ready: Option<Duration>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { begun: Instant::now(), rounds: 0, streak: 0, first_ready: None }
    }
}

impl Tally {
    fn count(&mut self, verdicts: &[Verdict]) {
        self.rounds += 1;
        // No target at all is no good answer.
        if !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.ready) {
            self.streak += 1;
            self.first_ready.get_or_insert(self.begun.elapsed());
        } else {
            self.streak = 0;
        }
    }

    fn data(&self, ready: bool, targets: usize) -> Value {
        let mut data = json!({
            "ready": ready, "waited_ms": self.begun.elapsed().as_millis(),
            "attempts": self.rounds, "targets": targets,
        });
        if let Some(first) = self.first_ready {
            data["first_ready_ms"] = json!(first.as_millis());
        }
        data
    }
}
