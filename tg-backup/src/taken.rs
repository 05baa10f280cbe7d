//! What a method has taken, before it is a backup.

use tg_core::backup::{Method, Physical};

use crate::facts::Facts;

#[derive(Default)]
pub(crate) struct Taken {
    pub method: Method,
    pub facts: Facts,
    pub roles: Vec<String>,
    /// `pg_current_snapshot()`.
    pub snapshot: String,
    /// What this transaction and later ones wrote is not in it.
    pub since: u64,
    /// As PostgreSQL's own clients name it.
    pub format: &'static str,
    pub compression: &'static str,
    pub jobs: usize,
    pub physical: Option<Physical>,
}
