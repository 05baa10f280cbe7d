//! `tg-health watch`: is all as well as it was?

pub(crate) mod cli;
mod config;
mod finding;
mod judges;
mod recording;
mod sample;
mod sensors;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tg_core::{Answer, Session};

pub(crate) use self::cli::Watch;
use self::config::Config;
use self::judges::Judges;
use self::recording::Head;
pub(crate) use self::recording::Recording;
pub(crate) use self::sample::{Probes, Sample};
use self::sensors::Gathered;
use self::verdict::Verdict;
use crate::error::Error;

/// What one sample tells of.
const SECOND: Duration = Duration::from_secs(1);
/// How often we look whether the user wants an end.
const TICK: Duration = Duration::from_millis(50);

/// Looks on, or judges what was recorded, until it is decided.
pub(crate) fn run(session: &Session, args: &Watch) -> Result<Answer, Error> {
    let config = Config::check(session, args)?;
    session.emit.start(&config.opening(), config.facts())?;
    if config.baseline.is_none() && !config.records {
        let msg = "there is no baseline: what is worse than before can't be told";
        session.emit.warning("no-baseline", msg, serde_json::json!({}))?;
    }
    if let Some(why) = &config.no_balancer {
        let msg = format!("what the load balancer counts is not looked at: {why}");
        session.emit.warning("no-balancer", &msg, serde_json::json!({}))?;
    }
    let mut bench = Bench::new(session, &config);
    match &config.replay {
        Some(recording) => {
            for sample in &recording.samples {
                session.interrupt.check()?;
                if bench.hear(sample)? {
                    break;
                }
            }
        }
        None => bench.look_on()?,
    }
    bench.conclude()
}

/// Where the judges sit: what they hear, what they found.
struct Bench<'a> {
    session: &'a Session,
    config: &'a Config,
    judges: Judges,
    verdict: Verdict,
    recording: Recording,
    seconds: u64,
}

impl<'a> Bench<'a> {
    fn new(session: &'a Session, config: &'a Config) -> Self {
        Bench {
            session,
            config,
            judges: Judges::beside(config.baseline.as_ref(), &config.limits),
            verdict: Verdict::default(),
            recording: Recording {
                head: Head::new(tg_core::event::now(), config.limits.rate),
                samples: Vec::new(),
            },
            seconds: 0,
        }
    }

    /// Takes a sample each second until the time is over or something is found.
    fn look_on(&mut self) -> Result<(), Error> {
        let (session, config) = (self.session, self.config);
        let gathered = Arc::new(Gathered::default());
        let plan = config.plan();
        let looked = sensors::beside(session, &plan, &gathered, || {
            let begun = Instant::now();
            let mut next = begun + SECOND;
            while begun.elapsed() < config.length {
                while Instant::now() < next {
                    session.check("watching")?;
                    std::thread::sleep(TICK.min(next.saturating_duration_since(Instant::now())));
                }
                next += SECOND;
                if self.hear(&gathered.take(tg_core::clock::milliseconds(begun)))? {
                    return Ok(());
                }
                let total = config.length.as_secs();
                session.emit.progress("watched", self.seconds.min(total), total, "s")?;
            }
            gathered.stop();
            gathered.settle(config.probe_timeout);
            let rest = Sample { rest: true, ..gathered.take(tg_core::clock::milliseconds(begun)) };
            self.hear(&rest)?;
            Ok(())
        });
        self.recording.head.known = gathered.known();
        Ok(looked?)
    }

    /// Whether it is decided.
    fn hear(&mut self, sample: &Sample) -> Result<bool, tg_core::Error> {
        self.seconds += u64::from(!sample.rest);
        for finding in self.judges.hear(sample) {
            self.session.emit.record(&finding.msg, finding.data())?;
            self.verdict.found.push(finding);
        }
        if !self.config.keep.is_empty() {
            self.recording.samples.push(sample.clone());
        }
        Ok(self.verdict.is_fatal() && !self.config.to_the_end)
    }

    fn conclude(mut self) -> Result<Answer, Error> {
        let (rows, gaps) = self.judges.sum_up();
        for row in &rows {
            self.session.emit.record(&verdict::sentence(row), verdict::data(row))?;
        }
        self.verdict.gaps = gaps;
        self.recording.head.verdict = self.verdict.word().into();
        for path in &self.config.keep {
            self.recording.write(path)?;
        }
        self.verdict.answer(self.seconds)
    }
}
