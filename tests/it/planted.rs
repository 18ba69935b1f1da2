//! Secrets are planted, a wave goes wrong in several ways, and everything that was written or said is searched for them.

mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use opsole::agent::{Durability, Identity};
use opsole::lab::Lab;
use opsole::lab::device::LabDevice;
use opsole::lab::packages::{LabPackages, PackageContent};
use opsole::lab::world::World;
use opsole::port::{DeviceOs, Packages as _, SystemEntropy};
use secrecy::ExposeSecret as _;

use crate::support::TestEnv;
use search::Search;

const CLIENT_SECRET: &str = "Planted-Client-Secret-8Q~4xJr2";
/// One that the tenant refuses.
const WRONG_SECRET: &str = "Planted-Wrong-Secret-5T~7bWk9";
/// Where all processes of the run say what they say.
const SAID: &str = "said";
/// Longest time of one run, in seconds of the wall.
const LIMIT_SECS: u64 = 240;

/// Where a secret may be: beginning of the path, end of the path, the secret, and why.
const ALLOWED: &[(&str, &str, &str, &str)] = &[
    ("world.yaml", "", "client secret", "the lab's world is the tenant's own side"),
    ("agents.json", "", "enrolment token", "the file that brings it to its device, readable by its owner alone"),
    (".opsole/lab/world.db", "", "package", "the emulated device's own disk, until the package is wiped"),
    (".opsole/lab/world.db", "", "package token", "the emulated device's own disk, until the package is wiped"),
    ("said/recover-", "", "recovery password", "somebody asked for it and said why"),
];

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // One that has ended can't be killed, which is fine.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Stage {
    env: TestEnv,
    search: Search,
    found: BTreeSet<(String, String)>,
    planted: BTreeSet<String>,
}

impl Stage {
    fn new() -> Self {
        let env = TestEnv::example("hybrid-to-entra");
        let plan = env.read("plan.yaml").replace("client_secret: lab", "client_secret: {env: CLIENT_SECRET}");
        let lines = plan.lines().filter(|line| !line.trim_start().starts_with("window:"));
        env.write("plan.yaml", &lines.fold(String::new(), |text, line| text + line + "\n"));
        env.edit("world.yaml", "lab-secret-of-contoso", CLIENT_SECRET);
        // One device passes the point of no return and needs a person; the other one is disturbed on its way.
        let faults = "faults:\n  - {device: LON-IT-002, at: device.swap-profile, kind: {fail: \"0x80004005\"}}\n  \
                      - {device: LON-IT-001, at: device.apply-package, kind: {fail: \"0x80180014\"}, times: 1}\n";
        env.write("world.yaml", &format!("{}\n{faults}", env.read("world.yaml")));
        std::fs::create_dir(env.path(SAID)).expect("a folder");
        let mut search = Search::default();
        search.plant("client secret", CLIENT_SECRET.as_bytes());
        search.plant("wrong secret", WRONG_SECRET.as_bytes());
        let world = World::parse("world.yaml", &env.read("world.yaml")).expect("a world");
        let elsewhere = tempfile::tempdir().expect("a folder");
        let lab = Arc::new(Lab::open(elsewhere.path(), &world).expect("a lab"));
        let package = LabPackages::new(lab).read(&"bulk-2026q4".into()).expect("a package");
        let token = PackageContent::parse(&package).expect("a token").token;
        search.plant("package token", token.as_bytes());
        search.plant_pieces("package", &package, &env.read("world.yaml"));
        Self { env, search, found: BTreeSet::new(), planted: BTreeSet::new() }
    }

    /// Starts the program; all that it says, at its most talkative, goes into a file.
    fn start(&self, name: &str, args: &[&str]) -> Killed {
        let open = |end: &str| -> File {
            let path = self.env.path(format!("{SAID}/{name}.{end}"));
            OpenOptions::new().create(true).append(true).open(path).expect("a file")
        };
        let mut command = self.env.command(args);
        command
            .env("CLIENT_SECRET", CLIENT_SECRET)
            .env("WRONG_SECRET", WRONG_SECRET)
            .env("OPSOLE_LOG", "trace")
            .env("RUST_BACKTRACE", "full");
        command.env("OPSOLE_LAB_SPEED", "3000").stdin(Stdio::null());
        Killed(command.stdout(open("out")).stderr(open("err")).spawn().expect("the program starts"))
    }

    /// Runs the program to its end.
    fn run(&self, name: &str, args: &[&str]) -> Option<i32> {
        self.start(name, args).0.wait().expect("an end").code()
    }

    /// Takes the tokens of an enrolment file up, and says whether there is one.
    fn learn_tokens(&mut self) -> bool {
        let Ok(text) = std::fs::read_to_string(self.env.path("agents.json")) else { return false };
        let Ok(file) = serde_json::from_str::<serde_json::Value>(&text) else { return false };
        for token in file["tokens"].as_object().expect("tokens").values() {
            // The name in front of the seed and the controller's key after it are no secrets.
            let digits = token.as_str().and_then(|token| token.rsplit('.').nth(1)).expect("a token").to_owned();
            if self.planted.insert(digits.clone()) {
                self.search.plant("enrolment token", digits.as_bytes());
                self.search.plant("enrolment token", &URL_SAFE_NO_PAD.decode(&digits).expect("a seed"));
            }
        }
        true
    }

    /// Takes up what a device proves itself with, as only the device itself can: from its encrypted identity.
    fn learn_device_token(&mut self, device: &str) {
        let world = World::parse("world.yaml", &self.env.read("world.yaml")).expect("a world");
        let lab = Arc::new(Lab::open(&self.env.path(".opsole/lab"), &world).expect("a lab"));
        let spec = world.devices.iter().find(|spec| spec.name == device).expect("a device");
        let opened = LabDevice::open(lab.store().clone(), lab.clock(true), "http://127.0.0.1:9", &world, spec);
        let os: Arc<dyn DeviceOs> = Arc::new(opened.expect("a device"));
        let folder = self.env.path(format!(".opsole/lab/agents/{device}"));
        let identity = Identity::open(&folder, &device.into(), Durability::Kill, &os, &SystemEntropy);
        let token = identity.expect("an identity").token().expect("it enrolled");
        let digits = token.expose_secret().rsplit('.').next().expect("digits").to_owned();
        self.search.plant("device token", digits.as_bytes());
    }

    fn look(&mut self) {
        self.search.files(&self.env.path(""), &mut self.found);
    }

    /// Applies the sealed plan with agents in processes of their own; controller and agents die once each.
    fn apply(&mut self, devices: &[&str]) {
        let until = Instant::now() + Duration::from_secs(LIMIT_SECS);
        let agents = ["--agents", "external", "--enrolment", "agents.json"];
        let mut controller = self
            .start("apply", &[&["apply", "pilot.opsole", "--yes", "--kill-after-entry", "40"][..], &agents].concat());
        let mut running: BTreeMap<&str, Killed> = BTreeMap::new();
        let mut kills: BTreeMap<&str, &str> = devices.iter().copied().zip(["9", "23"]).collect();
        let mut died = false;
        loop {
            assert!(Instant::now() < until, "the run has no end");
            if let Some(status) = controller.0.try_wait().expect("a status") {
                self.learn_tokens();
                self.look();
                running.clear();
                if status.code().is_some() {
                    assert!(died, "the controller ended with {status} before it was killed");
                    assert_eq!(status.code(), Some(5), "one device needs a person");
                    return;
                }
                died = true;
                drop(std::fs::remove_file(self.env.path("agents.json")));
                controller = self.start("resume", &[&["apply", "--resume", "--yes"][..], &agents].concat());
            }
            if self.learn_tokens() {
                for device in devices {
                    let gone = match running.get_mut(device) {
                        Some(agent) => agent.0.try_wait().expect("a status").is_some(),
                        None => true,
                    };
                    if gone {
                        if running.remove(device).is_some() {
                            self.look();
                        }
                        let mut args = vec!["agent", "run", "--enrolment", "agents.json", "--device", device];
                        if let Some(entry) = kills.remove(device) {
                            args.extend(["--kill-after-entry", entry]);
                        }
                        let agent = self.start(&format!("agent-{device}"), &args);
                        running.insert(device, agent);
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Catches a secret in a log, a journal, a database, a sealed file, a report, an error, or what a killed process left.
#[test]
fn no_secret_is_where_it_may_not_be() {
    let mut stage = Stage::new();
    let run = |stage: &Stage, name: &str, line: &str| stage.run(name, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(run(&stage, "keys", "keys new jane.key"), Some(0));
    assert_eq!(run(&stage, "secrets", "secrets check"), Some(0));
    assert_eq!(run(&stage, "snapshot", "snapshot --out monday.json"), Some(0));
    assert_eq!(run(&stage, "plan", "plan --wave pilot --out pilot.opsole"), Some(0));
    assert_eq!(run(&stage, "approve", "approve pilot.opsole --as change-management --key jane.key"), Some(0));
    stage.apply(&["LON-IT-001", "LON-IT-002"]);
    // Whatever tells of the run, in every form.
    for (name, line) in [
        ("status", "status --device LON-IT-002"),
        ("status-json", "status --output json"),
        ("report-md", "report last --format markdown --out report.md"),
        ("report-html", "report last --format html --out report.html"),
        ("report-csv", "report last --format csv"),
        ("report-json", "report last --format json"),
        ("audit", "audit list"),
        ("audit-json", "audit list --output json"),
        ("package", "package list"),
        ("lab", "lab show --output json"),
        ("inspect", "agent inspect --device LON-IT-002 --out evidence.json"),
        ("show", "show pilot.opsole --format json"),
        ("page", "show pilot.opsole --format html --out pilot.html"),
    ] {
        assert_eq!(run(&stage, name, line), Some(0), "{line}");
    }
    assert_eq!(run(&stage, "recovery", "recover LON-IT-002"), Some(5));
    // An error that has the secret in hand: the tenant refuses it.
    stage.env.edit("plan.yaml", "{env: CLIENT_SECRET}", "{env: WRONG_SECRET}");
    assert!(run(&stage, "refused", "plan --wave pilot").is_some());
    assert!(
        stage.env.read("said/refused.out").contains("token.wrong-secret"),
        "{}",
        stage.env.read("said/refused.out")
    );
    stage.env.edit("plan.yaml", "{env: WRONG_SECRET}", "{env: CLIENT_SECRET}");
    let status: serde_json::Value =
        serde_json::from_str(&stage.env.read(&format!("{SAID}/status-json.out"))).expect("JSON");
    let mut shown = 0;
    for device in ["LON-IT-001", "LON-IT-002"] {
        let line = format!("recover {device} --show-password --reason INC-4711 --yes --output json");
        let name = format!("recover-{device}");
        assert!(run(&stage, &name, &line).is_some(), "{name} was killed");
        let answer: serde_json::Value =
            serde_json::from_str(&stage.env.read(&format!("{SAID}/{name}.out"))).expect("an answer");
        let outcome = &status["run"]["devices"].as_array().expect("devices").iter();
        let outcome = outcome.clone().find(|entry| entry["device"] == device).map(|entry| entry["outcome"].clone());
        // The device that needs a person has a password, and one that is done has none.
        let done = outcome.as_ref().is_some_and(|outcome| outcome == "complete");
        assert_eq!(answer["password"].is_null(), done, "{device}: {outcome:?}");
        if let Some(password) = answer["password"].as_str() {
            stage.search.plant("recovery password", password.as_bytes());
            shown += 1;
        }
        stage.learn_device_token(device);
    }
    assert!(shown > 0, "LON-IT-002 needs a person");
    stage.look();
    let allowed = |(place, secret): &(String, String)| {
        ALLOWED.iter().any(|(begin, end, what, _)| place.starts_with(begin) && place.ends_with(end) && secret == what)
    };
    let leaks: Vec<_> = stage.found.iter().filter(|hit| !allowed(hit)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    // The search itself works: what has to be there was found.
    for (place, secret) in [("world.yaml", "client secret"), ("agents.json", "enrolment token")] {
        assert!(stage.found.contains(&(place.to_owned(), secret.to_owned())), "{place}: {:?}", stage.found);
    }
    assert!(stage.found.iter().any(|(_, secret)| secret == "package"), "{:?}", stage.found);
}
