//! What the output says of the device, in types. What isn't printed where it has to be is unknown, never absent.

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::{Section, Status};
use crate::model::{EntraDeviceId, Known, TenantId};

/// Whether the device could authenticate to Entra (`DeviceAuthStatus`, since Windows 10 21H1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceAuth {
    /// `SUCCESS`.
    Works,
    /// `FAILED. …`: what is printed after it.
    Fails(String),
}

/// Outcome of one test of a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// `PASS`, `PASSED`.
    Passed,
    /// `FAIL [0x…/0x…]`: its codes, the outermost first. There may be none.
    Failed(Vec<u32>),
    /// `SKIPPED`: an earlier one failed.
    Skipped,
    /// Anything else, as printed.
    Other(String),
}

/// What one section "Diagnostic Data" says of a join that failed, or the excerpt of it without a title.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnosis {
    /// The tests that were made, in order: `DRS Discovery Test` and its outcome.
    pub checks: Vec<(String, Check)>,
    /// When the join was tried last.
    pub tried: Option<Timestamp>,
    /// `Error Phase`: pre-check, discover, auth, join.
    pub phase: Option<String>,
    /// `Client ErrorCode`, an HRESULT.
    pub client_code: Option<u32>,
    /// `Server ErrorCode`: a word such as `DirectoryError`, or a code of AADSTS.
    pub server_code: Option<String>,
    /// What the server said.
    pub server_message: Option<String>,
    /// HTTP status of the server's answer.
    pub http_status: Option<u16>,
    /// Id that Microsoft's support asks for.
    pub request_id: Option<String>,
}

impl Diagnosis {
    /// Says whether it names an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        let failed = self.checks.iter().any(|(_, check)| matches!(check, Check::Failed(_)));
        failed || self.client_code.is_some_and(|code| code != 0) || self.server_code.is_some()
    }
}

/// The joins of a device, as the output names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinView {
    /// `AzureAdJoined`.
    pub entra_joined: Known<bool>,
    /// `DomainJoined`.
    pub domain_joined: Known<bool>,
    /// `EnterpriseJoined`: a registration with AD FS on premises.
    pub enterprise_joined: Known<bool>,
    /// `WorkplaceJoined` of whoever ran it: a work account is registered.
    pub workplace_joined: Known<bool>,
    /// `DomainName`, the NetBIOS name.
    pub domain: Known<String>,
    /// The tenant.
    pub tenant: Known<TenantId>,
    /// The registration. Windows 1803 prints one where the device isn't joined, too: ask [`JoinView::entra_joined`].
    pub device_id: Known<EntraDeviceId>,
    /// `DeviceAuthStatus`.
    pub device_auth: Known<DeviceAuth>,
    /// `AzureAdPrt` of whoever ran it: as SYSTEM it says nothing about the user.
    pub prt: Known<bool>,
    /// `AzureAdPrtUpdateTime`.
    pub prt_updated: Known<Timestamp>,
    /// `AzureAdPrtExpiryTime`.
    pub prt_expires: Known<Timestamp>,
    /// `Attempt Status`: why the last try to get a token failed, an NTSTATUS or HRESULT.
    pub prt_status: Known<u32>,
    /// `Executing Account Name`: the names of whoever ran it, without those that are empty.
    pub run_as: Vec<String>,
    /// What is printed of joins that failed.
    pub diagnoses: Vec<Diagnosis>,
}

const DEVICE: &str = "Device State";
const DETAILS: &str = "Device Details";
const TENANT: &str = "Tenant Details";
const USER: &str = "User State";
const SSO: &str = "SSO State";
const DIAGNOSTIC: &str = "Diagnostic Data";

impl Status {
    /// Returns what it says in types.
    #[must_use]
    pub fn view(&self) -> JoinView {
        let entra_joined = self.yes_no(&[DEVICE], "AzureAdJoined");
        // Of a device that isn't joined these aren't printed; of a joined one, a missing line is a cut-off text.
        let joined = entra_joined != Known::Known(false);
        let id = |sections: &[&str], key: &str| must(self.text(sections, key), joined, key);
        JoinView {
            domain_joined: self.yes_no(&[DEVICE], "DomainJoined"),
            enterprise_joined: self.yes_no(&[DEVICE], "EnterpriseJoined"),
            workplace_joined: self.yes_no(&[USER], "WorkplaceJoined"),
            domain: self.text(&[DEVICE], "DomainName"),
            // Until 1803 these stood in "Device State", and the token in "User State" (domain.md C1.11).
            tenant: and_then(id(&[TENANT, DEVICE], "TenantId"), |text| text.parse().map_err(|_| "no tenant id")),
            device_id: and_then(id(&[DETAILS, DEVICE], "DeviceId"), |text| text.parse().map_err(|_| "no device id")),
            device_auth: and_then(self.text(&[DETAILS, DEVICE], "DeviceAuthStatus"), |text| device_auth(&text)),
            prt: self.yes_no(&[SSO, USER], "AzureAdPrt"),
            prt_updated: and_then(self.text(&[SSO, USER], "AzureAdPrtUpdateTime"), |text| time(&text).ok_or("no time")),
            prt_expires: and_then(self.text(&[SSO, USER], "AzureAdPrtExpiryTime"), |text| time(&text).ok_or("no time")),
            prt_status: and_then(self.text(&[SSO, USER], "Attempt Status"), |text| code(&text).ok_or("no code")),
            run_as: self.sections.iter().find_map(|s| s.get("Executing Account Name")).map_or_else(Vec::new, |names| {
                names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
            }),
            diagnoses: self.diagnoses(),
            entra_joined,
        }
    }
    /// The value of a key in the first of the sections that has it. Absent only where a section is there.
    fn text(&self, sections: &[&str], key: &str) -> Known<String> {
        let mut there = false;
        for title in sections {
            for section in self.all(title) {
                there = true;
                if let Some(value) = section.get(key) {
                    return text(value, key);
                }
            }
        }
        if there { Known::Absent } else { Known::Unknown(format!("the output has no section \"{}\"", sections[0])) }
    }
    /// A YES or NO. Windows prints these always, so a missing one isn't a NO.
    fn yes_no(&self, sections: &[&str], key: &str) -> Known<bool> {
        and_then(must(self.text(sections, key), true, key), |text| match text.to_ascii_uppercase().as_str() {
            "YES" => Ok(true),
            "NO" => Ok(false),
            _ => Err("neither YES nor NO"),
        })
    }
    fn diagnoses(&self) -> Vec<Diagnosis> {
        let wanted = |section: &&Section| section.title.is_none() || section.is(DIAGNOSTIC);
        let read = self.sections.iter().filter(wanted).map(diagnosis);
        read.filter(|diagnosis| *diagnosis != Diagnosis::default()).collect()
    }
}

/// `NOT SET` is absent; `ERROR`, `ERROR (0x…)`, `UNKNOWN` and `INVALID` are what Windows couldn't find out.
fn text(value: &str, key: &str) -> Known<String> {
    let upper = value.to_ascii_uppercase();
    let first = upper.split([' ', '(']).next().unwrap_or_default();
    match (upper.as_str(), first) {
        ("" | "NOT SET", _) => Known::Absent,
        (_, "ERROR" | "UNKNOWN" | "INVALID") => Known::Unknown(format!("{key} is {value}")),
        _ => Known::Known(value.to_owned()),
    }
}

fn must<T>(known: Known<T>, printed: bool, key: &str) -> Known<T> {
    match known {
        Known::Absent if printed => Known::Unknown(format!("the output has no {key}")),
        other => other,
    }
}

fn and_then<T>(known: Known<String>, read: impl FnOnce(String) -> Result<T, &'static str>) -> Known<T> {
    match known {
        Known::Known(text) => {
            let said = format!("`{}`", text.chars().take(60).collect::<String>());
            read(text).map_or_else(|what| Known::Unknown(format!("{said} is {what}")), Known::Known)
        }
        Known::Absent => Known::Absent,
        Known::Unknown(why) => Known::Unknown(why),
    }
}

fn device_auth(text: &str) -> Result<DeviceAuth, &'static str> {
    let upper = text.to_ascii_uppercase();
    match upper.strip_prefix("FAILED") {
        _ if upper == "SUCCESS" => Ok(DeviceAuth::Works),
        Some(rest) => Ok(DeviceAuth::Fails(tail(text, rest.len()).trim_start_matches(['.', ' ']).to_owned())),
        None => Err("neither SUCCESS nor FAILED"),
    }
}

/// The last bytes of a text. Making ASCII upper keeps every byte's place.
fn tail(text: &str, bytes: usize) -> &str {
    text.get(text.len() - bytes..).unwrap_or_default()
}

/// `2019-01-31 09:16:50.000 UTC`, sometimes without the milliseconds.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim().strip_suffix("UTC")?.trim_end();
    let time: DateTime = text.parse().ok()?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn code(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let digits: &str = digits.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    u32::from_str_radix(digits, 16).ok()
}

fn check(text: &str) -> Check {
    let upper = text.to_ascii_uppercase();
    match upper.as_str() {
        "PASS" | "PASSED" => Check::Passed,
        "SKIPPED" => Check::Skipped,
        _ if upper.starts_with("FAIL") => {
            let inside = text.split(['[', ']']).nth(1).unwrap_or_default();
            Check::Failed(inside.split('/').filter_map(code).collect())
        }
        _ => Check::Other(text.to_owned()),
    }
}

fn diagnosis(section: &Section) -> Diagnosis {
    let text = |key: &str| match text(section.get(key)?, key) {
        Known::Known(text) => Some(text),
        Known::Absent | Known::Unknown(_) => None,
    };
    let checks = section.entries.iter().filter(|(key, _)| key.to_ascii_lowercase().ends_with("test"));
    Diagnosis {
        checks: checks.map(|(key, value)| (key.clone(), check(value))).collect(),
        tried: text("Previous Registration").and_then(|text| time(&text)),
        phase: text("Error Phase"),
        client_code: text("Client ErrorCode").and_then(|text| code(&text)),
        server_code: text("Server ErrorCode"),
        server_message: text("Server Message"),
        // Microsoft's texts have both names.
        http_status: text("Https Status").or_else(|| text("HTTP status")).and_then(|text| text.parse().ok()),
        request_id: text("Request Id"),
    }
}

impl Section {
    /// Returns `DeviceCertificateValidity`: from and until.
    #[must_use]
    pub fn certificate_validity(&self) -> Option<(Timestamp, Timestamp)> {
        let inside = self.get("DeviceCertificateValidity")?.trim().strip_prefix('[')?.strip_suffix(']')?;
        let (from, until) = inside.split_once(" -- ")?;
        Some((time(from)?, time(until)?))
    }
}
