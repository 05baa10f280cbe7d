//! How weights make a share, where a balancer knows weights only.

use super::Duty;

/// The weight of an instance that serves beside a canary.
const FULL_WEIGHT: u32 = 100;
/// HAProxy's highest weight; nginx takes more.
pub(super) const HIGHEST_WEIGHT: u32 = 256;

/// The weights of a set with a canary in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weights {
    serve: u32,
    share: u32,
}

impl Weights {
    /// With `n` instances of weight `w` beside it, a share of `p` per cent needs a weight of
    /// `w·n·p / (100 - p)`, split among the canaries. `None` without a canary: all are equal.
    pub(super) fn of(duties: impl Iterator<Item = Duty>) -> Option<Self> {
        let (mut serving, mut canaries, mut share) = (0, 0, None);
        for duty in duties {
            match duty {
                Duty::Serve => serving += 1,
                Duty::Share(percent) => {
                    canaries += 1;
                    share = share.or(Some(u32::from(percent.clamp(1, 99))));
                }
                Duty::Rest => {}
            }
        }
        let (serving, share) = (serving.max(1), share?);
        let canary = |full: u32| (full * serving * share).div_ceil((100 - share) * canaries).max(1);
        // Where that is above what the balancer takes, the others weigh less.
        let serve = (1..=FULL_WEIGHT).rev().find(|full| canary(*full) <= HIGHEST_WEIGHT).unwrap_or(1);
        Some(Weights { serve, share: canary(serve).min(HIGHEST_WEIGHT) })
    }

    /// The weight of one instance.
    pub(super) fn for_duty(self, duty: Duty) -> u32 {
        if matches!(duty, Duty::Share(_)) { self.share } else { self.serve }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_canary_gets_its_share_within_what_whole_weights_allow(serving in 1_u32..40, percent in 1_u8..=50) {
            let duties = (0..serving).map(|_| Duty::Serve).chain([Duty::Share(percent), Duty::Rest]);
            let Weights { serve, share } = Weights::of(duties).unwrap();
            prop_assert!(share <= HIGHEST_WEIGHT && serve >= 1);
            let got = 100.0 * f64::from(share) / f64::from(share + serve * serving);
            let one_more = 100.0 / f64::from(serve * serving);
            let wanted = f64::from(percent);
            prop_assert!(got >= wanted - 0.01 || share == HIGHEST_WEIGHT, "{got} of {wanted}");
            prop_assert!(got <= wanted + one_more, "{got} of {wanted}");
        }
    }

    #[test]
    fn without_a_canary_there_is_nothing_to_weigh() {
        assert_eq!(Weights::of([Duty::Serve, Duty::Rest].into_iter()), None);
    }
}
