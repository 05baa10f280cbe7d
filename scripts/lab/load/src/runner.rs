//! The run: one request at each tick, whether or not earlier ones were answered.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::acked::AckedFile;
use crate::cli::{MAX_REQUESTS, RunArgs};
use crate::client::Client;
use crate::plan::Plan;
use crate::random::Random;
use crate::samples::Samples;
use crate::tally::{Lost, Tally};

/// More requests in flight than this would exhaust file descriptors, and say nothing new about the target.
const MAX_IN_FLIGHT: usize = 900;

/// What the tasks of one run share.
#[derive(Debug)]
struct Run {
    client: Client,
    tally: Mutex<Tally>,
    in_flight: AtomicUsize,
    start: Instant,
    timeout: Duration,
}

/// Sends for as long as asked, waits for the last answers and returns the report.
pub(crate) fn run(args: &RunArgs) -> Result<Value> {
    let count = planned_requests(args)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let file = args.acked.as_deref().map(AckedFile::create).transpose()?;
    let samples = args.samples.as_deref().map(Samples::create).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(drive(args, count, Tally::new(file, samples), &stop))
}

fn planned_requests(args: &RunArgs) -> Result<u32> {
    let count = u128::from(args.rate) * args.duration.as_millis() / 1_000;
    u32::try_from(count).ok().filter(|count| *count <= MAX_REQUESTS).ok_or_else(|| {
        anyhow!("{count} requests are too many (at most {MAX_REQUESTS}); lower --rate or --duration")
    })
}

async fn drive(args: &RunArgs, count: u32, tally: Tally, stop: &AtomicBool) -> Result<Value> {
    let run = Arc::new(Run {
        client: Client::new(args.url.clone()),
        tally: Mutex::new(tally),
        in_flight: AtomicUsize::new(0),
        start: Instant::now(),
        timeout: args.timeout,
    });
    let interval = Duration::from_secs(1) / args.rate;
    let mut random = Random::new();
    let mut tasks = JoinSet::new();
    for tick in 0..count {
        let intended = run.start + interval * tick;
        sleep_until(intended).await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let plan = Plan::next(args, &mut random);
        tasks.spawn(Arc::clone(&run).one(plan, intended));
        while tasks.try_join_next().is_some() {}
    }
    let sent_for = run.start.elapsed();
    // Each ends within its own timeout.
    while tasks.join_next().await.is_some() {}
    report(args, run, sent_for.min(args.duration), stop.load(Ordering::Relaxed))
}

impl Run {
    async fn one(self: Arc<Self>, plan: Plan, intended: Instant) {
        let result = if self.in_flight.fetch_add(1, Ordering::Relaxed) < MAX_IN_FLIGHT {
            match timeout_at(intended + self.timeout, self.client.send(&plan)).await {
                Ok(answer) => answer.map_err(Lost::Broken),
                Err(_) => Err(Lost::Timeout),
            }
        } else {
            Err(Lost::NotSent)
        };
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Ok(mut tally) = self.tally.lock() {
            tally.add(&plan, result, self.start.elapsed(), intended.elapsed());
        }
    }
}

fn report(args: &RunArgs, run: Arc<Run>, sent_for: Duration, stopped: bool) -> Result<Value> {
    let tally = Arc::into_inner(run)
        .and_then(|run| run.tally.into_inner().ok())
        .context("a request was not counted")?;
    let mut report = json!({
        "target": args.url.host,
        "rate": args.rate,
        "sent_for_ms": u64::try_from(sent_for.as_millis())?,
        "stopped_early": stopped,
    });
    if let Value::Object(report) = &mut report {
        report.append(&mut tally.finish()?);
    }
    Ok(report)
}
