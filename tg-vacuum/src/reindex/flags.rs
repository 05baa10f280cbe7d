//! What a rebuild is told on the command line.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;

use crate::cli::{TimeFlags, bytes, is_named, ratio, some_time};
use crate::report::index::Index;

#[derive(Args, Debug)]
pub(crate) struct ReindexFlags {
    /// The indexes of these tables and no others
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    tables: Vec<String>,

    /// The indexes of this schema
    #[arg(long, value_name = "SCHEMA")]
    schema: Vec<String>,

    /// What is not valid, and what interrupted attempts left; nothing that is only bloated
    #[arg(long)]
    pub(crate) only_invalid: bool,

    /// Leave indexes alone that have less bloat than this part of them, measured by pgstattuple
    #[arg(long, value_name = "RATIO", default_value = "0.3", value_parser = ratio)]
    pub(crate) max_bloat: f64,

    /// Leave smaller indexes alone
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    min_size: ByteSize,

    #[command(flatten)]
    pub(crate) time: TimeFlags,

    /// Give an index up that has to wait so long for a lock, and make way for who waits so long behind us
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = some_time)]
    pub(crate) lock_timeout: Duration,

    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

impl ReindexFlags {
    /// Bytes.
    pub(crate) fn min_size(&self) -> i64 {
        bytes(self.min_size)
    }

    /// Whether an index is meant.
    pub(crate) fn means(&self, index: &Index) -> bool {
        let all = self.tables.is_empty() && self.schema.is_empty();
        all || is_named(&self.tables, &index.schema, &index.table) || self.schema.contains(&index.schema)
    }
}
