//! `.env` files, edited in place: everything but one value stays as it is, to the byte.

use std::ops::Range;
use std::path::Path;

/// The text of a file, or nothing where there is none.
#[must_use]
pub fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The value of a variable without its quotes; of several lines the last counts, as in Compose.
#[must_use]
pub fn get(text: &str, name: &str) -> Option<String> {
    locate(text, name).map(|range| text[range].to_owned())
}

/// The text with the variable set: its value replaced where it stands, else a new last line.
#[must_use]
pub fn set(text: &str, name: &str, value: &str) -> String {
    if let Some(range) = locate(text, name) {
        return format!("{}{value}{}", &text[..range.start], &text[range.end..]);
    }
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { ending };
    format!("{text}{gap}{name}={value}{ending}")
}

/// Where the value of the last assignment to a variable stands, between its quotes.
fn locate(text: &str, name: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if let Some(range) = value_of(line, name) {
            found = Some(offset + range.start..offset + range.end);
        }
        offset += line.len();
    }
    found
}

fn value_of(line: &str, name: &str) -> Option<Range<usize>> {
    let line = line.trim_end_matches(['\n', '\r']);
    let mut rest = line.trim_start();
    if let Some(after) = rest.strip_prefix("export ") {
        rest = after.trim_start();
    }
    rest = rest.strip_prefix(name)?.trim_start();
    let after_sign = rest.strip_prefix(['=', ':'])?;
    rest = after_sign.trim_start();
    if rest.starts_with('#') {
        // An empty value before a comment stands right behind the sign: a blank must stay between.
        let start = line.len() - after_sign.len();
        return Some(start..start);
    }
    let start = line.len() - rest.len();
    if let Some(quote) = rest.chars().next().filter(|c| ['"', '\''].contains(c)) {
        let inner = rest[1..].find(quote)?;
        return Some(start + 1..start + 1 + inner);
    }
    // An unquoted value ends where a comment begins: at a blank followed by #.
    let end = rest.find(" #").or_else(|| rest.find("\t#")).unwrap_or(rest.len());
    Some(start..start + rest[..end].trim_end().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str =
        "# release\r\nexport TAG = '1.4.0' # keep\r\n\r\nTAGS=x\r\nA=\"b c\"\r\nB=1.4.0\t# old\r\nNONE=";

    #[test]
    fn only_the_value_changes() {
        assert_eq!(set(FILE, "TAG", "1.5.0"), FILE.replace("'1.4.0'", "'1.5.0'"));
        assert_eq!(set(FILE, "A", "d"), FILE.replace("b c", "d"));
        assert_eq!(set(FILE, "B", "2"), FILE.replace("B=1.4.0", "B=2"));
        assert_eq!(set(FILE, "NONE", "x"), format!("{FILE}x"));
        assert_eq!(get(FILE, "B").as_deref(), Some("1.4.0"));
        assert_eq!(get(FILE, "NONE").as_deref(), Some(""));
        assert_eq!(get(FILE, "TA"), None);
    }

    #[test]
    fn the_last_of_several_assignments_counts_as_in_compose() {
        assert_eq!(get("A=1\nA=2\n", "A").as_deref(), Some("2"));
        assert_eq!(set("A=1\nA=2\n", "A", "3"), "A=1\nA=3\n");
        assert_eq!(get("#A=1\n", "A"), None);
    }

    proptest! {
        #[test]
        fn what_is_set_is_read_back(
            before in "([A-Z]{1,3}=[a-z0-9.]{0,4}\n|# [a-z ]{0,6}\n|\n){0,6}",
            value in "[A-Za-z0-9._@:-]{1,20}",
        ) {
            let after = set(&before, "TG_X", &value);
            prop_assert_eq!(get(&after, "TG_X"), Some(value));
        }

        #[test]
        fn setting_the_old_value_again_gives_the_old_file(
            before in "([A-C]=[a-z0-9.]{0,4}( # c)?\n){1,6}",
        ) {
            for name in ["A", "B", "C"] {
                if let Some(old) = get(&before, name) {
                    prop_assert_eq!(set(&set(&before, name, "new"), name, &old), before.clone());
                }
            }
        }
    }
}
