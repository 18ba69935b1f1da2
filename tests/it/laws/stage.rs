//! What the laws share: plans narrowed down to one device, worlds that are compared, work in parallel.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::{Ran, TestEnv};

/// How fast the world's clock runs here. A process that gets no turn for half a second loses half an hour of the
/// world at this speed, which none of the operations takes amiss.
pub const SPEED: &str = "3000";
/// How many runs there are at the same time: most of their time they wait for the world's clock.
const LANES: usize = 6;

/// A plan and how it is narrowed down to one device.
pub struct Case {
    /// Folder of the project.
    pub folder: &'static str,
    /// The wave that has the device.
    pub wave: &'static str,
    /// The device.
    pub device: &'static str,
    /// What the wave selects, and what it selects here.
    pub narrow: (&'static str, &'static str),
}

/// Hybrid joined, with ConfigMgr, keys and groups: the longest chain.
pub const HYBRID: Case = Case {
    folder: "examples/hybrid-to-entra",
    wave: "pilot",
    device: "LON-IT-001",
    narrow: ("{any: [{group: MIG-Pilot}, {name: \"LON-IT-*\"}]}", "{name: LON-IT-001}"),
};
/// Active Directory, and an exclusion that the run opens and closes.
pub const AD: Case = Case {
    folder: "examples/ad-to-entra",
    wave: "pilot",
    device: "BER-001",
    narrow: ("devices: {site: Berlin}", "devices: {name: BER-001}"),
};
/// Two tenants and an Autopilot identity.
pub const TENANTS: Case = Case {
    folder: "examples/tenant-to-tenant",
    wave: "pilot",
    device: "NW-PAR-01",
    narrow: ("{name: \"NW-PAR-*\"}", "{name: NW-PAR-01}"),
};
/// The smallest plan.
pub const MINIMAL: Case = Case {
    folder: "plans/minimal",
    wave: "pilot",
    device: "FAB-002",
    narrow: ("{name: \"FAB-*\"}", "{name: FAB-002}"),
};

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.folder)
    }
}

/// What a world or a device was; too long to be shown.
#[derive(Clone)]
pub struct Picture(pub Value);

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Case {
    /// Copies the plan, for one device and without windows: a clock this fast would wait for nights.
    pub fn stage(&self) -> TestEnv {
        let env = TestEnv::copy(self.folder);
        env.edit("plan.yaml", self.narrow.0, self.narrow.1);
        let lines: Vec<String> = env.read("plan.yaml").lines().map(str::to_owned).collect();
        let kept = lines.iter().filter(|line| !line.trim_start().starts_with("window:"));
        env.write("plan.yaml", &kept.fold(String::new(), |text, line| text + line + "\n"));
        env
    }
    /// The same, in a world where things go wrong.
    pub fn stage_with(&self, faults: &str) -> TestEnv {
        let env = self.stage();
        env.write("world.yaml", &format!("{}\nfaults:\n{faults}", env.read("world.yaml")));
        env
    }
    /// Applies the wave where nothing disturbs it: the world, and how many entries the journal has.
    pub fn undisturbed(&self) -> (Picture, u64) {
        let env = self.stage();
        let ran = self.apply(&env, &[]);
        // A machine under load may let a device wait for longer than a step does: the next run looks again.
        self.finish(&env, &ran).expect("an undisturbed run");
        (Picture(env.world()), entries(&env))
    }
    /// Applies the wave, with further arguments.
    pub fn apply(&self, env: &TestEnv, more: &[&str]) -> Ran {
        run(env, &[&["apply", "--wave", self.wave, "--yes"], more].concat())
    }
    /// Goes on with what was begun until the run ends well: resumes where it was killed, applies again where
    /// something was pending.
    pub fn finish(&self, env: &TestEnv, first: &Ran) -> Result<(), String> {
        let mut codes = vec![first.code];
        let mut last = String::new();
        while codes.last() != Some(&Some(0)) && codes.len() < 6 {
            let ran = match codes.last() {
                Some(None | Some(8)) => run(env, &["apply", "--resume", "--yes"]),
                _ => self.apply(env, &[]),
            };
            codes.push(ran.code);
            last = ran.out + &ran.err;
        }
        if codes.last() == Some(&Some(0)) { Ok(()) } else { Err(format!("ended with {codes:?}\n{last}")) }
    }
    /// Says that the wave is done and the world is as wanted.
    pub fn same_end(&self, env: &TestEnv, wanted: &Picture) -> Result<(), String> {
        whole(env)?;
        same(&wanted.0, &env.world(), &[])?;
        let plan = run(env, &["plan", "--wave", self.wave, "--detailed-exitcode"]);
        if plan.code == Some(0) { Ok(()) } else { Err(format!("a second plan isn't empty\n{}{}", plan.out, plan.err)) }
    }
}

/// The program at the speed of the laws.
pub fn command(env: &TestEnv, args: &[&str]) -> Command {
    let mut command = env.command(args);
    command.env("OPSOLE_LAB_SPEED", SPEED);
    command
}

/// Runs the program to its end.
pub fn run(env: &TestEnv, args: &[&str]) -> Ran {
    let output = command(env, args).output().expect("the program starts");
    Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The newest run as `status` tells it.
pub fn status(env: &TestEnv) -> Value {
    run(env, &["status", "--output", "json"]).expect(0).json()["run"].clone()
}

/// Says that the audit list is whole and every run as it says, also right after a kill.
pub fn whole(env: &TestEnv) -> Result<(), String> {
    let verified = run(env, &["audit", "verify"]);
    if verified.code == Some(0) { Ok(()) } else { Err(verified.out + &verified.err) }
}

/// Entries of the newest run's journal.
pub fn entries(env: &TestEnv) -> u64 {
    status(env)["entries"].as_u64().expect("a number")
}

/// The agent's journal of a device.
pub fn agent_journal(env: &TestEnv, device: &str) -> PathBuf {
    env.path(format!(".opsole/lab/agents/{device}/journal.jsonl"))
}

/// Some of the numbers up to and with `last`: each `step`-th from a place that the seed says, or all of them.
pub fn some_of(last: u64, step: u64, seed: u64) -> Vec<u64> {
    if all() || step == 1 { (1..=last).collect() } else { (1 + seed % step..=last).step_by(step as usize).collect() }
}

/// Everything is to be tried.
pub fn all() -> bool {
    std::env::var_os("OPSOLE_LAWS").is_some_and(|what| what == "all")
}

/// Does something for each item, several at a time, and fails with all that failed.
#[track_caller]
pub fn for_each<T: Sync + std::fmt::Debug>(items: &[T], work: impl Fn(&T) -> Result<(), String> + Sync) {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..LANES.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = work(item) {
                        failed.lock().expect("a list").push(format!("{item:?}: {why}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("a list");
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), items.len(), failed.join("\n\n"));
}

/// Compares two worlds, but for members of these names, and tells where they differ.
pub fn same(wanted: &Value, found: &Value, but: &[&str]) -> Result<(), String> {
    let mut differences = Vec::new();
    compare("", wanted, found, but, &mut differences);
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

fn compare(place: &str, wanted: &Value, found: &Value, but: &[&str], into: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(left), Value::Object(right)) => {
            let names: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for name in names.into_iter().filter(|name| !but.contains(&name.as_str())) {
                let place = format!("{place}/{name}");
                compare(&place, &wanted[name], &found[name], but, into);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (at, (left, right)) in left.iter().zip(right).enumerate() {
                compare(&format!("{place}/{at}"), left, right, but, into);
            }
        }
        _ if wanted == found => {}
        _ => into.push(format!("{place}: wanted {wanted}, found {found}")),
    }
}
