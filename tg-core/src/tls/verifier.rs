//! What is looked at in a server's certificate: nothing, who has signed it, or its name as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

#[derive(Debug)]
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    /// Nothing is verified without.
    trusted: Option<Trusted>,
    name: bool,
    /// Whether a certificate was shown: then the server speaks TLS.
    shown: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Trusted {
    roots: RootCertStore,
    /// The same as they are: a certificate that signs itself stands for itself.
    themselves: Vec<CertificateDer<'static>>,
}

impl Verifier {
    pub(super) fn none(shown: &Arc<AtomicBool>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Verifier { provider, trusted: None, name: false, shown: Arc::clone(shown) }
    }

    pub(super) fn of(
        certificates: Vec<CertificateDer<'static>>,
        name: bool,
        shown: &Arc<AtomicBool>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        let trusted = Some(Trusted { roots, themselves: certificates });
        Verifier { trusted, name, ..Self::none(shown) }
    }

    pub(super) fn provider(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.provider)
    }

    fn chain(
        &self,
        trusted: &Trusted,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if trusted.themselves.iter().any(|own| own.as_ref() == certificate.as_ref()) {
            return in_time(certificate, now);
        }
        let algorithms = self.provider.signature_verification_algorithms.all;
        let parsed = ParsedCertificate::try_from(certificate)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &trusted.roots, intermediates, now, algorithms)
    }
}

fn in_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let read = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|e| read(e.to_string()))?;
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let now = ASN1Time::from_timestamp(seconds).map_err(|e| read(e.to_string()))?;
    match parsed.validity() {
        valid if now < valid.not_before => Err(Error::InvalidCertificate(CertificateError::NotValidYet)),
        valid if now > valid.not_after => Err(Error::InvalidCertificate(CertificateError::Expired)),
        _ => Ok(()),
    }
}

/// By its alternative names; one that has none is called by its common name, as libpq takes it.
fn named(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    let Err(error) = verify_server_name(&parsed, name) else { return Ok(()) };
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Err(error) };
    let other_names = certificate.subject_alternative_name().map_or(true, |names| names.is_some());
    let mut common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let wanted = name.to_str();
    if !other_names && common.any(|common| matches(common, &wanted)) { Ok(()) } else { Err(error) }
}

/// A star stands for one label, the first.
fn matches(pattern: &str, name: &str) -> bool {
    let rest = |text: &str| text.split_once('.').map(|(_, rest)| rest.to_ascii_lowercase());
    match pattern.strip_prefix("*.") {
        Some(domain) => rest(name).is_some_and(|rest| rest == domain.to_ascii_lowercase()),
        None => pattern.eq_ignore_ascii_case(name),
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.shown.store(true, Ordering::Relaxed);
        if let Some(trusted) = &self.trusted {
            self.chain(trusted, end_entity, intermediates, now)?;
            if self.name {
                named(end_entity, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Where the certificate is anybody's, so is its signature.
        if self.trusted.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.trusted.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
