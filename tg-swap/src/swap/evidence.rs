//! What the balancer saw while the swap went on: the proof that nothing was lost.

use serde_json::{Value, json};

use crate::swap::Swap;

impl Swap<'_> {
    /// Requests and failures since the swap began, by the balancer's own counters. Null where it
    /// counts nothing or does not answer any more: what was not measured is not zero.
    pub(super) fn evidence(&self) -> Value {
        let totals = self.balancer.totals().ok().flatten();
        let (Some(now), Some(before)) = (totals, self.intent.counted) else { return Value::Null };
        let seen = now.since(&before);
        json!({
            "requests": seen.requests,
            "failed": {
                "answered_5xx": seen.answered_5xx, "connections": seen.failed_connections,
                "responses": seen.failed_responses, "aborted_by_server": seen.aborted_by_server,
            },
            "aborted_by_client": seen.aborted_by_client,
            "retries": seen.retries,
            "redispatches": seen.redispatches,
            // A balancer that was restarted has counted only since then.
            "balancer_restarted": now.requests < before.requests,
        })
    }
}
