//! What a column's new type means to a client that knows the old one.

use crate::compat::{Use, Verdict};

/// A type's name and what stands in brackets behind it, as `format_type()` writes them.
fn parts(text: &str) -> (String, Vec<&str>) {
    let Some((before, rest)) = text.split_once('(') else { return (text.to_owned(), Vec::new()) };
    let (inside, after) = rest.split_once(')').unwrap_or((rest, ""));
    (format!("{before}{after}"), inside.split(',').map(str::trim).collect())
}

/// Compatible where the client is told the same type and everything that it wrote still fits.
pub(crate) fn changed(relation: String, was: &str, is: &str) -> Verdict {
    let ((was_name, was_limits), (is_name, is_limits)) = (parts(was), parts(is));
    let text = |name: &str| name == "text" || name == "character varying";
    if was_name == is_name || (text(&was_name) && text(&is_name)) {
        return if fits(&was_limits, &is_limits) {
            Verdict::compatible("all that fitted fits, and it reads the same")
        } else {
            Verdict::breaking(Use::Write(relation), format!("what {was} holds need not fit into {is}"))
        };
    }
    Verdict::breaking(Use::Read(relation), format!("clients read {is} otherwise than {was}"))
}

/// Nothing in brackets is unlimited. A numeric's places before the point must not become fewer, either; of
/// what is no number only PostGIS's most general kind holds another.
fn fits(was: &[&str], is: &[&str]) -> bool {
    let numbers = |all: &[&str]| all.iter().map(|text| text.parse().ok()).collect::<Option<Vec<i64>>>();
    match (numbers(was), numbers(is)) {
        (_, Some(is)) if is.is_empty() => true,
        (Some(was), Some(is)) => match (was.as_slice(), is.as_slice()) {
            ([precision, scale], [new_precision, new_scale]) => {
                new_scale >= scale && new_precision - new_scale >= precision - scale
            }
            ([length], [new_length]) => new_length >= length,
            _ => false,
        },
        _ => {
            let holds = |(was, is): (&&str, &&str)| was == is || is.eq_ignore_ascii_case("geometry");
            was.len() == is.len() && was.iter().zip(is).all(holds)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::Class;

    #[test]
    fn what_grows_and_reads_the_same_is_compatible_and_nothing_else() {
        for (was, is, class) in [
            ("character varying(10)", "character varying(20)", Class::Compatible),
            ("character varying(10)", "text", Class::Compatible),
            ("text", "character varying", Class::Compatible),
            ("text", "character varying(10)", Class::Breaking),
            ("character varying(20)", "character varying(10)", Class::Breaking),
            ("numeric(6,2)", "numeric(8,2)", Class::Compatible),
            ("numeric(6,2)", "numeric(7,4)", Class::Breaking),
            ("numeric(6,2)", "numeric", Class::Compatible),
            ("timestamp(3) without time zone", "timestamp without time zone", Class::Compatible),
            ("timestamp without time zone", "timestamp with time zone", Class::Breaking),
            ("integer", "bigint", Class::Breaking),
            ("geometry(Point,4326)", "geometry(Polygon,4326)", Class::Breaking),
            ("geometry(Point,4326)", "geometry(Geometry,4326)", Class::Compatible),
        ] {
            assert_eq!(changed("s.t".into(), was, is).class, class, "{was} -> {is}");
        }
    }
}
