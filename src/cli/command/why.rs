//! `opsole why D [OP]`: the chain of reasons that leads to what a device takes.

use crate::cli::args::WhyArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::settings::Settings;
use crate::cli::{names, sealing};
use crate::diff;
use crate::model::{Op, Problem};
use crate::render::why::{Why, WhyOptions, of_body, of_decision, why_text};

/// Tells the reasons, of a sealed plan, of a snapshot or of what is there now.
///
/// # Errors
/// `sealed.*` of a file; as opening a session and observing without one; `cli.unknown-device`,
/// `cli.unknown-operation`.
pub async fn run(settings: &Settings, args: &WhyArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let wanted = args.operation.as_deref();
    let find = |ops: Vec<Op>| wanted.map(|wanted| names::operation(wanted, &ops)).transpose();
    let why: Why = if let Some(file) = &args.file {
        let body = sealing::read(file)?.body;
        let known = body.devices.iter().map(|device| device.name.as_str());
        let device = &body.devices[names::device(&args.device, known, "the sealed plan holds")?];
        let only = find(body.chain(device).iter().map(|line| line.0).collect())?;
        of_body(&body, device, only)
    } else {
        let (plan, snapshot) = super::check::look(settings, args.snapshot.as_deref()).await?;
        let decision = diff::decide(&plan, &snapshot).map_err(|cycle| Problem::new("plan.cycle", cycle.to_string()))?;
        let devices = &decision.changes.devices;
        let known = devices.iter().map(|device| device.device.as_str());
        let at = names::device(&args.device, known, "the plan knows")?;
        let only = find(devices[at].changes.iter().map(|change| change.op).collect())?;
        of_decision(&decision, at, only)
            .ok_or_else(|| Problem::new("cli.unknown-device", format!("the plan knows no device {}", args.device)))?
    };
    if ui.json() {
        ui.answer_json(&why)?;
        return Ok(Exit::OK);
    }
    let options = WhyOptions { width: ui.width, color: ui.color, ascii: !ui.unicode, whole: wanted.is_some() };
    ui.answer(&why_text(&why, &options))?;
    Ok(Exit::OK)
}
