//! Who we are to an object store.

use std::fmt;

const KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";

/// An access key and its secret, and a token where they are lent for a time.
#[derive(Clone)]
pub(crate) struct Credentials {
    key: String,
    secret: String,
    token: Option<String>,
}

impl Credentials {
    /// Looked up under the names that all S3 tools know, each of them also as `NAME_FILE`: a file that
    /// holds the value. An empty value counts as none.
    pub(crate) fn lookup(env: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let needed = |name: &str| value(&env, name)?.ok_or(format!("set {name}, or {name}_FILE"));
        Ok(Credentials { key: needed(KEY)?, secret: needed(SECRET)?, token: value(&env, TOKEN)? })
    }

    /// What must never come out in any output. The access key is a name, and no secret.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        [Some(self.secret.as_str()), self.token.as_deref()].into_iter().flatten()
    }

    pub(super) fn for_signing(&self) -> rusty_s3::Credentials {
        match &self.token {
            Some(token) => rusty_s3::Credentials::new_with_token(&*self.key, &*self.secret, &**token),
            None => rusty_s3::Credentials::new(&*self.key, &*self.secret),
        }
    }

    #[cfg(test)]
    pub(super) fn fake() -> Self {
        Credentials { key: "KEY".into(), secret: "SECRET".into(), token: Some("TOKEN".into()) }
    }
}

fn value(env: impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<String>, String> {
    let set = |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let file = format!("{name}_FILE");
    match (set(name), set(&file)) {
        (Some(_), Some(_)) => Err(format!("both {name} and {file} are set; unset one")),
        (value, None) => Ok(value),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(&path).map_err(|e| format!("{file}: {path}: {e}"))?;
            match text.trim() {
                "" => Err(format!("{file}: {path} is empty")),
                value => Ok(Some(value.to_owned())),
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_up(pairs: &[(&str, &str)]) -> Result<Credentials, String> {
        Credentials::lookup(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_value_may_stand_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "hunter2\n").unwrap();
        let file = path.to_str().unwrap();
        let found = looked_up(&[(KEY, "AK"), ("AWS_SECRET_ACCESS_KEY_FILE", file), (TOKEN, "")]).unwrap();
        assert_eq!(found.secrets().collect::<Vec<_>>(), ["hunter2"]);
        assert_eq!((found.for_signing().key(), found.for_signing().token()), ("AK", None));
        assert_eq!(format!("{found:?}"), "Credentials { key: \"AK\", .. }");
    }

    #[test]
    fn what_is_missing_or_double_is_named_without_its_value() {
        let error = |pairs: &[(&str, &str)]| looked_up(pairs).unwrap_err();
        assert_eq!(error(&[(SECRET, "hunter2")]), "set AWS_ACCESS_KEY_ID, or AWS_ACCESS_KEY_ID_FILE");
        let both = error(&[(KEY, "AK"), (SECRET, "hunter2"), ("AWS_SECRET_ACCESS_KEY_FILE", "/x")]);
        assert!(both.contains("unset one") && !both.contains("hunter2"), "{both}");
        let gone = error(&[(KEY, "AK"), ("AWS_SECRET_ACCESS_KEY_FILE", "/nonexistent")]);
        assert!(gone.contains("AWS_SECRET_ACCESS_KEY_FILE: /nonexistent"), "{gone}");
    }

    #[test]
    fn secret_and_token_are_what_must_be_redacted() {
        let found = looked_up(&[(KEY, "AK"), (SECRET, "hunter2"), (TOKEN, "lent")]).unwrap();
        assert_eq!(found.secrets().collect::<Vec<_>>(), ["hunter2", "lent"]);
    }
}
