//! What every tg tool speaks: events, exit codes, configuration, the Compose project, the Docker
//! engine, the database, the journal, the history and the lock. A tool depends on this crate and
//! never on another tool.

mod application_database;
mod application_url;
mod archive;
pub mod atomic_file;
pub mod backup;
pub mod balancer;
pub mod bounds;
pub mod bytes;
pub mod cli;
mod client;
pub mod clock;
pub mod compose;
mod composed;
pub mod connection_string;
pub mod container;
mod container_environment;
pub mod crash;
pub mod database;
mod database_service;
pub mod deadline;
pub mod dotenv;
mod download;
pub mod emitter;
pub mod engine;
pub mod error;
pub mod event;
pub mod exit;
pub mod fault;
pub mod gauges;
pub mod health;
pub mod history;
pub mod host;
pub mod image;
pub mod image_config;
pub mod inside;
pub mod interrupt;
pub mod job;
pub mod journal;
mod lifecycle;
pub mod lifeline;
pub mod lock;
pub mod logs;
pub mod messages;
pub mod migrators;
#[cfg(test)]
mod mute;
pub mod network;
pub mod ours;
pub mod passfile;
pub mod passing;
pub mod process;
mod progress;
pub mod project;
pub mod redact;
pub mod rehearsal;
pub mod release;
pub mod session;
pub mod settings;
pub mod sql;
pub mod state;

pub mod template;
mod text;
pub mod thread;
pub mod throwaway;
pub mod tls;
pub mod transactions;
pub mod truth;
pub mod unhurried;
pub mod url;
pub mod version;
mod volume;

pub use error::Error;
pub use exit::Exit;
pub use fault::Fault;
pub use session::{Answer, Session};
pub use truth::Truth;

/// Bytes as lower-case hexadecimal digits, as sha256sum(1) prints them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}
