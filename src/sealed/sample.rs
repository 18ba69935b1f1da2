//! Bodies of small fleets, for tests of everything that is made from a body.

use jiff::SignedDuration;

use super::{Body, Input, SealInput, seal};
use crate::dag::fixture::{Fleet, Join, named};
use crate::diff::{decide_ahead, select};
use crate::model::{Digest, RunId, Scenario};
use crate::run::RunPlan;
use crate::trust::digest_of;

pub(super) const RUN: RunId = RunId(uuid::Uuid::from_u128(7));

/// Hybrid devices in one wave.
pub(crate) fn fleet(n: usize) -> Fleet {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, n);
    fleet.plan.waves[0].devices = named("pc-*");
    fleet.plan.waves.truncate(1);
    fleet
}

pub(super) fn inputs() -> Vec<Input> {
    vec![
        Input { name: "plan.yaml".to_owned(), sha256: Digest::of(b"plan") },
        Input { name: "devices.csv".to_owned(), sha256: Digest::of(b"devices") },
    ]
}

/// The body of a fleet's first wave.
pub(crate) fn sample_of(fleet: &Fleet) -> Body {
    let wave = fleet.plan.waves[0].name.value.clone();
    let decision = decide_ahead(&fleet.plan, &fleet.snapshot, Some(&wave)).expect("no cycle");
    let changes = select(&decision.changes, &wave).expect("a wave");
    let now = fleet.plan.as_of;
    let run = RunPlan::from_changes(&changes, &fleet.plan, &wave, RUN, now).expect("a run");
    seal(SealInput {
        index: &decision.index,
        changes: &changes,
        run: run.with_ledger(&fleet.snapshot.ledger),
        tool: "1",
        sealed_at: now,
        not_after: now + SignedDuration::from_hours(24),
        inputs: inputs(),
        snapshot: digest_of(&fleet.snapshot).expect("JSON"),
        parent: None,
    })
}

/// The body of a fleet of so many devices.
pub(crate) fn sample(devices: usize) -> Body {
    sample_of(&fleet(devices))
}
