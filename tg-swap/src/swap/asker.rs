//! Requests of our own through the load balancer: at night nobody else makes any, and a canary that is not asked proves nothing.

use std::time::Duration;

use tg_core::health::{Expect, Prober};

use crate::error::SwapError;
use crate::swap::Swap;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(2);
/// At most so many at a time, however small the canary's share is.
const MOST: u32 = 20;

/// Asks some URLs in turn.
pub(super) struct Asker {
    prober: Prober,
    /// Or why there is none.
    urls: Result<Vec<String>, String>,
    /// Requests so far.
    pub asked: usize,
}

impl Asker {
    /// Of what the user names, or else of the project's health URL.
    pub(super) fn new(swap: &Swap) -> Result<Self, SwapError> {
        let (project, redactor) = (&swap.plan.project, swap.session.emit.redactor());
        let urls = match &swap.intent.options.ask {
            named if named.is_empty() => project.health_url().map(|url| vec![url]).map_err(|e| e.to_string()),
            named => Ok(named.clone()),
        };
        let token = project.health_token(redactor)?;
        Ok(Asker {
            prober: Prober::new("tg-swap", token.as_ref(), Expect::default(), redactor),
            urls,
            asked: 0,
        })
    }

    /// As often as it takes until somebody with this share gets a request. What the answers are, the balancer counts.
    pub(super) fn ask(&mut self, percent: u8) {
        for _ in 0..100_u32.div_ceil(percent.into()).min(MOST) {
            let Some(url) = self.urls.as_ref().ok().and_then(|urls| urls.get(self.asked % urls.len())) else {
                return;
            };
            let _ = self.prober.probe(url, ANSWER);
            self.asked += 1;
        }
    }

    /// Why a canary has still got no request.
    pub(super) fn why_none(&self) -> String {
        match &self.urls {
            Ok(urls) => {
                format!("{} of our own were made to {}, and none came to it", self.asked, urls.join(", "))
            }
            Err(problem) => format!("it can't be asked either: {problem}"),
        }
    }
}
