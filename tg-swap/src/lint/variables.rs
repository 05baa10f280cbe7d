//! Does the project give the new image what it asks for?

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tg_core::image_config::ImageConfig;

use super::Facts;
use crate::finding::Finding;

/// The label by which an image names variables that it wants and has no default for; names are
/// separated by commas or spaces.
const LABEL: &str = "tg.variables";

/// Variables that the new image declares, the old one did not, and the service does not set.
pub(super) fn missing(facts: &Facts) -> Option<Finding> {
    let (now, then) = (facts.now.as_ref()?, facts.then.as_ref()?);
    let known = declared(now);
    let missing: Vec<&str> =
        declared(then).difference(&known).copied().filter(|name| !is_set(&facts.model, name)).collect();
    if missing.is_empty() {
        return None;
    }
    let without = |name: &&&str| then.environment.get(**name).is_none_or(String::is_empty);
    let bare: Vec<&str> = missing.iter().filter(without).copied().collect();
    let default = if bare.is_empty() {
        "the image's own values will hold".to_owned()
    } else {
        format!("{} would be empty", bare.join(", "))
    };
    let msg =
        format!("the new image declares {}, which the project does not set: {default}", missing.join(", "));
    let cure =
        "set them in the service's environment, or in .env where the compose file takes them from there";
    Some(Finding::warning("variable-missing", msg, cure).with(json!({"variables": missing, "empty": bare})))
}

/// Variables that release notes speak of and no service of these sets. Notes may also tell of one that
/// has a default, so this is a warning.
pub(crate) fn unset(version: &str, named: &BTreeSet<&str>, models: &[&Value]) -> Option<Finding> {
    let unset: Vec<&str> =
        named.iter().copied().filter(|name| !models.iter().any(|model| is_set(model, name))).collect();
    if unset.is_empty() {
        return None;
    }
    let msg = format!("the notes of {version} name {}, which no service sets", unset.join(", "));
    let cure = "read what the notes say of it, and set it in the service's environment or in .env";
    Some(
        Finding::warning("variable-missing", msg, cure).with(json!({"variables": unset, "release": version})),
    )
}

fn declared(image: &ImageConfig) -> BTreeSet<&str> {
    let label = image.labels.get(LABEL).map(String::as_str).unwrap_or_default();
    let named = label.split([',', ' ']).filter(|name| !name.is_empty());
    image.environment.keys().map(String::as_str).chain(named).collect()
}

/// Empty counts as not set; `NAME_FILE` sets NAME.
fn is_set(model: &Value, name: &str) -> bool {
    let environment = &model["environment"];
    [name.to_owned(), format!("{name}_FILE")]
        .iter()
        .any(|name| environment[name].as_str().is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(environment: &[(&str, &str)], label: &str) -> ImageConfig {
        ImageConfig {
            environment: environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            labels: [(LABEL.to_owned(), label.to_owned())].into(),
            ..ImageConfig::default()
        }
    }

    fn found(environment: &Value) -> Option<Finding> {
        let now = Some(image(&[("PORT", "3000")], ""));
        let then = Some(image(&[("PORT", "3000"), ("TENANT", ""), ("LEVEL", "info")], "API_KEY, PORT"));
        missing(&Facts { now, then, model: json!({"environment": environment}), ..Facts::default() })
    }

    #[test]
    fn new_variables_that_nobody_sets_are_named_and_the_empty_ones_apart() {
        for environment in [json!({}), json!({"TENANT": null, "LEVEL": "", "API_KEY": ""}), json!(null)] {
            let facts = found(&environment).unwrap().facts;
            assert_eq!(
                facts,
                json!({"variables": ["API_KEY", "LEVEL", "TENANT"], "empty": ["API_KEY", "TENANT"]})
            );
        }
    }

    #[test]
    fn variables_that_the_project_sets_are_no_matter() {
        assert_eq!(found(&json!({"TENANT": "a", "LEVEL": "b", "API_KEY_FILE": "/run/secrets/k"})), None);
    }

    #[test]
    fn an_image_that_is_not_here_can_t_be_judged() {
        let facts = Facts { now: Some(image(&[], "")), then: None, ..Facts::default() };
        assert_eq!(missing(&facts), None);
    }

    #[test]
    fn a_variable_of_the_notes_is_missing_only_where_no_service_sets_it() {
        let (api, worker) = (json!({"environment": {"A": null}}), json!({"environment": {"B": "1"}}));
        let named = BTreeSet::from(["A", "B"]);
        assert_eq!(unset("2.0.0", &named, &[&api, &worker]).unwrap().facts["variables"], json!(["A"]));
        assert_eq!(unset("2.0.0", &BTreeSet::from(["B"]), &[&api, &worker]), None);
    }
}
