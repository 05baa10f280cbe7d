//! The driver against a stand-in for Caddy's admin API.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::*;

/// What the stand-in knows, and what it was asked.
#[derive(Default)]
struct State {
    handler: Value,
    flights: Value,
    version: &'static str,
    command: Vec<&'static str>,
    /// Changes that somebody else makes just before ours.
    conflicts: u32,
    generation: u32,
    patches: Vec<Value>,
}

/// Serves until the test's process ends.
fn fake(state: State) -> (Caddy, Arc<Mutex<State>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let caddy = format!("http://{}/", listener.local_addr().unwrap());
    let state = Arc::new(Mutex::new(state));
    let shared = Arc::clone(&state);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(&stream.unwrap(), &mut shared.lock().unwrap());
        }
    });
    (Caddy::at(&CaddyConfig { caddy, id: "api".into() }, vec!["api".into()]), state)
}

fn answer(mut stream: &TcpStream, state: &mut State) {
    let mut reader = BufReader::new(stream);
    let (mut first, mut line, mut length, mut if_match) = (String::new(), String::new(), 0, String::new());
    reader.read_line(&mut first).unwrap();
    while reader.read_line(&mut line).unwrap() > 2 {
        let (name, value) = line.trim().split_once(": ").unwrap();
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "if-match" => value.clone_into(&mut if_match),
            _ => {}
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, text) = decide(&first, &if_match, &body, state);
    let etag = format!("\"/config/x {}\"", state.generation);
    let length = text.len();
    write!(stream, "HTTP/1.1 {status} X\r\nEtag: {etag}\r\nContent-Length: {length}\r\n\r\n{text}").unwrap();
}

fn decide(first: &str, if_match: &str, body: &[u8], state: &mut State) -> (u16, String) {
    match first.trim_end_matches(" HTTP/1.1\r\n") {
        "GET /id/api" if state.handler.is_null() => {
            (404, json!({"error": "unknown object ID 'api'"}).to_string())
        }
        "GET /id/api" => (200, state.handler.to_string()),
        "PATCH /id/api/upstreams" => {
            if state.conflicts > 0 {
                state.conflicts -= 1;
                state.generation += 1;
            }
            if if_match != format!("\"/config/x {}\"", state.generation) {
                return (412, json!({"error": "If-Match header did not match"}).to_string());
            }
            state.generation += 1;
            state.handler["upstreams"] = serde_json::from_slice(body).unwrap();
            state.patches.push(state.handler["upstreams"].clone());
            (200, String::new())
        }
        "GET /reverse_proxy/upstreams" => (200, state.flights.to_string()),
        "GET /debug/pprof/goroutine?debug=1" => {
            (200, format!("# github.com/caddyserver/caddy/v2@{}/admin.go:1", state.version))
        }
        "GET /debug/vars" => (200, json!({"cmdline": state.command}).to_string()),
        "GET /config/admin" => (200, "null".into()),
        other => panic!("{other}"),
    }
}

fn proxy(upstreams: &Value) -> Value {
    json!({"@id": "api", "handler": "reverse_proxy", "upstreams": upstreams})
}

fn instance(name: &str) -> Instance {
    Instance { name: name.into(), address: "10.0.0.9".into(), others: Vec::new(), port: 3000 }
}

fn post(name: &str, duty: Duty) -> Post {
    Post { instance: instance(name), duty }
}

#[test]
fn a_set_is_told_once_and_what_the_user_wrote_of_an_upstream_stays() {
    let handler = proxy(&json!([{"dial": "a:3000", "max_requests": 9}, {"dial": "gone:3000"}]));
    let (caddy, state) = fake(State { handler, ..State::default() });
    let posts = [post("a", Duty::Serve), post("b", Duty::Serve), post("c", Duty::Rest)];
    caddy.assign(&posts).unwrap();
    caddy.assign(&posts).unwrap();
    let expected = json!([{"dial": "a:3000", "max_requests": 9}, {"dial": "b:3000"}]);
    assert_eq!(state.lock().unwrap().patches, [expected], "the second time nothing is reloaded");
}

#[test]
fn a_change_that_somebody_else_made_meanwhile_is_read_again_and_not_lost() {
    let handler = proxy(&json!([{"dial": "a:3000"}]));
    let (caddy, state) = fake(State { handler: handler.clone(), conflicts: 2, ..State::default() });
    caddy.assign(&[post("b", Duty::Serve)]).unwrap();
    assert_eq!(state.lock().unwrap().patches.len(), 1);
    let (caddy, state) = fake(State { handler, conflicts: 99, ..State::default() });
    let error = caddy.assign(&[post("b", Duty::Serve)]).unwrap_err();
    assert!(matches!(error, BalancerError::Refused { .. }), "{error}");
    assert_eq!(state.lock().unwrap().patches, [] as [Value; 0]);
}

#[test]
fn nobody_and_a_share_are_refused_before_anything_is_changed() {
    let (caddy, state) = fake(State { handler: proxy(&json!([{"dial": "a:3000"}])), ..State::default() });
    for posts in
        [vec![], vec![post("a", Duty::Rest)], vec![post("a", Duty::Serve), post("b", Duty::Share(5))]]
    {
        assert!(matches!(caddy.assign(&posts), Err(BalancerError::Refused { .. })), "{posts:?}");
    }
    assert_eq!(state.lock().unwrap().patches, [] as [Value; 0]);
}

#[test]
fn what_was_taken_out_is_counted_only_where_the_version_keeps_counting_it() {
    let seen = |version| {
        let flights = json!([{"address": "a:3000", "num_requests": 4, "fails": 0}]);
        let handler = proxy(&json!([{"dial": "a:3000"}]));
        let (caddy, _) = fake(State { handler, flights, version, ..State::default() });
        let seen = caddy.look(&[instance("a"), instance("b")]).unwrap();
        assert_eq!(caddy.abilities().measure, seen[1].in_flight.is_some());
        seen.iter().map(|s| (s.takes_new, s.in_flight)).collect::<Vec<_>>()
    };
    assert_eq!(seen("v2.11.2"), [(true, Some(4)), (false, Some(0))]);
    assert_eq!(seen("v2.11.1"), [(true, Some(4)), (false, None)]);
}

#[test]
fn while_the_service_itself_is_an_upstream_anyone_may_have_its_requests() {
    let flights = json!([{"address": "api:3000", "num_requests": 2, "fails": 0}]);
    let handler = proxy(&json!([{"dial": "api:3000"}]));
    let (caddy, state) = fake(State { handler, flights, version: "v2.11.2", ..State::default() });
    let see = || caddy.look(&[instance("b")]).unwrap().remove(0);
    assert_eq!((see().takes_new, see().in_flight), (true, Some(2)));
    state.lock().unwrap().handler = proxy(&json!([{"dial": "a:3000"}]));
    assert_eq!((see().takes_new, see().in_flight), (false, Some(2)), "they end where they are");
}

#[test]
fn a_handler_that_is_not_there_or_no_proxy_is_said_so_with_its_cure() {
    for handler in [Value::Null, json!({"handler": "file_server"}), json!({"handler": "reverse_proxy"})] {
        let (caddy, _) = fake(State { handler: handler.clone(), ..State::default() });
        let error = caddy.assign(&[post("a", Duty::Serve)]).unwrap_err();
        assert!(matches!(error, BalancerError::NotPrepared { .. }), "{handler}: {error}");
    }
}

#[test]
fn nobody_at_the_address_is_unreachable() {
    let caddy = Caddy::at(&CaddyConfig { caddy: "http://127.0.0.1:1".into(), id: "api".into() }, vec![]);
    assert!(matches!(caddy.look(&[]), Err(BalancerError::Unreachable { .. })));
    assert!(!caddy.abilities().measure && !caddy.abilities().persist);
}

#[test]
fn the_set_outlives_a_restart_only_with_resume() {
    let persist = |command| fake(State { command, ..State::default() }).0.abilities().persist;
    assert!(persist(vec!["caddy", "run", "--resume"]));
    assert!(!persist(vec!["caddy", "run", "--config", "/etc/caddy/caddy.json"]));
}

#[test]
fn a_handler_without_a_name_is_found_by_its_place() {
    let place = "apps/http/servers/srv0/routes/0/handle/0";
    let caddy = Caddy::at(&CaddyConfig { caddy: String::new(), id: place.into() }, vec![]);
    assert_eq!(caddy.handler, format!("/config/{place}"));
}
