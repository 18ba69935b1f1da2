//! `opsole completions` and `opsole man`: made from the command line's own description.

use std::io;
use std::path::Path;

use clap::CommandFactory;

use crate::cli::args::Cli;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;
use crate::model::Problem;

/// Prints completions for a shell.
///
/// # Errors
/// As the terminal.
pub fn completions(ui: &Ui, shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "opsole", &mut text);
    ui.answer(&String::from_utf8_lossy(&text))?;
    Ok(Exit::OK)
}

/// Writes one man page a command.
///
/// # Errors
/// `cli.write` where the folder can't be written.
pub fn man(ui: &Ui, folder: &Path) -> Result<Exit, Failure> {
    let failed = |e: io::Error| {
        Problem::new("cli.write", format!("can't write man pages to {}", folder.display())).detail(e.to_string())
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    ui.note(&format!("Wrote man pages to {}.", folder.display()));
    Ok(Exit::OK)
}
