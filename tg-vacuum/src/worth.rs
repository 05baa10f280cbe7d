//! In which order tables are maintained.

use std::cmp::Reverse;

use crate::table::Table;

/// The order where time may run out: what is near to a forced freeze first, the oldest first; then where most is to
/// gain, dead rows' part of the table times its size; then what was longest without statistics.
pub(crate) fn by_worth(tables: &mut [Table], freeze_limit: i64) {
    tables.sort_by_cached_key(|table| {
        let urgent = if table.freeze_age > freeze_limit { table.freeze_age } else { 0 };
        (Reverse(urgent), Reverse(gain(table)), seconds(table.analyzed), table.label())
    });
}

/// The order where it will not: the longest first, so that several workers end together.
pub(crate) fn by_size(tables: &mut [Table]) {
    tables.sort_by_cached_key(|table| (Reverse(table.bytes()), table.label()));
}

/// Bytes that dead rows take, about.
fn gain(table: &Table) -> i64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "an order")]
    let gain = (table.dead_ratio() * table.bytes() as f64) as i64;
    gain
}

/// Whole seconds since 1970, never at all first.
fn seconds(at: Option<f64>) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "an order")]
    at.map_or(0, |at| at as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_ones_come_first_then_where_most_is_to_gain_then_what_has_no_statistics() {
        let table = |oid, freeze_age, dead, size, analyzed| Table {
            oid,
            freeze_age,
            dead,
            live: 100 - dead,
            size,
            analyzed,
            ..Table::default()
        };
        let mut tables = vec![
            table(1, 10, 0, 1 << 30, Some(9.0)),
            table(2, 10, 50, 1000, Some(9.0)),
            table(3, 10, 10, 1 << 20, Some(9.0)),
            table(4, 900, 0, 1, Some(9.0)),
            table(5, 700, 0, 1, Some(9.0)),
            table(6, 10, 0, 1, None),
        ];
        by_worth(&mut tables, 500);
        assert_eq!(tables.iter().map(|table| table.oid).collect::<Vec<_>>(), [4, 5, 3, 2, 6, 1]);
        by_size(&mut tables);
        assert_eq!(tables[0].oid, 1);
    }
}
