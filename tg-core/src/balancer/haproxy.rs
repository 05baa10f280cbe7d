//! HAProxy: servers of the backend that are ours to name (slots), through the runtime API. Each is
//! found by its container's name, so an address that changes is followed; what HAProxy loads when it
//! starts is written after every change, so the set outlives it, and the host, with nobody there.

#[cfg(test)]
mod fake;
mod runtime;
mod slots;
mod stats;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::atomic_file;
use crate::project::Project;

use self::runtime::Place;
use self::slots::{Slot, Slots};
use self::stats::Line;
use super::config::HaproxyConfig;
use super::weights::Weights;
use super::{Abilities, Balancer, BalancerError, Counters, Duty, Instance, Post, Seen};

/// How long the checks of a first set may take before it serves all the same.
const CHECKED: Duration = Duration::from_secs(10);
/// Between two looks at them.
const LOOK: Duration = Duration::from_millis(50);

/// The driver.
pub(crate) struct Haproxy {
    place: Place,
    backend: String,
    prefix: String,
    state: Option<PathBuf>,
}

impl Haproxy {
    /// Connects to nothing yet.
    pub(super) fn new(config: &HaproxyConfig, project: &Project) -> Result<Self, BalancerError> {
        let word = |text: &str| !text.is_empty() && !text.contains([';', '/', '\n', ' ', '\\', '<']);
        if let Some(name) = [&config.backend, &config.slots].into_iter().find(|name| !word(name)) {
            return Err(BalancerError::NotPrepared {
                problem: format!("{name:?} is no name of HAProxy's"),
                hint: "correct x-tg.balancer in the compose file".into(),
            });
        }
        Ok(Haproxy {
            place: Place::parse(&config.haproxy, &project.directory),
            backend: config.backend.clone(),
            prefix: config.slots.clone(),
            state: config.state.as_ref().map(|path| project.path(path)),
        })
    }

    fn slots(&self) -> Result<Slots, BalancerError> {
        let slots =
            Slots::read(&self.place.ask(&format!("show servers state {}", self.backend))?, &self.prefix)?;
        if slots.slots.is_empty() {
            let (backend, prefix) = (&self.backend, &self.prefix);
            return Err(BalancerError::NotPrepared {
                problem: format!("backend {backend} has no server named {prefix}1, {prefix}2, …"),
                hint: format!(
                    "give it slots: server-template {prefix} 1-20 …; docs/load-balancers.md has the lines"
                ),
            });
        }
        Ok(slots)
    }

    fn lines(&self, kind: u8) -> Result<Vec<Line>, BalancerError> {
        Line::read(&self.place.ask(&format!("show stat {} {kind} -1", self.backend))?)
    }

    fn server(&self, slot: &Slot) -> String {
        format!("{}/{}", self.backend, slot.name)
    }

    /// Which slot each post has, or is given.
    fn places<'a>(
        &self,
        slots: &'a [Slot],
        posts: &'a [Post],
    ) -> Result<Vec<(&'a Slot, &'a Post)>, BalancerError> {
        let mut free = slots.iter().filter(|slot| slot.is_free());
        let mut places = Vec::new();
        for post in posts {
            let held = slots.iter().find(|slot| !slot.is_free() && slot.fqdn == post.instance.name);
            let slot = held.or_else(|| free.next()).ok_or_else(|| BalancerError::NotPrepared {
                problem: format!("all {} slots of backend {} are taken", slots.len(), self.backend),
                hint: "raise the last number of its server-template and reload HAProxy".into(),
            })?;
            if slot.port != post.instance.port {
                return Err(BalancerError::NotPrepared {
                    problem: format!(
                        "{} goes to port {}, the API listens on {}",
                        slot.name, slot.port, post.instance.port
                    ),
                    hint: "correct the port in its server-template, or health_port in x-tg".into(),
                });
            }
            places.push((slot, post));
        }
        Ok(places)
    }

    /// The orders that lead from what is to what shall be; who serves comes first.
    fn orders(&self, slots: &[Slot], places: &[(&Slot, &Post)]) -> Vec<String> {
        let mut orders = Vec::new();
        for (slot, post) in places.iter().filter(|(slot, _)| slot.is_free()) {
            let server = self.server(slot);
            orders.push(format!("set server {server} fqdn {}", post.instance.name));
            orders.push(format!("set server {server} state drain"));
            // A slot comes out of maintenance as if it were up: it shall be so by its check alone.
            orders.push(format!("set server {server} health down"));
        }
        let weights = Weights::of(places.iter().map(|(_, post)| post.duty));
        for (slot, post) in places.iter().filter(|(_, post)| post.duty != Duty::Rest) {
            let server = self.server(slot);
            let wanted = weights.map_or(slot.initial_weight, |weights| weights.for_duty(post.duty));
            if slot.weight != wanted {
                orders.push(format!("set weight {server} {wanted}"));
            }
            if slot.rests() {
                orders.push(format!("set server {server} state ready"));
            }
        }
        for (slot, _) in places.iter().filter(|(slot, post)| post.duty == Duty::Rest && !slot.rests()) {
            orders.push(format!("set server {} state drain", self.server(slot)));
        }
        let gone = slots.iter().filter(|s| !s.is_free() && !places.iter().any(|(p, _)| p.name == s.name));
        orders.extend(gone.map(|slot| format!("set server {} state maint", self.server(slot))));
        orders
    }

    /// Gives orders, if there are any.
    fn order(&self, orders: &[String]) -> Result<(), BalancerError> {
        if orders.is_empty() { Ok(()) } else { self.place.order(orders) }
    }

    /// While no slot serves, servers that are found by name do, up to the moment in which one slot is
    /// ready and well: it would then carry everything until the check of the next one has passed. So
    /// a first set is named and checked before it serves.
    fn introduce(&self, posts: &[Post], mut slots: Slots) -> Result<Slots, BalancerError> {
        let resting: Vec<Post> = posts.iter().map(|post| Post { duty: Duty::Rest, ..post.clone() }).collect();
        self.order(&self.orders(&slots.slots, &self.places(&slots.slots, &resting)?))?;
        let begun = Instant::now();
        let ailing = |(slot, post): &(&Slot, &Post)| post.duty != Duty::Rest && slot.healthy() == Some(false);
        loop {
            slots = self.slots()?;
            let places = self.places(&slots.slots, posts)?;
            if begun.elapsed() > CHECKED || !places.iter().any(ailing) {
                return Ok(slots);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Writes what HAProxy shall find when it starts.
    fn persist(&self, slots: &Slots) -> Result<(), BalancerError> {
        let Some(path) = &self.state else { return Ok(()) };
        let written = std::fs::read_to_string(path).ok();
        let written = written.and_then(|text| Slots::read(&text, &self.prefix).ok());
        if written.is_some_and(|written| written.same_set(slots)) {
            return Ok(());
        }
        // Not a secret, and HAProxy may run as another user.
        atomic_file::replace(path, slots.file().as_bytes())?;
        Ok(())
    }
}

impl Balancer for Haproxy {
    fn name(&self) -> &'static str {
        "haproxy"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            add: true,
            check: true,
            acknowledge: true,
            measure: true,
            share: true,
            count: true,
            persist: self.state.is_some(),
        }
    }

    fn assign(&self, posts: &[Post]) -> Result<(), BalancerError> {
        let mut before = self.slots()?;
        if before.slots.iter().all(Slot::rests) {
            before = self.introduce(posts, before)?;
        }
        let orders = self.orders(&before.slots, &self.places(&before.slots, posts)?);
        self.order(&orders)?;
        let after = if orders.is_empty() { before } else { self.slots()? };
        let left = self.orders(&after.slots, &self.places(&after.slots, posts)?);
        if let Some(order) = left.first() {
            return Err(BalancerError::Refused { what: order.clone(), problem: "it had no effect".into() });
        }
        self.persist(&after)
    }

    fn look(&self, instances: &[Instance]) -> Result<Vec<Seen>, BalancerError> {
        let (slots, lines) = (self.slots()?.slots, self.lines(4)?);
        let anyone = slots.iter().any(|slot| !slot.rests());
        Ok(instances.iter().filter_map(|instance| see(instance, &slots, &lines, anyone)).collect())
    }

    fn totals(&self) -> Result<Option<Counters>, BalancerError> {
        Ok(self.lines(2)?.first().map(Line::counters))
    }
}

/// An instance may have a slot of ours, servers of the user's found by DNS, or both: what is in
/// flight and counted is added up.
fn see(instance: &Instance, slots: &[Slot], lines: &[Line], anyone: bool) -> Option<Seen> {
    let slot = slots.iter().find(|slot| !slot.is_free() && slot.fqdn == instance.name);
    let is_slot = |line: &&Line| slots.iter().any(|slot| slot.name == line.name());
    let own = lines.iter().find(|line| slot.is_some_and(|slot| slot.name == line.name()));
    let others: Vec<&Line> =
        lines.iter().filter(|line| !is_slot(line) && instance.is_at(line.address())).collect();
    if own.is_none() && others.is_empty() {
        return None;
    }
    let takes_new = slot.is_some_and(|slot| !slot.rests()) || !anyone && !others.is_empty();
    let healthy = match slot {
        Some(slot) => slot.healthy(),
        None => Some(others.iter().any(|line| line.is_up())),
    };
    let all = own.into_iter().chain(others);
    let (in_flight, counters) = all.fold((0, Counters::default()), |(flying, sum), line| {
        (flying + line.in_flight(), sum.plus(&line.counters()))
    });
    let name = instance.name.clone();
    Some(Seen { name, takes_new, healthy, in_flight: Some(in_flight), counters: Some(counters) })
}

#[cfg(test)]
mod tests {
    use super::fake::checking_slots;
    use super::*;
    use crate::balancer::haproxy::slots::tests::answer;

    fn driver() -> Haproxy {
        let place = Place::Tcp(String::new());
        Haproxy { place, backend: "api".into(), prefix: "tg".into(), state: None }
    }

    fn post(name: &str, duty: Duty) -> Post {
        let instance =
            Instance { name: name.into(), address: "10.0.0.9".into(), others: Vec::new(), port: 3000 };
        Post { instance, duty }
    }

    fn orders(servers: &[(&str, &str, u8, u32, &str)], posts: &[Post]) -> Vec<String> {
        let slots = Slots::read(&answer(servers), "tg").unwrap().slots;
        let driver = driver();
        driver.orders(&slots, &driver.places(&slots, posts).unwrap())
    }

    #[test]
    fn a_new_instance_gets_a_free_slot_that_rests_until_its_own_check_passes() {
        let servers = [("tg1", "10.0.0.1", 2, 68, "app-api-1"), ("tg2", "-", 0, 5, "lb")];
        let posts = [post("app-api-1", Duty::Serve), post("app-api-2", Duty::Rest)];
        assert_eq!(
            orders(&servers, &posts),
            [
                "set server api/tg2 fqdn app-api-2",
                "set server api/tg2 state drain",
                "set server api/tg2 health down"
            ]
        );
    }

    #[test]
    fn who_serves_is_let_in_before_anybody_is_taken_out() {
        let servers = [
            ("tg1", "10.0.0.1", 2, 68, "old"),
            ("tg2", "10.0.0.2", 2, 76, "new"),
            ("tg3", "10.0.0.3", 2, 68, "gone"),
        ];
        let posts = [post("old", Duty::Rest), post("new", Duty::Serve)];
        assert_eq!(
            orders(&servers, &posts),
            [
                "set server api/tg2 state ready",
                "set server api/tg1 state drain",
                "set server api/tg3 state maint"
            ]
        );
    }

    #[test]
    fn what_is_already_so_needs_no_order() {
        let servers =
            [("tg1", "10.0.0.1", 2, 68, "a"), ("tg2", "10.0.0.2", 2, 76, "b"), ("tg3", "-", 0, 5, "lb")];
        let posts = [post("a", Duty::Serve), post("b", Duty::Rest)];
        assert_eq!(orders(&servers, &posts), [] as [&str; 0]);
    }

    #[test]
    fn more_instances_than_slots_is_said_before_anything_is_ordered() {
        let slots = Slots::read(&answer(&[("tg1", "10.0.0.1", 2, 68, "a")]), "tg").unwrap().slots;
        let posts = [post("a", Duty::Serve), post("b", Duty::Rest)];
        assert!(matches!(driver().places(&slots, &posts), Err(BalancerError::NotPrepared { .. })));
    }

    #[test]
    fn a_first_set_serves_all_at_once_when_the_check_of_each_has_passed() {
        let (place, asked) = checking_slots();
        let driver = Haproxy { place: Place::Tcp(place), ..driver() };
        driver.assign(&[post("a", Duty::Serve), post("b", Duty::Serve)]).unwrap();
        let asked = asked.lock().unwrap();
        let orders: Vec<_> = asked.iter().filter(|(line, _)| !line.starts_with("show")).collect();
        let [(named, _), (ready, well)] = orders[..] else { panic!("{asked:?}") };
        assert!(named.contains("tg2 state drain") && !named.contains("ready"), "{named}");
        assert_eq!(ready, "set server api/tg1 state ready; set server api/tg2 state ready");
        assert!(*well >= 2, "let in with {well} of 2 well");
    }
}
