use super::*;
use crate::backup::crypt::Identities;
use std::os::unix::fs::PermissionsExt;

/// An archive as an engine makes it.
fn archive(files: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, content) in files {
        let mut header = tar::Header::new_gnu();
        // A path that leads elsewhere is refused by the builder, not by an archive.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

const DIRECTORY: tar::EntryType = tar::EntryType::Directory;
const FILE: tar::EntryType = tar::EntryType::Regular;

fn read(identities: &Identities, root: &Path, name: &str) -> Vec<u8> {
    let (tree, path) = (Tree::open(root).unwrap(), Relative::parse(name).unwrap());
    let mut content = Vec::new();
    identities.reader(&tree, &path).unwrap().read_to_end(&mut content).unwrap();
    content
}

fn names(root: &Path) -> Vec<PathBuf> {
    let mut all = files::below(root).unwrap().0;
    all.sort();
    all.into_iter().map(|path| path.strip_prefix(root).unwrap().to_owned()).collect()
}

fn recipients() -> (Recipients, Identities) {
    let mut recipients = Recipients::none();
    let identities = recipients.with_ephemeral();
    (recipients, identities)
}

#[test]
fn every_file_of_an_archive_is_written_encrypted_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (recipients, identities) = recipients();
    let content: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let bytes = archive(&[
        ("backup/", DIRECTORY, b""),
        ("backup/contents.txt", FILE, b"1; 0 0 TABLE"),
        ("backup/data/", DIRECTORY, b""),
        ("backup/data/1.dat", FILE, &content),
        ("backup/data/2.dat", FILE, b""),
    ]);
    let output = Output::open(dir.path(), Some(&recipients)).unwrap();
    let written = output.unpack(bytes.as_slice(), ("backup", 3), &["contents.txt"]).unwrap();
    let there = ["contents.txt.age", "data/1.dat.age", "data/2.dat.age"];
    assert_eq!(names(dir.path()), there.map(PathBuf::from));
    assert_eq!(read(&identities, dir.path(), there[1]), content);
    assert_eq!(read(&identities, dir.path(), there[0]), b"1; 0 0 TABLE");
    assert!(
        there
            .iter()
            .all(|name| { dir.path().join(name).metadata().unwrap().permissions().mode() & 0o777 == 0o600 })
    );
    assert_eq!(written.text("contents.txt").unwrap(), "1; 0 0 TABLE");
    assert!(written.text("data/1.dat").is_err(), "it was not to be kept");
    let bytes = ["data/1.dat", "data/2.dat", "data/3.dat"].map(|name| written.bytes(name));
    assert_eq!(bytes, [Some(300_000), Some(0), None]);
    written.remove("contents.txt").unwrap();
    assert_eq!(names(dir.path()), [there[1], there[2]].map(PathBuf::from));
}

#[test]
fn an_archive_that_was_cut_anywhere_is_an_error() {
    let (recipients, _) = recipients();
    // Its content looks like an archive's end.
    let bytes = archive(&[("backup/1.dat", FILE, b"row"), ("backup/2.dat", FILE, &[0; 2048])]);
    let unpacked = |length: usize| {
        let dir = tempfile::tempdir().unwrap();
        let output = Output::open(dir.path(), Some(&recipients)).unwrap();
        output.unpack(&bytes[..length], ("backup", 2), &[]).map(drop)
    };
    unpacked(bytes.len()).unwrap();
    for length in (0..bytes.len()).step_by(256).chain([1, 513, bytes.len() - 1]) {
        assert!(unpacked(length).is_err(), "{length} of {}", bytes.len());
    }
}

#[test]
fn an_archive_with_fewer_files_than_there_are_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (recipients, _) = recipients();
    let output = Output::open(dir.path(), Some(&recipients)).unwrap();
    let bytes = archive(&[("backup/1.dat", FILE, b"row")]);
    let error = output.unpack(bytes.as_slice(), ("backup", 2), &[]).err().unwrap();
    assert!(error.to_string().ends_with("it has 1 of 2 files"), "{error}");
}

#[test]
fn a_path_that_leads_elsewhere_and_a_link_are_refused() {
    let (recipients, _) = recipients();
    for (path, kind) in [
        ("backup/../x", FILE),
        ("backup", FILE),
        ("backup//x", FILE),
        ("backupx", FILE),
        ("/backup/x", FILE),
        ("other/x", FILE),
        ("backup/x", tar::EntryType::Symlink),
        ("backup/x", tar::EntryType::Link),
        ("backup/x", tar::EntryType::Fifo),
    ] {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("partial");
        fs::create_dir(&directory).unwrap();
        let output = Output::open(&directory, Some(&recipients)).unwrap();
        let refused = output.unpack(archive(&[(path, kind, b"")]).as_slice(), ("backup", 1), &[]);
        assert!(refused.is_err(), "{path} {kind:?}");
        assert!(names(root.path()).is_empty(), "{path} {kind:?}");
    }
}

#[test]
fn what_lies_in_a_directory_is_taken_encrypted_as_long_as_somebody_waits() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (recipients, identities) = recipients();
    fs::create_dir(from.path().join("data")).unwrap();
    fs::write(from.path().join("data/1.dat"), "a row").unwrap();
    let output = Output::open(to.path(), Some(&recipients)).unwrap();
    assert!(output.take(from.path(), &[], &|| true).is_err());
    fs::remove_dir_all(to.path().join("data")).unwrap();
    let written = output.take(from.path(), &["data/1.dat"], &|| false).unwrap();
    assert_eq!((written.bytes("data/1.dat"), written.text("data/1.dat").unwrap()), (Some(5), "a row".into()));
    assert_eq!(names(to.path()), [PathBuf::from("data/1.dat.age")]);
    assert_eq!(read(&identities, to.path(), "data/1.dat.age"), b"a row");
}

#[test]
fn what_is_not_encrypted_lies_there_under_its_own_name() {
    let dir = tempfile::tempdir().unwrap();
    let output = Output::open(dir.path(), None).unwrap();
    output.write(&Relative::parse("data/info.json").unwrap(), &mut b"{}".as_slice()).unwrap();
    let written = output.plain();
    assert_eq!(
        (written.bytes("data/info.json"), written.text("data/info.json").unwrap()),
        (Some(2), "{}".into())
    );
    written.remove("data/info.json").unwrap();
    assert_eq!(written.bytes("data/info.json"), None);
}
