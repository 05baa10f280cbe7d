//! The tags that are newer than the present one.

use serde::Serialize;
use tg_core::version::{self, Distance};

use crate::outdated::tag::Tag;

/// The newest tag of each size of step; `None` where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Newer {
    pub patch: Option<String>,
    pub minor: Option<String>,
    pub major: Option<String>,
}

impl Newer {
    /// Chooses among a repository's tags; nothing is newer than a tag that holds no version.
    pub(crate) fn among(present: &str, tags: &[String]) -> Self {
        let Some(present) = Tag::parse(present) else { return Newer::default() };
        let steps: Vec<(Tag, &String, Distance)> = tags
            .iter()
            .filter_map(|text| Some((Tag::parse(text)?, text)))
            .filter(|(tag, _)| tag.may_follow(&present))
            .map(|(tag, text)| {
                let distance = version::distance(&present.version.to_string(), &tag.version.to_string());
                (tag, text, distance)
            })
            .collect();
        let newest = |wanted: Distance| {
            let fitting = steps.iter().filter(|(_, _, distance)| *distance == wanted);
            fitting.max_by(|a, b| a.0.version.cmp(&b.0.version)).map(|(_, text, _)| (*text).clone())
        };
        Newer {
            patch: newest(Distance::Patch),
            minor: newest(Distance::Minor),
            major: newest(Distance::Major),
        }
    }

    /// Each step with its name, smallest first.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("patch", &self.patch), ("minor", &self.minor), ("major", &self.major)]
            .into_iter()
            .filter_map(|(name, tag)| Some((name, tag.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn newer(present: &str, tags: &[&str]) -> Newer {
        Newer::among(present, &tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_newest_of_each_step_is_told() {
        let tags = ["1.3.9", "1.4.0", "1.4.1", "1.5.0", "1.5.10", "1.5.9", "2.0.0", "3.0.0-rc.1", "latest"];
        let found = newer("1.4.0", &tags);
        let steps: Vec<_> = found.steps().collect();
        assert_eq!(steps, [("patch", "1.4.1"), ("minor", "1.5.10"), ("major", "2.0.0")]);
    }

    #[test]
    fn nothing_is_newer_than_the_newest_or_than_no_version() {
        assert_eq!(newer("2.0.0", &["1.0.0", "2.0.0", "2.0.0-rc.1", "v3.0.0"]), Newer::default());
        assert_eq!(newer("latest", &["1.0.0", "2.0.0"]), Newer::default());
    }

    /// Tags that often are of the same flavour.
    fn tags() -> impl Strategy<Value = String> {
        ("v?", 0u64..4, 0u64..4, 0u64..4, "(-alpine|-rc\\.[0-9]|rc1[0-9]?)?")
            .prop_map(|(prefix, a, b, c, suffix)| format!("{prefix}{a}.{b}.{c}{suffix}"))
    }

    proptest! {
        #[test]
        fn what_is_told_is_the_greatest_within_its_class(
            present in tags(),
            all in proptest::collection::vec(tags(), 0..40),
        ) {
            let from = Tag::parse(&present).unwrap();
            let found = Newer::among(&present, &all);
            for (class, chosen) in [
                (Distance::Patch, &found.patch), (Distance::Minor, &found.minor), (Distance::Major, &found.major),
            ] {
                let class_of = |to: &Tag| version::distance(&from.version.to_string(), &to.version.to_string());
                let mut rivals = all.iter().filter_map(|t| Tag::parse(t)).filter(|t| t.may_follow(&from) && class_of(t) == class);
                let Some(chosen) = chosen else {
                    prop_assert!(rivals.next().is_none());
                    continue;
                };
                prop_assert!(all.contains(chosen), "{chosen} is a tag of the registry");
                let to = Tag::parse(chosen).unwrap();
                prop_assert!(to.version > from.version && to.may_follow(&from));
                prop_assert_eq!(class_of(&to), class);
                prop_assert!(rivals.all(|rival| rival.version <= to.version));
            }
        }
    }
}
