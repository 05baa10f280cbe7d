//! What the next request is: decided before it is sent, so that nothing that comes back changes it.

use serde_json::json;

use crate::cli::RunArgs;
use crate::mix::Kind;
use crate::random::Random;

/// How many features the lab's seed has; ids are 1 to this.
const SEEDED_FEATURES: u32 = 200_000;

/// One request to be sent.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    /// Sent on a connection of its own, which is closed after the answer.
    pub(crate) fresh: bool,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: String,
    /// The id that the client made up for what it writes; empty for reads.
    pub(crate) id: String,
}

impl Plan {
    pub(crate) fn next(args: &RunArgs, random: &mut Random) -> Self {
        let kind = args.mix.choose(random.next_u32());
        let fresh = random.chance(args.fresh);
        let (method, path, body, id) = match kind {
            Kind::Get => ("GET", read_path(random), String::new(), String::new()),
            Kind::Slow => {
                let path = format!("/v1/features?limit=1&ms={}", args.slow_ms);
                ("GET", path, String::new(), String::new())
            }
            Kind::Post => write_plan("/v1/features", random, |id, random| {
                let (lon, lat) = position(random);
                json!({"client_id": id, "name": "load", "lon": lon, "lat": lat}).to_string()
            }),
            Kind::Job => write_plan("/v1/jobs", random, |id, _| {
                json!({"client_id": id, "payload": {"from": "load"}}).to_string()
            }),
        };
        Self { kind, fresh, method, path, body, id }
    }
}

type Parts = (&'static str, String, String, String);

fn write_plan(path: &str, random: &mut Random, body: impl FnOnce(&str, &mut Random) -> String) -> Parts {
    let id = random.uuid();
    let body = body(&id, random);
    ("POST", path.to_owned(), body, id)
}

/// Lists and single features in turn: they are different queries.
fn read_path(random: &mut Random) -> String {
    if random.chance(0.5) {
        "/v1/features?limit=10".to_owned()
    } else {
        format!("/v1/features/{}", 1 + random.next_u32() % SEEDED_FEATURES)
    }
}

fn position(random: &mut Random) -> (f64, f64) {
    let lon = f64::from(random.next_u32() % 36_000) / 100.0 - 180.0;
    let lat = f64::from(random.next_u32() % 17_000) / 100.0 - 85.0;
    (lon, lat)
}
