//! An open-loop load program for the lab: it sends at a constant rate whatever comes back, and counts exactly what
//! failed, what was acknowledged and which version answered when. `verify` asks the database for what was acknowledged.

mod acked;
mod cli;
mod client;
mod mix;
mod plan;
mod random;
mod runner;
mod samples;
mod tally;
mod target;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use serde_json::Value;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Some(Command::Verify(args)) => verify::verify(args),
        None => runner::run(&cli.run).map(|report| (report, true)),
    };
    match result.and_then(|(report, good)| print(&report).map(|()| good)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => complain(&error),
    }
}

fn print(report: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{report}")?;
    out.flush()?;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "the one place where this program speaks to a person")]
fn complain(error: &anyhow::Error) -> ExitCode {
    eprintln!("lab: error: {error:#}");
    ExitCode::from(2)
}
