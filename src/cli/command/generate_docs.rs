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
    let script = String::from_utf8_lossy(&text);
    if ui.json() {
        let document =
            serde_json::json!({"format": "opsole.completions/1", "shell": shell.to_string(), "script": script});
        ui.answer_json(&document)?;
    } else {
        ui.answer(&script)?;
    }
    Ok(Exit::OK)
}

/// Writes one man page a command.
///
/// # Errors
/// `cli.write` where the folder can't be written.
pub fn man(ui: &Ui, folder: &Path) -> Result<Exit, Failure> {
    let failed = |e: io::Error| {
        Problem::new("cli.write", format!("can't write man pages to {}", folder.display()))
            .detail(e.to_string())
            .next("name a folder that you may write to")
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    let pages = std::fs::read_dir(folder).map_err(failed)?;
    let mut pages: Vec<_> = pages.filter_map(|entry| Some(entry.ok()?.path())).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "1"));
    pages.sort();
    ui.wrote(&pages)?;
    Ok(Exit::OK)
}
