//! A machine whose single calls somebody outside answers: how an agent runs whole where a Windows lacks some calls.
//!
//! Wine has the registry, files, services, certificates, DPAPI and much else, and has no domains, no Entra join, no
//! BitLocker and no file rights but those of Unix. For a call that is on the list the machine asks over a socket first.
//! Whoever listens there answers it, or says that the real call is to be made. Writes to registry and
//! files are made for real, and told. The agent takes one under Wine alone (`ntdll` exports `wine_get_version` there, and never on a
//! Windows), so that the program that is tested is the one that is shipped.
//!
//! ```text
//! -> {"call": "NetUnjoinDomain", "args": []}          one line of JSON each way
//! <- {"ok": null} | {"real": true} | {"error": {"cause": "Denied", "code": 5, "text": "…"}}
//! -> {"told": "RegSetValue", "args": ["HKLM\\…", "name"]}     answered with {"ok": null}
//! ```

pub mod answer;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use crate::model::{ProbeOutcome, Problem, RecoveryPassword, Sid};
use crate::windows::machine::{
    AadJoin, Accounts, Adapter, Cause, Certificate, Certificates, Entry, Files, Host, Joins, Key, LocalUser, LogEvent,
    Machine, Program, Programs, Ran, Registry, Row, ScheduledTask, Service, ServiceSpec, Services, Session, StartKind,
    Sys, SysError, Tasks, Value, Volume, Wmi,
};

/// A machine, and who answers for it.
pub struct StandIn<M> {
    real: M,
    outside: Mutex<BufReader<TcpStream>>,
}

/// Where somebody answers, and how fast time passes there: two values of `HKLM\SOFTWARE\OpsoleStandIn`.
#[derive(Debug, Clone, PartialEq)]
pub struct Answering {
    /// Such as `127.0.0.1:4711`.
    pub address: String,
    /// How many times faster than the wall.
    pub speed: f64,
}

impl Answering {
    /// Finds who answers; nobody ever does on a Windows that isn't Wine.
    ///
    /// # Errors
    /// Where the registry can't be read.
    pub fn of(machine: &dyn Machine, is_wine: bool) -> Result<Option<Self>, Problem> {
        if !is_wine {
            return Ok(None);
        }
        let key = Key::machine(r"SOFTWARE\OpsoleStandIn");
        let text = |name| -> Result<Option<String>, Problem> {
            Ok(machine.value(&key, name)?.and_then(|value| value.text().map(str::to_owned)))
        };
        let speed = text("Speed")?.and_then(|speed| speed.parse().ok()).unwrap_or(1.0);
        Ok(text("Address")?.map(|address| Self { address, speed }))
    }
}

impl<M> std::fmt::Debug for StandIn<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StandIn(..)")
    }
}

impl<M: Machine> StandIn<M> {
    /// Connects to whoever answers, such as `127.0.0.1:4711`.
    ///
    /// # Errors
    /// Where nobody listens there.
    pub fn connect(real: M, address: &str) -> Sys<Self> {
        let failed = |e: std::io::Error| SysError::new("connect", address, Cause::NotThere, 0, e.to_string());
        let stream = TcpStream::connect(address).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        Ok(Self { real, outside: Mutex::new(BufReader::new(stream)) })
    }

    fn line(&self, call: &'static str, request: &Json) -> Sys<Json> {
        let failed = |why: String| SysError::new(call, "the stand-in", Cause::Other, 0, why);
        let mut outside = self.outside.lock().unwrap_or_else(PoisonError::into_inner);
        let text = format!("{request}\n");
        outside.get_mut().write_all(text.as_bytes()).map_err(|e| failed(e.to_string()))?;
        let mut answer = String::new();
        if outside.read_line(&mut answer).map_err(|e| failed(e.to_string()))? == 0 {
            return Err(failed("nobody answers any more".to_owned()));
        }
        serde_json::from_str(&answer).map_err(|e| failed(e.to_string()))
    }

    /// Asks outside, and makes the real call where that is the answer.
    fn ask<T: DeserializeOwned>(&self, call: &'static str, args: &Json, real: impl FnOnce(&M) -> Sys<T>) -> Sys<T> {
        let mut answer = self.line(call, &json!({"call": call, "args": args}))?;
        if answer["real"] == json!(true) {
            return real(&self.real);
        }
        if let Some(error) = answer.get("error") {
            let cause = serde_json::from_value(error["cause"].clone()).unwrap_or(Cause::Other);
            let code = error["code"].as_u64().and_then(|code| u32::try_from(code).ok()).unwrap_or_default();
            let text = error["text"].as_str().unwrap_or_default();
            return Err(SysError::new(call, args.to_string(), cause, code, text));
        }
        serde_json::from_value(answer["ok"].take())
            .map_err(|e| SysError::new(call, "the stand-in", Cause::Unreadable, 0, e.to_string()))
    }

    fn told(&self, call: &'static str, args: &Json) -> Sys<()> {
        self.line(call, &json!({"told": call, "args": args})).map(drop)
    }
}

impl<M: Machine> Registry for StandIn<M> {
    fn value(&self, key: &Key, name: &str) -> Sys<Option<Value>> {
        self.real.value(key, name)
    }
    fn values(&self, key: &Key) -> Sys<Option<Vec<(String, Value)>>> {
        self.real.values(key)
    }
    fn keys(&self, key: &Key) -> Sys<Option<Vec<String>>> {
        self.real.keys(key)
    }
    fn set(&self, key: &Key, name: &str, value: &Value) -> Sys<()> {
        self.real.set(key, name, value)?;
        self.told("RegSetValue", &json!([key.to_string(), name, value]))
    }
    fn create_volatile(&self, key: &Key) -> Sys<bool> {
        self.real.create_volatile(key)
    }
    fn create_private(&self, key: &Key) -> Sys<()> {
        Registry::create_private(&self.real, key)
    }
    fn remove_value(&self, key: &Key, name: &str) -> Sys<()> {
        self.real.remove_value(key, name)?;
        self.told("RegDeleteValue", &json!([key.to_string(), name]))
    }
    fn remove_tree(&self, key: &Key) -> Sys<()> {
        self.real.remove_tree(key)?;
        self.told("RegDeleteTree", &json!([key.to_string()]))
    }
    fn key_security(&self, key: &Key) -> Sys<Option<Vec<u8>>> {
        self.ask("RegGetKeySecurity", &json!([key]), |real| real.key_security(key))
    }
    fn set_key_security(&self, key: &Key, descriptor: &[u8]) -> Sys<()> {
        self.real.set_key_security(key, descriptor)
    }
}

impl<M: Machine> Files for StandIn<M> {
    fn read(&self, path: &str, limit: u64) -> Sys<Option<Vec<u8>>> {
        self.real.read(path, limit)
    }
    fn write(&self, path: &str, bytes: &[u8]) -> Sys<()> {
        self.real.write(path, bytes)?;
        self.told("CreateFile", &json!([path]))
    }
    fn copy(&self, from: &str, to: &str) -> Sys<()> {
        self.real.copy(from, to)?;
        self.told("CopyFile", &json!([from, to]))
    }
    fn rename(&self, from: &str, to: &str) -> Sys<()> {
        self.real.rename(from, to)?;
        self.told("MoveFile", &json!([from, to]))
    }
    fn create_private(&self, path: &str) -> Sys<()> {
        Files::create_private(&self.real, path)?;
        self.told("CreateDirectory", &json!([path]))
    }
    fn exists(&self, path: &str) -> Sys<bool> {
        self.real.exists(path)
    }
    fn list(&self, path: &str) -> Sys<Option<Vec<Entry>>> {
        self.real.list(path)
    }
    fn remove(&self, path: &str) -> Sys<()> {
        self.real.remove(path)?;
        self.told("DeleteFile", &json!([path]))
    }
    fn security(&self, path: &str) -> Sys<Option<Vec<u8>>> {
        self.ask("GetKernelObjectSecurity", &json!([path]), |real| real.security(path))
    }
    fn set_security(&self, path: &str, descriptor: &[u8]) -> Sys<()> {
        self.ask("SetKernelObjectSecurity", &json!([path, descriptor]), |real| real.set_security(path, descriptor))
    }
    fn volume(&self, path: &str) -> Sys<Volume> {
        self.real.volume(path)
    }
}

impl<M: Machine> Programs for StandIn<M> {
    fn run(&self, program: Program, arguments: &[&str], limit_secs: u32) -> Sys<Ran> {
        self.ask("CreateProcess", &json!([program, arguments]), |real| real.run(program, arguments, limit_secs))
    }
}

impl<M: Machine> Joins for StandIn<M> {
    fn domain(&self) -> Sys<Option<String>> {
        self.ask("NetGetJoinInformation", &json!([]), Joins::domain)
    }
    fn entra(&self) -> Sys<Option<AadJoin>> {
        self.ask("NetGetAadJoinInformation", &json!([]), Joins::entra)
    }
    fn unjoin(&self) -> Sys<()> {
        self.ask("NetUnjoinDomain", &json!([]), Joins::unjoin)
    }
}

impl<M: Machine> Certificates for StandIn<M> {
    fn certificates(&self) -> Sys<Vec<Certificate>> {
        self.ask("CertEnumCertificatesInStore", &json!([]), Certificates::certificates)
    }
    fn remove_certificate(&self, thumbprint: &str) -> Sys<()> {
        self.ask("CertDeleteCertificateFromStore", &json!([thumbprint]), |real| real.remove_certificate(thumbprint))
    }
}

impl<M: Machine> Accounts for StandIn<M> {
    fn machine_sid(&self) -> Sys<Sid> {
        self.ask("LsaQueryInformationPolicy", &json!([]), Accounts::machine_sid)
    }
    fn local_users(&self) -> Sys<Vec<LocalUser>> {
        self.ask("NetUserEnum", &json!([]), Accounts::local_users)
    }
    fn set_local_user(&self, name: &str, password: &RecoveryPassword, comment: &str) -> Sys<()> {
        let args = Zeroizing::new(password.expose().to_owned());
        self.ask("NetUserAdd", &json!([name, *args, comment]), |real| real.set_local_user(name, password, comment))
    }
    fn remove_local_user(&self, name: &str) -> Sys<()> {
        self.ask("NetUserDel", &json!([name]), |real| real.remove_local_user(name))
    }
    fn logon_works(&self, name: &str, password: &RecoveryPassword) -> Sys<bool> {
        let args = Zeroizing::new(password.expose().to_owned());
        self.ask("LogonUser", &json!([name, *args]), |real| real.logon_works(name, password))
    }
    fn local_groups(&self) -> Sys<Vec<Sid>> {
        self.ask("NetLocalGroupEnum", &json!([]), Accounts::local_groups)
    }
    fn members(&self, group: &Sid) -> Sys<Vec<Sid>> {
        self.ask("NetLocalGroupGetMembers", &json!([group]), |real| real.members(group))
    }
    fn add_member(&self, group: &Sid, member: &Sid) -> Sys<()> {
        self.ask("NetLocalGroupAddMembers", &json!([group, member]), |real| real.add_member(group, member))
    }
    fn remove_member(&self, group: &Sid, member: &Sid) -> Sys<()> {
        self.ask("NetLocalGroupDelMembers", &json!([group, member]), |real| real.remove_member(group, member))
    }
    fn holders(&self, right: &str) -> Sys<Vec<Sid>> {
        self.ask("LsaEnumerateAccountsWithUserRight", &json!([right]), |real| real.holders(right))
    }
    fn sessions(&self) -> Sys<Vec<Session>> {
        self.ask("WTSEnumerateSessions", &json!([]), Accounts::sessions)
    }
}

impl<M: Machine> Services for StandIn<M> {
    fn service(&self, name: &str) -> Sys<Option<Service>> {
        self.real.service(name)
    }
    fn services(&self) -> Sys<Vec<Service>> {
        self.real.services()
    }
    fn install_service(&self, spec: &ServiceSpec) -> Sys<()> {
        self.real.install_service(spec)
    }
    fn set_start(&self, name: &str, start: StartKind) -> Sys<()> {
        self.real.set_start(name, start)
    }
    fn start_service(&self, name: &str) -> Sys<()> {
        self.real.start_service(name)
    }
    fn stop_service(&self, name: &str, limit_secs: u32) -> Sys<()> {
        self.real.stop_service(name, limit_secs)
    }
    fn remove_service(&self, name: &str) -> Sys<()> {
        self.real.remove_service(name)
    }
}

impl<M: Machine> Tasks for StandIn<M> {
    fn task(&self, path: &str) -> Sys<Option<ScheduledTask>> {
        self.ask("ITaskFolder::GetTask", &json!([path]), |real| real.task(path))
    }
    fn tasks(&self, folder: &str) -> Sys<Vec<ScheduledTask>> {
        self.ask("ITaskFolder::GetTasks", &json!([folder]), |real| real.tasks(folder))
    }
    fn register_task(&self, path: &str, xml: &str) -> Sys<()> {
        self.ask("ITaskFolder::RegisterTask", &json!([path, xml]), |real| real.register_task(path, xml))
    }
    fn enable_task(&self, path: &str, enabled: bool) -> Sys<bool> {
        self.ask("IRegisteredTask::put_Enabled", &json!([path, enabled]), |real| real.enable_task(path, enabled))
    }
    fn run_task(&self, path: &str) -> Sys<()> {
        self.ask("IRegisteredTask::Run", &json!([path]), |real| real.run_task(path))
    }
    fn remove_tasks(&self, path: &str) -> Sys<()> {
        self.ask("ITaskFolder::DeleteTask", &json!([path]), |real| real.remove_tasks(path))
    }
}

impl<M: Machine> Wmi for StandIn<M> {
    fn query(&self, namespace: &str, query: &str) -> Sys<Option<Vec<Row>>> {
        self.ask("IWbemServices::ExecQuery", &json!([namespace, query]), |real| real.query(namespace, query))
    }
    fn call(&self, namespace: &str, object: &str, method: &'static str, arguments: &Row) -> Sys<Row> {
        let args = json!([namespace, object, method, arguments]);
        self.ask("IWbemServices::ExecMethod", &args, |real| real.call(namespace, object, method, arguments))
    }
}

impl<M: Machine> Host for StandIn<M> {
    fn computer_name(&self) -> Sys<String> {
        self.ask("GetComputerName", &json!([]), Host::computer_name)
    }
    fn is_system(&self) -> Sys<bool> {
        self.ask("GetTokenInformation", &json!([]), Host::is_system)
    }
    fn now(&self) -> Timestamp {
        // A clock can't fail: where nobody answers it is the machine's own.
        let asked = self.ask("GetSystemTime", &json!([]), |real| Ok(real.now()));
        asked.unwrap_or_else(|_| self.real.now())
    }
    fn version(&self) -> Sys<(u32, u32, u32)> {
        self.ask("RtlGetVersion", &json!([]), Host::version)
    }
    fn on_ac(&self) -> Sys<bool> {
        self.real.on_ac()
    }
    fn adapters(&self) -> Sys<Vec<Adapter>> {
        self.ask("GetAdaptersAddresses", &json!([]), Host::adapters)
    }
    fn folder(&self, variable: &str) -> Sys<String> {
        self.real.folder(variable)
    }
    fn restart(&self, message: &str, after_secs: u32) -> Sys<()> {
        let args = json!([message, after_secs]);
        self.ask("InitiateSystemShutdownEx", &args, |real| real.restart(message, after_secs))
    }
    fn protect(&self, plain: &[u8]) -> Sys<Vec<u8>> {
        self.real.protect(plain)
    }
    fn unprotect(&self, protected: &[u8]) -> Sys<Zeroizing<Vec<u8>>> {
        self.real.unprotect(protected)
    }
    fn events(&self, log: &str, ids: &[u32], max: usize) -> Sys<Vec<LogEvent>> {
        self.ask("EvtQuery", &json!([log, ids, max]), |real| real.events(log, ids, max))
    }
    fn probe(&self, host: &str, limit_secs: u32) -> Sys<ProbeOutcome> {
        self.ask("WinHttpSendRequest", &json!([host, limit_secs]), |real| real.probe(host, limit_secs))
    }
}
