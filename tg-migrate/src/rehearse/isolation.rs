//! Whether a rehearsal is on its own: proven before the application's code runs in it, and watched while it does.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::container::Container;
use tg_core::database::{Client, PORT};
use tg_core::deadline::Deadline;
use tg_core::network::Network;
use tg_core::truth::Truth;

use crate::context::Context;
use crate::error::MigrateError;
use crate::rehearse::arena::Arena;
use crate::rehearse::migration::APPLICATION;
use crate::rehearse::places::{self, Place};
use crate::rehearse::probe::{self, Found};
use crate::rehearse::stage::{self, Stage};

/// Whether this role is shown who the sessions of others are.
const SEES_ALL: &str = "SELECT pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')";
/// Sessions by name, or by an address in the rehearsal's network.
const SESSIONS: &str = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity \
    WHERE application_name = ANY ($1) OR client_addr <<= $2::text::inet";
/// How long the rehearsal's server may take to show a session that was just begun.
const APPEARS: Duration = Duration::from_secs(10);
/// How often the live server is asked meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// What is known of it.
pub(super) struct Isolation {
    pub isolated: Truth,
    /// How it was shown, a sentence each.
    pub how: Vec<String>,
}

/// The live server, asked for sessions that come from a rehearsal.
pub(super) struct Lookout<'a> {
    ctx: &'a Context<'a>,
    subnet: String,
    names: Vec<String>,
    /// Whether the live server shows us everybody's sessions.
    sees_all: bool,
    state: Mutex<(Option<Client>, Instant)>,
}

impl<'a> Lookout<'a> {
    pub(super) fn new(ctx: &'a Context<'a>, subnet: Option<&str>) -> Result<Self, MigrateError> {
        let mut client = ctx.connect()?;
        let sees_all = client.query_one(SEES_ALL, &[])?.get(0);
        Ok(Lookout {
            ctx,
            // No client has the address "any".
            subnet: subnet.unwrap_or("0.0.0.0/32").to_owned(),
            names: vec![APPLICATION.to_owned(), session_name(ctx)],
            sees_all,
            state: Mutex::new((Some(client), Instant::now())),
        })
    }

    /// How many sessions of the rehearsal the live server has now.
    fn sessions(&self, client: &mut Client) -> Result<i64, MigrateError> {
        Ok(client.query_one(SESSIONS, &[&self.names, &self.subnet])?.get(0))
    }

    /// Whether the live server has one now; asked again and again, it looks ten times a second. A server that can't be asked for a
    /// moment is asked again: that there is no way to it was proven before.
    pub(super) fn sees_any(&self) -> bool {
        let Ok(mut state) = self.state.lock() else { return false };
        if state.1.elapsed() < LOOK {
            return false;
        }
        state.1 = Instant::now();
        if state.0.is_none() {
            state.0 = self.ctx.connect().ok();
        }
        let seen = state.0.as_mut().map(|client| self.sessions(client));
        if matches!(seen, Some(Err(_))) {
            state.0 = None;
        }
        matches!(seen, Some(Ok(n)) if n > 0)
    }
}

/// What the sessions of probes are called.
fn session_name(ctx: &Context) -> String {
    format!("{}-{}", probe::PREFIX, ctx.session.run)
}

/// Proves that what runs on a stage reaches the rehearsal's server and no other: refused where it can't be proven.
pub(super) struct Proof<'a> {
    pub ctx: &'a Context<'a>,
    pub arena: &'a Arena<'a>,
    pub stage: &'a Stage<'a>,
    pub lookout: &'a Lookout<'a>,
}

impl Proof<'_> {
    pub(super) fn prove(&self) -> Result<Isolation, MigrateError> {
        let network = self.arena.network()?;
        let mut how = vec![
            format!("network {} is internal, and only the rehearsal's own containers are on it", network.name),
            "each container is read back from the engine before it is started: its mounts are copies and empty volumes, and it has \
             no device, capability, namespace or network of others"
                .to_owned(),
        ];
        let mut ways = BTreeSet::new();
        let places = self.places(&network);
        let containers = self.stage.create(&self.stage.probes)?;
        self.stage.start(&self.stage.probes)?;
        for container in containers {
            let found = self.probe(&container, &places)?;
            ways.extend(found.ways_out(self.arena.mark()));
            if ways.is_empty() {
                how.push(self.ask_servers(&container, &found)?);
            }
        }
        self.stage.clear()?;
        if !ways.is_empty() {
            return Err(MigrateError::NotIsolated(ways.into_iter().collect()));
        }
        let isolation = Isolation { isolated: Truth::Yes, how };
        self.tell(&isolation)?;
        Ok(isolation)
    }

    /// Where a server could be: what the application's settings name, where the live one is, and the host.
    fn places(&self, network: &Network) -> BTreeSet<Place> {
        let target = &self.ctx.target;
        let mut places = places::named(&self.ctx.project, &stage::services(self.ctx));
        places.insert((target.host.clone(), target.port));
        let container = target.container.iter().flat_map(|container| &container.addresses);
        places.extend(container.map(|address| (address.clone(), PORT)));
        places.extend(
            network.host.iter().flat_map(|host| [target.port, PORT].map(|port| (host.clone(), port))),
        );
        places
    }

    fn probe(&self, container: &Container, places: &BTreeSet<Place>) -> Result<Found, MigrateError> {
        let session = self.ctx.session;
        let name = session_name(self.ctx);
        let server = self.arena.target();
        let places: Vec<_> = places.iter().map(|(host, port)| (host.clone(), port.to_string())).collect();
        let words = probe::words([&name, &server.user, &server.name], &places);
        let ended = self
            .ctx
            .engine
            .exec_within(&container.id, &words, probe::LIMIT, || session.check("").is_err())?;
        session.check("proving that the rehearsal is isolated")?;
        let (code, text) = ended.unwrap_or((-1, "it did not end".into()));
        let found = Found::parse(&text);
        if code == 0 && found.ended {
            return Ok(found);
        }
        let why = match code {
            127 => "the database's image has no psql, pg_isready or find".to_owned(),
            _ => tg_core::process::tail(&text),
        };
        Err(MigrateError::NotIsolated(vec![format!("it can't be told, since the probe failed: {why}")]))
    }

    /// Both servers' own word, while the probe's sessions are open.
    fn ask_servers(&self, container: &Container, found: &Found) -> Result<String, MigrateError> {
        let unproven = |why: String| Err(MigrateError::NotIsolated(vec![why]));
        let name = session_name(self.ctx);
        let container = self.ctx.engine.inspect(&container.id)?.unwrap_or_default();
        let Some(address) = container.addresses.first() else {
            return unproven(format!("container {} has no address", container.name));
        };
        let mut server = self.arena.admin()?;
        let deadline = Deadline::after(Some(APPEARS));
        while server.query_one(SESSIONS, &[&vec![name.clone()], address])?.get::<_, i64>(0) == 0 {
            self.ctx.session.check("proving that the rehearsal is isolated")?;
            if deadline.passed() {
                return unproven(format!("the rehearsal's server saw no session from {address}"));
            }
            deadline.sleep(LOOK);
        }
        let mut live = self.ctx.connect()?;
        if self.lookout.sessions(&mut live)? > 0 {
            return unproven(format!(
                "the live server at {} has a session of {name}",
                self.ctx.target.place()
            ));
        }
        let live = if self.lookout.sees_all {
            "the live server has none of it".to_owned()
        } else {
            format!(
                "the live server shows none of it to role {}, which can't see those of other roles",
                self.ctx.target.user
            )
        };
        let places = |all: Vec<String>| if all.is_empty() { "nowhere".into() } else { all.join(", ") };
        let one = |(host, port): &Place| format!("{host}:{port}");
        Ok(format!(
            "from {address} the rehearsal's server, by its mark, answered at {}, and no server at {}; it has the session {name}, and {live}",
            places(found.answered.iter().map(|(place, _)| one(place)).collect()),
            places(found.closed.iter().map(one).collect()),
        ))
    }

    fn tell(&self, isolation: &Isolation) -> Result<(), MigrateError> {
        let mut data = json!({"kind": "isolation", "how": isolation.how, "left_out": self.stage.without});
        if let Some(data) = data.as_object_mut() {
            isolation.isolated.put(data, "isolated");
        }
        Ok(self.ctx.session.emit.record("the rehearsal is isolated", data)?)
    }
}
