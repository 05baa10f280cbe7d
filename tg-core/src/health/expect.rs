//! What an answer must be to mean ready.

use regex_lite::Regex;
use serde_json::Value;

/// Characters of a found value that are repeated.
const LONGEST_VALUE: usize = 80;

/// Which release must answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// Any.
    #[default]
    Any,
    /// This one, and it must say so.
    Exactly(String),
    /// This one, unless it does not say which it is.
    IfTold(String),
}

/// All that is expected of an answer. Nothing: 2xx, and a body that says well.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// Which release.
    pub release: Release,
    /// These status codes and no other.
    pub status: Vec<u16>,
    /// What stands at places of a JSON body.
    pub json: Vec<Place>,
    /// What the body matches somewhere.
    pub body: Option<Regex>,
}

/// A place in a JSON body (RFC 6901), and what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pointer: String,
    /// As it was written: a text, or the JSON of any other value.
    value: String,
}

impl Expect {
    /// Expects a release and nothing unusual.
    #[must_use]
    pub fn release(release: Release) -> Self {
        Expect { release, ..Expect::default() }
    }

    /// Whether something else than a status word says that the body is well.
    pub(crate) fn asks_the_body(&self) -> bool {
        !self.json.is_empty() || self.body.is_some()
    }

    /// What the body lacks.
    pub(crate) fn lacks(&self, body: &[u8]) -> Option<String> {
        let json: Option<Value> = if self.json.is_empty() { None } else { serde_json::from_slice(body).ok() };
        let place = self.json.iter().find_map(|place| place.lacks(json.as_ref()));
        let matches = |regex: &Regex| std::str::from_utf8(body).is_ok_and(|text| regex.is_match(text));
        place.or_else(|| {
            let regex = self.body.as_ref().filter(|regex| !matches(regex))?;
            Some(format!("its body does not match {:?}", regex.as_str()))
        })
    }
}

impl Place {
    /// Reads `/path/to=value`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (pointer, value) =
            text.split_once('=').ok_or("no = in it; write it as /path/to=value".to_owned())?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err("its path does not begin with /; write it as /path/to=value".into());
        }
        Ok(Place { pointer: pointer.into(), value: value.into() })
    }

    fn lacks(&self, body: Option<&Value>) -> Option<String> {
        let Some(body) = body else { return Some("its body is no JSON".into()) };
        let name = if self.pointer.is_empty() { "body" } else { self.pointer.as_str() };
        let Some(found) = body.pointer(&self.pointer) else {
            return Some(format!("its body has no {name}"));
        };
        let is = found.as_str() == Some(&self.value)
            || serde_json::from_str::<Value>(&self.value).is_ok_and(|value| value == *found);
        let told = || super::printable(&found.to_string(), LONGEST_VALUE);
        (!is).then(|| format!("its {name} is {}, {} is expected", told(), self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks(place: &str, body: &str) -> Option<String> {
        let expect = Expect { json: vec![Place::parse(place).unwrap()], ..Expect::default() };
        expect.lacks(body.as_bytes())
    }

    #[test]
    fn a_value_is_found_at_its_place_whatever_its_type() {
        let body = r#"{"db": {"up": true, "n": 3, "name": "a=b", "no": null, "list": [1, 2]}, "a/b": "3"}"#;
        for place in [
            "/db/up=true",
            "/db/n=3",
            "/db/name=a=b",
            "/db/no=null",
            "/db/list=[1,2]",
            "/db/list/1=2",
            "/a~1b=3",
        ] {
            assert_eq!(lacks(place, body), None, "{place}");
        }
        assert_eq!(lacks("=ok", "\"ok\""), None);
        assert_eq!(lacks("/db/up=false", body).unwrap(), "its /db/up is true, false is expected");
        assert_eq!(lacks("/db/x=1", body).unwrap(), "its body has no /db/x");
        assert_eq!(lacks("/x=1", "x").unwrap(), "its body is no JSON");
        for bad in ["x", "x=1", ""] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_body_is_matched_anywhere_and_only_where_it_is_text() {
        let expect = Expect { body: Some(Regex::new("[Ww]elcome").unwrap()), ..Expect::default() };
        assert_eq!(expect.lacks(b"<h1>Welcome</h1>"), None);
        assert!(expect.lacks(b"gone").is_some() && expect.lacks(b"\xff Welcome").is_some());
    }
}
