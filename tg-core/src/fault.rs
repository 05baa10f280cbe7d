//! What an error must know to end a tool properly.

use crate::Exit;

/// An error that ends a tool: it knows its exit code, its name in `result.data.error.code`, and the
/// cure.
pub trait Fault: std::error::Error {
    /// The exit code that a script branches on.
    fn exit(&self) -> Exit;

    /// A stable kebab-case name.
    fn code(&self) -> &'static str;

    /// What a person should do now.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Whether the same command may work later without any change by a person.
    fn retryable(&self) -> bool {
        matches!(self.exit(), Exit::Environment | Exit::Locked | Exit::Deadline)
    }

    /// More facts for `result.data.error`, such as the lock's holder.
    fn details(&self) -> Option<serde_json::Value> {
        None
    }

    /// The tool's summary up to the failure, for `result.data` beside `error`.
    fn summary(&self) -> Option<serde_json::Value> {
        None
    }
}
