//! A server that lives as long as a proof or a rehearsal takes, and a dump restored into it.

mod configuration;
mod programs;
mod restore;
mod restore_log;
mod server;

pub use programs::FIND;
pub use restore::{jobs, refusal};
pub use server::{BACKUPS, HOME, Kind, Network, ROOT, Throwaway, memory, sweep};
