//! The credentials that `docker login` has kept, in docker's config.json or behind its helpers.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use docker_credential::{CredentialRetrievalError as Lost, DockerCredential, get_credential_from_reader};

/// docker's config.json, where the environment says it is; it need not exist.
pub(crate) fn config_file() -> Option<PathBuf> {
    let named = std::env::var_os("DOCKER_CONFIG").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = named.or_else(|| std::env::home_dir().map(|home| home.join(".docker")))?;
    Some(dir.join("config.json"))
}

/// The credentials for a server, if there are any. A helper that takes longer than the limit, or
/// fails, is an error that names it; what a helper says is not repeated.
pub(crate) fn of(config: &Path, server: &str, limit: Duration) -> Result<Option<DockerCredential>, String> {
    let file = match File::open(config) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(format!("{}: {e}", config.display())),
    };
    let (sender, answer) = mpsc::channel();
    let server = server.to_owned();
    // A helper may wait for a person at a screen that nobody sees.
    std::thread::spawn(move || {
        // Nobody listens any more once the limit has passed.
        let _ = sender.send(get_credential_from_reader(BufReader::new(file), &server));
    });
    match answer.recv_timeout(limit) {
        Ok(Ok(credential)) => Ok(Some(credential)),
        Ok(Err(lost)) => describe(&lost, config),
        Err(_) => Err(format!("docker's credential helper has not answered within {} s", limit.as_secs())),
    }
}

fn describe<T>(lost: &Lost, config: &Path) -> Result<Option<T>, String> {
    let problem = match lost {
        Lost::NoCredentialConfigured | Lost::ConfigNotFound => return Ok(None),
        // The words by which every helper says that it has nothing for this server.
        Lost::HelperFailure { stdout, stderr, .. }
            if [stdout, stderr].iter().any(|text| text.contains("credentials not found")) =>
        {
            return Ok(None);
        }
        Lost::HelperFailure { helper, .. } => format!("{helper} failed"),
        Lost::HelperCommunicationError => "docker's credential helper can't be run".into(),
        Lost::MalformedHelperResponse => "docker's credential helper did not answer in JSON".into(),
        Lost::CredentialDecodingError | Lost::CredentialMismatchError | Lost::ConfigReadError => {
            "it is not as docker login writes it".into()
        }
    };
    Err(format!("{}: {problem}", config.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn ask(config: &str, server: &str) -> Result<Option<DockerCredential>, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        std::fs::write(&file, config).unwrap();
        of(&file, server, LIMIT)
    }

    fn password(user: &str, password: &str) -> DockerCredential {
        DockerCredential::UsernamePassword(user.into(), password.into())
    }

    #[test]
    fn a_login_is_found_by_its_host_and_nothing_else() {
        // ann:pass:word
        let config = r#"{"auths": {"localhost:5000": {"auth": "YW5uOnBhc3M6d29yZA=="}, "https://index.docker.io/v1/": {"auth": "Ym9iOnM="}}}"#;
        assert_eq!(ask(config, "localhost:5000").unwrap(), Some(password("ann", "pass:word")));
        assert_eq!(ask(config, "https://index.docker.io/v1/").unwrap(), Some(password("bob", "s")));
        assert_eq!(ask(config, "localhost:5001").unwrap(), None);
    }

    #[test]
    fn a_token_of_a_login_by_browser_is_an_identity() {
        let config = r#"{"auths": {"r.example.org": {"auth": "", "identitytoken": "t0ken"}}}"#;
        let expected = Some(DockerCredential::IdentityToken("t0ken".into()));
        assert_eq!(ask(config, "r.example.org").unwrap(), expected);
    }

    #[test]
    fn no_file_means_nobody_has_logged_in() {
        assert_eq!(of(Path::new("/nonexistent/config.json"), "localhost:5000", LIMIT).unwrap(), None);
        assert_eq!(ask("{}", "localhost:5000").unwrap(), None);
    }

    #[test]
    fn a_broken_file_or_helper_is_named_and_no_secret_is_repeated() {
        for config in [
            "{",
            r#"{"auths": {"localhost:5000": {"auth": "c2VjcmV0"}}}"#,
            r#"{"credsStore": "tg-nonexistent"}"#,
            r#"{"credHelpers": {"localhost:5000": "tg-nonexistent"}}"#,
        ] {
            let problem = ask(config, "localhost:5000").unwrap_err();
            assert!(problem.contains("config.json: ") && !problem.contains("c2VjcmV0"), "{problem}");
        }
    }

    #[test]
    fn a_helper_without_a_login_is_no_failure() {
        let nothing = Lost::HelperFailure {
            helper: "docker-credential-x".into(),
            stdout: "credentials not found in native keychain\n".into(),
            stderr: String::new(),
        };
        assert_eq!(describe::<()>(&nothing, Path::new("config.json")), Ok(None));
    }
}
