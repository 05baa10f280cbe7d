//! An image text of a compose file with its variables: `${REGISTRY:-hub}/app:${TAG:-1.4.0}`.

/// A piece of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Plain text.
    Literal(String),
    /// A variable; what Compose puts in its place is known from the filled-in text.
    Variable(String),
}

/// Splits an image text; `None` for what Compose allows and we don't understand, such as nested
/// defaults.
#[must_use]
pub fn parse(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let Some(after) = rest.strip_prefix('$') else {
            literal.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        if let Some(after) = after.strip_prefix('$') {
            literal.push('$');
            rest = after;
            continue;
        }
        let (name, remaining) = variable(after)?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Variable(name));
        rest = remaining;
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Some(pieces)
}

fn variable(after: &str) -> Option<(String, &str)> {
    let word = |text: &str| text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    if let Some(inner) = after.strip_prefix('{') {
        let close = inner.find('}')?;
        let body = &inner[..close];
        if body.contains('$') {
            return None;
        }
        let name = &body[..word(body)];
        return (!name.is_empty()).then(|| (name.to_owned(), &inner[close + 1..]));
    }
    let length = word(after);
    (length > 0).then(|| (after[..length].to_owned(), &after[length..]))
}

/// Where the release stands in an image text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a variable, between the fixed parts `before` and `after` of its value.
    Variable {
        /// Its name.
        name: String,
        /// What its value has before the tag.
        before: String,
    },
    /// In the text itself.
    Literal,
}

/// Finds the piece that holds the tag, given the text and what Compose made of it.
#[must_use]
pub fn locate(raw: &str, filled: &str) -> Option<Place> {
    let reference = crate::image::Reference::parse(filled);
    let tag_at = reference.tag.is_some().then_some(reference.repository.len() + 1)?;
    let pieces = parse(raw)?;
    let mut at = 0;
    for (i, piece) in pieces.iter().enumerate() {
        let length = match piece {
            Piece::Literal(text) => text.len(),
            Piece::Variable(_) => value_length(&pieces[i + 1..], &filled[at..])?,
        };
        let end = at + length;
        if (at..end).contains(&tag_at) || (tag_at == at && i + 1 == pieces.len()) {
            // A tag put together from several pieces has no one place.
            return (end == filled.len()).then(|| match piece {
                Piece::Variable(name) => {
                    Place::Variable { name: name.clone(), before: filled[at..tag_at].to_owned() }
                }
                Piece::Literal(_) => Place::Literal,
            });
        }
        at = end;
    }
    None
}

/// How long a variable's value is: up to where the rest of the pieces begins.
fn value_length(rest: &[Piece], filled: &str) -> Option<usize> {
    match rest.first() {
        None => Some(filled.len()),
        Some(Piece::Literal(text)) if rest.len() == 1 => filled.strip_suffix(text.as_str()).map(str::len),
        Some(Piece::Literal(text)) => filled.find(text.as_str()),
        Some(Piece::Variable(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, before: &str) -> Place {
        Place::Variable { name: name.into(), before: before.into() }
    }

    #[test]
    fn the_release_is_found_wherever_people_write_it() {
        for (raw, filled, place) in [
            ("app:${TAG:-1.4.0}", "app:1.4.0", Some(variable("TAG", ""))),
            ("${R:-localhost:5000}/a:$TAG", "localhost:5000/a:1.4.0", Some(variable("TAG", ""))),
            ("app:v${TAG}", "app:v1.4.0", None),
            ("${IMAGE}", "host:5000/app:1.4.0", Some(variable("IMAGE", "host:5000/app:"))),
            ("${R}/app:1.4.0", "hub/app:1.4.0", Some(Place::Literal)),
            ("app:1.4.0@sha256:0f", "app:1.4.0@sha256:0f", Some(Place::Literal)),
            ("app:${TAG}", "app:1.4.0@sha256:0f", Some(variable("TAG", ""))),
            ("app:${TAG}-alpine", "app:1.4.0-alpine", None),
            ("app", "app", None),
            ("app:${A:-${B}}", "app:1", None),
        ] {
            assert_eq!(locate(raw, filled), place, "{raw}");
        }
    }
}
