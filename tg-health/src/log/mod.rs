//! What logs say: each line's level, and its signature, which is the line without what differs each time.

mod access;
mod line;
mod lines;
mod signature;

pub(crate) use line::{Level, Line};
pub(crate) use lines::Lines;
pub(crate) use signature::signature;
