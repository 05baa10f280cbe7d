//! Whether something is ready: one strict `GET` and what its answer says.

mod address;
mod body;
mod expect;
mod failing;
mod judge;
mod manners;
mod printable;
mod probe;
pub mod token;
mod verdict;

pub use address::check_url;
pub use expect::{Expect, Place, Release};
pub use failing::Failing;
pub use manners::{Manners, Resolve, header, roots};
pub use printable::printable;
pub use probe::Prober;
pub use token::Token;
pub use verdict::Verdict;
