//! Whether something happens more often than it did: two Poisson rates, compared by their square roots (Huffman, "An Improved Approximate Two-Sample
//! Poisson Test", 1984), which holds for small counts as well.

use std::time::Duration;

/// Standard deviations by which `now` in a time is more than `before` in its time.
#[expect(clippy::cast_precision_loss, reason = "counts of lines")]
pub(crate) fn rises(before: u64, in_before: Duration, now: u64, in_now: Duration) -> f64 {
    let ratio = in_now.as_secs_f64() / in_before.as_secs_f64().max(f64::MIN_POSITIVE);
    let root = |count: u64| (count as f64 + 0.375).sqrt();
    2.0 * (root(now) - root(before) * ratio.sqrt()) / (1.0 + ratio).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_times_as_many_rise_and_as_many_do_not() {
        let minute = Duration::from_mins(1);
        assert!(rises(10, minute, 100, minute) > 4.0);
        assert!(rises(100, minute, 100, minute).abs() < 0.1);
        assert!(rises(100, minute * 10, 10, minute).abs() < 1.0, "as often, in another time");
        assert!(rises(0, minute, 3, minute) < 4.0, "three of what never was are no proof");
        assert!(rises(0, minute * 5, 20, minute) > 4.0);
    }
}
