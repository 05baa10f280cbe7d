//! The file of all requests, one a line, for whoever wants to see when and at whom it was slow.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::mix::Kind;

/// Writes requests as they end.
#[derive(Debug)]
pub(crate) struct Samples {
    file: BufWriter<File>,
}

impl Samples {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file: BufWriter::new(file) })
    }

    /// `ended` is since the start of the run; `version` is empty where nobody told it.
    pub(crate) fn add(
        &mut self,
        ended: Duration,
        kind: Kind,
        outcome: &str,
        version: &str,
        latency: Duration,
    ) -> std::io::Result<()> {
        let (ended, latency) = (ended.as_millis(), latency.as_secs_f64() * 1e3);
        writeln!(self.file, "{ended}\t{}\t{outcome}\t{version}\t{latency:.1}", kind.name())
    }

    pub(crate) fn close(mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
