//! The names of the readiness checks. What each one is stands in the register, `readiness::spec`.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// One prerequisite. Its id is stable: plans, attestations, exclusions, journals and reports hold it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum Check { $($(#[$doc])* #[serde(rename = $text)] $name),* }

        impl Check {
            /// Every check, in the order of the register.
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// Returns the stable id.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

checks! {
    /// The mapped user has an active Intune service plan.
    LicIntune = "lic.intune";
    /// The mapped user has an active Entra ID P1 or P2 service plan.
    LicEntraPremium = "lic.entra-premium";
    /// Windows 10 or 11, 64 bit.
    DevOs = "dev.os";
    /// Pro, Enterprise or Education.
    DevEdition = "dev.edition";
    /// 8 GB of memory.
    DevMemory = "dev.memory";
    /// A 100 GB system volume, with room for the migration.
    DevStorage = "dev.storage";
    /// Two cores, four recommended.
    DevCpu = "dev.cpu";
    /// TPM 2.0, usable.
    DevTpm = "dev.tpm";
    /// A healthy system volume.
    DevDiskHealth = "dev.disk-health";
    /// Tasks and processes run as SYSTEM, and state can be written: a canary proves it.
    DevSystemExecution = "dev.system-execution";
    /// Mains power, where nobody is there to plug it in.
    DevPower = "dev.power";
    /// No restart of Windows is pending.
    DevPendingReboot = "dev.pending-reboot";
    /// The clock is right to five minutes.
    DevClock = "dev.clock";
    /// One of the scenario's join states.
    DevJoinState = "dev.join-state";
    /// Joined to the tenant or domain that the plan names.
    DevJoinTenant = "dev.join-tenant";
    /// Managed by Intune or by nobody.
    DevMdm = "dev.mdm";
    /// The device's user is exactly one enabled, ordinary Entra account with a proven SID.
    DevUserSynced = "dev.user-synced";
    /// The profile is a local one.
    ProfLocal = "prof.local";
    /// The profile is healthy.
    ProfHealthy = "prof.healthy";
    /// Nothing loads the profile before the swap.
    ProfLoaders = "prof.loaders";
    /// The new identity has no profile with data.
    ProfTargetAbsent = "prof.target-absent";
    /// The volume's encryption is healthy and its recovery key is in escrow.
    RecBitlocker = "rec.bitlocker";
    /// A local administrator that was proven to work.
    RecLocalAdmin = "rec.local-admin";
    /// The LAPS backup target fits the future join.
    RecLapsGap = "rec.laps-gap";
    /// Support knows the recovery procedure.
    RecWorkflow = "rec.workflow";
    /// The escalation path is written down.
    RecEscalation = "rec.escalation";
    /// Every endpoint answers on 443 as SYSTEM.
    NetHttps = "net.https";
    /// Every endpoint's name resolves.
    NetDns = "net.dns";
    /// No proxy asks for a person.
    NetProxy = "net.proxy";
    /// No captive portal.
    NetCaptive = "net.captive";
    /// Nobody intercepts TLS.
    NetTls = "net.tls";
    /// Automatic enrolment covers the users.
    EntAutoEnrolment = "ent.auto-enrolment";
    /// The MDM authority is Intune.
    EntMdmAuthority = "ent.mdm-authority";
    /// The package account may join devices.
    EntJoinAllowed = "ent.join-allowed";
    /// Joining asks for no MFA.
    EntJoinMfa = "ent.join-mfa";
    /// The device quota leaves room for the wave.
    EntDeviceQuota = "ent.device-quota";
    /// The default restrictions admit Windows and the wave.
    EntEnrolmentRestrictions = "ent.enrolment-restrictions";
    /// No Enrollment Status Page blocks after the sign-in.
    EntEsp = "ent.esp";
    /// No Conditional Access policy blocks the package account or the application.
    EntConditionalAccess = "ent.conditional-access";
    /// Cross-tenant access doesn't block.
    EntCrossTenant = "ent.cross-tenant";
    /// Defender for Endpoint onboards again after the move.
    EntMde = "ent.mde";
    /// The application gets a token, and its credential outlives the last wave.
    AppCredential = "app.credential";
    /// The token is of the plan's tenant.
    AppTenant = "app.tenant";
    /// Every permission that the plan needs is granted.
    AppPermissions = "app.permissions";
    /// No permission beyond need is granted.
    AppExcess = "app.excess";
    /// The disjoin account works and has its rights.
    AdDisjoinAccount = "ad.disjoin-account";
    /// The package is readable and holds a bulk token, no password in clear, no computer name.
    PkgFormat = "pkg.format";
    /// The package is of the tenant that devices will join.
    PkgTenant = "pkg.tenant";
    /// The package lives at most 180 days, and to the end of its waves.
    PkgLifetime = "pkg.lifetime";
    /// The package was proven on a device that isn't in production.
    PkgValidated = "pkg.validated";
    /// The package is kept as the credential that it is.
    PkgHandling = "pkg.handling";
    /// Security software lets the migration work.
    SecAllowList = "sec.allow-list";
    /// Users are told.
    PplCommunication = "ppl.communication";
    /// The migration mode is decided.
    PplMode = "ppl.mode";
    /// The service desk is briefed.
    PplServiceDesk = "ppl.service-desk";
    /// Recovery and rollback have an owner.
    PplRollback = "ppl.rollback";
    /// Known behaviours are approved by change management.
    PplKnownBehaviours = "ppl.known-behaviours";
    /// Nobody removes old records by hand before the chain ends.
    PplCleanupTiming = "ppl.cleanup-timing";
    /// Every exclusion has owner, reason, end and ticket.
    PplChangeRecord = "ppl.change-record";
    /// The nine application areas were tried on pilot devices.
    AppsReadiness = "apps.readiness";
    /// The pilot exit criteria are met before a later wave opens.
    PilotExit = "pilot.exit";
}

impl Check {
    /// Says whether an exclusion may cover it. What nobody can answer for can't be excepted: whose profile it is,
    /// which tenant or package it is, a Windows that can't join, keys that would be lost.
    #[must_use]
    pub const fn exceptable(self) -> bool {
        !matches!(
            self,
            Self::DevEdition
                | Self::DevSystemExecution
                | Self::DevJoinState
                | Self::DevJoinTenant
                | Self::DevUserSynced
                | Self::ProfLocal
                | Self::ProfHealthy
                | Self::ProfTargetAbsent
                | Self::RecBitlocker
                | Self::AppTenant
                | Self::AppPermissions
                | Self::PkgTenant
                | Self::PkgLifetime
        )
    }
    /// Says whether a person is one of its sources. The others are measured: an attestation of them counts only
    /// while they can't be.
    #[must_use]
    pub const fn attestable(self) -> bool {
        matches!(
            self,
            Self::RecWorkflow
                | Self::RecEscalation
                | Self::EntAutoEnrolment
                | Self::EntMde
                | Self::PkgValidated
                | Self::SecAllowList
                | Self::PplCommunication
                | Self::PplMode
                | Self::PplServiceDesk
                | Self::PplRollback
                | Self::PplKnownBehaviours
                | Self::AppsReadiness
                | Self::PilotExit
        )
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl std::str::FromStr for Check {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|check| check.id().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("`{text}` isn't a check"))
    }
}
