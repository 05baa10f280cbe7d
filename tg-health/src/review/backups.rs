//! The age of the newest backup that was proven to come back.

use serde_json::json;
use tg_core::backup::store::{Entry as StoreEntry, Store};
use tg_core::backup::verification::Outcome;
use tg_core::{bytes, clock};

use super::containers::age;
use super::entry::{Entry, Severity, attention_if};

/// Older than this needs attention, s: two days.
const OLDEST_S: u64 = 172_800;

/// One entry.
pub(super) fn entry(store: &Store) -> Entry {
    let mut all = store.list();
    all.retain(|entry| entry.manifest.is_ok());
    let proven = all.iter().filter_map(|entry| {
        let proof = entry.verification()?;
        (proof.outcome == Outcome::Verified).then_some((entry, proof))
    });
    // They come newest first; one that is dated in the future has no age, and counts where it is alone.
    let proven: Vec<_> = proven.collect();
    let created = |entry: &StoreEntry| entry.manifest.as_ref().map_or(String::new(), |m| m.created.clone());
    let dated = proven.iter().position(|(entry, _)| !clock::is_future(&created(entry)));
    let newest = proven.into_iter().nth(dated.unwrap_or(0));
    let Some((entry, proof)) = newest else {
        let msg = format!("none of {} backups was proven to come back", all.len());
        let facts = json!({"backups": all.len(), "proven": null});
        return Entry::new("backups", "backup", Severity::Attention, msg, facts);
    };
    let age_s = clock::age_s(&created(entry));
    let msg = format!(
        "the newest proven backup, {} ({}), is {} old",
        entry.id,
        bytes::size(entry.bytes()),
        age(age_s)
    );
    let facts = json!({
        "backups": all.len(), "proven": entry.id, "age_s": age_s, "verified_at": proof.at, "bytes": entry.bytes(),
        "restore_ms": proof.restore_ms,
    });
    Entry::new("backups", "backup", attention_if(age_s.is_none_or(|age| age > OLDEST_S)), msg, facts)
}
