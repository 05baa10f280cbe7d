//! The drivers against real balancers, in containers of the test's own:
//! `cargo test -p tg-swap --features lab --lib lab`, after `scripts/lab/balancers`.

mod stack;

use std::time::{Duration, Instant};

use crate::bounds::Bounds;
use crate::engine::Engine;

use self::stack::Stack;
use super::caddy::Caddy;
use super::config::CaddyConfig;
use super::nginx::Nginx;
use super::{Balancer, BalancerError, Duty, Seen, sockets};

/// How long the slow request takes, ms.
const SLOW_MS: u64 = 6000;

const CADDY: &str = r#"{"admin": {"listen": ":2019"}, "apps": {"http": {"servers": {"api": {
    "listen": [":3000"],
    "routes": [{"handle": [{"@id": "api", "handler": "reverse_proxy", "upstreams": [{"dial": "api:3000"}]}]}]
}}}}}"#;
const NGINX: &str =
    "events {} http { access_log off; server { listen 3000; location / { proxy_pass http://api; } }
    upstream api { zone api 64k; include /etc/lb/api.upstream; } }";

fn see(balancer: &dyn Balancer, stack: &Stack, name: &str) -> Seen {
    balancer.look(&[stack.instance(name)]).unwrap().remove(0)
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Moves the traffic from a to b while a has a request in flight; what went wrong with others meanwhile.
fn traffic_moves(balancer: &dyn Balancer, stack: &Stack, engine: &Engine) -> Vec<String> {
    balancer.assign(&[stack.post("a", Duty::Serve), stack.post("b", Duty::Rest)]).unwrap();
    assert_eq!(stack.answers(20), [("a".to_owned(), 20)]);
    assert!(see(balancer, stack, "a").takes_new && !see(balancer, stack, "b").takes_new);

    let (load, slow) = (stack.load(), stack.slow(SLOW_MS));
    let on = |name: &str| sockets::in_flight(engine, &stack.name(name), 3000).unwrap();
    until("the slow request never came", || on("a").is_some_and(|n| n > 0));
    let posts = [stack.post("a", Duty::Rest), stack.post("b", Duty::Serve)];
    balancer.assign(&posts).unwrap();
    assert_eq!(stack.answers(20), [("b".to_owned(), 20)], "a rests as soon as the driver returns");
    let drained = see(balancer, stack, "a");
    assert!(!slow.is_finished(), "the test is too slow to see anything in flight");
    assert!(!drained.takes_new && drained.in_flight >= Some(1), "{drained:?}");
    assert!(on("a") >= Some(1));

    assert_eq!(slow.join().unwrap(), (200, "a".to_owned()));
    for duty in [Duty::Serve, Duty::Rest].repeat(3) {
        balancer.assign(&[stack.post("a", duty), stack.post("b", Duty::Serve)]).unwrap();
    }
    let (answered, failed) = load.end();
    assert!(answered > 100, "{answered} answered");
    balancer.assign(&posts).unwrap();
    until("a never became idle", || see(balancer, stack, "a").in_flight == Some(0));
    failed
}

fn the_set_outlives_a_restart(stack: &mut Stack) {
    stack.restart_balancer();
    assert_eq!(stack.answers(20), [("b".to_owned(), 20)]);
}

#[test]
fn caddy_moves_traffic_counts_what_is_in_flight_and_keeps_the_set() {
    let engine = Engine::connect(&Bounds::none()).unwrap();
    let mut stack = Stack::up("caddy", "tg-lab/caddy:2.11", &[("caddy.json", CADDY)], "/etc/caddy");
    let caddy = stack.admin(2019);
    let balancer = Caddy::at(&CaddyConfig { caddy, id: "api".into() }, vec!["api".into()]);
    let abilities = balancer.abilities();
    assert!(abilities.measure && abilities.persist, "{abilities:?}");
    assert!(see(&balancer, &stack, "a").takes_new, "the service's own name stands for a too");
    let failed = traffic_moves(&balancer, &stack, &engine);
    // A reload of Caddy may cut a connection that was made just then, but gives no wrong answer.
    assert!(failed.iter().all(|what| what.starts_with("Err(")), "{failed:?}");
    the_set_outlives_a_restart(&mut stack);
}

#[test]
fn nginx_moves_traffic_waits_for_its_old_workers_and_keeps_the_set() {
    let engine = Engine::connect(&Bounds::none()).unwrap();
    let files = [("nginx.conf", NGINX), ("api.upstream", "server api:3000;\n")];
    let mut stack = Stack::up("nginx", "tg-lab/nginx:trixie", &files, "/etc/lb");
    let balancer = Nginx::at(&engine, &stack.project, "lb", stack.file("api.upstream"));
    assert_eq!(traffic_moves(&balancer, &stack, &engine), [] as [&str; 0]);

    // Caddy would keep idle ones for a while.
    let sockets = || sockets::in_flight(&engine, &stack.name("a"), 3000).unwrap();
    until("a's sockets never closed", || sockets() == Some(0));

    let workers = || engine.top(&stack.name("lb")).unwrap();
    let (before, posts) = (workers(), [stack.post("a", Duty::Rest), stack.post("b", Duty::Serve)]);
    balancer.assign(&posts).unwrap();
    assert_eq!(workers(), before, "what is already so is not loaded again");

    let written = || std::fs::read_to_string(stack.file("api.upstream")).unwrap();
    let marked = format!("# Not loaded yet: run tg-swap again, or nginx -s reload.\n{}", written());
    std::fs::write(stack.file("api.upstream"), marked).unwrap();
    assert!(see(&balancer, &stack, "a").takes_new, "after a kill it is not known what was loaded");
    balancer.assign(&posts).unwrap();
    assert!(!see(&balancer, &stack, "a").takes_new && workers() != before);

    let (before, mut stranger) = (written(), stack.post("b", Duty::Serve));
    stranger.instance.name = "nobody.invalid".into();
    let error = balancer.assign(&[stranger]).unwrap_err();
    assert!(matches!(&error, BalancerError::Refused { problem, .. } if problem.contains("nobody.invalid")));
    assert_eq!(written(), before, "the file that works is put back");

    the_set_outlives_a_restart(&mut stack);
    balancer.assign(&[stack.post("a", Duty::Share(20)), stack.post("b", Duty::Serve)]).unwrap();
    let canary = stack.answers(100).into_iter().find(|(name, _)| name == "a").map_or(0, |(_, n)| n);
    assert!((15..=25).contains(&canary), "{canary} of 100");
}

#[test]
fn a_file_that_nginx_does_not_read_is_said_so_and_left_as_it_was() {
    let engine = Engine::connect(&Bounds::none()).unwrap();
    let files =
        [("nginx.conf", NGINX), ("api.upstream", "server api:3000;\n"), ("other", "server api:3000;\n")];
    let stack = Stack::up("unread", "tg-lab/nginx:trixie", &files, "/etc/lb");
    let balancer = Nginx::at(&engine, &stack.project, "lb", stack.file("other"));
    let error = balancer.assign(&[stack.post("a", Duty::Serve)]).unwrap_err();
    assert!(matches!(error, BalancerError::NotPrepared { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(stack.file("other")).unwrap(), "server api:3000;\n");
}

#[test]
fn sockets_are_counted_inside_the_container_where_the_host_shows_none() {
    let engine = Engine::connect(&Bounds::none()).unwrap();
    let stack = Stack::up("sockets", "tg-lab/nginx:trixie", &[("nginx.conf", "events {}")], "/etc/lb");
    let held = stack.hold("a");
    let by_exec = |port| sockets::in_container(&engine, &stack.name("a"), port).unwrap();
    until("the connection never stood", || by_exec(3000) == Some(1));
    assert_eq!(sockets::in_flight(&engine, &stack.name("a"), 3000).unwrap(), Some(1));
    assert_eq!(by_exec(3001), Some(0));
    let (code, _) = engine.exec(&stack.name("a"), &["no-such-program"]).unwrap();
    assert!(code == 126 || code == 127, "{code}");
    drop(held);
    until("the connection never ended", || by_exec(3000) == Some(0));
}
