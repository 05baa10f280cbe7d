//! The one way to ask PostgreSQL: a blocking client whose every wait ends with the deadline or the interrupt.
//!
//! It has the methods of the `postgres` crate's client, which can't be interrupted, over the same connection.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::stream::poll_fn;
use postgres::error::{DbError, SqlState};
use postgres::types::ToSql;
use postgres::{Row, SimpleQueryMessage, Statement};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, CancelToken, Config, ToStatement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;
use crate::bounds::{Bounds, GRACE};
use crate::sql::describe;

/// What is being done while an answer is waited for.
const ASKING: &str = "waiting for the database";
/// What is said of a session whose last question was given up.
const LOST: &str = "the session did not answer before, and is not asked again";
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Values of a statement.
pub type Values<'a> = &'a [&'a (dyn ToSql + Sync)];
/// Who hears what the server says beside its answers.
pub type Notices = Box<dyn Fn(DbError) + Send>;

/// Why a question was not answered as it should be.
#[derive(Debug)]
pub enum QueryError {
    /// The server, or the way to it, says no.
    Server(postgres::Error),
    /// The deadline passed or the user interrupted; with the server's own word that it stopped, if it gave one.
    Ended(Error, Option<postgres::Error>),
}

impl QueryError {
    /// The server's SQLSTATE.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        self.server()?.code()
    }

    /// The server's error, where it answered.
    #[must_use]
    pub fn as_db_error(&self) -> Option<&DbError> {
        self.server()?.as_db_error()
    }

    /// Our time was over and the server did not say that it stopped: the error that says so. Where it did stop, its own
    /// word for that counts, as if somebody else had cancelled the statement.
    pub fn unless_silent(self) -> Result<Self, Error> {
        match self {
            QueryError::Ended(why, None) => Err(why),
            answered => Ok(answered),
        }
    }

    fn server(&self) -> Option<&postgres::Error> {
        match self {
            QueryError::Server(error) | QueryError::Ended(_, Some(error)) => Some(error),
            QueryError::Ended(_, None) => None,
        }
    }
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            QueryError::Server(error) => f.write_str(&describe(error)),
            QueryError::Ended(why, _) => why.fmt(f),
        }
    }
}

impl std::error::Error for QueryError {}

impl From<postgres::Error> for QueryError {
    fn from(error: postgres::Error) -> Self {
        QueryError::Server(error)
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Server(error) => error.into(),
            QueryError::Ended(why, _) => why,
        }
    }
}

/// A session of ours with a server.
pub struct Client {
    /// Gone when the session is being ended.
    session: Option<tokio_postgres::Client>,
    connection: Option<JoinHandle<()>>,
    runtime: Runtime,
    cancel: CancelToken,
    tls: MakeRustlsConnect,
    bounds: Bounds,
    /// No answer came to a question that was given up: the next one would be taken for it.
    lost: bool,
}

/// A transaction of a session, which is asked through it; rolled back unless it is committed.
pub struct Transaction<'a> {
    client: &'a mut Client,
    open: bool,
}

impl Client {
    /// Connects; the inner error is the server's, or that of the way to it.
    pub(crate) fn connect(
        config: &Config,
        tls: MakeRustlsConnect,
        bounds: &Bounds,
        notices: Notices,
    ) -> Result<Result<Self, postgres::Error>, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Error::Sql(format!("no runtime for a connection: {e}")))?;
        let made = runtime.block_on(bounds.wait(ASKING, open(config, tls.clone(), notices)))?;
        Ok(made.map(|(session, connection)| Client {
            cancel: session.cancel_token(),
            session: Some(session),
            connection: Some(connection),
            runtime,
            tls,
            bounds: bounds.clone(),
            lost: false,
        }))
    }

    /// Runs a statement; the number of rows that it changed.
    pub fn execute<T: ?Sized + ToStatement>(&mut self, sql: &T, values: Values) -> Result<u64, QueryError> {
        self.ask(async |session| session.execute(sql, values).await)
    }

    /// Runs a statement; its rows.
    pub fn query<T: ?Sized + ToStatement>(
        &mut self,
        sql: &T,
        values: Values,
    ) -> Result<Vec<Row>, QueryError> {
        self.ask(async |session| session.query(sql, values).await)
    }

    /// The same for exactly one row.
    pub fn query_one<T: ?Sized + ToStatement>(&mut self, sql: &T, values: Values) -> Result<Row, QueryError> {
        self.ask(async |session| session.query_one(sql, values).await)
    }

    /// The same for one row or none.
    pub fn query_opt<T: ?Sized + ToStatement>(
        &mut self,
        sql: &T,
        values: Values,
    ) -> Result<Option<Row>, QueryError> {
        self.ask(async |session| session.query_opt(sql, values).await)
    }

    /// Runs statements without values, one after another.
    pub fn batch_execute(&mut self, sql: &str) -> Result<(), QueryError> {
        self.ask(async |session| session.batch_execute(sql).await)
    }

    /// Runs statements as text; what each of them returns, as text.
    pub fn simple_query(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, QueryError> {
        self.ask(async |session| session.simple_query(sql).await)
    }

    /// Prepares a statement.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement, QueryError> {
        self.ask(async |session| session.prepare(sql).await)
    }

    /// Begins a transaction.
    pub fn transaction(&mut self) -> Result<Transaction<'_>, QueryError> {
        self.begin("BEGIN")
    }

    /// Begins a transaction that only reads, all of it in one snapshot.
    pub fn reading(&mut self) -> Result<Transaction<'_>, QueryError> {
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    }

    fn begin(&mut self, sql: &str) -> Result<Transaction<'_>, QueryError> {
        self.batch_execute(sql)?;
        Ok(Transaction { client: self, open: true })
    }

    /// Whether the session still answers, within a time. One that does not is lost.
    pub fn is_valid(&mut self, limit: Duration) -> Result<(), QueryError> {
        let bounds = self.bounds.limited(limit);
        let theirs = std::mem::replace(&mut self.bounds, bounds);
        let answer = self.batch_execute("");
        self.bounds = theirs;
        answer
    }

    /// Whether the session has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lost || self.session.as_ref().is_none_or(tokio_postgres::Client::is_closed)
    }

    fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(&tokio_postgres::Client) -> Result<T, postgres::Error>,
    ) -> Result<T, QueryError> {
        let Some(session) = self.session.as_ref().filter(|_| !self.lost) else {
            let why = self.bounds.check(ASKING).err();
            return Err(QueryError::Ended(why.unwrap_or_else(|| Error::Sql(LOST.into())), None));
        };
        let (bounds, stop) = (&self.bounds, self.cancel.cancel_query(self.tls.clone()));
        let answer = self.runtime.block_on(async {
            let mut question = pin!(question(session));
            let why = match bounds.wait(ASKING, &mut question).await {
                Ok(answer) => return Ok(answer?),
                Err(why) => why,
            };
            // Nothing goes on behind our back: the server is told to stop, and has a moment to say that it has.
            let stopped = tokio::time::timeout(GRACE, join(stop, question)).await;
            match stopped.map(|(_, answer)| answer) {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(QueryError::Ended(why, Some(error))),
                Err(_) => Err(QueryError::Ended(why, None)),
            }
        });
        match &answer {
            Err(QueryError::Ended(_, None)) => self.lost = true,
            Err(QueryError::Ended(_, Some(error))) if error.as_db_error().is_none() => {}
            _ => self.bounds.heard(),
        }
        answer
    }
}

/// Connects, and spawns what drives the connection: the server's messages, heard as they come.
async fn open(
    config: &Config,
    tls: MakeRustlsConnect,
    notices: Notices,
) -> Result<(tokio_postgres::Client, JoinHandle<()>), postgres::Error> {
    let (session, mut connection) = config.connect(tls).await?;
    let drive = async move {
        let mut messages = pin!(poll_fn(|context| connection.poll_message(context)));
        // What ends the connection is told to whoever asks next.
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notice(notice) = message {
                notices(notice);
            }
        }
    };
    Ok((session, tokio::spawn(drive)))
}

impl Drop for Client {
    /// Says goodbye, so that the session is gone when this returns, as far as the server listens.
    fn drop(&mut self) {
        drop(self.session.take());
        if let Some(connection) = self.connection.take() {
            let _ = self.runtime.block_on(async { tokio::time::timeout(FAREWELL, connection).await });
        }
    }
}

impl Transaction<'_> {
    /// Commits.
    pub fn commit(mut self) -> Result<(), QueryError> {
        self.open = false;
        self.client.batch_execute("COMMIT")
    }

    /// Rolls back.
    pub fn rollback(mut self) -> Result<(), QueryError> {
        self.open = false;
        self.client.batch_execute("ROLLBACK")
    }
}

impl std::ops::Deref for Transaction<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}

impl std::ops::DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        self.client
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            let _ = self.client.batch_execute("ROLLBACK");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::mute::{Mute, on_a_port};

    /// A server that says: welcome, ready; and is silent from then on.
    const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I";

    fn connect(how: Mute, limit: Duration) -> Result<Result<Client, postgres::Error>, Error> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(on_a_port(how).port()).user("u");
        crate::tls::Tls::OFF.connect(&mut config, |config, tls| {
            Client::connect(config, tls, &Bounds::within(limit), Box::new(drop))
        })
    }

    #[test]
    fn a_server_that_is_silent_or_slow_or_talks_nonsense_is_waited_for_until_the_deadline_and_no_longer() {
        // The last one is the beginning of a message of a gigabyte, by PostgreSQL's rules.
        for how in [Mute::Silent, Mute::Drips(b"S"), Mute::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n")] {
            let ended = connect(how, Duration::from_millis(50)).map(|made| made.map(drop));
            assert!(matches!(ended, Err(Error::Deadline { .. })), "{how:?}: {ended:?}");
        }
    }

    #[test]
    fn a_session_that_stopped_answering_is_lost_and_not_asked_again() {
        let mut client = connect(Mute::Says(WELCOME), Duration::from_millis(100)).unwrap().unwrap();
        let error = client.batch_execute("SELECT 1").unwrap_err();
        assert!(matches!(error.unless_silent(), Err(Error::Deadline { .. })));
        assert!(client.is_closed());
        let begun = Instant::now();
        assert!(client.batch_execute("SELECT 1").is_err());
        assert!(begun.elapsed() < GRACE, "it is not waited for a second time");
    }
}
