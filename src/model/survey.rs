//! What an agent finds where looking costs something: hardware, a canary, the network, security software.
//!
//! [`DeviceFacts`](super::DeviceFacts) are read again and again while operations run; a survey is taken once for
//! the readiness checks, and again before the point of no return where it is older than an hour. Facts only, no
//! judgement; what couldn't be read is unknown with a reason, never absent.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Known;

/// Version of the survey. A reader takes what it knows of a newer one.
pub const SURVEY_FORMAT: u32 = 1;

/// Seconds for which a survey is good enough to pass the point of no return (domain.md B15: 60 minutes).
pub const SURVEY_SECS_MAX: i64 = 60 * 60;

/// One survey of one device (prerequisites 1.3, 1.4, 1.9, 1.11; domain.md F).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// [`SURVEY_FORMAT`].
    pub format: u32,
    /// When it was taken, by the device's clock.
    pub at: Timestamp,
    /// Whether the agent runs as SYSTEM (S-1-5-18), as it does in production.
    pub as_system: Known<bool>,
    /// Windows.
    pub windows: Known<Windows>,
    /// Memory, disk, processor.
    pub hardware: Hardware,
    /// The Trusted Platform Module.
    pub tpm: Known<Tpm>,
    /// A task and a process that really ran, and state that was really written.
    pub canary: Known<Canary>,
    /// How far the device's clock is from the controller's or a service's, in seconds; positive is ahead.
    pub clock_skew_secs: Known<i64>,
    /// What became of each endpoint that was tried, as SYSTEM.
    pub network: Known<Vec<Probe>>,
    /// Recovery access.
    pub recovery: Recovery,
    /// Security software and policies.
    pub security: Security,
    /// How the device is connected, and what of that ends with the old identity.
    pub connection: Known<Connection>,
    /// Windows services that run under a user account, `service (account)`.
    pub user_services: Known<Vec<String>>,
    /// Scheduled tasks with saved user credentials, `task (account)`.
    pub user_tasks: Known<Vec<String>>,
    /// User rights that a management left behind and that would keep people out, as SIDs or names of rights.
    pub tattooed_rights: Known<Vec<String>>,
}

/// Windows itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// `Windows 10`, `Windows 11`, or whatever else it calls itself.
    pub product: String,
    /// Build number.
    pub build: u32,
    /// 64 bit.
    pub is_64_bit: bool,
}

/// Memory, disk and processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    /// Installed memory in MiB.
    pub memory_mib: Known<u64>,
    /// Size of the system volume in MiB.
    pub system_volume_mib: Known<u64>,
    /// Processor cores.
    pub cores: Known<u32>,
    /// The system volume's health: none where it is healthy, else what Windows says of it.
    pub disk_trouble: Known<Option<String>>,
}

/// The Trusted Platform Module (domain.md B14, C3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tpm {
    /// Specification version, `2.0`.
    pub version: String,
    /// Enabled and ready.
    pub ready: bool,
    /// Locked out after wrong tries (0x80090031).
    pub locked_out: bool,
    /// In FIPS mode, which a TPM before 2.0 can't be for a join (0x80280036).
    pub fips: bool,
}

/// What really happened when harmless things were tried the way the migration does them (domain.md E 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// A scheduled task or process was made, and ran as SYSTEM.
    pub ran_as_system: bool,
    /// State was written under the agent's keys and folders.
    pub wrote: bool,
    /// The same state was read back.
    pub read_back: bool,
    /// What stood in the way, in the words of Windows or of the security software.
    pub blocked_by: Option<String>,
}

impl Canary {
    /// Says whether everything that was tried worked.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.ran_as_system && self.wrote && self.read_back
    }
}

/// One endpoint that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Host name.
    pub host: String,
    /// What became of it.
    pub outcome: ProbeOutcome,
}

/// How far a connection came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeOutcome {
    /// It answered, over TLS with a public certificate.
    Reached,
    /// Its name doesn't resolve.
    NoName,
    /// Nobody answers on port 443.
    NoAnswer,
    /// A proxy on the way wants a person to sign in (407).
    ProxyWantsPerson,
    /// Something answers with a page of its own where a service was asked (0x8007000d).
    CaptivePortal,
    /// TLS is taken apart on the way; the issuer of the certificate that came.
    Intercepted(String),
}

/// Recovery access (prerequisites 1.9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// An enabled local administrator, and how its password was proven; absent where there is none.
    pub local_admin: Known<LocalAdmin>,
    /// Where the LAPS policy that is in force comes from: `csp`, `gpo`, `local`, `legacy`; absent without one.
    pub laps_policy: Known<String>,
}

/// A local administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalAdmin {
    /// Account name; the password is never read.
    pub account: String,
    /// A logon with its password worked, or Windows LAPS manages it and its backup is fresh.
    pub proven: bool,
}

/// Security software and policies (prerequisites 1.11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// Products that register themselves, by name.
    pub products: Known<Vec<String>>,
    /// Controlled folder access would block writes to the agent's folders.
    pub folder_access_blocks: Known<bool>,
    /// Application control (WDAC, AppLocker) would block the agent's binaries.
    pub app_control_blocks: Known<bool>,
}

/// How the device is connected (domain.md E 22).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// `ethernet`, `wifi`, `cellular`.
    pub kind: String,
    /// It authenticates with a certificate or account of the computer, which ends with the old identity.
    pub machine_credential: bool,
}

/// What a device has to reach as SYSTEM to join, enrol and be signed in to: sign-in, device sign-in \[K], registration,
/// enrolment and Graph of the global cloud (domain.md B1, D; prerequisites 1.4). The controller isn't among them: a
/// report that came has reached it.
pub const ENDPOINTS: [&str; 5] = [
    "login.microsoftonline.com",
    "device.login.microsoftonline.com",
    "enterpriseregistration.windows.net",
    "enrollment.manage.microsoft.com",
    "graph.microsoft.com",
];

impl Survey {
    /// Returns a survey that nothing is wrong with: what the lab's devices and fixtures start from.
    #[must_use]
    pub fn sound(at: Timestamp) -> Self {
        let probe = |host: &str| Probe { host: host.to_owned(), outcome: ProbeOutcome::Reached };
        Self {
            format: SURVEY_FORMAT,
            at,
            as_system: Known::Known(true),
            windows: Known::Known(Windows { product: "Windows 11".to_owned(), build: 22_631, is_64_bit: true }),
            hardware: Hardware {
                memory_mib: Known::Known(16 * 1024),
                system_volume_mib: Known::Known(487_425),
                cores: Known::Known(8),
                disk_trouble: Known::Known(None),
            },
            tpm: Known::Known(Tpm { version: "2.0".to_owned(), ready: true, locked_out: false, fips: false }),
            canary: Known::Known(Canary { ran_as_system: true, wrote: true, read_back: true, blocked_by: None }),
            clock_skew_secs: Known::Known(0),
            network: Known::Known(ENDPOINTS.map(probe).to_vec()),
            recovery: Recovery {
                local_admin: Known::Known(LocalAdmin { account: "local-recovery".to_owned(), proven: true }),
                laps_policy: Known::Known("csp".to_owned()),
            },
            security: Security {
                products: Known::Known(vec!["Microsoft Defender Antivirus".to_owned()]),
                folder_access_blocks: Known::Known(false),
                app_control_blocks: Known::Known(false),
            },
            connection: Known::Known(Connection { kind: "ethernet".to_owned(), machine_credential: false }),
            user_services: Known::Known(Vec::new()),
            user_tasks: Known::Known(Vec::new()),
            tattooed_rights: Known::Known(Vec::new()),
        }
    }
}
