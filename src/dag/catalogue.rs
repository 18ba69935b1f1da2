//! The operation catalogue: one table that plans, permission lists, agents, the lab and the docs read. Which
//! permissions an operation needs follows from the requests that it makes ([`needs`](super::needs)).
//!
//! Facts behind the rows: domain.md B2, B3, B8-B14 and msgraph.md 2 and 5. Waiting times come from
//! domain.md B15 where a peer's value is known.

use crate::model::{Feature, Op, Scenario};

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The tenants of the plan, once.
    Tenant,
    /// One wave.
    Wave,
    /// One device.
    Device,
}

/// Who carries it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The controller decides by itself: gates and windows.
    Controller,
    /// The controller, over Microsoft Graph.
    Tenant,
    /// The controller, over LDAP or Graph, whichever holds the old object.
    Directory,
    /// The agent on the device.
    Agent,
    /// First the agent, then the controller sees the result in the tenant.
    AgentThenTenant,
}

impl Place {
    /// Says whether the agent has a part in it.
    #[must_use]
    pub fn has_agent(self) -> bool {
        matches!(self, Self::Agent | Self::AgentThenTenant)
    }
    /// Says whether the controller has a part in it.
    #[must_use]
    pub fn has_controller(self) -> bool {
        !matches!(self, Self::Agent)
    }
}

/// On which side of the point of no return an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// A failure puts everything back.
    Reversible,
    /// The chain only goes forward: complete, pending or recovery required.
    Committed,
    /// The device is migrated; a failure leaves it usable and is tried again later.
    Finishing,
}

/// One row of the catalogue.
#[derive(Debug)]
pub struct OpSpec {
    /// Which operation.
    pub op: Op,
    /// What it is about.
    pub scope: Scope,
    /// Who carries it out.
    pub place: Place,
    /// Scenarios that know it.
    pub scenarios: &'static [Scenario],
    /// Feature that switches it on; none is always on.
    pub feature: Option<Feature>,
    /// What it does, in the imperative.
    pub action: &'static str,
    /// What is read back before it counts as done.
    pub done_when: &'static str,
    /// What puts it back; none where nothing is changed or nothing can be put back.
    pub undo: Option<&'static str>,
    /// Which side of the point of no return.
    pub phase: Phase,
    /// The device restarts at its end.
    pub reboots: bool,
    /// Running out of time leaves it pending, to be looked at by a later run, not failed.
    pub may_pend: bool,
    /// Longest time for one attempt with its read back, in seconds.
    pub time_limit_secs: u32,
    /// Attempts, at least one.
    pub attempts: u32,
    /// Wait before the second attempt in seconds; doubled for each further one.
    pub backoff_secs: u32,
    /// Device operations that come before. Where one isn't part of a device's graph its own
    /// predecessors stand in for it.
    pub after: &'static [Op],
}

const ALL: &[Scenario] = &[Scenario::AdToEntra, Scenario::HybridToEntra, Scenario::TenantToTenant];
const HY_TT: &[Scenario] = &[Scenario::HybridToEntra, Scenario::TenantToTenant];
const TT: &[Scenario] = &[Scenario::TenantToTenant];

/// What a row has where it says nothing: an agent step that is tried three times for five minutes.
const ROW: OpSpec = OpSpec {
    op: Op::Preflight,
    scope: Scope::Device,
    place: Place::Agent,
    scenarios: ALL,
    feature: None,
    action: "",
    done_when: "",
    undo: None,
    phase: Phase::Committed,
    reboots: false,
    may_pend: false,
    time_limit_secs: 300,
    attempts: 3,
    backoff_secs: 10,
    after: &[],
};

static CATALOGUE: &[OpSpec] = &[
    OpSpec {
        op: Op::WaveGate,
        scope: Scope::Wave,
        place: Place::Controller,
        action: "wait until the waves before it are finished, have soaked and are signed off",
        done_when: "the gate's criteria are met",
        phase: Phase::Reversible,
        attempts: 1,
        ..ROW
    },
    OpSpec {
        op: Op::WaveOpen,
        scope: Scope::Wave,
        place: Place::Controller,
        action: "wait until the window is open",
        done_when: "the moment lies in the window",
        phase: Phase::Reversible,
        attempts: 1,
        after: &[Op::WaveGate],
        ..ROW
    },
    OpSpec {
        op: Op::ExcludePackageAccount,
        scope: Scope::Tenant,
        place: Place::Tenant,
        feature: Some(Feature::ConditionalAccessExclusions),
        action: "exclude the package account from the Conditional Access policy",
        done_when: "the policy lists the package account among its exclusions",
        undo: Some("take the package account out of the exclusions"),
        phase: Phase::Reversible,
        attempts: 5,
        ..ROW
    },
    OpSpec {
        op: Op::Preflight,
        action: "take fresh evidence of the device",
        done_when: "every device check holds on evidence younger than 60 minutes",
        phase: Phase::Reversible,
        attempts: 2,
        ..ROW
    },
    OpSpec {
        op: Op::SnapshotCloud,
        place: Place::Tenant,
        action: "store ids, groups, primary user and key ids of the old cloud objects",
        done_when: "the device's record holds them",
        phase: Phase::Reversible,
        attempts: 5,
        after: &[Op::Preflight],
        ..ROW
    },
    OpSpec {
        op: Op::EscrowBitlocker,
        place: Place::AgentThenTenant,
        feature: Some(Feature::Bitlocker),
        action: "make sure that a recovery protector exists and is in escrow",
        done_when: "the protector's id is seen in the old tenant's escrow",
        phase: Phase::Reversible,
        time_limit_secs: 900,
        after: &[Op::Preflight],
        ..ROW
    },
    OpSpec {
        op: Op::Stage,
        action: "record the old facts in a protected folder",
        done_when: "the record can be read back and only SYSTEM and Administrators may",
        undo: Some("remove the folder"),
        phase: Phase::Reversible,
        after: &[Op::SnapshotCloud, Op::EscrowBitlocker],
        ..ROW
    },
    OpSpec {
        op: Op::Arm,
        action: "start at boot, prove a recovery administrator, show the banner, suspend protectors for the restarts",
        done_when: "boot start, proven recovery administrator and banner are there",
        undo: Some("remove boot start, recovery administrator and banner, resume protectors"),
        phase: Phase::Reversible,
        after: &[Op::Stage],
        ..ROW
    },
    OpSpec {
        op: Op::UnjoinDomain,
        action: "leave Active Directory",
        done_when: "the device isn't domain joined, or leaves at the next restart",
        after: &[Op::Arm],
        ..ROW
    },
    OpSpec {
        op: Op::LeaveEntra,
        scenarios: HY_TT,
        action: "leave the old Entra registration and switch automatic re-join off",
        done_when: "the join information names no tenant and automatic re-join is off",
        after: &[Op::UnjoinDomain],
        ..ROW
    },
    OpSpec {
        op: Op::RemoveMdm,
        action: "remove the old MDM enrolment",
        done_when: "no key, task or certificate of the old enrolment is left",
        after: &[Op::LeaveEntra],
        ..ROW
    },
    OpSpec {
        op: Op::RemoveConfigmgr,
        feature: Some(Feature::ConfigmgrRemoval),
        action: "remove the ConfigMgr client",
        done_when: "neither its service nor its namespace is left",
        time_limit_secs: 1800,
        after: &[Op::RemoveMdm],
        ..ROW
    },
    OpSpec {
        op: Op::ApplyPackage,
        action: "install the provisioning package and restart",
        done_when: "Windows accepted the package and the join was asked for",
        reboots: true,
        time_limit_secs: 900,
        attempts: 5,
        backoff_secs: 30,
        after: &[Op::RemoveConfigmgr],
        ..ROW
    },
    OpSpec {
        op: Op::VerifyJoin,
        action: "see the new join",
        done_when: "Entra joined to the target tenant, not domain joined, device id known",
        time_limit_secs: 900,
        attempts: 5,
        backoff_secs: 30,
        after: &[Op::ApplyPackage],
        ..ROW
    },
    OpSpec {
        op: Op::SwapProfile,
        action: "give the old profile to the new identity",
        done_when: "the new SID owns the old path, the profile isn't temporary, its access lists name the new SID",
        undo: Some("give the profile back to the old identity"),
        time_limit_secs: 1800,
        after: &[Op::VerifyJoin],
        ..ROW
    },
    OpSpec {
        op: Op::RestoreLocalGroups,
        action: "put the new identity into the local groups of the old one",
        done_when: "the new SID is in every recorded group",
        undo: Some("take it out again"),
        after: &[Op::SwapProfile],
        ..ROW
    },
    OpSpec {
        op: Op::CleanIdentityCaches,
        action: "remove cached names and tokens of the old identity",
        done_when: "no entry of the old SID is left",
        after: &[Op::RestoreLocalGroups],
        ..ROW
    },
    OpSpec {
        op: Op::RestoreLogonSurface,
        action: "put back the sign-in screen as it was recorded and restart",
        done_when: "legal notice, Winlogon and credential providers are as recorded, DNS was never changed",
        reboots: true,
        after: &[Op::CleanIdentityCaches],
        ..ROW
    },
    OpSpec {
        op: Op::AwaitSignIn,
        action: "wait until the mapped user signed in",
        done_when: "the mapped user signed in with a token",
        phase: Phase::Finishing,
        may_pend: true,
        time_limit_secs: 4 * 3600,
        attempts: 1,
        after: &[Op::RestoreLogonSurface],
        ..ROW
    },
    OpSpec {
        op: Op::VerifyEnrolment,
        place: Place::AgentThenTenant,
        action: "see the new enrolment on the device and in Intune",
        done_when: "the managed device belongs to the new device id and synchronised after the commit",
        phase: Phase::Finishing,
        may_pend: true,
        time_limit_secs: 1800,
        after: &[Op::AwaitSignIn],
        ..ROW
    },
    OpSpec {
        op: Op::SetPrimaryUser,
        place: Place::Tenant,
        feature: Some(Feature::PrimaryUser),
        action: "make the mapped user the primary user",
        done_when: "the managed device's users are exactly the mapped user",
        undo: Some("set the former primary user"),
        phase: Phase::Finishing,
        may_pend: true,
        time_limit_secs: 900,
        attempts: 5,
        after: &[Op::VerifyEnrolment],
        ..ROW
    },
    OpSpec {
        op: Op::RestoreGroups,
        place: Place::Tenant,
        feature: Some(Feature::GroupRestore),
        action: "give the new device object the static groups of the old one",
        done_when: "the new object is a direct member of each of them",
        undo: Some("remove the memberships"),
        phase: Phase::Finishing,
        may_pend: true,
        time_limit_secs: 900,
        attempts: 5,
        after: &[Op::VerifyEnrolment],
        ..ROW
    },
    OpSpec {
        op: Op::EscrowBitlockerNew,
        place: Place::AgentThenTenant,
        feature: Some(Feature::Bitlocker),
        action: "back the recovery key up to the new tenant",
        done_when: "the protector's id is seen in the new escrow for the new device id",
        phase: Phase::Finishing,
        may_pend: true,
        time_limit_secs: 1800,
        after: &[Op::VerifyEnrolment],
        ..ROW
    },
    OpSpec {
        op: Op::VerifyLaps,
        place: Place::Tenant,
        feature: Some(Feature::Laps),
        action: "see a LAPS backup of the new device",
        done_when: "the new device id has a backup that is younger than the commit",
        phase: Phase::Finishing,
        may_pend: true,
        time_limit_secs: 3600,
        attempts: 1,
        after: &[Op::VerifyEnrolment],
        ..ROW
    },
    OpSpec {
        op: Op::AssignConfiguration,
        place: Place::Tenant,
        feature: Some(Feature::ConfigurationProfiles),
        action: "assign the configuration profiles to the group",
        done_when: "each named profile is assigned to the group",
        undo: Some("remove the assignment"),
        phase: Phase::Finishing,
        may_pend: true,
        attempts: 5,
        after: &[Op::RestoreGroups],
        ..ROW
    },
    OpSpec {
        op: Op::VerifyExit,
        place: Place::AgentThenTenant,
        action: "measure the exit criteria",
        done_when: "join, enrolment, profile and sign-in hold together on fresh evidence",
        phase: Phase::Finishing,
        may_pend: true,
        after: &[
            Op::SetPrimaryUser,
            Op::RestoreGroups,
            Op::EscrowBitlockerNew,
            Op::VerifyLaps,
            Op::AssignConfiguration,
        ],
        ..ROW
    },
    OpSpec {
        op: Op::RetireOldIntune,
        place: Place::Tenant,
        scenarios: HY_TT,
        action: "delete the old Intune record",
        done_when: "the old managed device isn't found",
        phase: Phase::Finishing,
        may_pend: true,
        attempts: 5,
        after: &[Op::VerifyExit],
        ..ROW
    },
    OpSpec {
        op: Op::RetireOldAutopilot,
        place: Place::Tenant,
        scenarios: TT,
        feature: Some(Feature::Autopilot),
        action: "delete the old Autopilot identity",
        done_when: "the old identity isn't found",
        phase: Phase::Finishing,
        may_pend: true,
        time_limit_secs: 1800,
        attempts: 5,
        after: &[Op::RetireOldIntune],
        ..ROW
    },
    OpSpec {
        op: Op::ImportAutopilot,
        place: Place::Tenant,
        scenarios: TT,
        feature: Some(Feature::Autopilot),
        action: "import the Autopilot identity into the target tenant",
        done_when: "the identity is there with its group tag",
        undo: Some("delete the identity"),
        phase: Phase::Finishing,
        may_pend: true,
        time_limit_secs: 3600,
        after: &[Op::RetireOldAutopilot],
        ..ROW
    },
    OpSpec {
        op: Op::RetireOldObject,
        place: Place::Directory,
        action: "disable or delete the old computer, or delete the old Entra object",
        done_when: "the old object is disabled or gone, as the plan says, and the Entra half of a hybrid one is too",
        undo: Some("enable the computer again, where it was disabled"),
        phase: Phase::Finishing,
        may_pend: true,
        time_limit_secs: 1800,
        attempts: 5,
        after: &[Op::RetireOldIntune, Op::RetireOldAutopilot, Op::ImportAutopilot],
        ..ROW
    },
    OpSpec {
        op: Op::CleanUp,
        action: "remove package, secrets, banner, tasks and recovery administrator, archive the agent's state",
        done_when: "nothing of the migration is left on the device",
        phase: Phase::Finishing,
        may_pend: true,
        after: &[Op::VerifyExit],
        ..ROW
    },
    OpSpec {
        op: Op::RestorePackageAccount,
        scope: Scope::Tenant,
        place: Place::Tenant,
        feature: Some(Feature::ConditionalAccessExclusions),
        action: "take the package account out of the exclusions",
        done_when: "the policy's exclusions are as before",
        phase: Phase::Finishing,
        may_pend: true,
        attempts: 5,
        ..ROW
    },
    OpSpec {
        op: Op::RevokePackage,
        scope: Scope::Tenant,
        place: Place::Tenant,
        action: "delete the package account, which revokes the package",
        done_when: "the account isn't found",
        phase: Phase::Finishing,
        may_pend: true,
        attempts: 5,
        after: &[Op::RestorePackageAccount],
        ..ROW
    },
];

/// Returns the catalogue's row of an operation.
#[must_use]
pub fn spec(op: Op) -> &'static OpSpec {
    // The table stands in the order of `Op`; a test holds that.
    &CATALOGUE[op as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a row that was added out of order: every later operation would get its neighbour's rules.
    #[test]
    fn rows_stand_in_the_order_of_the_names() {
        assert_eq!(CATALOGUE.len(), Op::ALL.len());
        for op in Op::ALL {
            assert_eq!(spec(*op).op, *op);
            assert!(!spec(*op).action.is_empty() && !spec(*op).done_when.is_empty(), "{op}");
            assert!(spec(*op).attempts > 0, "{op}");
        }
    }

    /// Catches a chain that crosses the point of no return backwards: undo would then run past it.
    #[test]
    fn phases_never_go_back() {
        for op in Op::ALL.iter().map(|op| spec(*op)).filter(|spec| spec.scope == Scope::Device) {
            for before in op.after {
                assert!(spec(*before).phase <= op.phase, "{before} -> {}", op.op);
            }
        }
    }
}
