//! `opsole init`: a commented plan to start from.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::cli::args::InitArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session;
use crate::cli::ui::Ui;
use crate::model::{Problem, Scenario};
use crate::plan;

/// Writes `plan.yaml` and the files it refers to. Never overwrites: all or nothing.
///
/// # Errors
/// `cli.exists` where one of the files is there already, `cli.write` where the folder can't be written.
pub fn run(ui: &Ui, args: &InitArgs) -> Result<Exit, Failure> {
    let scenario = Scenario::from(args.scenario);
    let today = session::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let files = plan::starter(scenario, today);
    if let Some((name, _)) = files.iter().find(|(name, _)| args.folder.join(name).exists()) {
        let path = args.folder.join(name);
        return Err(Problem::new("cli.exists", format!("{} is there already", path.display()))
            .next("move it away, or name another folder: nothing was written")
            .into());
    }
    let mut written = Vec::new();
    for (name, text) in files {
        let path = args.folder.join(name);
        write_new(&path, &text)?;
        written.push(path);
    }
    ui.wrote(&written)?;
    ui.note("Next: fill it in, then `opsole validate` and `opsole plan`.");
    Ok(Exit::OK)
}

fn write_new(path: &Path, text: &str) -> Result<(), Problem> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
    };
    write().map_err(|e| {
        Problem::new("cli.write", format!("can't write {}", path.display()))
            .detail(e.to_string())
            .next("check the folder's rights and the space on its disk")
    })
}
