//! What a throwaway server takes over from the configuration of the server that was backed up.

use crate::backup::Database;

/// Libraries that are known to start no work of their own on the data.
const QUIET: [&str; 8] = [
    "pg_stat_statements",
    "auto_explain",
    "pgaudit",
    "pg_hint_plan",
    "pg_stat_kcache",
    "pg_wait_sampling",
    "pg_prewarm",
    "plpgsql",
];
/// Background workers of libraries would run the restored database's jobs, and change what is being compared. Without any the
/// server has no parallel workers either.
const NO_WORKERS: &str = "max_worker_processes = 0";

/// Lines of `postgresql.conf`: settings that decide what values mean and what functions return, and libraries with their
/// settings, of which an extension may ask at its creation.
pub(super) fn of(like: &Database) -> Vec<String> {
    let mut lines: Vec<String> =
        like.server_settings.iter().map(|setting| line(&setting.name, &setting.value)).collect();
    lines.push(line("shared_preload_libraries", &like.preload_libraries));
    let mut libraries = like.preload_libraries.split(',').map(|name| name.trim().trim_matches('"'));
    if !libraries.all(|name| name.is_empty() || QUIET.contains(&name)) {
        lines.push(NO_WORKERS.into());
    }
    lines
}

/// The server reads escapes in a quoted value.
fn line(name: &str, value: &str) -> String {
    format!("{name} = '{}'", value.replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::setting::Setting;

    fn like(libraries: &str, settings: &[(&str, &str)]) -> Database {
        let setting = |(name, value): &(&str, &str)| Setting {
            role: None,
            name: (*name).into(),
            value: (*value).into(),
        };
        Database {
            preload_libraries: libraries.into(),
            server_settings: settings.iter().map(setting).collect(),
            ..Database::default()
        }
    }

    #[test]
    fn an_extension_finds_the_settings_of_its_library_and_its_jobs_are_not_run() {
        let lines = of(&like("pg_stat_statements, pg_cron", &[("cron.database_name", "we'ird\\")]));
        assert_eq!(
            lines,
            [
                "cron.database_name = 'we''ird\\\\'",
                "shared_preload_libraries = 'pg_stat_statements, pg_cron'",
                NO_WORKERS
            ]
        );
    }

    #[test]
    fn a_server_whose_libraries_start_nothing_keeps_its_workers() {
        for libraries in ["", "pg_stat_statements", "auto_explain, \"pgaudit\""] {
            assert_eq!(of(&like(libraries, &[])).len(), 1, "{libraries}");
        }
    }
}
