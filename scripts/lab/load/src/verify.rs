//! After the run: is everything that was acknowledged in the database, and there once?

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::acked::to_copy;
use crate::cli::VerifyArgs;

const PREPARE: &str = "CREATE TEMP TABLE acked (kind text, id uuid);\nCOPY acked FROM STDIN;\n";
const COUNT: &str = include_str!("verify.sql");

/// The report, and whether nothing is missing or doubled.
pub(crate) fn verify(args: &VerifyArgs) -> Result<(Value, bool)> {
    let text =
        fs::read_to_string(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let rows = to_copy(&text).with_context(|| args.file.display().to_string())?;
    let container = database_container(&args.project)?;
    let script = format!("{PREPARE}{rows}\\.\n{COUNT}");
    let output = ask(&container, args, &script)?;
    let counts = output.trim().split('|').map(str::parse).collect::<Result<Vec<u64>, _>>();
    let Ok([acked, missing, doubled]) = counts.as_deref() else {
        bail!("psql answered {output:?}");
    };
    let report = json!({"acked": acked, "missing": missing, "doubled": doubled});
    Ok((report, *missing == 0 && *doubled == 0))
}

fn database_container(project: &str) -> Result<String> {
    let output = Command::new("docker")
        .args(["ps", "-q"])
        .args(["--filter", &format!("label=com.docker.compose.project={project}")])
        .args(["--filter", "label=com.docker.compose.service=db"])
        .output()
        .context("cannot run docker")?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next() {
        Some(id) if output.status.success() => Ok(id.to_owned()),
        _ => bail!("no database runs in project {project}"),
    }
}

fn ask(container: &str, args: &VerifyArgs, script: &str) -> Result<String> {
    let mut child = Command::new("docker")
        .args(["exec", "-i", container, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1"])
        .args(["-U", &args.user, "-d", &args.database])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run docker")?;
    // Dropped at the end of the statement, which is the end of the input.
    child.stdin.take().context("no pipe to psql")?.write_all(script.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("psql failed ({})", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}
