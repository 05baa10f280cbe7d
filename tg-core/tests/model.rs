//! The installed Compose's model of a project: run with the lab, `cargo test -p tg-core --features lab --test model`. It needs the
//! `docker compose` program, and no engine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use tg_core::cli::Shared;
use tg_core::compose::{Compose, escaped};
use tg_core::deadline::Deadline;
use tg_core::emitter::Emitter;
use tg_core::interrupt::Interrupt;
use tg_core::messages::{Messages, Verbosity};
use tg_core::process::{GRACE, Runner};

/// What Compose, a shell, JSON or YAML may take for something else.
const PIECES: [&str; 18] = [
    "$", "$", "$$", "${X}", "${X:-y}", "$X", "\"", "'", "\\", "\\n", "\n", " ", "#", ": ", "{", "é", "%", "a",
];
/// All of them go through Compose at once.
const STRINGS: usize = 400;

/// A directory's project as Compose sees it.
fn model(directory: &Path) -> Value {
    let shared = Shared { project_directory: Some(directory.to_owned()), ..Shared::default() };
    let messages = Messages::new("tg-test", Verbosity::Quiet);
    let emit = Emitter::new(messages, "r", true, Box::new(std::io::sink()));
    let (deadline, interrupt) = (Deadline::after(None), Interrupt::default());
    let runner = Runner { emit: &emit, deadline, interrupt: &interrupt, grace: GRACE };
    Compose::new(&shared).unwrap().config(runner, &[]).unwrap()
}

fn project(text: &str) -> Value {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("compose.yaml"), text).unwrap();
    model(dir.path())
}

#[test]
fn a_value_in_the_model_is_what_a_container_gets() {
    let model = project(
        "name: dollars\nx-tg: {smoke: 'echo $$HOME'}\nservices:\n  db:\n    image: i\n    command: ['echo $$1']\n    \
         environment: {POSTGRES_PASSWORD: 'a$$b', TWO: '$$$$', FILLED: '${NOT_THERE:-it}'}\n    labels: {'l$k': 'v$$w'}\n    \
         secrets: [s]\n    volumes: ['./a$$b:/data']\nsecrets: {s: {file: './se$$cret'}}\n",
    );
    let db = &model["services"]["db"];
    assert_eq!(db["environment"], json!({"POSTGRES_PASSWORD": "a$b", "TWO": "$$", "FILLED": "it"}));
    assert_eq!((&db["command"][0], &db["labels"]["l$k"]), (&json!("echo $1"), &json!("v$w")));
    assert_eq!(model["x-tg"]["smoke"], "echo $HOME");
    assert!(db["volumes"][0]["source"].as_str().unwrap().ends_with("/a$b"), "{model}");
    assert!(model["secrets"]["s"]["file"].as_str().unwrap().ends_with("/se$cret"), "{model}");
}

#[test]
fn any_text_comes_back_from_compose_as_it_was_written_into_a_file() {
    let mut runner = TestRunner::deterministic();
    let text = proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 1..8);
    let text = text.prop_map(|pieces| pieces.concat());
    let mut texts = Map::new();
    for n in 0..STRINGS {
        texts.insert(format!("S{n}"), Value::String(text.new_tree(&mut runner).unwrap().current()));
    }
    let meant = json!({"name": "texts", "x-tg": texts, "services": {"a": {
        "image": "i", "environment": texts, "labels": texts, "command": texts.values().collect::<Vec<_>>(),
    }}});
    let first = project(&escaped(&meant).to_string());
    let service = &first["services"]["a"];
    for (name, text) in &texts {
        assert_eq!((&service["environment"][name], &service["labels"][name]), (text, text));
        assert_eq!(&first["x-tg"][name], text);
    }
    assert_eq!(service["command"], meant["services"]["a"]["command"]);
    // And what Compose made of it is understood by Compose.
    assert_eq!(project(&escaped(&first).to_string()), first);
}
