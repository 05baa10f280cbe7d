//! What a connection string, the environment and the files below the home directory say of TLS.

use std::path::{Path, PathBuf};

use postgres::config::ChannelBinding;

use super::mode::{Mode, mode};
use super::{Roots, Tls};
use crate::connection_string::ConnectionString;
use crate::settings::process_env;

/// Of what could not be held, what the connection string must not ask for.
const REFUSED: [&str; 3] = ["sslcrl", "sslcrldir", "require_auth"];

impl Tls {
    /// As the connection string says, else libpq's environment, else its files below the home directory.
    pub(crate) fn of(written: &ConnectionString) -> Result<Self, String> {
        Self::from(written, &process_env, std::env::home_dir().as_deref())
    }

    pub(super) fn from(
        written: &ConnectionString,
        env: &dyn Fn(&str) -> Option<String>,
        home: Option<&Path>,
    ) -> Result<Self, String> {
        let of =
            |keyword: &str, variable: &str| written.get(keyword).map(str::to_owned).or_else(|| env(variable));
        let files = home.map(|home| home.join(".postgresql"));
        let default = |name: &str| files.as_ref().map(|dir| dir.join(name)).filter(|path| path.is_file());
        if let Some(refused) = REFUSED.into_iter().find(|keyword| written.get(keyword).is_some()) {
            return Err(format!("{refused} is not supported"));
        }
        if written.get("gssencmode") == Some("require") {
            return Err("gssencmode=require is not supported".into());
        }
        let named = of("sslrootcert", "PGSSLROOTCERT");
        let system = named.as_deref() == Some("system");
        let mode = match of("sslmode", "PGSSLMODE") {
            Some(text) => mode(&text)?,
            None if system => Mode::VerifyFull,
            None => Mode::Prefer,
        };
        // Who names a file in the connection string expects it to be used; one of the environment is for many.
        let counts =
            |path: &Path| path.is_file() || mode >= Mode::VerifyCa || written.get("sslrootcert").is_some();
        let roots = match named {
            Some(_) if system => Some(Roots::System),
            Some(path) => Some(PathBuf::from(path)).filter(|path| counts(path)).map(Roots::File),
            None => default("root.crt").map(Roots::File),
        };
        if system && mode != Mode::VerifyFull && mode != Mode::Disable {
            return Err("sslrootcert=system needs sslmode=verify-full".into());
        }
        if mode == Mode::VerifyCa && roots.is_none() {
            return Err(
                "sslmode=verify-ca needs sslrootcert, the file with the authority's certificate".into()
            );
        }
        let direct = of("sslnegotiation", "PGSSLNEGOTIATION").as_deref() == Some("direct");
        if direct && mode < Mode::Require {
            return Err("sslnegotiation=direct needs sslmode=require or more".into());
        }
        let binding = match of("channel_binding", "PGCHANNELBINDING").as_deref() {
            Some("require") => Some(ChannelBinding::Require),
            Some("disable") => Some(ChannelBinding::Disable),
            _ => None,
        };
        let certificate = of("sslcert", "PGSSLCERT").map(PathBuf::from).or_else(|| default("postgresql.crt"));
        let key = of("sslkey", "PGSSLKEY").map(PathBuf::from).or_else(|| default("postgresql.key"));
        let wanted = of("sslcertmode", "PGSSLCERTMODE").as_deref() != Some("disable");
        if wanted && certificate.is_some() && key.is_none() {
            return Err("sslcert needs sslkey, the file with its key".into());
        }
        Ok(Tls {
            mode,
            roots: roots.or((mode == Mode::VerifyFull).then_some(Roots::System)),
            own: certificate.filter(|_| wanted).zip(key),
            newest: of("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION").as_deref() == Some("TLSv1.3"),
            direct,
            binding,
        })
    }
}
