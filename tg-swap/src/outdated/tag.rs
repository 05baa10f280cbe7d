//! A tag read as a version, with what stands around it.

use semver::{BuildMetadata, Prerelease, Version};

/// Words that begin a pre-release; any other word after the numbers is a flavour.
const EARLY: [&str; 14] = [
    "a",
    "alpha",
    "b",
    "beta",
    "canary",
    "dev",
    "ea",
    "m",
    "milestone",
    "next",
    "nightly",
    "pre",
    "rc",
    "snapshot",
];
/// Numbers from here on are dates such as 20240923, with which no release's number competes.
const DATES: u64 = 10_000_000;

/// A tag that holds a version: `v1.2.3`, `1.2`, `17-alpine`, `1.5.0-rc.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// The version, with zeros for the numbers that the tag leaves out.
    pub version: Version,
    flavour: Flavour,
}

/// What two tags must share to be releases of the same thing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Flavour {
    prefix: String,
    /// How many numbers are written: `17` follows all of 17.x by itself, and its successor is `18`.
    numbers: usize,
    suffix: String,
    dated: bool,
}

impl Tag {
    /// Reads a tag; `None` where it holds no version of one to three numbers.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (prefix, rest) = text.split_at(text.find(|c: char| c.is_ascii_digit())?);
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let written = rest[..end].trim_end_matches('.');
        let numbers: Vec<u64> = written.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        let after = rest[written.len()..].trim_start_matches(['.', '_', '-']);
        let (early, suffix): (Vec<&str>, Vec<&str>) = after.split('-').partition(|part| is_early(part));
        let (major, minor, patch) = match numbers[..] {
            [major] => (major, 0, 0),
            [major, minor] => (major, minor, 0),
            [major, minor, patch] => (major, minor, patch),
            _ => return None,
        };
        let pre = Prerelease::new(&identifiers(&early)).ok()?;
        Some(Tag {
            version: Version { major, minor, patch, pre, build: BuildMetadata::EMPTY },
            flavour: Flavour {
                prefix: prefix.to_owned(),
                numbers: numbers.len(),
                suffix: suffix.join("-"),
                dated: major >= DATES,
            },
        })
    }

    /// Whether this tag may follow the other: the same flavour, and no pre-release after a release.
    pub(crate) fn may_follow(&self, present: &Tag) -> bool {
        self.flavour == present.flavour && (self.version.pre.is_empty() || !present.version.pre.is_empty())
    }
}

fn is_early(part: &str) -> bool {
    let (word, rest) = split_word(part);
    EARLY.contains(&word.to_ascii_lowercase().as_str())
        && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn split_word(part: &str) -> (&str, &str) {
    part.split_at(part.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(part.len()))
}

/// `rc1` as `rc.1`, because Semantic Versioning compares numbers only where they stand alone.
fn identifiers(early: &[&str]) -> String {
    let mut all = Vec::new();
    for part in early {
        let (word, rest) = split_word(part);
        all.push(word.to_ascii_lowercase());
        all.extend(rest.split('.').filter_map(|number| number.parse::<u64>().ok()).map(|n| n.to_string()));
    }
    all.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Option<String> {
        Tag::parse(text).map(|tag| tag.version.to_string())
    }

    fn follows(present: &str, next: &str) -> bool {
        Tag::parse(next).unwrap().may_follow(&Tag::parse(present).unwrap())
    }

    #[test]
    fn a_version_is_found_between_prefix_and_flavour() {
        for (tag, expected) in [
            ("1.4.0", "1.4.0"),
            ("v1.2.3", "1.2.3"),
            ("22.04", "22.4.0"),
            ("17-alpine", "17.0.0"),
            ("1.5.0-rc.1", "1.5.0-rc.1"),
            ("18beta2-bookworm", "18.0.0-beta.2"),
            ("3.14.0a1-slim", "3.14.0-a.1"),
            ("2.0.0-SNAPSHOT", "2.0.0-snapshot"),
            ("1.0.0-rc01", "1.0.0-rc.1"),
        ] {
            assert_eq!(version(tag).as_deref(), Some(expected), "{tag}");
        }
    }

    #[test]
    fn what_holds_no_version_is_none() {
        for tag in ["latest", "stable-slim", "1.2.3.4", "1..2", "99999999999999999999999"] {
            assert_eq!(version(tag), None, "{tag}");
        }
    }

    #[test]
    fn only_the_same_flavour_follows() {
        assert!(follows("17-alpine", "18-alpine") && follows("v1.2.3", "v1.2.4"));
        for (present, next) in [
            ("17-alpine", "18"),
            ("17", "18-alpine"),
            ("17", "17.2"),
            ("v1.2.3", "1.2.4"),
            ("1.2.3-alpine3.20", "1.2.4-alpine3.21"),
            ("3", "20240923"),
            ("17beta1-alpine", "17beta2"),
        ] {
            assert!(!follows(present, next), "{present} -> {next}");
        }
    }

    #[test]
    fn a_pre_release_follows_only_a_pre_release() {
        assert!(!follows("1.4.0", "1.5.0-rc.1"));
        assert!(follows("1.5.0-rc.1", "1.5.0-rc.2") && follows("1.5.0-rc.1", "1.5.0"));
        assert!(follows("18beta1-alpine", "18-alpine"), "the flavour of a pre-release is its release's");
        assert!(Tag::parse("1.0.0-rc10").unwrap().version > Tag::parse("1.0.0-rc9").unwrap().version);
    }
}
