//! The reasons of a device as a sealed plan holds them: from the file alone.

use std::collections::BTreeMap;

use super::steps::{Source, steps};
use super::{BlockerWhy, CheckWhy, ExclusionWhy, FORMAT, IdentityWhy, WaveWhy, Why};
use crate::diff::Change;
use crate::model::Op;
use crate::render::when::Zone;
use crate::sealed::{Body, DeviceLine, operation_line};

/// Returns why a device of a sealed plan takes what it takes; one operation or all.
#[must_use]
pub fn of_body(body: &Body, device: &DeviceLine, only: Option<Op>) -> Why {
    let zone = Zone::named(&body.plan.zone);
    let changes: Vec<Change> =
        body.chain(device).iter().map(|line| Change { op: line.0, action: line.1, reason: line.2 }).collect();
    let effects: BTreeMap<Op, (&str, &str)> =
        device.effects.iter().map(|line| (line.0, (body.text(line.1), body.text(line.2)))).collect();
    let subject = format!("device {}", device.name);
    // A sealed plan tells what wants a look; what holds isn't in it.
    let own =
        |finding: &&crate::sealed::FindingLine| finding.subject == subject || !finding.subject.starts_with("device ");
    let findings: Vec<&crate::sealed::FindingLine> = body.findings.iter().filter(own).collect();
    let checks = |check: crate::model::Check| {
        let hits = findings.iter().filter(|finding| finding.code == check.id());
        let line = |finding: &&crate::sealed::FindingLine| CheckWhy {
            code: finding.code.clone(),
            outcome: finding.outcome.clone(),
            seen: finding.seen.clone(),
            blocks: finding.blocks,
        };
        hits.map(line).collect()
    };
    let operations = steps(
        &changes,
        only,
        &Source {
            scenario: body.plan.scenario,
            operation: &|op| body.operation(op).cloned().unwrap_or_else(|| operation_line(op)),
            effect: &|op| effects.get(&op).map(|(before, after)| ((*before).to_owned(), (*after).to_owned())),
            checks: &checks,
            granted: &|_, _| None,
        },
    );
    let task = body.run.devices.iter().find(|run| run.task.device.as_str() == device.name).map(|run| &run.task);
    let exclusion = device.exclusion.as_ref().and_then(|id| body.exclusions.iter().find(|one| one.id == *id));
    Why {
        format: FORMAT,
        device: device.name.clone(),
        standing: device.standing.clone(),
        because: vec![format!(
            "plan {} was sealed at {} on what was observed at {}",
            body.plan.name,
            zone.moment(body.sealed_at),
            zone.moment(body.as_of)
        )],
        wave: body.waves.iter().find(|wave| wave.name == body.wave).map(|wave| WaveWhy {
            name: wave.name.clone(),
            selected_by: "it was in the wave when the plan was sealed".to_owned(),
            gate: wave.missing.clone(),
            window: match wave.window {
                Some((from, until)) => {
                    let hours = wave.hours.as_ref().map(|hours| format!(", {hours}")).unwrap_or_default();
                    format!("{} to {}{hours}", zone.moment(from), zone.moment(until))
                }
                None => "it has no window: it may start at any time".to_owned(),
            },
            package: wave.package.clone(),
        }),
        exclusion: exclusion.map(|one| ExclusionWhy {
            id: one.id.clone(),
            owner: one.owner.clone(),
            reason: one.reason.clone(),
            until: zone.last_day(one.until),
        }),
        identity: task.map(|task| IdentityWhy {
            old_sid: task.old_sid.to_string(),
            old_user: None,
            user: task.upn.clone(),
            user_id: Some(task.user.to_string()),
            new_sid: task.new_sid.to_string(),
            profile: Some(task.profile_path.clone()),
            how: "it was sealed so".to_owned(),
        }),
        blockers: device
            .blockers
            .iter()
            .map(|one| BlockerWhy {
                code: one.code.clone(),
                check: crate::model::Check::ALL.iter().find(|check| check.id() == one.code).map(|c| c.id().to_owned()),
                message: body.text(one.message).to_owned(),
                next: body.text(one.next).to_owned(),
                owner: one.owner.as_str().to_owned(),
            })
            .collect(),
        operations,
    }
}
