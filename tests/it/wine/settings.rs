//! What lies on the emulated Windows before the agent comes, and how the agent gets onto it.

use opsole::windows::machine::{Key, Value};
use opsole::windows::memory::{Content, descriptor};
use serde_json::{Value as Json, json};

use super::prefix::Prefix;
use super::twin::Twin;

/// Writes the registry and the files of the machine in memory into Wine, and who answers for it.
pub fn windows_as_it_is(wine: &Prefix, twin: &Twin, address: &str, speed: f64) {
    let (mut values, files) = twin.memory.with(|state| {
        let values: Vec<_> = state
            .keys
            .iter()
            .filter(|(_, node)| !node.volatile)
            .map(|((root, _), node)| {
                (Key { root: *root, path: node.path.clone() }, node.values.values().cloned().collect::<Vec<_>>())
            })
            .collect();
        let files: Vec<_> = state.files.values().map(|node| (node.path.clone(), node.content.clone())).collect();
        (values, files)
    });
    let outside =
        vec![("Address".to_owned(), Value::Sz(address.to_owned())), ("Speed".to_owned(), Value::Sz(speed.to_string()))];
    values.push((Key::machine(r"SOFTWARE\OpsoleStandIn"), outside));
    wine.import(&values);
    let owner = twin.owner();
    let rights = descriptor(&owner, &["S-1-5-18", "S-1-5-32-544", owner.as_str()], true);
    let hive = opsole::winformat::hive::build(&[rights]).expect("a hive");
    for (path, content) in files.iter().filter(|(path, _)| path.starts_with(r"C:\Users\")) {
        match content {
            Content::File(bytes) => wine.write(path, bytes),
            Content::Bulk(_) if path.to_lowercase().ends_with(".dat") => wine.write(path, &hive),
            Content::Bulk(_) => wine.write(path, b"large"),
            Content::Folder => std::fs::create_dir_all(wine.disk(path)).expect("a folder"),
            // Wine's junctions are links of Unix, which the profile's own ones aren't.
            Content::Reparse => {}
        }
    }
}

/// Where the settings lie that the agent is installed with.
pub const FILE: &str = r"C:\settings.json";

/// Leaves the device's settings where an administrator would.
pub fn leave(wine: &Prefix, enrolment: &Json, device: &str) {
    let settings = json!({
        "format": "opsole.agent-settings/1",
        "controller": enrolment["controller"],
        "device": device,
        "token": enrolment["tokens"][device],
        "proxy": "direct",
        "spread_secs": 0,
        "poll_secs": 5,
    });
    wine.write(FILE, settings.to_string().as_bytes());
}

/// Returns what the agent wrote into its log, for a failed test.
pub fn logs(wine: &Prefix) -> String {
    let log = wine.disk(r"C:\ProgramData\Opsole\logs\opsole.log");
    std::fs::read_to_string(log).unwrap_or_else(|e| format!("no log: {e}"))
}
