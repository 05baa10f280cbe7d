//! Numbers of bytes: for people, from PostgreSQL, from the file system.

use std::path::Path;

use crate::Error;

/// Bytes for people, with one decimal.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Signed bytes, as PostgreSQL counts them.
#[must_use]
pub fn unsigned(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

/// Bytes that we may still write in a directory.
pub fn free(directory: &Path) -> Result<u64, Error> {
    Ok(room(directory)?.0)
}

/// Bytes that we may still write in a directory, and all bytes of its file system.
pub fn room(directory: &Path) -> Result<(u64, u64), Error> {
    let stat = rustix::fs::statvfs(directory).map_err(|e| Error::file(directory, &e.into()))?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Ok((bytes(stat.f_bavail), bytes(stat.f_blocks)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_told_with_one_decimal() {
        for (bytes, text) in [(7, "7 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (72_000_000, "72.0 MB")] {
            assert_eq!(super::size(bytes), text);
        }
    }
}
