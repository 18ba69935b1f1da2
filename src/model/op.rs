//! The names of operations. What each one is stands in the catalogue, `dag::spec`.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ops {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// One kind of operation. Its name is stable: plans, journals and agents hold it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum Op { $($(#[$doc])* #[serde(rename = $text)] $name),* }

        impl Op {
            /// Every operation, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// Returns the stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

ops! {
    /// Wait for the gate: earlier waves finished, criteria met, signed off.
    WaveGate = "wave.gate";
    /// Wait for the window.
    WaveOpen = "wave.open";
    /// Put the package account into the exclusions of Conditional Access policies.
    ExcludePackageAccount = "tenant.exclude-package-account";
    /// Take fresh evidence of every device check.
    Preflight = "device.preflight";
    /// Store the old cloud objects: ids, groups, primary user, keys.
    SnapshotCloud = "device.snapshot-cloud";
    /// See the recovery key in the old tenant's escrow.
    EscrowBitlocker = "device.escrow-bitlocker";
    /// Record old facts in a protected folder.
    Stage = "device.stage";
    /// Make the device survive restarts: boot start, recovery administrator, banner.
    Arm = "device.arm";
    /// Leave Active Directory.
    UnjoinDomain = "device.unjoin-domain";
    /// Leave the old Entra registration.
    LeaveEntra = "device.leave-entra";
    /// Remove the old MDM enrolment.
    RemoveMdm = "device.remove-mdm";
    /// Remove the ConfigMgr client.
    RemoveConfigmgr = "device.remove-configmgr";
    /// Install the provisioning package; the join follows.
    ApplyPackage = "device.apply-package";
    /// See the new join.
    VerifyJoin = "device.verify-join";
    /// Give the old profile to the new identity.
    SwapProfile = "device.swap-profile";
    /// Put the new identity into the local groups of the old one.
    RestoreLocalGroups = "device.restore-local-groups";
    /// Remove cached tokens and names of the old identity.
    CleanIdentityCaches = "device.clean-identity-caches";
    /// Put back the sign-in screen as it was recorded.
    RestoreLogonSurface = "device.restore-logon-surface";
    /// Wait until the mapped user signed in with a token.
    AwaitSignIn = "device.await-sign-in";
    /// See the new enrolment on the device and in Intune.
    VerifyEnrolment = "device.verify-enrolment";
    /// Make the mapped user the primary user.
    SetPrimaryUser = "device.set-primary-user";
    /// Give the new device object the static groups of the old one.
    RestoreGroups = "device.restore-groups";
    /// See the recovery key in the new escrow.
    EscrowBitlockerNew = "device.escrow-bitlocker-new";
    /// See a LAPS backup of the new device.
    VerifyLaps = "device.verify-laps";
    /// Assign configuration profiles.
    AssignConfiguration = "device.assign-configuration";
    /// Measure the exit criteria.
    VerifyExit = "device.verify-exit";
    /// Delete the old Intune record.
    RetireOldIntune = "device.retire-old-intune";
    /// Delete the old Autopilot identity.
    RetireOldAutopilot = "device.retire-old-autopilot";
    /// Import the Autopilot identity into the target tenant.
    ImportAutopilot = "device.import-autopilot";
    /// Disable or delete the old computer or Entra object.
    RetireOldObject = "device.retire-old-object";
    /// Remove everything the migration put on the device.
    CleanUp = "device.clean-up";
    /// Take the package account out of the exclusions again.
    RestorePackageAccount = "tenant.restore-package-account";
    /// Delete the package account, which revokes the package.
    RevokePackage = "tenant.revoke-package";
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Op {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|op| op.name() == text).ok_or_else(|| format!("`{text}` isn't an operation"))
    }
}
