//! A laptop as companies have them: hybrid joined, managed by Intune, encrypted, with one person's profile. Keys, tasks
//! and certificates lie where Windows has them (domain.md B1, B3).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::security::descriptor;
use super::state::Content;
use super::{Encryption, Memory, State, lower};
use crate::model::{EntraDeviceId, IntuneId, KeyId, Sid, TenantId};
use crate::windows::machine::{
    AadJoin, AadJoinKind, Adapter, Cell, Certificate, Key, Program, Ran, Row, ScheduledTask, Session, Value,
};
use crate::winformat::hive;

/// The moment at which a sample's clock stands.
pub const SAMPLE_NOW: Timestamp = Timestamp::constant(1_794_000_000, 0);

/// What is particular about a sample.
#[derive(Debug, Clone)]
pub struct Ids {
    /// Tenant of the registration and of the management.
    pub tenant: TenantId,
    /// The registration.
    pub device_id: EntraDeviceId,
    /// The Intune device.
    pub intune: IntuneId,
    /// Recovery key of the volume.
    pub key: KeyId,
    /// The enrolment.
    pub enrolment: Uuid,
    /// Domain part of the directory's SIDs.
    pub domain_sid: String,
    /// Owner of the profile.
    pub user: Sid,
    /// Name of the profile's folder.
    pub folder: String,
}

impl Default for Ids {
    fn default() -> Self {
        let id = |n: u128| Uuid::from_u128(0x5a5a_0000_0000_4000_8000_0000_0000_0000 | n);
        let domain_sid = "S-1-5-21-3623811015-3361044348-30300820".to_owned();
        let user = format!("{domain_sid}-1104").parse().unwrap_or_else(|_| unreachable!("a SID"));
        Self {
            tenant: TenantId(id(1)),
            device_id: EntraDeviceId(id(2)),
            intune: IntuneId(id(3)),
            key: KeyId(id(4)),
            enrolment: id(5),
            domain_sid,
            user,
            folder: "anna".to_owned(),
        }
    }
}

fn sz(text: impl Into<String>) -> Value {
    Value::Sz(text.into())
}
fn row(cells: &[(&str, Cell)]) -> Row {
    cells.iter().map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect()
}
fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}
fn ran(code: u32, output: &str) -> Ran {
    Ran { code, output: output.to_owned(), error: String::new() }
}

impl Memory {
    /// Returns a hybrid joined, Intune enrolled, encrypted laptop with one domain user who is signed in.
    #[must_use]
    pub fn sample(ids: &Ids) -> Self {
        let memory = Self::new(SAMPLE_NOW);
        memory.with(|state| {
            windows(state);
            joins(state, ids);
            enrolment(state, ids);
            profile(state, ids);
            sign_in_screen(state);
            programs(state);
        });
        memory
    }
}

fn windows(state: &mut State) {
    state.name = "LAPTOP-0001".to_owned();
    let current = Key::machine(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion");
    for (name, value) in [("EditionID", "Professional"), ("ProductName", "Windows 10 Pro"), ("CurrentBuild", "22631")] {
        state.put_value(&current, name, sz(value));
    }
    state.adapters = vec![Adapter { kind: 71, dns_servers: vec!["10.0.0.53".to_owned(), "10.0.1.53".to_owned()] }];
    let mut put = |namespace: &str, class: &str, cells: &[(&str, Cell)]| {
        state.instances.insert((lower(namespace), lower(class)), vec![row(cells)]);
    };
    put(r"root\cimv2", "Win32_BIOS", &[("SerialNumber", text("5CD1234ABC"))]);
    put(
        r"root\cimv2",
        "Win32_ComputerSystem",
        &[
            ("TotalPhysicalMemory", text("17179869184")),
            ("NumberOfLogicalProcessors", Cell::Number(8)),
            ("DomainRole", Cell::Number(1)),
        ],
    );
    put(r"root\cimv2", "Win32_Processor", &[("NumberOfCores", Cell::Number(8))]);
    put(
        r"root\cimv2",
        "Win32_OperatingSystem",
        &[("Caption", text("Microsoft Windows 11 Pro")), ("OSArchitecture", text("64-bit"))],
    );
    put(
        r"root\Microsoft\Windows\Storage",
        "MSFT_PhysicalDisk",
        &[("FriendlyName", text("NVMe")), ("HealthStatus", Cell::Number(0))],
    );
    put(
        r"root\cimv2\Security\MicrosoftTpm",
        "Win32_Tpm",
        &[
            ("__PATH", text(r"\\LAPTOP-0001\root\cimv2\Security\MicrosoftTpm:Win32_Tpm=@")),
            ("SpecVersion", text("2.0, 0, 1.38")),
            ("IsEnabled_InitialValue", Cell::Bool(true)),
            ("IsActivated_InitialValue", Cell::Bool(true)),
            ("IsOwned_InitialValue", Cell::Bool(true)),
        ],
    );
    put(r"root\SecurityCenter2", "AntiVirusProduct", &[("displayName", text("Windows Defender"))]);
    put(r"root\cimv2\mdm\dmmap", "MDM_DevDetail_Ext01", &[("DeviceHardwareData", text("T0FBQUFBQUFBQUFBQUFBQQ=="))]);
    let tpm = (lower(r"root\cimv2\Security\MicrosoftTpm"), "win32_tpm".to_owned(), "islockedout".to_owned());
    state.on_method.insert(
        tpm,
        Arc::new(|_, _, _| Ok(row(&[("IsLockedOut", Cell::Bool(false)), ("ReturnValue", Cell::Number(0))]))),
    );
    state.encryption = Some(Encryption { conversion: 1, suspended: None, passwords: Vec::new() });
    let everyone = ["S-1-5-32-544", "S-1-5-32-545", "S-1-5-32-551"];
    let holders = everyone.iter().filter_map(|sid| sid.parse().ok()).collect();
    state.rights.insert("SeInteractiveLogonRight".to_owned(), holders);
}

fn joins(state: &mut State, ids: &Ids) {
    state.domain = Some("CORP".to_owned());
    state.put_value(&Key::machine(r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"), "Domain", sz("corp.example"));
    state.entra = Some(AadJoin { kind: AadJoinKind::Device, tenant: ids.tenant, device_id: ids.device_id });
    state.certificates.push(Certificate {
        thumbprint: "aa".repeat(20),
        subject: format!("CN={}", ids.device_id),
        issuer: "DC=net + DC=windows + CN=MS-Organization-Access + OU=82dbaca4-3e81-46ca-9c73-0950c1eaca97".to_owned(),
        from: months_ago(4),
        until: SAMPLE_NOW.saturating_add(SignedDuration::from_hours(24 * 3000)).unwrap_or(SAMPLE_NOW),
    });
    let task = r"\Microsoft\Windows\Workplace Join\Automatic-Device-Join";
    let xml = "<Task><Actions><Exec><Command>dsregcmd.exe</Command></Exec></Actions></Task>".to_owned();
    state.tasks.insert(lower(task), ScheduledTask { path: task.to_owned(), enabled: true, xml });
    if let Some(encryption) = &mut state.encryption {
        encryption.passwords.push(format!("{{{}}}", ids.key.to_string().to_uppercase()));
    }
    let laps = Key::machine(r"SOFTWARE\Microsoft\Policies\LAPS");
    state.put_value(&laps, "BackupDirectory", Value::Dword(1));
    let (Ok(admins), Ok(domain_admins)) = ("S-1-5-32-544".parse::<Sid>(), format!("{}-512", ids.domain_sid).parse())
    else {
        return;
    };
    if let Some(members) = state.groups.get_mut(&admins) {
        members.insert(domain_admins);
        members.extend(format!("{}-500", state.machine_sid).parse::<Sid>());
        members.insert(ids.user.clone());
    }
}

fn months_ago(months: i64) -> Timestamp {
    SAMPLE_NOW.saturating_sub(SignedDuration::from_hours(24 * 30 * months)).unwrap_or(SAMPLE_NOW)
}

fn enrolment(state: &mut State, ids: &Ids) {
    let id = ids.enrolment.to_string().to_uppercase();
    let root = Key::machine(r"SOFTWARE\Microsoft\Enrollments");
    state.put_value(&root, "MmpcEnrollmentFlag", Value::Dword(2));
    let own = root.join(&id);
    let url = "https://enrollment.manage.microsoft.com/enrollmentserver/discovery.svc";
    for (name, value) in [
        ("DiscoveryServiceFullURL", sz(url)),
        ("ProviderID", sz("MS DM Server")),
        ("EnrollmentState", Value::Dword(1)),
        ("EnrollmentType", Value::Dword(6)),
        ("AADTenantID", sz(ids.tenant.to_string())),
        ("DMPCertThumbPrint", sz("BB".repeat(20))),
    ] {
        state.put_value(&own, name, value);
    }
    // An enrolment of Windows itself, which isn't a management.
    let local = root.join("18DCFFD4-37D6-4BC6-87E0-4266FDBB8E49");
    state.put_value(&local, "ProviderID", sz("Local_Management"));
    for below in [
        r"SOFTWARE\Microsoft\Enrollments\Status",
        r"SOFTWARE\Microsoft\Enrollments\Context",
        r"SOFTWARE\Microsoft\EnterpriseResourceManager\Tracked",
        r"SOFTWARE\Microsoft\PolicyManager\AdmxInstalled",
        r"SOFTWARE\Microsoft\PolicyManager\Providers",
        r"SOFTWARE\Microsoft\Provisioning\OMADM\Accounts",
        r"SOFTWARE\Microsoft\Provisioning\OMADM\Logger",
        r"SOFTWARE\Microsoft\Provisioning\OMADM\Sessions",
    ] {
        state.put_value(&Key::machine(below).join(&id), "Id", sz(id.clone()));
    }
    for name in ["Schedule #3 created by enrollment client", "PushLaunch"] {
        let path = format!(r"\Microsoft\Windows\EnterpriseMgmt\{id}\{name}");
        let xml = "<Task><Actions><Exec><Command>deviceenroller.exe</Command></Exec></Actions></Task>".to_owned();
        state.tasks.insert(lower(&path), ScheduledTask { path, enabled: true, xml });
    }
    state.certificates.push(Certificate {
        thumbprint: "bb".repeat(20),
        subject: format!("CN={}", ids.intune),
        issuer: "CN=Microsoft Intune MDM Device CA".to_owned(),
        from: months_ago(4),
        until: SAMPLE_NOW.saturating_add(SignedDuration::from_hours(24 * 240)).unwrap_or(SAMPLE_NOW),
    });
}

fn profile(state: &mut State, ids: &Ids) {
    let list = Key::machine(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList");
    let system = Value::ExpandSz(r"%systemroot%\system32\config\systemprofile".to_owned());
    state.put_value(&list.join("S-1-5-18"), "ProfileImagePath", system);
    let own = list.join(ids.user.as_str());
    let root = format!(r"C:\Users\{}", ids.folder);
    // FILETIME: 100 nanoseconds since 1601, in two halves.
    let ticks = u64::try_from(SAMPLE_NOW.as_second() + 11_644_473_600).unwrap_or(0).saturating_mul(10_000_000);
    let half = |shift: u32| Value::Dword(u32::try_from((ticks >> shift) & 0xffff_ffff).unwrap_or(0));
    for (name, value) in [
        ("ProfileImagePath", Value::ExpandSz(root.clone())),
        ("Flags", Value::Dword(0)),
        ("State", Value::Dword(0)),
        ("LocalProfileLoadTimeLow", half(0)),
        ("LocalProfileLoadTimeHigh", half(32)),
    ] {
        state.put_value(&own, name, value);
    }
    state.put_folder(&root);
    if let Some(node) = state.files.get_mut(&lower(&root)) {
        node.security = descriptor(&ids.user, &["S-1-5-18", "S-1-5-32-544", ids.user.as_str()], true);
    }
    let rights = descriptor(&ids.user, &["S-1-5-18", "S-1-5-32-544", ids.user.as_str()], true);
    let hive = hive::build(std::slice::from_ref(&rights)).unwrap_or_default();
    state.put_file(&format!(r"{root}\NTUSER.DAT"), &hive);
    state.put_file(&format!(r"{root}\AppData\Local\Microsoft\Windows\UsrClass.dat"), &hive);
    state.put_file_node(&format!(r"{root}\Documents\film.mp4"), Content::Bulk(18 << 30));
    state.put_file(&format!(r"{root}\Documents\letter.txt"), b"dear reader");
    state.put_file_node(&format!(r"{root}\Application Data"), Content::Reparse);
    let broker = r"AppData\Local\Packages\Microsoft.AAD.BrokerPlugin_cw5n1h2txyewy\AC\TokenBroker\Accounts\a.tbacct";
    state.put_file(&format!(r"{root}\{broker}"), b"token");
    // Loaded, since she is signed in.
    state.put_value(&Key::users(format!(r"{}\Volatile Environment", ids.user)), "USERNAME", sz(ids.folder.clone()));
    state.put_key(&Key::users(ids.user.as_str()), false).security.clone_from(&rights);
    state.put_key(&Key::users(format!("{}_Classes", ids.user)), false).security = rights;
    state.sessions = vec![Session { sid: ids.user.clone(), active: true, since: SAMPLE_NOW.as_second() - 3600 }];
    let store = Key::machine(r"SOFTWARE\Microsoft\IdentityStore");
    let entry = ids.user.as_str();
    let cache = store.join("Cache").join(entry).join("IdentityCache").join(entry);
    state.put_value(&cache, "UserName", sz(format!("{}@corp.example", ids.folder)));
    let logon = store.join(r"LogonCache\{B16898C6-A148-4967-9171-64D755DA8520}");
    let name2sid = logon.join("Name2Sid").join("8f1c0d2e");
    state.put_value(&name2sid, "Sid", sz(entry));
    state.put_value(&name2sid, "IdentityName", sz(format!("{}@corp.example", ids.folder)));
    state.put_value(&logon.join("Sid2Name").join(entry), "IdentityName", sz(format!("{}@corp.example", ids.folder)));
    state.put_value(&logon.join("SAM_Name").join(&ids.folder), "Sid", sz(entry));
}

fn sign_in_screen(state: &mut State) {
    let system = Key::machine(r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System");
    state.put_value(&system, "legalnoticecaption", sz("Corp"));
    state.put_value(&system, "legalnoticetext", sz("Authorised use only."));
    let providers = Key::machine(r"SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\Credential Providers");
    for (id, name) in [
        ("{60b78e88-ead8-445c-9cfd-0b87f74ea6cd}", "PasswordProvider"),
        ("{cb82ea12-9f71-446d-89e1-8d0924e1256e}", "PINLogonProvider"),
    ] {
        state.put_value(&providers.join(id), "", sz(name));
    }
    let winlogon = Key::machine(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon");
    state.put_value(&winlogon, "AutoAdminLogon", sz("0"));
}

fn programs(state: &mut State) {
    state.programs.insert(
        Program::Dsregcmd,
        Arc::new(|state, arguments| match arguments {
            ["/leave"] => {
                state.entra = None;
                state.certificates.retain(|certificate| !certificate.issuer.contains("MS-Organization-Access"));
                Ok(ran(0, ""))
            }
            ["/status"] => Ok(ran(0, &status(state, false))),
            _ => Ok(ran(1, "")),
        }),
    );
    state.programs.insert(
        Program::PowerShell,
        Arc::new(|state, arguments| {
            let script = arguments.last().copied().unwrap_or_default();
            let path = script.split("-PackagePath '").nth(1).and_then(|rest| rest.split('\'').next());
            match path {
                Some(path) if script.contains("Install-ProvisioningPackage") => {
                    let there = state.files.contains_key(&lower(path));
                    Ok(if there { ran(0, "IsInstalled : True\r\n") } else { ran(1, "") })
                }
                _ => Ok(ran(0, "")),
            }
        }),
    );
    state.programs.insert(
        Program::ManageBde,
        Arc::new(|state, arguments| {
            let known = |id: &str| state.encryption.as_ref().is_some_and(|e| e.passwords.iter().any(|p| p == id));
            match arguments {
                ["-protectors", "-aadbackup", _, "-id", id] if known(id) && state.entra.is_some() => Ok(ran(0, "")),
                ["-protectors", "-adbackup", _, "-id", id] if known(id) && state.domain.is_some() => Ok(ran(0, "")),
                _ => Ok(ran(0x8007_0057, "ERROR: the parameter is incorrect.")),
            }
        }),
    );
    state.programs.insert(Program::DeviceEnroller, Arc::new(|_, _| Ok(ran(0, ""))));
    // A task of this kind runs `cmd /c … > file`: what it writes is what the program says to whom the task runs as.
    state.on_task.push((
        r"\opsole\".to_owned(),
        Arc::new(|state, _, xml| {
            let Some(file) = xml.split("&gt; &quot;").nth(1).and_then(|rest| rest.split("&quot;").next()) else {
                return Ok(());
            };
            let file = file.to_owned();
            // A token belongs to a person's session, and is seen by whoever the task runs as.
            let person = state.sessions.iter().any(|session| xml.contains(session.sid.as_str()));
            let output = if xml.contains("dsregcmd") { status(state, person) } else { own(xml) };
            let echo = xml.split("echo ").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default();
            state.put_file(&file, format!("{output}\r\n{echo}\r\n").as_bytes());
            Ok(())
        }),
    ));
}

/// What `whoami /user` says in a task.
fn own(xml: &str) -> String {
    let who = xml.split("<UserId>").nth(1).and_then(|rest| rest.split("</UserId>").next()).unwrap_or_default();
    format!("\"NT AUTHORITY\\SYSTEM\",\"{who}\"\r\n")
}

/// What `dsregcmd /status` says, shortened to the lines that name states.
fn status(state: &State, as_user: bool) -> String {
    let yes = |there: bool| if there { "YES" } else { "NO" };
    let entra = state.entra.as_ref();
    let mut lines = vec![
        "| Device State                                                         |".to_owned(),
        format!("             AzureAdJoined : {}", yes(entra.is_some())),
        "          EnterpriseJoined : NO".to_owned(),
        format!("              DomainJoined : {}", yes(state.domain.is_some())),
    ];
    if let Some(entra) = entra {
        lines.push("| Device Details                                                       |".to_owned());
        lines.push(format!("                  DeviceId : {}", entra.device_id));
        lines.push("          DeviceAuthStatus : SUCCESS".to_owned());
        lines.push(format!("                  TenantId : {}", entra.tenant));
    }
    lines.push("| SSO State                                                            |".to_owned());
    lines.push(format!("                AzureAdPrt : {}", yes(as_user && entra.is_some())));
    lines.join("\r\n")
}
