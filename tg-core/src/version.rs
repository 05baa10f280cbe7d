//! Versions of releases, compared by Semantic Versioning.

use semver::Version;

/// How far apart two releases are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// The same version.
    Same,
    /// Only the patch number grows.
    Patch,
    /// The minor number grows.
    Minor,
    /// The major number grows: breaking changes.
    Major,
    /// The target is older.
    Downgrade,
    /// One of the two is no semantic version.
    Unknown,
}

/// Reads `1.5.0`, `v1.5.0` and `1.5`; build metadata and pre-releases are kept.
#[must_use]
pub fn parse(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    Version::parse(text).ok().or_else(|| {
        let dots = text.bytes().filter(|b| *b == b'.').count();
        (dots < 2).then(|| Version::parse(&format!("{text}{}", ".0".repeat(2 - dots))).ok()).flatten()
    })
}

/// Whether a tag is a release's whole version, such as an application would tell: `1.5.0`, not
/// `latest`, `1` or a branch.
#[must_use]
pub fn is_release(tag: &str) -> bool {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).is_ok()
}

/// The distance from one release to another.
#[must_use]
pub fn distance(from: &str, to: &str) -> Distance {
    if from == to {
        return Distance::Same;
    }
    let (Some(from), Some(to)) = (parse(from), parse(to)) else {
        return Distance::Unknown;
    };
    match to.cmp_precedence(&from) {
        std::cmp::Ordering::Less => Distance::Downgrade,
        std::cmp::Ordering::Equal => Distance::Same,
        std::cmp::Ordering::Greater if to.major != from.major => Distance::Major,
        // Before 1.0 a minor step may break everything: Semantic Versioning 2.0.0, item 4.
        std::cmp::Ordering::Greater if to.major == 0 && to.minor != from.minor => Distance::Major,
        std::cmp::Ordering::Greater if to.minor != from.minor => Distance::Minor,
        std::cmp::Ordering::Greater => Distance::Patch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_follow_semantic_versioning() {
        for (from, to, expected) in [
            ("1.4.0", "1.4.0", Distance::Same),
            ("1.4.0", "1.4.1", Distance::Patch),
            ("v1.4.0", "1.5.0", Distance::Minor),
            ("1.4", "2.0.0", Distance::Major),
            ("0.4.0", "0.5.0", Distance::Major),
            ("1.5.0", "1.4.9", Distance::Downgrade),
            ("1.5.0-rc.1", "1.5.0", Distance::Patch),
            ("1.5.0", "latest", Distance::Unknown),
        ] {
            assert_eq!(distance(from, to), expected, "{from} -> {to}");
        }
    }
}
