//! An engine that is away for a moment, before the first look.

use std::time::Duration;

use serde_json::json;
use tg_core::deadline::Deadline;
use tg_core::passing::Passing;
use tg_core::{Error as CoreError, Session};

use crate::error::Error;

/// Between two tries.
const AGAIN: Duration = Duration::from_millis(200);

/// The answer, asked for again until the deadline as long as the engine may come back; told once.
pub(crate) fn outlast<T>(
    session: &Session,
    deadline: Deadline,
    mut ask: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut told = false;
    loop {
        let error = match ask() {
            Err(Error::Core(error)) if Passing::of(&error).is_some() && !deadline.passed() => error,
            answer => return answer,
        };
        if !std::mem::replace(&mut told, true) {
            tell(session, &error)?;
        }
        session.check("waiting for the docker engine")?;
        deadline.sleep(AGAIN);
    }
}

/// What is away, and that it is waited for.
pub(crate) fn tell(session: &Session, error: &CoreError) -> Result<(), CoreError> {
    let msg = format!("{error}; trying again until the wait is over");
    session.emit.warning(Passing::Away.code(), &msg, json!({"reason": error.to_string()}))
}
