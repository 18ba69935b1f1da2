//! The reasons of a device as they were decided: from the plan, what was observed, and the decision itself.

use std::collections::BTreeMap;

use super::steps::{Source, steps};
use super::{BlockerWhy, CheckWhy, ExclusionWhy, FORMAT, IdentityWhy, WaveWhy, Why};
use crate::dag::{Index, View, map, person};
use crate::diff::{Decision, DeviceChanges, Standing, WindowState, effect, window_state};
use crate::model::{Check, Op, Sid};
use crate::plan::{DeviceSource, Selector, UserMatch};
use crate::readiness::{Finding, OutcomeKind, Subject, one_device};
use crate::render::when::Zone;
use crate::sealed::operation_line;
use crate::state::User;

/// Returns why a device takes what it takes; the device by its position among those of the decision, one operation or
/// all. None where there is no such device.
#[must_use]
pub fn of_decision(decision: &Decision<'_>, at: usize, only: Option<Op>) -> Option<Why> {
    let (index, view) = (&decision.index, decision.views.get(at)?);
    let device = decision.changes.devices.get(at)?;
    let assigned = decision.assignment.devices.get(at)?;
    let plan = index.plan;
    let zone = Zone::named(&plan.zone);
    let own = one_device(index, assigned, view);
    let wave = device.wave.and_then(|at| plan.waves.get(usize::from(at)));
    // What the device rests on besides itself: its wave, its package, the tenants, the plan.
    let around: Vec<&Finding> = decision
        .changes
        .readiness
        .findings
        .iter()
        .filter(|finding| !matches!(finding.subject, Subject::Device(_)))
        .filter(|finding| match &finding.subject {
            Subject::Wave(name) => wave.is_some_and(|wave| wave.name.value == *name),
            Subject::Package(name) => wave.is_some_and(|wave| wave.package == *name),
            _ => wave.is_none_or(|wave| finding.concerns(&wave.name.value)),
        })
        .collect();
    let mut by_check: BTreeMap<Check, Vec<CheckWhy>> = BTreeMap::new();
    for finding in own.iter().chain(around).filter(|finding| finding.outcome.kind() != OutcomeKind::NotApplicable) {
        by_check.entry(finding.check).or_default().push(check(finding));
    }
    let granted = |tenant: &str, permission: &str| {
        let side = if tenant == "origin" { index.origin() } else { index.destination() };
        let all = side?.state?.granted.known()?;
        Some(all.iter().any(|one| one.as_str() == permission))
    };
    let operations = steps(
        &device.changes,
        only,
        &Source {
            scenario: plan.scenario,
            operation: &operation_line,
            effect: &|op| effect(op, device, index),
            checks: &|check| by_check.get(&check).cloned().unwrap_or_default(),
            granted: &granted,
        },
    );
    Some(Why {
        format: FORMAT,
        device: device.device.to_string(),
        standing: standing(&device.standing).to_owned(),
        because: because(index, view, device),
        wave: wave_why(decision, device),
        exclusion: match &device.standing {
            Standing::Excluded { exclusion, owner, reason, until } => Some(ExclusionWhy {
                id: exclusion.clone(),
                owner: owner.clone(),
                reason: reason.clone(),
                until: zone.last_day(*until),
            }),
            _ => None,
        },
        identity: identity(index, view),
        blockers: match &device.standing {
            Standing::Blocked(list) => list
                .iter()
                .map(|one| BlockerWhy {
                    code: one.code.to_owned(),
                    check: one.check.map(|check| check.id().to_owned()),
                    message: one.message.clone(),
                    next: one.next.clone(),
                    owner: one.owner.as_str().to_owned(),
                })
                .collect(),
            _ => Vec::new(),
        },
        operations,
    })
}

fn check(finding: &Finding) -> CheckWhy {
    CheckWhy {
        code: finding.code.to_owned(),
        outcome: finding.outcome.kind().as_str().to_owned(),
        seen: finding.seen.to_string(),
        blocks: finding.blocks(),
    }
}

fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::Migrate => "migrate",
        Standing::Resume => "resume",
        Standing::Done => "done",
        Standing::Excluded { .. } => "excluded",
        Standing::Blocked(_) => "blocked",
        Standing::NoWave => "no-wave",
    }
}

/// Says where the device comes from and how far it is.
fn because(index: &Index<'_>, view: &View<'_>, device: &DeviceChanges) -> Vec<String> {
    let mut all = Vec::new();
    all.push(match (&index.plan.devices, view.row) {
        (DeviceSource::Inventory(_), Some(row)) => {
            let site = row.site.as_ref().map(|site| format!(", site {site}")).unwrap_or_default();
            let user = row.user.as_ref().map(|user| format!(", user {user}")).unwrap_or_default();
            format!("a row of the inventory names it{site}{user}")
        }
        (DeviceSource::Inventory(_), None) => "no row of the inventory names it; an earlier run began it".to_owned(),
        (DeviceSource::Selector(selector), _) => format!("the plan's devices are {}", selector_text(selector)),
    });
    match view.evidence {
        Some(crate::model::Known::Known(evidence)) => all.push(format!(
            "its agent looked at {} and found it {}",
            Zone::named(&index.plan.zone).moment(evidence.at),
            evidence.facts.join_state().as_str()
        )),
        Some(crate::model::Known::Unknown(why)) => all.push(format!("its agent's report couldn't be read: {why}")),
        Some(crate::model::Known::Absent) | None => all.push("no agent of it ever reported".to_owned()),
    }
    if let Some(record) = view.record {
        let short: String = record.run.to_string().chars().take(8).collect();
        let past = if view.past { "; it is past the point of no return" } else { "" };
        all.push(format!("run {short} has a record of it{past}"));
    }
    if device.standing == Standing::Done {
        all.push("nothing of its chain is left to do".to_owned());
    }
    all
}

fn wave_why(decision: &Decision<'_>, device: &DeviceChanges) -> Option<WaveWhy> {
    let plan = decision.index.plan;
    let at = usize::from(device.wave?);
    let (wave, change) = (plan.waves.get(at)?, decision.changes.waves.get(at)?);
    let zone = Zone::named(&plan.zone);
    let window = match wave.window.as_ref().map(|window| window_state(window, plan.as_of)) {
        None => "it has no window: it may start at any time".to_owned(),
        Some(WindowState::Open(until)) => format!("open until {}", zone.moment(until)),
        Some(WindowState::Opens(at)) => format!("closed; it opens at {}", zone.moment(at)),
        Some(WindowState::Over) => "over for good".to_owned(),
        Some(WindowState::UnknownZone) => "not known: its time zone isn't known here".to_owned(),
    };
    let recorded = decision.index.snapshot.ledger.get(&device.device).and_then(|record| record.wave.as_ref());
    let selected_by = if recorded == Some(&wave.name.value) {
        format!(
            "an earlier run of it began the device, which stays in it; its devices are {}",
            selector_text(&wave.devices)
        )
    } else {
        format!("its devices are {}", selector_text(&wave.devices))
    };
    Some(WaveWhy {
        name: wave.name.value.to_string(),
        selected_by,
        gate: change.missing.clone(),
        window,
        package: wave.package.to_string(),
    })
}

/// Returns a selector in words.
fn selector_text(selector: &Selector) -> String {
    let many = |list: &[Selector], word: &str| {
        let parts: Vec<String> = list
            .iter()
            .map(|one| match one {
                Selector::All(inner) | Selector::Any(inner) if inner.len() > 1 => format!("({})", selector_text(one)),
                _ => selector_text(one),
            })
            .collect();
        parts.join(word)
    };
    match selector {
        Selector::All(list) => many(list, " and "),
        Selector::Any(list) => many(list, " or "),
        Selector::Not(one) => format!("not those {}", selector_text(one)),
        Selector::Group(name) => format!("in the group `{}`", name.value),
        Selector::Name(glob) => format!("named `{}`", glob.value),
        Selector::Site(site) => format!("at the site `{}`", site.value),
        Selector::Ou(ou) => format!("below `{}`", ou.value),
        Selector::Everything => "all of the plan".to_owned(),
    }
}

fn identity(index: &Index<'_>, view: &View<'_>) -> Option<IdentityWhy> {
    let facts = view.facts()?;
    // A profile or account that isn't fit to move yet is told among the blockers; whose it is is known all the same.
    let (old_sid, user, profile): (Sid, &User, Option<String>) = match map(index, view, facts) {
        Ok(mapping) => (mapping.old_sid, mapping.user, Some(mapping.path.to_owned())),
        Err(_) => {
            let (sid, user) = person(index, view, facts)?;
            let path = facts.profile_of(&sid).map(|profile| profile.path.clone());
            (sid, user, path)
        }
    };
    let old_user = crate::dag::origin_user(index, &old_sid).map(|user| user.upn.clone());
    let named = view.row.and_then(|row| row.user.as_deref());
    let whose = match named {
        Some(name) => format!("the inventory names {name}"),
        None => "it is the one profile that can be meant".to_owned(),
    };
    let how = match &index.plan.users {
        _ if view.past => "an earlier run recorded it".to_owned(),
        UserMatch::OnPremisesSid => format!("{whose}; the user's on-premises SID is the old one"),
        UserMatch::Mapping(_) => format!("{whose}; the mapping file gives the new user for the old one"),
    };
    Some(IdentityWhy {
        new_sid: Sid::of_entra_user(user.id).to_string(),
        old_sid: old_sid.to_string(),
        old_user,
        user: user.upn.clone(),
        user_id: Some(user.id.to_string()),
        profile,
        how,
    })
}
