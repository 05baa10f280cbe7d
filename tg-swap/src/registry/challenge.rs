//! What a registry wants to see before it answers: RFC 9110, section 11.6.1, and the token
//! authentication of the distribution project.

use http_auth::{ChallengeRef, parse_challenges};

/// A challenge that we can meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token of another service.
    Bearer {
        /// The URL of the service.
        realm: String,
        /// The name by which that service knows the registry.
        service: Option<String>,
        /// What the token must allow.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The challenge to meet among those of the `WWW-Authenticate` headers: a token before a
    /// password, because it is worth less.
    pub(crate) fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let challenges: Vec<ChallengeRef> =
            headers.filter_map(|text| parse_challenges(text).ok()).flatten().collect();
        let bearer = challenges.iter().filter(|c| c.scheme.eq_ignore_ascii_case("bearer")).find_map(bearer);
        let basic = || challenges.iter().find(|c| c.scheme.eq_ignore_ascii_case("basic"));
        bearer.or_else(|| basic().map(|_| Challenge::Basic))
    }
}

fn bearer(challenge: &ChallengeRef) -> Option<Challenge> {
    let parameter = |wanted: &str| {
        let found = challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.to_unescaped())
    };
    Some(Challenge::Bearer {
        realm: parameter("realm")?,
        service: parameter("service"),
        scope: parameter("scope"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(headers: &[&str]) -> Option<Challenge> {
        Challenge::choose(headers.iter().copied())
    }

    fn token(service: Option<&str>, scope: Option<&str>) -> Challenge {
        let (service, scope) = (service.map(Into::into), scope.map(Into::into));
        Challenge::Bearer { realm: "https://auth.example.org/token".into(), service, scope }
    }

    #[test]
    fn a_scope_with_a_comma_is_one_scope() {
        let header = r#"Bearer realm="https://auth.example.org/token",service="r.example.org",scope="repository:a/b:pull,push""#;
        assert_eq!(choose(&[header]), Some(token(Some("r.example.org"), Some("repository:a/b:pull,push"))));
    }

    #[test]
    fn names_are_read_in_any_case_and_parameters_may_be_missing() {
        assert_eq!(choose(&[r#"BEARER Realm="https://auth.example.org/token""#]), Some(token(None, None)));
        assert_eq!(choose(&[r#"bAsIc realm="x""#]), Some(Challenge::Basic));
    }

    #[test]
    fn a_token_is_preferred_wherever_it_stands() {
        let bearer = r#"Bearer realm="https://auth.example.org/token""#;
        assert_eq!(choose(&[&format!(r#"Basic realm="x", {bearer}"#)]), Some(token(None, None)));
        assert_eq!(choose(&[r#"Basic realm="x""#, bearer]), Some(token(None, None)));
    }

    #[test]
    fn what_can_not_be_met_is_none() {
        for header in ["", "Negotiate", r#"Bearer service="x""#, "\"", "Bearer realm=\"unclosed"] {
            assert_eq!(choose(&[header]), None, "{header}");
        }
        assert_eq!(choose(&[]), None);
    }
}
