//! What the looks at a migration add up to: which locks it had and for how long, who waited and for how
//! long, and whether it is to be cancelled.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::watch::sample::{Sample, Victim};

/// A lock of the migrator: how long it was seen held and waited for, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spell {
    held_ms: u64,
    waited_ms: u64,
    since: Option<(bool, Instant)>,
}

/// The longest that somebody waited for a relation behind the migrator.
#[derive(Clone, Debug, PartialEq)]
struct Block {
    ms: u64,
    victim: Victim,
    behind: String,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    spells: BTreeMap<(i64, String), Spell>,
    blocks: BTreeMap<i64, Block>,
    victims: BTreeSet<i32>,
    first_seen: HashMap<i32, Instant>,
    /// Transactions in which the migrator was seen to write.
    pub xids: BTreeSet<i64>,
    /// Whether a session with the migrator's name was ever seen, and whether one without it was.
    pub named: bool,
    pub unnamed: bool,
}

/// A session of the migrator that makes others wait while it waits itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Jam {
    pub pid: i32,
    /// How long the first of them has waited, ms.
    pub ms: u64,
    pub victims: usize,
}

impl Ledger {
    /// Adds one look.
    pub(super) fn add(&mut self, sample: &Sample, now: Instant, application: &str) {
        self.spells.values_mut().for_each(|spell| spell.touched(None, now));
        for session in &sample.sessions {
            self.named |= session.application == application;
            self.unnamed |= session.application != application;
            self.xids.extend(session.xid);
            for lock in &session.locks {
                let key = (lock.relation, lock.mode.clone());
                self.spells.entry(key).or_default().touched(Some(lock.granted), now);
            }
        }
        let waiting: BTreeSet<i32> = sample.victims.iter().map(|v| v.pid).collect();
        self.first_seen.retain(|pid, _| waiting.contains(pid));
        let behind = sample.sessions.iter().find(|s| !s.locks.is_empty()).map(|s| s.query.clone());
        for victim in &sample.victims {
            let ms = self.waited(victim, now);
            self.victims.insert(victim.pid);
            let relation = victim.relation.unwrap_or(0);
            let longest = self.blocks.get(&relation).map_or(0, |block| block.ms);
            if ms >= longest {
                let behind = behind.clone().unwrap_or_default();
                self.blocks.insert(relation, Block { ms, victim: victim.clone(), behind });
            }
        }
    }

    /// Nobody looks for a while: what goes on now is not taken to go on until the next look.
    pub(super) fn pause(&mut self) {
        self.spells.values_mut().for_each(|spell| spell.since = None);
        self.first_seen.clear();
    }

    fn waited(&mut self, victim: &Victim, now: Instant) -> u64 {
        let seen = *self.first_seen.entry(victim.pid).or_insert(now);
        victim.waited_ms.unwrap_or_else(|| milliseconds(now.duration_since(seen)))
    }

    /// The session to cancel, if one waits for a lock while others have waited behind it for so long.
    pub(super) fn jam(&mut self, sample: &Sample, now: Instant, max_block: Duration) -> Option<Jam> {
        let session = sample.sessions.iter().find(|session| session.waits)?;
        let longest = sample.victims.iter().map(|victim| self.waited(victim, now)).max()?;
        (longest >= milliseconds(max_block)).then_some(Jam {
            pid: session.pid,
            ms: longest,
            victims: sample.victims.len(),
        })
    }

    /// Whether no session of the migrator was seen.
    pub(crate) fn is_unseen(&self) -> bool {
        !self.named && !self.unnamed
    }

    /// The longest that anybody waited, ms.
    pub(crate) fn longest_block_ms(&self) -> u64 {
        self.blocks.values().map(|block| block.ms).max().unwrap_or(0)
    }

    /// How many waited.
    pub(crate) fn blocked_sessions(&self) -> usize {
        self.victims.len()
    }

    /// A record's words and data for each lock and each block, by names of relations that are known.
    pub(crate) fn records(&self, names: &HashMap<i64, String>) -> Vec<(String, Value)> {
        let lock = |((relation, mode), spell): (&(i64, String), &Spell)| {
            let name = names.get(relation)?;
            let Spell { held_ms, waited_ms, .. } = spell;
            let msg = format!("{mode} on {name}: held about {held_ms} ms, waited for {waited_ms} ms");
            let data = json!({"kind": "lock", "relation": name, "mode": mode, "held_ms": held_ms, "waited_ms": waited_ms});
            Some((msg, data))
        };
        let block = |(relation, block): (&i64, &Block)| {
            let name = names.get(relation).map_or("another object", String::as_str);
            let Block { ms, victim, behind } = block;
            let msg =
                format!("{} (pid {}) waited {ms} ms for {name}", or_nobody(&victim.application), victim.pid);
            let data = json!({
                "kind": "blocked", "relation": names.get(relation), "mode": victim.mode, "waited_ms": ms, "pid": victim.pid,
                "application": victim.application, "query": victim.query, "behind": behind,
            });
            (msg, data)
        };
        self.spells.iter().filter_map(lock).chain(self.blocks.iter().map(block)).collect()
    }
}

impl Spell {
    /// Ends what was seen before, up to now, and begins what is seen now. Between two looks it is taken
    /// to have gone on.
    fn touched(&mut self, granted: Option<bool>, now: Instant) {
        if let Some((was, since)) = self.since.take_if(|(_, since)| *since != now) {
            let ms = milliseconds(now.duration_since(since));
            if was { self.held_ms += ms } else { self.waited_ms += ms }
        }
        if let Some(granted) = granted {
            // One that is held counts, whatever else of the same kind is waited for.
            let held = self.since.is_some_and(|(held, _)| held);
            self.since = Some((granted || held, now));
        }
    }
}

fn or_nobody(application: &str) -> &str {
    if application.is_empty() { "a session" } else { application }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::sample::{Lock, Session};

    const NAME: &str = "tg-migrate:r";

    fn sample(granted: bool, victims: &[(i32, Option<u64>)]) -> Sample {
        let lock = Lock { relation: 7, mode: "AccessExclusive".into(), granted };
        let session = Session {
            pid: 1,
            application: NAME.into(),
            locks: vec![lock],
            waits: !granted,
            query: "ALTER".into(),
            xid: Some(99),
            ..Session::default()
        };
        let victim = |(pid, waited_ms): &(i32, Option<u64>)| Victim {
            pid: *pid,
            waited_ms: *waited_ms,
            relation: Some(7),
            ..Victim::default()
        };
        Sample { sessions: vec![session], victims: victims.iter().map(victim).collect() }
    }

    #[test]
    fn what_an_attempt_leaves_open_does_not_go_on_until_the_next_one() {
        let begun = Instant::now();
        let (waits, victims) = (false, [(2, None)]);
        let mut ledger = Ledger::default();
        ledger.add(&sample(waits, &victims), at(begun, 0), NAME);
        ledger.add(&sample(waits, &victims), at(begun, 100), NAME);
        ledger.pause();
        ledger.add(&sample(waits, &victims), at(begun, 60_000), NAME);
        ledger.add(&sample(waits, &victims), at(begun, 60_100), NAME);
        assert_eq!(ledger.longest_block_ms(), 100);
        let names = HashMap::from([(7, "t".to_owned())]);
        assert_eq!(ledger.records(&names)[0].1["waited_ms"], 200);
    }

    fn at(begun: Instant, ms: u64) -> Instant {
        begun + Duration::from_millis(ms)
    }

    #[test]
    fn only_one_that_waits_itself_and_makes_others_wait_for_too_long_is_cancelled() {
        let (begun, limit) = (Instant::now(), Duration::from_secs(2));
        let mut ledger = Ledger::default();
        let jam = |ledger: &mut Ledger, sample: &Sample, ms| ledger.jam(sample, at(begun, ms), limit);
        assert_eq!(jam(&mut ledger, &sample(false, &[]), 0), None, "nobody waits behind it");
        assert_eq!(jam(&mut ledger, &sample(true, &[(2, Some(9000))]), 0), None, "it works");
        assert_eq!(jam(&mut ledger, &sample(false, &[(2, Some(1999))]), 0), None);
        let found = jam(&mut ledger, &sample(false, &[(2, Some(2000)), (3, Some(1))]), 0);
        assert_eq!(found, Some(Jam { pid: 1, ms: 2000, victims: 2 }));
        // Where the server does not know since when, it counts from the first look.
        assert_eq!(jam(&mut ledger, &sample(false, &[(9, None)]), 0), None);
        assert_eq!(jam(&mut ledger, &sample(false, &[(9, None)]), 2100).map(|jam| jam.ms), Some(2100));
    }

    #[test]
    fn times_of_locks_and_of_waiters_add_up() {
        let (begun, mut ledger) = (Instant::now(), Ledger::default());
        ledger.add(&sample(false, &[(2, Some(50))]), at(begun, 0), NAME);
        ledger.add(&sample(false, &[(2, Some(150))]), at(begun, 100), NAME);
        ledger.add(&sample(true, &[(2, Some(250)), (3, Some(10))]), at(begun, 200), NAME);
        ledger.add(&sample(true, &[]), at(begun, 300), NAME);
        ledger.add(&Sample::default(), at(begun, 400), NAME);
        assert_eq!((ledger.longest_block_ms(), ledger.blocked_sessions()), (250, 2));
        assert_eq!((ledger.named, ledger.unnamed, ledger.xids.len()), (true, false, 1));
        let records = ledger.records(&HashMap::from([(7, "public.t".to_owned())]));
        assert_eq!(records[0].0, "AccessExclusive on public.t: held about 200 ms, waited for 200 ms");
        assert_eq!(records[1].1["waited_ms"], 250);
        assert_eq!(records.len(), 2);
    }
}
