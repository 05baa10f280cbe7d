//! One round: every target is asked at the same time.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tg_core::Error;
use tg_core::health::{Prober, Verdict};
use tg_core::interrupt::Interrupt;

use crate::target::{Ask, Target};

/// How often a round looks whether the user wants an end.
const TICK: Duration = Duration::from_millis(20);
/// What a probe may take beyond its limit to say that it gives up.
const GRACE: Duration = Duration::from_millis(20);

/// Asks all targets, each in a thread of its own, and returns their verdicts in the same order.
///
/// The threads are not joined: neither a lookup that hangs in the resolver nor a slow server keeps
/// us from ending in time; such a thread ends with the process.
pub(crate) fn ask_all(
    prober: &Arc<Prober>,
    targets: &[Target],
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<Vec<Verdict>, Error> {
    let (sender, answers) = mpsc::channel();
    for (i, target) in targets.iter().cloned().enumerate() {
        let (sender, prober) = (sender.clone(), Arc::clone(prober));
        std::thread::spawn(move || {
            // Nobody listens when the round is over.
            let _ = sender.send((i, ask(&prober, &target, limit)));
        });
    }
    drop(sender);
    let begun = Instant::now();
    let mut verdicts: Vec<Option<Verdict>> = vec![None; targets.len()];
    while verdicts.iter().any(Option::is_none) && begun.elapsed() < limit + GRACE {
        interrupt.check()?;
        match answers.recv_timeout(TICK) {
            Ok((i, verdict)) => verdicts[i] = Some(verdict),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    let late = || Verdict::no(format!("no whole answer within {:.1} s", limit.as_secs_f64()));
    Ok(verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(late)).collect())
}

fn ask(prober: &Prober, target: &Target, limit: Duration) -> Verdict {
    match &target.ask {
        Ask::Told(reason) => Verdict::no(reason),
        Ask::Http(url) => prober.probe(url, limit),
    }
}
