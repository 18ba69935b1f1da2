//! An assessment as JSON for other programs: `opsole.check/1`.
//!
//! ```json
//! {
//!   "format": "opsole.check/1",
//!   "plan": "contoso", "as_of": "2026-12-02T18:30:00Z", "wave": "pilot", "device": null,
//!   "verdict": "blocked", "waits": ["london"],
//!   "counts": {"fail": 1, "attested": 9, "pass": 48},
//!   "findings": [{
//!     "check": "dev.tpm", "code": "dev.tpm", "outcome": "fail", "measured": "fail", "blocks": true,
//!     "subject": {"kind": "device", "name": "LON-IT-001"}, "wave": "pilot",
//!     "seen": "TPM 1.2, 2.0 is needed", "remedy": "…",
//!     "owner": {"role": "endpoint", "mailbox": "desktop@contoso.com"},
//!     "attested": null, "excepted": null
//!   }],
//!   "besides": [{"code": "device.wave-unknown", "devices": 3, "first": "LON-IT-001", "seen": "…", "remedy": "…", "owner": {}}],
//!   "tallies": [{"check": "dev.tpm", "fail": 1, "pass": 9}]
//! }
//! ```
//!
//! `findings` holds every outcome of plan, tenants, directory, packages and waves, and of devices those that want a
//! look; with `--device` all of that device. `besides` holds what keeps devices back and is no check. `tallies` counts
//! every device check. `waits` names the waves that wait at their gates: a finding of `pilot.exit` that doesn't hold has
//! `blocks: false` and stands behind it. New keys may be added.

use serde_json::{Map, Value, json};

use super::beside::Beside;
use super::view::CheckView;
use crate::readiness::{Finding, Outcome, OutcomeKind};

/// Name and version of the shape.
pub const FORMAT: &str = "opsole.check/1";

/// Returns the assessment as a JSON document.
#[must_use]
pub fn document(view: &CheckView<'_>) -> Value {
    let key = |kind: OutcomeKind| kind.as_str().replace(' ', "-");
    let counts: Map<String, Value> =
        view.counts().into_iter().map(|(kind, number)| (key(kind), number.into())).collect();
    let findings: Vec<Value> = view
        .rows
        .iter()
        .flat_map(|row| &row.findings)
        .map(|found| {
            let wave = found.wave.and_then(|at| view.plan.waves.get(usize::from(at)));
            let mailbox = view.plan.owners.get(&found.owner).map(String::as_str);
            finding(found, wave.map(|wave| wave.name.value.as_str()), mailbox)
        })
        .collect();
    let tallies: Vec<Value> = view
        .tallies()
        .iter()
        .map(|(check, tally)| {
            let mut row = Map::from_iter([("check".to_owned(), Value::from(check.id()))]);
            let counted = OutcomeKind::ALL.into_iter().filter(|kind| tally.of(*kind) > 0);
            row.extend(counted.map(|kind| (key(kind), tally.of(kind).into())));
            Value::Object(row)
        })
        .collect();
    let beside = |one: &Beside<'_>| {
        let mailbox = view.plan.owners.get(&one.owner).map(String::as_str);
        json!({
            "code": one.code,
            "devices": one.devices,
            "first": one.first,
            "seen": one.seen,
            "remedy": one.next,
            "owner": {"role": one.owner, "mailbox": mailbox},
        })
    };
    let besides: Vec<Value> = view.besides.iter().map(beside).collect();
    json!({
        "format": FORMAT,
        "plan": view.plan.name,
        "as_of": view.as_of,
        "wave": view.wave,
        "device": view.device,
        "verdict": view.verdict(),
        "waits": view.waiting(),
        "counts": counts,
        "findings": findings,
        "besides": besides,
        "tallies": tallies,
    })
}

/// Returns one finding as JSON; plans and checks have it alike.
pub(in crate::render) fn finding(found: &Finding, wave: Option<&str>, mailbox: Option<&str>) -> Value {
    let (attested, excepted) = match &found.outcome {
        Outcome::Attested(word) => (Some(word), None),
        Outcome::Fail(word) => (word.as_ref(), None),
        Outcome::Excepted(word) => (None, Some(word)),
        Outcome::Pass | Outcome::Warn | Outcome::Unknown | Outcome::NotApplicable => (None, None),
    };
    json!({
        "check": found.check,
        "code": found.code,
        "outcome": found.outcome.kind().as_str().replace(' ', "-"),
        "measured": found.measured,
        "blocks": found.blocks(),
        "subject": {"kind": found.subject.kind(), "name": found.subject.name()},
        "wave": wave,
        "seen": found.seen,
        "remedy": found.remedy,
        "owner": {"role": found.owner, "mailbox": mailbox},
        "attested": attested,
        "excepted": excepted,
    })
}
