//! What a way back will need, tried while it is not needed yet: a restore that is refused is of no use in the night
//! in which it is wanted.

use std::time::SystemTime;

use serde_json::{Value, json};
use tg_core::backup::database::Database;
use tg_core::bytes::{size, unsigned};
use tg_core::sql::hba_line;
use tg_core::throwaway::jobs;

use crate::context::Context;
use crate::error::Error;
use crate::names::Kind;

const RIGHTS: &str = include_str!("sql/way_back.sql");
const DATA_DIRECTORY: &str = "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'";
/// Sessions of a restore beside its workers: outside, watching, reading.
const SESSIONS: usize = 4;

/// Something that a way back would fail of.
#[derive(Debug, PartialEq)]
pub(crate) struct Obstacle {
    pub code: &'static str,
    pub msg: String,
    pub cure: String,
    /// Whether it stays so until somebody changes something; else it may pass.
    pub lasting: bool,
}

/// Tells of all obstacles as warnings, and answers with those that stay.
pub(crate) fn tell(ctx: &Context, database: &Database) -> Result<Vec<Obstacle>, Error> {
    let mut all = find(ctx, database)?;
    for obstacle in &all {
        let msg = format!("{}; {}", obstacle.msg, obstacle.cure);
        ctx.session.emit.warning(obstacle.code, &msg, data(obstacle))?;
    }
    all.retain(|obstacle| obstacle.lasting);
    Ok(all)
}

/// As part of a record.
pub(crate) fn data(obstacle: &Obstacle) -> Value {
    json!({"problem": obstacle.msg, "cure": obstacle.cure, "lasting": obstacle.lasting})
}

fn find(ctx: &Context, database: &Database) -> Result<Vec<Obstacle>, Error> {
    let (mut all, mut cluster) = (Vec::new(), ctx.cluster()?);
    let row = cluster.client.query_one(RIGHTS, &[&database.name])?;
    let (create, owns, owner): (bool, bool, String) = (row.get(0), row.get(1), row.get(2));
    let user = &ctx.target.user;
    if !create {
        all.push(lasting(
            "way-back-createdb",
            format!("{user} may not create the database that a restore or a rollback point is"),
            format!("ALTER ROLE {} CREATEDB", tg_core::database::ident(user)),
        ));
    }
    if !owns {
        all.push(lasting(
            "way-back-owner",
            format!("{user} does not own {} and may not rename it", database.name),
            format!("GRANT {} TO {}", tg_core::database::ident(&owner), tg_core::database::ident(user)),
        ));
    }
    let needed = jobs() + SESSIONS;
    let free = row.get::<_, i32>(3).min(row.get(4));
    if usize::try_from(free).unwrap_or(0) < needed {
        all.push(Obstacle {
            code: "way-back-connections",
            msg: format!("the server has {free} more sessions for {user}, a restore takes about {needed}"),
            cure: "raise max_connections, or the role's CONNECTION LIMIT".into(),
            lasting: false,
        });
    }
    let address: Option<String> = row.get(5);
    all.extend(entrance(ctx, address.as_deref()));
    all.extend(room(ctx, &mut cluster.client, database));
    Ok(all)
}

fn lasting(code: &'static str, msg: String, cure: String) -> Obstacle {
    Obstacle { code, msg, cure, lasting: true }
}

/// Whether the server lets us into a database of such a name. None of this name is there, which it says to those only
/// whom it has let in.
fn entrance(ctx: &Context, address: Option<&str>) -> Option<Obstacle> {
    let name = Kind::New.name(SystemTime::now(), &ctx.target.name);
    let Err(error) = ctx.target.connect(crate::TOOL, Some(&name)) else { return None };
    let said = error.to_string();
    entrance_from(&said, &name, &ctx.target.user, address)
}

fn entrance_from(said: &str, name: &str, user: &str, address: Option<&str>) -> Option<Obstacle> {
    // invalid_catalog_name
    if said.contains("[3D000]") {
        return None;
    }
    // too_many_connections
    if said.contains("[53300]") {
        let msg = format!("the server has no session left: {said}");
        let cure = "raise max_connections".into();
        return Some(Obstacle { code: "way-back-connections", msg, cure, lasting: false });
    }
    // invalid_authorization_specification, invalid_password
    if said.contains("[28000]") || said.contains("[28P01]") {
        let msg = format!("{user} is let into the live database and would be refused in {name}: {said}");
        let cure = format!("put this line into pg_hba.conf and reload it: {}", hba_line(user, address));
        return Some(lasting("way-back-hba", msg, cure));
    }
    let msg = format!("whether {user} would be let into a restored database can't be told: {said}");
    Some(lasting("way-back-unknown", msg, "connect to the server itself, not to a pooler".into()))
}

/// Room for a second database where the server keeps its data; nothing where we can't look.
fn room(ctx: &Context, client: &mut tg_core::database::Client, database: &Database) -> Option<Obstacle> {
    let container = ctx.target.container.as_ref()?;
    let directory: String = client.query_opt(DATA_DIRECTORY, &[]).ok()??.get(0);
    let (code, text) = ctx.engine().ok()?.exec(&container.id, &["df", "-P", "-k", &directory]).ok()?;
    let free = free(&text).filter(|_| code == 0)?;
    let needed = unsigned(database.size_bytes);
    (free < needed).then(|| Obstacle {
        code: "way-back-room",
        msg: format!(
            "{directory} of the server has {} free, a second {} takes {}",
            size(free),
            database.name,
            size(needed)
        ),
        cure: "free disk space there".into(),
        lasting: true,
    })
}

/// Bytes available, of what `df -P -k` prints.
fn free(text: &str) -> Option<u64> {
    let line = text.lines().nth(1)?;
    line.split_whitespace().nth(3)?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_let_in_hears_that_there_is_no_such_database() {
        let of =
            |said: &str| entrance_from(said, "tg_new_x", "u", Some("10.0.0.7")).map(|o| (o.code, o.lasting));
        assert_eq!(of("database \"tg_new_x\" does not exist [3D000]"), None);
        assert_eq!(of("no pg_hba.conf entry for host … [28000]"), Some(("way-back-hba", true)));
        assert_eq!(of("password authentication failed [28P01]"), Some(("way-back-hba", true)));
        assert_eq!(of("sorry, too many clients already [53300]"), Some(("way-back-connections", false)));
        assert_eq!(of("no such database: tg_new_x [08P01]"), Some(("way-back-unknown", true)), "a pooler");
    }

    #[test]
    fn the_free_room_is_the_fourth_number_of_df() {
        let text =
            "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda 100 60 40 60% /data\n";
        assert_eq!(free(text), Some(40 << 10));
        assert_eq!(free("df: no such file"), None);
    }
}
