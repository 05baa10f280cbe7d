//! tg-backup: see `tg-backup --help`.

fn main() -> std::process::ExitCode {
    tg_backup::run()
}
