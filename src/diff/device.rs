//! One device: where it stands, and what becomes of each operation.

use std::collections::BTreeSet;

use super::{Action, Change, DeviceChanges, Reason, Standing, blockers};
use crate::dag::{
    Assigned, Blocker, Case, Chain, Held, Index, Mapping, OpSet, Retiring, View, is_begun, map, present, retiring, spec,
};
use crate::model::{Check, DeviceFacts, Op, OwnerRole};
use crate::readiness::{OutcomeKind, Readiness, check_of_mapping};
use crate::wire::Task;

/// Decides one device, without a look at gates and windows. `known` are the scenario's device operations;
/// `chain` is none where the device is in no wave or excluded.
pub(crate) fn decide(
    index: &Index<'_>,
    assigned: &Assigned,
    view: &View<'_>,
    chain: Option<&Chain>,
    known: OpSet,
    ready: Ready<'_>,
) -> DeviceChanges {
    let facts = blockers::evidence(view);
    // Devices out of the graph are looked at only where an earlier run, or a person, moved them.
    let own = if chain.is_none() && view.past { Some(Chain::new(present(index, view))) } else { None };
    let chain = chain.or(own.as_ref());
    let draft = Draft { index, assigned, view, known, ready };
    let Some(chain) = chain else { return draft.outside() };
    let facts = match facts {
        Ok(facts) => facts,
        Err(blocker) => return draft.without_facts(chain, blocker),
    };
    if view.by_hand() {
        return draft.by_hand(chain);
    }
    let mapping = map(index, view, facts);
    let case = Case::new(index, view, facts, mapping.as_ref().ok());
    let (satisfied, found) = case.satisfied(chain);
    if satisfied.contains(chain.ops) {
        return draft.done(chain, &found);
    }
    if assigned.exclusion.is_some() || assigned.wave.is_none() {
        return draft.outside();
    }
    let mut problems = draft.problems();
    blockers::device(index, view, facts, &mut problems);
    problems.extend(ready.blockers());
    let mapping = match mapping {
        Ok(mapping) => Some(mapping),
        Err(more) => {
            // Readiness has said most of it already, where it looks at the device at all.
            let said: BTreeSet<Check> = problems.iter().filter_map(|one| one.check).collect();
            problems.extend(more.into_iter().filter(|one| !said.contains(&check_of_mapping(one.code))));
            None
        }
    };
    let said: BTreeSet<&str> = problems.iter().map(|one| one.code).collect();
    let mut gaps = Vec::new();
    blockers::unread(index, view, chain, satisfied, &mut gaps);
    gaps.retain(|gap| !said.contains(gap.code));
    problems.extend(gaps);
    let unread = found.iter().find(|(op, held)| *held == Held::Unknown && !satisfied.has(*op));
    if let (Some((op, _)), true) = (unread, problems.is_empty()) {
        problems.push(Blocker::new(
            "observation.incomplete",
            OwnerRole::Identity,
            format!("{}: whether {} is done couldn't be read", view.device, op),
            "mend what stops the reading and plan again",
        ));
    }
    let (Some(mapping), true) = (mapping, problems.is_empty()) else { return draft.blocked(chain, problems) };
    draft.runs(chain, satisfied, &found, facts, &mapping)
}

/// What readiness says of one device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready<'r> {
    pub(crate) of: &'r Readiness,
    /// The device's position in the assignment.
    pub(crate) at: usize,
}

impl Ready<'_> {
    fn blockers(&self) -> Vec<Blocker> {
        self.of.device_blockers(self.at)
    }
    /// Returns the checks that an exclusion covers, once each, in order.
    fn excepted(&self) -> Vec<Check> {
        let excepted = self.of.of_device(self.at).filter(|f| f.outcome.kind() == OutcomeKind::Excepted);
        let checks: BTreeSet<Check> = excepted.map(|finding| finding.check).collect();
        checks.into_iter().collect()
    }
}

struct Draft<'i, 'a> {
    index: &'i Index<'a>,
    assigned: &'i Assigned,
    view: &'i View<'a>,
    known: OpSet,
    ready: Ready<'i>,
}

impl Draft<'_, '_> {
    /// Reads the whole list of changes from what becomes of an operation that the device has.
    fn finish(&self, standing: Standing, chain: OpSet, change: impl Fn(Op) -> (Action, Reason)) -> DeviceChanges {
        let mut changes = Vec::with_capacity(self.known.len());
        for op in self.known.iter() {
            let (action, reason) = if chain.has(op) { change(op) } else { (Action::Skip, self.left_out(op)) };
            changes.push(Change { op, action, reason });
        }
        DeviceChanges { device: self.view.device.clone(), wave: self.assigned.wave, standing, task: None, changes }
    }

    /// Says why an operation isn't part of the device's chain.
    fn left_out(&self, op: Op) -> Reason {
        if spec(op).feature.is_some_and(|feature| !self.index.plan.features.on.has(feature)) {
            Reason::FeatureOff
        } else if op == Op::RetireOldObject && retiring(self.index, self.view) == Retiring::Kept {
            Reason::Kept
        } else {
            Reason::NothingThere
        }
    }

    fn problems(&self) -> Vec<Blocker> {
        self.assigned.blockers.iter().chain(&self.view.blockers).cloned().collect()
    }

    /// Excluded, or in no wave.
    fn outside(&self) -> DeviceChanges {
        let exclusion = self.assigned.exclusion.and_then(|at| self.index.plan.exclusions.get(at as usize));
        if let Some(exclusion) = exclusion {
            let standing = Standing::Excluded {
                exclusion: exclusion.id.value.clone(),
                owner: exclusion.owner.clone(),
                reason: exclusion.reason.clone(),
                until: exclusion.until,
            };
            return self.finish(standing, self.known, |_| (Action::Skip, Reason::Excluded));
        }
        let mut problems = self.problems();
        let open = self.view.past && !self.view.by_hand();
        if open && self.view.record.is_some_and(is_begun) {
            problems.push(Blocker::new(
                "device.wave-lost",
                OwnerRole::ProjectLead,
                format!("{}: an earlier run began it, and no wave selects it any more", self.view.device),
                "select it by name in the wave that it belongs to, so that it is finished",
            ));
        }
        if problems.is_empty() {
            return self.finish(Standing::NoWave, self.known, |_| (Action::Skip, Reason::NoWave));
        }
        self.finish(Standing::Blocked(problems), self.known, |_| (Action::Blocked, Reason::Blocked))
    }

    fn without_facts(&self, chain: &Chain, blocker: Blocker) -> DeviceChanges {
        if self.assigned.exclusion.is_some() || self.assigned.wave.is_none() {
            return self.outside();
        }
        let mut problems = self.problems();
        problems.push(blocker);
        self.blocked(chain, problems)
    }

    fn blocked(&self, chain: &Chain, problems: Vec<Blocker>) -> DeviceChanges {
        let unknown = problems.iter().all(Blocker::is_unknown);
        let reason = if unknown { Reason::Unknown } else { Reason::Blocked };
        self.finish(Standing::Blocked(problems), chain.ops, |_| (Action::Blocked, reason))
    }

    /// Somebody else moved it: what can be seen is as wanted, and nothing old is proven to be its own.
    fn by_hand(&self, chain: &Chain) -> DeviceChanges {
        self.finish(Standing::Done, chain.ops, |op| match op {
            Op::UnjoinDomain | Op::LeaveEntra | Op::ApplyPackage | Op::VerifyJoin => {
                (Action::Nothing, Reason::AlreadySo)
            }
            _ => (Action::Nothing, Reason::ChainComplete),
        })
    }

    fn done(&self, chain: &Chain, found: &[(Op, Held)]) -> DeviceChanges {
        self.finish(Standing::Done, chain.ops, |op| (Action::Nothing, held_reason(found, op)))
    }

    fn runs(
        &self,
        chain: &Chain,
        satisfied: OpSet,
        found: &[(Op, Held)],
        facts: &DeviceFacts,
        mapping: &Mapping<'_>,
    ) -> DeviceChanges {
        let staging = &facts.staging;
        let begun = self.view.past || staging.recorded.is_some() || staging.boot_start || staging.banner;
        let standing = if begun { Standing::Resume } else { Standing::Migrate };
        let mut changes = self.finish(standing, chain.ops, |op| {
            if satisfied.has(op) {
                return (Action::Nothing, held_reason(found, op));
            }
            let held = found.iter().find(|(other, _)| *other == op).map(|(_, held)| *held);
            let holds = matches!(held, Some(Held::Seen | Held::Recorded));
            (Action::Do, if holds { Reason::ChainIncomplete } else { Reason::NotYetSo })
        });
        changes.task = self.task(mapping).map(Box::new);
        changes
    }

    fn task(&self, mapping: &Mapping<'_>) -> Option<Task> {
        let plan = self.index.plan;
        let wave = plan.waves.get(usize::from(self.assigned.wave?))?;
        Some(Task {
            device: self.view.device.clone(),
            serial: self.view.row.and_then(|row| row.serial.clone()),
            scenario: plan.scenario,
            features: plan.features.on,
            mode: wave.mode,
            origin_tenant: self.index.origin()?.id,
            target_tenant: self.index.destination()?.id,
            old_sid: mapping.old_sid.clone(),
            profile_path: mapping.path.to_owned(),
            user: mapping.user.id,
            upn: mapping.user.upn.clone(),
            new_sid: mapping.new_sid.clone(),
            package: wave.package.clone(),
            package_sha256: plan.package(&wave.package).and_then(|package| package.sha256),
            old_device: self.view.old.device_id,
            excepted: self.ready.excepted(),
            attested: self.ready.of.attested.clone(),
        })
    }
}

fn held_reason(found: &[(Op, Held)], op: Op) -> Reason {
    match found.iter().find(|(other, _)| *other == op) {
        Some((_, Held::Recorded)) => Reason::DoneBefore,
        _ => Reason::AlreadySo,
    }
}
