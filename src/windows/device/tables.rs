//! Every path, name and value of Windows that the device reads or changes, as data (domain.md B1, B3, B8, B9).

/// This tool's folder below `%ProgramData%`, for SYSTEM and Administrators alone.
pub const PRIVATE: &str = r"Opsole\device";
/// The folder above it, which goes with it where nothing else is in it.
pub const PRIVATE_PARENT: &str = "Opsole";
/// The boot counter below `%ProgramData%`; it outlives a clean-up, since no two boots may have one number.
pub const BOOT_FILE: &str = r"Opsole\boot.json";
/// Where the probes of people write, below `%ProgramData%`: a folder a person, and only that person's.
pub const PROBES: &str = r"Opsole\probe";
/// Our keys, below HKLM.
pub const OWN_KEY: &str = r"SOFTWARE\Opsole\Device";
/// The key above it.
pub const OWN_PARENT: &str = r"SOFTWARE\Opsole";
/// A key that is gone after a restart, below HKLM.
pub const BOOT_KEY: &str = r"SOFTWARE\Opsole\Boot";
/// Folder of our scheduled tasks.
pub const TASKS: &str = r"\Opsole";

/// The recovery administrator's comment.
pub const RECOVERY_COMMENT: &str = "Recovery while this device is being moved (opsole)";

/// Administrators, whatever they are called here.
pub const ADMINISTRATORS: &str = "S-1-5-32-544";

/// Name and version of Windows (`EditionID`, `ProductName`).
pub const CURRENT_VERSION: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
/// Profiles (B1.3).
pub const PROFILE_LIST: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
/// The computer's DNS suffix: the domain that it is in (B1.1).
pub const TCPIP: &str = r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
/// Enrolments (B1.1).
pub const ENROLMENTS: &str = r"SOFTWARE\Microsoft\Enrollments";
/// Signing in by itself (B3 step 8).
pub const WINLOGON: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon";
/// The notice before sign-in (B3 step 8).
pub const POLICIES_SYSTEM: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System";
/// Caption of the notice.
pub const NOTICE_CAPTION: &str = "legalnoticecaption";
/// Text of the notice.
pub const NOTICE_TEXT: &str = "legalnoticetext";
/// Our caption.
pub const BANNER_CAPTION: &str = "Migration in progress";
/// Our text.
pub const BANNER_TEXT: &str = "This device is being moved. Please don't sign in until this notice is gone.";
/// Credential providers (B3 step 8).
pub const PROVIDERS: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\Credential Providers";
/// The provider of passwords. PIN and Windows Hello have others, and stay as they are.
pub const PASSWORD_PROVIDER: &str = "{60b78e88-ead8-445c-9cfd-0b87f74ea6cd}";
/// Who signed in last (B3 step 8).
pub const LOGON_UI: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\LogonUI";
/// Names of people by provider (B3 step 11).
pub const LOGON_CACHE: &str = r"SOFTWARE\Microsoft\IdentityStore\LogonCache";
/// Kinds of entries below a provider of [`LOGON_CACHE`].
pub const LOGON_CACHE_KINDS: [&str; 3] = ["Name2Sid", "SAM_Name", "Sid2Name"];
/// Cached identities by SID (B1.3, B3 step 11).
pub const IDENTITY_CACHE: &str = r"SOFTWARE\Microsoft\IdentityStore\Cache";
/// Packages of a profile's apps; the token broker's begins with [`BROKER`] (B3 step 10, B6).
pub const PACKAGES: &str = r"AppData\Local\Packages";
/// Begin of the token broker's folder, in lower case.
pub const BROKER: &str = "microsoft.aad.brokerplugin_";

/// Policy of joining by itself (B3 step 5).
pub const WORKPLACE_JOIN: &str = r"SOFTWARE\Policies\Microsoft\Windows\WorkplaceJoin";
/// Values of [`WORKPLACE_JOIN`] that keep a device from joining again.
pub const NO_REJOIN: [(&str, u32); 2] = [("autoWorkplaceJoin", 0), ("BlockAADWorkplaceJoin", 1)];
/// The task that registers a hybrid device again (B3 step 5).
pub const REJOIN_TASK: &str = r"\Microsoft\Windows\Workplace Join\Automatic-Device-Join";

/// Tasks of an enrolment, below which each has a folder (B3 step 6).
pub const MDM_TASKS: &str = r"\Microsoft\Windows\EnterpriseMgmt";
/// Keys below which each enrolment has one of its id (B3 step 6). The enrolment itself is the last: while it is there
/// an interrupted removal is repeated.
pub const MDM_KEYS: [&str; 10] = [
    r"SOFTWARE\Microsoft\Enrollments\Status",
    r"SOFTWARE\Microsoft\Enrollments\Context",
    r"SOFTWARE\Microsoft\EnterpriseResourceManager\Tracked",
    r"SOFTWARE\Microsoft\PolicyManager\AdmxInstalled",
    r"SOFTWARE\Microsoft\PolicyManager\Providers",
    r"SOFTWARE\Microsoft\Provisioning\OMADM\Accounts",
    r"SOFTWARE\Microsoft\Provisioning\OMADM\Logger",
    r"SOFTWARE\Microsoft\Provisioning\OMADM\Sessions",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\PushNotifications\Applications\Windows.SystemToast.Background.Management",
    ENROLMENTS,
];
/// Value of [`ENROLMENTS`] that makes the device believe it is enrolled while it isn't 0 (B3 step 6).
pub const MMPC_FLAG: &str = "MmpcEnrollmentFlag";
/// Issuer of Intune's certificates (B1.1).
pub const INTUNE_ISSUER: &str = "Microsoft Intune MDM Device CA";

/// Services of the ConfigMgr client, the client itself first (B3 step 6b).
pub const CONFIGMGR_SERVICES: [&str; 4] = ["CcmExec", "smstsmgr", "CmRcService", "ccmsetup"];
/// Keys of the ConfigMgr client (B3 step 6b).
pub const CONFIGMGR_KEYS: [&str; 3] =
    [r"SOFTWARE\Microsoft\CCM", r"SOFTWARE\Microsoft\SMS", r"SOFTWARE\Microsoft\CCMSetup"];

/// Policies that decide whether a package may be installed at all, set while it is (B3 step 2).
pub const PACKAGE_POLICIES: [(&str, &str, u32); 2] = [
    (r"SOFTWARE\Microsoft\PolicyManager\current\device\Security", "AllowAddProvisioningPackage", 1),
    (r"SOFTWARE\Microsoft\PolicyManager\current\device\Accounts", "AllowMicrosoftAccountConnection", 1),
];

/// Where BitLocker is.
pub const BITLOCKER: &str = r"root\cimv2\Security\MicrosoftVolumeEncryption";
/// Roots of the LAPS policy in the order that they count, by the name under which a survey gives them (B9).
pub const LAPS: [(&str, &str); 4] = [
    ("csp", r"SOFTWARE\Microsoft\Policies\LAPS"),
    ("gpo", r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\LAPS"),
    ("local", r"SOFTWARE\Microsoft\Windows\CurrentVersion\LAPS\Config"),
    ("legacy", r"SOFTWARE\Policies\Microsoft Services\AdmPwd"),
];
/// Log of Windows LAPS (B14).
pub const LAPS_LOG: &str = "Microsoft-Windows-LAPS/Operational";
/// Events of a password that was backed up, to Active Directory and to Entra \[K].
pub const LAPS_BACKED_UP: [u32; 2] = [10018, 10029];
/// A back-up counts as fresh for so many hours: passwords live 30 days by default, and half as long again.
pub const LAPS_FRESH_HOURS: i64 = 45 * 24;
/// Keys that are there while a restart is pending \[K].
pub const PENDING_REBOOT: [&str; 2] = [
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired",
];

/// Whether Windows is in FIPS mode.
pub const FIPS: &str = r"SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy";
/// Controlled folder access of Microsoft Defender.
pub const FOLDER_ACCESS: &str =
    r"SOFTWARE\Microsoft\Windows Defender\Windows Defender Exploit Guard\Controlled Folder Access";
/// AppLocker's rules.
pub const APP_LOCKER: &str = r"SOFTWARE\Policies\Microsoft\Windows\SrpV2";

/// Log of joins (B3 step 7).
pub const JOIN_LOG: &str = "Microsoft-Windows-User Device Registration/Admin";
/// Events of a join that failed, newest first (B14).
pub const JOIN_FAILED: [u32; 4] = [304, 305, 307, 204];
/// The event of a join that worked \[K].
pub const JOIN_WORKED: [u32; 1] = [306];

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches the mistakes that kept other tools' devices with their old tenant: a misspelt or doubled path, a
    /// backslash too many or too few (domain.md B3 step 6).
    #[test]
    fn paths_are_whole() {
        let keys = MDM_KEYS.iter().chain(&CONFIGMGR_KEYS).chain(&PENDING_REBOOT).chain(&[PROFILE_LIST, WINLOGON]);
        for path in keys.chain(LAPS.iter().map(|(_, path)| path)) {
            assert!(!path.starts_with('\\') && !path.ends_with('\\') && !path.contains(r"\\"), "{path}");
            assert!(path.starts_with(r"SOFTWARE\"), "{path}");
        }
        assert_eq!(MDM_KEYS.last(), Some(&ENROLMENTS));
        assert!(MDM_KEYS.iter().all(|path| !path.contains("Provins")));
    }
}
