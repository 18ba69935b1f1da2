//! The last state that was reviewed or applied: what drift is measured from.
//!
//! One snapshot file in the state folder, written by `plan --out`, `apply` and `drift --accept`, and by nothing that only
//! looks: two plans of the same world give the same bytes.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::observe;
use super::ui::Ui;
use crate::diff::{DriftReport, TenantOp, drift};
use crate::model::Problem;
use crate::plan::MigrationPlan;
use crate::port::Store as _;
use crate::run::RunPlan;
use crate::state::Snapshot;
use crate::store::SqliteStore;

/// Returns where it lies.
#[must_use]
pub fn file(state: &Path) -> PathBuf {
    state.join("reviewed.json")
}

/// Keeps a state as the one that drift is measured from.
///
/// # Errors
/// `snapshot.write`.
pub fn keep(state: &Path, snapshot: &Snapshot) -> Result<(), Problem> {
    observe::write(&file(state), snapshot)
}

/// The same for those to whom it is a courtesy: what can't be kept is said, and stops nothing.
pub fn keep_or_say(ui: &Ui, state: &Path, snapshot: &Snapshot) {
    if let Err(problem) = keep(state, snapshot) {
        ui.note(&format!(
            "The state that was reviewed couldn't be kept, so drift is measured from an older one: {problem}."
        ));
    }
}

/// Returns what others changed since the last state that was reviewed or applied; none where there is none.
///
/// # Errors
/// `snapshot.*` where it can't be read; `store.*`.
pub fn since_review(state: &Path, plan: &MigrationPlan, now: &Snapshot) -> Result<Option<DriftReport>, Problem> {
    let file = file(state);
    if !file.exists() {
        return Ok(None);
    }
    let before = observe::read(&file)?;
    let ops = ops_since(state, before.taken_at)?;
    Ok(Some(drift(&before, now, plan, &ops)))
}

/// Returns the operations of tenants in the plans of runs that began at a moment or later.
///
/// # Errors
/// `store.*`, `run.plan-*`.
pub fn ops_since(state: &Path, since: Timestamp) -> Result<Vec<TenantOp>, Problem> {
    if !state.join("state.db").exists() {
        return Ok(Vec::new());
    }
    let mut ops = Vec::new();
    for row in SqliteStore::open(state)?.runs()?.into_iter().filter(|row| row.created >= since) {
        let run = RunPlan::parse(&row.plan)?;
        ops.extend(run.tenant_before.into_iter().chain(run.tenant_after).map(|one| TenantOp {
            op: one.op,
            account: one.account,
            policy: one.policy,
            group: one.group,
        }));
    }
    ops.sort();
    ops.dedup();
    Ok(ops)
}
