//! The certificates that a registry is verified against.

use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

/// Where the engine looks for a registry's own authority: `HOST[:PORT]/*.crt`, see
/// <https://docs.docker.com/engine/security/certificates/>.
const ENGINE: &str = "/etc/docker/certs.d";

/// The authority that was given to the engine for this host, else the system's.
pub(crate) fn of(host: &str) -> RootCerts {
    let own = authorities(&Path::new(ENGINE).join(host));
    if own.is_empty() { RootCerts::PlatformVerifier } else { RootCerts::from(own) }
}

fn authorities(dir: &Path) -> Vec<Certificate<'static>> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    files
        .filter(|file| file.extension().is_some_and(|end| end == "crt"))
        .filter_map(|file| std::fs::read(file).ok())
        .flat_map(|pem| parse_pem(&pem).flatten().collect::<Vec<_>>())
        .filter_map(
            |item| if let PemItem::Certificate(certificate) = item { Some(certificate) } else { None },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_s_own_authorities_are_read_from_crt_files_alone() {
        let dir = tempfile::tempdir().unwrap();
        let certificate =
            |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
        write("ca.crt", certificate("AAAA") + &certificate("BBBB"));
        write("client.cert", certificate("CCCC"));
        write("broken.crt", "no certificate".into());
        let mut found: Vec<Vec<u8>> = authorities(dir.path()).iter().map(|c| c.der().to_vec()).collect();
        found.sort();
        assert_eq!(found, [vec![0, 0, 0], vec![4, 16, 65]]);
        assert!(authorities(&dir.path().join("nonexistent")).is_empty());
    }
}
