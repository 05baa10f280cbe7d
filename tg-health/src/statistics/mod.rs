//! Whether something is worse than it was: each question with the test that its numbers allow.

mod errors;
mod order;
mod rates;
mod tally;
mod trend;

pub(crate) use errors::Errors;
pub(crate) use order::{Sorted, superiority};
pub(crate) use rates::rises;
pub(crate) use tally::Tally;
pub(crate) use trend::trend;

/// Standard deviations from what chance gives: about one in 30,000 looks at equal things, and a watch looks a few hundred times.
pub(crate) const SIGNIFICANT: f64 = 4.0;
