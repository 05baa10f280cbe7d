//! How often each value was seen, within one per cent: what percentiles and comparisons are made of.

use std::collections::BTreeMap;

use super::Sorted;

/// Values above are kept to two or three of their digits.
const EXACT: u64 = 128;

/// A tally.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    seen: BTreeMap<u64, u64>,
    count: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, value: u64) {
        *self.seen.entry(rounded(value)).or_default() += 1;
        self.count += 1;
    }

    pub(crate) fn merge(&mut self, other: &Tally) {
        for (value, times) in &other.seen {
            *self.seen.entry(*value).or_default() += times;
        }
        self.count += other.count;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The nearest rank, of 0 to 100 per cent.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of requests"
    )]
    pub(crate) fn percentile(&self, percent: f64) -> Option<u64> {
        let rank = (self.count as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut below = 0;
        self.seen
            .iter()
            .find(|(_, n)| {
                below += **n;
                below >= rank
            })
            .map(|(value, _)| *value)
    }

    /// How many lie above a value.
    pub(crate) fn above(&self, value: u64) -> u64 {
        self.seen.range(value + 1..).map(|(_, n)| n).sum()
    }

    pub(crate) fn sorted(&self) -> Sorted {
        self.seen.iter().map(|(value, n)| (*value, *n)).collect()
    }
}

/// The value with its seven leading bits.
fn rounded(value: u64) -> u64 {
    let shift = (u64::BITS - (value / EXACT).leading_zeros()).min(63);
    value >> shift << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank_and_within_one_per_cent() {
        let mut tally = Tally::default();
        (1..=100_000).for_each(|value| tally.add(value));
        for (percent, wanted) in [(50.0, 50_000_u64), (95.0, 95_000), (99.0, 99_000), (100.0, 100_000)] {
            let found = tally.percentile(percent).unwrap();
            assert!(found.abs_diff(wanted) * 100 <= wanted * 2, "{percent}: {found}");
        }
        assert!(tally.seen.len() < 1500, "{}", tally.seen.len());
        assert_eq!(Tally::default().percentile(50.0), None);
    }

    #[test]
    fn small_values_are_exact() {
        for value in [0, 1, 17, 127, 128] {
            assert_eq!(rounded(value), value);
        }
        assert!(rounded(u64::MAX) > u64::MAX / 2);
    }

    #[test]
    fn what_lies_above_is_counted() {
        let mut tally = Tally::default();
        for value in [1, 5, 5, 9] {
            tally.add(value);
        }
        assert_eq!((tally.above(4), tally.above(5), tally.above(9)), (3, 1, 0));
    }
}
