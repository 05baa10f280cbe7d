//! An aligned table for a terminal.

/// Columns from this one on hold numbers and dates, aligned to the right.
const FIRST_NUMBER: usize = 1;

/// Rows padded to the widest cell of each column; the first row is the header.
pub(crate) fn align<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let cell = |(column, text): (usize, &String)| {
        let width = widths[column];
        if column < FIRST_NUMBER { format!("{text:<width$}") } else { format!("{text:>width$}") }
    };
    let line = |row: &[String; N]| row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ");
    rows.iter().map(|row| line(row).trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell_also_with_umlauts() {
        let rows = [["table", "dead"], ["größe", "1"], ["t", "12,345"]].map(|row| row.map(str::to_owned));
        assert_eq!(super::align(&rows), ["table    dead", "größe       1", "t      12,345"]);
    }
}
