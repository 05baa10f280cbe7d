//! What the judges say of seconds that are made up.

use std::collections::BTreeMap;

use super::*;
use crate::log::Level;
use crate::watch::recording::Head;
use crate::watch::sample::{Heard, Instance, Probes, Traffic};

const MB: u64 = 1 << 20;

fn limits() -> Limits {
    Limits {
        seconds: 600.0,
        asks: true,
        rate: 10.0,
        budget: 0.01,
        slower: 1.5,
        settle_ms: 0,
        rules: Vec::new(),
    }
}

fn instance(id: &str, restarts: i64, memory_mb: u64) -> Instance {
    Instance { id: id.into(), running: true, restarts, memory: Some(memory_mb * MB), ..Instance::default() }
}

/// A good second: ten answers, sixty requests, two instances of 100 MB.
fn good(second: u64) -> Sample {
    let probes = Probes { well_us: vec![4000; 10], ..Probes::default() };
    let both = vec![instance("a", 0, 100), instance("b", 0, 100)];
    Sample {
        at_ms: second * 1000,
        probes: BTreeMap::from([("http://h/".to_owned(), probes)]),
        traffic: Some(Traffic { requests: 60, failed: 0, mean_ms: 10 }),
        containers: Some(BTreeMap::from([("api".to_owned(), both)])),
        logs: Some(Vec::new()),
        ..Sample::default()
    }
}

fn error(level: Level, signature: &str, lines: u64) -> Heard {
    Heard { service: "api".into(), level, signature: signature.into(), lines, example: signature.into() }
}

fn baseline(change: impl Fn(&mut Sample)) -> Recording {
    let mut samples: Vec<Sample> = (1..=120).map(good).collect();
    samples.iter_mut().for_each(change);
    Recording { head: Head::new(String::new(), 10.0), samples }
}

/// The first fatal finding with its second, and the gaps at the end.
fn judged(
    before: Option<&Recording>,
    seconds: u64,
    change: impl Fn(u64, &mut Sample),
) -> (Option<(u64, &'static str)>, Vec<&'static str>) {
    let mut judges = Judges::beside(before, &limits());
    for second in 1..=seconds {
        let mut sample = good(second);
        change(second, &mut sample);
        if let Some(finding) = judges.hear(&sample).into_iter().find(|finding| finding.fatal) {
            return (Some((second, finding.code)), Vec::new());
        }
    }
    (None, judges.sum_up().1.into_iter().map(|gap| gap.code).collect())
}

fn found(before: &Recording, change: impl Fn(u64, &mut Sample)) -> Option<(u64, &'static str)> {
    judged(Some(before), 120, change).0
}

fn first(sample: &mut Sample) -> &mut Instance {
    sample.containers.as_mut().unwrap().get_mut("api").unwrap().first_mut().unwrap()
}

#[test]
fn what_is_equal_is_well_and_nothing_is_missing() {
    assert_eq!(judged(Some(&baseline(|_| ())), 300, |_, _| ()), (None, vec![]));
    assert_eq!(judged(None, 300, |_, _| ()), (None, vec![]));
}

#[test]
fn a_restart_is_found_at_once_unless_there_were_as_many_before() {
    let restarts = |second: u64, sample: &mut Sample| first(sample).restarts = i64::from(second >= 10);
    assert_eq!(found(&baseline(|_| ()), restarts), Some((10, "restart")));
    let before = baseline(|sample| first(sample).restarts = i64::from(sample.at_ms > 60_000));
    assert_eq!(found(&before, restarts), None);
    let killed = |second: u64, sample: &mut Sample| {
        restarts(second, sample);
        first(sample).oom_killed = second >= 10;
    };
    assert_eq!(found(&before, killed), Some((10, "restart")));
}

#[test]
fn one_that_is_missing_for_five_seconds_is_missed() {
    let away = |from: u64, to: u64| {
        move |second: u64, sample: &mut Sample| first(sample).running = !(from..to).contains(&second)
    };
    assert_eq!(found(&baseline(|_| ()), away(10, 14)), None);
    assert_eq!(found(&baseline(|_| ()), away(10, 20)), Some((14, "instances-missing")));
}

#[test]
fn memory_that_grows_is_found_and_what_comes_to_rest_or_goes_up_and_down_is_not() {
    let take = |mb: &'static dyn Fn(u64) -> u64| {
        move |second: u64, sample: &mut Sample| first(sample).memory = Some(mb(second) * MB)
    };
    let before = baseline(|_| ());
    let leak = found(&before, take(&|second| 60 + 2 * second)).unwrap();
    assert!(leak.1 == "memory-grows" && leak.0 < 60, "{leak:?}");
    assert_eq!(found(&before, take(&|second| 60 + (2 * second).min(60))), None);
    assert_eq!(found(&before, take(&|second| 100 + (second % 15) * 2)), None);
}

#[test]
fn a_new_error_is_found_when_it_comes_again_and_a_known_one_when_it_comes_more_often() {
    let say = |level: Level, each: u64| {
        move |second: u64, sample: &mut Sample| {
            if second.is_multiple_of(each) {
                sample.logs = Some(vec![error(level, "disk is gone", 1)]);
            }
        }
    };
    let before = baseline(|_| ());
    assert_eq!(found(&before, say(Level::Error, 10)), Some((30, "new-log-line")));
    assert_eq!(found(&before, say(Level::Fatal, 10)), Some((10, "new-log-line")));
    assert_eq!(found(&before, say(Level::Error, 100)), None, "one alone may be chance");
    assert_eq!(found(&before, say(Level::Warn, 1)), None, "a warning is noted");
    let mut known = baseline(|_| ());
    known.head.known = vec![error(Level::Error, "disk is gone", 1)];
    assert_eq!(found(&known, say(Level::Error, 50)), None);
    let usual = baseline(|sample| sample.logs = Some(vec![error(Level::Error, "disk is gone", 1)]));
    assert_eq!(found(&usual, say(Level::Error, 1)), None);
    let more = |_: u64, sample: &mut Sample| sample.logs = Some(vec![error(Level::Error, "disk is gone", 5)]);
    assert_eq!(found(&usual, more).unwrap().1, "rising-log-line");
    assert_eq!(judged(None, 60, say(Level::Error, 1)).0, None, "without a baseline nothing is new");
}

#[test]
fn a_service_without_any_container_is_missed_too() {
    let gone = |second: u64, sample: &mut Sample| {
        if second >= 10 {
            sample.containers = Some(BTreeMap::new());
        }
    };
    assert_eq!(found(&baseline(|_| ()), gone), Some((14, "instances-missing")));
}

#[test]
fn a_metric_that_goes_away_is_a_gap() {
    let rule = Rule::parse("queue=5").unwrap();
    let limits = Limits { rules: vec![rule], ..limits() };
    let mut judges = Judges::beside(None, &limits);
    for second in 1..=100 {
        let mut sample = good(second);
        if second < 50 {
            sample.metrics.insert("queue".into(), 1.0);
        }
        assert!(judges.hear(&sample).is_empty());
    }
    assert_eq!(judges.sum_up().1[0].code, "metric-missing");
}

#[test]
fn failures_that_only_the_balancer_sees_are_found() {
    let fails =
        |_: u64, sample: &mut Sample| sample.traffic = Some(Traffic { requests: 60, failed: 2, mean_ms: 10 });
    let (second, code) = found(&baseline(|_| ()), fails).unwrap();
    assert!(code == "traffic-errors" && second < 10, "{second} {code}");
    let usual = baseline(|sample| sample.traffic = Some(Traffic { requests: 60, failed: 2, mean_ms: 10 }));
    assert_eq!(found(&usual, fails), None);
    let slow =
        |_: u64, sample: &mut Sample| sample.traffic = Some(Traffic { requests: 60, failed: 0, mean_ms: 30 });
    assert_eq!(found(&baseline(|_| ()), slow).unwrap().1, "traffic-slower");
}

#[test]
fn what_was_not_seen_is_a_gap_and_not_well() {
    let before = baseline(|_| ());
    let gaps = |change: &dyn Fn(&mut Sample)| judged(Some(&before), 120, |_, sample| change(sample)).1;
    assert_eq!(gaps(&|s| s.traffic = None), ["balancer-silent"]);
    assert_eq!(gaps(&|s| s.traffic = Some(Traffic { requests: 10, ..Traffic::default() })), ["no-traffic"]);
    assert_eq!(gaps(&|s| s.containers = None), ["containers-unseen"]);
    assert_eq!(gaps(&|s| s.logs = None), ["logs-unheard"]);
    assert_eq!(gaps(&|s| s.probes.clear()), ["too-few-answers"]);
    let missed = |s: &mut Sample| s.probes.get_mut("http://h/").unwrap().missed = 5;
    assert_eq!(gaps(&missed), ["probes-missed"]);
}

#[test]
fn slow_answers_among_quick_ones_are_found_and_two_busy_seconds_are_not() {
    let slow = |many: usize, when: &'static dyn Fn(u64) -> bool| {
        move |second: u64, sample: &mut Sample| {
            let answers = &mut sample.probes.get_mut("http://h/").unwrap().well_us;
            answers.iter_mut().take(if when(second) { many } else { 0 }).for_each(|us| *us = 40_000);
        }
    };
    let before = baseline(|_| ());
    assert_eq!(found(&before, slow(3, &|_| true)), Some((20, "slow-tail")));
    assert_eq!(found(&before, slow(2, &|_| true)), None);
    assert_eq!(found(&before, slow(10, &|second| second.is_multiple_of(8))), None);
}
