//! `opsole show FILE`: a sealed plan, read from the file alone.

use std::path::Path;

use crate::cli::args::{ShowArgs, ShowFormat};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::names;
use crate::cli::sealing;
use crate::cli::ui::Ui;
use crate::model::Problem;
use crate::render::review::{Shown, html, markdown, markdown_device};
use crate::render::sealed_text::{SealedTextOptions, sealed_text};
use crate::sealed::{Body, DeviceLine, Document, Sealed};

/// Columns of text that is written to a file.
const FILE_WIDTH: usize = 100;

/// Shows it. No network, no tenant, no state folder.
///
/// # Errors
/// `sealed.*`; `cli.unknown-device` where the plan holds no such device; `cli.write`.
pub fn run(ui: &Ui, args: &ShowArgs) -> Result<Exit, Failure> {
    let sealed = sealing::read(&args.file)?;
    let device = args.device.as_deref().map(|name| find(&sealed.body, name)).transpose()?;
    let default = if ui.json() { ShowFormat::Json } else { ShowFormat::Text };
    let shown = Shown::sealed(&sealed);
    let answer = match args.format.unwrap_or(default) {
        ShowFormat::Text => {
            // What is in a file is read anywhere: no colours, and the width of a page.
            let (width, color) = if args.out.is_some() { (FILE_WIDTH, false) } else { (ui.width, ui.color) };
            let device = device.map(|device| device.name.as_str());
            sealed_text(&sealed, &SealedTextOptions { width, color, ascii: !ui.unicode, device })
        }
        ShowFormat::Json => json(&sealed, device)?,
        ShowFormat::Markdown => device.map_or_else(|| markdown(&shown), |device| markdown_device(&shown, device)),
        ShowFormat::Html => html(&shown, device.map(|device| device.name.as_str()))?,
    };
    answer_or_write(ui, args.out.as_deref(), &answer)?;
    Ok(Exit::OK)
}

/// Writes an answer to a file, or to standard output where none is named.
///
/// # Errors
/// `cli.write`; as the terminal.
pub fn answer_or_write(ui: &Ui, file: Option<&Path>, answer: &str) -> Result<(), Failure> {
    let Some(file) = file else {
        ui.answer(answer)?;
        return Ok(());
    };
    write_to(file, answer)?;
    ui.wrote(&[file.to_owned()])?;
    Ok(())
}

/// Writes an answer to a file.
///
/// # Errors
/// `cli.write`.
pub fn write_to(file: &Path, answer: &str) -> Result<(), Problem> {
    std::fs::write(file, answer).map_err(|e| {
        Problem::new("cli.write", format!("can't write {}", file.display()))
            .detail(e.to_string())
            .next("check the folder and your rights in it, or name another file")
    })
}

fn find<'b>(body: &'b Body, name: &str) -> Result<&'b DeviceLine, Problem> {
    let known = body.devices.iter().map(|device| device.name.as_str());
    names::device(name, known, "the sealed plan holds").map(|at| &body.devices[at])
}

/// The whole file, or one device with its texts in their places.
fn json(sealed: &Sealed, device: Option<&DeviceLine>) -> Result<String, Failure> {
    let body = &sealed.body;
    let document = match device {
        None => serde_json::to_value(Document::sealed(sealed)).map_err(std::io::Error::from)?,
        Some(device) => {
            let effect = |op| {
                let found = device.effects.iter().find(|effect| effect.0 == op)?;
                Some(serde_json::json!({"before": body.text(found.1), "after": body.text(found.2)}))
            };
            let operations: Vec<serde_json::Value> = body
                .chain(device)
                .iter()
                .map(|one| serde_json::json!({"op": one.0, "action": one.1, "reason": one.2, "effect": effect(one.0)}))
                .collect();
            let blockers: Vec<serde_json::Value> = device
                .blockers
                .iter()
                .map(|one| {
                    serde_json::json!({
                        "code": one.code, "message": body.text(one.message), "next": body.text(one.next),
                        "owner": one.owner,
                    })
                })
                .collect();
            serde_json::json!({
                "format": "opsole.sealed-device/1",
                "digest": sealed.digest(),
                "wave": body.wave,
                "device": device.name,
                "standing": device.standing,
                "user": device.user,
                "exclusion": device.exclusion,
                "blockers": blockers,
                "operations": operations,
            })
        }
    };
    Ok(serde_json::to_string_pretty(&document).map_err(std::io::Error::from)? + "\n")
}
