//! tg-swap: see `tg-swap --help`.

fn main() -> std::process::ExitCode {
    tg_swap::run()
}
