//! One target while it is waited for: when it was asked, what it said, and for how long it has been well.

use std::time::{Duration, Instant};

use tg_core::health::Verdict;

use crate::pace;
use crate::target::Target;

/// How many answers in a row make a target ready, and unready again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streaks {
    pub(crate) rise: u32,
    pub(crate) fall: u32,
}

#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) target: Target,
    /// Tells its answers from those of one that sat here before.
    pub(crate) number: usize,
    pub(crate) verdict: Option<Verdict>,
    /// Asked since, and not answered yet.
    pub(crate) asked: Option<Instant>,
    /// When to ask next.
    pub(crate) due: Instant,
    pub(crate) asks: u32,
    good: u32,
    bad: u32,
    /// When the first of these good answers came.
    since: Option<Instant>,
    pub(crate) first_good: Option<Instant>,
    pub(crate) flaps: u32,
}

impl Seat {
    pub(crate) fn new(number: usize, target: Target, now: Instant) -> Self {
        Seat {
            target,
            number,
            verdict: None,
            asked: None,
            due: now,
            asks: 0,
            good: 0,
            bad: 0,
            since: None,
            first_good: None,
            flaps: 0,
        }
    }

    /// Takes an answer in; `waited` is how long all of this has gone on.
    pub(crate) fn hear(&mut self, verdict: Verdict, now: Instant, waited: Duration, streaks: Streaks) {
        let took = self.asked.take().map_or(Duration::ZERO, |asked| now - asked);
        if verdict.ready {
            self.bad = 0;
            self.good += 1;
            self.since.get_or_insert(now);
            self.first_good.get_or_insert(now);
        } else {
            self.bad += 1;
            if self.bad >= streaks.fall && self.good > 0 {
                self.flaps += 1;
                self.good = 0;
                self.since = None;
            }
        }
        let pause = if verdict.ready && self.good < streaks.rise {
            pace::BETWEEN_GOOD
        } else {
            pace::pause(waited, took)
        };
        self.due = now + pause;
        self.verdict = Some(verdict);
    }

    pub(crate) fn is_ready(&self, streaks: Streaks) -> bool {
        self.good >= streaks.rise
    }

    /// Whether its last answer was bad, and is one that counts.
    pub(crate) fn is_unready(&self, streaks: Streaks) -> bool {
        self.bad >= streaks.fall
    }

    /// Since when it has been well.
    pub(crate) fn stable_since(&self) -> Option<Instant> {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answers: &str, streaks: Streaks) -> (bool, u32) {
        let now = Instant::now();
        let mut seat = Seat::new(0, Target::url("http://h/"), now);
        for answer in answers.chars() {
            let verdict = Verdict { ready: answer == '+', ..Verdict::default() };
            seat.hear(verdict, now, Duration::ZERO, streaks);
        }
        (seat.is_ready(streaks), seat.flaps)
    }

    #[test]
    fn so_many_good_answers_in_a_row_are_wanted_and_so_many_bad_ones_forgiven() {
        let strict = Streaks { rise: 2, fall: 1 };
        assert_eq!(said("+", strict), (false, 0));
        assert_eq!(said("++", strict), (true, 0));
        assert_eq!(said("-+-+", strict), (false, 1));
        assert_eq!(said("++-", strict), (false, 1));
        let patient = Streaks { rise: 2, fall: 2 };
        assert_eq!(said("+-+", patient), (true, 0));
        assert_eq!(said("++--", patient), (false, 1));
    }
}
