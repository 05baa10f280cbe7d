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

/// The error of a restore that failed, with what pg_restore wrote.
pub(super) fn judge(code: i64, text: &str) -> Error {
    // 128 and more: killed from outside.
    if code > 128 || NOT_THE_BACKUP.iter().any(|words| text.contains(words)) {
        let problem = process::tail(text);
        return Error::Throwaway { step: "pg_restore".into(), code, problem };
    }
    let line = |head: &str| text.lines().find_map(|line| Some(line.split_once(head)?.1.trim().to_owned()));
    let problem = line("error: ").unwrap_or_else(|| format!("pg_restore ended with {code}"));
    let object = line("from TOC entry ").map(|entry| object(&entry)).or_else(|| copied(&problem));
    Error::NotRestorable { object, problem }
}

/// A worker tells no entry, but the table whose rows it could not bring back.
fn copied(problem: &str) -> Option<String> {
    let rest = problem.strip_prefix("COPY failed for table \"")?;
    Some(format!("TABLE DATA {}", rest.split_once("\": ")?.0))
}

/// `TABLE public places` of `225; 1259 16403 TABLE public places owner`.
fn object(entry: &str) -> String {
    let words: Vec<&str> = entry.split(' ').collect();
    let known = words.len() > 4 && words[0].ends_with(';');
    if known { words[3..words.len() - 1].join(" ") } else { entry.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_and_the_reason_are_taken_from_what_pg_restore_says() {
        let text = "pg_restore: while PROCESSING TOC:\n\
            pg_restore: from TOC entry 225; 1259 16403 INDEX public places_idx owner\n\
            pg_restore: error: could not execute query: ERROR:  function f(text) does not exist\nCommand was: CREATE";
        match judge(1, text) {
            Error::NotRestorable { object, problem } => {
                assert_eq!(object.as_deref(), Some("INDEX public places_idx"));
                assert_eq!(problem, "could not execute query: ERROR:  function f(text) does not exist");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_worker_s_table_is_named_too() {
        let text = "pg_restore: error: COPY failed for table \"ta \"b\": ERROR:  function f(text) does not exist\nCONTEXT: x";
        match judge(1, text) {
            Error::NotRestorable { object, .. } => assert_eq!(object.as_deref(), Some("TABLE DATA ta \"b")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_server_in_trouble_does_not_condemn_a_backup() {
        let full = "pg_restore: error: COPY failed for table \"t\": ERROR:  could not extend file: No space left on device";
        assert!(matches!(judge(1, full), Error::Throwaway { .. }));
        assert!(matches!(judge(137, ""), Error::Throwaway { .. }));
        assert!(matches!(
            judge(1, "pg_restore: error: could not read from input file"),
            Error::NotRestorable { .. }
        ));
    }
}
