//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tg_core::cli::{Shared, duration};

use crate::init::Init;
use crate::swap::{Options, Pace};

/// Move the application's services to another release, and back
///
/// Without a command it swaps: new instances beside the old ones, each ready by its own word and by
/// the load balancer's, let in; the old ones out of rotation, nothing in flight on them, stopped;
/// then the workers. No request is lost. What fails is undone; what is killed goes on with resume.
///
/// The release is written where the project has it: in the variable of the .env file that the
/// image's tag comes from, or in the compose file itself. Everything else in the file stays as it
/// is. What ran before is remembered by image, so that a rollback needs neither registry nor tag.
#[derive(Parser, Debug)]
#[command(name = crate::TOOL, version, after_long_help = tg_core::cli::EXIT_STATUS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub action: Option<Action>,

    #[command(flatten)]
    pub to: To,

    #[command(flatten)]
    pub options: Options,

    /// Say what would be done, and change nothing
    #[arg(short = 'n', long, global = true)]
    pub dry_run: bool,

    #[command(flatten)]
    pub shared: Shared,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Action {
    /// Say beforehand what moving to a release means; changes nothing. 6 until what is unsafe is accepted
    Plan(To),
    /// Pull the images of a release; nothing that runs is touched
    Pull(To),
    /// Stop services and wait until they have ended, each with its own grace
    Stop(Which),
    /// Start services, at another release where --to is given
    Start {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        to: To,
    },
    /// Go on with a swap that was killed or interrupted
    Resume,
    /// Go back to what ran before the swap in hand
    Abort,
    /// Stop and remove the old instances that a swap has kept
    Commit {
        /// Wait so long before
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        after: Option<Duration>,
    },
    /// What runs, and is it what the project's files say? 0 yes, 1 no
    Status,
    /// Has a registry newer tags of any service's image, or another image under its tag? 0 no, 1 yes
    Outdated {
        /// What counts as yes; all is told anyway
        #[arg(
            long,
            value_name = "WHAT",
            value_enum,
            value_delimiter = ',',
            default_value = "patch,minor,major,moved"
        )]
        only: Vec<Change>,
    },
    /// Put HAProxy in front of a project that publishes its port itself
    Init(Init),
    /// Put the images back that ran before the last change, or before a given run
    ///
    /// Where the instances of that release are still kept, it is a flip of the balancer, by the flags of
    /// the swap that is undone; else a swap of its own, by those given here.
    Rollback {
        #[command(flatten)]
        which: Which,
        /// Run whose beginning to go back to [default: the run of --run-id, else the last change]
        #[arg(long, alias = "to-run", value_name = "RUN")]
        to: Option<String>,
        #[command(flatten)]
        pace: Pace,
    },
}

/// Which services a command is about.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Which {
    /// Services [default: those of the application]
    pub services: Vec<String>,

    /// Only the services of the application that have this role
    #[arg(long, value_enum, conflicts_with = "services")]
    pub role: Option<Role>,
}

/// What a service of the application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Answers requests
    Api,
    /// Works off jobs
    Worker,
}

/// A release to go to.
#[derive(Args, Clone, Debug)]
pub(crate) struct To {
    /// Release, as its tag in the registry [default: the one in the project's files]
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,

    /// Accept by name what would be refused; repeatable
    #[arg(long, value_name = "WHAT", value_enum)]
    pub accept: Vec<Accept>,
}

/// What a person can accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accept {
    /// A new major version, with breaking changes
    Major,
    /// An older release than the one that runs
    Downgrade,
    /// A release whose distance can't be told, because it is no semantic version
    Unknown,
    /// A container_name in the compose file: no second instance can stand beside the first
    ContainerName,
    /// A fixed host port: a second instance can't bind it
    PublishedPort,
    /// A fixed network address: a second instance can't have it
    FixedAddress,
    /// A migration of which no rehearsal has proven that the release that runs goes on with it
    Unproven,
}

/// How an image can be behind its registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Change {
    /// A newer patch release
    Patch,
    /// A newer minor release
    Minor,
    /// A newer major release
    Major,
    /// Another image under the same tag
    Moved,
}
