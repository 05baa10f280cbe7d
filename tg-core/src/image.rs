//! Image references: `registry/repository:tag@sha256:…`, as the distribution project defines them.

/// The parts of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Everything before the tag, with the registry.
    pub repository: String,
    /// The tag; `latest` is not filled in.
    pub tag: Option<String>,
    /// `sha256:…`.
    pub digest: Option<String>,
}

impl Reference {
    /// Splits a reference; a colon counts as the tag's only after the last slash.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text, None),
        };
        let slash = name.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match name[slash..].find(':') {
            Some(colon) => (&name[..slash + colon], Some(name[slash + colon + 1..].to_owned())),
            None => (name, None),
        };
        Reference { repository: repository.to_owned(), tag, digest }
    }

    /// The same repository at another tag; `tag` may carry `@sha256:…`.
    #[must_use]
    pub fn at(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository)
    }

    /// The release that the reference names: its tag, or its digest where it has no tag.
    #[must_use]
    pub fn version(&self) -> &str {
        self.tag.as_deref().or(self.digest.as_deref()).unwrap_or("latest")
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Whether the text can be a tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_registry_s_port_is_no_tag() {
        let reference = Reference::parse("localhost:5000/terragnos-core");
        assert_eq!((reference.repository.as_str(), reference.tag), ("localhost:5000/terragnos-core", None));
    }

    #[test]
    fn tag_and_digest_may_stand_together() {
        let reference = Reference::parse("localhost:5000/a/b:1.4.0@sha256:0f");
        assert_eq!(reference.version(), "1.4.0");
        assert_eq!(reference.digest.as_deref(), Some("sha256:0f"));
        assert_eq!(reference.at("1.5.0"), "localhost:5000/a/b:1.5.0");
    }

    #[test]
    fn what_could_break_out_of_a_tag_is_no_tag() {
        for bad in ["", "-x", "1.5 0", "1.5;rm", "a/b", "a:b", "$(x)", "1\n2", "ü"] {
            assert!(!is_tag(bad), "{bad:?}");
        }
        assert!(is_tag("1.5.0") && is_tag("v2_rc.1-x"));
    }

    proptest! {
        #[test]
        fn printing_a_parsed_reference_gives_it_back(
            repository in "[a-z]{1,8}(:[0-9]{4}/[a-z]{1,5}|/[a-z]{1,5})?",
            tag in proptest::option::of("[a-z0-9][a-z0-9.]{0,6}"),
            digest in proptest::option::of("sha256:[0-9a-f]{64}"),
        ) {
            prop_assume!(repository.contains('/') || !repository.contains(':'));
            let reference = Reference { repository, tag, digest };
            prop_assert_eq!(Reference::parse(&reference.to_string()), reference);
        }
    }
}
