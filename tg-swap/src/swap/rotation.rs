//! Who gets new requests.

use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::container::Container;

use crate::error::SwapError;
use crate::swap::{Phase, Swap};
use tg_core::balancer::{Duty, Post, Seen};

/// How long the balancer's own check may take to pass for an instance that answers us, at least.
const CHECKED: Duration = Duration::from_secs(30);
/// Per cent of the requests that new instances get, one after another, before their full share.
const WARM_SHARES: [u8; 3] = [2, 10, 30];
/// How long each of these lasts.
const WARM: Duration = Duration::from_millis(150);
/// Between two looks at the balancer.
const LOOK: Duration = Duration::from_millis(50);

impl Swap<'_> {
    /// Tells the balancer who serves now, as it sees it itself: so that nobody is found by name
    /// alone who is not yet ready.
    pub(super) fn adopt(&self) -> Result<(), SwapError> {
        let all = self.everybody()?;
        if all.iter().all(|c| !c.running()) {
            return Ok(());
        }
        let mut posts = self.duties(&all)?;
        // A balancer that has just begun may know nobody yet: then those serve who served before.
        if posts.iter().all(|post| post.duty == Duty::Rest) {
            let before = self.pinned_side()?;
            for post in posts.iter_mut().filter(|post| before.contains(&post.instance.name)) {
                post.duty = Duty::Serve;
            }
        }
        let serving = |post: &&Post| post.duty != Duty::Rest;
        let names: Vec<String> = posts.iter().filter(serving).map(|p| p.instance.name.clone()).collect();
        self.step("adopt", &format!("{} serve", names.join(", ")), json!({"serving": names}), || {
            self.assign(&posts)?;
            // Before new ones come: who is known by name alone must be nobody's choice any more.
            if self.intent.phase != Phase::Back {
                self.await_seen(&names, Seen::serves)?;
            }
            Ok(((), json!({"serving": names})))
        })
    }

    /// Whether all of the goal are in rotation already: those that never left need not come back.
    pub(super) fn never_left(&self, service: &str, replicas: usize) -> Result<bool, SwapError> {
        let goal: Vec<_> = self.fleet(service)?.goal.into_iter().filter(Container::running).collect();
        let seen = self.look(&goal)?;
        Ok(goal.len() >= replicas
            && goal.iter().all(|c| seen.iter().any(|s| s.name == c.name && s.takes_new)))
    }

    fn everybody(&self) -> Result<Vec<Container>, SwapError> {
        let api = self.api()?;
        Ok(api.others.into_iter().chain(api.goal).collect())
    }

    /// What each has to do now, as the balancer sees it. A canary that is on trial keeps its share.
    fn duties(&self, all: &[Container]) -> Result<Vec<Post>, SwapError> {
        let seen = self.look(all)?;
        let takes = |name: &str| seen.iter().any(|s| s.name == name && s.takes_new);
        let (from, to) = (&self.intent.from, &self.intent.to);
        let old_serve = all.iter().any(|c| from.has(c, to) && takes(&c.name));
        let mut posts = self.posts(all, Duty::Rest)?;
        for post in posts.iter_mut().filter(|post| takes(&post.instance.name)) {
            let new = all.iter().any(|c| c.name == post.instance.name && to.has(c, from));
            post.duty = match self.intent.options.canary {
                Some(percent) if new && old_serve => Duty::Share(percent),
                _ => Duty::Serve,
            };
        }
        Ok(posts)
    }

    /// The names of the containers on the side that the project's files name.
    fn pinned_side(&self) -> Result<Vec<String>, SwapError> {
        let (from, to) = (&self.intent.from, &self.intent.to);
        let (side, other) = if self.pinned_to() { (to, from) } else { (from, to) };
        Ok(self.everybody()?.into_iter().filter(|c| side.has(c, other)).map(|c| c.name).collect())
    }

    /// Makes new instances known to a balancer that checks, so that it does so while they boot.
    pub(super) fn announce(&self) -> Result<(), SwapError> {
        if !self.balancer.abilities().check {
            return Ok(());
        }
        self.assign(&self.duties(&self.everybody()?)?)
    }

    /// New instances: known to the balancer, found well by its own check, then let in.
    pub(super) fn admit(&self, service: &str) -> Result<(), SwapError> {
        let fleet = self.fleet(service)?;
        let names: Vec<String> = fleet.goal.iter().map(|c| c.name.clone()).collect();
        let intent = json!({"service": service, "containers": names});
        self.step("admit", &format!("let {} in", names.join(", ")), intent, || {
            self.let_in(&names, Duty::Serve)?;
            Ok(((), json!({"service": service, "containers": names})))
        })
    }

    /// Lets these in with a duty; whoever serves goes on. On the way back the new ones go out in the
    /// same moment.
    pub(super) fn let_in(&self, names: &[String], duty: Duty) -> Result<(), SwapError> {
        let mut posts = self.introduce(names)?;
        if self.intent.phase == Phase::Back {
            for post in &mut posts {
                post.duty = Duty::Rest;
            }
        }
        let ours = |post: &&mut Post| names.contains(&post.instance.name);
        if duty == Duty::Serve {
            for &share in self.shares(&posts, names) {
                posts.iter_mut().filter(ours).for_each(|post| post.duty = Duty::Share(share));
                self.assign(&posts)?;
                std::thread::sleep(WARM);
            }
        }
        posts.iter_mut().filter(ours).for_each(|post| post.duty = duty);
        self.assign(&posts)?;
        self.await_seen(names, Seen::serves)
    }

    /// Makes these known to the balancer, which sends them nothing yet, and waits until its own check
    /// finds them well. The duties of all, as they are then.
    pub(super) fn introduce(&self, names: &[String]) -> Result<Vec<Post>, SwapError> {
        let posts = self.duties(&self.everybody()?)?;
        let waits = |post: &Post| post.duty == Duty::Rest && names.contains(&post.instance.name);
        if self.balancer.abilities().check && posts.iter().any(waits) {
            self.assign(&posts)?;
            self.await_seen(names, |seen| seen.healthy != Some(false))?;
        }
        Ok(posts)
    }

    /// The shares by which new instances come in beside old ones: the first requests of a process are
    /// its slowest, and a balancer that counts connections would send them all there.
    fn shares(&self, posts: &[Post], names: &[String]) -> &'static [u8] {
        let beside = posts.iter().any(|p| p.duty == Duty::Serve && !names.contains(&p.instance.name));
        let new = posts.iter().any(|p| p.duty != Duty::Serve && names.contains(&p.instance.name));
        // Where each change is a reload, more of them would cost more than they save.
        let able = self.balancer.abilities();
        let able = able.share && able.add && self.intent.phase != Phase::Back;
        if beside && new && able { &WARM_SHARES } else { &[] }
    }

    /// Waits until the balancer says so of each.
    pub(super) fn await_seen(&self, names: &[String], so: impl Fn(&Seen) -> bool) -> Result<(), SwapError> {
        let begun = Instant::now();
        loop {
            let all = self.everybody()?;
            let seen = self.look(&all)?;
            let not_yet = names.iter().find(|name| !seen.iter().any(|s| s.name == **name && so(s)));
            let Some(name) = not_yet else { return Ok(()) };
            if begun.elapsed() > CHECKED.max(self.intent.options.pace.ready_timeout()) {
                let container = all.iter().find(|c| c.name == *name);
                let reason =
                    format!("{} does not let it in: its own check does not pass", self.balancer.name());
                return Err(match container {
                    Some(container) => self.not_ready(container, reason),
                    None => SwapError::NotAsTold(1, name.clone()),
                });
            }
            self.check("waiting for the load balancer")?;
            std::thread::sleep(LOOK);
        }
    }
}
