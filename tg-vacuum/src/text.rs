//! Numbers for people.

/// Bytes with a binary unit, as `pg_size_pretty` has them; `?` when not known.
pub(crate) fn bytes(size: Option<i64>) -> String {
    let Some(size) = size else { return "? B".into() };
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let mut amount = size as f64;
    let mut units = ["B", "kB", "MB", "GB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units.chain(["TB"]) {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{size} B") } else { format!("{amount:.1} {unit}") }
}

/// A count with its thousands apart.
pub(crate) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `schema.table` on one line; a name may hold anything, also what moves a terminal's cursor.
pub(crate) fn label(schema: &str, table: &str) -> String {
    let clean = |c: char| if c.is_control() { '?' } else { c };
    format!("{schema}.{table}").chars().map(clean).collect()
}

/// `1 table`, `2 tables`.
pub(crate) fn tables(n: usize) -> String {
    if n == 1 { "1 table".into() } else { format!("{n} tables") }
}

/// `3d 4h`, `1h 1m`, `12s`: a time to its second unit.
pub(crate) fn time(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never below 0")]
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m {}s", whole / 60, whole % 60),
        3600..86_400 => format!("{}h {}m", whole / 3600, whole % 3600 / 60),
        _ => format!("{}d {}h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// A text on one line of so many characters at most.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if line.chars().count() <= most {
        return line;
    }
    line.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_break_a_line() {
        assert_eq!(label("a b", "c\n\u{1b}[2Jd"), "a b.c??[2Jd");
        assert_eq!([tables(0), tables(1)], ["0 tables", "1 table"]);
    }

    #[test]
    fn times_and_queries_are_short() {
        let all: Vec<_> = [0.4, 59.9, 61.0, 3661.0, 90_000.0].map(time).into();
        assert_eq!(all, ["0s", "59s", "1m 1s", "1h 1m", "1d 1h"]);
        assert_eq!([one_line(" a\n  b ", 9), one_line("abcdef", 4)], ["a b", "abc…"]);
    }

    #[test]
    fn numbers_are_as_people_write_them() {
        let all: Vec<_> = [0, 999, 1000, 1_234_567, -1000].map(count).into();
        assert_eq!(all, ["0", "999", "1,000", "1,234,567", "-1,000"]);
        let all: Vec<_> = [Some(0), Some(8192), Some(1 << 30), Some(i64::MAX), None].map(bytes).into();
        assert_eq!(all, ["0 B", "8.0 kB", "1.0 GB", "8388608.0 TB", "? B"]);
    }
}
