//! A server that lives as long as a proof or a rehearsal takes, and a dump restored into it.

mod restore;
mod restore_log;
mod server;

pub use restore::jobs;

pub use server::{BACKUPS, HOME, Kind, Network, ROOT, SERVER_USER, Throwaway, memory, sweep};
