//! tg-migrate: see `tg-migrate --help`.

fn main() -> std::process::ExitCode {
    tg_migrate::run()
}
