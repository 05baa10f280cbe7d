//! Meets a registry's challenge: the `Authorization` header for what it holds back.

use docker_credential::DockerCredential;
use tg_core::redact::Redactor;
use ureq::http::Uri;

use crate::registry::challenge::Challenge;
use crate::registry::credentials;
use crate::registry::problem::Trouble;
use crate::registry::{Registry, agent, read};

/// Who asks the token service; it wants a name where it is given an identity token.
const CLIENT: &str = "tg-swap";

impl Registry<'_> {
    /// The header that meets one of these challenges. Whatever is secret in it is learned first.
    pub(crate) fn authorize(&mut self, challenges: &[&str]) -> Result<String, Trouble> {
        let challenge = Challenge::choose(challenges.iter().copied());
        let credential = match &self.config {
            Some(config) => credentials::of(config, self.repository.login(), self.limit()),
            None => Ok(None),
        };
        let credential = credential.map_err(Trouble::Credentials)?;
        self.known = credential.is_some();
        match (challenge, credential) {
            (Some(Challenge::Bearer { realm, service, scope }), credential) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.repository.name));
                let query = [("service", service.unwrap_or_default()), ("scope", scope)];
                let token = self.token(&realm, query, credential)?;
                self.emit.redactor().learn(&token);
                Ok(format!("Bearer {token}"))
            }
            (Some(Challenge::Basic), Some(DockerCredential::UsernamePassword(user, password))) => {
                Ok(basic(self.emit.redactor(), &user, &password))
            }
            (Some(Challenge::Basic), _) => Err(Trouble::WantsLogin),
            (None, _) => Err(Trouble::Unreadable("it wants neither a password nor a token".into())),
        }
    }

    /// Fetches a token, anonymously where docker has no credentials, as
    /// <https://distribution.github.io/distribution/spec/auth/token/> and `…/auth/oauth/` say.
    fn token(
        &self,
        realm: &str,
        query: [(&str, String); 2],
        credential: Option<DockerCredential>,
    ) -> Result<String, Trouble> {
        #[derive(serde::Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }
        self.emit.explain(&format!("asking {realm} for a token"));
        let host = realm.parse::<Uri>().ok().and_then(|uri| Some(uri.authority()?.to_string()));
        let agent = agent(&host.unwrap_or_default(), self.is_plain());
        let limit = Some(self.limit());
        let answer = match credential {
            Some(DockerCredential::IdentityToken(identity)) => {
                self.emit.redactor().learn(&identity);
                let form = [
                    ("grant_type", "refresh_token".into()),
                    ("client_id", CLIENT.into()),
                    ("refresh_token", identity),
                ];
                agent
                    .post(realm)
                    .config()
                    .timeout_global(limit)
                    .build()
                    .send_form(form.into_iter().chain(query))
            }
            Some(DockerCredential::UsernamePassword(user, password)) => {
                let header = basic(self.emit.redactor(), &user, &password);
                agent
                    .get(realm)
                    .query_pairs(query)
                    .header("Authorization", header)
                    .config()
                    .timeout_global(limit)
                    .build()
                    .call()
            }
            None => agent.get(realm).query_pairs(query).config().timeout_global(limit).build().call(),
        };
        let mut response = answer.map_err(|e| Trouble::of(&e))?;
        match response.status().as_u16() {
            200..=299 => {}
            401 | 403 if self.known => return Err(Trouble::Refused),
            401 | 403 => return Err(Trouble::WantsLogin),
            _ => return Err(Trouble::Answer(response.status())),
        }
        let Answer { token, access_token } = read(&mut response)?;
        token.or(access_token).ok_or_else(|| Trouble::Unreadable("its token service gave no token".into()))
    }
}

fn basic(redactor: &Redactor, user: &str, password: &str) -> String {
    let header = http_auth::basic::encode_credentials(user, password);
    redactor.learn(password);
    redactor.learn(header.trim_start_matches("Basic "));
    header
}

#[cfg(test)]
mod tests {
    use tg_core::deadline::Deadline;
    use tg_core::emitter::Emitter;
    use tg_core::messages::{Messages, Verbosity};

    use super::*;
    use crate::registry::fake::{self, Fake};
    use crate::registry::problem::Problem;
    use crate::registry::repository::Repository;

    /// Asks a repository behind a token service, with this login in docker's file.
    fn ask<T>(
        login: Option<&str>,
        question: impl FnOnce(&mut Registry) -> Result<T, Problem>,
    ) -> (Result<T, Problem>, String, Emitter) {
        let fake = Fake::start();
        let emit =
            Emitter::new(Messages::new("tg-swap", Verbosity::Quiet), "r", true, Box::new(std::io::sink()));
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.json");
        let login = login.map(|entry| format!(r#"{{"auths": {{"{}": {entry}}}}}"#, fake.host()));
        std::fs::write(&config, login.unwrap_or_else(|| "{}".into())).unwrap();
        let repository = Repository::parse(&format!("{}/app", fake.host()));
        let mut registry = Registry::new(&emit, Deadline::after(None), repository, true);
        registry.config = Some(config);
        let answer = question(&mut registry);
        (answer, fake.heard(), emit)
    }

    #[test]
    fn a_password_is_shown_to_the_token_service_alone_and_the_token_to_the_registry() {
        let (answer, heard, emit) = ask(Some(fake::ANN), |r| Ok((r.tags()?, r.digest("1.4.0")?)));
        let (tags, digest) = answer.unwrap();
        assert_eq!(tags, ["1.4.0", "1.4.1", "1.5.0"], "both pages");
        assert_eq!(digest.as_deref(), Some(fake::DIGEST));
        assert_eq!(heard.matches("/token?service=fake&scope=repository%3Aapp%3Apull").count(), 1, "{heard}");
        for request in heard.split("\r\n\r\n") {
            assert!(!request.contains("/v2/") || !request.to_lowercase().contains("basic"), "{request}");
        }
        assert_eq!(emit.redactor().clean(fake::SECRETS), "*** *** ***");
    }

    #[test]
    fn an_identity_is_traded_for_a_token() {
        let (answer, heard, _) = ask(Some(r#"{"identitytoken": "id3ntity"}"#), |r| r.digest("1.4.0"));
        assert_eq!(answer.unwrap().as_deref(), Some(fake::DIGEST));
        assert!(
            heard.contains("grant_type=refresh_token") && heard.contains("refresh_token=id3ntity"),
            "{heard}"
        );
    }

    #[test]
    fn what_the_registry_does_not_have_is_an_answer() {
        let (answer, ..) = ask(Some(fake::ANN), |r| r.digest("9.9.9"));
        assert_eq!(answer.unwrap(), None);
    }

    #[test]
    fn nobody_s_token_and_a_wrong_password_are_refused_with_the_cure() {
        let anonymous = ask(None, |r| r.digest("1.4.0")).0.unwrap_err();
        assert!(matches!(anonymous.trouble, Trouble::WantsLogin), "{anonymous}");
        // ann:wrong
        let wrong = ask(Some(r#"{"auth": "YW5uOndyb25n"}"#), |r| r.digest("1.4.0")).0.unwrap_err();
        assert!(matches!(wrong.trouble, Trouble::Refused), "{wrong}");
        assert_eq!(wrong.hint(), format!("log docker in to it: docker login {}", wrong.host));
    }

    #[test]
    fn passwords_never_leave_tls_for_a_token_service_without_it() {
        let fake = Fake::start();
        let refused = agent(&fake.host(), false).get(format!("http://{}/token", fake.host())).call();
        assert!(refused.is_err() && fake.heard().is_empty(), "{refused:?}");
    }
}
