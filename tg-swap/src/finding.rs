//! What speaks against a move, or should be known before it.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::cli::Accept;
use crate::error::SwapError;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The move is refused until this is accepted by name.
    Unsafe,
    /// It may hurt.
    Warning,
    /// It is good to know.
    Info,
}

impl Severity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Severity::Unsafe => "unsafe",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// Stable kebab-case name.
    pub code: String,
    pub severity: Severity,
    /// The service that it is about; none where it is about the whole move.
    pub service: Option<String>,
    pub msg: String,
    /// What a person can do about it.
    pub cure: String,
    /// More facts for machines.
    pub facts: Value,
    /// The word that lets an unsafe one through; its name is the code.
    pub needs: Option<Accept>,
}

impl Finding {
    /// A finding that stops the move until it is accepted.
    pub(crate) fn unsafe_until(word: Accept, msg: String, cure: &str) -> Self {
        Finding { needs: Some(word), ..Self::new(&word.name(), Severity::Unsafe, msg, cure) }
    }

    /// A finding that may hurt.
    pub(crate) fn warning(code: &str, msg: String, cure: &str) -> Self {
        Self::new(code, Severity::Warning, msg, cure)
    }

    /// A finding that is good to know.
    pub(crate) fn info(code: &str, msg: String, cure: &str) -> Self {
        Self::new(code, Severity::Info, msg, cure)
    }

    fn new(code: &str, severity: Severity, msg: String, cure: &str) -> Self {
        let (code, cure) = (code.to_owned(), cure.to_owned());
        Finding { code, severity, service: None, msg, cure, facts: Value::Null, needs: None }
    }

    /// The same finding about one service.
    pub(crate) fn of(self, service: &str) -> Self {
        Finding { service: Some(service.to_owned()), ..self }
    }

    /// The same finding with facts for machines.
    pub(crate) fn with(self, facts: Value) -> Self {
        Finding { facts, ..self }
    }

    /// The finding as a row of the answer.
    pub(crate) fn data(&self) -> Value {
        json!({
            "kind": "finding", "code": self.code, "severity": self.severity.word(), "service": self.service,
            "msg": self.msg, "cure": self.cure, "needs": self.needs.map(Accept::name), "facts": self.facts,
        })
    }

    /// The finding for people: its cure stands below it.
    pub(crate) fn text(&self) -> String {
        let service = self.service.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        let head = format!("{:<7} {}", self.severity.word(), self.code);
        format!("{head}: {service}{}\n        cure: {}", self.msg, self.cure)
    }
}

impl Accept {
    /// The word as it is typed.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Refuses the move while anything unsafe has not been accepted by name.
pub(crate) fn refuse(findings: &[Finding], accepted: &[Accept]) -> Result<(), SwapError> {
    let mut needs: Vec<Accept> = Vec::new();
    for word in findings.iter().filter_map(|finding| finding.needs) {
        if !needs.contains(&word) {
            needs.push(word);
        }
    }
    let missing: Vec<Accept> = needs.iter().copied().filter(|word| !accepted.contains(word)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let open = |finding: &&Finding| finding.needs.is_some_and(|word| missing.contains(&word));
    let reasons = findings.iter().filter(open).map(reason).collect();
    Err(SwapError::NotAccepted { needs, missing, reasons })
}

fn reason(finding: &Finding) -> String {
    finding.service.as_ref().map_or_else(|| finding.msg.clone(), |name| format!("{name}: {}", finding.msg))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tg_core::{Exit, Fault};

    fn findings() -> Vec<Finding> {
        vec![
            Finding::unsafe_until(Accept::Major, "a new major version".into(), "read"),
            Finding::unsafe_until(Accept::ContainerName, "it has a fixed name".into(), "drop it").of("api"),
            Finding::unsafe_until(Accept::ContainerName, "it has a fixed name".into(), "drop it").of("web"),
            Finding::warning("memory", "little".into(), "buy"),
        ]
    }

    #[test]
    fn all_that_must_be_accepted_is_named_at_once() {
        let error = refuse(&findings(), &[]).unwrap_err();
        assert_eq!(error.exit(), Exit::Refused);
        assert_eq!(error.summary().unwrap()["needs"], json!(["major", "container-name"]));
        let hint = error.hint().unwrap();
        assert!(hint.ends_with(" --accept major --accept container-name"), "{hint}");
        assert!(error.to_string().contains("web: it has a fixed name"), "{error}");
    }

    #[test]
    fn what_was_accepted_is_asked_no_more_and_a_wrong_word_is_no_answer() {
        let error = refuse(&findings(), &[Accept::Major, Accept::Downgrade]).unwrap_err();
        assert!(error.hint().unwrap().ends_with(" --accept container-name"));
        assert!(!error.to_string().contains("major"), "{error}");
        assert!(refuse(&findings(), &[Accept::Major, Accept::ContainerName]).is_ok());
    }

    #[test]
    fn warnings_refuse_nothing() {
        assert!(refuse(&findings()[3..], &[]).is_ok());
    }

    #[test]
    fn an_unsafe_finding_has_the_name_of_the_word_that_accepts_it() {
        for word in Accept::value_variants() {
            let data = Finding::unsafe_until(*word, "m".into(), "c").data();
            assert_eq!(data["code"], data["needs"]);
        }
    }
}
