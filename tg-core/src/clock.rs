//! Times as they stand in names and manifests, always UTC.

use std::time::{Instant, SystemTime};

/// Since a moment, ms.
#[must_use]
pub fn milliseconds(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// `2026-11-23T07:45:00Z`.
#[must_use]
pub fn rfc3339(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

/// `20261123T074500Z`, for directory names.
#[must_use]
pub fn compact(at: SystemTime) -> String {
    rfc3339(at).replace(['-', ':'], "")
}

/// `20261123074500`, for database names.
#[must_use]
pub fn digits(at: SystemTime) -> String {
    rfc3339(at).replace(['-', ':', 'T', 'Z'], "")
}

/// Seconds since 1970 of a time that [`rfc3339`] wrote.
#[must_use]
pub fn seconds(time: &str) -> Option<u64> {
    Some(millis(time)? / 1000)
}

/// Milliseconds since 1970 of a time that [`rfc3339`] wrote.
#[must_use]
pub fn millis(time: &str) -> Option<u64> {
    let at = humantime::parse_rfc3339(time).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(at.as_millis()).ok()
}

/// Seconds since a time that [`rfc3339`] wrote.
#[must_use]
pub fn age_s(created: &str) -> Option<u64> {
    let then = humantime::parse_rfc3339(created).ok()?;
    // A clock that was set back makes nothing younger than now.
    Some(SystemTime::now().duration_since(then).unwrap_or_default().as_secs())
}
