//! `opsole graph`: what comes before what, for people and for programs that draw.

use std::collections::BTreeMap;
use std::path::Path;

use super::show::answer_or_write;
use crate::cli::args::{GraphArgs, GraphFormat};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::cli::{names, sealing};
use crate::diff::{self, DeviceChanges};
use crate::model::{DeviceName, Problem, WaveName};
use crate::render::graph::{self, Graph};
use crate::sealed::wave_lines;

/// Draws the waves or one device's chain.
///
/// # Errors
/// `sealed.*` of a file; as opening a session and observing without one; `cli.unknown-device`, `cli.unknown-wave`;
/// `cli.write`.
pub async fn run(settings: &Settings, args: &GraphArgs) -> Result<Exit, Failure> {
    let graph = match &args.file {
        Some(file) => of_file(file, args.device.as_deref())?,
        None => of_now(settings, args).await?,
    };
    show(&settings.ui, args, &graph)?;
    Ok(Exit::OK)
}

fn of_file(file: &Path, device: Option<&str>) -> Result<Graph, Problem> {
    let body = sealing::read(file)?.body;
    let Some(device) = device else { return Ok(graph::of_waves(&body)) };
    let known = body.devices.iter().map(|device| device.name.as_str());
    let at = names::device(device, known, "the sealed plan holds")?;
    Ok(graph::of_device(&body, &body.devices[at]))
}

async fn of_now(settings: &Settings, args: &GraphArgs) -> Result<Graph, Failure> {
    let (plan, snapshot) = super::check::look(settings, args.snapshot.as_deref()).await?;
    let wave = args.wave.as_deref();
    if let Some(wave) = wave {
        super::check::wave_place(&plan, wave)?;
    }
    let decision = diff::decide(&plan, &snapshot).map_err(|cycle| Problem::new("plan.cycle", cycle.to_string()))?;
    let selected = wave.and_then(|wave| diff::select(&decision.changes, &WaveName::from(wave)));
    let changes = selected.as_ref().unwrap_or(&decision.changes);
    let Some(device) = &args.device else {
        return Ok(graph::waves(&wave_lines(&plan, changes), &plan.zone, wave));
    };
    let known = changes.devices.iter().map(|device| device.device.as_str());
    let at = names::device(device, known, "the plan knows")?;
    Ok(of_device(&decision.index, &changes.devices[at]))
}

fn of_device(index: &crate::dag::Index<'_>, device: &DeviceChanges) -> Graph {
    let effects = device.changes.iter().filter_map(|change| Some((change.op, diff::effect(change.op, device, index)?)));
    let name: &DeviceName = &device.device;
    graph::of_changes(name.as_str(), &device.changes, &effects.collect::<BTreeMap<_, _>>())
}

fn show(ui: &Ui, args: &GraphArgs, graph: &Graph) -> Result<(), Failure> {
    let default = if ui.json() { GraphFormat::Json } else { GraphFormat::Mermaid };
    let text = match args.format.unwrap_or(default) {
        GraphFormat::Mermaid => graph::mermaid(graph),
        GraphFormat::Dot => graph::dot(graph),
        GraphFormat::Svg => graph::svg_alone(graph),
        GraphFormat::Json => {
            format!("{}\n", serde_json::to_string_pretty(&graph::json(graph)).map_err(std::io::Error::from)?)
        }
    };
    answer_or_write(ui, args.out.as_deref(), &text)
}
