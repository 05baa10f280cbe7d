//! Caddy: the upstreams of one `reverse_proxy` handler, through the admin API. Each is dialled by its
//! container's name, so an address that changes is followed. Every change is a reload of Caddy, so
//! what is already so is not asked for.

mod admin;
mod process;

use std::cell::OnceCell;

use crate::project::Project;
use serde_json::{Value, json};

use self::admin::{Admin, Answer};
use super::config::CaddyConfig;
use super::{Abilities, Balancer, BalancerError, Counters, Duty, Instance, Post, Seen};

/// How often a change is tried while somebody else changes the configuration too.
const TRIES: usize = 5;

/// The driver.
pub(crate) struct Caddy {
    admin: Admin,
    /// Path of the handler in the admin API.
    handler: String,
    /// Names that stand for all instances at once.
    services: Vec<String>,
    /// Whether upstreams that were taken out are counted until they end; asked once.
    counts_removed: OnceCell<bool>,
}

/// The handler as it is now.
struct Handler {
    etag: String,
    upstreams: Vec<Value>,
}

/// What Caddy counts for an upstream.
#[derive(serde::Deserialize)]
struct Flight {
    address: String,
    num_requests: u64,
}

impl Caddy {
    /// Connects to nothing yet.
    pub(super) fn new(config: &CaddyConfig, project: &Project) -> Self {
        Caddy::at(config, project.api.clone())
    }

    pub(super) fn at(config: &CaddyConfig, services: Vec<String>) -> Self {
        // What a Caddyfile makes has no @id, but a place in the configuration.
        let handler = match config.id.trim_matches('/') {
            id if id.contains('/') => format!("/config/{id}"),
            id => format!("/id/{id}"),
        };
        Caddy { admin: Admin::new(&config.caddy), handler, services, counts_removed: OnceCell::new() }
    }

    fn handler(&self) -> Result<Handler, BalancerError> {
        let answer = self.admin.get(&self.handler)?;
        let handler: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let not_prepared = |problem: String| {
            BalancerError::NotPrepared {
            problem,
            hint: "write \"@id\": \"api\" into the reverse_proxy handler of its JSON configuration and the name in x-tg.balancer; docs/load-balancers.md has an example".into(),
        }
        };
        if answer.status != 200 || handler.is_null() {
            return Err(not_prepared(format!("there is no {}: {}", self.handler, answer.problem())));
        }
        let of_ours = handler["handler"] == "reverse_proxy" && handler["dynamic_upstreams"].is_null();
        match &handler["upstreams"] {
            Value::Array(upstreams) if of_ours => {
                Ok(Handler { etag: answer.etag, upstreams: upstreams.clone() })
            }
            _ => Err(not_prepared(format!("{} is no reverse_proxy handler with upstreams", self.handler))),
        }
    }

    fn replace(&self, handler: &Handler, wanted: &[Value]) -> Result<Answer, BalancerError> {
        self.admin.patch(&format!("{}/upstreams", self.handler), &handler.etag, &json!(wanted))
    }

    fn flights(&self) -> Result<Vec<Flight>, BalancerError> {
        let what = "/reverse_proxy/upstreams";
        let answer = self.admin.get(what)?;
        serde_json::from_str(&answer.body)
            .map_err(|_| BalancerError::Refused { what: what.into(), problem: answer.problem() })
    }

    fn counts_removed(&self) -> bool {
        *self.counts_removed.get_or_init(|| process::counts_removed(&self.admin))
    }

    fn stands_for_all(&self, dial: &str) -> bool {
        dial.rsplit_once(':').is_some_and(|(host, _)| self.services.iter().any(|service| service == host))
    }

    /// What is in flight at an instance. What went to all of them at once may be there too.
    fn in_flight(&self, dial: &str, flights: &[Flight]) -> Option<u64> {
        let own: Vec<u64> = flights.iter().filter(|f| f.address == dial).map(|f| f.num_requests).collect();
        let all = flights.iter().filter(|f| self.stands_for_all(&f.address)).map(|f| f.num_requests);
        (!own.is_empty() || self.counts_removed()).then(|| own.iter().sum::<u64>() + all.sum::<u64>())
    }
}

impl Balancer for Caddy {
    fn name(&self) -> &'static str {
        "caddy"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            // A reload closes idle connections, whoever is about to use them.
            add: false,
            check: false,
            acknowledge: true,
            measure: self.counts_removed(),
            share: false,
            count: false,
            persist: process::resumes(&self.admin),
        }
    }

    fn assign(&self, posts: &[Post]) -> Result<(), BalancerError> {
        if posts.iter().any(|post| matches!(post.duty, Duty::Share(_))) {
            return Err(refused("caddy gives no shares: each upstream gets as much as any other"));
        }
        if !posts.iter().any(|post| post.duty == Duty::Serve) {
            return Err(refused("nobody would serve"));
        }
        for _ in 0..TRIES {
            let handler = self.handler()?;
            let wanted = upstreams(&handler.upstreams, posts);
            if wanted == handler.upstreams {
                return Ok(());
            }
            match self.replace(&handler, &wanted)? {
                Answer { status: 200, .. } => return Ok(()),
                // Somebody else was quicker.
                Answer { status: 412, .. } => {}
                answer => return Err(refused(&answer.problem())),
            }
        }
        Err(refused("its configuration is being changed by somebody else"))
    }

    fn look(&self, instances: &[Instance]) -> Result<Vec<Seen>, BalancerError> {
        let (handler, flights) = (self.handler()?, self.flights()?);
        let dials: Vec<&str> = handler.upstreams.iter().filter_map(|u| u["dial"].as_str()).collect();
        let anyone = dials.iter().any(|dial| self.stands_for_all(dial));
        let see = |instance: &Instance| {
            let dial = dial(instance);
            Seen {
                name: instance.name.clone(),
                takes_new: anyone || dials.contains(&dial.as_str()),
                in_flight: self.in_flight(&dial, &flights),
                ..Seen::default()
            }
        };
        Ok(instances.iter().map(see).collect())
    }

    fn totals(&self) -> Result<Option<Counters>, BalancerError> {
        Ok(None)
    }
}

fn dial(instance: &Instance) -> String {
    format!("{}:{}", instance.name, instance.port)
}

/// Those that stay keep their place and what else the user has written about them.
fn upstreams(now: &[Value], posts: &[Post]) -> Vec<Value> {
    let serving: Vec<String> =
        posts.iter().filter(|post| post.duty == Duty::Serve).map(|post| dial(&post.instance)).collect();
    let is = |upstream: &Value, dial: &str| upstream["dial"] == dial;
    let stay = now.iter().filter(|upstream| serving.iter().any(|dial| is(upstream, dial))).cloned();
    let come = serving.iter().filter(|dial| !now.iter().any(|upstream| is(upstream, dial)));
    stay.chain(come.map(|dial| json!({ "dial": dial }))).collect()
}

fn refused(problem: &str) -> BalancerError {
    BalancerError::Refused { what: "the new set of upstreams".into(), problem: problem.into() }
}

#[cfg(test)]
mod tests;
