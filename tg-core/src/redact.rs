//! Keeps secrets out of every line, journal and error.

use std::fmt::Write as _;
use std::sync::Mutex;

/// What stands where a secret stood.
pub const MASK: &str = "***";

/// Secrets shorter than this would mask half of the output; such a password is refused elsewhere.
const SHORTEST: usize = 4;

/// The secrets met so far.
#[derive(Debug, Default)]
pub struct Redactor {
    secrets: Mutex<Vec<String>>,
}

impl Redactor {
    /// Remembers a secret and its form inside a URL.
    pub fn learn(&self, secret: &str) {
        let secret = secret.trim();
        if secret.len() < SHORTEST {
            return;
        }
        let mut secrets = self.lock();
        for form in [secret.to_owned(), crate::url::encode(secret)] {
            if !secrets.contains(&form) {
                secrets.push(form);
            }
        }
        // Longest first: a secret that contains another is masked whole.
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
    }

    /// The text without secrets, and without the password of any URL in it.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        let mut text = mask_url_passwords(text);
        for secret in self.lock().iter() {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }

    /// Cleans every string of a JSON value in place.
    pub fn clean_value(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.clean(text),
            serde_json::Value::Array(items) => {
                for item in items {
                    self.clean_value(item);
                }
            }
            serde_json::Value::Object(map) => {
                for item in map.values_mut() {
                    self.clean_value(item);
                }
            }
            _ => {}
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.secrets.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Masks `secret` in `scheme://user:secret@host`, wherever it stands in the text.
fn mask_url_passwords(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        clean.push_str(head);
        let end = tail.find(['/', ' ', '"', '\'', '\n']).unwrap_or(tail.len());
        let authority = &tail[..end];
        match authority.rsplit_once('@') {
            Some((user, host)) if user.contains(':') => {
                let name = user.split(':').next().unwrap_or_default();
                let _ = write!(clean, "{name}:{MASK}@{host}");
            }
            _ => clean.push_str(authority),
        }
        rest = &tail[end..];
    }
    clean.push_str(rest);
    clean
}

/// Whether an environment variable of this name holds a secret.
#[must_use]
pub fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    !name.ends_with("_FILE")
        && ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "API_KEY", "PRIVATE_KEY", "LICENSE_KEY"]
            .iter()
            .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learned_secret_never_comes_out_again() {
        let redactor = Redactor::default();
        redactor.learn("hunter2/ä");
        let mut value = serde_json::json!({"a": ["x hunter2/ä y"], "b": "hunter2%2F%C3%A4"});
        redactor.clean_value(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["x *** y"], "b": "***"}));
    }

    #[test]
    fn the_password_of_any_url_is_masked_even_when_nobody_named_it() {
        let clean = mask_url_passwords("at postgres://u:p@ss@db:5432/x and http://h/p");
        assert_eq!(clean, "at postgres://u:***@db:5432/x and http://h/p");
    }

    #[test]
    fn names_of_files_are_no_secrets() {
        assert!(names_a_secret("POSTGRES_PASSWORD") && names_a_secret("api_token"));
        assert!(!names_a_secret("POSTGRES_PASSWORD_FILE") && !names_a_secret("PORT"));
    }
}
