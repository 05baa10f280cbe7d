//! What a repack is told on the command line.

use clap::Args;

use crate::cli::{is_named, ratio};
use crate::report::Bloated;

#[derive(Args, Debug)]
pub(crate) struct RepackFlags {
    /// Say what it would give and cost, and by which ways, and do nothing
    #[arg(long)]
    pub(crate) plan: bool,

    /// These tables and no others: table or schema.table
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    tables: Vec<String>,

    /// Leave tables out that have less bloat than this part of them
    #[arg(long, value_name = "RATIO", default_value = "0.3", value_parser = ratio)]
    pub(crate) max_bloat: f64,
}

impl RepackFlags {
    /// Whether a table is meant.
    pub(crate) fn means(&self, table: &Bloated) -> bool {
        self.tables.is_empty() || is_named(&self.tables, &table.schema, &table.name)
    }
}
