//! Postconditions of operations, held against the snapshot. Each answer is yes, no, or unknown.
//!
//! These are the `done_when` texts of the catalogue. What can't be seen in the world afterwards is taken
//! from the record of the run that did it, never assumed.

use super::{Chain, Index, Mapping, OpSet, Retiring, View, counterpart, groups, retiring};
use crate::model::{DeviceFacts, Op, ProfileHealth, RetirePolicy, Sid, TenantId, UserId};
use crate::state::{EntraDevice, Outcome};

/// Whether a postcondition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// It is seen in the snapshot.
    Seen,
    /// A record says that it was done, and nothing seen speaks against it.
    Recorded,
    /// It doesn't hold.
    No,
    /// What decides it couldn't be read.
    Unknown,
}

impl Held {
    fn of(yes: bool) -> Self {
        if yes { Self::Seen } else { Self::No }
    }
    fn unless(gap: Option<&str>, yes: bool) -> Self {
        if gap.is_some() { Self::Unknown } else { Self::of(yes) }
    }
}

/// What one device's postconditions are held against.
pub(crate) struct Case<'i, 'a> {
    pub(crate) index: &'i Index<'a>,
    pub(crate) view: &'i View<'a>,
    pub(crate) facts: &'a DeviceFacts,
    pub(crate) target: Option<TenantId>,
    pub(crate) old_sid: Option<Sid>,
    pub(crate) user: Option<UserId>,
    pub(crate) new_sid: Option<Sid>,
}

impl<'i, 'a> Case<'i, 'a> {
    /// Collects what is known of a device. What the mapping can't tell is taken from the record, then from what lies
    /// on the device.
    pub(crate) fn new(
        index: &'i Index<'a>,
        view: &'i View<'a>,
        facts: &'a DeviceFacts,
        mapping: Option<&Mapping<'_>>,
    ) -> Self {
        let record = view.record;
        let user = mapping.map(|m| m.user.id).or_else(|| record.and_then(|record| record.user));
        let staged = facts.staging.recorded.as_ref().and_then(|recorded| recorded.profile.as_ref());
        Self {
            index,
            view,
            facts,
            target: index.destination().map(|tenant| tenant.id),
            old_sid: mapping
                .map(|m| m.old_sid.clone())
                .or_else(|| record.and_then(|record| record.old_sid.clone()))
                .or_else(|| staged.map(|(sid, _)| sid.clone())),
            user,
            new_sid: user.map(Sid::of_entra_user),
        }
    }

    /// Says whether the postcondition of one operation is seen now, on a device that is past the point of no return.
    /// A record doesn't stand in for what couldn't be read.
    pub(crate) fn seen_now(&self, op: Op) -> Held {
        self.seen(op, OpSet::default(), OpSet::default())
    }

    /// Returns the operations of a chain whose postconditions hold, together with all that come before
    /// them; and for each operation what was found.
    pub(crate) fn satisfied(&self, chain: &Chain) -> (OpSet, Vec<(Op, Held)>) {
        let mut satisfied = OpSet::default();
        let mut found = Vec::with_capacity(chain.steps.len());
        for (op, before) in &chain.steps {
            let held = self.holds(*op, satisfied, *before);
            found.push((*op, held));
            if matches!(held, Held::Seen | Held::Recorded) && satisfied.contains(*before) {
                satisfied = satisfied.with(*op);
            }
        }
        (satisfied, found)
    }

    fn holds(&self, op: Op, satisfied: OpSet, before: OpSet) -> Held {
        // Before the point of no return the chain begins anew: preflight never holds, so nothing after it counts.
        if !self.view.past {
            return self.before_the_commit(op);
        }
        let held = self.seen(op, satisfied, before);
        // A record outweighs what can't be read; what is seen outweighs the record.
        if held == Held::Unknown && self.recorded(op) { Held::Recorded } else { held }
    }

    fn before_the_commit(&self, op: Op) -> Held {
        let staging = &self.facts.staging;
        match op {
            Op::EscrowBitlocker => {
                let (Some(from), Some(device)) = (self.index.origin(), self.view.old.device_id) else {
                    return Held::No;
                };
                let protectors = &self.facts.bitlocker.protectors;
                Held::of(!protectors.is_empty() && protectors.iter().all(|p| from.has_key(p.id, device)))
            }
            Op::Stage => Held::of(staging.recorded.is_some()),
            Op::Arm => Held::of(staging.boot_start && staging.recovery_admin_proven && staging.banner),
            _ => Held::No,
        }
    }

    fn recorded(&self, op: Op) -> bool {
        self.view.record.is_some_and(|r| r.done.contains(&op) || r.outcome == Some(Outcome::Complete))
    }

    fn only_recorded(&self, op: Op) -> Held {
        if self.recorded(op) { Held::Recorded } else { Held::No }
    }

    fn seen(&self, op: Op, satisfied: OpSet, before: OpSet) -> Held {
        let facts = self.facts;
        match op {
            // Tenant and wave operations aren't a device's.
            Op::WaveGate | Op::WaveOpen | Op::ExcludePackageAccount | Op::RestorePackageAccount | Op::RevokePackage => {
                Held::No
            }
            Op::Preflight | Op::SnapshotCloud | Op::EscrowBitlocker | Op::Stage | Op::Arm => Held::Recorded,
            Op::UnjoinDomain => Held::of(facts.domain.as_ref().is_none_or(|domain| domain.leaving)),
            Op::LeaveEntra => {
                let left = facts.entra.is_none() && facts.staging.auto_rejoin_off;
                Held::of(self.view.moved || left)
            }
            Op::RemoveMdm => {
                let new = |mdm| self.target.is_some_and(|target| self.view.is_new_enrolment(mdm, target));
                Held::of(facts.mdm.as_ref().is_none_or(new))
            }
            Op::RemoveConfigmgr => Held::of(!facts.configmgr),
            Op::ApplyPackage => Held::of(self.view.moved || self.package_accepted()),
            Op::VerifyJoin => Held::of(self.view.moved),
            Op::SwapProfile => Held::of(self.swapped()),
            Op::RestoreLocalGroups => self.local_groups(),
            Op::CleanIdentityCaches => {
                Held::of(self.old_sid.as_ref().is_none_or(|sid| !facts.cached_identities.contains(sid)))
            }
            Op::RestoreLogonSurface => Held::of(self.surface()),
            Op::AwaitSignIn => {
                let signed = facts.sign_in.as_ref().is_some_and(|sign_in| {
                    Some(&sign_in.sid) == self.new_sid.as_ref() && sign_in.prt && self.is_after(sign_in.at)
                });
                // Somebody else may have signed in since.
                if signed { Held::Seen } else { self.only_recorded(op) }
            }
            Op::VerifyEnrolment => self.enrolled(),
            Op::SetPrimaryUser => self.primary_user(),
            Op::RestoreGroups => self.groups(op),
            Op::EscrowBitlockerNew => self.escrow(),
            Op::VerifyLaps => self.laps(),
            Op::AssignConfiguration => self.configuration(),
            // Nothing of its own: it holds where everything that it measures holds.
            Op::VerifyExit => Held::of(satisfied.contains(before)),
            Op::RetireOldIntune => self.old_intune(),
            Op::RetireOldAutopilot => self.old_autopilot(),
            Op::ImportAutopilot => self.new_autopilot(),
            Op::RetireOldObject => self.old_object(),
            Op::CleanUp => {
                let staging = &facts.staging;
                let artefacts = staging.boot_start || staging.banner || staging.recovery_admin_proven;
                Held::of(!artefacts && staging.recorded.is_none() && staging.package_file.is_none())
            }
        }
    }

    fn is_after(&self, at: jiff::Timestamp) -> bool {
        self.view.committed_at().is_none_or(|commit| at >= commit)
    }

    fn package_accepted(&self) -> bool {
        self.facts.staging.installed_package.as_ref().is_some_and(|package| {
            let since = self.facts.staging.recorded.as_ref().map(|recorded| recorded.at);
            self.is_after(package.at) && since.is_none_or(|since| package.at >= since)
        })
    }

    fn swapped(&self) -> bool {
        let Some(new) = &self.new_sid else { return false };
        let recorded = self.facts.staging.recorded.as_ref().and_then(|r| r.profile.as_ref()).map(|(_, path)| path);
        self.facts.profile_of(new).is_some_and(|profile| {
            profile.acl_owner == *new
                && profile.health != ProfileHealth::Temporary
                && recorded.is_none_or(|path| profile.path.eq_ignore_ascii_case(path))
                && self
                    .old_sid
                    .as_ref()
                    .and_then(|old| self.facts.profile_of(old))
                    .is_none_or(|old| !old.path.eq_ignore_ascii_case(&profile.path))
        })
    }

    fn local_groups(&self) -> Held {
        let (Some(old), Some(new)) = (&self.old_sid, &self.new_sid) else { return Held::No };
        let now = &self.facts.local_members;
        let wanted = self.facts.staging.recorded.as_ref().map_or(now, |recorded| &recorded.local_members);
        let mut of_old = wanted.iter().filter(|member| member.member == *old);
        Held::of(of_old.all(|old| now.iter().any(|member| member.group == old.group && member.member == *new)))
    }

    fn surface(&self) -> bool {
        let now = &self.facts.logon;
        let as_before = self.facts.staging.recorded.as_ref().is_none_or(|recorded| {
            now.legal_notice == recorded.logon.legal_notice
                && now.auto_logon == recorded.logon.auto_logon
                && now.disabled_providers == recorded.logon.disabled_providers
        });
        as_before && !self.facts.staging.banner
    }

    fn enrolled(&self) -> Held {
        let new = self
            .facts
            .mdm
            .as_ref()
            .zip(self.target)
            .is_some_and(|(mdm, target)| self.view.is_new_enrolment(mdm, target));
        let gap = self.index.destination().and_then(|tenant| tenant.managed.gap);
        let seen = self.view.new.managed.and_then(|managed| managed.last_sync).is_some_and(|at| self.is_after(at));
        if new { Held::unless(gap, seen) } else { Held::No }
    }

    fn primary_user(&self) -> Held {
        let Some(to) = self.index.destination() else { return Held::Unknown };
        let (Some(managed), Some(user)) = (self.view.new.managed, self.user) else {
            return Held::unless(to.managed.gap, false);
        };
        let Some(state) = to.state else { return Held::Unknown };
        match &state.primary_users {
            crate::model::Known::Known(users) => Held::of(users.get(&managed.id).is_some_and(|u| u[..] == [user])),
            crate::model::Known::Absent => Held::No,
            crate::model::Known::Unknown(_) => Held::Unknown,
        }
    }

    fn groups(&self, op: Op) -> Held {
        let Some(to) = self.index.destination() else { return Held::Unknown };
        if to.groups.gap.is_some() {
            return Held::Unknown;
        }
        let Some(device) = self.view.new.device else { return Held::unless(to.devices.gap, false) };
        let mut all = Held::Seen;
        for group in groups(self.index, self.view) {
            match counterpart(self.index, group) {
                Some(own) if to.is_member(device.id, own.id) => {}
                Some(_) => return Held::No,
                // The other tenant shows no such group: only the record can say what became of it.
                None => all = self.only_recorded(op),
            }
        }
        all
    }

    fn escrow(&self) -> Held {
        let Some(to) = self.index.destination() else { return Held::Unknown };
        let Some(device) = self.view.new.device_id else { return Held::No };
        let protectors = &self.facts.bitlocker.protectors;
        let all = !protectors.is_empty() && protectors.iter().all(|protector| to.has_key(protector.id, device));
        Held::unless(to.keys.gap, all)
    }

    fn laps(&self) -> Held {
        let Some(to) = self.index.destination() else { return Held::Unknown };
        let Some(device) = self.view.new.device_id else { return Held::No };
        Held::unless(to.laps.gap, to.laps_of(device).any(|backup| self.is_after(backup.backed_up)))
    }

    fn configuration(&self) -> Held {
        let (Some(to), Some((names, group))) = (self.index.destination(), &self.index.plan.features.profiles) else {
            return Held::Unknown;
        };
        let mut ids = to.groups_named(group).map(|group| group.id);
        let Some(id) = ids.next() else { return Held::unless(to.groups.gap, false) };
        let assigned = |name: &String| {
            let profile = to.profiles.items.iter().find(|profile| profile.name == *name);
            profile.is_some_and(|profile| profile.assignments.iter().any(|a| a.group == Some(id)))
        };
        Held::unless(to.profiles.gap, names.iter().all(assigned))
    }

    fn old_intune(&self) -> Held {
        let Some(from) = self.index.origin() else { return Held::Unknown };
        let old = self.view.record.and_then(|record| record.old_intune).or(self.view.old.managed.map(|m| m.id));
        Held::unless(from.managed.gap, old.is_none_or(|id| from.managed_device(id).is_none()))
    }

    fn old_autopilot(&self) -> Held {
        let Some(from) = self.index.origin() else { return Held::Unknown };
        Held::unless(from.autopilot.gap, self.view.old.autopilot.is_none())
    }

    fn new_autopilot(&self) -> Held {
        let Some(to) = self.index.destination() else { return Held::Unknown };
        let old = self.view.record.and_then(|record| record.old_autopilot.as_ref()).and_then(|(_, tag)| tag.as_deref());
        let wanted = self.index.plan.features.autopilot_tag.as_deref().or(old).unwrap_or_default();
        let is =
            |identity: &crate::state::AutopilotIdentity| identity.group_tag.as_deref().unwrap_or_default() == wanted;
        Held::unless(to.autopilot.gap, self.view.new.autopilot.is_some_and(is))
    }

    fn old_object(&self) -> Held {
        match retiring(self.index, self.view) {
            Retiring::Nothing | Retiring::Kept => Held::Seen,
            Retiring::Computer(policy) => {
                let computer = self.view.computer;
                let gone =
                    computer.is_none() || (policy == RetirePolicy::Disable && computer.is_some_and(|c| !c.enabled));
                let retired = Held::unless(self.index.computers.gap, gone);
                // The synchronisation takes the Entra half afterwards, and not at once.
                let is_half = |device: &EntraDevice| device.enabled && device.is_synchronised();
                let origin = self.index.origin().filter(|_| self.view.old.device_id.is_some());
                let gap = origin.and_then(|origin| origin.devices.gap);
                let half = Held::unless(gap, !self.view.old.device.is_some_and(is_half));
                if retired == Held::Seen { half } else { retired }
            }
            Retiring::EntraObject => {
                let gap = self.index.origin().and_then(|origin| origin.devices.gap);
                Held::unless(gap, self.view.old.device.is_none())
            }
        }
    }
}
