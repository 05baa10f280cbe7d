//! A hundred upgrades whose outcome is known, and what `tg-health watch` says of each. They are made of seconds that were recorded in the lab
//! (`benches/recorded`, by `scripts/bench/judging --record`), drawn anew by a seed, with the noise of a machine that others use too.
//! One JSON line an upgrade; `scripts/bench/judging` makes a table of them.
//!
//! Arguments: how many.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking and prints what it measured"
)]

use std::path::Path;
use std::process::Command;

use fastrand::Rng;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tg-health");
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/recorded");
/// Seconds of a baseline, and of a watch.
const BEFORE: usize = 120;
const WATCH: usize = 120;
/// Consecutive seconds that are drawn together: what belongs together stays so.
const BLOCK: usize = 8;
/// One answer in so many fails on a good day.
const RARE: u32 = 3000;
/// A second in which something else keeps the machine busy, one in so many, and how much slower it is.
const BUSY: u32 = 40;
const BUSY_TIMES: f64 = 2.5;

/// What an upgrade turns out to be: its name, its recording, and how many of twenty are of this kind.
const KINDS: [(&str, &str, usize); 6] = [
    ("equal", "good", 8),
    ("3 % errors (1.5.3)", "errors", 3),
    ("3 times as slow (1.5.4)", "slow", 3),
    ("memory grows (1.5.5)", "memory", 2),
    ("new log signature (1.5.6)", "log", 2),
    ("no traffic", "good", 2),
];

fn read(name: &str) -> Vec<Value> {
    let path = Path::new(RECORDED).join(format!("{name}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Seconds in their order where the order tells something, else blocks of them at random.
fn draw(recorded: &[Value], seconds: usize, in_order: bool, rng: &mut Rng) -> Vec<Value> {
    let samples = &recorded[1..];
    let mut drawn: Vec<Value> = Vec::new();
    if in_order {
        drawn.extend(samples.iter().take(seconds).cloned());
    }
    while !in_order && drawn.len() < seconds {
        let from = rng.usize(..samples.len() - BLOCK);
        drawn.extend(samples[from..from + BLOCK].iter().cloned());
    }
    drawn.truncate(seconds);
    // No two days are alike: the whole time is a little faster or slower, and takes a little more or less memory.
    let (pace, size) = (0.85 + 0.3 * rng.f64(), 0.95 + 0.1 * rng.f64());
    for (n, sample) in drawn.iter_mut().enumerate() {
        sample["at_ms"] = json!((n + 1) * 1000);
        noise(sample, pace, size, rng);
    }
    drawn
}

fn scaled(value: &mut Value, times: f64) {
    *value = json!(format!("{:.0}", value.as_f64().unwrap_or(0.0) * times).parse::<u64>().unwrap().max(1));
}

fn noise(sample: &mut Value, pace: f64, size: f64, rng: &mut Rng) {
    let pace = if rng.u32(..BUSY) == 0 { pace * BUSY_TIMES } else { pace };
    for (_, probes) in sample["probes"].as_object_mut().unwrap() {
        let well = probes["well_us"].as_array_mut().unwrap();
        for us in well.iter_mut() {
            scaled(us, pace * (0.9 + 0.2 * rng.f64()));
        }
        if !well.is_empty() && rng.u32(..RARE) < u32::try_from(well.len()).unwrap() {
            well.pop();
            probes["failed"] = json!({"connection refused": 1});
        }
    }
    if let Some(traffic) = sample.get_mut("traffic") {
        scaled(&mut traffic["mean_ms"], pace);
    }
    for (_, instances) in sample.get_mut("containers").and_then(Value::as_object_mut).into_iter().flatten() {
        for instance in instances.as_array_mut().unwrap() {
            scaled(&mut instance["memory"], size);
        }
    }
}

/// Leaves only our own requests in what the balancer counted.
fn silence(samples: &mut [Value]) {
    for sample in samples {
        let own: usize = sample["probes"]
            .as_object()
            .unwrap()
            .values()
            .map(|p| p["well_us"].as_array().unwrap().len())
            .sum();
        if let Some(traffic) = sample.get_mut("traffic") {
            *traffic = json!({"requests": own, "failed": 0, "mean_ms": traffic["mean_ms"]});
        }
    }
}

fn write(path: &Path, head: &Value, samples: &[Value]) {
    let lines: Vec<String> = std::iter::once(head).chain(samples).map(Value::to_string).collect();
    std::fs::write(path, lines.join("\n")).unwrap();
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [upgrades] = words.as_slice() else { return };
    let upgrades: usize = upgrades.parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (before, after) = (dir.path().join("before"), dir.path().join("after"));
    let good = read("before");
    let kinds: Vec<_> = KINDS.iter().flat_map(|kind| std::iter::repeat_n(kind, kind.2)).collect();
    for seed in 0..upgrades {
        let mut rng = Rng::with_seed(seed as u64);
        let (name, recording, _) = kinds[seed % kinds.len()];
        let recorded = read(recording);
        write(&before, &good[0], &draw(&good, BEFORE, false, &mut rng));
        let mut samples = draw(&recorded, WATCH, *recording == "memory", &mut rng);
        if *name == "no traffic" {
            silence(&mut samples);
        }
        write(&after, &recorded[0], &samples);
        let (before, after) = (before.to_str().unwrap(), after.to_str().unwrap());
        let output = Command::new(PROGRAM)
            .args(["watch", "--format=json", "-q", "--replay", after, "--baseline", before])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let last = text.lines().last();
        let last = last.unwrap_or_else(|| panic!("seed {seed}: {}", String::from_utf8_lossy(&output.stderr)));
        let result: Value = serde_json::from_str(last).unwrap();
        let data = &result["data"];
        let found =
            data["findings"].as_array().unwrap().iter().find(|f| f["fatal"] == true).map(|f| &f["code"]);
        println!(
            "{}",
            json!({"seed": seed, "upgrade": name, "verdict": data["verdict"], "seconds": data["seconds"], "found": found, "exit": output.status.code()})
        );
    }
}
