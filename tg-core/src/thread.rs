//! Threads that end with their scope.

use std::thread::ScopedJoinHandle;

/// A thread's value; its panic goes on here.
#[must_use]
pub fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
