//! What the server says beside its answer: VACUUM and ANALYZE warn about a table that they pass
//! over, and then report success; asked to be verbose, they tell what they did.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use postgres::error::{DbError, Severity, SqlState};

/// The server sends each notice by itself, a verbose vacuum four a table: who had to wait for one waits a moment longer, and reads those
/// that follow in one go, instead of waking up for each and taking the processor from the server.
const MOMENT: Duration = Duration::from_millis(2);
/// Sooner after the last one, a notice had come with it.
const AT_ONCE: Duration = Duration::from_micros(50);

/// One thing that the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// It warns.
    pub(crate) warning: bool,
    /// What it is about, in no language.
    pub(crate) code: SqlState,
    pub(crate) message: String,
    /// Further lines, where older servers put the figures.
    pub(crate) detail: String,
}

/// What was said since the last look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices(Arc<Mutex<Vec<Said>>>);

impl Notices {
    /// Hears the connection that is about to be made.
    pub(crate) fn ear(&self) -> tg_core::database::Notices {
        let heard = Arc::clone(&self.0);
        let last = Mutex::new(Instant::now());
        Box::new(move |notice| {
            gather(&mut last.lock().unwrap_or_else(PoisonError::into_inner));
            if let Some(said) = said(&notice) {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(said);
            }
        })
    }

    /// What was said since the last call, in its order.
    pub(crate) fn take(&self) -> Vec<Said> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lets further notices come before this one is heard.
fn gather(last: &mut Instant) {
    if last.elapsed() > AT_ONCE {
        std::thread::sleep(MOMENT);
    }
    *last = Instant::now();
}

fn said(notice: &DbError) -> Option<Said> {
    let warning = match notice.parsed_severity()? {
        Severity::Warning => true,
        Severity::Info | Severity::Notice => false,
        _ => return None,
    };
    Some(Said {
        warning,
        code: notice.code().clone(),
        message: notice.message().to_owned(),
        detail: notice.detail().unwrap_or_default().to_owned(),
    })
}
