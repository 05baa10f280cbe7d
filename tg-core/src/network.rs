//! Networks of our own making.

use std::collections::HashMap;

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters as query;

use crate::Error;
use crate::engine::{ANSWER, Engine, absent};

impl Engine {
    /// Makes a network that leads nowhere else, with labels by which it is found again.
    pub fn create_network(&self, name: &str, labels: &HashMap<String, String>) -> Result<(), Error> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            internal: Some(true),
            labels: Some(labels.clone()),
            ..NetworkCreateRequest::default()
        };
        self.act(ANSWER, self.docker.create_network(request)).map(drop)
    }

    /// The names of the networks that carry all of these labels.
    pub fn networks_labelled(&self, labels: &[String]) -> Result<Vec<String>, Error> {
        let filters = HashMap::from([("label".to_owned(), labels.to_vec())]);
        let options = query::ListNetworksOptionsBuilder::new().filters(&filters).build();
        let found = self.ask(ANSWER, self.docker.list_networks(Some(options)))?;
        Ok(found.into_iter().filter_map(|network| network.name).collect())
    }

    /// Removes a network of our own making; one that is gone is fine.
    pub fn remove_network(&self, name: &str) -> Result<(), Error> {
        absent(self.act(ANSWER, self.docker.remove_network(name))).map(drop)
    }
}
