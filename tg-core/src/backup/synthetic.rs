//! A backup without a database, for tests.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a helper of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::backup::digest;
use crate::backup::facts::{LargeObjects, Table};
use crate::backup::manifest::{Image, VERSION};
use crate::backup::{Database, Manifest, Method};

/// A backup as `create` leaves it, without a database.
#[must_use]
pub fn synthetic(root: &Path) -> (Manifest, PathBuf) {
    let directory = root.join("20261123T074500Z-x-abcdef");
    fs::create_dir_all(directory.join("data")).unwrap();
    for (name, content) in [("toc.dat", "PGDMP…"), ("1.dat.zst", "one row\n"), ("2.dat.zst", "two row\n")] {
        fs::write(directory.join("data").join(name), content).unwrap();
    }
    let files = digest::seal(&directory).unwrap();
    let mut manifest = Manifest {
        v: VERSION,
        id: "20261123T074500Z-x-abcdef".into(),
        run: "r".into(),
        created: "2026-11-23T07:45:00Z".into(),
        tool_version: "0".into(),
        database: Database { name: "x".into(), ..Database::default() },
        image: Some(Image { id: "sha256:0".into(), ..Image::default() }),
        method: Method::Dump,
        physical: None,
        format: "directory".into(),
        compression: "zstd:1".into(),
        snapshot: "7:7:".into(),
        since_xid: 7,
        tables: vec![Table {
            schema: "we ird".into(),
            name: "Tä\"ble".into(),
            rows: Some(2),
            ..Table::default()
        }],
        sequences: vec![],
        extensions: vec![],
        large_objects: LargeObjects::default(),
        views: vec![],
        roles: vec![],
        jobs: 1,
        recipients: vec![],
        files,
        duration_ms: 1,
        hash: String::new(),
    };
    manifest.write(&directory).unwrap();
    (manifest, directory)
}
