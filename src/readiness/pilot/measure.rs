//! The nine criteria held against one moved device: what its agent saw, what its run recorded, what the tenant has.
//!
//! Everything is measured now. A record counts only where the world can't show a thing any longer; what couldn't be
//! read is unknown, whatever a record says.

use std::borrow::Cow;

use jiff::tz::TimeZone;

use super::super::Text;
use super::super::cover::today;
use super::criterion::{Criterion, Measure};
use crate::dag::{Case, Held, Index, View, groups, map};
use crate::model::{Check, DeviceFacts, Feature, Known, Op, ProfileHealth, Survey};
use crate::plan::{Attestation, MigrationPlan};
use crate::state::{Evidence, Outcome, TrustType};

/// What people say of the applications on moved devices.
#[derive(Debug)]
pub(super) struct Attested<'a> {
    zone: TimeZone,
    /// In force today; the latest last.
    given: Vec<&'a Attestation>,
}

impl<'a> Attested<'a> {
    /// Collects the attestations that are in force at the plan's moment.
    pub(super) fn new(plan: &'a MigrationPlan) -> Self {
        let today = today(plan);
        let of = |one: &&Attestation| one.check.eq_ignore_ascii_case(Check::AppsReadiness.id());
        let in_force = |one: &&Attestation| one.on <= today && one.until.is_none_or(|end| end >= today);
        let mut given: Vec<&Attestation> = plan.attestations.iter().filter(of).filter(in_force).collect();
        given.sort_by_key(|one| one.on);
        Self { zone: TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC), given }
    }
}

/// Measures a device that is past the point of no return.
pub(super) fn device(index: &Index<'_>, view: &View<'_>, attested: &Attested<'_>) -> [(Criterion, Measure); 9] {
    let evidence = evidence(view);
    let mapping = evidence.as_ref().ok().map(|evidence| map(index, view, &evidence.facts));
    let mapping = mapping.as_ref().and_then(|mapping| mapping.as_ref().ok());
    let case = match &evidence {
        Ok(evidence) => Ok(Moved {
            index,
            view,
            facts: &evidence.facts,
            survey: evidence.survey.as_ref(),
            case: Case::new(index, view, &evidence.facts, mapping),
            tenant: index.destination().map_or("the destination", |tenant| tenant.name),
        }),
        Err(why) => Err(why.clone()),
    };
    Criterion::ALL.map(|criterion| {
        let measure = match (criterion, &case) {
            (Criterion::Applications, _) => applications(view, attested),
            (Criterion::Visible, _) => visible(view),
            (_, Err(why)) => Measure::unknown(why.clone()),
            (Criterion::Joined, Ok(moved)) => moved.joined(),
            (Criterion::Enrolled, Ok(moved)) => moved.enrolled(),
            (Criterion::SignIn, Ok(moved)) => moved.sign_in(),
            (Criterion::Profile, Ok(moved)) => moved.profile(),
            (Criterion::Recovery, Ok(moved)) => moved.recovery(),
            (Criterion::Assignments, Ok(moved)) => moved.assignments(),
            (Criterion::NoEdrBlocks, Ok(moved)) => moved.no_edr_blocks(),
        };
        (criterion, measure)
    })
}

/// Returns what the agent said since the move.
fn evidence<'a>(view: &View<'a>) -> Result<&'a Evidence, Text> {
    match view.evidence {
        None | Some(Known::Absent) => Err(Cow::Borrowed("no agent on it has reported")),
        Some(Known::Unknown(why)) => Err(Cow::Owned(format!("what its agent reported couldn't be read: {why}"))),
        Some(Known::Known(_)) if view.has_stale_evidence() => {
            Err(Cow::Borrowed("its agent hasn't reported since the move began"))
        }
        Some(Known::Known(evidence)) => Ok(evidence),
    }
}

fn applications(view: &View<'_>, attested: &Attested<'_>) -> Measure {
    let Some(last) = attested.given.last() else {
        return Measure::unknown("nobody attests `apps.readiness`");
    };
    // What was said before the device moved says nothing about it.
    let moved = view.committed_at().map(|at| at.to_zoned(attested.zone.clone()).date());
    if moved.is_some_and(|moved| last.on < moved) {
        return Measure::unknown(format!("`apps.readiness` was attested on {}, before it was moved", last.on));
    }
    Measure::attested(format!("{} on {}", last.by, last.on))
}

fn visible(view: &View<'_>) -> Measure {
    let Some(record) = view.record else {
        return Measure::not_met("no run of it is recorded");
    };
    match &record.outcome {
        Some(Outcome::Complete) => Measure::met("its run ended complete"),
        None => Measure::not_met("its run hasn't ended"),
        Some(Outcome::PendingVerification(problem)) => {
            Measure::not_met(format!("its last run ended pending: {}", problem.message))
        }
        Some(Outcome::RecoveryRequired(problem)) => {
            Measure::not_met(format!("its last run ended and a person is needed: {}", problem.message))
        }
        Some(Outcome::Undone(problem)) => Measure::not_met(format!("its last run was put back: {}", problem.message)),
        Some(Outcome::NotStarted(why)) => Measure::not_met(format!("its last run didn't start it: {why}")),
    }
}

struct Moved<'i, 'a> {
    index: &'i Index<'a>,
    view: &'i View<'a>,
    facts: &'a DeviceFacts,
    survey: Option<&'a Survey>,
    case: Case<'i, 'a>,
    /// The destination's name.
    tenant: &'a str,
}

impl Moved<'_, '_> {
    fn on(&self, feature: Feature) -> bool {
        self.index.plan.features.on.has(feature)
    }
    fn is_after(&self, at: jiff::Timestamp) -> bool {
        self.view.committed_at().is_none_or(|commit| at >= commit)
    }
    fn recorded(&self, op: Op) -> bool {
        self.view.record.is_some_and(|r| r.done.contains(&op) || r.outcome == Some(Outcome::Complete))
    }

    fn joined(&self) -> Measure {
        let Some(entra) = &self.facts.entra else { return Measure::not_met("it isn't joined to Microsoft Entra ID") };
        if self.case.target != Some(entra.tenant) {
            return Measure::not_met(format!("it is joined to tenant {} and not to `{}`", entra.tenant, self.tenant));
        }
        if let Some(domain) = &self.facts.domain {
            return Measure::not_met(format!("it is still in {}", domain.domain));
        }
        if !self.view.moved {
            return Measure::not_met(format!("it still has its old registration {}", entra.device_id));
        }
        if !entra.healthy {
            return Measure::not_met("it can't authenticate with its registration");
        }
        let Some(to) = self.index.destination() else { return Measure::unknown("the destination isn't known") };
        if let Some(why) = to.devices.gap {
            return Measure::unknown(format!("devices of `{}` couldn't be read: {why}", self.tenant));
        }
        // Entra Connect makes the old half again where its computer object is still enabled (msgraph.md 0.4).
        if to.devices_named(&self.view.device).any(|device| device.trust == TrustType::Pending) {
            return Measure::not_met(format!(
                "a pending object of its name came back in `{}`: its computer object is still synchronised",
                self.tenant
            ));
        }
        match self.view.new.device {
            None => Measure::not_met(format!("`{}` has no object of its registration", self.tenant)),
            Some(device) if !device.enabled => Measure::not_met(format!("its object in `{}` is disabled", self.tenant)),
            Some(_) => Measure::met(format!("joined to `{}` as {}", self.tenant, entra.device_id)),
        }
    }

    fn enrolled(&self) -> Measure {
        let Some(mdm) = &self.facts.mdm else { return Measure::not_met("it isn't enrolled in Intune") };
        if !self.case.target.is_some_and(|target| self.view.is_new_enrolment(mdm, target)) {
            return Measure::not_met("its enrolment isn't one from after the move");
        }
        let Some(to) = self.index.destination() else { return Measure::unknown("the destination isn't known") };
        if let Some(why) = to.managed.gap {
            return Measure::unknown(format!("Intune devices of `{}` couldn't be read: {why}", self.tenant));
        }
        match self.view.new.managed {
            None => Measure::not_met(format!("Intune in `{}` has no record of its registration", self.tenant)),
            Some(managed) if managed.last_sync.is_some_and(|at| self.is_after(at)) => {
                Measure::met(format!("enrolled as {}", managed.id))
            }
            Some(_) => Measure::not_met("it hasn't synchronised with Intune since the move"),
        }
    }

    fn sign_in(&self) -> Measure {
        let Some(new) = &self.case.new_sid else { return Measure::unknown("the mapped user isn't known") };
        let seen = self.facts.sign_in.as_ref().filter(|seen| self.is_after(seen.at));
        match seen {
            Some(seen) if seen.sid == *new && seen.prt => Measure::met("the mapped user is signed in"),
            Some(seen) if seen.sid == *new => {
                Measure::not_met("the mapped user signed in and got no primary refresh token")
            }
            // Somebody else may have signed in since.
            _ if self.recorded(Op::AwaitSignIn) => Measure::met("its run saw the mapped user sign in"),
            Some(_) => Measure::not_met("somebody else signed in, and the mapped user hasn't"),
            None => Measure::not_met("nobody has signed in since the move"),
        }
    }

    fn profile(&self) -> Measure {
        let Some(new) = &self.case.new_sid else { return Measure::unknown("the mapped user isn't known") };
        let Some(profile) = self.facts.profile_of(new) else {
            return Measure::not_met("the mapped user has no profile on it");
        };
        let path = &profile.path;
        if let Some(was) = self.old_path().filter(|was| !was.eq_ignore_ascii_case(path)) {
            return Measure::not_met(format!("the mapped user's profile is {path}, and {was} was the old one"));
        }
        let old = self.case.old_sid.as_ref().filter(|old| *old != new);
        if let Some(still) = old.and_then(|old| self.facts.profile_of(old)).filter(|still| still.size_mib > 0) {
            return Measure::not_met(format!("{} is still the old identity's", still.path));
        }
        if profile.acl_owner != *new {
            return Measure::not_met(format!("the files in {path} belong to {}", profile.acl_owner));
        }
        match profile.health {
            ProfileHealth::Healthy if profile.size_mib > 0 => {
                Measure::met(format!("{path} with {} MiB is the mapped user's", profile.size_mib))
            }
            ProfileHealth::Healthy => Measure::not_met(format!("{path} is empty")),
            ProfileHealth::Temporary => Measure::not_met(format!("{path} is a temporary profile")),
            ProfileHealth::Corrupt => Measure::not_met(format!("{path} is damaged")),
            ProfileHealth::Roaming | ProfileHealth::Mandatory | ProfileHealth::Container => {
                Measure::not_met(format!("{path} isn't a local profile"))
            }
        }
    }

    /// Returns where the profile was: as it lies on the device until it is cleaned up, then as recorded.
    fn old_path(&self) -> Option<&str> {
        let staged = self.facts.staging.recorded.as_ref().and_then(|recorded| recorded.profile.as_ref());
        let recorded = self.view.record.and_then(|record| record.profile_path.as_deref());
        staged.map(|(_, path)| path.as_str()).or(recorded)
    }

    fn recovery(&self) -> Measure {
        let mut parts = Vec::new();
        if self.on(Feature::Bitlocker) && self.facts.bitlocker.encrypted {
            parts.push(self.keys());
        }
        if self.on(Feature::Laps) {
            parts.push(match self.case.seen_now(Op::VerifyLaps) {
                Held::Seen | Held::Recorded => Measure::met("a LAPS backup from after the move"),
                Held::No => Measure::not_met("no LAPS password was backed up since the move"),
                Held::Unknown => Measure::unknown(format!("LAPS backups of `{}` couldn't be read", self.tenant)),
            });
        }
        Measure::all(parts, "BitLocker and LAPS are off in the plan, or there is nothing of the kind on it")
    }

    fn keys(&self) -> Measure {
        let Some(to) = self.index.destination() else { return Measure::unknown("the destination isn't known") };
        if let Some(why) = to.keys.gap {
            return Measure::unknown(format!("recovery keys of `{}` couldn't be read: {why}", self.tenant));
        }
        let Some(device) = self.view.new.device_id else { return Measure::not_met("it has no new registration") };
        let protectors = &self.facts.bitlocker.protectors;
        let lost = protectors.iter().filter(|protector| !to.has_key(protector.id, device)).count();
        match (protectors.len(), lost) {
            (0, _) => Measure::not_met("the volume is encrypted and has no recovery protector"),
            (all, 0) => Measure::met(format!("{all} of {all} recovery keys in escrow")),
            (all, lost) => Measure::not_met(format!(
                "{} of {all} recovery keys in the escrow of `{}`",
                all.saturating_sub(lost),
                self.tenant
            )),
        }
    }

    fn assignments(&self) -> Measure {
        let mut parts = Vec::new();
        let mut add = |op: Op, met: &'static str, not: &'static str, unread: &str| {
            parts.push(match self.case.seen_now(op) {
                Held::Seen | Held::Recorded => Measure::met(met),
                Held::No => Measure::not_met(not),
                Held::Unknown => Measure::unknown(format!("{unread} of `{}` couldn't be read", self.tenant)),
            });
        };
        if self.on(Feature::PrimaryUser) {
            let not = "the mapped user isn't its primary user in Intune";
            add(Op::SetPrimaryUser, "the primary user is set", not, "primary users");
        }
        if self.on(Feature::GroupRestore) && !self.groups_unread() && !groups(self.index, self.view).is_empty() {
            add(Op::RestoreGroups, "it is in its groups", "it isn't in all groups that it was in", "groups");
        }
        if self.index.plan.features.profiles.is_some() {
            let not = "the configuration profiles aren't assigned to the group";
            add(Op::AssignConfiguration, "the profiles are assigned", not, "configuration profiles");
        }
        if self.on(Feature::GroupRestore) && self.groups_unread() {
            parts.push(Measure::unknown("the groups that it was in couldn't be read"));
        }
        Measure::all(parts, "the plan assigns nothing to it")
    }

    /// Which recorded groups may be restored is read from the tenant that they are in: unread, none would seem to be left.
    fn groups_unread(&self) -> bool {
        let unread = self.index.origin().is_some_and(|origin| origin.groups.gap.is_some());
        unread && self.view.record.is_some_and(|record| !record.groups.is_empty())
    }

    fn no_edr_blocks(&self) -> Measure {
        if let Some(
            Outcome::Undone(problem) | Outcome::PendingVerification(problem) | Outcome::RecoveryRequired(problem),
        ) = self.view.record.and_then(|record| record.outcome.as_ref())
            && is_block(&problem.code)
        {
            return Measure::not_met(format!("its run recorded a block: {}", problem.message));
        }
        let Some(survey) = self.survey else { return Measure::unknown("its agent sent no survey") };
        if !self.is_after(survey.at) {
            return Measure::unknown("its last survey is from before the move");
        }
        if survey.security.folder_access_blocks == Known::Known(true) {
            return Measure::not_met("controlled folder access would block the agent");
        }
        if survey.security.app_control_blocks == Known::Known(true) {
            return Measure::not_met("application control would block the agent");
        }
        match &survey.canary {
            Known::Known(canary) => match &canary.blocked_by {
                Some(by) => Measure::not_met(format!("the canary was blocked: {by}")),
                None if canary.is_whole() => Measure::met("the canary ran untouched"),
                None => Measure::not_met("the canary couldn't do everything that the migration does"),
            },
            Known::Absent => Measure::unknown("no canary ran on it"),
            Known::Unknown(why) => Measure::unknown(format!("what became of the canary isn't known: {why}")),
        }
    }
}

/// Says whether a problem of a run is one that security software made.
fn is_block(code: &str) -> bool {
    [Check::DevSystemExecution, Check::SecAllowList].iter().any(|check| code.starts_with(check.id()))
}
