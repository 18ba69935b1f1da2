//! `opsole plan`: what would happen, and why.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::show::{answer_or_write, write_to};
use crate::audit::Note;
use crate::cli::args::{PlanArgs, PlanFormat};
use crate::cli::baseline;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::observe;
use crate::cli::sealing;
use crate::cli::session::{self, Session};
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::diag::Code;
use crate::diff::{self, Action, ChangeSet, DriftReport};
use crate::model::{DeviceName, Op, Problem, WaveName};
use crate::msgraph::quota;
use crate::plan::MigrationPlan;
use crate::port::Store as _;
use crate::render::drift::{DriftOptions, drift_section};
use crate::render::review::{Shown, html, markdown};
use crate::render::sealed_text::{SealedTextOptions, sealed_text};
use crate::render::words::duration;
use crate::render::{plan_json, plan_text};
use crate::sealed::Sealed;
use crate::state::Snapshot;
use crate::store::keys;

/// Observes, decides and shows.
///
/// # Errors
/// As opening a session and observing; `cli.unknown-wave` and `cli.unknown-device`.
pub async fn run(settings: &Settings, args: &PlanArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    if ui.json() && args.format.is_some() && args.view.is_none() {
        return Err(Problem::new("cli.two-forms", "`--output json` and `--format` ask for two forms of one answer")
            .next("leave one of them out, or write the view to a file with `--view FILE`")
            .into());
    }
    match (&args.out, &args.wave, args.format) {
        (Some(out), Some(wave), _) => return seal(settings, args, out, wave).await,
        (None, Some(wave), Some(format)) => return view(settings, args, wave, format).await,
        _ => {}
    }
    let (plan, snapshot) = match &args.snapshot {
        Some(file) => {
            let snapshot = observe::read(file)?;
            // A snapshot is planned against as of its own moment: the same file gives the same plan.
            let (plan, warnings) = session::read_plan(settings)?.resolve(snapshot.taken_at)?;
            ui.warnings(&warnings);
            (plan, snapshot)
        }
        None => {
            let session = Session::open(settings).await?;
            ui.warnings(&session.warnings);
            let snapshot = observe::look(&session).await?;
            let plan = session.plan.clone();
            session.close().await?;
            (plan, snapshot)
        }
    };
    let changes = decide(&plan, &snapshot, args.wave.as_deref())?;
    let drift = baseline::since_review(&settings.state()?, &plan, &snapshot)?;
    show_with(ui, &plan, &snapshot, &changes, args.device.as_deref(), drift.as_ref())?;
    if !args.detailed_exitcode {
        return Ok(Exit::OK);
    }
    if changes.has_changes() {
        return Ok(Exit::CHANGES);
    }
    // "Nothing to do" has to be known: what couldn't be read may hide something.
    if changes.findings.0.iter().any(|finding| finding.code == Code::OBSERVATION_FAILED) {
        ui.note("Nothing would run, but not everything could be read, so this isn't known to be all: exit code 1.");
        return Ok(Exit::ERROR);
    }
    Ok(Exit::OK)
}

/// Shows one wave as it would be sealed, as if the wave were open.
async fn view(settings: &Settings, args: &PlanArgs, wave: &str, format: PlanFormat) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let session = Session::open(settings).await?;
    ui.warnings(&session.warnings);
    let snapshot = observe::look(&session).await?;
    let fresh = sealing::fresh(&session, &snapshot, &WaveName::from(wave), None)?;
    session.close().await?;
    answer_or_write(ui, args.view.as_deref(), &review(&Shown::unsealed(&fresh.body), format)?)?;
    fresh.closed.iter().for_each(|why| ui.note(&format!("The wave isn't open now: {why}.")));
    let run = &fresh.body.run;
    let runs = run.devices.len() + run.tenant_before.len() + run.tenant_after.len();
    Ok(if args.detailed_exitcode && runs > 0 { Exit::CHANGES } else { Exit::OK })
}

fn review(shown: &Shown<'_>, format: PlanFormat) -> Result<String, Problem> {
    match format {
        PlanFormat::Markdown => Ok(markdown(shown)),
        PlanFormat::Html => html(shown, None),
    }
}

/// Seals the plan of one wave, as if the wave were open.
async fn seal(settings: &Settings, args: &PlanArgs, out: &Path, wave: &str) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let session = Session::open(settings).await?;
    ui.warnings(&session.warnings);
    let snapshot = observe::observe(&session).await?;
    let valid = args.valid_hours.map(|hours| jiff::SignedDuration::from_hours(i64::from(hours)));
    let fresh = sealing::fresh(&session, &snapshot, &WaveName::from(wave), valid)?;
    let signer = match &args.key {
        Some(file) => keys::read(file)?,
        None => keys::own(&session.state)?,
    };
    let (store, state, now) = (session.store.clone(), session.state.clone(), session.clock.now());
    session.close().await?;
    let runs = fresh.body.run.devices.len() + fresh.body.run.tenant_before.len() + fresh.body.run.tenant_after.len();
    let sealed = Sealed::new(fresh.body, &session::person(), &signer)
        .map_err(|e| Problem::new("sealed.write", format!("the plan can't be sealed: {e}")))?;
    sealing::write(out, &sealed)?;
    baseline::keep_or_say(ui, &state, &snapshot);
    store.add_audit(&[Note { at: now, actor: session::actor(), fact: sealing::sealed_fact(&sealed, false) }])?;
    if let (Some(format), Some(file)) = (args.format, &args.view) {
        let view = review(&Shown::sealed(&sealed), format)?;
        // Programs are told of the sealed file below, in one document.
        match ui.json() {
            true => write_to(file, &view)?,
            false => answer_or_write(ui, Some(file), &view)?,
        }
    }
    if ui.json() {
        ui.answer_json(&serde_json::json!({
            "format": "opsole.sealed-written/1", "file": out, "digest": sealed.digest(), "wave": wave,
            "devices": sealed.body.run.devices.len(), "not_after": sealed.body.not_after, "closed": fresh.closed,
            "view": args.view,
        }))?;
    } else {
        match (args.format, &args.view) {
            // The view takes the place of the text, unless it is in a file.
            (Some(format), None) => ui.answer(&review(&Shown::sealed(&sealed), format)?)?,
            _ => {
                let options = SealedTextOptions { width: ui.width, color: ui.color, ascii: !ui.unicode, device: None };
                ui.answer(&sealed_text(&sealed, &options))?;
            }
        }
        ui.note(&format!("Wrote {}.", out.display()));
        fresh.closed.iter().for_each(|why| ui.note(&format!("The wave isn't open now: {why}.")));
        if runs == 0 {
            ui.note("Nothing would run: what is left is done, blocked or excluded.");
        } else if sealed.body.approvals_required > 0 {
            ui.note(&format!("Next: `opsole approve {} --as ROLE --key KEYFILE`", out.display()));
        } else {
            ui.note(&format!("Next: `opsole apply {}`", out.display()));
        }
    }
    Ok(if args.detailed_exitcode && runs > 0 { Exit::CHANGES } else { Exit::OK })
}

/// Decides what would change, for all waves or one.
///
/// # Errors
/// `cli.unknown-wave`, with the waves there are.
pub fn decide(plan: &MigrationPlan, snapshot: &Snapshot, wave: Option<&str>) -> Result<ChangeSet, Failure> {
    let decision = diff::decide(plan, snapshot).map_err(|cycle| Problem::new("plan.cycle", cycle.to_string()))?;
    let Some(wave) = wave else { return Ok(decision.changes) };
    diff::select(&decision.changes, &WaveName::from(wave)).ok_or_else(|| {
        let names: Vec<&str> = plan.waves.iter().map(|wave| wave.name.value.as_str()).collect();
        Problem::new("cli.unknown-wave", format!("the plan has no wave `{wave}`"))
            .next(format!("{}its waves are {}", did_you_mean(wave, &names), names.join(", ")))
            .into()
    })
}

/// Shows a change set.
///
/// # Errors
/// `cli.unknown-device`; as the terminal.
pub fn show(
    ui: &Ui,
    plan: &MigrationPlan,
    snapshot: &Snapshot,
    changes: &ChangeSet,
    device: Option<&str>,
) -> Result<(), Failure> {
    show_with(ui, plan, snapshot, changes, device, None)
}

/// Shows a change set with what others changed.
fn show_with(
    ui: &Ui,
    plan: &MigrationPlan,
    snapshot: &Snapshot,
    changes: &ChangeSet,
    device: Option<&str>,
    drift: Option<&DriftReport>,
) -> Result<(), Failure> {
    let device = device.map(DeviceName::new);
    if let Some(name) = &device
        && changes.devices.binary_search_by(|d| d.device.cmp(name)).is_err()
    {
        let known = changes.devices.iter().map(|device| device.device.as_str());
        let near = did_you_mean(name.as_str(), &known.collect::<Vec<_>>());
        return Err(Problem::new("cli.unknown-device", format!("the plan knows no device {name}"))
            .next(format!("{near}look at the inventory or the selector under `devices` in the plan"))
            .into());
    }
    if ui.json() {
        let mut changes = std::borrow::Cow::Borrowed(changes);
        if let Some(name) = &device {
            let changes = changes.to_mut();
            changes.devices.retain(|one| one.device == *name);
            // Whoever asks for a device gets it, also where it is in another wave.
            if changes.devices.iter().any(|one| one.wave != changes.selected) {
                changes.selected = None;
            }
        }
        let mut json = plan_json::PlanJson::new(&changes);
        if device.is_some() {
            json = json.unfolded(plan, snapshot);
        } else if let Some(drift) = drift {
            json = json.with_drift(drift);
        }
        ui.answer(&serde_json::to_string(&json).map_err(std::io::Error::from)?)?;
        return Ok(());
    }
    let options = plan_text::PlanTextOptions {
        plan,
        width: ui.width,
        color: ui.color,
        ascii: !ui.unicode,
        device: device.clone(),
        findings: true,
    };
    let mut text = plan_text::plan_text(changes, snapshot, &options);
    if device.is_none() {
        if let Some(drift) = drift {
            let options = DriftOptions { width: ui.width, color: ui.color, ascii: !ui.unicode, zone: &plan.zone };
            text.push_str(&drift_section(drift, &options));
        }
        let floor = quota_floor(changes);
        if floor > Duration::ZERO {
            text.push_str(&format!(
                "\nGraph's quotas allow this in {} at the least; restarts, sign-ins and windows come on top.\n",
                duration(floor)
            ));
        }
    }
    ui.answer(&text)?;
    Ok(())
}

/// Returns a question with the nearest name, to stand before other words, where one is near enough.
pub fn did_you_mean(wanted: &str, names: &[&str]) -> String {
    let near = names.iter().map(|name| (strsim::damerau_levenshtein(name, wanted), name)).min();
    near.filter(|(distance, _)| *distance <= 1 + wanted.chars().count() / 4)
        .map_or_else(String::new, |(_, name)| format!("did you mean `{name}`? "))
}

/// Returns the least time that Graph's quotas allow the operations that would run.
fn quota_floor(changes: &ChangeSet) -> Duration {
    let mut times: BTreeMap<Op, u64> = BTreeMap::new();
    let tenant = changes.tenant.iter().map(|tenant| &tenant.change);
    for change in changes.devices.iter().flat_map(|device| &device.changes).chain(tenant) {
        if change.action == Action::Do {
            *times.entry(change.op).or_default() += 1;
        }
    }
    quota::estimate(&quota::work(&times.into_iter().collect::<Vec<_>>()))
}
