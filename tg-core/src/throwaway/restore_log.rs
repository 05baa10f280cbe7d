//! What pg_restore says when it fails: which object, why, and whether the backup is to blame.

use crate::backup::Error;
use crate::process;

/// Words of a server or a machine that is in trouble: they say nothing about the backup.
const NOT_THE_BACKUP: [&str; 9] = [
    "No space left on device",
    "out of memory",
    "Cannot allocate memory",
    "server closed the connection",
    "terminating connection",
    "could not connect",
    "connection to server",
    "the database system is",
    "Input/output error",
];
const ERROR: &str = "pg_restore: error: ";
const ENTRY: &str = "from TOC entry ";
const STATEMENT: &str = "Command was: ";
/// How much of a statement names an object that is not named otherwise.
const LONGEST_STATEMENT: usize = 200;

/// The error of a restore that failed, with what pg_restore wrote. `contents` is the table of contents of what it restored,
/// and `roles` may own what is in it.
pub(super) fn judge(code: i64, text: &str, contents: Option<&str>, roles: &[String]) -> Error {
    // Objects may have any name, so only what is said about the failure counts.
    let said = failure(text);
    // 128 and more: killed from outside.
    if code > 128 || NOT_THE_BACKUP.iter().any(|words| said.contains(words)) {
        let problem = process::tail(text);
        return Error::Throwaway { step: "pg_restore".into(), code, problem };
    }
    let problem = problem(text).unwrap_or_else(|| format!("pg_restore ended with {code}"));
    Error::NotRestorable { object: object(text, contents, roles), problem }
}

/// What was said before the first error, and from it on.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    let begins = |line: &&str| {
        let found = line.starts_with(ERROR);
        at += if found { 0 } else { line.len() };
        found
    };
    text.split_inclusive('\n').find(begins)?;
    Some(text.split_at(at))
}

/// From the first error on.
fn failure(text: &str) -> &str {
    split(text).map_or(text, |(_, failure)| failure)
}

pub(super) fn problem(text: &str) -> Option<String> {
    Some(split(text)?.1.lines().next()?.strip_prefix(ERROR)?.trim().to_owned())
}

/// The entry that is named last before the first error; what it restores beside others it tells in between. Else the table
/// whose rows could not be copied, else the statement.
pub(super) fn object(text: &str, contents: Option<&str>, roles: &[String]) -> Option<String> {
    let (before, _) = split(text)?;
    let entry = before.lines().rev().find_map(|line| Some(line.split_once(ENTRY)?.1.trim()));
    entry
        .map(|entry| told(contents.and_then(|all| listed(entry, all)).unwrap_or(entry), 3, roles))
        .or_else(|| copied(&problem(text)?))
        .or_else(|| statement(text))
}

/// The same entry in the table of contents, which tells its schema too.
fn listed<'c>(entry: &str, contents: &'c str) -> Option<&'c str> {
    let (number, _) = entry.split_once(' ')?;
    contents.lines().find(|line| line.strip_prefix(number).is_some_and(|rest| rest.starts_with(' ')))
}

/// `TABLE public places` of `225; 1259 16403 TABLE public places owner`: what comes after so many words, without the owner.
fn told(entry: &str, skipped: usize, roles: &[String]) -> String {
    let rest = entry.splitn(skipped + 1, ' ').nth(skipped).unwrap_or(entry);
    let owner = roles.iter().filter_map(|role| rest.strip_suffix(role.as_str())?.strip_suffix(' '));
    // The longest name that fits.
    let known = { owner }.min_by_key(|rest| rest.len());
    known.or_else(|| Some(rest.rsplit_once(' ')?.0)).unwrap_or(rest).trim_end().to_owned()
}

/// A worker tells no entry, but the table whose rows it could not bring back.
fn copied(problem: &str) -> Option<String> {
    let rest = problem.strip_prefix("COPY failed for table \"")?;
    Some(format!("TABLE DATA {}", rest.split_once("\": ")?.0))
}

fn statement(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(STATEMENT))?;
    Some(line.trim().chars().take(LONGEST_STATEMENT).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a worker of two writes it on 15, 17 and 18 with `--verbose`.
    const WORKER: &str = "pg_restore: launching item 3206 INDEX t we;ird\n\
        pg_restore: creating INDEX \"public.t we;ird\"\n\
        pg_restore: finished item 3209 INDEX t_v\n\
        pg_restore: while PROCESSING TOC:\n\
        pg_restore: from TOC entry 3206; 1259 16437 INDEX t we;ird ro le\n\
        pg_restore: creating INDEX \"public.t_v\"\n\
        pg_restore: error: could not execute query: ERROR:  function f(text) does not exist\n\
        Command was: CREATE INDEX \"t we;ird\" ON public.t USING btree (public.f(v));\n\n\n\
        pg_restore: error: a worker process died unexpectedly\n";

    fn judged(text: &str, contents: Option<&str>) -> (Option<String>, String) {
        match judge(1, text, contents, &["le".into(), "ro le".into()]) {
            Error::NotRestorable { object, problem } => (object, problem),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_object_and_the_reason_are_taken_from_what_pg_restore_says() {
        let (object, problem) = judged(WORKER, None);
        assert_eq!(object.as_deref(), Some("INDEX t we;ird"));
        assert_eq!(problem, "could not execute query: ERROR:  function f(text) does not exist");
        // With its schema, where the table of contents is there.
        let contents = ";\n320; 0 0 INDEX s other ro le\n3206; 1259 16437 INDEX public t we;ird ro le\n";
        assert_eq!(judged(WORKER, Some(contents)).0.as_deref(), Some("INDEX public t we;ird"));
    }

    #[test]
    fn a_statement_names_its_object_where_nothing_else_does() {
        let text = "pg_restore: error: could not execute query: ERROR:  x\nCommand was: REFRESH MATERIALIZED VIEW public.mv;\n";
        let (object, _) = judged(text, None);
        assert_eq!(object.as_deref(), Some("REFRESH MATERIALIZED VIEW public.mv;"));
    }

    #[test]
    fn a_worker_s_table_is_named_too() {
        let text = "pg_restore: error: COPY failed for table \"ta \"b\": ERROR:  function f(text) does not exist\nCONTEXT: x";
        assert_eq!(judged(text, None).0.as_deref(), Some("TABLE DATA ta \"b"));
    }

    #[test]
    fn a_server_in_trouble_does_not_condemn_a_backup_and_a_table_of_that_name_is_no_trouble() {
        let full = "pg_restore: error: COPY failed for table \"t\": ERROR:  could not extend file: No space left on device";
        let judge = |code, text| judge(code, text, None, &[]);
        assert!(matches!(judge(1, full), Error::Throwaway { .. }));
        assert!(matches!(judge(137, ""), Error::Throwaway { .. }));
        let named = "pg_restore: creating TABLE \"public.out of memory\"\npg_restore: error: could not read from input file";
        assert!(matches!(judge(1, named), Error::NotRestorable { .. }));
    }
}
