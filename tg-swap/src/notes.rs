//! Release notes: which ones lie between two releases, and what their sections are about.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde::Serialize;
use tg_core::version::{self, parse};

/// What a section is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Topic {
    Breaking,
    Migration,
    Configuration,
    Other,
}

/// The words, or their beginnings, by which a heading tells its topic.
const TOPICS: [(Topic, &[&str]); 3] = [
    (Topic::Breaking, &["breaking", "incompatib"]),
    (Topic::Migration, &["migrat", "upgrad", "updating"]),
    (Topic::Configuration, &["setting", "config", "environment", "variable"]),
];

/// A part of the notes under one heading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Section {
    /// Empty for what stands before the first one.
    pub heading: String,
    pub topic: Topic,
    /// Markdown.
    pub text: String,
}

/// The notes of one release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Notes {
    /// Where they were read.
    pub file: String,
    pub title: Option<String>,
    pub sections: Vec<Section>,
}

impl Section {
    fn new(heading: &str) -> Self {
        let words: Vec<String> =
            heading.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
        let about = |stems: &[&str]| words.iter().any(|w| stems.iter().any(|stem| w.starts_with(stem)));
        let topic = TOPICS.iter().find(|(_, stems)| about(stems)).map_or(Topic::Other, |(topic, _)| *topic);
        Section { heading: heading.to_owned(), topic, text: String::new() }
    }

    /// Whether there is more than "none", or a line that begins so, such as "none since 1.5.0".
    pub(crate) fn says_something(&self) -> bool {
        let text = self.text.to_lowercase();
        let nothing = ["", "none", "no", "-", "n/a"].contains(&text.trim_end_matches('.'));
        !nothing && (text.contains('\n') || !text.starts_with("none "))
    }
}

impl Notes {
    /// Reads Markdown. `# …` is the title; deeper headings and lines of the form `**Label:** …` begin
    /// a section each. Such a label ends at the next empty line.
    pub(crate) fn parse(file: &str, markdown: &str) -> Self {
        let mut notes = Notes { file: file.to_owned(), title: None, sections: vec![Section::new("")] };
        let (mut enclosing, mut current, mut code) = (0, 0, false);
        for line in markdown.lines().map(printable) {
            code ^= line.trim_start().starts_with("```");
            match mark(&line).filter(|_| !code) {
                Some(Mark::Title(title)) if notes.title.is_none() => notes.title = Some(title.to_owned()),
                Some(Mark::Title(heading) | Mark::Heading(heading)) => {
                    notes.sections.push(Section::new(heading));
                    (enclosing, current) = (notes.sections.len() - 1, notes.sections.len() - 1);
                }
                Some(Mark::Label(label, text)) => {
                    notes.sections.push(Section { text: format!("{text}\n"), ..Section::new(label) });
                    current = notes.sections.len() - 1;
                }
                None => {
                    if line.trim().is_empty() {
                        current = enclosing;
                    }
                    notes.sections[current].text.extend([line.as_str(), "\n"]);
                }
            }
        }
        for section in &mut notes.sections {
            section.text = section.text.trim().to_owned();
        }
        notes.sections.retain(|section| !(section.heading.is_empty() && section.text.is_empty()));
        notes
    }

    /// The environment variables that sections about configuration name as code: `` `TENANT` ``.
    pub(crate) fn variables(&self) -> BTreeSet<&str> {
        let is_name = |word: &&str| {
            word.starts_with(|c: char| c.is_ascii_uppercase())
                && word.len() > 2
                && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        };
        let about = self.sections.iter().filter(|section| section.topic == Topic::Configuration);
        about.flat_map(|section| section.text.split('`').skip(1).step_by(2)).filter(is_name).collect()
    }

    /// The notes for people: what is about breaking changes, migration and configuration.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for section in self.sections.iter().filter(|s| s.topic != Topic::Other && s.says_something()) {
            text.push_str("\n  ");
            text.push_str(&section.heading);
            for line in section.text.lines() {
                text.push_str("\n    ");
                text.push_str(line);
            }
        }
        text
    }
}

enum Mark<'a> {
    Title(&'a str),
    Heading(&'a str),
    Label(&'a str, &'a str),
}

fn mark(line: &str) -> Option<Mark<'_>> {
    let depth = line.bytes().take_while(|b| *b == b'#').count();
    if (1..=6).contains(&depth) && line[depth..].starts_with(' ') {
        let heading = line[depth..].trim().trim_end_matches('#').trim_end();
        return Some(if depth == 1 { Mark::Title(heading) } else { Mark::Heading(heading) });
    }
    let (label, text) = line.strip_prefix("**")?.split_once(":**")?;
    (!label.contains('*')).then(|| Mark::Label(label.trim(), text.trim()))
}

/// A line without control characters: notes are somebody else's text, and a terminal obeys them.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| !c.is_control()).collect()
}

/// The releases of a move in Semantic Versioning's order: those after the older end up to the newer
/// one. The target is among them with or without a file, unless the move goes back.
pub(crate) fn between<'a>(known: impl IntoIterator<Item = &'a str>, from: &str, to: &str) -> Vec<String> {
    let (Some(old), Some(new)) = (parse(from), parse(to)) else { return vec![to.to_owned()] };
    let (low, high) = (old.clone().min(new.clone()), old.max(new));
    let inside = |v: &Version| low.cmp_precedence(v).is_lt() && v.cmp_precedence(&high).is_le();
    let mut releases: BTreeMap<Version, String> =
        known.into_iter().filter_map(|name| Some((parse(name).filter(inside)?, name.to_owned()))).collect();
    if version::parse(to).is_some_and(|v| inside(&v) && !releases.contains_key(&v)) {
        releases.insert(high, to.to_owned());
    }
    releases.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTES: &str = "# Core 2.0.0\n\n**Kind:** major, breaking\n**New settings:** `TENANT` (by `api`\nand `worker`)\n\nAll new.\n\n## Breaking changes ##\n\n- a\n```sh\n# no heading\n```\n\n## Migration guide\n1. b\n";

    #[test]
    fn sections_are_told_by_the_words_of_their_headings() {
        let notes = Notes::parse("2.0.0.md", NOTES);
        assert_eq!(notes.title.as_deref(), Some("Core 2.0.0"));
        let found: Vec<_> =
            notes.sections.iter().map(|s| (s.heading.as_str(), s.topic, s.text.as_str())).collect();
        assert_eq!(
            found,
            [
                ("", Topic::Other, "All new."),
                ("Kind", Topic::Other, "major, breaking"),
                ("New settings", Topic::Configuration, "`TENANT` (by `api`\nand `worker`)"),
                ("Breaking changes", Topic::Breaking, "- a\n```sh\n# no heading\n```"),
                ("Migration guide", Topic::Migration, "1. b"),
            ]
        );
    }

    #[test]
    fn a_section_that_says_none_is_not_shown_to_people() {
        let text = Notes::parse(
            "f",
            "**Migrations:** none since 1.5.0\n**Upgrading:** None.\n**New settings:** `A`\n",
        )
        .text();
        assert_eq!(text, "\n  New settings\n    `A`");
    }

    #[test]
    fn variables_are_what_a_section_about_configuration_writes_as_code_in_capitals() {
        let text = "## New settings\n`TENANT`, `api` and `LOG_LEVEL` not PLAIN\n## Other\n`CONST`\n";
        assert_eq!(
            Notes::parse("f", text).variables().into_iter().collect::<Vec<_>>(),
            ["LOG_LEVEL", "TENANT"]
        );
    }

    #[test]
    fn a_terminal_gets_no_control_characters() {
        let notes = Notes::parse("f", "## Breaking \u{1b}[2J\nred\u{7}\n");
        assert_eq!(
            (notes.sections[0].heading.as_str(), notes.sections[0].text.as_str()),
            ("Breaking [2J", "red")
        );
    }

    #[test]
    fn releases_are_ordered_as_versions_and_not_as_text() {
        let known = ["1.10.0", "1.9.0", "1.8.0", "2.0.0", "README", "1.9.1"];
        assert_eq!(between(known, "1.8.0", "1.10.0"), ["1.9.0", "1.9.1", "1.10.0"]);
    }

    #[test]
    fn a_pre_release_comes_before_its_release_and_after_the_one_before() {
        let known = ["1.5.0", "1.5.0-rc.2", "1.5.0-rc.10", "1.4.0", "1.6.0-rc.1"];
        assert_eq!(between(known, "1.4.0", "1.5.0"), ["1.5.0-rc.2", "1.5.0-rc.10", "1.5.0"]);
        assert_eq!(between(known, "1.5.0-rc.2", "1.5.0-rc.10"), ["1.5.0-rc.10"]);
    }

    #[test]
    fn the_target_is_told_without_a_file_and_also_under_another_spelling() {
        assert_eq!(between(["1.4.1"], "1.4.0", "1.5.0"), ["1.4.1", "1.5.0"]);
        assert_eq!(between(["v1.5.0"], "1.4.0", "1.5.0"), ["v1.5.0"]);
        assert_eq!(between(["1.5.0"], "1.4.0", "nightly"), ["nightly"]);
    }

    #[test]
    fn a_downgrade_tells_what_is_given_up_and_no_move_tells_nothing() {
        assert_eq!(between(["1.4.0", "1.4.1", "1.5.0"], "1.5.0", "1.4.0"), ["1.4.1", "1.5.0"]);
        assert_eq!(between(["1.4.0", "1.5.0"], "1.5.0", "1.5.0"), Vec::<String>::new());
    }
}
