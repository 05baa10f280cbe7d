//! Networks of our own making.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters as query;

use crate::Error;
use crate::engine::{ANSWER, Engine, absent};

/// The bridge driver's name for the router that containers are given, in the place of the host.
const ROUTER: &str = "DefaultGatewayIPv4";
/// How often another network may take the subnet that was drawn.
const DRAWS: usize = 3;

/// A network, as the engine has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// Full identifier.
    pub id: String,
    /// Whether the engine forwards nothing into it or out of it.
    pub internal: bool,
    /// Its kind, such as `bridge`.
    pub driver: String,
    /// In CIDR notation; nothing where the engine doesn't say.
    pub subnet: Option<String>,
    /// The address of the engine's host in it.
    pub host: Option<String>,
    /// The identifiers of the running containers in it.
    pub containers: Vec<String>,
}

impl Engine {
    /// Makes a network that leads nowhere else, with labels by which it is found again.
    ///
    /// An internal network has no way to another network, but some engines make their host its router: every address of the
    /// host can be reached through it. The containers of this one are given a router that does not exist.
    pub fn create_internal_network(&self, name: &str, labels: &HashMap<String, String>) -> Result<(), Error> {
        for _ in 0..DRAWS {
            // The engine knows which subnets are free: it draws one, which is then taken with a router of our own.
            self.create_network(name, labels, None)?;
            let drawn = self.network(name)?.and_then(|network| network.subnet);
            let Some(ipam) = drawn.as_deref().and_then(without_router) else { return Ok(()) };
            self.remove_network(name)?;
            if self.create_network(name, labels, Some(ipam)).is_ok() {
                return Ok(());
            }
        }
        // Without it the network is internal still; what can be reached from it is for the caller to try.
        self.create_network(name, labels, None)
    }

    fn create_network(
        &self,
        name: &str,
        labels: &HashMap<String, String>,
        ipam: Option<Ipam>,
    ) -> Result<(), Error> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            internal: Some(true),
            enable_ipv6: Some(false),
            labels: Some(labels.clone()),
            ipam,
            ..NetworkCreateRequest::default()
        };
        self.act(ANSWER, self.docker.create_network(request)).map(drop)
    }

    /// One network, if it is there.
    pub fn network(&self, name: &str) -> Result<Option<Network>, Error> {
        let question = self.docker.inspect_network(name, None::<query::InspectNetworkOptions>);
        let Some(found) = absent(self.ask(ANSWER, question))? else { return Ok(None) };
        let config = found.ipam.and_then(|ipam| ipam.config).unwrap_or_default().into_iter().next();
        let config = config.unwrap_or_default();
        Ok(Some(Network {
            name: found.name.unwrap_or_default(),
            id: found.id.unwrap_or_default(),
            internal: found.internal == Some(true),
            driver: found.driver.unwrap_or_default(),
            subnet: config.subnet,
            host: config.gateway,
            containers: found.containers.unwrap_or_default().into_keys().collect(),
        }))
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

/// The same subnet, whose last address, which no host has, is the router.
fn without_router(subnet: &str) -> Option<Ipam> {
    let (base, bits) = subnet.split_once('/')?;
    let (base, bits): (Ipv4Addr, u32) = (base.parse().ok()?, bits.parse().ok()?);
    // Three addresses at least: the host's, the router's, and one for a container.
    let hosts = (1..=29).contains(&bits).then(|| u32::MAX >> bits)?;
    let at = |offset: u32| Ipv4Addr::from(u32::from(base).saturating_add(offset)).to_string();
    let config = IpamConfig {
        subnet: Some(subnet.to_owned()),
        gateway: Some(at(1)),
        auxiliary_addresses: Some(HashMap::from([(ROUTER.to_owned(), at(hosts - 1))])),
        ..IpamConfig::default()
    };
    Some(Ipam { config: Some(vec![config]), ..Ipam::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_router_is_the_last_address_of_the_subnet_and_never_the_host() {
        for (subnet, host, router) in [
            ("172.24.0.0/16", "172.24.0.1", "172.24.255.254"),
            ("192.168.16.0/20", "192.168.16.1", "192.168.31.254"),
            ("10.0.0.8/29", "10.0.0.9", "10.0.0.14"),
        ] {
            let config = without_router(subnet).unwrap().config.unwrap().remove(0);
            assert_eq!(config.gateway.as_deref(), Some(host));
            assert_eq!(config.auxiliary_addresses.unwrap()[ROUTER], router);
        }
        assert_eq!(without_router("10.0.0.0/31"), None);
        assert_eq!(without_router("fd00::/64"), None);
    }
}
