//! A device's operating system, seen by the agent on it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Result;
use crate::model::{
    DeviceFacts, Digest, EntraDeviceId, KeyId, LocalMembership, PackageName, Problem, Recorded, RecoveryPassword,
    RunId, Sid, Survey,
};

/// One change to a device. Data, so that it can be journalled, shown and refused.
///
/// Each is idempotent: done twice it leaves the same device as done once. None reads back; the agent does.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceAction {
    /// Creates the protected folder and records the old facts in it. An existing record of the same run is kept.
    Stage {
        /// The run.
        run: RunId,
        /// Whose profile will move.
        profile: Sid,
    },
    /// Removes the folder and the record.
    Unstage,
    /// Installs boot start, makes and proves a recovery administrator, shows the banner and holds
    /// interactive sign-in, suspends protectors for some restarts.
    Arm {
        /// Restarts for which protectors are suspended.
        suspend_reboots: u8,
        /// Password of the recovery administrator; never journalled. The administrator counts as proven only when a
        /// logon with this password worked.
        #[serde(skip)]
        recovery: Option<RecoveryPassword>,
    },
    /// Takes all of that away and puts the sign-in screen back as recorded.
    Disarm,
    /// Adds a recovery password protector where there is none.
    EnsureRecoveryProtector,
    /// Backs a protector up to the tenant that the device is joined to.
    EscrowProtector(KeyId),
    /// Leaves the domain; takes effect at the next restart.
    UnjoinDomain,
    /// Leaves Entra and switches automatic re-join off.
    LeaveEntra,
    /// Removes keys, tasks and certificates of the enrolment.
    RemoveMdm,
    /// Removes the ConfigMgr client.
    RemoveConfigmgr,
    /// Puts a package into the protected folder after checking its digest.
    PlacePackage {
        /// Name in the plan.
        name: PackageName,
        /// Digest of the bytes.
        sha256: Digest,
        /// The bytes, base64; a credential, never journalled.
        #[serde(skip)]
        content: Zeroizing<String>,
    },
    /// Wipes the package's bytes from the protected folder; Windows' own record of it stays.
    WipePackage,
    /// Installs the package; the join is asked for and follows by itself.
    InstallPackage(PackageName),
    /// Restarts. The agent's process ends with it.
    Restart,
    /// Gives the profile of one SID to another. Keeps hives and ACLs for the way back.
    SwapProfile {
        /// Owner now.
        from: Sid,
        /// Owner afterwards.
        to: Sid,
        /// Path that has to be the profile's.
        path: String,
    },
    /// Adds to local groups.
    AddLocalMembers(Vec<LocalMembership>),
    /// Removes from local groups.
    RemoveLocalMembers(Vec<LocalMembership>),
    /// Removes cached names and tokens of an identity, by SID alone (domain.md step 11).
    CleanIdentity(Sid),
    /// Puts the sign-in screen back as recorded and lets people sign in.
    RestoreLogonSurface,
    /// Asks the MDM client to synchronise now.
    SyncMdm,
    /// Removes package, folder, banner, boot start and recovery administrator; archives the agent's state.
    CleanUp {
        /// Keep the recovery administrator.
        keep_recovery_admin: bool,
    },
}

impl std::fmt::Debug for DeviceAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The serialised form leaves the package's bytes and the recovery password out.
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

/// The operating system of one device.
#[async_trait]
pub trait DeviceOs: Send + Sync {
    /// Reads the facts. What a survey's canary left behind, because its agent was killed, is taken away first.
    ///
    /// # Errors
    /// Where a fact can't be read: unknown is never absent.
    async fn inspect(&self) -> Result<DeviceFacts>;
    /// Looks at what costs something to look at: hardware, a canary that really runs, the network as SYSTEM. Leaves
    /// the device as it was; the canary takes away what it made.
    ///
    /// # Errors
    /// Where the survey as a whole can't be taken; a part that can't be is unknown in it.
    async fn survey(&self) -> Result<Survey>;
    /// Makes one change. The device may still be busy with it when this returns: the agent reads back.
    ///
    /// # Errors
    /// `device.*` codes with what to do next.
    async fn perform(&self, action: &DeviceAction) -> Result<()>;
    /// Encrypts bytes so that only this device gives them back (DPAPI of the machine): what an agent has to keep.
    ///
    /// # Errors
    /// `device.protection` where the device can't.
    fn protect(&self, plain: &[u8]) -> Result<Vec<u8>>;
    /// Gives back what [`DeviceOs::protect`] encrypted on this device.
    ///
    /// # Errors
    /// `device.protection` where another device encrypted it, or it was changed.
    fn unprotect(&self, protected: &[u8]) -> Result<Zeroizing<Vec<u8>>>;
    /// Returns the number of this boot, which no other boot of the device has.
    ///
    /// # Errors
    /// Where it can't be read, also while the device restarts.
    async fn boot(&self) -> Result<u64>;
    /// Returns what was recorded by [`DeviceAction::Stage`].
    ///
    /// # Errors
    /// Where the record can't be read.
    async fn recorded(&self) -> Result<Option<Recorded>>;
    /// Returns what Windows logged about the last join that was refused or failed, and nothing once a join
    /// was asked for again or worked (domain.md B14).
    ///
    /// # Errors
    /// Where the log can't be read.
    async fn last_join_error(&self) -> Result<Option<Problem>> {
        Ok(None)
    }
    /// Returns the hardware hash that an Autopilot import needs, base64.
    ///
    /// # Errors
    /// Where it can't be read.
    async fn hardware_hash(&self) -> Result<Option<String>>;
    /// Returns the Entra registration that the join information names now.
    ///
    /// # Errors
    /// As [`DeviceOs::inspect`].
    async fn registration(&self) -> Result<Option<EntraDeviceId>> {
        Ok(self.inspect().await?.entra.map(|entra| entra.device_id))
    }
}
