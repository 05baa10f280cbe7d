//! Containers that live as long as we do. Their first process waits for the end of its input, which the engine ends when
//! our connection to it ends, however that came about: after a SIGKILL too there is no container, and no volume of its own.

use std::io;
use std::pin::pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bollard::container::AttachContainerResults;
use bollard::query_parameters as query;
use futures_util::future::{Either, select};
use futures_util::stream;

use crate::Error;
use crate::engine::{ANSWER, Engine};
use crate::job::Job;

/// The first process of a container that is tied to us.
pub const WAIT: &str = "cat";
/// Between two questions whether to wait on for an upload.
const GO_ON: Duration = Duration::from_millis(100);
/// How long an upload may take that has no deadline of its own.
const FOREVER: Duration = Duration::from_hours(7 * 24);

/// The input of a container that is tied to us; it ends with the value.
pub struct Lifeline {
    _input: Mutex<AttachContainerResults>,
}

impl Engine {
    /// Starts a container that ends when we do, and is removed then with its own volumes; its identifier. Commands are run
    /// in it beside its first process, which only waits.
    pub fn begin_tied(&self, job: &Job) -> Result<(String, Lifeline), Error> {
        let job = Job { command: vec![WAIT.into()], tied: true, ..job.clone() };
        self.remove_own(&job.name)?;
        let id = self.create(&job)?;
        let begun = self.attach(&id).and_then(|lifeline| self.start(&id).map(|()| lifeline));
        let lifeline = begun.inspect_err(|_| {
            // The reason why it did not start is what counts.
            let _ = self.remove_own(&id);
        })?;
        Ok((id, lifeline))
    }

    fn attach(&self, id: &str) -> Result<Lifeline, Error> {
        let options = query::AttachContainerOptionsBuilder::new().stdin(true).stream(true).build();
        let attached = self.ask(ANSWER, self.docker.attach_container(id, Some(options)))?;
        Ok(Lifeline { _input: Mutex::new(attached) })
    }

    /// Unpacks an archive, piece by piece, into a directory of a container that runs. Whether it was done before `given_up`
    /// said so.
    pub fn unpack(
        &self,
        id: &str,
        directory: &str,
        archive: impl Iterator<Item = io::Result<Vec<u8>>> + Send + 'static,
        given_up: impl Fn() -> bool,
    ) -> Result<bool, Error> {
        let options = query::UploadToContainerOptionsBuilder::new().path(directory).build();
        let body = bollard::body_try_stream(stream::iter(archive.map(|piece| piece.map(Into::into))));
        // The engine answers when all of it is there.
        let patient = self.docker.clone().with_timeout(FOREVER);
        let enough = async {
            let begun = Instant::now();
            while begun.elapsed() < FOREVER && !given_up() {
                tokio::time::sleep(GO_ON).await;
            }
        };
        self.ask(FOREVER.saturating_add(ANSWER), async {
            match select(pin!(patient.upload_to_container(id, Some(options), body)), pin!(enough)).await {
                Either::Left((done, _)) => done.map(|()| true),
                Either::Right(_) => Ok(false),
            }
        })
    }
}
