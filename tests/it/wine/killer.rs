//! Kills the agent under Wine right after what it wrote into its journal, and starts its service again.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value as Json;

use super::prefix::Prefix;
use super::twin::Twin;

/// In which step a person looks at the dead device.
pub const LOOKED_AT: &str = "device.swap-profile";
/// How long a call may be under way whose caller is dead.
const HEARD: Duration = Duration::from_millis(100);
const JOURNAL: &str = r"C:\ProgramData\Opsole\agent\journal.jsonl";

/// Kills at the first entry of each kind: a step that is killed at each of its attempts would use them up.
#[derive(Default)]
pub struct Killer {
    /// After what.
    pub killed: Vec<String>,
    /// What `agent recover` said in the middle.
    pub recover: Option<Json>,
    /// Of what kinds there were entries, also those that others followed before they were seen.
    pub seen: BTreeSet<String>,
    bytes: usize,
}

impl Killer {
    /// Looks at the journal, and kills where it has something new.
    pub fn look(&mut self, wine: &Prefix, twin: &Twin) {
        // Windows starts no service while it goes down, and ends them all anyway.
        if twin.goes_down() {
            return;
        }
        let Ok(text) = std::fs::read(wine.disk(JOURNAL)) else { return };
        if text.len() == self.bytes {
            return;
        }
        self.bytes = text.len();
        let lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let new: Vec<_> = lines.filter_map(kind).filter(|kind| self.seen.insert(kind.clone())).collect();
        let Some(last) = new.last() else { return };
        if !wine.kill_agent() {
            return;
        }
        self.killed.push(last.clone());
        if self.recover.is_none() && last.contains(LOOKED_AT) && last.contains("started") {
            // Whoever looks finds a person needed, or the agent to be started again: both are that exit code.
            let ran = wine.run(&[r"C:\Program Files\Opsole\opsole.exe", "agent", "recover", "--output", "json"]);
            self.recover = Some(ran.json());
        }
        // What the agent asked for last is heard after its death.
        std::thread::sleep(HEARD);
        if !twin.goes_down() {
            wine.start_agent();
        }
    }
}

/// Returns what an entry is about, without its times and numbers.
fn kind(line: &[u8]) -> Option<String> {
    let entry: Json = serde_json::from_slice(line).ok()?;
    let (name, body) = entry.as_object()?.iter().next()?;
    let event = &body["event"];
    let step = if event.is_null() { &body["step"] } else { &event["step"] };
    let what = event["kind"].as_str().or_else(|| Some(event["kind"].as_object()?.keys().next()?.as_str()));
    let words = [Some(name.as_str()), step["kind"].as_str(), step["op"].as_str(), what];
    Some(words.into_iter().flatten().collect::<Vec<_>>().join(" "))
}
