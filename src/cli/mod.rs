//! The command line: arguments, settings, wiring of adapters, and everything that is printed.

mod args;
mod exit;

pub use args::Cli;
pub use exit::Exit;
