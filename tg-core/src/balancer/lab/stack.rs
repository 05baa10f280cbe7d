//! A balancer, two instances that say their names, and a network, gone when the test ends.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::balancer::{Duty, Instance, Post};

/// Says its name, after as many ms as it is asked to wait.
const APPLICATION: &str = "require('http').createServer((request, response) => \
    setTimeout(() => response.end(process.env.NAME), Number(request.url.slice(1)))).listen(3000)";

pub(super) struct Stack {
    pub(super) project: String,
    dir: tempfile::TempDir,
    balancer: String,
}

/// Requests one after the other, each on a connection of its own, until it is ended.
pub(super) struct Load {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<(usize, Vec<String>)>,
}

impl Load {
    /// How many were answered, and what happened to the others.
    pub(super) fn end(self) -> (usize, Vec<String>) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn docker(words: &[&str]) -> String {
    let output = Command::new("docker").args(words).output().unwrap();
    assert!(output.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn get(host: &str, ms: u64) -> Result<(u16, String), ureq::Error> {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
    let agent = config.timeout_global(Some(Duration::from_secs(20))).build().new_agent();
    let mut response = agent.get(format!("http://{host}:3000/{ms}")).call()?;
    Ok((response.status().as_u16(), response.body_mut().read_to_string()?))
}

impl Stack {
    /// The files are the balancer's directory `place`; it answers when this returns.
    pub(super) fn up(test: &str, image: &str, files: &[(&str, &str)], place: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let project = format!("h-tg-balancer-{test}-{}", std::process::id());
        let mut stack = Stack { project, dir, balancer: String::new() };
        docker(&["network", "create", "--label", "tg.lab=1", &stack.project]);
        for name in ["a", "b"] {
            let environment = format!("NAME={name}");
            let image = "tg-lab/node:trixie";
            let alias = "--network-alias=api";
            stack.run(name, &[alias, "-e", &environment, image, "node", "-e", APPLICATION]);
        }
        let mount = format!("{}:{place}", stack.dir.path().display());
        let mut words = vec!["-v", mount.as_str(), image];
        if image.contains("nginx") {
            words.extend(["nginx", "-c", "/etc/lb/nginx.conf", "-g", "daemon off; worker_processes 2;"]);
        }
        stack.run("lb", &words);
        stack.await_balancer(files.iter().all(|(_, text)| *text != "events {}"));
        stack
    }

    fn run(&self, name: &str, words: &[&str]) {
        let own = self.name(name);
        let labels = [
            "tg.lab=1".to_owned(),
            format!("com.docker.compose.project={}", self.project),
            format!("com.docker.compose.service={name}"),
            "com.docker.compose.config-hash=lab".to_owned(),
        ];
        let mut all = vec!["run", "-d", "--name", &own, "--network", &self.project];
        all.extend(labels.iter().flat_map(|label| ["--label", label]));
        all.extend(words);
        docker(&all);
    }

    fn await_balancer(&mut self, serves: bool) {
        self.balancer = self.address("lb");
        let begun = Instant::now();
        while serves && !get(&self.balancer, 0).is_ok_and(|(status, _)| status == 200) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", docker(&["logs", &self.name("lb")]));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn restart_balancer(&mut self) {
        docker(&["restart", &self.name("lb")]);
        self.await_balancer(true);
    }

    /// The container's name.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.project)
    }

    fn address(&self, name: &str) -> String {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        docker(&["inspect", "-f", format, &self.name(name)])
    }

    pub(super) fn admin(&self, port: u16) -> String {
        format!("http://{}:{port}", self.balancer)
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn instance(&self, name: &str) -> Instance {
        Instance { name: self.name(name), address: self.address(name), others: Vec::new(), port: 3000 }
    }

    pub(super) fn post(&self, name: &str, duty: Duty) -> Post {
        Post { instance: self.instance(name), duty }
    }

    /// Who answered so many requests, and how often.
    pub(super) fn answers(&self, requests: usize) -> Vec<(String, usize)> {
        let mut by_name = BTreeMap::new();
        for _ in 0..requests {
            let (status, name) = get(&self.balancer, 0).unwrap();
            assert_eq!(status, 200, "{name}");
            *by_name.entry(name).or_default() += 1;
        }
        by_name.into_iter().collect()
    }

    /// A request that takes its time.
    pub(super) fn slow(&self, ms: u64) -> JoinHandle<(u16, String)> {
        let host = self.balancer.clone();
        std::thread::spawn(move || get(&host, ms).unwrap())
    }

    pub(super) fn load(&self) -> Load {
        let (host, ended) = (self.balancer.clone(), Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let (mut answered, mut failed) = (0, Vec::new());
            while !until.load(Ordering::Relaxed) {
                match get(&host, 0) {
                    Ok((200, _)) => answered += 1,
                    other => failed.push(format!("{other:?}")),
                }
            }
            (answered, failed)
        });
        Load { ended, thread }
    }

    /// A connection to an instance that asks nothing.
    pub(super) fn hold(&self, name: &str) -> TcpStream {
        let begun = Instant::now();
        loop {
            match TcpStream::connect((self.address(name), 3000)) {
                Ok(stream) => return stream,
                Err(e) => assert!(begun.elapsed() < Duration::from_secs(10), "{e}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["rm", "-f", "-v", &self.name("a"), &self.name("b"), &self.name("lb")])
            .output();
        let _ = Command::new("docker").args(["network", "rm", &self.project]).output();
    }
}
