//! TLS to the database, always verified: `sslmode=require` asks for no less here than `verify-full`.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;

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
            let wrong = |problem: String| Error::File { path: path.clone(), problem };
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
