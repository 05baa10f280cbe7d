//! Names and paths that somebody else wrote: in a manifest, a listing of a store, a mark on a database.
//! They are text until they are parsed here, and only what is parsed here becomes part of a path.

use std::borrow::Borrow;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// `NAME_MAX` of every file system that we know, bytes.
const LONGEST_STEP: usize = 255;
/// As long as a key in an object store may be, bytes.
const LONGEST: usize = 1024;

/// A path below a directory: plain steps with slashes between them, none of which leads up or elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Relative(String);

impl Relative {
    /// Parses a path, or says why it is not a plain one.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a path of {} bytes is too long", text.len()));
        }
        text.split('/').try_for_each(step).map_err(|why| format!("{text:?} is not a plain path: {why}"))?;
        Ok(Relative(text.to_owned()))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its steps, the first one first.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The same without the end of its name; nothing where it ends otherwise or nothing would be left.
    #[must_use]
    pub fn without(&self, suffix: &str) -> Option<Self> {
        Self::parse(self.0.strip_suffix(suffix)?).ok()
    }
}

/// Whether a text can be the name of a directory of backups' own: one plain step that is not hidden.
/// A colon would end the host's part of a bind mount.
#[must_use]
pub fn is_name(text: &str) -> bool {
    step(text).is_ok() && !text.starts_with('.') && !text.contains(['/', ':'])
}

fn step(step: &str) -> Result<(), &'static str> {
    match step {
        "" => Err("it has an empty step"),
        "." | ".." => Err("it does not stay below its directory"),
        _ if step.len() > LONGEST_STEP => Err("a step is too long"),
        _ if step.chars().any(char::is_control) => Err("it has a control character"),
        _ => Ok(()),
    }
}

impl TryFrom<String> for Relative {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Relative> for String {
    fn from(path: Relative) -> Self {
        path.0
    }
}

impl AsRef<Path> for Relative {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl Borrow<str> for Relative {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    #[test]
    fn what_leads_elsewhere_is_no_path() {
        for wrong in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../../x",
            "a/..",
            ".",
            "./a",
            "a//b",
            "a/",
            "a\nb",
            "a\0b",
        ] {
            assert!(Relative::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(Relative::parse(&"x".repeat(256)).is_err());
        assert!(Relative::parse(&"x/".repeat(600)).is_err());
        for good in ["data/toc.dat", "globals.sql.age", "..data/a...b", "we ird/Tä\"ble"] {
            assert_eq!(Relative::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_name_is_one_step_that_is_seen() {
        for wrong in ["", ".", "..", ".partial-x", "a/b", "a:b", "a\u{1b}b"] {
            assert!(!is_name(wrong), "{wrong:?}");
        }
        assert!(is_name("20261123T074500Z-x-abcdef") && is_name("before the move"));
    }

    /// Texts that are often paths.
    fn texts() -> impl Strategy<Value = String> {
        let step = prop_oneof![
            Just("..".to_owned()),
            Just(".".into()),
            Just(String::new()),
            "[a-z.]{1,4}",
            ".{0,4}"
        ];
        prop::collection::vec(step, 0..6).prop_map(|steps| steps.join("/"))
    }

    proptest! {
        #[test]
        fn what_is_parsed_stays_below_its_directory_and_reads_as_it_was_written(text in texts()) {
            if let Ok(path) = serde_json::from_value::<Relative>(text.clone().into()) {
                let joined = Path::new("/root").join(&path);
                prop_assert!(joined.starts_with("/root") && joined != Path::new("/root"));
                let plain = |c: Component| matches!(c, Component::Normal(_));
                prop_assert!(path.as_ref().components().all(plain));
                prop_assert_eq!(path.as_ref().components().count(), path.steps().count());
                prop_assert_eq!(serde_json::to_value(&path).unwrap(), text);
            }
        }

        #[test]
        fn whatever_has_only_plain_steps_is_a_path(steps in prop::collection::vec("[a-z][a-z.]{0,8}", 1..6)) {
            prop_assert!(Relative::parse(&steps.join("/")).is_ok());
        }
    }
}
