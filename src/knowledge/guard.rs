//! Which checks guard which operations: what has to hold so that the operation doesn't fail or do harm.

use crate::model::{Check, Op};

/// Returns the checks that guard an operation, those that stand nearest to it first.
#[must_use]
pub fn guards(op: Op) -> &'static [Check] {
    use Check as C;
    match op {
        Op::WaveGate => &[C::PilotExit, C::AppsReadiness],
        Op::WaveOpen => &[
            C::PplCommunication,
            C::PplMode,
            C::PplServiceDesk,
            C::PplRollback,
            C::PplKnownBehaviours,
            C::RecWorkflow,
            C::RecEscalation,
        ],
        Op::ExcludePackageAccount => &[C::EntConditionalAccess, C::PkgTenant, C::PplChangeRecord, C::AppPermissions],
        Op::RestorePackageAccount => &[C::PplChangeRecord, C::AppPermissions],
        Op::Preflight => &[
            C::DevOs,
            C::DevEdition,
            C::DevMemory,
            C::DevStorage,
            C::DevCpu,
            C::DevTpm,
            C::DevDiskHealth,
            C::DevPower,
            C::DevPendingReboot,
            C::DevClock,
            C::DevJoinState,
            C::DevJoinTenant,
        ],
        Op::SnapshotCloud => &[
            C::AppCredential,
            C::AppTenant,
            C::AppPermissions,
            C::AppExcess,
            C::DevUserSynced,
            C::PplCleanupTiming,
            C::EntCrossTenant,
        ],
        Op::EscrowBitlocker | Op::EscrowBitlockerNew => &[C::RecBitlocker, C::AppPermissions],
        Op::Stage => &[C::DevSystemExecution, C::SecAllowList, C::DevStorage],
        Op::Arm => &[C::RecLocalAdmin, C::DevSystemExecution, C::SecAllowList, C::DevPower],
        Op::UnjoinDomain => &[C::DevJoinState, C::RecLocalAdmin, C::DevPendingReboot],
        Op::LeaveEntra => &[C::DevJoinState, C::DevJoinTenant, C::RecLocalAdmin],
        Op::RemoveMdm => &[C::DevMdm],
        Op::RemoveConfigmgr => &[C::DevMdm, C::PplKnownBehaviours],
        Op::ApplyPackage => &[
            C::PkgFormat,
            C::PkgTenant,
            C::PkgLifetime,
            C::PkgValidated,
            C::PkgHandling,
            C::EntJoinAllowed,
            C::EntJoinMfa,
            C::EntDeviceQuota,
            C::EntConditionalAccess,
            C::NetHttps,
            C::NetDns,
            C::NetProxy,
            C::NetCaptive,
            C::NetTls,
            C::DevClock,
            C::DevTpm,
        ],
        Op::VerifyJoin => &[C::PkgTenant, C::NetHttps, C::DevClock],
        Op::SwapProfile => {
            &[C::ProfLocal, C::ProfHealthy, C::ProfLoaders, C::ProfTargetAbsent, C::DevUserSynced, C::DevDiskHealth]
        }
        Op::AwaitSignIn => {
            &[C::DevUserSynced, C::LicEntraPremium, C::EntEsp, C::PplCommunication, C::PplServiceDesk, C::NetHttps]
        }
        Op::VerifyEnrolment => &[
            C::LicIntune,
            C::EntAutoEnrolment,
            C::EntMdmAuthority,
            C::EntEnrolmentRestrictions,
            C::EntMde,
            C::NetHttps,
        ],
        Op::SetPrimaryUser => &[C::LicIntune, C::AppPermissions],
        Op::VerifyLaps => &[C::RecLapsGap, C::AppPermissions],
        Op::VerifyExit => &[C::PilotExit],
        Op::RetireOldObject => &[C::AdDisjoinAccount, C::PplCleanupTiming, C::RecBitlocker],
        Op::RetireOldIntune | Op::RetireOldAutopilot => &[C::PplCleanupTiming, C::AppPermissions],
        Op::ImportAutopilot | Op::RestoreGroups | Op::AssignConfiguration => &[C::AppPermissions],
        Op::RevokePackage => &[C::PkgTenant, C::AppPermissions],
        Op::RestoreLocalGroups | Op::CleanIdentityCaches | Op::RestoreLogonSurface | Op::CleanUp => {
            &[C::DevSystemExecution, C::SecAllowList]
        }
    }
}

/// Returns the operations that a check guards.
pub(super) fn guarded(check: Check) -> Vec<Op> {
    Op::ALL.iter().copied().filter(|op| guards(*op).contains(&check)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a check that guards nothing: nobody could say what it is for.
    #[test]
    fn every_check_guards_something() {
        for check in Check::ALL {
            assert!(!guarded(*check).is_empty(), "{check} guards no operation");
        }
    }
}
