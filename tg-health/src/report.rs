//! What is said: one record a target when its verdict changes.

use std::collections::HashMap;

use serde_json::{Value, json};
use tg_core::Error;
use tg_core::emitter::Emitter;
use tg_core::health::Verdict;

use crate::config::Config;
use crate::target::Target;

/// The first line for people.
pub(crate) fn opening(config: &Config, targets: &[Target]) -> String {
    let what = if let [one] = targets { one.name.clone() } else { format!("{} targets", targets.len()) };
    let version = config.release().map(|v| format!(" with version {v}")).unwrap_or_default();
    match config.wait {
        Some(limit) => {
            format!("waiting up to {} for {what}{version} to be ready", humantime(limit))
        }
        None => format!("asking {what}{version}"),
    }
}

fn humantime(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 120.0 { format!("{seconds} s") } else { format!("{:.1} min", seconds / 60.0) }
}

/// Remembers what was said of each target, so that a wait of minutes is a few lines.
#[derive(Default)]
pub(crate) struct Report {
    said: HashMap<String, (Option<String>, Verdict)>,
}

impl Report {
    /// Says what is new; the last record of a target is its final verdict.
    pub(crate) fn tell<'a>(
        &mut self,
        emit: &Emitter,
        verdicts: impl Iterator<Item = (&'a Target, &'a Verdict)>,
    ) -> Result<(), Error> {
        for (target, verdict) in verdicts {
            let place = target.place().map(str::to_owned);
            let known = self.said.get(&target.name);
            if known.is_none_or(|(before, said)| *before != place || !said.same_as(verdict)) {
                emit.record(&line(verdict, target), row(verdict, target))?;
                if verdict.warns {
                    let msg = format!("{} is well, but warns", target.name);
                    emit.warning("target-warns", &msg, json!({"target": target.name}))?;
                }
                self.said.insert(target.name.clone(), (place, verdict.clone()));
            }
        }
        Ok(())
    }

    /// What is not asked any more must not stand as not ready for ever.
    pub(crate) fn forget(&mut self, emit: &Emitter, names: &[&str]) -> Result<(), Error> {
        let mut gone: Vec<String> =
            self.said.keys().filter(|name| !names.contains(&name.as_str())).cloned().collect();
        gone.sort();
        for name in gone {
            self.said.remove(&name);
            let reason = "it is not there any more";
            let data = json!({"target": name, "ready": false, "gone": true, "status": null,
                "version": null, "latency_ms": null, "reason": reason});
            emit.record(&format!("{name}: {reason}"), data)?;
        }
        Ok(())
    }
}

/// A verdict for a record.
fn row(verdict: &Verdict, target: &Target) -> Value {
    let mut data = json!({
        "target": target.name, "ready": verdict.ready, "status": verdict.status, "says": verdict.says,
        "version": verdict.version, "latency_ms": verdict.latency_ms,
    });
    let more = [
        ("url", target.place().map(|url| json!(url))),
        ("reason", verdict.reason.as_ref().map(|r| json!(r))),
        ("hint", verdict.hint.as_ref().map(|h| json!(h))),
        ("failing", (!verdict.failing.is_empty()).then(|| json!(verdict.failing))),
    ];
    if let Some(map) = data.as_object_mut() {
        map.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    }
    data
}

/// The same for people.
fn line(verdict: &Verdict, target: &Target) -> String {
    let name = match target.place() {
        Some(place) => format!("{} at {place}", target.name),
        None => target.name.clone(),
    };
    let mut facts = Vec::new();
    if verdict.ready {
        facts.push(if verdict.warns { "ready, with a warning".to_owned() } else { "ready".to_owned() });
        facts.extend(verdict.version.as_ref().map(|v| format!("version {v}")));
        facts.extend(verdict.latency_ms.map(|ms| format!("{ms:.1} ms")));
    } else {
        facts.push(format!("not ready: {}", verdict.reason.as_deref().unwrap_or("no answer")));
        facts.extend(verdict.hint.clone());
    }
    format!("{name}: {}", facts.join(", "))
}

/// Targets and reasons for people: a reason that many targets share is said once.
pub(crate) fn sentence(reasons: &[(String, String)]) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (target, reason) in reasons {
        match groups.iter_mut().find(|(known, _)| known == reason) {
            Some((_, targets)) => targets.push(target),
            None => groups.push((reason, vec![target])),
        }
    }
    let text = |(reason, targets): &(&str, Vec<&str>)| match targets.as_slice() {
        [one] => format!("{one}: {reason}"),
        many => format!("{} targets: {reason}", many.len()),
    };
    groups.iter().map(text).collect::<Vec<_>>().join("; ")
}

/// The same for machines.
pub(crate) fn data(reasons: &[(String, String)]) -> Value {
    reasons.iter().map(|(target, reason)| json!({"target": target, "reason": reason})).collect()
}
