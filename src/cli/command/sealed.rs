//! `opsole apply FILE`: exactly what was sealed and approved, as far as the world still is as it was.

use std::collections::BTreeMap;
use std::path::Path;

use super::apply::{Decided, confirmed};
use crate::audit::{Exception, Fact, LeftOut, Note, Origin, Purpose, Refused, SealedOrigin};
use crate::cli::args::ApplyArgs;
use crate::cli::baseline;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::observe;
use crate::cli::sealing;
use crate::cli::session::{Session, actor};
use crate::cli::ui::Ui;
use crate::controller::Begin;
use crate::model::{Check, Op, Problem, WaveName};
use crate::port::Store as _;
use crate::render::words::count;
use crate::run::RunPlan;
use crate::sealed::{Asked, Drift, Sealed, Verdict, broken_rules, hold};
use crate::state::Snapshot;
use crate::store::keys;

/// Kinds of change that are shown, and names of devices of each.
const STALE_SHOWN: usize = 12;
const NAMES_SHOWN: usize = 5;

/// Says whether a wave may be applied without a sealed plan.
///
/// # Errors
/// `sealed.needed` where the plan asks for approvals.
pub(super) fn may_go_without(session: &Session, wave: &str) -> Result<(), Failure> {
    let plan = &session.plan;
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
    let refused = Refused { digest: None, wave: Some(wave.into()), codes: vec![problem.code.clone()] };
    session.store.add_audit(&told(session, [Fact::ApplyRefused(refused)]))?;
    Err(Failure::Exit(Box::new(problem), Exit::REFUSED))
}

/// Says whether the plan's own rules let a wave be applied that nobody had to approve.
///
/// # Errors
/// `sealed.policy`; every rule that doesn't hold is told.
pub(super) fn rules_hold(ui: &Ui, session: &Session, snapshot: &Snapshot, wave: &WaveName) -> Result<(), Failure> {
    if session.plan.policy.rules.is_empty() {
        return Ok(());
    }
    let body = sealing::fresh(session, snapshot, wave, None)?.body;
    let broken = broken_rules(&body);
    let Some((last, first)) = broken.split_last() else { return Ok(()) };
    first.iter().for_each(|problem| ui.problem(problem));
    Err(Failure::Exit(Box::new(last.clone()), Exit::REFUSED))
}

fn told(session: &Session, facts: impl IntoIterator<Item = Fact>) -> Vec<Note> {
    let (at, actor) = (session.clock.now(), actor());
    facts.into_iter().map(|fact| Note { at, actor: actor.clone(), fact }).collect()
}

/// Holds the file against the world of now, says what is refused and what is stale, and asks.
pub(super) async fn decide(ui: &Ui, args: &ApplyArgs, session: &Session, file: &Path) -> Result<Decided, Failure> {
    let sealed = match sealing::read(file) {
        Ok(sealed) => sealed,
        Err(problem) => {
            // A file that isn't there is a slip; one that was touched is something to know of.
            if problem.code != "sealed.read" {
                let refused = Refused { digest: None, wave: None, codes: vec![problem.code.clone()] };
                session.store.add_audit(&told(session, [Fact::ApplyRefused(refused)]))?;
            }
            return Err(match problem.code.as_str() {
                "sealed.read" => problem.into(),
                _ => Failure::Exit(Box::new(problem), Exit::REFUSED),
            });
        }
    };
    let wave = WaveName::from(sealed.body.wave.as_str());
    session.store.add_audit(&told(session, sealing::learnt(&*session.store, &sealed)?))?;
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
        let mut codes: Vec<String> = verdict.refusals.iter().map(|problem| problem.code.clone()).collect();
        codes.sort_unstable();
        codes.dedup();
        let refused = Refused { digest: Some(sealed.digest()), wave: Some(wave), codes };
        session.store.add_audit(&told(session, [Fact::ApplyRefused(refused)]))?;
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
            let exceptions = exceptions_of(session, &snapshot, &sealed, &wave)?;
            let origin = origin_of(session, &sealed, &verdict, exceptions);
            Decided::Go(Box::new(Begin::New(Box::new(run), Box::new(origin))))
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

/// Returns the exceptions that were sealed, with who owns them now.
fn exceptions_of(
    session: &Session,
    snapshot: &Snapshot,
    sealed: &Sealed,
    wave: &WaveName,
) -> Result<Vec<Exception>, Failure> {
    if sealed.body.run.accepted.is_empty() {
        return Ok(Vec::new());
    }
    let changes = super::plan::decide(&session.plan, snapshot, Some(wave.as_str()))?;
    let known = super::accept::exceptions(&super::accept::relied_on(&session.plan, &changes));
    let of = |check: &Check| {
        let found = known.iter().find(|one| one.check == *check).cloned();
        found.unwrap_or_else(|| Exception { check: *check, exclusion: String::new(), owner: String::new(), devices: 0 })
    };
    Ok(sealed.body.run.accepted.iter().map(of).collect())
}

/// Returns what the run goes back to: the file's signed lines, and what of it is left out.
fn origin_of(session: &Session, sealed: &Sealed, verdict: &Verdict, exceptions: Vec<Exception>) -> Origin {
    let why = |drift: &Drift| match &drift.why {
        Some(why) => why.clone(),
        None => {
            let changed: Vec<String> =
                drift.ops.iter().map(|(op, was, now)| format!("{op}: sealed {was}, now {now}")).collect();
            changed.join("; ")
        }
    };
    let left_out = verdict.stale.iter().map(|drift| LeftOut { device: drift.device.clone(), why: why(drift) });
    let body = &sealed.body;
    Origin {
        exceptions,
        sealed: Some(SealedOrigin {
            digest: sealed.digest(),
            sealed_at: body.sealed_at,
            not_after: body.not_after,
            required: body.approvals_required,
            from: body.approvals_from.clone(),
            statements: sealed.statements.clone(),
            counted: verdict.counted.clone(),
            left_out: left_out.collect(),
        }),
        ..unsealed(session, Purpose::Wave)
    }
}

/// Returns what a run goes back to that is begun without a sealed plan.
pub(super) fn unsealed(session: &Session, purpose: Purpose) -> Origin {
    Origin {
        by: actor(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        zone: session.plan.zone.clone(),
        purpose,
        ..Origin::default()
    }
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
