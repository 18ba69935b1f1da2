//! The `opsole` program: parse, run, exit code. Everything else is in the library.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(opsole::cli::run(std::env::args_os()).code)
}
