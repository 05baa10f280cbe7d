//! HAProxy's counters. <https://docs.haproxy.org/3.0/management.html#9.1>

use std::collections::HashMap;

use crate::balancer::{BalancerError, Counters};

/// A line of `show stat`: a server, or the backend itself.
pub(super) struct Line(HashMap<String, String>);

impl Line {
    /// Reads the answer by the names in its first line: new versions add columns.
    pub(super) fn read(text: &str) -> Result<Vec<Self>, BalancerError> {
        let wrong = |problem: String| BalancerError::Refused { what: "show stat".into(), problem };
        let text = text.trim_start_matches("# ");
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let lines: Result<Vec<_>, _> = reader.deserialize().map(|line| line.map(Line)).collect();
        lines.map_err(|e| wrong(e.to_string()))
    }

    pub(super) fn name(&self) -> &str {
        self.0.get("svname").map_or("", String::as_str)
    }

    /// `address:port`.
    pub(super) fn address(&self) -> &str {
        self.0.get("addr").map_or("", String::as_str)
    }

    pub(super) fn is_up(&self) -> bool {
        self.0.get("status").is_some_and(|s| s.starts_with("UP") || s == "no check")
    }

    /// Requests in flight, and those that wait for this server.
    pub(super) fn in_flight(&self) -> u64 {
        self.number("scur") + self.number("qcur")
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            // Servers count sessions, each of which is a request; the backend counts requests too.
            requests: self.number("stot"),
            answered_5xx: self.number("hrsp_5xx"),
            failed_connections: self.number("econ"),
            failed_responses: self.number("eresp"),
            retries: self.number("wretr"),
            redispatches: self.number("wredis"),
            aborted_by_client: self.number("cli_abrt"),
            aborted_by_server: self.number("srv_abrt"),
            mean_ms: self.number("rtime"),
        }
    }

    fn number(&self, column: &str) -> u64 {
        self.0.get(column).and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_their_names_and_a_comma_in_quotes_is_text() {
        let text = "# pxname,svname,qcur,scur,stot,econ,status,last_chk,addr,\napi,tg1,1,2,30,4,UP,\"a, b\",10.0.0.1:3000,\n\n";
        let lines = Line::read(text).unwrap();
        assert_eq!((lines[0].name(), lines[0].address(), lines[0].in_flight()), ("tg1", "10.0.0.1:3000", 3));
        assert_eq!((lines[0].counters().requests, lines[0].counters().failed_connections), (30, 4));
        assert!(lines[0].is_up());
    }
}
