//! What stands in front of the API, behind one interface: who gets new requests, and what is still
//! in flight. A driver is told the whole set each time, so telling it twice changes nothing.

mod caddy;
mod config;
mod counters;
mod error;
mod exec;
mod haproxy;
#[cfg(test)]
#[cfg(feature = "lab")]
mod lab;
mod nginx;
pub mod sockets;
mod weights;

use crate::Session;
use crate::container::Container;
use crate::engine::Engine;
use crate::project::Project;
use serde::{Deserialize, Serialize};

pub use config::Config;
pub use counters::Counters;
pub use error::BalancerError;

/// An instance of the API as a balancer reaches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// The container's name, by which Docker's DNS finds it; it outlives a change of address.
    pub name: String,
    /// Its address now.
    pub address: String,
    /// Its addresses on other networks: which of them is the balancer's, the balancer knows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// The port on which it answers.
    pub port: u16,
}

impl Instance {
    /// A container, by a port of it; `None` where it has no address.
    #[must_use]
    pub fn of(container: &Container, port: u16) -> Option<Self> {
        let (address, others) = container.addresses.split_first()?;
        Some(Instance {
            name: container.name.clone(),
            address: address.clone(),
            others: others.to_vec(),
            port,
        })
    }

    /// Whether it answers at a place, `address:port`.
    #[must_use]
    pub fn is_at(&self, place: &str) -> bool {
        let mut all = std::iter::once(&self.address).chain(&self.others);
        place.rsplit_once(':').is_some_and(|(address, port)| {
            port == self.port.to_string() && all.any(|known| known == address.trim_matches(['[', ']']))
        })
    }
}

/// What a balancer shall do with an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// Gets new requests, as many as any other that serves.
    Serve,
    /// Gets this share of all new requests, in per cent: a canary.
    Share(u8),
    /// Known and checked, but gets no new request; those in flight end.
    Rest,
}

/// An instance and its duty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Post {
    /// Who.
    pub instance: Instance,
    /// What it is to do.
    pub duty: Duty,
}

/// What a driver can do; the swap adapts to it and says what it could not measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent abilities is what this is")]
pub struct Abilities {
    /// Takes an instance in without cutting connections.
    pub add: bool,
    /// Checks an instance itself before it gets requests.
    pub check: bool,
    /// Says by itself whether an instance still gets new requests.
    pub acknowledge: bool,
    /// Counts what is in flight.
    pub measure: bool,
    /// Gives an instance a share of the requests.
    pub share: bool,
    /// Counts requests and failures.
    pub count: bool,
    /// The set outlives a restart of the balancer.
    pub persist: bool,
}

/// What a balancer says of an instance now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The instance's name.
    pub name: String,
    /// Whether it is in rotation: by order, whatever its health.
    pub takes_new: bool,
    /// The verdict of the balancer's own check; `None` where it has none.
    pub healthy: Option<bool>,
    /// Requests in flight; `None` where the balancer can't tell.
    pub in_flight: Option<u64>,
    /// What it has counted for this instance.
    pub counters: Option<Counters>,
}

impl Seen {
    /// In rotation, and not held back by the balancer's own check.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.takes_new && self.healthy != Some(false)
    }
}

/// A driver.
pub trait Balancer {
    /// Its name, as the setting has it.
    fn name(&self) -> &'static str;
    /// What it can do.
    fn abilities(&self) -> Abilities;
    /// Makes the balancer's set exactly this, durable where it can; who is not listed gets nothing
    /// more and is forgotten.
    fn assign(&self, posts: &[Post]) -> Result<(), BalancerError>;
    /// What it says of these instances; one that it does not know is left out.
    fn look(&self, instances: &[Instance]) -> Result<Vec<Seen>, BalancerError>;
    /// What it has counted for all instances together, if it counts.
    fn totals(&self) -> Result<Option<Counters>, BalancerError>;
}

/// The project's balancer; `None` where the API is reached directly.
pub fn open<'a>(
    session: &'a Session,
    project: &Project,
    engine: &'a Engine,
) -> Result<Option<Box<dyn Balancer + 'a>>, BalancerError> {
    Ok(match Config::read(project)? {
        Config::None => None,
        Config::Haproxy(config) => Some(Box::new(haproxy::Haproxy::new(&config, project)?)),
        Config::Caddy(config) => Some(Box::new(caddy::Caddy::new(&config, project))),
        Config::Nginx(config) => Some(Box::new(nginx::Nginx::new(&config, project, engine)?)),
        Config::Exec(config) => Some(Box::new(exec::Exec::new(&config, project, &session.emit)?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_on_several_networks_is_known_by_each_of_its_addresses() {
        let [address, other] = ["10.0.0.9", "fd00::9"].map(String::from);
        let instance = Instance { name: "app-api-1".into(), address, others: vec![other], port: 3000 };
        for place in ["10.0.0.9:3000", "[fd00::9]:3000", "fd00::9:3000"] {
            assert!(instance.is_at(place), "{place}");
        }
        for place in ["10.0.0.9:3001", "10.0.0.8:3000", "10.0.0.9", ":3000"] {
            assert!(!instance.is_at(place), "{place}");
        }
    }
}
