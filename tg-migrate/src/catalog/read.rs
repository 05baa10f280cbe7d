//! Reads a catalog from a server: what the rules about old code know, and every other row of every system catalog that describes the
//! database, as one query, which is written for the catalogs that this server has.

use std::collections::{BTreeMap, HashMap};

use postgres::Row;
use serde_json::{Map, Value};
use tg_core::database::Client;

use crate::catalog::{Attributes, Catalog, HERE, Key};
use crate::error::MigrateError;

const OBJECTS: &str = include_str!("../sql/catalog.sql");
const PARTS: &str = include_str!("../sql/catalog_parts.sql");
const CLASSES: &str = include_str!("../sql/catalog_classes.sql");
const REFERENCES: &str = include_str!("../sql/catalog_references.sql");
const REFERENCES_13: &str = include_str!("../sql/catalog_references_13.sql");
/// The first version that knows by itself what its catalogs refer to.
const KNOWS_REFERENCES: i32 = 140_000;
const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::int";
/// Two databases on one server have one system and two identifiers.
const ORIGIN: &str = "SELECT pg_catalog.format('%s/%s', c.system_identifier, d.oid) FROM pg_catalog.pg_control_system() AS c, pg_catalog.pg_database AS d \
    WHERE d.datname = pg_catalog.current_database()";
/// How definitions are written depends on these, and they may be set for a role or a database.
const SETTINGS: &str = "SET LOCAL search_path = ''; SET LOCAL jit = off; SET LOCAL quote_all_identifiers = off; SET LOCAL timezone = 'UTC'; \
    SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; \
    SET LOCAL lc_monetary = 'C'; SET LOCAL lc_numeric = 'C'";

/// Catalog, object, column.
type Address = (u32, u32, i32);

/// What one row says: an object, or more about one.
struct Said {
    rank: i32,
    key: Option<Key>,
    address: Option<Address>,
    attributes: Map<String, Value>,
}

pub(super) fn read(client: &mut Client) -> Result<Catalog, MigrateError> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute(SETTINGS)?;
    let version: i32 = transaction.query_one(VERSION, &[])?.get(0);
    let references = if version < KNOWS_REFERENCES { REFERENCES_13 } else { REFERENCES };
    let plan = format!("WITH reference (catalog, attributes, target, several) AS ({references}) {CLASSES}");
    let classes = transaction.query(&plan, &[])?;
    let classes = classes.iter().filter_map(|row| row.get::<_, Option<&str>>(3));
    let query = classes.fold(format!("{OBJECTS}{PARTS}"), |query, class| query + " UNION ALL " + class);
    let rows = transaction.query(&query, &[])?;
    let origin = transaction.query_one(ORIGIN, &[])?.get(0);
    transaction.commit()?;
    let mut said = rows.into_iter().map(|row| said(&row)).collect::<Result<Vec<_>, _>>()?;
    // What names an object comes before what adds to it.
    said.sort_by_key(|said| (said.rank, said.key.is_none()));
    Ok(Catalog { objects: merged(said), origin: Some(origin) })
}

fn said(row: &Row) -> Result<Said, MigrateError> {
    // What was dropped meanwhile, such as another database's tablespace, has a kind and no name any more.
    let (object, name): (Option<String>, Option<String>) = (row.get(1), row.get(4));
    let key = object.zip(name).map(|(object, name)| {
        let schema = row.get::<_, Option<String>>(2).unwrap_or_default();
        Key { object: object.into(), schema, relation: row.get(3), name }
    });
    let class: Option<u32> = row.get(5);
    let address = class.map(|class| (class, row.get(6), row.get(7)));
    let mut attributes = map(row.get(8))?;
    let here = map(row.get(9))?;
    if !here.is_empty() {
        attributes.insert(HERE.into(), Value::Object(here));
    }
    Ok(Said { rank: row.get(0), key, address, attributes })
}

fn map(text: Option<&str>) -> Result<Map<String, Value>, MigrateError> {
    let parsed = serde_json::from_str(text.unwrap_or("{}"));
    parsed.map_err(|error| MigrateError::Catalog(error.to_string()))
}

fn merged(all: Vec<Said>) -> BTreeMap<Key, Attributes> {
    let (mut named, mut known) = (Vec::new(), HashMap::new());
    for Said { key, address, attributes, .. } in all {
        match (address.and_then(|address| known.get(&address).copied()), key) {
            (Some(index), _) => {
                let (_, object): &mut (Key, Attributes) = &mut named[index];
                add(object, attributes);
            }
            (None, Some(key)) => {
                known.extend(address.map(|address| (address, named.len())));
                named.push((key, Value::Object(attributes)));
            }
            // More about what is not told: a member of an extension, another session's temporary table.
            (None, None) => {}
        }
    }
    named.into_iter().collect()
}

fn add(object: &mut Attributes, more: Map<String, Value>) {
    for (name, value) in more {
        match (name.as_str(), value) {
            (HERE, Value::Object(here)) => {
                let there = object[HERE].take();
                let mut all = there.as_object().cloned().unwrap_or_default();
                all.extend(here);
                object[HERE] = Value::Object(all);
            }
            (_, value) => object[name] = value,
        }
    }
}
