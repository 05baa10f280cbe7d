//! Whether something is ready: one strict `GET` and what its answer says.

mod body;
mod failing;
mod judge;
mod printable;
mod probe;
pub mod token;
mod verdict;

pub use failing::Failing;
pub use judge::Expect;
pub use printable::printable;
pub use probe::Prober;
pub use token::Token;
pub use verdict::Verdict;
