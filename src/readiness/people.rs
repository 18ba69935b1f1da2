//! What only people know: procedures, briefings, approvals, records (prerequisites 1.8 to 1.10).
//!
//! Each of them is unknown here; an attestation of the plan is what answers it.

use super::Judged;
use crate::dag::Index;
use crate::model::{Check, Feature, words};
use crate::plan::WaveSpec;

/// Names that are shown before a list is cut.
const SHOWN: usize = 10;

fn unattested() -> Judged {
    Judged::unknown("nobody has attested it")
}

/// Judges what is asked of the plan once.
pub(super) fn plan(index: &Index<'_>, add: &mut dyn FnMut(Check, Judged)) {
    add(Check::RecWorkflow, unattested());
    add(Check::RecEscalation, unattested());
    add(Check::PplChangeRecord, change_record(index));
}

/// Owner, reason and end are in every exclusion: a plan without them can't be read.
fn change_record(index: &Index<'_>) -> Judged {
    let all = &index.plan.exclusions;
    let none = all.iter().filter(|one| one.ticket.as_ref().is_none_or(|ticket| ticket.trim().is_empty()));
    let none: Vec<String> = none.map(|one| format!("`{}`", one.id.value)).collect();
    if none.is_empty() {
        return Judged::pass(match all.len() {
            0 => "the plan has no exclusions".to_owned(),
            count => format!("{count} exclusions, each with owner, reason, end and ticket"),
        });
    }
    Judged::warn(format!("no ticket is written under {}", words::some(none, SHOWN)))
}

/// Judges what is asked of a wave.
pub(super) fn wave(index: &Index<'_>, wave: &WaveSpec, add: &mut dyn FnMut(Check, Judged)) {
    for check in [Check::PplCommunication, Check::PplMode, Check::PplServiceDesk, Check::PplRollback] {
        add(check, unattested());
    }
    // They concern every migration: restarts, the sign-in prompt, the banner. ConfigMgr's removal is one more of them.
    add(
        Check::PplKnownBehaviours,
        if index.plan.features.on.has(Feature::ConfigmgrRemoval) {
            Judged::unknown("nobody has attested it, and the ConfigMgr client is removed too")
        } else {
            unattested()
        },
    );
    add(
        Check::AppsReadiness,
        if wave.needs.is_empty() {
            Judged::not_applicable("it waits for no other wave: applications are tried on its devices")
        } else {
            unattested()
        },
    );
}
