//! New instances: made by Compose, started, and ready by their own word.

use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::container::Container;
use tg_core::crash::Watch;
use tg_core::health::{Expect, Prober, Release, Verdict};
use tg_core::project::Project;
use tg_core::session::Session;
use tg_core::{history, release};

use crate::error::SwapError;
use crate::swap::options::Boot;
use crate::swap::{Intent, Phase, Swap};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// Between two rounds of questions.
const ROUND: Duration = Duration::from_millis(50);

/// How an instance is asked whether it is ready.
pub(crate) struct Readiness {
    pub port: u16,
    path: String,
    /// One for each side, since each has its own version.
    to: Prober,
    from: Prober,
}

impl Readiness {
    pub(crate) fn new(session: &Session, project: &Project, intent: &Intent) -> Result<Self, SwapError> {
        let (path, port) = project.health_place()?;
        let token = project.health_token(session.emit.redactor())?;
        let prober = |version: &str| {
            // A tag such as latest or a branch's name is nothing that an application would tell.
            let expect = if tg_core::version::is_release(version) {
                Expect::release(Release::IfTold(version.to_owned()))
            } else {
                Expect::default()
            };
            Prober::new("tg-swap", token.as_ref(), expect, session.emit.redactor())
        };
        Ok(Readiness { port, path, to: prober(&intent.to.version), from: prober(&intent.from.version) })
    }
}

/// Compose copies secrets and configs that come from no file into a container when it starts, and
/// runs its hooks: docker/compose, pkg/compose/secrets.go and convergence.go.
pub(crate) fn needs_compose_to_start(project: &Project, service: &str) -> bool {
    let Some(model) = project.service(service) else { return true };
    let named = |kind: &str| -> Vec<String> {
        let list = model[kind].as_array().into_iter().flatten();
        list.filter_map(|one| one["source"].as_str().map(str::to_owned)).collect()
    };
    let from_file = |kind: &str, name: &String| project.top_level(kind, name)["file"].is_string();
    ["secrets", "configs"].into_iter().any(|kind| named(kind).iter().any(|name| !from_file(kind, name)))
        || model["post_start"].is_array()
}

impl Swap<'_> {
    /// Makes sure that so many instances of the goal run, are ready and warm.
    pub(super) fn boot(&self, service: &str, replicas: usize) -> Result<(), SwapError> {
        let one_first = self.boots_alone(service)?;
        if self.intent.options.pace.boot == Some(Boot::One) {
            for n in 1..replicas {
                self.bring_up(service, n, replicas)?;
            }
        } else if one_first && replicas > 1 {
            self.bring_up(service, 1, replicas)?;
        }
        self.bring_up(service, replicas, replicas)?;
        self.warm_up(service)
    }

    /// A release that has never run on this database may prepare it when it boots: two at once could race.
    fn boots_alone(&self, service: &str) -> Result<bool, SwapError> {
        if self.intent.options.pace.boot.is_some() || !self.fleet(service)?.goal.is_empty() {
            return Ok(false);
        }
        let Some(side) = self.goal().services.get(service) else { return Ok(false) };
        let ran = |line: &serde_json::Value| {
            ["ran", "from", "to"].iter().any(|key| line[key][service] == side.image_id.as_str())
        };
        Ok(!history::read(&self.state).iter().any(ran))
    }

    /// So many of all up and ready. Those that boot later are made at once: that is not yet to boot.
    fn bring_up(&self, service: &str, up: usize, all: usize) -> Result<(), SwapError> {
        let compose_starts = needs_compose_to_start(&self.plan.project, service);
        self.create(service, if compose_starts { up } else { all })?;
        self.start(service, up)?;
        self.announce()?;
        // One that only goes first has the others' questions still before it.
        let rise = if up < all { 1 } else { self.intent.options.pace.rise };
        self.await_ready(service, rise)
    }

    /// Through Compose, beside those that are there; none of them is touched.
    pub(super) fn create(&self, service: &str, replicas: usize) -> Result<(), SwapError> {
        let fleet = self.fleet(service)?;
        if fleet.goal.len() >= replicas {
            return Ok(());
        }
        let missing = replicas - fleet.goal.len();
        let msg = format!("create {missing} of {service} at {}", self.goal().version);
        self.step("create", &msg, json!({"service": service, "instances": missing}), || {
            let fleet = self.patiently(|| self.grow(service, replicas))?;
            let names: Vec<_> = fleet.goal.iter().map(|c| &c.name).collect();
            Ok(((), json!({"service": service, "containers": names})))
        })
    }

    fn grow(&self, service: &str, replicas: usize) -> Result<super::fleet::Fleet, SwapError> {
        let fleet = self.fleet(service)?;
        let scale = format!("{service}={}", fleet.others.len() + replicas.max(fleet.goal.len()));
        // Not `up --no-deps`: see start.rs. `create` looks at dependencies and recreates none.
        let words = ["create", "--no-recreate", "--no-build", "--pull", "never", "--scale", &scale, service];
        self.compose(&words)?;
        let fleet = self.fleet(service)?;
        if fleet.goal.len() < replicas {
            let made = format!(
                "{} of {replicas} containers of {service} at {}",
                fleet.goal.len(),
                self.goal().version
            );
            return Err(SwapError::NotAsTold(1, made));
        }
        Ok(fleet)
    }

    /// Until so many run. By the engine, which is quick; through Compose where only Compose can hand over
    /// what is needed.
    pub(super) fn start(&self, service: &str, up: usize) -> Result<(), SwapError> {
        let (running, mut stopped): (Vec<_>, Vec<_>) =
            self.fleet(service)?.goal.into_iter().partition(Container::running);
        stopped.truncate(up.saturating_sub(running.len()));
        let (ids, stopped): (Vec<_>, Vec<_>) = stopped.into_iter().map(|c| (c.id, c.name)).unzip();
        if stopped.is_empty() {
            return Ok(());
        }
        let msg = format!("start {}", stopped.join(", "));
        self.step("start", &msg, json!({"service": service, "containers": stopped}), || {
            self.patiently(|| {
                if needs_compose_to_start(&self.plan.project, service) {
                    return self.compose(&["start", service]);
                }
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                Ok(self.plan.engine.start_all(&ids)?)
            })?;
            Ok(((), json!({"service": service, "containers": stopped})))
        })
    }

    /// `docker compose …` as it would see the project at the goal.
    pub(super) fn compose(&self, words: &[&str]) -> Result<(), SwapError> {
        let tags: Vec<_> = self
            .plan
            .pins
            .iter()
            .filter_map(|pin| Some((pin, self.goal().services.get(&pin.service)?.tag.clone())))
            .collect();
        let (compose, _file) = release::preview(&self.plan.project, &tags)?;
        let all: Vec<&str> = ["--progress", "quiet"].into_iter().chain(words.iter().copied()).collect();
        let runner = self.session.runner().until(self.deadline);
        runner.capture(&mut compose.command(&all))?;
        Ok(())
    }

    /// So many good answers in a row from each instance on its own address, at the right version.
    fn await_ready(&self, service: &str, rise: u32) -> Result<(), SwapError> {
        let mut goal = self.fleet(service)?.goal;
        goal.retain(Container::begun);
        let names: Vec<_> = goal.iter().map(|c| c.name.clone()).collect();
        // What served before and was only drained need not prove itself again and again.
        let rise = if self.intent.phase == Phase::Back { 1 } else { rise };
        let intent = json!({"service": service, "containers": names, "rise": rise});
        self.step("ready", &format!("wait until {} are ready", names.join(", ")), intent, || {
            let (begun, mut watch) = (Instant::now(), Watch::over(&goal, Instant::now()));
            let mut streaks = vec![0; goal.len()];
            let mut first = true;
            loop {
                let verdicts = self.ask_all(&goal)?;
                for (streak, verdict) in streaks.iter_mut().zip(&verdicts) {
                    *streak = if verdict.ready { *streak + 1 } else { 0 };
                }
                if streaks.iter().all(|streak| *streak >= rise) {
                    return Ok(((), json!({"containers": names})));
                }
                let late = begun.elapsed() > self.intent.options.pace.ready_timeout();
                let worst = (0..goal.len()).find(|i| !verdicts[*i].ready);
                if !first || late {
                    self.fail_if_crashed(&mut watch, &goal)?;
                }
                if let (true, Some(worst)) = (late, worst) {
                    let reason = verdicts[worst].reason.clone().unwrap_or_else(|| "it flaps".into());
                    return Err(self.not_ready(&goal[worst], reason));
                }
                first = false;
                self.check("waiting until the new instances are ready")?;
                std::thread::sleep(ROUND);
            }
        })
    }

    fn ask_all(&self, containers: &[Container]) -> Result<Vec<Verdict>, SwapError> {
        let prober = if self.intent.phase == Phase::Back { &self.readiness.from } else { &self.readiness.to };
        let asked: Vec<Result<String, Verdict>> = containers
            .iter()
            .map(|c| {
                // A container that is just starting may have got its address only now.
                let now = self.patiently(|| Ok(self.plan.engine.inspect(&c.id)?))?.unwrap_or_default();
                if now.health.as_deref() == Some("unhealthy") {
                    return Ok(Err(Verdict::no("docker says that it is unhealthy")));
                }
                let place = now.addresses.first().cloned().unwrap_or_default();
                Ok(Ok(format!("http://{place}:{}{}", self.readiness.port, self.readiness.path)))
            })
            .collect::<Result<_, SwapError>>()?;
        let ask = |asked: Result<String, Verdict>| match asked {
            Ok(url) => prober.probe(&url, ANSWER),
            Err(known) => known,
        };
        Ok(std::thread::scope(|scope| {
            let asked: Vec<_> = asked.into_iter().map(|one| scope.spawn(move || ask(one))).collect();
            asked
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Verdict::no("no answer")))
                .collect()
        }))
    }

    /// A new instance that ends, or is restarted again and again, will not get ready by waiting.
    pub(super) fn fail_if_crashed(
        &self,
        watch: &mut Watch,
        containers: &[Container],
    ) -> Result<(), SwapError> {
        for container in containers {
            let Some(now) = self.patiently(|| Ok(self.plan.engine.inspect(&container.id)?))? else {
                return Err(self.not_ready(container, "it was removed".into()));
            };
            if let Some(crash) = watch.look(std::slice::from_ref(&now), Instant::now()) {
                return Err(self.not_ready(container, format!("it {}", crash.how)));
            }
        }
        Ok(())
    }

    pub(super) fn not_ready(&self, container: &Container, reason: String) -> SwapError {
        SwapError::not_ready(self.session, &self.plan.engine, container, reason)
    }
}
