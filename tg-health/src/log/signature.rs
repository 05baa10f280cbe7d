//! The signature of a message: its words, without what differs from one time to the next. As Drain and its kin have it, by what a word looks like
//! and not by a tree that grows, so that two runs give the same line the same signature (He et al., "Drain", ICWS 2017, section III.B).

/// What takes the place of what differs.
const HOLE: &str = "<*>";
/// Longer messages are alike if they begin alike.
const MOST_WORDS: usize = 32;
const LONGEST_WORD: usize = 60;

/// Writes the signature into a buffer, which is cleared before.
pub(crate) fn signature(message: &str, buffer: &mut String) {
    buffer.clear();
    let mut quoted = None;
    for word in message.split_ascii_whitespace().take(MOST_WORDS) {
        if let Some(quote) = quoted {
            // Within a quotation that has more than one word.
            if word.trim_end_matches([',', '.', ';', ':', ')']).ends_with(quote) {
                quoted = None;
            }
            continue;
        }
        let bare = word.trim_start_matches(['(', '[', '{', ',']);
        let opens = bare.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        if let Some(quote) = opens {
            let inside = &bare[1..];
            if !inside.contains(quote) {
                quoted = Some(quote);
            }
            push(buffer, HOLE);
            continue;
        }
        match word.split_once('=') {
            // A key tells, its value differs.
            Some((key, value)) if !key.is_empty() && !value.is_empty() && !differs(key) => {
                if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\''))
                    && !value[1..].contains(quote)
                {
                    quoted = Some(quote);
                }
                push(buffer, key);
                buffer.push('=');
                buffer.push_str(HOLE);
            }
            _ if differs(word) => push(buffer, HOLE),
            _ => push(buffer, word),
        }
    }
}

/// Numbers, times, addresses, identifiers, URLs, paths with a number in them; what is too long to be a word.
fn differs(word: &str) -> bool {
    word.len() > LONGEST_WORD
        || word.bytes().any(|b| b.is_ascii_digit())
        || word.contains("://")
        || word.contains('@')
        || (word.len() >= 8 && word.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Several in a row are one: a list of numbers may be of any length.
fn push(buffer: &mut String, word: &str) {
    if word == HOLE && buffer.ends_with(HOLE) && !buffer.ends_with("=<*>") {
        return;
    }
    if !buffer.is_empty() {
        buffer.push(' ');
    }
    buffer.push_str(word);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str) -> String {
        let mut buffer = String::new();
        signature(message, &mut buffer);
        buffer
    }

    #[test]
    fn what_differs_each_time_is_left_out_and_words_stay() {
        for (message, wanted) in [
            ("GET /v1/features/17 200 12.3 ms", "GET <*> ms"),
            ("request 0af7651916cd43dd8448eb211c80319c failed", "request <*> failed"),
            (
                "duplicate key value violates unique constraint \"users_email\"",
                "duplicate key value violates unique constraint <*>",
            ),
            ("column \"a b c\" does not exist", "column <*> does not exist"),
            ("user='bob smith' took=12ms path=/x", "user=<*> took=<*> path=<*>"),
            ("connect ECONNREFUSED 172.18.0.2:5432", "connect ECONNREFUSED <*>"),
            ("ids 1 2 3 4 gone", "ids <*> gone"),
            ("", ""),
        ] {
            assert_eq!(of(message), wanted, "{message}");
        }
    }

    #[test]
    fn what_no_quotation_ends_does_not_panic_and_a_long_message_is_cut() {
        for odd in ["'", "\"", "it's", "a='", "= = =", "\u{fe0f}\"ü ü"] {
            of(odd);
        }
        assert!(of(&"word ".repeat(10_000)).len() < 200);
    }
}
