//! How long the certificate of an https:// URL is still good.

use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use serde_json::json;
use ureq::http::Uri;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::entry::{Entry, attention_if};

const LIMIT: Duration = Duration::from_secs(5);
/// Fewer days need attention: who renews by a timer does so 30 days before.
const FEWEST: i64 = 21;

/// One entry for a URL with TLS; none for another one.
pub(super) fn entry(url: &str) -> Option<Entry> {
    let uri: Uri = url.parse().ok()?;
    if uri.scheme_str() != Some("https") {
        return None;
    }
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(443);
    Some(match last_day(host, port) {
        Err(why) => Entry::unseen("certificates", &format!("{host}:{port}: {why}")),
        Ok(end) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let days = (end - i64::try_from(now).unwrap_or(0)) / 86_400;
            let msg = format!("the certificate of {host}:{port} is good for {days} more days");
            let facts = json!({"host": host, "port": port, "days": days});
            Entry::new("certificates", "certificate", attention_if(days < FEWEST), msg, facts)
        }
    })
}

/// Seconds since 1970.
fn last_day(host: &str, port: u16) -> Result<i64, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let seen = Arc::new(Seen { provider: Arc::clone(&provider), certificate: Mutex::default() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&seen) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())?;
    let address =
        (host, port).to_socket_addrs().map_err(|e| e.to_string())?.next().ok_or("it has no address")?;
    let stream = TcpStream::connect_timeout(&address, LIMIT).map_err(|e| e.to_string())?;
    let limited = stream.set_read_timeout(Some(LIMIT)).and_then(|()| stream.set_write_timeout(Some(LIMIT)));
    limited.map_err(|e| e.to_string())?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(|e| e.to_string())?;
    // Nothing is sent but the handshake.
    let shaken = StreamOwned::new(connection, stream).flush();
    let certificate = seen.certificate.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(der) = certificate else {
        return Err(shaken.err().map_or_else(|| "it showed no certificate".into(), |e| e.to_string()));
    };
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|e| e.to_string())?;
    Ok(certificate.validity().not_after.timestamp())
}

/// Keeps the certificate and trusts everybody: an expired one must be seen too, and nothing is told to who shows it.
#[derive(Debug)]
struct Seen {
    provider: Arc<CryptoProvider>,
    certificate: Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.certificate.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection};

    use super::super::entry::Severity;
    use super::*;

    /// A URL whose certificate ends with this year's first day.
    fn serving(last_year: i32) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(last_year, 1, 1);
        let chain = vec![params.self_signed(&key).unwrap().der().clone()];
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://127.0.0.1:{}/", listener.local_addr().unwrap().port());
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let connection = ServerConnection::new(Arc::new(config)).unwrap();
            let _ = StreamOwned::new(connection, stream).read(&mut [0; 16]);
        });
        url
    }

    #[test]
    fn a_certificate_that_ends_or_has_ended_needs_attention_though_nobody_trusts_it() {
        let severity = |url: &str| entry(url).map(|entry| entry.severity);
        assert!(matches!(severity(&serving(3000)), Some(Severity::Fine)));
        assert!(matches!(severity(&serving(2021)), Some(Severity::Attention)));
        assert!(entry("http://127.0.0.1/").is_none());
    }

    #[test]
    fn a_server_that_shows_none_is_told_as_not_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://127.0.0.1:{}/", listener.local_addr().unwrap().port());
        std::thread::spawn(move || drop(listener.accept()));
        let entry = entry(&url).unwrap();
        assert!(!matches!(entry.severity, Severity::Fine), "{}", entry.msg);
    }
}
