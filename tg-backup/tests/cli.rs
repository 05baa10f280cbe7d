//! What can be asked without Docker and without a database.

use assert_cmd::cargo::cargo_bin_cmd;

#[test]
fn a_restore_must_say_what_to_restore() {
    cargo_bin_cmd!("tg-backup").arg("restore").assert().code(2);
    cargo_bin_cmd!("tg-backup").args(["restore", "x", "--latest"]).assert().code(2);
    cargo_bin_cmd!("tg-backup").args(["restore", "--run", "r", "--latest"]).assert().code(2);
}

#[test]
fn a_bad_duration_or_run_is_wrong_usage() {
    cargo_bin_cmd!("tg-backup").args(["create", "--lock-wait", "soon"]).assert().code(2);
    cargo_bin_cmd!("tg-backup").args(["--run-id", "../x"]).assert().code(2);
}

#[test]
fn without_a_compose_file_every_command_ends_with_10() {
    let dir = tempfile::tempdir().unwrap();
    for words in
        [&["create"][..], &["list"], &["point", "create"], &["restore", "--latest"], &["undo"], &["commit"]]
    {
        let mut command = cargo_bin_cmd!("tg-backup");
        command.env_clear().env("PATH", std::env::var("PATH").unwrap());
        command.arg("-C").arg(dir.path()).args(words).assert().code(10);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was written");
}
