//! Why a registry does not tell.

use ureq::http::StatusCode;

/// What stood between us and a registry's answer.
#[derive(Debug, thiserror::Error)]
#[error("registry {host} {trouble}")]
pub(crate) struct Problem {
    pub host: String,
    pub trouble: Trouble,
}

/// The words after the registry's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("does not answer: {0}")]
    Silent(String),
    #[error("wants a login that docker does not have, or has no such repository")]
    WantsLogin,
    #[error("refuses the login that docker has, or has no such repository")]
    Refused,
    #[error("can't be asked with docker's login: {0}")]
    Credentials(String),
    #[error("has no {0}")]
    Missing(String),
    #[error("answered {0}")]
    Answer(StatusCode),
    #[error("can't be understood: {0}")]
    Unreadable(String),
}

impl Trouble {
    /// Why nothing came back.
    pub(crate) fn of(error: &ureq::Error) -> Self {
        Trouble::Silent(match error {
            ureq::Error::Timeout(_) => "not within the time that it has".into(),
            ureq::Error::HostNotFound => "its host name is not known".into(),
            other => other.to_string(),
        })
    }
}

impl Problem {
    /// What a person can do about it.
    pub(crate) fn hint(&self) -> String {
        let host = &self.host;
        match self.trouble {
            Trouble::WantsLogin | Trouble::Refused | Trouble::Credentials(_) => {
                format!("log docker in to it: docker login {host}")
            }
            Trouble::Missing(_) => "check the image's name and tag in the compose file".into(),
            Trouble::Answer(StatusCode::TOO_MANY_REQUESTS) => {
                format!("ask less often, or as somebody: docker login {host}")
            }
            Trouble::Silent(_) | Trouble::Answer(_) | Trouble::Unreadable(_) => {
                format!("check that {host} is up, that this host reaches it and trusts its certificate")
            }
        }
    }
}
