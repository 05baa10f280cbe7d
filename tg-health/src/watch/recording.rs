//! A recording: the head, then one line a second. What a watch is compared with, and what one can be judged from once more.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tg_core::{Error, atomic_file};

use super::sample::{Heard, Sample};

/// The form of the file; another one is refused.
const FORMAT: u32 = 1;

/// What is recorded beside the seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// [`FORMAT`]
    pub(crate) format: u32,
    /// RFC 3339: when it began.
    pub(crate) begun: String,
    /// Requests a second to each target.
    pub(crate) rate: f64,
    /// `pass`, `fail` or `inconclusive`: only what was well is a measure.
    pub(crate) verdict: String,
    /// Lines of level warn and worse that were in the logs before: they are not new.
    #[serde(default)]
    pub(crate) known: Vec<Heard>,
}

/// A whole recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recording {
    pub(crate) head: Head,
    pub(crate) samples: Vec<Sample>,
}

impl Head {
    pub(crate) fn new(begun: String, rate: f64) -> Self {
        Head { format: FORMAT, begun, rate, ..Head::default() }
    }
}

impl Recording {
    /// What the file of a run's own watch ends with, in the directory of the run's journals.
    pub(crate) const EXTENSION: &str = "recording";

    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let bad = |problem: String| Error::Usage {
            problem: format!("{}: {problem}", path.display()),
            hint: "name a file that tg-health watch --record has written".into(),
        };
        let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
        let mut lines = text.lines();
        let head: Head = serde_json::from_str(lines.next().unwrap_or_default())
            .map_err(|_| bad("it is no recording".into()))?;
        if head.format != FORMAT {
            return Err(bad(format!("a recording of form {}, {FORMAT} is known", head.format)));
        }
        let sample =
            |(n, line)| serde_json::from_str(line).map_err(|e| bad(format!("line {}: {e}", n + 2_usize)));
        let samples: Vec<Sample> = lines.enumerate().map(sample).collect::<Result<_, _>>()?;
        if samples.is_empty() {
            return Err(bad("nothing was recorded in it".into()));
        }
        Ok(Recording { head, samples })
    }

    /// Whether anything was asked in it.
    pub(crate) fn asks(&self) -> bool {
        self.samples.iter().any(|sample| !sample.probes.is_empty())
    }

    /// Reads one that others are compared with.
    pub(crate) fn baseline(path: &Path) -> Result<Self, Error> {
        let recording = Self::read(path)?;
        if recording.head.verdict != "pass" {
            return Err(Error::Usage {
                problem: format!("{}: it was not well itself ({})", path.display(), recording.head.verdict),
                hint: "record one while all is well".into(),
            });
        }
        Ok(recording)
    }

    /// Writes it whole, or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let line = |value: serde_json::Result<String>| {
            value.map_err(|e| Error::file(path, &std::io::Error::other(e)))
        };
        let mut text = line(serde_json::to_string(&self.head))?;
        for sample in &self.samples {
            text.push('\n');
            text.push_str(&line(serde_json::to_string(sample))?);
        }
        text.push('\n');
        if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            atomic_file::make_dir(directory)?;
        }
        atomic_file::write(path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_no_recording_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("baseline");
        let recording = Recording {
            head: Head::new("2026-01-01T00:00:00Z".into(), 10.0),
            samples: vec![Sample { at_ms: 1000, ..Sample::default() }],
        };
        recording.write(&path).unwrap();
        assert_eq!(Recording::read(&path).unwrap(), recording);
        assert!(Recording::baseline(&path).is_err(), "it is not known to have been well");
        for bad in [
            "",
            "{}",
            "x",
            r#"{"format":2,"begun":"","rate":1,"verdict":""}"#,
            r#"{"format":1,"begun":"","rate":1,"verdict":"pass"}"#,
        ] {
            std::fs::write(&path, bad).unwrap();
            assert!(Recording::read(&path).is_err(), "{bad}");
        }
        assert!(Recording::read(&dir.path().join("none")).is_err());
    }
}
