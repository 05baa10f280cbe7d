//! What Caddy's process tells of itself where the admin API has no word for it. Whatever can't be
//! told is no: nothing is claimed that was not seen.

use crate::version;
use serde_json::Value;

use super::admin::Admin;

/// Since this version an upstream that was taken out is listed until its last request has ended.
/// caddyserver/caddy#7517
const COUNTS_REMOVED: &str = "2.11.2";

/// Whether upstreams that were taken out are counted. The names of the source files in a stack trace
/// carry the version of the running binary, unless it was built from a checkout.
pub(super) fn counts_removed(admin: &Admin) -> bool {
    let trace = admin.get("/debug/pprof/goroutine?debug=1").map(|answer| answer.body).unwrap_or_default();
    is_recent(&trace)
}

fn is_recent(trace: &str) -> bool {
    let version = trace.split_once("caddyserver/caddy/v2@").and_then(|(_, rest)| rest.split('/').next());
    version.and_then(version::parse) >= version::parse(COUNTS_REMOVED)
}

/// Whether what was changed through the API is found again after a restart: Caddy saves it unless it
/// is told not to, and reads it only with `--resume`.
pub(super) fn resumes(admin: &Admin) -> bool {
    let json = |path: &str| {
        let answer = admin.get(path).ok().filter(|answer| answer.status == 200)?;
        serde_json::from_str::<Value>(&answer.body).ok()
    };
    let (Some(process), Some(settings)) = (json("/debug/vars"), json("/config/admin")) else { return false };
    let words = process["cmdline"].as_array().map_or(&[][..], Vec::as_slice);
    let resumes = words.iter().any(|word| word == "--resume" || word == "--resume=true");
    resumes && settings["config"]["persist"] != false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stands_in_the_names_of_the_source_files() {
        let of = |version: &str| {
            format!("#\t0x1\tcaddy/v2.adminHandler\t\tgithub.com/caddyserver/caddy/v2{version}/admin.go:823")
        };
        assert!(is_recent(&of("@v2.11.2")) && is_recent(&of("@v2.11.7")) && is_recent(&of("@v3.0.0")));
        assert!(!is_recent(&of("@v2.11.1")) && !is_recent(&of("@v2.6.2")) && !is_recent(&of("")));
    }
}
