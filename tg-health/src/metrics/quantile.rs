//! A quantile of a histogram's buckets, as Prometheus' `histogram_quantile()` estimates it: linear within a bucket.
//! <https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile>

/// `buckets`: upper bounds with how many were at most that, which grow with them. Nothing where nobody was counted.
pub(crate) fn quantile(q: f64, mut buckets: Vec<(f64, f64)>) -> Option<f64> {
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (last, all) = *buckets.last()?;
    if !last.is_infinite() || all <= 0.0 {
        return None;
    }
    let rank = q * all;
    let at = buckets.iter().position(|(_, count)| *count >= rank)?;
    let (bound, count) = buckets[at];
    let (below, before) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
    if bound.is_infinite() {
        // Beyond the last bound nobody knows how far.
        return Some(below);
    }
    if at == 0 && bound <= 0.0 {
        return Some(bound);
    }
    Some(below + (bound - below) * (rank - before) / (count - before).max(f64::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_within_its_bucket_and_beyond_the_last_bound_is_that_bound() {
        let buckets = vec![(0.1, 50.0), (0.5, 90.0), (1.0, 100.0), (f64::INFINITY, 100.0)];
        let near = |q: f64, wanted: f64| (quantile(q, buckets.clone()).unwrap() - wanted).abs() < 1e-9;
        assert!(near(0.5, 0.1) && near(0.7, 0.3) && near(0.95, 0.75) && near(0.0, 0.0));
        assert_eq!(quantile(0.9, vec![(1.0, 0.0), (f64::INFINITY, 10.0)]), Some(1.0));
        assert_eq!(quantile(0.9, vec![(1.0, 0.0), (f64::INFINITY, 0.0)]), None);
        assert_eq!(quantile(0.9, vec![(1.0, 5.0)]), None);
    }
}
