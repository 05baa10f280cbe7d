//! The driver with shell scripts for a program.

use std::path::Path;
use std::time::Instant;

use crate::messages::{Messages, Verbosity};

use super::*;
use crate::balancer::Duty;

fn emitter() -> Emitter {
    Emitter::new(Messages::new("tg-swap", Verbosity::Quiet), "run", true, Box::new(std::io::sink()))
}

fn instance() -> Instance {
    Instance { name: "app-api-1".into(), address: "10.0.0.9".into(), others: Vec::new(), port: 3000 }
}

/// Opens the driver on a script and gives it to the test.
fn with<T>(script: &str, test: impl FnOnce(Result<Exec, BalancerError>, &Path) -> T) -> T {
    let (dir, emit) = (tempfile::tempdir().unwrap(), emitter());
    std::fs::write(dir.path().join("script"), format!("{script}\n")).unwrap();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/src/balancer/exec/stub").into();
    test(Exec::at(program, dir.path().to_owned(), &emit), dir.path())
}

#[test]
fn the_program_gets_the_posts_in_the_projects_directory() {
    with(r"case $1 in assign) cat >got ;; *) exit 127 ;; esac", |exec, dir| {
        exec.unwrap().assign(&[Post { instance: instance(), duty: Duty::Share(5) }]).unwrap();
        let got: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(dir.join("got")).unwrap()).unwrap();
        let instance = json!({"name": "app-api-1", "address": "10.0.0.9", "port": 3000});
        assert_eq!(got, json!([{"instance": instance, "duty": {"share": 5}}]));
    });
}

#[test]
fn what_it_says_of_an_instance_is_taken_and_of_strangers_left() {
    let script = r#"case $1 in
        look) echo '[{"name": "app-api-1", "takes_new": true, "in_flight": 3}, {"name": "x", "takes_new": true}]' ;;
        abilities) echo '{"measure": true}' ;;
    esac"#;
    with(script, |exec, _| {
        let exec = exec.unwrap();
        let seen = exec.look(&[instance()]).unwrap();
        assert_eq!((seen.len(), seen[0].takes_new, seen[0].in_flight), (1, true, Some(3)));
        assert_eq!(exec.abilities(), Abilities { measure: true, ..Abilities::default() });
    });
}

#[test]
fn a_program_that_does_not_know_abilities_only_takes_in_and_out() {
    with("exit 127", |exec, _| {
        let exec = exec.unwrap();
        assert_eq!(exec.abilities(), Abilities::default());
        assert_eq!(exec.totals().unwrap(), None);
        assert!(matches!(exec.assign(&[]), Err(BalancerError::Refused { .. })), "but this it must know");
    });
}

#[test]
fn a_failure_repeats_the_end_of_its_stderr() {
    with("test $1 = abilities && exit 127; echo no such pool >&2; exit 3", |exec, _| {
        let error = exec.unwrap().assign(&[]).unwrap_err().to_string();
        assert!(error.ends_with("exit 3: no such pool"), "{error}");
    });
}

#[test]
fn malformed_answers_are_refused_with_what_was_expected() {
    for answer in ["hello", r#"[{"name": "a"}]"#, r#"[{"name": "a", "takes_new": true, "typo": 1}]"#, ""] {
        let script = format!("test $1 = abilities && exit 127; echo '{answer}'");
        with(&script, |exec, _| {
            let error = exec.unwrap().look(&[instance()]).unwrap_err().to_string();
            assert!(error.contains("expected was a list of"), "{answer}: {error}");
        });
    }
    with(r#"echo '{"mesure": true}'"#, |exec, _| {
        assert!(matches!(exec.err(), Some(BalancerError::Refused { .. })), "an ability that is none");
    });
}

#[test]
fn a_program_that_is_not_there_is_the_users_to_correct() {
    let emit = emitter();
    let error = Exec::at("/nonexistent/balancer".into(), "/".into(), &emit).err();
    assert!(matches!(error, Some(BalancerError::NotPrepared { .. })), "{error:?}");
}

#[test]
fn counters_are_asked_for_only_where_it_says_that_it_counts() {
    let script = r#"case $1 in
        abilities) echo '{"count": true}' ;;
        totals) echo '{"requests": 7}' ;;
    esac"#;
    with(script, |exec, _| {
        assert_eq!(exec.unwrap().totals().unwrap().map(|counters| counters.requests), Some(7));
    });
}

#[test]
fn a_program_that_does_not_end_is_ended_and_refused() {
    with("test $1 = abilities && exit 127; exec sleep 60", |exec, _| {
        let (exec, begun) = (Exec { limit: Duration::from_millis(100), ..exec.unwrap() }, Instant::now());
        let error = exec.assign(&[]).unwrap_err();
        assert!(matches!(error, BalancerError::Refused { .. }), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(30));
    });
}
