//! Rules for kinds and attributes that have none of their own. Only what surely does not reach old code is compatible.

use crate::compat::{Use, Verdict};

/// Attributes of any kind of object: by what PostgreSQL's catalogs call them.
pub(super) fn attribute(name: &str) -> Option<Verdict> {
    Some(match name {
        "comment" | "comments" => Verdict::compatible("a comment is no code"),
        "attstattarget" | "stxstattarget" | "statistics" => {
            Verdict::compatible("another part of the rows is sampled")
        }
        "attstorage" | "attcompression" | "reltablespace" | "dattablespace" | "indisclustered" => {
            Verdict::compatible("the same values are kept in another way")
        }
        "granted_by" => Verdict::compatible("somebody else has given the same right"),
        "attndims" | "attislocal" | "attinhcount" | "conislocal" | "coninhcount" => {
            Verdict::compatible("it follows from something else that is told")
        }
        "grants" => Verdict::risky("who had rights on it may be refused"),
        "revoked" => Verdict::risky("who had rights on it by itself may be refused"),
        "owner" => Verdict::risky("who owned it may have had rights by that"),
        "order" => Verdict::risky("SELECT * and INSERT without names find another order of columns"),
        "security_labels" | "goes_with" | "members" | "digest" | "tables" => {
            Verdict::risky("what its extension makes of that is not known")
        }
        _ => return None,
    })
}

pub(super) fn added(kind: &str) -> Verdict {
    match kind {
        "access method"
        | "collation"
        | "conversion"
        | "foreign-data wrapper"
        | "language"
        | "large objects"
        | "role"
        | "server"
        | "subscription"
        | "tablespace"
        | "text search configuration"
        | "text search dictionary"
        | "text search parser"
        | "text search template"
        | "transform"
        | "type"
        | "user mapping" => Verdict::compatible("old code does not know of it"),
        "publication" | "publication relation" | "publication namespace" => Verdict::risky(
            "a table without a replica identity takes no updates and deletes while it is published",
        ),
        "cast"
        | "operator"
        | "operator class"
        | "operator family"
        | "operator of access method"
        | "function of access method" => {
            Verdict::risky("an expression of old code may be read as another one")
        }
        "event trigger" => Verdict::risky("commands of old code may do more, or be refused"),
        "domain constraint" => Verdict::compatible("it is told with its domain"),
        "default acl" => Verdict::risky("what is made from now on has other rights"),
        "setting" | "role setting" => Verdict::risky("sessions of old code begin with another value"),
        _ => unknown(),
    }
}

pub(super) fn removed(kind: &str) -> Verdict {
    match kind {
        "access method"
        | "cast"
        | "collation"
        | "language"
        | "operator"
        | "operator class"
        | "operator family"
        | "server"
        | "text search configuration"
        | "text search dictionary"
        | "text search parser"
        | "text search template"
        | "type"
        | "role"
        | "user mapping" => Verdict::breaking(Use::Name, "old code that uses it fails"),
        "domain constraint" => Verdict::compatible("it is told with its domain"),
        "comments" => Verdict::compatible("a comment is no code"),
        _ => added_or_unknown(kind),
    }
}

pub(super) fn changed(kind: &str) -> Verdict {
    match kind {
        "large objects" => Verdict::risky("old code may not find or not read what it has kept"),
        _ => added_or_unknown(kind),
    }
}

/// What is risky when it comes is so when it goes or changes.
fn added_or_unknown(kind: &str) -> Verdict {
    let verdict = added(kind);
    if verdict.class == crate::compat::Class::Compatible { unknown() } else { verdict }
}

fn unknown() -> Verdict {
    Verdict::risky("what it means to old code is not known")
}
