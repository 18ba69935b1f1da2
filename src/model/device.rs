//! What an agent finds on a device: facts only, no judgement. One versioned document a device.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{EntraDeviceId, IntuneId, JoinState, KeyId, PackageName, Sid, TenantId};

/// The facts of one device at one moment (domain.md B1, F).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// Name, serial number, edition.
    pub identity: Identity,
    /// The Entra half of the join; for a hybrid device both halves are there.
    pub entra: Option<EntraJoin>,
    /// The Active Directory half of the join.
    pub domain: Option<DomainJoin>,
    /// The MDM enrolment, if any.
    pub mdm: Option<Mdm>,
    /// Whether the ConfigMgr client is installed.
    pub configmgr: bool,
    /// Profiles of people; service accounts are left out.
    pub profiles: Vec<Profile>,
    /// The system volume's encryption.
    pub bitlocker: BitLocker,
    /// Where Windows LAPS backs up to.
    pub laps: LapsTarget,
    /// Members of local groups, domain and cloud accounts only.
    pub local_members: Vec<LocalMembership>,
    /// What the sign-in screen and the network look like.
    pub logon: LogonSurface,
    /// SIDs that have entries in LogonCache, IdentityStore or the token broker's folder.
    pub cached_identities: Vec<Sid>,
    /// What this tool itself has put on the device.
    pub staging: Staging,
    /// The user who signed in last.
    pub sign_in: Option<SignIn>,
    /// Restart pending by Windows Update or servicing.
    pub pending_reboot: bool,
    /// Whether it runs on mains power.
    pub on_ac: bool,
    /// Free space on the system volume in MiB.
    pub free_mib: u64,
}

impl DeviceFacts {
    /// Returns the join state (domain.md B1.1).
    #[must_use]
    pub fn join_state(&self) -> JoinState {
        match (&self.entra, &self.domain) {
            (None, None) => JoinState::Workgroup,
            (None, Some(_)) => JoinState::Ad,
            (Some(_), Some(_)) => JoinState::Hybrid,
            (Some(_), None) => JoinState::Entra,
        }
    }
    /// Returns the profile that a SID owns.
    #[must_use]
    pub fn profile_of(&self, sid: &Sid) -> Option<&Profile> {
        self.profiles.iter().find(|p| p.sid == *sid)
    }
}

/// Name and make of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Computer name.
    pub name: String,
    /// Serial number of the firmware.
    pub serial: String,
    /// Edition as Windows names it: `Professional`, `Enterprise`, `Core` (Home), …
    pub edition: String,
    /// Build number, such as `22631`.
    pub build: u32,
}

/// The Entra half of a join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntraJoin {
    /// The tenant.
    pub tenant: TenantId,
    /// The registration id.
    pub device_id: EntraDeviceId,
    /// Whether the device could authenticate (`DeviceAuthStatus : SUCCESS`).
    pub healthy: bool,
}

/// The Active Directory half of a join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainJoin {
    /// DNS name of the domain.
    pub domain: String,
    /// An unjoin was asked for and takes effect at the next restart.
    pub leaving: bool,
}

/// An MDM enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mdm {
    /// Provider; Intune is [`Mdm::INTUNE`].
    pub provider: String,
    /// The tenant it belongs to, where it is Intune.
    pub tenant: Option<TenantId>,
    /// The managed device id, from the certificate's subject.
    pub device: Option<IntuneId>,
    /// Start of the certificate's validity: an enrolment after the commit is a new one.
    pub since: Timestamp,
}

impl Mdm {
    /// `ProviderID` of Intune (domain.md B1.1).
    pub const INTUNE: &str = "MS DM Server";
    /// Says whether it is Intune; anything else is another vendor's management.
    #[must_use]
    pub fn is_intune(&self) -> bool {
        self.provider == Self::INTUNE
    }
}

/// Whether a profile can be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileHealth {
    /// Local and healthy.
    Healthy,
    /// A temporary profile (`C:\Users\TEMP`).
    Temporary,
    /// A `.bak` twin or a hive that can't be read.
    Corrupt,
    /// Roaming.
    Roaming,
    /// Mandatory.
    Mandatory,
    /// FSLogix, Citrix UPM and the like.
    Container,
}

/// One entry of ProfileList that belongs to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Owner in ProfileList.
    pub sid: Sid,
    /// `ProfileImagePath`, expanded.
    pub path: String,
    /// Whether it can be taken over.
    pub health: ProfileHealth,
    /// Whether the hive is loaded now.
    pub loaded: bool,
    /// Whom the access lists of the root and of both hives name.
    pub acl_owner: Sid,
    /// Size in MiB.
    pub size_mib: u64,
    /// What loads it besides the user: services, tasks, agents.
    pub loaders: Vec<String>,
    /// Last use.
    pub last_used: Option<Timestamp>,
}

impl Profile {
    /// A profile of at most this size in MiB is taken for empty: Windows' own fresh one is smaller (`[I]`).
    pub const EMPTY_MIB: u64 = 200;
    /// Says whether it holds nothing of its owner.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.size_mib <= Self::EMPTY_MIB
    }
}

/// State of the system volume's encryption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BitLocker {
    /// The volume is encrypted.
    pub encrypted: bool,
    /// Encryption or decryption is under way.
    pub converting: bool,
    /// Protection is suspended for this many restarts.
    pub suspended_reboots: u8,
    /// Recovery password protectors.
    pub protectors: Vec<Protector>,
}

/// A recovery password protector; the password itself is never read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protector {
    /// Its id, which is the recovery key's id in escrow.
    pub id: KeyId,
}

/// Where Windows LAPS backs up to (domain.md B9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LapsTarget {
    /// Off.
    None,
    /// Microsoft Entra ID.
    Entra,
    /// Active Directory.
    Ad,
}

/// One member of one local group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LocalMembership {
    /// The group's well-known SID: names are localised.
    pub group: Sid,
    /// The member.
    pub member: Sid,
}

/// What this tool has put on a device and has to take away again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Staging {
    /// The facts recorded before the first change, in a folder that only SYSTEM and Administrators read.
    pub recorded: Option<Recorded>,
    /// The agent starts at boot, before logon.
    pub boot_start: bool,
    /// A recovery administrator exists, and its password was proven by a logon.
    pub recovery_admin_proven: bool,
    /// The logon banner is shown and interactive sign-in is held.
    pub banner: bool,
    /// The package that lies on the device.
    pub package_file: Option<PackageName>,
    /// Automatic hybrid re-join is switched off.
    pub auto_rejoin_off: bool,
    /// Windows' own record of the package last installed.
    pub installed_package: Option<PackageRecord>,
}

/// What a migration may change on the way and has to put back exactly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogonSurface {
    /// The company's own legal notice, caption and text.
    pub legal_notice: Option<(String, String)>,
    /// Winlogon signs in by itself.
    pub auto_logon: bool,
    /// Credential providers that are switched off.
    pub disabled_providers: Vec<String>,
    /// DNS servers of the active adapter. Never written by this tool, only compared.
    pub dns_servers: Vec<String>,
}

/// Old facts, kept on the device until the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The run that recorded them.
    pub run: super::RunId,
    /// When.
    pub at: Timestamp,
    /// The sign-in screen and the network as they were.
    pub logon: LogonSurface,
    /// Local group members as they were.
    pub local_members: Vec<LocalMembership>,
    /// Owner and path of the profile that will be taken over.
    pub profile: Option<(Sid, String)>,
    /// How the device was joined.
    pub join: JoinState,
}

/// A provisioning package that Windows accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRecord {
    /// Name in the plan.
    pub name: PackageName,
    /// When Windows accepted it.
    pub at: Timestamp,
}

/// A sign-in with an Entra token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Who.
    pub sid: Sid,
    /// Whether a primary refresh token was there (`AzureAdPrt : YES`).
    pub prt: bool,
    /// When.
    pub at: Timestamp,
}
