//! The disks that the project lives on.

use std::path::{Path, PathBuf};

use serde_json::json;
use tg_core::bytes;

use super::entry::{Entry, attention_if};

/// Less than this part free needs attention.
const LEAST: f64 = 0.1;

/// One entry a file system.
#[expect(clippy::cast_precision_loss, reason = "bytes of a disk")]
pub(super) fn entries(places: &[(&str, PathBuf)]) -> Vec<Entry> {
    let mut seen = Vec::new();
    let mut entries = Vec::new();
    for (what, path) in places {
        // A directory that is not there yet is on the disk of its parent.
        let Some(there) = path.ancestors().find(|p| p.exists()) else { continue };
        let Some((device, free, total)) = file_system(there) else { continue };
        if seen.contains(&device) || total == 0 {
            continue;
        }
        seen.push(device);
        let share = free as f64 / total as f64;
        let msg = format!("{} of {} are free where {what} is", bytes::size(free), bytes::size(total));
        let facts = json!({"what": what, "path": there.display().to_string(), "free": free, "total": total});
        entries.push(Entry::new("disk", "disk", attention_if(share < LEAST), msg, facts));
    }
    entries
}

fn file_system(path: &Path) -> Option<(u64, u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let device = std::fs::metadata(path).ok()?.dev();
    let (free, total) = bytes::room(path).ok()?;
    Some((device, free, total))
}
