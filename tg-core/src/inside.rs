//! What goes on inside a running container: its processes, and commands run beside them.

use std::pin::pin;
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use bollard::errors::Error as DockerError;
use bollard::exec::StartExecResults;
use bollard::models::{ContainerTopResponse, ExecConfig};
use bollard::query_parameters as query;
use futures_util::StreamExt;
use futures_util::future::{Either, select};

use crate::Error;
use crate::engine::{ANSWER, Engine};

/// Between two questions whether to wait on for a command.
const GO_ON: Duration = Duration::from_millis(100);

/// A process of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// As the engine's host counts.
    pub pid: u32,
    /// The command line, or the title that the process has given itself.
    pub command: String,
}

impl Engine {
    /// Runs a command in a running container to its end; its exit code, and what it wrote to stdout
    /// and stderr in the order in which it came. A program that is not there is exit code 126 or 127.
    pub fn exec(&self, id: &str, command: &[&str]) -> Result<(i64, String), Error> {
        self.act(ANSWER, self.executed(id, None, command))
    }

    /// The same for a command that may take long: `None` when it has not ended within `limit` or
    /// before `given_up` says so, which is asked ten times a second. It is left running then: an
    /// engine can't end it.
    pub fn exec_within(
        &self,
        id: &str,
        command: &[&str],
        limit: Duration,
        given_up: impl Fn() -> bool,
    ) -> Result<Option<(i64, String)>, Error> {
        self.exec_as(id, None, command, limit, given_up)
    }

    /// The same for a user of the container, by name or `uid:gid`.
    pub fn exec_as(
        &self,
        id: &str,
        user: Option<&str>,
        command: &[&str],
        limit: Duration,
        given_up: impl Fn() -> bool,
    ) -> Result<Option<(i64, String)>, Error> {
        let enough = async {
            let begun = Instant::now();
            while begun.elapsed() < limit && !given_up() {
                tokio::time::sleep(GO_ON).await;
            }
        };
        self.act(limit.saturating_add(ANSWER), async {
            match select(pin!(self.executed(id, user, command)), pin!(enough)).await {
                Either::Left((done, _)) => done.map(Some),
                Either::Right(_) => Ok(None),
            }
        })
    }

    async fn executed(
        &self,
        id: &str,
        user: Option<&str>,
        command: &[&str],
    ) -> Result<(i64, String), DockerError> {
        let config = ExecConfig {
            user: user.map(str::to_owned),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
            ..ExecConfig::default()
        };
        let exec = self.docker.create_exec(id, config).await?.id;
        let mut bytes = Vec::new();
        if let StartExecResults::Attached { mut output, .. } = self.docker.start_exec(&exec, None).await? {
            while let Some(chunk) = output.next().await {
                bytes.extend_from_slice(&LogOutput::into_bytes(chunk?));
            }
        }
        let code = self.docker.inspect_exec(&exec).await?.exit_code.unwrap_or_default();
        Ok((code, String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The processes of a running container.
    pub fn top(&self, id: &str) -> Result<Vec<Process>, Error> {
        let options = query::TopOptionsBuilder::new().ps_args("-eo pid,args").build();
        self.ask(ANSWER, self.docker.top_processes(id, Some(options))).map(processes)
    }
}

fn processes(top: ContainerTopResponse) -> Vec<Process> {
    let titles = top.titles.unwrap_or_default();
    let column = |name: &str| titles.iter().position(|title| title == name);
    let (Some(pid), Some(command)) = (column("PID"), column("COMMAND").or(column("CMD"))) else {
        return Vec::new();
    };
    let process = |row: Vec<String>| {
        Some(Process { pid: row.get(pid)?.trim().parse().ok()?, command: row.get(command)?.clone() })
    };
    top.processes.unwrap_or_default().into_iter().filter_map(process).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_their_titles() {
        let words = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
        let top = ContainerTopResponse {
            titles: Some(words(&["UID", "PID", "CMD"])),
            processes: Some(vec![words(&["root", "26786", "nginx: master process"]), words(&["root"])]),
        };
        let one = Process { pid: 26786, command: "nginx: master process".into() };
        assert_eq!(processes(top), [one]);
    }
}
