//! Images that carry Compose's labels: run with the lab up, `cargo test -p tg-core --features lab --test labels`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use tg_core::bounds::Bounds;
use tg_core::engine::Engine;
use tg_core::job::Job;

const BASE: &str = "tg-lab/base:trixie";

fn docker(words: &[&str]) -> String {
    let output = Command::new("docker").args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A Compose project whose only service runs an image of its own; all of it goes with the value.
struct Project {
    name: String,
    dir: tempfile::TempDir,
}

impl Project {
    fn up(short: &str) -> Self {
        let project = Project {
            name: format!("tg-labels-{short}-{}", std::process::id()),
            dir: tempfile::tempdir().unwrap(),
        };
        let text = format!(
            "name: {}\nservices:\n  db: {{image: '{}', command: [sleep, '600'], init: true, pull_policy: never, network_mode: none}}\n",
            project.name,
            project.image()
        );
        std::fs::write(project.file(), text).unwrap();
        project.build(&format!(
            "com.docker.compose.project={} com.docker.compose.service=db com.docker.compose.version=2.26.1",
            project.name
        ));
        project.compose(&["up", "-d"]);
        project
    }

    fn image(&self) -> String {
        format!("{}:test", self.name)
    }

    fn file(&self) -> std::path::PathBuf {
        self.dir.path().join("compose.yaml")
    }

    fn compose(&self, words: &[&str]) {
        docker(&[&["compose", "-f", self.file().to_str().unwrap()], words].concat());
    }

    /// The image, with these labels.
    fn build(&self, labels: &str) {
        let context: &Path = &self.dir.path().join("image");
        std::fs::create_dir_all(context).unwrap();
        std::fs::write(context.join("Dockerfile"), format!("FROM {BASE}\nLABEL {labels}\n")).unwrap();
        docker(&["build", "-q", "-t", &self.image(), context.to_str().unwrap()]);
    }

    /// A container of somebody else's, from the same image.
    fn strange(&self) {
        let name = format!("{}-strange", self.name);
        docker(&["run", "-d", "--init", "--name", &name, "--network", "none", &self.image(), "sleep", "600"]);
    }

    /// A container of our own, from the same image.
    fn own(&self, engine: &Engine) -> String {
        let job = Job {
            name: format!("{}-own", self.name),
            image: self.image(),
            command: vec!["sleep".into(), "600".into()],
            network: "none".into(),
            labels: HashMap::from([("tg.lab".to_owned(), "1".to_owned())]),
            ..Job::default()
        };
        engine.begin(&job).unwrap()
    }

    /// Only Compose's own container is the service's.
    fn is_alone(&self, engine: &Engine) {
        let names = |found: Vec<tg_core::container::Container>| {
            found.into_iter().map(|container| container.name).collect::<Vec<_>>()
        };
        let own = [format!("{}-db-1", self.name)];
        assert_eq!(names(engine.running(&self.name, "db").unwrap()), own);
        assert_eq!(names(engine.of_project(&self.name).unwrap()), own);
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let [own, strange] = ["own", "strange"].map(|end| format!("{}-{end}", self.name));
        let _ = Command::new("docker").args(["rm", "-f", &own, &strange]).output();
        let _ = Command::new("docker")
            .args(["compose", "-f", self.file().to_str().unwrap_or_default(), "down", "-t", "0"])
            .output();
        let _ = Command::new("docker").args(["rmi", "-f", &self.image()]).output();
    }
}

#[test]
fn a_container_from_an_image_that_compose_built_is_not_its_service_s() {
    let (engine, project) = (Engine::connect(&Bounds::none()).unwrap(), Project::up("built"));
    project.is_alone(&engine);
    let own = project.own(&engine);
    project.strange();
    project.is_alone(&engine);
    let labels = engine.inspect(&own).unwrap().unwrap().labels;
    let composes = labels.iter().filter(|(name, _)| name.starts_with("com.docker.compose."));
    assert!(
        composes.clone().count() > 0 && composes.into_iter().all(|(_, value)| value.is_empty()),
        "{labels:?}"
    );
    assert_eq!(labels["tg.lab"], "1");
}

#[test]
fn a_container_from_an_image_that_was_committed_from_one_of_compose_s_is_not_its_service_s() {
    let (engine, project) = (Engine::connect(&Bounds::none()).unwrap(), Project::up("committed"));
    docker(&["commit", &format!("{}-db-1", project.name), &project.image()]);
    project.compose(&["up", "-d", "--force-recreate"]);
    project.is_alone(&engine);
    project.own(&engine);
    project.strange();
    project.is_alone(&engine);
}
