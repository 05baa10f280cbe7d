//! One request on one connection, and what came of it.

use std::io::ErrorKind;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::plan::Plan;
use crate::target::Target;

/// Idle connections older than this are dropped: shorter than any server's own limit, so that the server never closes
/// a connection at the moment in which a request is sent on it.
const MAX_IDLE: Duration = Duration::from_secs(3);

type Body = Full<Bytes>;
type Sender = SendRequest<Body>;

/// What an answer was, complete with its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The header `x-version`; a load balancer's own answers have none.
    pub(crate) version: Option<String>,
}

/// Why there was no complete answer; the names are the report's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// No connection came about.
    Connect,
    /// The connection ended before the answer was complete.
    Reset,
    /// What came was not HTTP.
    Protocol,
}

/// Sends requests, and keeps the connections that may be used again.
#[derive(Debug)]
pub(crate) struct Client {
    target: Target,
    idle: Mutex<Vec<(Sender, Instant)>>,
}

impl Client {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, idle: Mutex::default() }
    }

    pub(crate) async fn send(&self, plan: &Plan) -> Result<Answer, Broken> {
        let mut request = self.request(plan)?;
        if !plan.fresh {
            while let Some(mut sender) = self.take_idle() {
                if sender.ready().await.is_err() {
                    continue;
                }
                match sender.try_send_request(request).await {
                    Ok(response) => return self.finish(response, Some(sender)).await,
                    // The connection was closed before a byte went out: the request is still ours to send.
                    Err(mut error) => match error.take_message() {
                        Some(unsent) => request = unsent,
                        None => return Err(classify(error.error())),
                    },
                }
            }
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(request).await.map_err(|error| classify(&error))?;
        self.finish(response, (!plan.fresh).then_some(sender)).await
    }

    fn request(&self, plan: &Plan) -> Result<Request<Body>, Broken> {
        let mut builder =
            Request::builder().method(plan.method).uri(&plan.path).header("host", &self.target.host);
        if plan.fresh {
            builder = builder.header("connection", "close");
        }
        if !plan.body.is_empty() {
            builder = builder.header("content-type", "application/json");
        }
        builder.body(Full::new(Bytes::from(plan.body.clone()))).map_err(|_| Broken::Protocol)
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().ok()?;
        // The most recently used is last; when even that one is too old, all are.
        match idle.pop() {
            Some((sender, since)) if since.elapsed() < MAX_IDLE => Some(sender),
            Some(_) => {
                idle.clear();
                None
            }
            None => None,
        }
    }

    async fn connect(&self) -> Result<Sender, Broken> {
        let stream = TcpStream::connect(self.target.address).await.map_err(|_| Broken::Connect)?;
        // A failure to set it costs latency only.
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|_| Broken::Connect)?;
        // Its error is also the request's, where it is counted.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }

    async fn finish(
        &self,
        response: Response<hyper::body::Incoming>,
        reusable: Option<Sender>,
    ) -> Result<Answer, Broken> {
        let status = response.status().as_u16();
        let version =
            response.headers().get("x-version").and_then(|value| value.to_str().ok()).map(str::to_owned);
        response.into_body().collect().await.map_err(|error| classify(&error))?;
        if let (Some(sender), Ok(mut idle)) = (reusable, self.idle.lock()) {
            idle.push((sender, Instant::now()));
        }
        Ok(Answer { status, version })
    }
}

fn classify(error: &hyper::Error) -> Broken {
    let io = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .map(std::io::Error::kind);
    let cut =
        matches!(io, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof));
    if cut || error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        Broken::Reset
    } else {
        Broken::Protocol
    }
}
