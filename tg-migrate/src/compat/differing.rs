//! Which attributes of an object are not what they were.

use serde_json::Value;

use crate::catalog::{Attributes, HERE};

/// The names of a relation's columns, in their order.
const ORDER: &str = "order";

/// All attributes side by side, with or without those of this server.
pub(super) fn flat(attributes: &Attributes, with_here: bool) -> Attributes {
    let mut flat = attributes.clone();
    let here = flat.as_object_mut().and_then(|all| all.shift_remove(HERE));
    if let (Some(Value::Object(here)), Some(all), true) = (here, flat.as_object_mut(), with_here) {
        all.extend(here);
    }
    flat
}

/// Attribute, before, after, where they are not the same.
pub(super) fn differing(was: &Attributes, is: &Attributes) -> Vec<(String, Value, Value)> {
    let names = [was, is].into_iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys);
    let names: std::collections::BTreeSet<&String> = names.collect();
    let of = |all: &Attributes, name: &String| all[name.as_str()].clone();
    let all = names.into_iter().map(|name| (name.clone(), of(was, name), of(is, name)));
    all.filter(|(name, was, is)| was != is && !(name == ORDER && same_order(was, is))).collect()
}

/// Whether what is in both lists stands in the same order: what came or went is told by itself.
fn same_order(was: &Value, is: &Value) -> bool {
    let (Some(was), Some(is)) = (was.as_array(), is.as_array()) else { return false };
    let common = |these: &[Value], others: &[Value]| {
        these.iter().filter(|name| others.contains(name)).cloned().collect::<Vec<_>>()
    };
    common(was, is) == common(is, was)
}
