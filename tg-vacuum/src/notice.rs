//! What the server says beside its answer: VACUUM and ANALYZE warn about a table that they pass
//! over, and then report success.

use std::sync::{Arc, Mutex, PoisonError};

use postgres::config::Config;
use postgres::error::{DbError, Severity};

/// The warnings since the last look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices(Arc<Mutex<Vec<DbError>>>);

impl Notices {
    /// Hears the connection that is about to be made.
    pub(crate) fn hear(&self, config: &mut Config) {
        let heard = Arc::clone(&self.0);
        config.notice_callback(move |notice| {
            if notice.parsed_severity() == Some(Severity::Warning) {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
            }
        });
    }

    /// The messages of the warnings since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.drain(..).map(|notice| notice.message().to_owned()).collect()
    }
}
