//! `opsole apply FILE`: exactly what was sealed and approved, as far as the world still is as it was.

use std::collections::BTreeMap;
use std::path::Path;

use super::apply::{Decided, confirmed};
use crate::cli::args::ApplyArgs;
use crate::cli::baseline;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::observe;
use crate::cli::sealing;
use crate::cli::session::Session;
use crate::cli::ui::Ui;
use crate::controller::Begin;
use crate::model::{Op, Problem, WaveName};
use crate::plan::MigrationPlan;
use crate::port::Store as _;
use crate::render::words::count;
use crate::run::RunPlan;
use crate::sealed::{Asked, Drift, Sealed, Verdict, hold};
use crate::store::keys;

/// Kinds of change that are shown, and names of devices of each.
const STALE_SHOWN: usize = 12;
const NAMES_SHOWN: usize = 5;

/// Says whether a wave may be applied without a sealed plan.
///
/// # Errors
/// `sealed.needed` where the plan asks for approvals.
pub(super) fn may_go_without(plan: &MigrationPlan, wave: &str) -> Result<(), Failure> {
    if plan.policy.required == 0 {
        return Ok(());
    }
    let needed = usize::try_from(plan.policy.required).unwrap_or(usize::MAX);
    let problem = Problem::new(
        "sealed.needed",
        format!("the plan asks for {} before anything is applied", count(needed, "approval")),
    )
    .next(format!(
        "seal it with `opsole plan --wave {wave} --out {wave}.opsole`, have that approved, then `opsole apply \
         {wave}.opsole`"
    ));
    Err(Failure::Exit(Box::new(problem), Exit::REFUSED))
}

/// Holds the file against the world of now, says what is refused and what is stale, and asks.
pub(super) async fn decide(ui: &Ui, args: &ApplyArgs, session: &Session, file: &Path) -> Result<Decided, Failure> {
    let sealed = sealing::read(file)?;
    let wave = WaveName::from(sealed.body.wave.as_str());
    let snapshot = observe::observe(session).await?;
    let fresh = sealing::fresh(session, &snapshot, &wave, None)?;
    let runs: Vec<_> = session.store.runs()?.into_iter().map(|row| row.run).collect();
    let own = session.state.join("seal.key");
    let own = if own.exists() { Some(keys::read(&own)?.public()) } else { None };
    let inputs = sealing::inputs(session)?;
    let taken_back = session.store.approvals_taken_back()?;
    let verdict = hold(
        &sealed,
        &Asked {
            now: session.clock.now(),
            inputs: &inputs,
            fresh: &fresh.body,
            keys: &session.plan.policy.keys,
            own,
            taken_back: &taken_back,
            runs: &runs,
            closed: &fresh.closed,
        },
    );
    say_stale(ui, &verdict);
    if !verdict.refusals.is_empty() {
        return refuse(ui, &sealed, &verdict).map(Decided::End);
    }
    let run = run_of(&sealed, &verdict, session);
    if run.devices.is_empty() && run.tenant_before.is_empty() && run.tenant_after.is_empty() {
        let stale = verdict.stale.len();
        ui.note(&format!("Nothing of it can run: {} changed since it was sealed.", count(stale, "device")));
        return Ok(Decided::End(if stale > 0 { Exit::REFUSED } else { Exit::OK }));
    }
    let question = format!(
        "Past the point of no return there is no way back, only forward.\nApply the sealed plan {} of wave {wave} to {}? \
         Only `yes` does it:",
        sealed.digest().short(),
        count(run.devices.len(), "device")
    );
    Ok(match confirmed(ui, args, &question)? {
        true => {
            baseline::keep_or_say(ui, &session.state, &snapshot);
            Decided::Go(Box::new(Begin::New(Box::new(run))))
        }
        false => Decided::End(Exit::DECLINED),
    })
}

/// Returns the run that was sealed, without the devices that changed. What closes with a wave's last devices stays
/// open where some of them are left out.
fn run_of(sealed: &Sealed, verdict: &Verdict, session: &Session) -> RunPlan {
    let mut run = sealed.body.run.clone();
    run.created = session.clock.now();
    run.devices.retain(|device| verdict.ready.binary_search(&device.task.device).is_ok());
    if !verdict.stale.is_empty() {
        run.tenant_after.retain(|tenant| !tenant.needs_complete);
    }
    run
}

/// Names the devices that changed: what is alike together, so that the length depends on what happened and not on how
/// many devices it hit.
fn say_stale(ui: &Ui, verdict: &Verdict) {
    let used = verdict.refusals.iter().any(|problem| problem.code == "sealed.used");
    if verdict.stale.is_empty() || used || ui.json() {
        return;
    }
    ui.note(&format!(
        "{} changed since it was sealed and {} left out; plan and seal again for a new review:",
        count(verdict.stale.len(), "device"),
        if verdict.stale.len() == 1 { "is" } else { "are" }
    ));
    let mut alike: BTreeMap<(&str, Vec<Op>), Vec<&Drift>> = BTreeMap::new();
    for drift in &verdict.stale {
        // Where the device as such stands elsewhere, its operations only follow.
        let ops = if drift.why.is_some() { Vec::new() } else { drift.ops.iter().map(|(op, ..)| *op).collect() };
        alike.entry((drift.why.as_deref().unwrap_or_default(), ops)).or_default().push(drift);
    }
    let hidden = alike.len().saturating_sub(STALE_SHOWN);
    for ((why, _), drifts) in alike.into_iter().take(STALE_SHOWN) {
        let names: Vec<&str> = drifts.iter().take(NAMES_SHOWN).map(|drift| drift.device.as_str()).collect();
        let more = drifts.len().saturating_sub(NAMES_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        ui.note(&format!("  {}{more}{why}", names.join(", ")));
        let ops = drifts.first().filter(|drift| drift.why.is_none()).map_or(&[][..], |drift| &drift.ops);
        for (op, was, now) in ops {
            ui.note(&format!("    {op}\n      sealed: {was}\n      now:    {now}"));
        }
    }
    if hidden > 0 {
        ui.note(&format!("  and {hidden} more kinds; `--output json` names all"));
    }
}

fn refuse(ui: &Ui, sealed: &Sealed, verdict: &Verdict) -> Result<Exit, Failure> {
    if ui.json() {
        let stale: Vec<_> = verdict
            .stale
            .iter()
            .map(|drift| {
                let ops: Vec<_> = drift
                    .ops
                    .iter()
                    .map(|(op, was, now)| serde_json::json!({"op": op, "sealed": was, "now": now}))
                    .collect();
                serde_json::json!({"device": drift.device, "why": drift.why, "operations": ops})
            })
            .collect();
        ui.answer_json(&serde_json::json!({
            "format": "opsole.refused/1", "digest": sealed.digest(), "refusals": verdict.refusals, "stale": stale,
        }))?;
    }
    verdict.refusals.iter().for_each(|problem| ui.problem(problem));
    Ok(Exit::REFUSED)
}
