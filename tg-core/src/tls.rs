//! TLS to the database, as libpq does it: <https://www.postgresql.org/docs/current/libpq-ssl.html>. Stricter in two things:
//! a file of certificates that the URL names must be there whatever the mode, and `verify-full` without any verifies
//! against the system's, where libpq has to be told `sslrootcert=system`.

mod mode;
mod settings;
#[cfg(test)]
mod tests;
mod verifier;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, version};
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;
use crate::connection_string::ConnectionString;
use mode::{Mode, mode};
use verifier::Verifier;

/// `sslrootcert`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Roots {
    System,
    File(PathBuf),
}

/// How a connection is encrypted, and how the server is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    mode: Mode,
    roots: Option<Roots>,
    /// The client's certificate and its key.
    own: Option<(PathBuf, PathBuf)>,
    /// No older version of TLS than 1.3.
    newest: bool,
    /// Without asking the server first, `sslnegotiation=direct`.
    direct: bool,
    binding: Option<ChannelBinding>,
}

impl Tls {
    /// Plain, for a server's socket.
    pub(crate) const OFF: Tls = Tls::only(Mode::Disable);
    /// Encrypted where the server can, for one that Docker tells us the address of.
    pub(crate) const PREFER: Tls = Tls::only(Mode::Prefer);

    const fn only(mode: Mode) -> Self {
        Tls { mode, roots: None, own: None, newest: false, direct: false, binding: None }
    }

    /// What an application asks for, of a server whose address is Docker's word: encryption where it wants that at least.
    /// The files that it verifies with are in its own container.
    pub(crate) fn in_project(written: &ConnectionString) -> Self {
        let asked = written.get("sslmode").and_then(|text| mode(text).ok());
        if asked >= Some(Mode::Require) { Self::only(Mode::Require) } else { Self::PREFER }
    }

    /// Whether the server's name in its certificate counts.
    pub(crate) fn verifies_name(&self) -> bool {
        self.mode == Mode::VerifyFull
    }

    /// Connects by `go`, as often as the mode says: encrypted before plainly (`prefer`), or plainly before encrypted (`allow`).
    pub(crate) fn connect<C>(
        &self,
        config: &mut Config,
        mut go: impl FnMut(&Config, MakeRustlsConnect) -> Result<Result<C, postgres::Error>, Error>,
    ) -> Result<Result<C, postgres::Error>, Error> {
        let socket = matches!(config.get_hosts().first(), Some(Host::Unix(_)));
        let (first, second) = match self.mode {
            // As libpq: sockets know no TLS.
            _ if socket => (SslMode::Disable, None),
            Mode::Disable => (SslMode::Disable, None),
            Mode::Allow => (SslMode::Disable, Some(SslMode::Require)),
            Mode::Prefer => (SslMode::Prefer, Some(SslMode::Disable)),
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => (SslMode::Require, None),
        };
        if first == SslMode::Disable && second.is_none() {
            return go(config.ssl_mode(first), bare()?);
        }
        let shown = Arc::new(AtomicBool::new(false));
        let connector = self.connector(&shown)?;
        if self.direct {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        if let Some(binding) = self.binding {
            config.channel_binding(binding);
        }
        let client = go(config.ssl_mode(first), connector.clone())?;
        match (client, second) {
            (Err(error), Some(second)) if another_way(&error, second, shown.load(Ordering::Relaxed)) => {
                go(config.ssl_mode(second), connector)
            }
            (client, _) => Ok(client),
        }
    }

    fn connector(&self, shown: &Arc<AtomicBool>) -> Result<MakeRustlsConnect, Error> {
        let verifier = match &self.roots {
            None => Verifier::none(shown),
            Some(Roots::System) => {
                Verifier::of(rustls_native_certs::load_native_certs().certs, self.verifies_name(), shown)
            }
            Some(Roots::File(path)) => {
                Verifier::of(certificates("sslrootcert", path)?, self.verifies_name(), shown)
            }
        };
        let versions: &[_] =
            if self.newest { &[&version::TLS13] } else { &[&version::TLS13, &version::TLS12] };
        let builder = ClientConfig::builder_with_provider(verifier.provider())
            .with_protocol_versions(versions)
            .map_err(|e| Error::Sql(e.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let wrong = |e: String| wrong("sslkey", key, e);
                let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(e.to_string()))?;
                builder
                    .with_client_auth_cert(certificates("sslcert", certificate)?, secret)
                    .map_err(|e| wrong(e.to_string()))?
            }
        };
        if self.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(MakeRustlsConnect::new(config))
    }

    /// The same for PostgreSQL's own clients: on this host, or in the network namespace of the server's container, where
    /// nobody stands between and none of our files is.
    pub(crate) fn environment(&self, inside: bool) -> Vec<(&'static str, String)> {
        if inside {
            let mode = if self.mode >= Mode::Require { Mode::Require } else { self.mode };
            return vec![("PGSSLMODE", mode.word().into())];
        }
        let mut all = vec![("PGSSLMODE", self.mode.word().to_owned())];
        let path = |path: &Path| path.display().to_string();
        match &self.roots {
            Some(Roots::System) => all.push(("PGSSLROOTCERT", "system".into())),
            Some(Roots::File(file)) => all.push(("PGSSLROOTCERT", path(file))),
            None => {}
        }
        if let Some((certificate, key)) = &self.own {
            all.extend([("PGSSLCERT", path(certificate)), ("PGSSLKEY", path(key))]);
        }
        if self.newest {
            all.push(("PGSSLMINPROTOCOLVERSION", "TLSv1.3".into()));
        }
        if self.direct {
            all.push(("PGSSLNEGOTIATION", "direct".into()));
        }
        match self.binding {
            Some(ChannelBinding::Require) => all.push(("PGCHANNELBINDING", "require".into())),
            Some(ChannelBinding::Disable) => all.push(("PGCHANNELBINDING", "disable".into())),
            _ => {}
        }
        all
    }
}

/// Whether libpq would try the other way: the server refused who comes in this one (SQLSTATE class 28), or the handshake failed.
fn another_way(error: &postgres::Error, second: SslMode, shown: bool) -> bool {
    match error.code() {
        Some(code) => code.code().starts_with("28") && (second == SslMode::Require || shown),
        None => second == SslMode::Disable && (shown || error.to_string().contains("TLS handshake")),
    }
}

/// Of a connection without TLS.
fn bare() -> Result<MakeRustlsConnect, Error> {
    Tls::OFF.connector(&Arc::default())
}

fn certificates(keyword: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|e| wrong(keyword, path, e.to_string()))?;
    if found.is_empty() {
        return Err(wrong(keyword, path, "no certificate in it".into()));
    }
    Ok(found)
}

fn wrong(keyword: &str, path: &Path, problem: String) -> Error {
    Error::Setting { key: keyword.into(), origin: path.display().to_string(), problem }
}
