//! Whether as many containers run as did, and none of them starts again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Judge, MISSING, percent, share};
use crate::watch::finding::{Finding, Gap, Row};
use crate::watch::recording::Recording;
use crate::watch::sample::{Instance, Sample};

/// So many seconds one may be missing: another one may be on its way.
const MISSED_S: u32 = 5;

#[derive(Default)]
pub(super) struct Instances {
    /// How many of a service ran, most of the time.
    before: BTreeMap<String, usize>,
    restarts_before: u64,
    compared: bool,
    seen: Seen,
    services: BTreeMap<String, Service>,
    unseen: u64,
    seconds: u64,
}

#[derive(Default)]
struct Service {
    short_s: u32,
    told_short: bool,
    running: usize,
    /// The most that ran in this watch.
    most: usize,
}

/// The restarts that were seen of each container.
#[derive(Default)]
struct Seen {
    restarts: BTreeMap<String, i64>,
    total: u64,
}

impl Seen {
    /// Those that are new.
    fn look(&mut self, instance: &Instance) -> u64 {
        let known = self.restarts.insert(instance.id.clone(), instance.restarts);
        let new = u64::try_from(instance.restarts - known.unwrap_or(instance.restarts)).unwrap_or(0);
        self.total += new;
        new
    }
}

impl Instances {
    pub(super) fn beside(baseline: Option<&Recording>) -> Self {
        let mut counts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut seen = Seen::default();
        let services = baseline.iter().flat_map(|b| &b.samples).filter_map(|s| s.containers.as_ref());
        for (service, instances) in services.flatten() {
            counts.entry(service.clone()).or_default().push(running(instances));
            for instance in instances {
                seen.look(instance);
            }
        }
        let usual = |mut all: Vec<usize>| {
            all.sort_unstable();
            all[all.len() / 2]
        };
        Instances {
            before: counts.into_iter().map(|(service, all)| (service, usual(all))).collect(),
            restarts_before: seen.total,
            compared: baseline.is_some(),
            ..Instances::default()
        }
    }
}

impl Instances {
    fn look_for_restarts(&mut self, name: &str, instances: &[Instance], found: &mut Vec<Finding>) {
        for instance in instances {
            if self.seen.look(instance) == 0 {
                continue;
            }
            let Instance { id, restarts, oom_killed, .. } = instance;
            let why = if *oom_killed { ", killed for want of memory" } else { "" };
            let msg = format!("a container of {name} ({id}) has started again{why}");
            let facts =
                json!({"service": name, "container": id, "restarts": restarts, "oom_killed": oom_killed});
            // Where they did so before, it is no sign of the new release.
            let usual = self.seen.total <= self.restarts_before && !oom_killed;
            let kind = if usual { Finding::note } else { Finding::fatal };
            found.push(kind("restart", msg, facts));
        }
    }

    fn count(&mut self, name: &str, running: usize, found: &mut Vec<Finding>) {
        let service = self.services.entry(name.to_owned()).or_default();
        service.running = running;
        service.most = service.most.max(running);
        // Without a baseline as many as there were in this watch.
        let wanted = self.before.get(name).copied().unwrap_or(service.most);
        service.short_s = if running < wanted { service.short_s + 1 } else { 0 };
        if service.short_s >= MISSED_S && !service.told_short {
            service.told_short = true;
            let msg = format!("{running} of {wanted} containers of {name} run");
            let facts = json!({"service": name, "running": running, "before": wanted});
            found.push(Finding::fatal("instances-missing", msg, facts));
        }
    }
}

fn running(instances: &[Instance]) -> usize {
    instances.iter().filter(|instance| instance.running).count()
}

impl Judge for Instances {
    fn hear(&mut self, sample: &Sample, found: &mut Vec<Finding>) {
        let Some(containers) = &sample.containers else {
            let unseen = u64::from(sample.must_tell(self.seconds > self.unseen));
            self.unseen += unseen;
            self.seconds += unseen;
            return;
        };
        self.seconds += 1;
        for (name, instances) in containers {
            self.look_for_restarts(name, instances, found);
        }
        // A service may have lost all of them.
        let names: BTreeSet<String> = containers.keys().chain(self.before.keys()).cloned().collect();
        for name in names {
            self.count(&name, containers.get(&name).map_or(0, |instances| running(instances)), found);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of containers")]
    fn sum_up(&self, rows: &mut Vec<Row>, gaps: &mut Vec<Gap>) {
        for (name, service) in &self.services {
            let before = self.before.get(name).map(|n| *n as f64);
            rows.push(Row { what: "running", of: name.clone(), before, now: Some(service.running as f64) });
        }
        if !self.services.is_empty() {
            let before = self.compared.then_some(self.restarts_before as f64);
            rows.push(Row { what: "restarts", of: "all".into(), before, now: Some(self.seen.total as f64) });
        }
        let unseen = share(self.unseen, self.seconds).unwrap_or(0.0);
        if unseen > MISSING && (!self.services.is_empty() || !self.before.is_empty()) {
            let msg = format!("Docker told nothing of the containers in {} of the time", percent(unseen));
            gaps.push(Gap { code: "containers-unseen", msg });
        }
    }
}
