//! The flags that all tools share.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, CommandFactory, Parser, ValueEnum};

/// The exit codes, for the end of every help text and manual page.
pub const EXIT_STATUS: &str = "\
Exit status:
  0    done, also when it was done already; the answer is yes
  1    the answer is no
  2    wrong usage
  3    failed, nothing was changed
  4    failed and undone: the old state is serving
  5    failed and not undone: a person is needed; the result says what to run
  6    refused by a safety rule: decide, then pass the named flag
  10   Docker, PostgreSQL or a URL can't be reached, or the configuration is bad
  11   another tg tool holds the project's lock
  124  a deadline passed
  130, 143  interrupted, after the step was finished or undone";

/// How stdout looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text on a terminal, JSON lines elsewhere.
    #[default]
    Auto,
    /// JSON lines, whatever stdout is.
    Json,
    /// Text, whatever stdout is.
    Text,
}

/// Flags of every tool. Each can also be set in the environment and, where it makes sense, under
/// the top-level `x-tg` key of the compose file; flags win, then the environment.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Shared options")]
pub struct Shared {
    /// Work as if started in this directory
    #[arg(short = 'C', long, value_name = "DIR", global = true)]
    pub project_directory: Option<PathBuf>,

    /// Compose file; repeatable, as with docker compose
    #[arg(short = 'f', long = "file", value_name = "FILE", global = true)]
    pub files: Vec<PathBuf>,

    /// Compose project name
    #[arg(short = 'p', long, value_name = "NAME", global = true)]
    pub project_name: Option<String>,

    /// Environment file of the Compose project, instead of .env
    #[arg(long = "env-file", value_name = "FILE", global = true)]
    pub env_files: Vec<PathBuf>,

    /// Form of stdout [env: TG_FORMAT] [default: auto]
    #[arg(long, value_enum, global = true)]
    pub format: Option<Format>,

    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Explain each outside command on stderr
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Give up after this long, such as 90s or 5m [env: TG_TIMEOUT]
    #[arg(long, value_name = "DURATION", value_parser = duration, global = true)]
    pub timeout: Option<Duration>,

    /// Where journal, history and lock live [env: TG_STATE_DIR] [x-tg: state_dir]
    /// [default: .tg beside the compose file]
    #[arg(long, value_name = "DIR", global = true)]
    pub state_dir: Option<PathBuf>,

    /// Identifier that the steps of one procedure share [env: TG_RUN_ID] [default: a new one]
    #[arg(long, value_name = "ID", global = true)]
    pub run_id: Option<String>,

    /// Print the names of the commands, the manual page (of the command that is named behind it), or a shell's
    /// completions, and exit
    #[arg(
        long,
        value_name = "commands|man|bash|zsh|fish|elvish|powershell",
        hide = true,
        exclusive = true,
        num_args = 1..
    )]
    pub generate: Vec<String>,
}

impl Shared {
    /// The flags that name the project, as another tool would be given them.
    #[must_use]
    pub fn project_words(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        let here = std::env::current_dir().unwrap_or_default();
        let paths = [
            ("-C", self.project_directory.as_slice()),
            ("-f", self.files.as_slice()),
            ("--env-file", self.env_files.as_slice()),
            ("--state-dir", self.state_dir.as_slice()),
        ];
        for (flag, path) in paths.into_iter().flat_map(|(flag, paths)| paths.iter().map(move |p| (flag, p))) {
            words.extend([flag.into(), here.join(path).into_os_string()]);
        }
        if let Some(name) = &self.project_name {
            words.extend(["-p".into(), name.into()]);
        }
        words
    }
}

/// Reads a humantime duration: `90s`, `5m`, `1h 30m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write it as 90s, 5m or 1h 30m"))
}

/// Parses the command line; help, version, usage errors and `--generate` end the process here.
pub fn parse<C: Parser + CommandFactory>() -> Result<C, ExitCode> {
    let mut words = std::env::args().skip_while(|a| a != "--generate").skip(1);
    if let Some(kind) = words.next() {
        return Err(generate(C::command(), &kind, &words.collect::<Vec<_>>()));
    }
    read(&mut C::command(), std::env::args_os()).map_err(|error| {
        if error.use_stderr() {
            complain(C::command().get_name(), &error.render().to_string());
        } else {
            // Help and version go to stdout; a reader who has seen enough may close it.
            let _ = error.print();
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

fn read<C: Parser>(
    command: &mut Command,
    words: impl IntoIterator<Item = OsString>,
) -> Result<C, clap::Error> {
    let matches = command.try_get_matches_from_mut(words)?;
    nothing_is_ignored(command, &matches)?;
    C::from_arg_matches(&matches).map_err(|error| error.format(command))
}

/// A flag of the action without a name says nothing to a named one. Flags that all share may stand
/// before the name as well as after it, which is why clap's own `args_conflicts_with_subcommands`
/// will not do.
fn nothing_is_ignored(command: &mut Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some(name) = matches.subcommand_name() else { return Ok(()) };
    let given =
        |arg: &&clap::Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let Some(flag) = command.get_arguments().filter(|arg| !arg.is_global_set()).find(given) else {
        return Ok(());
    };
    let problem = format!("{flag} says nothing to the command {name}, before which it stands");
    Err(command.error(ErrorKind::ArgumentConflict, problem))
}

/// A usage error in the words of all other errors: the problem, then the cure.
#[expect(clippy::print_stderr, reason = "there is no session yet that could speak")]
fn complain(name: &str, text: &str) {
    let (problem, more) = text.trim_start_matches("error: ").split_once('\n').unwrap_or((text, ""));
    eprintln!("{name}: error: {}", problem.trim());
    for line in more
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
    {
        eprintln!("{name}: hint: {}", line.trim_start_matches("tip: "));
    }
    eprintln!("{name}: hint: {name} --help");
}

/// Writes what describes a command to stdout: the names of its commands, one a line, a manual page, completions.
fn generate(mut command: Command, kind: &str, words: &[String]) -> ExitCode {
    let mut text = Vec::new();
    let name = command.get_name().to_owned();
    command.build();
    if kind == "commands" {
        text = names(&command, "").concat().into_bytes();
    } else if kind == "man" {
        let found = words.iter().try_fold(&command, |command, word| command.find_subcommand(word));
        let Some(found) = found else { return ExitCode::from(2) };
        if clap_mangen::Man::new(found.clone()).render(&mut text).is_err() {
            return ExitCode::FAILURE;
        }
    } else if let Ok(shell) = clap_complete::Shell::from_str(kind, true) {
        clap_complete::generate(shell, &mut command, name, &mut text);
    } else {
        return ExitCode::from(2);
    }
    match std::io::Write::write_all(&mut std::io::stdout(), &text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Each command below this one, with those before it: `point`, `point create`.
fn names(command: &Command, before: &str) -> Vec<String> {
    let below = command.get_subcommands().filter(|c| c.get_name() != "help" && !c.is_hide_set());
    below
        .flat_map(|c| {
            let name = format!("{before}{}", c.get_name());
            let more = names(c, &format!("{name} "));
            std::iter::once(format!("{name}\n")).chain(more)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Subcommand;

    use super::*;

    #[derive(Parser, Debug)]
    #[command(name = "tool", version)]
    struct Tool {
        #[command(subcommand)]
        action: Option<Action>,
        #[arg(long)]
        to: Option<String>,
        #[arg(long, default_value_t = 3)]
        rise: u32,
        #[command(flatten)]
        shared: Shared,
    }

    #[derive(Subcommand, Debug)]
    enum Action {
        Status,
    }

    fn given(line: &str) -> Result<Tool, ErrorKind> {
        let words = line.split(' ').map(OsString::from);
        read(&mut Tool::command(), words).map_err(|error| error.kind())
    }

    #[test]
    fn flags_that_all_share_stand_before_a_command_or_after_it() {
        for line in ["tool -v -C /x status", "tool status -v -C /x", "tool -v status -C /x"] {
            let tool = given(line).unwrap();
            assert!(tool.shared.verbose && tool.shared.project_directory.is_some(), "{line}");
            assert!(matches!(tool.action, Some(Action::Status)), "{line}");
        }
    }

    #[test]
    fn a_flag_of_the_default_action_is_refused_before_a_command_that_would_ignore_it() {
        assert_eq!(given("tool --to 1 status").unwrap_err(), ErrorKind::ArgumentConflict);
        assert_eq!(given("tool --rise 3 status").unwrap_err(), ErrorKind::ArgumentConflict);
        let tool = given("tool --to 1 --rise 4").unwrap();
        assert_eq!((tool.to.as_deref(), tool.rise), (Some("1"), 4));
    }
}
