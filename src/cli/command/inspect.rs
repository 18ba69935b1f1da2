//! `opsole agent inspect`: what the agent of one device finds on it, without a controller.

use std::path::Path;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::lab_session::LabSession;
use crate::cli::real::OpenDevice;
use crate::cli::settings::{Settings, beside};
use crate::model::{DeviceName, Problem};
use crate::render::evidence;
use crate::state::Evidence;

/// Inspects and surveys a device, and shows or writes what was found.
///
/// # Errors
/// `agent.no-windows` where there is no plan in a lab, and this isn't Windows; `lab.*`; `device.*` where the device can't be looked at.
pub async fn run(settings: &Settings, device: Option<&str>, out: Option<&Path>) -> Result<Exit, Failure> {
    let open = OpenDevice::open(settings, device).await?;
    let at = open.clock.now();
    let found = match open.os.inspect().await {
        Ok(facts) => open.os.survey().await.map(|survey| Evidence { at, facts, survey: Some(survey) }),
        Err(problem) => Err(problem),
    };
    let name = open.name.clone();
    open.close().await?;
    answer(settings, &name, &found?, out)
}

/// Returns the device that is meant: the one that is named, or the only one.
pub fn which(lab: &LabSession, device: Option<&str>) -> Result<DeviceName, Problem> {
    let names: Vec<&str> = lab.lab().world().devices.iter().map(|device| device.name.as_str()).collect();
    match (device, names.as_slice()) {
        (None, [only]) => Ok(DeviceName::new(only)),
        (None, _) => Err(Problem::new("cli.which-device", format!("the lab's world has {} devices", names.len()))
            .next("name one with `--device NAME`; `opsole lab show` lists them")),
        (Some(device), names) => {
            let name = DeviceName::new(device);
            if names.iter().any(|known| DeviceName::new(known) == name) {
                return Ok(name);
            }
            let near = super::plan::did_you_mean(name.as_str(), names);
            Err(Problem::new("lab.no-device", format!("the lab's world has no device {name}"))
                .next(format!("{near}`opsole lab show` lists them all")))
        }
    }
}

fn answer(settings: &Settings, name: &DeviceName, evidence: &Evidence, out: Option<&Path>) -> Result<Exit, Failure> {
    let (ui, document) = (&settings.ui, evidence::document(name, evidence));
    let Some(out) = out else {
        if ui.json() {
            ui.answer_json(&document)?
        } else {
            ui.answer(&evidence::text(name, evidence))?
        }
        return Ok(Exit::OK);
    };
    let written = || -> std::io::Result<()> {
        // All of it or nothing.
        let file = out.file_name().and_then(|name| name.to_str()).unwrap_or("evidence");
        let part = beside(out).join(format!(".{file}.part"));
        let mut text = serde_json::to_vec_pretty(&document)?;
        text.push(b'\n');
        std::fs::write(&part, text)?;
        std::fs::rename(&part, out)
    };
    written().map_err(|e| {
        Problem::new("cli.write", format!("can't write {}", out.display()))
            .detail(e.to_string())
            .next("check the folder's rights and the space on its disk")
    })?;
    ui.wrote(&[out.to_owned()])?;
    Ok(Exit::OK)
}
