//! The world around an agent under Wine: an emulated device of the lab is what Wine can't be.
//!
//! What the agent does to Windows happens in Wine, for real, where Wine can do it. Calls that Wine lacks are answered
//! from a machine in memory, and what follows from them (a join at the tenant, an enrolment, a sign-in) happens to the
//! lab's device. What Windows then writes by itself is written into Wine's registry.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use opsole::lab::device::LabDevice;
use opsole::model::{DeviceFacts, Digest, PackageName, RecoveryPassword, RunId, Sid};
use opsole::port::{Clock, DeviceAction, DeviceOs as _};
use opsole::windows::machine::{
    AadJoin, AadJoinKind, Accounts as _, Cell, Key, LogEvent, Program, Ran, Row, Session, Sys, Value,
};
use opsole::windows::memory::{Content, Ids, Memory, State, descriptor, private_descriptor};
use opsole::windows::stand_in::answer::{Outside, by_machine};
use serde_json::Value as Json;
use tokio::runtime::Handle;
use uuid::Uuid;

/// The device, twice: in the lab, and as a machine in memory that answers for Wine.
pub struct Twin {
    /// Answers the calls.
    pub memory: Memory,
    device: Arc<LabDevice>,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    used: Mutex<BTreeMap<String, u64>>,
    restart: AtomicBool,
    armed: AtomicBool,
    old: Sid,
    enrolment: String,
    /// Where a path of the emulated Windows lies here.
    disk: Box<dyn Fn(&str) -> PathBuf + Send + Sync>,
}

impl Twin {
    /// Makes a machine in memory that is what the lab's device is.
    pub fn new(
        device: Arc<LabDevice>,
        clock: Arc<dyn Clock>,
        runtime: Handle,
        disk: Box<dyn Fn(&str) -> PathBuf + Send + Sync>,
    ) -> Arc<Self> {
        let facts = runtime.block_on(device.inspect()).expect("facts");
        let (entra, mdm) = (facts.entra.clone().expect("hybrid"), facts.mdm.clone().expect("managed"));
        let profile = facts.profiles.first().expect("a profile").clone();
        let domain_sid = profile.sid.as_str().rsplit_once('-').expect("a SID").0.to_owned();
        let ids = Ids {
            tenant: entra.tenant,
            device_id: entra.device_id,
            intune: mdm.device.expect("an Intune device"),
            key: facts.bitlocker.protectors.first().expect("a protector").id,
            enrolment: Uuid::from_u128(0xe1),
            domain_sid,
            user: profile.sid.clone(),
            folder: profile.path.rsplit('\\').next().expect("a folder").to_owned(),
        };
        let memory = Memory::sample(&ids);
        let now = clock.now();
        memory.with(|state| {
            state.now = now;
            prepare(state, &facts);
        });
        // The service desk's own administrator, whom LAPS manages.
        let own = RecoveryPassword::new("Correct7Horse8Battery9".to_owned());
        memory.set_local_user("local-recovery", &own, "").expect("an account");
        let users = memory.local_users().expect("accounts");
        let sid = users.iter().find(|user| user.name == "local-recovery").expect("it").sid.clone();
        memory.add_member(&"S-1-5-32-544".parse().expect("a SID"), &sid).expect("a member");
        let twin = Arc::new(Self {
            memory,
            device,
            clock,
            runtime,
            used: Mutex::default(),
            restart: AtomicBool::new(false),
            armed: AtomicBool::new(false),
            old: profile.sid,
            enrolment: ids.enrolment.to_string().to_uppercase(),
            disk,
        });
        twin.refresh();
        twin
    }
    /// Returns the lab's device as it is now.
    pub fn facts(&self) -> DeviceFacts {
        self.runtime.block_on(async {
            self.device.up().await.expect("up");
            self.device.inspect().await.expect("facts")
        })
    }
    /// Says whether it is restarting.
    pub fn goes_down(&self) -> bool {
        self.restart.load(Ordering::SeqCst)
    }
    /// Says once whether a restart was asked for.
    pub fn restarts(&self) -> bool {
        self.restart.swap(false, Ordering::SeqCst)
    }
    /// Waits until the lab's device runs again, and gives what the restart brought.
    pub fn come_up(&self) {
        self.memory.reboot();
        self.runtime.block_on(self.device.up()).expect("up");
        self.refresh();
    }
    /// Returns which calls were answered from here, and how often.
    pub fn used(&self) -> BTreeMap<String, u64> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn act(&self, action: &DeviceAction) {
        if let Err(problem) = self.runtime.block_on(self.device.perform(action)) {
            panic!("the lab's device refuses {action:?}: {problem}");
        }
    }
    /// Returns whose profile it is at the start.
    pub fn owner(&self) -> Sid {
        self.old.clone()
    }
    /// Brings the machine in memory to what the lab's device became by itself.
    fn refresh(&self) {
        let Ok(facts) = self.runtime.block_on(self.device.inspect()) else { return };
        let now = self.clock.now();
        self.memory.with(|state| {
            state.now = now;
            state.domain = facts.domain.filter(|domain| !domain.leaving).map(|_| "CORP".to_owned());
            state.entra = facts.entra.map(|join| AadJoin {
                kind: AadJoinKind::Device,
                tenant: join.tenant,
                device_id: join.device_id,
            });
        });
    }
}

const POLICIES: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System";
const PROFILES: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList\";
const BANNER: &str = "Migration in progress";

/// Makes the sample the lab's device.
fn prepare(state: &mut State, facts: &DeviceFacts) {
    state.name.clone_from(&facts.identity.name);
    let bios: Row = [("SerialNumber".to_owned(), Cell::Text(facts.identity.serial.clone()))].into();
    state.instances.insert((r"root\cimv2".to_owned(), "win32_bios".to_owned()), vec![bios]);
    let policies = Key::machine(POLICIES);
    if let Some((caption, text)) = &facts.logon.legal_notice {
        state.put_value(&policies, "legalnoticecaption", Value::Sz(caption.clone()));
        state.put_value(&policies, "legalnoticetext", Value::Sz(text.clone()));
    }
    let laps = Key::machine(r"SOFTWARE\Microsoft\Policies\LAPS");
    state.put_value(&laps, "AdministratorAccountName", Value::Sz("local-recovery".to_owned()));
    let event = LogEvent { at: state.now, id: 10029, data: Vec::new() };
    state.events.push(("Microsoft-Windows-LAPS/Operational".to_owned(), event));
    // Nobody is at the screen when the wave runs, as at night.
    state.sessions.clear();
    state.keys.retain(|(root, _), _| *root != opsole::windows::machine::Root::Users);
}

impl Twin {
    /// Keeps the rights of files up, which Wine squeezes into those of Unix; says whether the call was about files.
    fn rights(&self, call: &str, path: &str, other: &str) -> bool {
        self.memory.with(|state| {
            let rights =
                |state: &State, path: &str| state.files.get(&path.to_lowercase()).map(|node| node.security.clone());
            match call {
                "CreateFile" if rights(state, path).is_none() => state.put_file_node(path, Content::Bulk(0)),
                "CreateFile" => {}
                "CreateDirectory" => {
                    state.put_folder(path);
                    if let Some(node) = state.files.get_mut(&path.to_lowercase()) {
                        node.security = private_descriptor();
                    }
                }
                "CopyFile" | "MoveFile" => {
                    let security = rights(state, path);
                    state.put_file_node(other, Content::Bulk(0));
                    if let Some((security, node)) = security.zip(state.files.get_mut(&other.to_lowercase())) {
                        node.security = security;
                    }
                    if call == "MoveFile" {
                        state.drop_file(path);
                    }
                }
                "DeleteFile" => state.drop_file(path),
                _ => return false,
            }
            true
        })
    }
    fn program(&self, args: &[Json]) -> Option<Sys<Json>> {
        let program: Program = serde_json::from_value(args.first()?.clone()).ok()?;
        let arguments: Vec<String> = serde_json::from_value(args.get(1)?.clone()).ok()?;
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match (program, words.as_slice()) {
            (Program::Dsregcmd, ["/leave"]) => self.act(&DeviceAction::LeaveEntra),
            (Program::PowerShell, words) => {
                let script = words.last().copied().unwrap_or_default();
                let path = script.split("-PackagePath '").nth(1).and_then(|rest| rest.split('\'').next());
                if let Some(path) = path.filter(|_| script.contains("Install-ProvisioningPackage")) {
                    self.install(&std::fs::read((self.disk)(path)).expect("the package lies on the device"));
                    let ran = Ran { code: 0, output: "IsInstalled : True\r\n".to_owned(), error: String::new() };
                    return Some(Ok(serde_json::to_value(ran).expect("JSON")));
                }
            }
            (Program::ManageBde, ["-protectors", _, _, "-id", id]) => {
                let key = id.trim_matches(['{', '}']).parse().map(opsole::model::KeyId).expect("a key's id");
                self.act(&DeviceAction::EscrowProtector(key));
            }
            (Program::DeviceEnroller, _) => self.act(&DeviceAction::SyncMdm),
            _ => {}
        }
        self.refresh();
        by_machine(&self.memory, "CreateProcess", args)
    }
    /// Lets a path be known that lies on the disk by another way than the machine's calls, such as the journal.
    fn known_to_disk(&self, args: &[Json]) {
        let Some(path) = args.first().and_then(Json::as_str) else { return };
        self.memory.with(|state| {
            if !state.files.contains_key(&path.to_lowercase()) && (self.disk)(path).exists() {
                state.put_file_node(path, Content::Bulk(0));
            }
        });
    }
    fn install(&self, bytes: &[u8]) {
        let name = PackageName::from("bulk");
        let content = base64::engine::general_purpose::STANDARD.encode(bytes).into();
        self.act(&DeviceAction::PlacePackage { name: name.clone(), sha256: Digest::of(bytes), content });
        self.act(&DeviceAction::InstallPackage(name));
    }
    /// Gives what the lab's device became by itself: joins, enrolments, sign-ins. What Windows then writes into its
    /// registry is returned.
    pub fn happened(&self) -> Vec<(Key, Vec<(String, Value)>)> {
        let Ok(facts) = self.runtime.block_on(self.device.inspect()) else { return Vec::new() };
        self.refresh();
        let mut writes = Vec::new();
        let enrolments = Key::machine(r"SOFTWARE\Microsoft\Enrollments");
        if let Some(mdm) = facts.mdm.as_ref() {
            let subject = format!("CN={}", mdm.device.expect("an Intune device"));
            let new = self.memory.with(|state| !state.certificates.iter().any(|known| known.subject == subject));
            if new {
                let thumbprint = "cc".repeat(20);
                let certificate = opsole::windows::machine::Certificate {
                    thumbprint: thumbprint.clone(),
                    subject,
                    issuer: "CN=Microsoft Intune MDM Device CA".to_owned(),
                    from: mdm.since,
                    until: mdm.since + std::time::Duration::from_secs(300 * 24 * 3600),
                };
                self.memory.with(|state| state.certificates.push(certificate));
                let tenant = mdm.tenant.expect("Intune").to_string();
                let values = [
                    ("DiscoveryServiceFullURL", Value::Sz("https://enrollment.manage.microsoft.com/x".to_owned())),
                    ("ProviderID", Value::Sz("MS DM Server".to_owned())),
                    ("EnrollmentState", Value::Dword(1)),
                    ("AADTenantID", Value::Sz(tenant)),
                    ("DMPCertThumbPrint", Value::Sz(thumbprint.to_uppercase())),
                ];
                let id = Uuid::from_u128(0xe2).to_string().to_uppercase();
                let values = values.map(|(name, value)| (name.to_owned(), value)).to_vec();
                writes.push((enrolments.join(&id), values));
            }
        }
        if let Some(sign_in) = facts.sign_in.filter(|sign_in| sign_in.sid != self.old) {
            let new = self.memory.with(|state| {
                let new = !state.sessions.iter().any(|session| session.sid == sign_in.sid);
                if new {
                    let sid = &sign_in.sid;
                    let rights = descriptor(sid, &["S-1-5-18", "S-1-5-32-544", sid.as_str()], true);
                    for hive in [sid.to_string(), format!("{sid}_Classes")] {
                        state.put_key(&Key::users(hive), false).security.clone_from(&rights);
                    }
                    let since = sign_in.at.as_second();
                    state.sessions = vec![Session { sid: sign_in.sid.clone(), active: true, since }];
                }
                new
            });
            if new {
                let loaded = Key::users(format!(r"{}\Volatile Environment", sign_in.sid));
                writes.push((loaded, vec![("USERNAME".to_owned(), Value::Sz("anna".to_owned()))]));
                let screen = Key::machine(r"SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\LogonUI");
                let who = Value::Sz(sign_in.sid.to_string());
                writes.push((screen, vec![("LastLoggedOnUserSID".to_owned(), who)]));
            }
        }
        writes
    }
}

impl Outside for Twin {
    fn answer(&self, call: &str, args: &[Json]) -> Option<Sys<Json>> {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner).entry(call.to_owned()).or_default() += 1;
        match call {
            "CreateProcess" => return self.program(args),
            "NetUnjoinDomain" => self.act(&DeviceAction::UnjoinDomain),
            "InitiateSystemShutdownEx" => {
                self.act(&DeviceAction::Restart);
                self.restart.store(true, Ordering::SeqCst);
            }
            "IRegisteredTask::Run" => {
                let before = self.memory.with(|state| state.files.keys().cloned().collect::<Vec<_>>());
                let answer = by_machine(&self.memory, call, args);
                // What a task wrote lies on the disk of the emulated Windows.
                self.memory.with(|state| {
                    for (path, node) in state.files.iter().filter(|(path, _)| !before.contains(path)) {
                        if let Content::File(bytes) = &node.content {
                            let file = (self.disk)(&node.path);
                            std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
                            std::fs::write(&file, bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
                        }
                    }
                    state.files.retain(|path, _| before.contains(path));
                });
                return answer;
            }
            "GetKernelObjectSecurity" | "SetKernelObjectSecurity" => self.known_to_disk(args),
            _ => {}
        }
        self.refresh();
        by_machine(&self.memory, call, args)
    }

    fn told(&self, call: &str, args: &[Json]) {
        let word = |at: usize| args.get(at).and_then(Json::as_str).unwrap_or_default();
        if self.rights(call, word(0), word(1)) {
            return;
        }
        let (key, name) = (word(0), word(1));
        if call == "RegDeleteTree" && key.ends_with(&format!(r"\Enrollments\{}", self.enrolment)) {
            self.act(&DeviceAction::RemoveMdm);
        }
        if key.ends_with(POLICIES) && name == "legalnoticecaption" {
            let banner = args.get(2).is_some_and(|value| value.to_string().contains(BANNER));
            if banner && !self.armed.swap(true, Ordering::SeqCst) {
                self.act(&DeviceAction::Stage { run: RunId(Uuid::from_u128(1)), profile: self.old.clone() });
                self.act(&DeviceAction::Arm { suspend_reboots: 0, recovery: None });
            } else if !banner && self.armed.swap(false, Ordering::SeqCst) {
                self.act(&DeviceAction::RestoreLogonSurface);
            }
        }
        if let Some(sid) = key.strip_prefix(PROFILES).and_then(|sid| sid.parse::<Sid>().ok())
            && name == "ProfileImagePath"
            && sid.is_entra()
        {
            let path = self.facts().profiles.first().expect("a profile").path.clone();
            self.act(&DeviceAction::SwapProfile { from: self.old.clone(), to: sid, path });
        }
    }
}
