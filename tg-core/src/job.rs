//! Containers of our own making that run one command to its end.

use std::collections::HashMap;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, Mount, MountType, MountVolumeOptions, NetworkingConfig,
};
use bollard::query_parameters as query;
use futures_util::StreamExt;

use crate::engine::{ANSWER, Engine};
use crate::process::Stream;
use crate::{Error, Fault};

/// How long a job may run that has no deadline of its own.
const FOREVER: Duration = Duration::from_hours(7 * 24);

/// A container of ours that runs one command to its end and is removed.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Name, unique.
    pub name: String,
    /// Image id or reference.
    pub image: String,
    /// Program and arguments; the image's entrypoint is not used.
    pub command: Vec<String>,
    /// `NAME=value`; never a secret.
    pub environment: Vec<String>,
    /// `host:container[:ro]`.
    pub mounts: Vec<String>,
    /// Containers whose volumes are mounted too, `ID[:ro]`.
    pub volumes_from: Vec<String>,
    /// `container:ID`, `none` or a network's name.
    pub network: String,
    /// Names under which a network's other containers find it.
    pub aliases: Vec<String>,
    /// `uid:gid`.
    pub user: String,
    /// Labels.
    pub labels: HashMap<String, String>,
    /// What it may take of the host.
    pub limits: Limits,
    /// Where volumes of its own are, which go with it.
    pub volumes: Vec<String>,
    /// Whether it ends with whoever is attached to its input, and is removed then.
    pub tied: bool,
}

/// What a container may take of the host; all of it where nothing is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Bytes, swap not included.
    pub memory: Option<i64>,
    /// Weight beside others where processors are short; 1024 is everybody's.
    pub cpu_shares: Option<i64>,
    /// Processes and threads.
    pub pids: Option<i64>,
}

impl Engine {
    /// Runs a job to its end, hands out its lines, removes it, and returns its exit code.
    pub fn run<E: Fault + From<Error>>(
        &self,
        job: &Job,
        limit: Option<Duration>,
        mut on_line: impl FnMut(Stream, &str) -> Result<(), E>,
    ) -> Result<i64, E> {
        self.remove_own(&job.name)?;
        let id = self.create(job)?;
        let mut work = || -> Result<i64, E> {
            self.start(&id)?;
            let code = self.wait(&id, limit.unwrap_or(FOREVER))?;
            for (stream, line) in self.output(&id)? {
                on_line(stream, &line)?;
            }
            Ok(code)
        };
        let ended = work();
        let removed = self.remove_own(&id);
        let code = ended?;
        removed?;
        Ok(code)
    }

    /// Starts a job and leaves it running; its identifier.
    pub fn begin(&self, job: &Job) -> Result<String, Error> {
        self.remove_own(&job.name)?;
        let id = self.create(job)?;
        self.start(&id).inspect_err(|_| {
            // The reason why it did not start is what counts.
            let _ = self.remove_own(&id);
        })?;
        Ok(id)
    }

    pub(crate) fn create(&self, job: &Job) -> Result<String, Error> {
        let labels = self.own_labels(&job.image, &job.labels)?;
        let (program, arguments) =
            job.command.split_first().map_or((vec![], vec![]), |(p, a)| (vec![p.clone()], a.to_vec()));
        let endpoint = EndpointSettings { aliases: Some(job.aliases.clone()), ..EndpointSettings::default() };
        let named =
            NetworkingConfig { endpoints_config: Some(HashMap::from([(job.network.clone(), endpoint)])) };
        let body = ContainerCreateBody {
            networking_config: (!job.aliases.is_empty()).then_some(named),
            image: Some(job.image.clone()),
            entrypoint: Some(program),
            cmd: Some(arguments),
            env: Some(job.environment.clone()),
            user: Some(job.user.clone()),
            attach_stdin: Some(job.tied),
            open_stdin: Some(job.tied),
            stdin_once: Some(job.tied),
            labels: Some(labels),
            host_config: Some(HostConfig {
                auto_remove: Some(job.tied),
                mounts: Some(job.volumes.iter().map(|at| own_volume(at, &job.labels)).collect()),
                binds: Some(job.mounts.clone()),
                volumes_from: Some(job.volumes_from.clone()),
                network_mode: Some(job.network.clone()),
                memory: job.limits.memory,
                memory_swap: job.limits.memory,
                cpu_shares: job.limits.cpu_shares,
                pids_limit: job.limits.pids,
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = query::CreateContainerOptionsBuilder::new().name(&job.name).build();
        self.act(ANSWER, self.docker.create_container(Some(options), body)).map(|created| created.id)
    }

    fn output(&self, id: &str) -> Result<Vec<(Stream, String)>, Error> {
        let options = query::LogsOptionsBuilder::new().stdout(true).stderr(true).tail("2000").build();
        let mut stream = self.docker.logs(id, Some(options));
        self.ask(ANSWER, async {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            while let Some(chunk) = stream.next().await {
                match chunk? {
                    LogOutput::StdErr { message } => err.extend_from_slice(&message),
                    other => out.extend_from_slice(&other.into_bytes()),
                }
            }
            let lines = |bytes: Vec<u8>, stream| {
                String::from_utf8_lossy(&bytes).lines().map(|l| (stream, l.to_owned())).collect::<Vec<_>>()
            };
            Ok([lines(out, Stream::Stdout), lines(err, Stream::Stderr)].concat())
        })
    }
}

/// A volume without a name: the engine removes it with its container.
fn own_volume(at: &str, labels: &HashMap<String, String>) -> Mount {
    let options = MountVolumeOptions { labels: Some(labels.clone()), ..MountVolumeOptions::default() };
    Mount {
        target: Some(at.to_owned()),
        typ: Some(MountType::VOLUME),
        volume_options: Some(options),
        ..Mount::default()
    }
}
