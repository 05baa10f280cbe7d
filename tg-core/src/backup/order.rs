//! Which backup is newer. Clocks are set back and forth; a server's transactions are not. Two backups of
//! one server's history are told apart by its transaction counter, and a time that contradicts it is not believed.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::backup::manifest::Manifest;
use crate::clock;

/// What is known of the moment in which a backup was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its name, which begins with the time.
    pub id: String,
    /// Seconds since 1970, as its maker's clock said.
    pub clock_s: Option<u64>,
    /// The server's history (system identifier and timeline), and its next transaction then.
    pub counter: Option<((String, u32), u64)>,
}

/// When a backup was made, as far as that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970: what the clock said, but no later than now.
    pub at_s: u64,
    /// Whether that can't have been: it is later than now, or than a backup that was made after it.
    pub moved: bool,
    /// No later than any that was made after it: by this backups of several servers are put in order.
    bound_s: u64,
}

impl Stamp {
    /// Of a backup; without a manifest its name is all that there is.
    #[must_use]
    pub fn of(id: &str, manifest: Option<&Manifest>) -> Self {
        let named = || clock::seconds(&clock::of_compact(id)?);
        Stamp {
            id: id.to_owned(),
            clock_s: manifest.and_then(|m| clock::seconds(&m.created)).or_else(named),
            counter: manifest.and_then(|m| {
                // `xmin:xmax:…`: the second is the next transaction.
                let next = m.snapshot.split(':').nth(1)?.parse().ok()?;
                Some(((m.database.system.clone(), m.database.timeline?), next))
            }),
        }
    }
}

/// The moment of each of these backups.
#[must_use]
pub fn moments(stamps: &[Stamp]) -> Vec<Moment> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    moments_at(stamps, now)
}

/// The order of these backups, newest first, as indexes.
#[must_use]
pub fn newest_first(stamps: &[Stamp]) -> Vec<usize> {
    let moments = moments(stamps);
    let next = |i: usize| stamps[i].counter.as_ref().map(|(_, next)| *next);
    let mut order: Vec<usize> = (0..stamps.len()).collect();
    order.sort_by(|&a, &b| {
        let of = |i: usize| (moments[i].bound_s, next(i), stamps[i].clock_s, &stamps[i].id);
        of(b).cmp(&of(a))
    });
    order
}

fn moments_at(stamps: &[Stamp], now: u64) -> Vec<Moment> {
    let mut histories: HashMap<_, Vec<(u64, usize)>> = HashMap::new();
    for (i, stamp) in stamps.iter().enumerate() {
        if let Some((history, next)) = &stamp.counter {
            histories.entry(history).or_default().push((*next, i));
        }
    }
    let clock = |i: usize| stamps[i].clock_s.unwrap_or(0);
    let at = |i: usize| if clock::is_ahead(clock(i), now) { now } else { clock(i) };
    let mut bounds: Vec<u64> = (0..stamps.len()).map(at).collect();
    for mut history in histories.into_values() {
        // The last one first: none was made after one that came later. Equal counters say nothing.
        history.sort_unstable();
        let (mut bound, mut same, mut counter) = (u64::MAX, u64::MAX, u64::MAX);
        for &(next, i) in history.iter().rev() {
            if next < counter {
                (bound, same, counter) = (bound.min(same), u64::MAX, next);
            }
            if stamps[i].clock_s.is_some() {
                same = same.min(at(i));
            }
            bounds[i] = bounds[i].min(bound);
        }
    }
    let moment = |i: usize| Moment { at_s: at(i), moved: bounds[i] < clock(i), bound_s: bounds[i] };
    (0..stamps.len()).map(moment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_790_000_000;

    fn stamp(id: &str, clock_s: u64, counter: Option<(&str, u64)>) -> Stamp {
        let counter = counter.map(|(system, next)| ((system.to_owned(), 1), next));
        Stamp { id: id.into(), clock_s: Some(clock_s), counter }
    }

    fn told(stamps: &[Stamp]) -> Vec<(u64, bool)> {
        moments_at(stamps, NOW).into_iter().map(|m| (m.at_s, m.moved)).collect()
    }

    #[test]
    fn of_one_server_the_later_transaction_is_the_newer_backup_whatever_the_clock_said() {
        let ahead = stamp("20270101T000000Z-x", NOW - 100, Some(("s", 7)));
        let later = stamp("20260101T000000Z-x", NOW - 500, Some(("s", 9)));
        assert_eq!(newest_first(&[ahead.clone(), later.clone()]), [1, 0]);
        assert_eq!(told(&[ahead, later]), [(NOW - 100, true), (NOW - 500, false)]);
    }

    #[test]
    fn the_time_decides_where_servers_can_not_be_compared_or_nothing_was_written() {
        let (old, new) = (NOW - 500, NOW - 100);
        for (a, b) in
            [(Some(("s", 9)), Some(("other", 7))), (Some(("s", 9)), None), (Some(("s", 7)), Some(("s", 7)))]
        {
            assert_eq!(newest_first(&[stamp("a", old, a), stamp("b", new, b)]), [1, 0]);
        }
        let promoted = Stamp { counter: Some((("s".into(), 2), 5)), ..stamp("b", new, None) };
        assert_eq!(newest_first(&[stamp("a", old, Some(("s", 9))), promoted]), [1, 0], "of another timeline");
    }

    #[test]
    fn a_time_that_has_not_come_is_no_later_than_now() {
        assert_eq!(told(&[stamp("a", NOW + 86_400, None)]), [(NOW, true)]);
        assert_eq!(told(&[stamp("a", NOW + 1, None)]), [(NOW + 1, false)], "clocks differ by moments");
    }

    #[test]
    fn one_clock_that_stood_at_its_beginning_makes_no_other_backup_old() {
        let of = |clock_s, next| stamp("x", clock_s, Some(("s", next)));
        let told = told(&[of(NOW - 500, 5), of(0, 7), of(NOW - 100, 9)]);
        assert_eq!(told, [(NOW - 500, true), (0, false), (NOW - 100, false)]);
    }

    #[test]
    fn a_name_tells_the_time_where_the_manifest_can_not_be_believed() {
        assert_eq!(Stamp::of("20261123T074500Z-x-abcdef", None).clock_s, Some(1_795_419_900));
        assert_eq!(Stamp::of("by hand", None).clock_s, None);
    }

    proptest! {
        #[test]
        fn moments_of_one_history_are_in_its_order_and_none_is_later_than_its_clock(
            all in prop::collection::vec((0u64..NOW * 2, 0u64..9), 0..30),
        ) {
            let stamps: Vec<_> = all.iter().map(|&(clock, next)| stamp("x", clock, Some(("s", next)))).collect();
            let moments = moments_at(&stamps, NOW);
            for (a, x) in all.iter().zip(&moments) {
                prop_assert!(x.bound_s <= x.at_s && x.at_s <= a.0);
                prop_assert!(x.moved == (x.bound_s < a.0));
                for (b, y) in all.iter().zip(&moments) {
                    prop_assert!(a.1 >= b.1 || x.bound_s <= y.bound_s);
                }
            }
        }
    }
}
