//! What a report is told on the command line.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;

use crate::cli::{bytes, ratio};

/// The guide's threshold: tables with more dead rows than this are worth a look.
const MIN_DEAD: i64 = 1000;

#[derive(Args, Debug)]
pub(crate) struct ReportFlags {
    /// List tables with more dead rows than this
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = MIN_DEAD, value_parser = clap::value_parser!(i64).range(-1..))]
    pub(crate) min_dead: i64,

    /// Look for bloat and unused indexes only in what is at least so large
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    min_size: ByteSize,

    /// List no more than so many tables and indexes [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) top: Option<u32>,

    /// List all tables and indexes of that size, also those that need nobody
    #[arg(long)]
    pub(crate) all: bool,

    /// Exit 1 when more than this part of a table's rows is dead, such as 0.2
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub(crate) max_dead_ratio: Option<f64>,

    /// Exit 1 when more than this part of a table or an index is bloat that can be believed
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub(crate) max_bloat: Option<f64>,

    /// Exit 1 when the database is older than this part of the age at which autovacuum is forced to freeze
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub(crate) max_freeze: Option<f64>,

    /// Write the figures to this file for node_exporter's textfile collector too
    #[arg(long, value_name = "FILE")]
    pub(crate) prometheus: Option<PathBuf>,
}

impl ReportFlags {
    /// Bytes.
    pub(crate) fn min_size(&self) -> i64 {
        bytes(self.min_size)
    }
}
