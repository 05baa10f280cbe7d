//! Whether the values of one time lie above those of another: Mann and Whitney's test ("On a Test of Whether one of Two Random Variables is
//! Stochastically Larger than the Other", 1947), with ties. It asks nothing of how they are distributed, as latencies are not as a bell.

use std::collections::BTreeMap;

/// Values with how often each was seen, in rising order.
pub(crate) type Sorted = Vec<(u64, u64)>;

/// The part of all pairs in which the second is larger, 0.5 where they are alike, and how many standard deviations that is from 0.5.
/// Nothing where one has no values.
#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
pub(crate) fn superiority(first: &Sorted, second: &Sorted) -> Option<(f64, f64)> {
    let mut seen: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for (value, times) in first {
        seen.entry(*value).or_default().0 += *times as f64;
    }
    for (value, times) in second {
        seen.entry(*value).or_default().1 += *times as f64;
    }
    let of_first: f64 = seen.values().map(|(times, _)| times).sum();
    let of_second: f64 = seen.values().map(|(_, times)| times).sum();
    let (all, pairs) = (of_first + of_second, of_first * of_second);
    if pairs == 0.0 {
        return None;
    }
    let (mut larger, mut ties, mut below) = (0.0, 0.0, 0.0);
    for (before, now) in seen.values() {
        larger += now * (below + before / 2.0);
        below += before;
        let alike = before + now;
        ties += alike * (alike * alike - 1.0);
    }
    let variance = pairs / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)).max(1.0));
    let deviations = if variance <= 0.0 { 0.0 } else { (larger - pairs / 2.0) / variance.sqrt() };
    Some((larger / pairs, deviations))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_is_one_half_and_three_times_as_slow_is_seen_with_thirty_values() {
        let same: Sorted = (1..=30).map(|v| (v, 1)).collect();
        let (part, z) = superiority(&same, &same).unwrap();
        assert!((part - 0.5).abs() < 1e-9 && z.abs() < 1e-9);
        let slower: Sorted = (1..=30).map(|v| (v * 3, 1)).collect();
        let (part, z) = superiority(&same, &slower).unwrap();
        assert!(part > 0.8 && z > 4.0, "{part} {z}");
        let (back, z_back) = superiority(&slower, &same).unwrap();
        assert!((part + back - 1.0).abs() < 1e-9 && (z + z_back).abs() < 1e-9);
    }

    #[test]
    fn where_all_are_equal_or_there_are_none_nothing_is_said() {
        assert_eq!(superiority(&vec![(5, 10)], &vec![(5, 20)]).unwrap(), (0.5, 0.0));
        assert_eq!(superiority(&Vec::new(), &vec![(1, 1)]), None);
    }
}
