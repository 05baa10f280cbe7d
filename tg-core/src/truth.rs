//! The three answers to a question that a gate stands on: yes, no, and "can't be told", which is never yes.

use std::fmt::Display;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// Where a record says why an answer is not known, by the answer's own key.
const UNKNOWN: &str = "unknown";

/// An answer that was looked at, or the reason why nobody could look. On the wire `true`, `false` or `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It was looked at, and it is so.
    Yes,
    /// It was looked at, and it is not so.
    No,
    /// It can't be told, and why.
    Unknown(String),
}

impl Truth {
    /// Can't be told, for this reason.
    #[must_use]
    pub fn unknown(why: impl Display) -> Self {
        Truth::Unknown(why.to_string())
    }

    /// The answer of a look that may have failed.
    pub fn looked<E: Display>(answer: Result<bool, E>) -> Self {
        answer.map_or_else(Truth::unknown, Truth::from)
    }

    /// Whether it is known to be so.
    #[must_use]
    pub fn is_yes(&self) -> bool {
        *self == Truth::Yes
    }

    /// Whether it is known not to be so.
    #[must_use]
    pub fn is_no(&self) -> bool {
        *self == Truth::No
    }

    /// The answer, where there is one.
    #[must_use]
    pub fn known(&self) -> Option<bool> {
        match self {
            Truth::Yes => Some(true),
            Truth::No => Some(false),
            Truth::Unknown(_) => None,
        }
    }

    /// Why there is none.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Truth::Unknown(why) => Some(why),
            _ => None,
        }
    }

    /// Both: one no decides, then what can't be told.
    #[must_use]
    pub fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::No, _) | (_, Truth::No) => Truth::No,
            (Truth::Unknown(why), _) | (_, Truth::Unknown(why)) => Truth::Unknown(why),
            (Truth::Yes, Truth::Yes) => Truth::Yes,
        }
    }

    /// Either: one yes decides, then what can't be told.
    #[must_use]
    pub fn or(self, other: Truth) -> Truth {
        !((!self).and(!other))
    }

    /// Puts the answer into a record under `key`; where it is not known, the reason under `unknown`.
    pub fn put(&self, data: &mut Map<String, Value>, key: &str) {
        data.insert(key.to_owned(), json!(self));
        if let Truth::Unknown(why) = self {
            let reasons = data.entry(UNKNOWN).or_insert_with(|| json!({}));
            reasons[key] = json!(why);
        }
    }
}

impl Default for Truth {
    fn default() -> Self {
        Truth::unknown("it was not looked at")
    }
}

impl From<bool> for Truth {
    fn from(so: bool) -> Self {
        if so { Truth::Yes } else { Truth::No }
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        match self {
            Truth::Yes => Truth::No,
            Truth::No => Truth::Yes,
            unknown @ Truth::Unknown(_) => unknown,
        }
    }
}

impl Serialize for Truth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.known().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let known = Option::<bool>::deserialize(deserializer)?;
        Ok(known.map_or_else(|| Truth::unknown("it was not known when it was written down"), Truth::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Truth; 3] {
        [Truth::Yes, Truth::No, Truth::unknown("dark")]
    }

    #[test]
    fn what_can_not_be_told_is_never_a_yes() {
        for other in all() {
            assert!(!Truth::unknown("dark").and(other.clone()).is_yes());
            assert_eq!(Truth::unknown("dark").or(other.clone()).is_yes(), other.is_yes());
        }
        assert!(!Truth::unknown("dark").is_yes() && !(!Truth::unknown("dark")).is_yes());
        assert_eq!(Truth::looked(Err::<bool, _>("no answer")), Truth::unknown("no answer"));
    }

    #[test]
    fn and_and_or_are_those_of_three_valued_logic() {
        for a in all() {
            for b in all() {
                assert_eq!(a.clone().and(b.clone()).known(), b.clone().and(a.clone()).known());
                let other_way = !((!a.clone()).or(!b.clone()));
                assert_eq!(a.clone().and(b.clone()).known(), other_way.known());
            }
            assert_eq!(a.clone().and(Truth::Yes), a);
            assert_eq!(a.clone().or(Truth::No), a);
        }
    }

    #[test]
    fn a_record_says_what_is_not_known_and_why() {
        let mut data = Map::new();
        Truth::Yes.put(&mut data, "a");
        Truth::No.put(&mut data, "b");
        Truth::unknown("dark").put(&mut data, "c");
        assert_eq!(Value::Object(data), json!({"a": true, "b": false, "c": null, "unknown": {"c": "dark"}}));
    }
}
