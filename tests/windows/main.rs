//! The suite that every adapter of `DeviceOs` passes, over Windows' own calls: the real adapter, on a Windows or under
//! Wine. Nothing of it runs on another system.
//!
//! Under Wine the calls that it lacks are answered from a machine in memory; the others are made for real. The list of
//! what was answered is printed.

#![cfg(windows)]

#[path = "../it/device_os.rs"]
mod device_os;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use device_os::{Bench, conforms};
use opsole::windows::device::{Options, WindowsDevice};
use opsole::windows::machine::{Files as _, Key, Registry as _, Root, Sys};
use opsole::windows::memory::{Content, Ids, Memory, private_descriptor};
use opsole::windows::stand_in::StandIn;
use opsole::windows::stand_in::answer::{Outside, by_machine, serve};
use opsole::windows::sys::Windows;
use serde_json::Value as Json;

/// Keys that a device's life leaves behind; a fresh device has none of them but those of its sample.
const TOPS: [&str; 11] = [
    r"SOFTWARE\Opsole",
    r"SOFTWARE\Microsoft\Enrollments",
    r"SOFTWARE\Microsoft\EnterpriseResourceManager",
    r"SOFTWARE\Microsoft\IdentityStore",
    r"SOFTWARE\Microsoft\PolicyManager",
    r"SOFTWARE\Microsoft\Provisioning\OMADM",
    r"SOFTWARE\Microsoft\Policies\LAPS",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System",
    r"SOFTWARE\Policies\Microsoft\Windows\WorkplaceJoin",
    r"SOFTWARE\Microsoft\SystemCertificates\OpsoleTest",
];

/// Answers what Wine lacks.
struct Lacking {
    memory: Memory,
    used: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Lacking {
    /// Runs a task in memory; what it writes lies on the disk afterwards.
    fn run_task(&self, args: &[Json]) -> Option<Sys<Json>> {
        let before = self.memory.with(|state| state.files.keys().cloned().collect::<std::collections::BTreeSet<_>>());
        let answer = by_machine(&self.memory, "IRegisteredTask::Run", args);
        self.memory.with(|state| {
            for node in state.files.iter().filter(|(path, _)| !before.contains(*path)).map(|(_, node)| node) {
                if let Content::File(bytes) = &node.content {
                    std::fs::write(&node.path, bytes).expect("a file");
                }
            }
            state.files.retain(|path, _| before.contains(path));
        });
        answer
    }
}

impl Outside for Lacking {
    fn answer(&self, call: &str, args: &[Json]) -> Option<Sys<Json>> {
        // The clock is Wine's own.
        if call == "GetSystemTime" {
            return None;
        }
        *self.used.lock().unwrap_or_else(PoisonError::into_inner).entry(call.to_owned()).or_default() += 1;
        if call == "IRegisteredTask::Run" {
            return self.run_task(args);
        }
        by_machine(&self.memory, call, args)
    }
    fn told(&self, call: &str, args: &[Json]) {
        let word = |at: usize| args.get(at).and_then(Json::as_str).unwrap_or_default().to_owned();
        let (path, other) = (word(0), word(1));
        self.memory.with(|state| {
            let rights = state.files.get(&path.to_lowercase()).map(|node| node.security.clone());
            match call {
                "CreateFile" if rights.is_none() => state.put_file_node(&path, Content::Bulk(0)),
                "CreateDirectory" => {
                    state.put_folder(&path);
                    if let Some(node) = state.files.get_mut(&path.to_lowercase()) {
                        node.security = private_descriptor();
                    }
                }
                "CopyFile" | "MoveFile" => {
                    state.put_file_node(&other, Content::Bulk(0));
                    if let Some((rights, node)) = rights.zip(state.files.get_mut(&other.to_lowercase())) {
                        node.security = rights;
                    }
                }
                "DeleteFile" => state.drop_file(&path),
                _ => {}
            }
        });
    }
}

/// Makes this machine a fresh device: the sample's keys and files, and nothing that an earlier one left.
fn fresh(machine: &Windows, memory: &Memory) -> Sys<()> {
    for top in TOPS {
        machine.remove_tree(&Key::machine(top))?;
    }
    // Windows' own values stand in the list too.
    let list = Key::machine(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList");
    for person in machine.keys(&list)?.unwrap_or_default() {
        machine.remove_tree(&list.join(&person))?;
    }
    machine.remove(r"C:\ProgramData\Opsole")?;
    machine.remove(r"C:\Users\anna")?;
    let (keys, files) = memory.with(|state| (state.keys.clone(), state.files.clone()));
    for (root, path) in keys.keys().filter(|(root, path)| *root == Root::Users && path.starts_with("s-1-")) {
        machine.remove_tree(&Key { root: *root, path: path.clone() })?;
    }
    for ((root, _), node) in &keys {
        let key = Key { root: *root, path: node.path.clone() };
        // A person's loaded hive; what stands in it, if anything, makes the key by itself.
        let below = format!("{}\\", node.path.to_lowercase());
        let is_leaf = !keys.keys().any(|(other, path)| other == root && path.starts_with(&below));
        if *root == Root::Users && node.values.is_empty() && is_leaf {
            machine.create_volatile(&key)?;
        }
        for (name, value) in node.values.values() {
            machine.set(&key, name, value)?;
        }
    }
    for node in files.values().filter(|node| node.path.starts_with(r"C:\Users\")) {
        match &node.content {
            Content::Folder => std::fs::create_dir_all(&node.path).expect("a folder"),
            Content::File(bytes) => machine.write(&node.path, bytes)?,
            // Its length counts, its bytes don't.
            Content::Bulk(bytes) => {
                std::fs::File::create(&node.path).expect("a file").set_len(*bytes).expect("a length")
            }
            Content::Reparse => {}
        }
    }
    Ok(())
}

/// Catches an adapter that passes over a machine in memory alone: registry, files, services and protected bytes are
/// Windows' own here.
#[tokio::test(flavor = "multi_thread")]
async fn the_windows_device_conforms_on_windows() {
    let used = Arc::new(Mutex::new(BTreeMap::new()));
    conforms(|| async {
        let memory = Memory::sample(&Ids::default());
        let machine = Windows::new().expect("a Windows");
        fresh(&machine, &memory).expect("a fresh device");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let outside: Arc<dyn Outside> = Arc::new(Lacking { memory, used: used.clone() });
        std::thread::spawn(move || serve(&listener, &outside));
        let machine = StandIn::connect(machine, &address).expect("a stand-in");
        // Another opening of this machine is this machine.
        let elsewhere = Arc::new(WindowsDevice::new(Arc::new(Memory::sample(&Ids::default()))));
        let options = Options { pause: Duration::from_millis(1), ..Options::default() };
        Bench {
            os: Arc::new(WindowsDevice::with_options(Arc::new(machine), options)),
            keep: (),
            elsewhere: Some(elsewhere),
        }
    })
    .await;
    for (call, times) in used.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("WINE LACKS: {call}: answered {times} times from the machine in memory");
    }
}
