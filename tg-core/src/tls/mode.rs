//! `sslmode`.

/// `sslmode`, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Mode {
    const ALL: [Mode; 6] =
        [Mode::Disable, Mode::Allow, Mode::Prefer, Mode::Require, Mode::VerifyCa, Mode::VerifyFull];

    pub(super) fn word(self) -> &'static str {
        match self {
            Mode::Disable => "disable",
            Mode::Allow => "allow",
            Mode::Prefer => "prefer",
            Mode::Require => "require",
            Mode::VerifyCa => "verify-ca",
            Mode::VerifyFull => "verify-full",
        }
    }
}

pub(super) fn mode(text: &str) -> Result<Mode, String> {
    // node-postgres' word for what libpq calls so.
    let text = if text == "no-verify" { "require" } else { text };
    Mode::ALL
        .into_iter()
        .find(|mode| mode.word() == text)
        .ok_or_else(|| format!("sslmode {text}; one of {}", Mode::ALL.map(Mode::word).join(", ")))
}
