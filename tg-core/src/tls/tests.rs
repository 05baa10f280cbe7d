//! Against a server that speaks as much of PostgreSQL's protocol as a connection needs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::bounds::Bounds;
use crate::client::Client;
use crate::connection_string::ConnectionString;

const SSL_REQUEST: u32 = 80_877_103;

/// What a server lets in: `hostssl`, `hostnossl` or both; and whether it speaks TLS.
#[derive(Clone, Copy)]
struct Door {
    tls: bool,
    encrypted: bool,
    plain: bool,
}

const WITHOUT: Door = Door { tls: false, encrypted: false, plain: true };
const WITH: Door = Door { tls: true, encrypted: true, plain: true };
const ENCRYPTED_ONLY: Door = Door { tls: true, encrypted: true, plain: false };
const PLAIN_ONLY: Door = Door { tls: true, encrypted: false, plain: true };

/// An authority, and a certificate of it for `localhost`.
struct Certificates {
    dir: tempfile::TempDir,
    config: Arc<ServerConfig>,
}

impl Certificates {
    fn new(name: &str, last_year: i32) -> Self {
        let mut ca = CertificateParams::new(vec![]).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, "tg test");
        let ca_key = KeyPair::generate().unwrap();
        let authority = ca.self_signed(&ca_key).unwrap();
        let mut own = CertificateParams::new(vec![name.to_owned()]).unwrap();
        own.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let issued = own.signed_by(&key, &Issuer::new(ca, &ca_key)).unwrap();
        Self::of(&authority.pem(), issued.der().clone(), &key)
    }

    /// One that signs itself, and calls itself an authority as `openssl req -x509` makes it; without alternative names.
    fn alone(common_name: &str) -> Self {
        let mut own = CertificateParams::new(vec![]).unwrap();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        own.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().unwrap();
        let signed = own.self_signed(&key).unwrap();
        Self::of(&signed.pem(), signed.der().clone(), &key)
    }

    fn of(root: &str, certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("root.crt"), root).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        Certificates { dir, config: Arc::new(config) }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root.crt")
    }

    /// A server with this certificate: its port, and for each connection that got as far as to say who comes whether
    /// that was encrypted.
    fn serve(&self, door: Door) -> (u16, Receiver<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, hears) = channel();
        let config = Arc::clone(&self.config);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that breaks off is no failure of the server.
                let _ = answer(stream.unwrap(), door, &config, &tell);
            }
        });
        (port, hears)
    }
}

fn message(stream: &mut impl Read) -> std::io::Result<u32> {
    let mut head = [0; 8];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    stream.read_exact(&mut vec![0; length - 8])?;
    Ok(u32::from_be_bytes([head[4], head[5], head[6], head[7]]))
}

fn answer(
    mut stream: TcpStream,
    door: Door,
    config: &Arc<ServerConfig>,
    heard: &Sender<bool>,
) -> std::io::Result<()> {
    if message(&mut stream)? != SSL_REQUEST {
        return greet(&mut stream, door.plain, || heard.send(false).unwrap());
    }
    stream.write_all(if door.tls { b"S" } else { b"N" })?;
    if door.tls {
        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        message(&mut stream)?;
        return greet(&mut stream, door.encrypted, || heard.send(true).unwrap());
    }
    message(&mut stream)?;
    greet(&mut stream, door.plain, || heard.send(false).unwrap())
}

/// `AuthenticationOk` and `ReadyForQuery`; else the error of a `pg_hba.conf` without a line.
fn greet(stream: &mut impl Write, in_: bool, heard: impl FnOnce()) -> std::io::Result<()> {
    heard();
    let refusal = b"SFATAL\0C28000\0Mno pg_hba.conf entry\0\0";
    if in_ {
        stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")?;
    } else {
        stream.write_all(b"E")?;
        stream.write_all(&u32::try_from(refusal.len() + 4).unwrap().to_be_bytes())?;
        stream.write_all(refusal)?;
    }
    stream.flush()
}

/// How the connection that was let in came, `Some(true)` encrypted; and of each that told who comes whether it was.
fn connect(tls: &Tls, port: u16, hears: &Receiver<bool>) -> (Option<bool>, Vec<bool>) {
    let mut config = Config::new();
    config.host("localhost").hostaddr([127, 0, 0, 1].into()).port(port).user("u").dbname("d");
    let client = tls
        .connect(&mut config, |config, tls| Client::connect(config, tls, &Bounds::none(), Box::new(drop)))
        .unwrap();
    let came: Vec<bool> = hears.try_iter().collect();
    (client.ok().and_then(|_| came.last().copied()), came)
}

fn of(text: &str) -> Tls {
    Tls::from(&ConnectionString::parse(text).unwrap(), &|_| None, None).unwrap()
}

#[test]
fn each_mode_connects_as_libpq_s_table_says() {
    let own = Certificates::new("localhost", 3000);
    // Encrypted, plainly, or not at all.
    let (encrypted, plain, none) = (Some(true), Some(false), None);
    for (mode, with, without, encrypted_only, plain_only) in [
        ("disable", plain, plain, none, plain),
        ("allow", plain, plain, encrypted, plain),
        ("prefer", encrypted, plain, encrypted, plain),
        ("require", encrypted, none, encrypted, none),
    ] {
        let tls = of(&format!("postgres://u@localhost/d?sslmode={mode}"));
        for (door, wanted) in
            [(WITH, with), (WITHOUT, without), (ENCRYPTED_ONLY, encrypted_only), (PLAIN_ONLY, plain_only)]
        {
            let (port, hears) = own.serve(door);
            assert_eq!(connect(&tls, port, &hears).0, wanted, "{mode}");
        }
    }
    let (port, hears) = own.serve(WITH);
    assert_eq!(connect(&of("postgres://u@localhost/d"), port, &hears).0, encrypted, "the default is prefer");
}

#[test]
fn a_url_that_asks_for_a_proof_never_says_who_comes_without_it() {
    let (own, stranger) = (Certificates::new("localhost", 3000), Certificates::new("localhost", 3000));
    let (named_otherwise, expired) = (Certificates::new("db", 3000), Certificates::new("localhost", 2021));
    let cases = [
        ("verify-full", &own, &own, true),
        ("verify-full", &own, &stranger, false),
        ("verify-full", &named_otherwise, &named_otherwise, false),
        ("verify-full", &expired, &expired, false),
        ("verify-ca", &own, &own, true),
        ("verify-ca", &own, &stranger, false),
        ("verify-ca", &named_otherwise, &named_otherwise, true),
        ("verify-ca", &expired, &expired, false),
        // With a root, as verify-ca.
        ("require", &own, &stranger, false),
        ("require", &named_otherwise, &named_otherwise, true),
    ];
    for (mode, server, root, good) in cases {
        let root = root.root();
        let tls = of(&format!("postgres://u@localhost/d?sslmode={mode}&sslrootcert={}", root.display()));
        let (port, hears) = server.serve(WITH);
        let (came, all) = connect(&tls, port, &hears);
        assert_eq!(came, good.then_some(true), "{mode}");
        assert_eq!(all.len(), usize::from(good), "{mode}: nothing is said to a server that is not proven");
        let (port, hears) = server.serve(WITHOUT);
        assert_eq!(connect(&tls, port, &hears), (None, vec![]), "{mode}: nothing is said plainly");
    }
}

#[test]
fn a_certificate_that_signs_itself_stands_for_itself_and_is_called_by_its_common_name() {
    let (alone, other) = (Certificates::alone("localhost"), Certificates::alone("db"));
    let full = |root: &Certificates| {
        of(&format!("postgres://u@localhost/d?sslmode=verify-full&sslrootcert={}", root.root().display()))
    };
    let (port, hears) = alone.serve(WITH);
    assert_eq!(connect(&full(&alone), port, &hears).0, Some(true));
    assert_eq!(connect(&full(&other), port, &hears), (None, vec![]));
    let (port, hears) = other.serve(WITH);
    assert_eq!(connect(&full(&other), port, &hears), (None, vec![]), "it is called db");
}

#[test]
fn what_the_url_does_not_say_comes_from_libpq_s_environment_and_files() {
    let home = tempfile::tempdir().unwrap();
    let from = |text: &str, env: &[(&str, &str)]| {
        let of = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Tls::from(&ConnectionString::parse(text).unwrap(), &of, Some(home.path()))
    };
    let url = "postgres://u@h/d";
    assert_eq!(from(url, &[]).unwrap().mode, Mode::Prefer);
    assert_eq!(from(url, &[("PGSSLMODE", "require")]).unwrap().mode, Mode::Require);
    let both = from(&format!("{url}?sslmode=disable"), &[("PGSSLMODE", "require")]);
    assert_eq!(both.unwrap().mode, Mode::Disable);
    assert_eq!(from(&format!("{url}?sslrootcert=system"), &[]).unwrap().mode, Mode::VerifyFull);
    assert_eq!(from(&format!("{url}?sslmode=verify-full"), &[]).unwrap().roots, Some(Roots::System));
    for wrong in [
        "sslmode=maybe",
        "sslmode=verify-ca",
        "sslmode=require&sslrootcert=system",
        "sslcrl=/x",
        "require_auth=md5",
        "gssencmode=require",
        "sslnegotiation=direct",
        "sslcert=/x",
    ] {
        assert!(from(&format!("{url}?{wrong}"), &[]).is_err(), "{wrong}");
    }
    std::fs::create_dir(home.path().join(".postgresql")).unwrap();
    let root = home.path().join(".postgresql/root.crt");
    std::fs::write(&root, "").unwrap();
    assert_eq!(from(&format!("{url}?sslmode=require"), &[]).unwrap().roots, Some(Roots::File(root)));
    // A file that is named must be there.
    let missing = from(&format!("{url}?sslmode=require&sslrootcert=/nonexistent.pem"), &[]).unwrap();
    let error = missing.connector(&Arc::default()).err().unwrap();
    assert!(error.to_string().contains("/nonexistent.pem"), "{error}");
}

#[test]
fn clients_are_told_the_same_and_those_beside_the_server_no_file_of_ours() {
    let tls = of("postgres://u@h/d?sslmode=verify-full&sslrootcert=/ca.pem&channel_binding=require");
    let told =
        |inside| tls.environment(inside).into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
    assert_eq!(told(false), ["PGSSLMODE=verify-full", "PGSSLROOTCERT=/ca.pem", "PGCHANNELBINDING=require"]);
    assert_eq!(told(true), ["PGSSLMODE=require"]);
}
