//! tg-vacuum: see `tg-vacuum --help`.

fn main() -> std::process::ExitCode {
    tg_vacuum::run()
}
