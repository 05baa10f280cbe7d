//! Which steps from release to release need a person's word.

use tg_core::version::{self, Distance};

use crate::cli::Accept;
use crate::error::SwapError;

/// Lets patch and minor steps through; others only when accepted by name.
pub(crate) fn check(from: &str, to: &str, accepted: &[Accept]) -> Result<Distance, SwapError> {
    let distance = version::distance(from, to);
    match needed(distance) {
        Some(word) if !accepted.contains(&word) => {
            Err(SwapError::Refused { from: from.into(), to: to.into(), distance })
        }
        _ => Ok(distance),
    }
}

/// The word that lets such a step through, where it needs one.
pub(crate) fn needed(distance: Distance) -> Option<Accept> {
    match distance {
        Distance::Same | Distance::Patch | Distance::Minor => None,
        Distance::Major => Some(Accept::Major),
        Distance::Downgrade => Some(Accept::Downgrade),
        Distance::Unknown => Some(Accept::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tg_core::{Exit, Fault};

    #[test]
    fn patch_and_minor_go_through_and_the_rest_needs_a_word() {
        assert!(check("1.4.0", "1.5.0", &[]).is_ok());
        for (to, word) in
            [("2.0.0", Accept::Major), ("1.3.9", Accept::Downgrade), ("nightly", Accept::Unknown)]
        {
            assert_eq!(check("1.4.0", to, &[]).unwrap_err().exit(), Exit::Refused);
            assert!(check("1.4.0", to, &[word]).is_ok());
        }
        assert!(check("1.4.0", "2.0.0", &[Accept::Downgrade]).is_err(), "another word is no answer");
    }
}
