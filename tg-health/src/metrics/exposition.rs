//! The samples of one scrape.

/// One line: a name, its labels, a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    /// Sorted by name.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

/// All samples of a text; what is no sample is passed over.
pub(crate) fn samples(text: &str) -> impl Iterator<Item = Sample> {
    text.lines().filter_map(|line| sample(line.trim()))
}

impl Sample {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| c == '{' || c.is_ascii_whitespace())?;
    let name = &line[..end];
    if name.is_empty() || name.starts_with('#') {
        return None;
    }
    let (labels, rest) = match line[end..].strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), &line[end..]),
    };
    // A time may follow.
    let value = rest.split_ascii_whitespace().next()?;
    Some(Sample { name: name.to_owned(), labels, value: number(value)? })
}

pub(super) fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" | "Nan" => Some(f64::NAN),
        text => text.parse().ok(),
    }
}

/// The labels up to the closing brace, and what follows it.
pub(super) fn labels(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            found.sort();
            return Some((found, after));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
        found.push((name.trim().to_owned(), value));
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
}

/// Up to the closing quote, with `\\`, `\"` and `\n` as what they stand for.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_values_and_escapes_are_read_and_the_rest_is_passed_over() {
        let text = concat!(
            "# HELP x y\n# TYPE x counter\nx 1\n",
            "http_requests_total{method=\"post\", code=\"200\",} 1027 1395066363000\n",
            "odd{path=\"C:\\\\D\\n\\\"}\"} 1.5e3\nbig +Inf\nnothing\n{} 1\nbroken{a=\"b 1\n"
        );
        let all: Vec<Sample> = samples(text).collect();
        assert_eq!(
            all.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            ["x", "http_requests_total", "odd", "big"]
        );
        assert_eq!(all[1].label("code"), Some("200"));
        assert!((all[1].value - 1027.0).abs() < f64::EPSILON && (all[2].value - 1500.0).abs() < f64::EPSILON);
        assert_eq!(all[2].label("path"), Some("C:\\D\n\"}"));
        assert!(all[3].value.is_infinite());
    }
}
