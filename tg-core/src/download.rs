//! Files of a container on their way to us.

use std::io::{self, Cursor, Read};
use std::pin::Pin;

use bollard::errors::Error as DockerError;
use bollard::query_parameters as query;
use futures_util::{Stream, StreamExt};

use crate::Error;
use crate::engine::{ANSWER, Engine};

type Chunks<'e> = Pin<Box<dyn Stream<Item = Result<Vec<u8>, DockerError>> + 'e>>;

/// A tar archive, piece by piece.
struct Download<'e> {
    engine: &'e Engine,
    chunks: Chunks<'e>,
    chunk: Cursor<Vec<u8>>,
    given_up: &'e dyn Fn() -> bool,
    failed: Option<Error>,
}

impl Engine {
    /// Reads a directory of a container as a tar archive; no more of it than a piece is in memory. It breaks off when the
    /// deadline, the interrupt or `given_up` says so.
    pub fn download<T, E: From<Error>>(
        &self,
        id: &str,
        directory: &str,
        given_up: &dyn Fn() -> bool,
        read: impl FnOnce(&mut dyn Read) -> Result<T, E>,
    ) -> Result<T, E> {
        let options = query::DownloadFromContainerOptionsBuilder::new().path(directory).build();
        let stream = self.docker.download_from_container(id, Some(options));
        let chunks = Box::pin(stream.map(|chunk| chunk.map(Vec::from)));
        let mut download =
            Download { engine: self, chunks, chunk: Cursor::default(), given_up, failed: None };
        let done = read(&mut download);
        // The reader has seen no more than that it broke off.
        download.failed.map_or(done, |error| Err(error.into()))
    }
}

impl Read for Download<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if (self.given_up)() {
                return Err(io::Error::other("it was given up"));
            }
            let chunks = &mut self.chunks;
            match self.engine.ask(ANSWER, async { chunks.next().await.transpose() }) {
                Ok(Some(chunk)) => self.chunk = Cursor::new(chunk),
                Ok(None) => return Ok(0),
                Err(error) => {
                    let told = io::Error::other(error.to_string());
                    self.failed = Some(error);
                    return Err(told);
                }
            }
        }
    }
}
