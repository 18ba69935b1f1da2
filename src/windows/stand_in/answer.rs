//! The other side of a [`StandIn`](super::StandIn): answers its calls, from another machine or by anything else.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::model::{RecoveryPassword, Sid};
use crate::windows::machine::{Cause, Key, Machine, Root, Row, Sys, SysError};

/// Whoever answers.
pub trait Outside: Send + Sync {
    /// Answers a call; with none the real call is made.
    fn answer(&self, call: &str, args: &[Json]) -> Option<Sys<Json>>;
    /// Hears of a change that was made for real.
    fn told(&self, call: &str, args: &[Json]);
}

/// Answers connections for as long as the listener lives, each on a thread of its own.
///
/// # Errors
/// Where the listener can't take connections any more.
pub fn serve(listener: &TcpListener, outside: &Arc<dyn Outside>) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        let outside = Arc::clone(outside);
        std::thread::spawn(move || {
            // A machine that is gone asks nothing more.
            drop(one(stream, outside.as_ref()));
        });
    }
}

fn one(stream: TcpStream, outside: &dyn Outside) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let answer = format!("{}\n", reply(outside, &line));
        reader.get_mut().write_all(answer.as_bytes())?;
        line.clear();
    }
    Ok(())
}

fn reply(outside: &dyn Outside, line: &str) -> Json {
    let Ok(request) = serde_json::from_str::<Json>(line) else {
        return json!({"error": {"cause": Cause::Unreadable, "text": "the request isn't JSON"}});
    };
    let args = request["args"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(told) = request["told"].as_str() {
        outside.told(told, args);
        return json!({"ok": null});
    }
    match outside.answer(request["call"].as_str().unwrap_or_default(), args) {
        None => json!({"real": true}),
        Some(Ok(value)) => json!({"ok": value}),
        Some(Err(error)) => json!({"error": {"cause": error.cause, "code": error.code, "text": error.text}}),
    }
}

fn arg<T: DeserializeOwned>(args: &[Json], at: usize) -> Sys<T> {
    let unreadable = |text: String| SysError::new("stand-in", format!("argument {at}"), Cause::Unreadable, 0, text);
    let value = args.get(at).cloned().ok_or_else(|| unreadable("it is missing".to_owned()))?;
    serde_json::from_value(value).map_err(|e| unreadable(e.to_string()))
}

fn out<T: Serialize>(value: Sys<T>) -> Sys<Json> {
    serde_json::to_value(value?).map_err(|e| SysError::new("stand-in", "answer", Cause::Unreadable, 0, e.to_string()))
}

/// Answers a call from another machine; none for a call that no machine knows.
#[must_use]
pub fn by_machine(machine: &dyn Machine, call: &str, args: &[Json]) -> Option<Sys<Json>> {
    known(machine, call, args).transpose()
}

fn known(machine: &dyn Machine, call: &str, args: &[Json]) -> Sys<Option<Json>> {
    let text = |at| arg::<String>(args, at);
    let sid = |at| arg::<Sid>(args, at);
    let answer = match call {
        "GetKernelObjectSecurity" => out(machine.security(&text(0)?)),
        "SetKernelObjectSecurity" => out(machine.set_security(&text(0)?, &arg::<Vec<u8>>(args, 1)?)),
        // Rights of keys are real; people's hives, which nobody loads there, aren't.
        "RegGetKeySecurity" => {
            let key: Key = arg(args, 0)?;
            if key.root != Root::Users {
                return Ok(None);
            }
            out(machine.key_security(&key))
        }
        "CreateProcess" => {
            let arguments = arg::<Vec<String>>(args, 1)?;
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            out(machine.run(arg(args, 0)?, &arguments, 60))
        }
        "NetGetJoinInformation" => out(machine.domain()),
        "NetGetAadJoinInformation" => out(machine.entra()),
        "NetUnjoinDomain" => out(machine.unjoin()),
        "CertEnumCertificatesInStore" => out(machine.certificates()),
        "CertDeleteCertificateFromStore" => out(machine.remove_certificate(&text(0)?)),
        "LsaQueryInformationPolicy" => out(machine.machine_sid()),
        "NetUserEnum" => out(machine.local_users()),
        "NetUserAdd" => out(machine.set_local_user(&text(0)?, &RecoveryPassword::new(text(1)?), &text(2)?)),
        "NetUserDel" => out(machine.remove_local_user(&text(0)?)),
        "LogonUser" => out(machine.logon_works(&text(0)?, &RecoveryPassword::new(text(1)?))),
        "NetLocalGroupEnum" => out(machine.local_groups()),
        "NetLocalGroupGetMembers" => out(machine.members(&sid(0)?)),
        "NetLocalGroupAddMembers" => out(machine.add_member(&sid(0)?, &sid(1)?)),
        "NetLocalGroupDelMembers" => out(machine.remove_member(&sid(0)?, &sid(1)?)),
        "LsaEnumerateAccountsWithUserRight" => out(machine.holders(&text(0)?)),
        "WTSEnumerateSessions" => out(machine.sessions()),
        "ITaskFolder::GetTask" => out(machine.task(&text(0)?)),
        "ITaskFolder::GetTasks" => out(machine.tasks(&text(0)?)),
        "ITaskFolder::RegisterTask" => out(machine.register_task(&text(0)?, &text(1)?)),
        "IRegisteredTask::put_Enabled" => out(machine.enable_task(&text(0)?, arg(args, 1)?)),
        "IRegisteredTask::Run" => out(machine.run_task(&text(0)?)),
        "ITaskFolder::DeleteTask" => out(machine.remove_tasks(&text(0)?)),
        "IWbemServices::ExecQuery" => out(machine.query(&text(0)?, &text(1)?)),
        "IWbemServices::ExecMethod" => {
            let method = text(2)?;
            // Methods have static names; those that the adapter calls are few.
            let Some(method) = METHODS.iter().find(|known| **known == method) else { return Ok(None) };
            out(machine.call(&text(0)?, &text(1)?, method, &arg::<Row>(args, 3)?))
        }
        "GetComputerName" => out(machine.computer_name()),
        "GetTokenInformation" => out(machine.is_system()),
        "GetSystemTime" => out(Ok(machine.now())),
        "RtlGetVersion" => out(machine.version()),
        "GetAdaptersAddresses" => out(machine.adapters()),
        "InitiateSystemShutdownEx" => out(machine.restart(&text(0)?, arg(args, 1)?)),
        "EvtQuery" => out(machine.events(&text(0)?, &arg::<Vec<u32>>(args, 1)?, arg(args, 2)?)),
        "WinHttpSendRequest" => out(machine.probe(&text(0)?, arg(args, 1)?)),
        _ => return Ok(None),
    };
    answer.map(Some)
}

/// Methods of WMI that the adapter calls.
const METHODS: [&str; 8] = [
    "DisableKeyProtectors",
    "EnableKeyProtectors",
    "GetConversionStatus",
    "GetKeyProtectors",
    "GetProtectionStatus",
    "GetSuspendCount",
    "IsLockedOut",
    "ProtectKeyWithNumericalPassword",
];
