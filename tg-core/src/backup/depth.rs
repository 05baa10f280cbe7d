//! How much of a database's tables is known.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How much is known of each table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// Nothing but that it is there.
    Off,
    /// Its exact number of rows.
    Count,
    /// Rows, and a hash of their content.
    Full,
}
