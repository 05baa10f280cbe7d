//! Plain commands for whoever has the files and not these tools.

use std::fmt::Write as _;

use tg_core::backup::Method;

use crate::publish::Facts;

const DUMP: &str = include_str!("recovery.md");
const SERVER: &str = include_str!("recovery-server.md");
const REPOSITORY: &str = include_str!("recovery-pgbackrest.md");
/// A step more, where files are encrypted.
const DECRYPT: &str = r#"   The files are encrypted with age (https://age-encryption.org). With the identity of one of the
   recipients in the manifest:

       find . -name '*.age' -exec sh -c 'age -d -i "$0" -o "${1%.age}" "$1"' KEYFILE {} \;

"#;
/// Where an extension is bound to the name.
const NAMED: &str = "   Extension {extensions} may refuse a database of another name than {database}: if it does, stop the application,\n   \
    rename the live database, and write {database} in the place of \"recovered\" everywhere.\n\n";
/// The name in the commands: the live one may still be there.
const RECOVERED: &str = "recovered";
/// What tar has to do for one copy of the files. The shell's line stays short enough to read.
const UNPACK: [&str; 4] = [
    "mkdir -p -m 700 \"$TO\"",
    "cat data/base.tar.zst | zstd -d | tar -x -C \"$TO\"",
    "mkdir -p \"$TO/pg_wal\" && tar -x -f data/pg_wal.tar -C \"$TO/pg_wal\"",
    "cp data/backup_manifest \"$TO/\"",
];

/// The text for a backup of this method.
pub(crate) fn text(facts: &Facts, created: &str) -> String {
    let database = &facts.database;
    let decrypt = if facts.recipients.is_empty() { "" } else { DECRYPT };
    let common = [
        ("{decrypt}", decrypt),
        ("{id}", facts.id),
        ("{database}", &database.name),
        ("{created}", created),
        ("{version}", &database.server_version),
    ];
    let text = match facts.taken.method {
        Method::Dump => fill(DUMP, &dump(facts)),
        Method::Basebackup => fill(SERVER, &server(facts)),
        Method::Pgbackrest => fill(REPOSITORY, &repository(facts)),
    };
    common.iter().fold(text, |text, (place, value)| text.replace(place, value))
}

fn fill(text: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
}

fn dump(facts: &Facts) -> Vec<(&'static str, String)> {
    let mut counts = String::new();
    for table in &facts.taken.facts.tables {
        let rows = table.rows.map_or("?".into(), |rows| rows.to_string());
        let _ = writeln!(counts, "    {rows:>12}  {}", table.plain());
    }
    let database = &facts.database;
    let lines =
        |statements: Vec<String>| statements.iter().fold(String::new(), |text, s| text + "    " + s + ";\n");
    let create = database.create(RECOVERED, database.server_version_num);
    let before = [vec![create], database.settings_for(RECOVERED)].concat();
    let named = if database.named_by.is_empty() {
        String::new()
    } else {
        NAMED.replace("{extensions}", &database.named_by.join(", "))
    };
    let (create, dress) = (lines(before), lines(database.finish(RECOVERED)));
    vec![("{named}", named), ("{create}", create), ("{dress}", dress), ("{counts}", counts)]
}

fn server(facts: &Facts) -> Vec<(&'static str, String)> {
    let gzip = facts.taken.compression.starts_with("gzip");
    let code =
        |lines: &[String]| lines.iter().fold(String::new(), |text, line| text + "       " + line + "\n");
    let unpack = |from: &str, to: &str| -> Vec<String> {
        let lines =
            UNPACK.iter().map(|line| line.replace("data/", &format!("{from}data/")).replace("$TO", to));
        if gzip {
            lines
                .map(|line| {
                    line.replace(".tar.zst", ".tar.gz")
                        .replace("zstd -d", "gzip -d")
                        .replace("pg_wal.tar ", "pg_wal.tar.gz ")
                })
                .collect()
        } else {
            lines.collect()
        }
    };
    let parent = facts.taken.physical.as_ref().and_then(|physical| physical.parent.as_ref());
    let Some(parent) = parent else {
        return vec![("{chain}", String::new()), ("{unpack}", code(&unpack("", "$NEW")))];
    };
    let chain = format!(
        "   It only completes backup {parent}, which must lie beside this directory; where that one completes\n   \
         another, unpack from the oldest on and name them all in that order.\n\n"
    );
    let mut lines = unpack(&format!("../{parent}/"), "$NEW.1");
    lines.extend(unpack("", "$NEW.2"));
    lines.push("pg_combinebackup \"$NEW.1\" \"$NEW.2\" -o \"$NEW\"".into());
    vec![("{chain}", chain), ("{unpack}", code(&lines))]
}

fn repository(facts: &Facts) -> Vec<(&'static str, String)> {
    let physical = facts.taken.physical.clone().unwrap_or_default();
    vec![("{stanza}", physical.stanza.unwrap_or_default()), ("{label}", physical.label.unwrap_or_default())]
}
