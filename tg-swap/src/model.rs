//! Two Compose models compared.

use serde_json::Value;

/// JSON pointers (RFC 6901) of what differs between two models beyond the images of some services.
/// Extensions (`x-…`) start nothing and are left out. Values are not told: they may be secret.
pub(crate) fn differences(now: &Value, then: &Value, moved: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    walk(String::new(), now, then, &mut found);
    let images: Vec<String> = moved.iter().map(|s| format!("/services/{}/image", escape(s))).collect();
    found.retain(|pointer| !pointer.starts_with("/x-") && !images.contains(pointer));
    found
}

/// Whether a pointer is about one of these services.
pub(crate) fn is_about(pointer: &str, services: &[String]) -> bool {
    services.iter().any(|s| pointer.starts_with(&format!("/services/{}/", escape(s))))
}

fn walk(pointer: String, now: &Value, then: &Value, found: &mut Vec<String>) {
    match (now, then) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let below = format!("{pointer}/{}", escape(key));
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => walk(below, a, b, found),
                    _ => found.push(below),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (n, (a, b)) in a.iter().zip(b).enumerate() {
                walk(format!("{pointer}/{n}"), a, b, found);
            }
        }
        _ if now == then => {}
        _ => found.push(pointer),
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_but_the_image_is_no_difference() {
        let model =
            |tag: &str| json!({"services": {"api": {"image": format!("r:{tag}")}}, "x-a": {"image": tag}});
        let api = ["api".to_owned()];
        assert!(differences(&model("1"), &model("2"), &api).is_empty());
        assert_eq!(differences(&model("1"), &model("2"), &[]), ["/services/api/image"]);
    }

    #[test]
    fn what_comes_goes_or_changes_is_pointed_at() {
        let now =
            json!({"services": {"api": {"environment": {"A/B": "1", "C": "1"}, "ports": [1, 2]}}, "v": [1]});
        let then = json!({"services": {"api": {"environment": {"A/B": "2", "D": "1"}, "ports": [1, 3]}}, "v": [1, 2]});
        let found = differences(&now, &then, &["api".to_owned()]);
        assert_eq!(
            found,
            [
                "/services/api/environment/A~1B",
                "/services/api/environment/C",
                "/services/api/environment/D",
                "/services/api/ports/1",
                "/v",
            ]
        );
        assert!(is_about(&found[0], &["api".to_owned()]) && !is_about(&found[0], &["ap".to_owned()]));
    }
}
