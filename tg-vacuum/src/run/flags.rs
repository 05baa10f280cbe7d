//! What a run is told on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::choice::Choice;
use crate::cli::{TimeFlags, default_lock_timeout, some_time};
use crate::database::Throttle;
use crate::error::Error;
use crate::statement::Action;
use crate::window::Budget;

/// Workers with `--fast`.
const FAST_JOBS: u8 = 4;

#[derive(Args, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct RunFlags {
    /// Refresh the planner's statistics only; leave dead rows alone
    #[arg(long)]
    pub(crate) analyze_only: bool,

    /// Freeze all rows too, before the server has to
    #[arg(long, conflicts_with = "analyze_only")]
    pub(crate) freeze: bool,

    /// These tables and no others: table, schema.table, "My schema"."My table"
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    pub(crate) tables: Vec<String>,

    /// The tables of this schema
    #[arg(long, value_name = "SCHEMA")]
    pub(crate) schema: Vec<String>,

    /// The tables of these records, such as those of tg-vacuum report; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,

    /// Leave out tables with few dead rows, few changes and young transactions
    #[arg(long)]
    pub(crate) only_needed: bool,

    /// How many tables at once [default: 1; with --fast: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: Option<u8>,

    /// Sleep most of the time, so that nobody notices
    #[arg(long, conflicts_with_all = ["fast", "jobs"])]
    pub(crate) gentle: bool,

    /// As fast as it goes, for a window in which nobody else works
    #[arg(long)]
    pub(crate) fast: bool,

    #[command(flatten)]
    pub(crate) time: TimeFlags,

    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Skip a table that can't be locked within this time, and make way for who waits so long behind us [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = some_time)]
    pub(crate) lock_timeout: Option<Duration>,
}

impl RunFlags {
    /// Whether some tables are meant, and not all.
    pub(crate) fn chooses(&self) -> bool {
        !self.tables.is_empty() || !self.schema.is_empty() || self.from.is_some() || self.only_needed
    }

    pub(crate) fn choice(&self) -> Result<Choice, Error> {
        Choice::new(&self.tables, &self.schema, self.from.as_deref(), self.only_needed)
    }

    pub(crate) fn action(&self) -> Action {
        match (self.analyze_only, self.freeze) {
            (true, _) => Action::Analyze,
            (_, true) => Action::Freeze,
            _ => Action::Vacuum,
        }
    }

    pub(crate) fn throttle(&self) -> Throttle {
        match (self.gentle, self.fast) {
            (true, _) => Throttle::Gentle,
            (_, true) => Throttle::Fast,
            _ => Throttle::Server,
        }
    }

    pub(crate) fn is_gentle(&self) -> bool {
        self.gentle
    }

    /// Workers.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.unwrap_or(if self.fast { FAST_JOBS } else { 1 }).into()
    }

    /// The time that there is.
    pub(crate) fn budget(&self) -> Result<Budget, Error> {
        self.time.budget()
    }

    /// How long a statement may wait for a lock, and others for us.
    pub(crate) fn lock_timeout(&self) -> Duration {
        self.lock_timeout.unwrap_or_else(default_lock_timeout)
    }
}
