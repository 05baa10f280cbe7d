//! Whether values grow with time: Mann and Kendall's test for a trend, and Theil and Sen's slope, which a few odd values do not move
//! (Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau", 1968).

/// How values go with time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trend {
    /// Growth a second: the median of all pairs' slopes.
    pub(crate) slope: f64,
    /// Standard deviations from no trend.
    pub(crate) z: f64,
}

/// Of `(seconds, value)` in the order of time; nothing of fewer than eight, with which the normal approximation fails.
#[expect(clippy::cast_precision_loss, reason = "a few hundred values")]
pub(crate) fn trend(values: &[(f64, f64)]) -> Option<Trend> {
    let n = values.len();
    if n < 8 {
        return None;
    }
    let mut slopes = Vec::with_capacity(n * (n - 1) / 2);
    let mut score = 0.0;
    for (i, (at, value)) in values.iter().enumerate() {
        for (later, higher) in &values[i + 1..] {
            let rise = higher - value;
            if rise != 0.0 {
                score += rise.signum();
            }
            if later > at {
                slopes.push(rise / (later - at));
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    let slope = *slopes.get(slopes.len() / 2)?;
    let n = n as f64;
    let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    // Corrected for being whole numbers.
    let z = if score == 0.0 { 0.0 } else { (score - score.signum()) / deviation };
    Some(Trend { slope, z })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_seen_through_the_saw_teeth_of_a_garbage_collector_and_these_alone_are_none() {
        let teeth = |second: u32| f64::from(second % 7) * 3.0;
        let leak: Vec<_> = (0..60).map(|s| (f64::from(s), 100.0 + f64::from(s) * 2.0 + teeth(s))).collect();
        let found = trend(&leak).unwrap();
        assert!(found.z > 4.0 && (found.slope - 2.0).abs() < 0.3, "{found:?}");
        let level: Vec<_> = (0..60).map(|s| (f64::from(s), 100.0 + teeth(s))).collect();
        assert!(trend(&level).unwrap().z < 2.0);
        assert_eq!(trend(&leak[..7]), None);
    }
}
