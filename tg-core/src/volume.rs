//! Volumes of our own making.

use std::collections::HashMap;

use bollard::query_parameters as query;

use crate::Error;
use crate::engine::{ANSWER, Engine, absent};

impl Engine {
    /// The names of the volumes that carry all of these labels.
    pub fn volumes_labelled(&self, labels: &[String]) -> Result<Vec<String>, Error> {
        let filters = HashMap::from([("label".to_owned(), labels.to_vec())]);
        let options = query::ListVolumesOptionsBuilder::new().filters(&filters).build();
        let found = self.ask(ANSWER, self.docker.list_volumes(Some(options)))?;
        Ok(found.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect())
    }

    /// Removes a volume of our own making; one that is gone is fine.
    pub fn remove_volume(&self, name: &str) -> Result<(), Error> {
        let options = query::RemoveVolumeOptionsBuilder::new().force(true).build();
        absent(self.act(ANSWER, self.docker.remove_volume(name, Some(options)))).map(drop)
    }
}
