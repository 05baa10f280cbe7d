//! What goes on inside a running container: its processes, and commands run beside them.

use bollard::container::LogOutput;
use bollard::exec::StartExecResults;
use bollard::models::{ContainerTopResponse, ExecConfig};
use bollard::query_parameters as query;
use futures_util::StreamExt;

use crate::Error;
use crate::engine::{ANSWER, Engine};

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
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
            ..ExecConfig::default()
        };
        self.ask(ANSWER, async {
            let exec = self.docker.create_exec(id, config).await?.id;
            let mut bytes = Vec::new();
            if let StartExecResults::Attached { mut output, .. } = self.docker.start_exec(&exec, None).await?
            {
                while let Some(chunk) = output.next().await {
                    bytes.extend_from_slice(&LogOutput::into_bytes(chunk?));
                }
            }
            let code = self.docker.inspect_exec(&exec).await?.exit_code.unwrap_or_default();
            Ok((code, String::from_utf8_lossy(&bytes).into_owned()))
        })
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
