//! Does SIGTERM reach the application?

use serde_json::{Value, json};
use tg_core::image_config::ImageConfig;

use super::Facts;
use crate::finding::Finding;

const SHELLS: [&str; 6] = ["sh", "bash", "ash", "dash", "ksh", "zsh"];

/// A shell that starts the application as its child keeps SIGTERM for itself. As process 1 it does
/// nothing with it, and the application is killed when its grace is over; below Docker's init
/// (`init: true`, which signals its child alone) the shell ends at once, and the application with it.
pub(super) fn shell_pid1(facts: &Facts) -> Option<Finding> {
    let words = words(&facts.model, facts.then.as_ref().or(facts.now.as_ref()));
    let script = script(&words).filter(|script| facts.serves() && !hands_over(script))?;
    let end = if facts.model["init"] == true {
        "ends at once and takes the application with it, untold"
    } else {
        "keeps SIGTERM for itself: the application is killed when its grace is over"
    };
    let msg = format!("it is started by a shell, which {end}");
    let cure = "write exec before the last command of the script, or the command as a list";
    Some(Finding::warning("shell-pid1", msg, cure).with(json!({"script": script})))
}

/// What the container runs. An entrypoint in the compose file switches the image's command off, too;
/// an empty one only the image's entrypoint (moby, daemon/commit.go, merge).
fn words(model: &Value, image: Option<&ImageConfig>) -> Vec<String> {
    let list = |value: &Value| -> Option<Vec<String>> {
        Some(value.as_array()?.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
    };
    let image = image.cloned().unwrap_or_default();
    let own = list(&model["command"]).filter(|command| !command.is_empty());
    match list(&model["entrypoint"]) {
        Some(entry) if !entry.is_empty() => [entry, own.unwrap_or_default()].concat(),
        Some(_) => own.unwrap_or(image.command),
        None => [image.entrypoint, own.unwrap_or(image.command)].concat(),
    }
}

/// The script of `sh -c SCRIPT`.
fn script(words: &[String]) -> Option<&str> {
    let (shell, rest) = words.split_first()?;
    let name = shell.rsplit('/').next().unwrap_or(shell);
    if !SHELLS.contains(&name) {
        return None;
    }
    let flag = rest.iter().take_while(|word| word.starts_with('-')).position(|word| word.ends_with('c'))?;
    rest.get(flag + 1).map(String::as_str)
}

/// Whether the shell makes room for its last command.
fn hands_over(script: &str) -> bool {
    let last = script.trim().trim_end_matches(';').rsplit([';', '\n', '&', '|']).next().unwrap_or_default();
    last.trim_start().starts_with("exec ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Role;

    fn found(model: Value, entrypoint: &[&str], command: &[&str]) -> Option<Finding> {
        let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        let image =
            ImageConfig { entrypoint: list(entrypoint), command: list(command), ..ImageConfig::default() };
        shell_pid1(&Facts { role: Some(Role::Api), model, then: Some(image), ..Facts::default() })
    }

    #[test]
    fn a_shell_that_stays_is_found_in_the_image_and_in_the_service() {
        assert!(found(json!({}), &[], &["/bin/sh", "-c", "node a.js"]).is_some());
        assert!(found(json!({}), &["/bin/bash", "-ec"], &["migrate && node a.js"]).is_some());
        assert!(found(json!({"command": ["sh", "-c", "exec a; node b.js"]}), &[], &["node"]).is_some());
    }

    #[test]
    fn below_docker_s_init_the_application_is_not_told_either() {
        let msg = found(json!({"init": true}), &[], &["sh", "-c", "node a.js"]).unwrap().msg;
        assert!(msg.contains("untold"), "{msg}");
    }

    #[test]
    fn a_shell_that_makes_room_is_no_fault_and_neither_is_a_program() {
        assert_eq!(found(json!({}), &[], &["sh", "-c", "migrate && exec node a.js"]), None);
        assert_eq!(found(json!({}), &[], &["node", "-c", "a.js"]), None);
        assert_eq!(found(json!({}), &["docker-entrypoint.sh"], &["node"]), None);
        assert_eq!(found(json!({"command": ["node", "a.js"]}), &[], &["sh", "-c", "node a.js"]), None);
    }

    #[test]
    fn an_entrypoint_of_the_service_switches_the_image_s_command_off() {
        assert_eq!(found(json!({"entrypoint": ["node"]}), &["sh", "-c"], &["a"]), None);
        assert!(found(json!({"entrypoint": []}), &["tini"], &["sh", "-c", "a"]).is_some());
    }
}
