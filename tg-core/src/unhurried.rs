//! What a connection begins with, ours and those of PostgreSQL's own clients (`PGOPTIONS`), so that a limit of a role, a database or the server does not end
//! their work, and what the application fires on connections and on DDL does not change the data. Options of a connection
//! come before the settings of roles and databases.

/// Limits, and the version that came with each.
const LIMITS: [(&str, i32); 5] = [
    ("statement_timeout", 0),
    ("lock_timeout", 0),
    ("idle_in_transaction_session_timeout", 0),
    ("idle_session_timeout", 140_000),
    ("transaction_timeout", 170_000),
];
/// A database that is read-only by default is restored all the same.
const WRITABLE: &str = "default_transaction_read_only=off";
/// Login event triggers too. Only a superuser may say so, and who was granted it.
const EVENT_TRIGGERS: (&str, i32) = ("event_triggers=off", 170_000);

/// `-c name=value …` for a server of this version number, which refuses a connection with a setting that it does not know.
#[must_use]
pub fn options(server_version_num: i32, superuser: bool) -> String {
    let known = |since: i32| server_version_num >= since;
    let limits = LIMITS.iter().filter(|(_, since)| known(*since)).map(|(name, _)| format!("{name}=0"));
    let events = (superuser && known(EVENT_TRIGGERS.1)).then(|| EVENT_TRIGGERS.0.to_owned());
    let all = limits.chain([WRITABLE.to_owned()]).chain(events);
    all.map(|setting| format!("-c {setting}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_only_what_it_knows_and_what_the_role_may_say() {
        let old = options(130_000, true);
        assert_eq!(
            old,
            "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 \
            -c default_transaction_read_only=off"
        );
        assert!(options(150_000, true).contains("idle_session_timeout=0"));
        assert!(!options(160_000, true).contains("transaction_timeout=0 -c default"));
        let new = options(170_000, true);
        assert!(new.contains("-c transaction_timeout=0") && new.ends_with("-c event_triggers=off"));
        assert!(!options(180_000, false).contains("event_triggers"));
    }
}
