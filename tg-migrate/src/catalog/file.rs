//! A catalog in a file: the lines that `tg-migrate snapshot` printed.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tg_core::Error as CoreError;

use crate::catalog::{Attributes, Catalog, Key};
use crate::error::MigrateError;

#[derive(Deserialize)]
struct Object {
    #[serde(flatten)]
    key: Key,
    attributes: Attributes,
}

/// Reads a snapshot; `-` is stdin. One that was cut or edited is an error.
pub(crate) fn read(path: &Path) -> Result<Catalog, MigrateError> {
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|e| CoreError::file(path, &e))?;
    parse(&text).map_err(|problem| {
        let hint = "make it with: tg-migrate snapshot >FILE".into();
        CoreError::Form { path: path.to_owned(), problem, hint }.into()
    })
}

fn parse(text: &str) -> Result<Catalog, String> {
    let (mut objects, mut end) = (Vec::new(), None);
    for (number, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).map_err(|e| format!("line {}: {e}", number + 1))?;
        let data = &line["data"];
        match line["type"].as_str() {
            Some("record") if data["kind"] == "object" => {
                let object = Object::deserialize(data).map_err(|e| format!("line {}: {e}", number + 1))?;
                objects.push((object.key, object.attributes));
            }
            Some("result") => end = Some(data.clone()),
            _ => {}
        }
    }
    let end = end.filter(|data| data["hash"].is_string());
    let end = end.ok_or("it has no end: the snapshot failed, or the file was cut")?;
    if !end["hash_here"].is_string() {
        return Err("it was made by an older version of tg-migrate, which left kinds of objects out".into());
    }
    let all: Catalog = objects.into_iter().collect();
    if end["hash_here"] != all.hash_here() || end["hash"] != all.hash() {
        return Err("it does not match its own hash".into());
    }
    Ok(Catalog { origin: end["origin"].as_str().map(str::to_owned), ..all })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Kind, data};
    use serde_json::json;

    fn snapshot() -> (Catalog, Vec<String>) {
        let key = |name: &str| Key {
            object: Kind::Column,
            schema: "s".into(),
            relation: Some("t".into()),
            name: name.into(),
        };
        let attributes = json!({"type": "text", "default": null, "here": {"attndims": 0}});
        let catalog: Catalog = ["a", "b"].map(|name| (key(name), attributes.clone())).into_iter().collect();
        let record = |(key, attributes)| json!({"type": "record", "data": data(key, attributes)}).to_string();
        let mut lines: Vec<String> = catalog.iter().map(record).collect();
        let end = json!({"hash": catalog.hash(), "hash_here": catalog.hash_here(), "origin": "s/1"});
        lines.push(json!({"type": "result", "data": end}).to_string());
        (Catalog { origin: Some("s/1".into()), ..catalog }, lines)
    }

    #[test]
    fn what_was_printed_is_read_again_and_what_was_cut_or_edited_is_not() {
        let (catalog, lines) = snapshot();
        let read = parse(&lines.join("\n")).unwrap();
        assert!(read.is_as(&catalog) && read.has_origin_of(&catalog));
        assert!(parse(&lines[..2].join("\n")).unwrap_err().starts_with("it has no end"));
        assert!(parse(&lines[1..].join("\n")).unwrap_err().starts_with("it does not match"));
        assert!(
            parse(&lines.join("\n").replace("\"text\"", "\"int\""))
                .unwrap_err()
                .starts_with("it does not match")
        );
        let edited = lines.join("\n").replace("\"attndims\":0", "\"attndims\":1");
        assert!(parse(&edited).unwrap_err().starts_with("it does not match"));
        let older = lines.join("\n").replace("hash_here", "x");
        assert!(parse(&older).unwrap_err().starts_with("it was made by an older version"));
        assert!(parse("x").unwrap_err().starts_with("line 1"));
    }
}
