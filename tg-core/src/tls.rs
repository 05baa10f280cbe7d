//! TLS to the database, always verified: `sslmode=require` asks for no less here than `verify-full`.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Error, url};

/// Whether a connection is encrypted, and against which roots the server is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Plain: on this host, between containers, or as the URL asks.
    Off,
    /// Verified against the file of `sslrootcert`, else against the system's roots.
    Verified(Option<PathBuf>),
}

impl Tls {
    /// The connector; `None` for a plain connection.
    pub fn connector(&self) -> Result<Option<MakeRustlsConnect>, Error> {
        let Tls::Verified(file) = self else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        if let Some(path) = file {
            let wrong = |problem: String| Error::Setting {
                key: "sslrootcert".into(),
                origin: path.display().to_string(),
                problem,
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| wrong(e.to_string()))? {
                let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
                roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::Sql(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Some(MakeRustlsConnect::new(config)))
    }
}

/// Takes `sslmode` and `sslrootcert` out of a URL, which the postgres crate knows only in part.
pub(crate) fn split(text: &str) -> Result<(String, Tls), String> {
    let Some((base, query)) = text.split_once('?') else { return Ok((text.to_owned(), Tls::Off)) };
    let (mut kept, mut mode, mut root) = (Vec::new(), "prefer", None);
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = value,
            Some(("sslrootcert", "system")) => root = None,
            Some(("sslrootcert", value)) => root = Some(url::decode(value).into()),
            _ => kept.push(pair),
        }
    }
    let tls = match mode {
        "disable" | "allow" | "prefer" => Tls::Off,
        "require" | "verify-ca" | "verify-full" => Tls::Verified(root),
        other => {
            return Err(format!("sslmode {other}; one of disable, prefer, require, verify-ca, verify-full"));
        }
    };
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    Ok((format!("{base}{query}"), tls))
}
