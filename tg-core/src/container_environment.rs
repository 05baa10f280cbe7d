//! The environment of a container: its image's, what Compose added, and nothing that its first process made of it.

use std::collections::BTreeMap;

use bollard::query_parameters::InspectContainerOptions;

use crate::Error;
use crate::engine::{ANSWER, Engine, absent};

impl Engine {
    /// By name; nothing where the container is gone.
    pub(crate) fn environment(&self, id: &str) -> Result<Option<BTreeMap<String, String>>, Error> {
        let question = self.docker.inspect_container(id, None::<InspectContainerOptions>);
        let pair =
            |text: String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(absent(self.ask(ANSWER, question))?.map(|found| {
            found
                .config
                .and_then(|config| config.env)
                .unwrap_or_default()
                .into_iter()
                .filter_map(pair)
                .collect()
        }))
    }

    /// Of a running container of a service; nothing where there is none.
    pub(crate) fn environment_of(
        &self,
        project: &str,
        service: &str,
    ) -> Result<Option<BTreeMap<String, String>>, Error> {
        match self.running(project, service)?.first() {
            Some(container) => self.environment(&container.id),
            None => Ok(None),
        }
    }
}
