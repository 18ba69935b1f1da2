//! `opsole check`: may we? Every prerequisite, what was seen, who acts, how to mend it.

use std::path::Path;

use crate::cli::args::{CheckArgs, CheckFormat, GroupBy};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::observe;
use crate::cli::session::{self, Session};
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::diff::{self, Decision};
use crate::model::{DeviceName, Problem};
use crate::plan::MigrationPlan;
use crate::readiness::one_device;
use crate::render::check::{self, CheckView, Grouping, TextOptions, Verdict};
use crate::state::Snapshot;

/// Observes, assesses and shows.
///
/// # Errors
/// As opening a session and observing; `cli.unknown-wave` and `cli.unknown-device`.
pub async fn run(settings: &Settings, args: &CheckArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let (plan, snapshot) = look(settings, args.snapshot.as_deref()).await?;
    let decision = diff::decide(&plan, &snapshot).map_err(|cycle| Problem::new("plan.cycle", cycle.to_string()))?;
    let verdict = match &args.device {
        Some(device) => {
            let device = DeviceName::new(device);
            let findings = of_device(&decision, &device)?;
            let own = decision.changes.devices.iter().filter(|own| own.device == device);
            show(ui, args, &CheckView::of_device(&plan, &device, &findings).with_devices(own))?
        }
        None => {
            let wave = args.wave.as_deref().map(|wave| wave_place(&plan, wave)).transpose()?;
            let own = decision.changes.devices.iter().filter(|own| wave.is_none() || own.wave == wave);
            show(ui, args, &CheckView::of_plan(&plan, &decision.changes.readiness, wave).with_devices(own))?
        }
    };
    Ok(match verdict {
        Verdict::Pass => Exit::OK,
        Verdict::Warnings => Exit::WARNINGS,
        Verdict::Blocked => Exit::BLOCKED,
    })
}

/// Observes, or reads a snapshot file, and resolves the plan as of that moment.
///
/// # Errors
/// As opening a session and observing; as reading the snapshot.
pub async fn look(settings: &Settings, snapshot: Option<&Path>) -> Result<(MigrationPlan, Snapshot), Failure> {
    let ui = &settings.ui;
    if let Some(file) = snapshot {
        let snapshot = observe::read(file)?;
        let (plan, warnings) = session::read_plan(settings)?.resolve(snapshot.taken_at)?;
        ui.warnings(&warnings);
        return Ok((plan, snapshot));
    }
    let session = Session::open(settings).await?;
    ui.warnings(&session.warnings);
    let snapshot = observe::look(&session).await?;
    let plan = session.plan.clone();
    session.close().await?;
    Ok((plan, snapshot))
}

fn of_device(decision: &Decision<'_>, device: &DeviceName) -> Result<Vec<crate::readiness::Finding>, Failure> {
    let devices = &decision.assignment.devices;
    let at = devices.binary_search_by(|assigned| assigned.device.cmp(device)).map_err(|_| {
        let known: Vec<&str> = devices.iter().map(|assigned| assigned.device.as_str()).collect();
        let near = super::plan::did_you_mean(device.as_str(), &known);
        Problem::new("cli.unknown-device", format!("the plan knows no device {device}"))
            .next(format!("{near}look at the inventory or the selector under `devices` in the plan"))
    })?;
    let findings = one_device(&decision.index, &devices[at], &decision.views[at]);
    if findings.is_empty() {
        let why = if devices[at].exclusion.is_some() {
            "an exclusion covers it"
        } else if devices[at].wave.is_none() {
            "it is in no wave"
        } else {
            "it is past the point of no return, where checks hold nothing up any more"
        };
        return Err(Problem::new("check.not-asked", format!("{device} isn't checked: {why}"))
            .next(format!("`opsole plan --device {device}` shows where it stands"))
            .into());
    }
    Ok(findings)
}

/// Returns the position of a wave.
///
/// # Errors
/// `cli.unknown-wave`, with the waves there are.
pub fn wave_place(plan: &MigrationPlan, wave: &str) -> Result<u16, Problem> {
    let at = plan.waves.iter().position(|one| one.name.value.as_str() == wave);
    at.and_then(|at| u16::try_from(at).ok()).ok_or_else(|| {
        let names: Vec<&str> = plan.waves.iter().map(|wave| wave.name.value.as_str()).collect();
        Problem::new("cli.unknown-wave", format!("the plan has no wave `{wave}`")).next(format!(
            "{}its waves are {}",
            super::plan::did_you_mean(wave, &names),
            names.join(", ")
        ))
    })
}

fn show(ui: &Ui, args: &CheckArgs, view: &CheckView<'_>) -> Result<Verdict, Failure> {
    let grouping = match args.group_by {
        GroupBy::Owner => Grouping::Owner,
        GroupBy::Scope => Grouping::Scope,
    };
    let default = if ui.json() { CheckFormat::Json } else { CheckFormat::Text };
    match args.format.unwrap_or(default) {
        CheckFormat::Text => {
            let options = TextOptions { width: ui.width, color: ui.color, ascii: !ui.unicode, grouping, all: args.all };
            ui.answer(&check::text(view, &options))?;
        }
        CheckFormat::Json => ui.answer_json(&check::document(view))?,
        CheckFormat::Markdown => ui.answer(&check::markdown(view, grouping))?,
        CheckFormat::Junit => ui.answer(&check::junit(view))?,
    }
    Ok(view.verdict())
}
