//! What a container says, while it runs and afterwards.

use std::ops::ControlFlow;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::query_parameters as query;
use futures_util::StreamExt;

use crate::Error;
use crate::engine::{Engine, classify};

/// How often whoever follows a log is asked whether to go on.
const TICK: Duration = Duration::from_millis(100);

/// Which part of a log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// Seconds since 1970; 0 is from the beginning.
    pub since: i64,
    /// Whether to wait for what comes.
    pub follow: bool,
    /// Whether each line begins with the time at which the engine heard it, RFC 3339.
    pub times: bool,
}

impl Engine {
    /// Hands on what a container has said, piece by piece and not line by line, until its log ends or the listener has heard enough. While
    /// nothing comes the listener is handed nothing, ten times a second.
    pub fn listen(
        &self,
        id: &str,
        span: Span,
        mut hear: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let since = i32::try_from(span.since).unwrap_or(0);
        let options = query::LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .follow(span.follow)
            .since(since)
            .timestamps(span.times)
            .build();
        let mut stream = self.docker.logs(id, Some(options));
        self.block_on(async {
            loop {
                let piece = match tokio::time::timeout(TICK, stream.next()).await {
                    Err(_) => &[][..],
                    Ok(None) => return Ok(()),
                    Ok(Some(Err(error))) => return Err(classify(&error)),
                    Ok(Some(Ok(output))) => match output {
                        LogOutput::StdOut { message }
                        | LogOutput::StdErr { message }
                        | LogOutput::StdIn { message }
                        | LogOutput::Console { message } => {
                            if hear(&message).is_break() {
                                return Ok(());
                            }
                            continue;
                        }
                    },
                };
                if hear(piece).is_break() {
                    return Ok(());
                }
            }
        })
    }
}
