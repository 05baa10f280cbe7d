//! The slots of a backend: the servers that are ours to name, as `show servers state` tells them.

use crate::balancer::BalancerError;

/// `srv_admin_state`: out of service by order. HAProxy, include/haproxy/server-t.h.
const FORCED_MAINTENANCE: u32 = 0x01;
/// `srv_admin_state`: no new requests by order.
const FORCED_DRAIN: u32 = 0x08;
/// `srv_op_state` of a server whose check passes.
const RUNNING: u8 = 2;
/// `srv_check_state`: has a check.
const CHECK_CONFIGURED: u32 = 0x02;

/// One server of the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// HAProxy's name for it.
    pub name: String,
    /// Name by which its address is looked up.
    pub fqdn: String,
    pub address: String,
    pub port: u16,
    pub weight: u32,
    /// The weight of the configuration.
    pub initial_weight: u32,
    operation: u8,
    admin: u32,
    check: u32,
    /// The line itself, for the state file.
    line: String,
}

impl Slot {
    /// Nobody's: it can be given a name.
    pub(super) fn is_free(&self) -> bool {
        self.admin & FORCED_MAINTENANCE != 0
    }

    /// Gets no new requests by order.
    pub(super) fn rests(&self) -> bool {
        self.is_free() || self.admin & FORCED_DRAIN != 0
    }

    /// HAProxy's own check passes; `None` without one.
    pub(super) fn healthy(&self) -> Option<bool> {
        (self.check & CHECK_CONFIGURED != 0).then_some(self.operation == RUNNING && self.address != "-")
    }
}

/// The whole answer, of which only the slots are ours.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    head: String,
    pub slots: Vec<Slot>,
}

impl Slots {
    /// Reads the answer to `show servers state`, or the file that was written from it.
    pub(super) fn read(text: &str, prefix: &str) -> Result<Self, BalancerError> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let (Some(version), Some(names)) = (lines.next(), lines.next()) else {
            return Err(unexpected(text));
        };
        let names: Vec<&str> = names.trim_start_matches("# ").split_whitespace().collect();
        if version.trim() != "1" || !names.contains(&"srv_fqdn") {
            return Err(unexpected(text));
        }
        let head = format!("1\n# {}\n", names.join(" "));
        let slots = lines.filter_map(|line| slot(&names, line, prefix)).collect();
        Ok(Slots { head, slots })
    }

    /// What HAProxy shall find when it starts: the slots that have somebody in them.
    pub(super) fn file(&self) -> String {
        let used = self.slots.iter().filter(|slot| !slot.is_free());
        used.fold(self.head.clone(), |file, slot| file + &slot.line + "\n")
    }

    /// Whether both mean the same set; times and check results don't count.
    pub(super) fn same_set(&self, other: &Slots) -> bool {
        let meaning = |slots: &Slots| -> Vec<(String, String, bool, u32)> {
            let used = slots.slots.iter().filter(|s| !s.is_free());
            used.map(|s| (s.name.clone(), s.fqdn.clone(), s.rests(), s.weight)).collect()
        };
        meaning(self) == meaning(other)
    }
}

fn slot(names: &[&str], line: &str, prefix: &str) -> Option<Slot> {
    let values: Vec<&str> = line.split_whitespace().collect();
    let of = |name: &str| names.iter().position(|n| *n == name).and_then(|i| values.get(i)).copied();
    let name = of("srv_name")?;
    let digits = name.strip_prefix(prefix)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(Slot {
        name: name.to_owned(),
        fqdn: of("srv_fqdn")?.to_owned(),
        address: of("srv_addr")?.to_owned(),
        port: of("srv_port")?.parse().ok()?,
        weight: of("srv_uweight")?.parse().ok()?,
        initial_weight: of("srv_iweight")?.parse().ok()?,
        operation: of("srv_op_state")?.parse().ok()?,
        admin: of("srv_admin_state")?.parse().ok()?,
        check: of("srv_check_state")?.parse().ok()?,
        line: line.to_owned(),
    })
}

fn unexpected(text: &str) -> BalancerError {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    if first.contains("Can't find backend") {
        return BalancerError::NotPrepared {
            problem: "it has no such backend".into(),
            hint: "write the backend's name in x-tg.balancer, as backend: NAME".into(),
        };
    }
    BalancerError::Refused { what: "show servers state".into(), problem: first.to_owned() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const NAMES: &str = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port";

    /// An answer of HAProxy 3.0 with these servers: name, address, operation, admin state, fqdn.
    pub(crate) fn answer(servers: &[(&str, &str, u8, u32, &str)]) -> String {
        let line = |(i, (name, address, operation, admin, fqdn)): (usize, &(&str, &str, u8, u32, &str))| {
            format!(
                "3 api {i} {name} {address} {operation} {admin} 1 1 9 15 3 2 6 0 0 0 {fqdn} 3000 - 0 0 - - 0\n"
            )
        };
        let lines: String = servers.iter().enumerate().map(line).collect();
        format!("1\n{NAMES}\n{lines}\n")
    }

    #[test]
    fn only_servers_with_our_prefix_and_a_number_are_slots() {
        let text = answer(&[
            ("tg1", "10.0.0.1", 2, 68, "app-api-1"),
            ("any1", "10.0.0.1", 2, 0, "api"),
            ("tgx", "-", 0, 1, "x"),
        ]);
        let slots = Slots::read(&text, "tg").unwrap().slots;
        assert_eq!(slots.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["tg1"]);
        assert_eq!((slots[0].is_free(), slots[0].rests(), slots[0].healthy()), (false, false, Some(true)));
    }

    #[test]
    fn the_file_holds_those_slots_that_somebody_is_in_and_reads_as_the_same_set() {
        let text = answer(&[
            ("tg1", "10.0.0.1", 2, 68, "app-api-1"),
            ("tg2", "-", 0, 5, "lb"),
            ("tg3", "10.0.0.2", 2, 76, "app-api-2"),
        ]);
        let slots = Slots::read(&text, "tg").unwrap();
        let file = slots.file();
        assert!(!file.contains("tg2"), "{file}");
        assert!(Slots::read(&file, "tg").unwrap().same_set(&slots));
        let other =
            answer(&[("tg1", "10.0.0.1", 2, 68, "app-api-1"), ("tg3", "10.0.0.2", 2, 68, "app-api-2")]);
        assert!(!Slots::read(&other, "tg").unwrap().same_set(&slots), "tg3 serves in one of them");
    }

    #[test]
    fn a_backend_that_is_not_there_is_said_so_with_its_cure() {
        let error = Slots::read("Can't find backend.\n\n", "tg").unwrap_err();
        assert!(matches!(error, BalancerError::NotPrepared { .. }), "{error}");
    }
}
