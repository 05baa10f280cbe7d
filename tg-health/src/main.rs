//! tg-health: see `tg-health --help`.

fn main() -> std::process::ExitCode {
    tg_health::run()
}
