//! Backups as they lie on disk: what `tg-backup` writes, and every tool that relies on one reads.

pub mod crypt;
pub mod database;
pub mod depth;
pub mod digest;
pub mod error;
pub mod facts;
pub mod files;
pub mod guarded;
pub mod manifest;
pub mod method;
pub mod order;
pub mod output;
pub mod readable;
pub mod relative;
pub mod sealed;
pub mod setting;
pub mod store;
#[cfg(any(test, feature = "synthetic"))]
pub mod synthetic;
pub mod tree;
pub mod verification;

pub use database::Database;
pub use depth::Depth;
pub use error::Error;
pub use manifest::{MANIFEST, Manifest};
pub use method::{CONTENTS, DATA, GLOBALS, Method, Physical};
pub use relative::Relative;
pub use store::{Entry, Store};
pub use tree::Tree;
pub use verification::Verification;
