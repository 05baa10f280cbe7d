//! Which containers Compose made. Labels alone don't tell: `docker compose build` writes the project and the service on the image,
//! and a container of anybody's that is made from it inherits them.

use std::collections::HashMap;

use bollard::models::ImageInspect;

use crate::Error;
use crate::container::{Container, HASH_LABEL, PROJECT_LABEL, SERVICE_LABEL};
use crate::engine::{ANSWER, Engine, absent};

/// What all of Compose's labels begin with.
const PREFIX: &str = "com.docker.compose.";
/// The image that Compose made a container from, by its identifier: no image holds its own.
const IMAGE_LABEL: &str = "com.docker.compose.image";

type Labels = HashMap<String, String>;

impl Engine {
    /// The containers of a Compose service, running or not, by name; one-off ones too.
    pub fn containers(&self, project: &str, service: &str) -> Result<Vec<Container>, Error> {
        self.composed(&[format!("{PROJECT_LABEL}={project}"), format!("{SERVICE_LABEL}={service}")])
    }

    /// The containers of all services of a Compose project.
    pub fn of_project(&self, project: &str) -> Result<Vec<Container>, Error> {
        self.composed(&[format!("{PROJECT_LABEL}={project}")])
    }

    /// Of those that carry these labels, the ones that Compose made.
    fn composed(&self, labels: &[String]) -> Result<Vec<Container>, Error> {
        let mut made = Vec::new();
        for container in self.labelled(labels)? {
            let image = || self.image_labels(&container.image_id);
            if is_composed(&container.labels, &container.image_id, image)? {
                made.push(container);
            }
        }
        Ok(made)
    }

    /// The labels of an image on this host; none where it is gone.
    fn image_labels(&self, image: &str) -> Result<Labels, Error> {
        let found = absent(self.ask(ANSWER, self.docker.inspect_image(image)))?;
        Ok(found.map(labels_of).unwrap_or_default())
    }

    /// The labels of a container of our own making: its own, and in the place of each of Compose's that its image has, nothing.
    pub(crate) fn own_labels(&self, image: &str, own: &Labels) -> Result<Labels, Error> {
        Ok(without_composes(&self.image_labels(image)?, own))
    }
}

fn labels_of(inspect: ImageInspect) -> Labels {
    inspect.config.and_then(|config| config.labels).unwrap_or_default()
}

/// An inherited label can't be removed, but set.
fn without_composes(image: &Labels, own: &Labels) -> Labels {
    let inherited = image.keys().filter(|name| name.starts_with(PREFIX));
    let mut all: Labels = inherited.map(|name| (name.clone(), String::new())).collect();
    all.extend(own.clone());
    all
}

/// Whether Compose made a container. Compose takes one for its own that has the hash of a configuration
/// (`hasConfigHashLabel` in its `pkg/compose/containers.go`), which no built image has; one that was committed from a
/// container has it too, so what is the image's in every label was inherited.
fn is_composed(
    labels: &Labels,
    image_id: &str,
    image: impl FnOnce() -> Result<Labels, Error>,
) -> Result<bool, Error> {
    if labels.get(HASH_LABEL).is_none_or(String::is_empty) {
        return Ok(false);
    }
    if labels.get(IMAGE_LABEL).is_some_and(|id| id == image_id) {
        return Ok(true);
    }
    let image = image()?;
    let composes = |labels: &Labels| -> Labels {
        let own = labels.iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty());
        own.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    Ok(composes(labels) != composes(&image))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned())).collect()
    }

    fn built() -> Labels {
        labels(&[("project", "p"), ("service", "db"), ("version", "2.26.1")])
    }

    fn made(image: &str) -> Labels {
        let mut all = built();
        all.extend(labels(&[("config-hash", "h"), ("oneoff", "False"), ("image", image)]));
        all
    }

    #[test]
    fn a_container_is_compose_s_where_compose_made_it_and_not_where_its_image_says_so() {
        let composed = |own: &Labels, image: Labels| is_composed(own, "sha256:now", || Ok(image)).unwrap();
        assert!(composed(&made("sha256:now"), built()));
        assert!(!composed(&built(), built()), "built by Compose, run by somebody else");
        let without: Labels = made("x").into_iter().filter(|(name, _)| !name.ends_with("image")).collect();
        assert!(composed(&without, built()), "an older Compose, which does not name the image");
        // An image that was committed from a container of Compose's.
        assert!(!composed(&made("sha256:then"), made("sha256:then")));
        assert!(composed(&made("sha256:now"), made("sha256:then")));
        let mut blank = made("sha256:then");
        blank.values_mut().for_each(String::clear);
        assert!(!composed(&blank, made("sha256:then")), "ours");
    }

    #[test]
    fn what_we_make_has_its_own_labels_and_none_of_the_project_s() {
        let mut image = made("sha256:then");
        image.insert("version".into(), "17".into());
        let own = Labels::from([("tg.run".to_owned(), "r".to_owned())]);
        let all = without_composes(&image, &own);
        assert!(all.iter().all(|(name, value)| name == "tg.run" || value.is_empty()), "{all:?}");
        assert_eq!((all.len(), all["tg.run"].as_str()), (7, "r"));
    }
}
