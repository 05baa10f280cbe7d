//! How the flags want an HTTP target to be asked.

use tg_core::Error;
use tg_core::health::{self, Manners};
use tg_core::redact::Redactor;

use crate::cli::Http;
use crate::target::Target;

/// Headers whose values are secrets.
const SECRET: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// Reads headers and certificates.
pub(crate) fn manners(http: &Http, redactor: &Redactor) -> Result<Manners, Error> {
    let mut headers = Vec::new();
    for given in &http.header {
        let wrong = |problem: String| Error::Usage {
            problem: format!("--header: {problem}"),
            hint: "write it as --header 'Name: value', or one a line in a file and --header @FILE".into(),
        };
        let Some(file) = given.strip_prefix('@') else {
            let (name, value) = health::header(given).map_err(wrong)?;
            if SECRET.contains(&name.as_str()) {
                return Err(Error::Usage {
                    problem: format!("--header: the value of {name} would stand in the process list"),
                    hint: "use --token-file, or write the line into a file and name it as --header @FILE"
                        .into(),
                });
            }
            headers.push((name, value));
            continue;
        };
        if http.max_redirects > 0 {
            return Err(Error::Usage {
                problem: "--header @FILE: a redirect would carry its secrets to another place".into(),
                hint: "leave --max-redirects out and name the place where it ends".into(),
            });
        }
        let text = std::fs::read_to_string(file).map_err(|e| wrong(format!("{file}: {e}")))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            // Neither the line nor what is wrong with it is repeated: it may be a secret.
            let (name, value) =
                health::header(line).map_err(|_| wrong(format!("{file}: a line is no header")))?;
            redactor.learn(value.to_str().unwrap_or_default());
            headers.push((name, value));
        }
    }
    let roots = |path: &std::path::PathBuf| {
        health::roots(path).map_err(|problem| Error::Usage {
            problem: format!("--ca {}: {problem}", path.display()),
            hint: "name a file with certificates in PEM".into(),
        })
    };
    Ok(Manners {
        headers,
        roots: http.ca.as_ref().map(roots).transpose()?,
        resolve: http.resolve.clone(),
        redirects: http.max_redirects,
    })
}

/// Refuses what would be ignored where nothing is asked over HTTP.
pub(crate) fn must_be_asked(http: &Http, targets: &[Target]) -> Result<(), Error> {
    let given = [
        ("--expect-version", http.expect_version.is_some()),
        ("--expect-status", !http.expect_status.is_empty()),
        ("--expect-json", !http.expect_json.is_empty()),
        ("--expect-body", http.expect_body.is_some()),
        ("--token-file", http.token_file.is_some()),
        ("--header", !http.header.is_empty()),
        ("--ca", http.ca.is_some()),
        ("--resolve", !http.resolve.is_empty()),
        ("--max-redirects", http.max_redirects > 0),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) if !targets.iter().any(Target::is_http) => Err(Error::Usage {
            problem: format!("{flag} is about http:// and https:// targets, and none is named"),
            hint: "leave it out, or name one".into(),
        }),
        _ => Ok(()),
    }
}
