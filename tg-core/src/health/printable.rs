//! Text of strangers, made fit for a line and a terminal.

/// The text on one line, without control characters, cut to so many characters.
#[must_use]
pub fn printable(text: &str, longest: usize) -> String {
    let clean: Vec<char> =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest + 1).collect();
    if clean.len() > longest {
        clean[..longest].iter().collect::<String>() + "…"
    } else {
        clean.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_server_can_neither_colour_the_terminal_nor_flood_it() {
        assert_eq!(super::printable("a\u{1b}[31mb\nc", 20), "a [31mb c");
        assert_eq!(super::printable("äöüß", 3), "äöü…");
        assert_eq!(super::printable("äöü", 3), "äöü");
    }
}
