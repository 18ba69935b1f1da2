//! The whole chain of one device.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opsole::lab::Lab;
use opsole::lab::device::LabDevice;
use opsole::lab::world::World;
use opsole::windows::stand_in::answer::{Outside, serve};
use serde_json::Value as Json;

use super::prefix::Prefix;
use super::settings;
use super::twin::Twin;
use crate::support::TestEnv;

/// Longest time of one story, in seconds of the wall.
const LIMIT_SECS: u64 = 420;
/// How fast the lab's clock runs. Wine needs seconds of the wall for a restart; the waits of the chain are minutes.
const SPEED: &str = "15";
pub const DEVICE: &str = "LON-IT-001";
const ENROLMENT: &str = "agents.json";
/// How often the agent is looked at, and how often the world, in milliseconds.
const LOOKS: (u64, u64) = (5, 200);

/// What Wine has and another device would have otherwise: name, time, version, account, network.
const OWN: [&str; 5] =
    ["GetAdaptersAddresses", "GetComputerName", "GetSystemTime", "GetTokenInformation", "RtlGetVersion"];

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // One that has ended can't be killed, which is fine.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn stage() -> TestEnv {
    let env = TestEnv::example("hybrid-to-entra");
    let plan = env.read("plan.yaml");
    let plan = plan.lines().filter(|line| !line.trim_start().starts_with("window:"));
    env.write("plan.yaml", &plan.fold(String::new(), |text, line| text + line + "\n"));
    // One device, with what a stand-in can be for it.
    env.edit("plan.yaml", "{any: [{group: MIG-Pilot}, {name: \"LON-IT-*\"}]}", "{name: LON-IT-001}");
    env.edit("world.yaml", "user: anna@contoso.com, configmgr: true, ", "user: anna@contoso.com, ");
    env
}

/// A controller here that waits for its device, and a Windows under Wine that is it.
pub struct Story {
    /// The emulated Windows.
    pub wine: Arc<Prefix>,
    env: TestEnv,
    until: Instant,
    controller: Killed,
    twin: Arc<Twin>,
    enrolment: Json,
    /// Keeps the world's devices going.
    _runtime: tokio::runtime::Runtime,
}

impl Story {
    /// Starts a controller with a wave of one device, and boots that device.
    pub fn begin(exe: &std::path::Path) -> Self {
        let env = stage();
        let until = Instant::now() + Duration::from_secs(LIMIT_SECS);
        let log = std::fs::File::create(env.path("apply.err")).expect("a file");
        let apply = ["apply", "--wave", "pilot", "--yes", "--agents", "external", "--enrolment", ENROLMENT];
        let mut command = env.command(apply);
        command.env("OPSOLE_LAB_SPEED", SPEED).stdout(Stdio::null()).stderr(log);
        let mut controller = Killed(command.spawn().expect("the program starts"));
        while !env.path(ENROLMENT).exists() {
            assert!(controller.0.try_wait().expect("a child").is_none(), "{}", env.read("apply.err"));
            assert!(Instant::now() < until, "no enrolment settings");
            std::thread::sleep(Duration::from_millis(50));
        }
        let enrolment: Json = serde_json::from_str(&env.read(ENROLMENT)).expect("JSON");

        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let world = World::parse("world.yaml", &env.read("world.yaml")).expect("a world");
        let lab = Arc::new(Lab::open(&env.path(".opsole/lab"), &world).expect("a lab"));
        let tenants = enrolment["lab"].as_str().expect("a URL").to_owned();
        let http = opsole::agent::http_client().expect("a client");
        let time: Json = runtime
            .block_on(async { http.get(format!("{tenants}/lab/v1/clock")).send().await?.json().await })
            .expect("the lab's time");
        let speed = time["speed"].as_f64().expect("a speed");
        let clock = lab.follow(time["now"].as_str().expect("a time").parse().expect("a time"), speed);
        let spec = world.devices.iter().find(|spec| spec.name == DEVICE).expect("a device");
        let device = LabDevice::open(lab.store().clone(), clock.clone(), &tenants, &world, spec).expect("a device");

        let wine = Arc::new(Prefix::boot(exe));
        let disk = Arc::clone(&wine);
        let twin = Twin::new(Arc::new(device), clock, runtime.handle().clone(), Box::new(move |path| disk.disk(path)));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let outside: Arc<dyn Outside> = twin.clone();
        std::thread::spawn(move || serve(&listener, &outside));
        settings::windows_as_it_is(&wine, &twin, &address, speed);
        settings::leave(&wine, &enrolment, DEVICE);
        Self { wine, env, until, controller, twin, enrolment, _runtime: runtime }
    }

    /// Lets it run to its end, looks at the agent meanwhile, and expects that it went well.
    pub fn drive(&mut self, look: &mut dyn FnMut(&Prefix, &Twin)) {
        let mut looked = Instant::now();
        let ended = loop {
            if let Some(status) = self.controller.0.try_wait().expect("a child") {
                break status;
            }
            look(&self.wine, &self.twin);
            std::thread::sleep(Duration::from_millis(LOOKS.0));
            if looked.elapsed() < Duration::from_millis(LOOKS.1) {
                continue;
            }
            looked = Instant::now();
            let told = || format!("{}\n{}", self.env.read("apply.err"), settings::logs(&self.wine));
            assert!(Instant::now() < self.until, "no end\n{}", told());
            let writes = self.twin.happened();
            if !writes.is_empty() {
                self.wine.import(&writes);
            }
            if self.twin.restarts() {
                // The agent's process is given a moment to end by itself, as Windows does.
                std::thread::sleep(Duration::from_secs(1));
                self.wine.cut_power();
                self.twin.come_up();
                self.wine.start();
            }
        };
        assert_eq!(ended.code(), Some(0), "{}\n{}", self.env.read("apply.err"), settings::logs(&self.wine));
    }

    /// What the person finds: the old files under the new identity, the company's own notice, nothing of ours.
    pub fn person_finds_everything(&self) {
        let new = self.twin.facts().sign_in.expect("somebody signed in").sid;
        assert!(new.is_entra());
        let list = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
        let path = self.wine.value(&format!("{list}\\{new}"), "ProfileImagePath");
        assert_eq!(path.as_deref(), Some(r"C:\Users\anna"));
        let policies = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System";
        assert_eq!(self.wine.value(policies, "legalnoticecaption").as_deref(), Some("Contoso"));
        assert!(!self.wine.disk(r"C:\ProgramData\Opsole\device").exists(), "the private folder is gone");
        let letter = std::fs::read(self.wine.disk(r"C:\Users\anna\Documents\letter.txt")).expect("her file");
        assert_eq!(letter, b"dear reader");
    }

    /// Names every call that Windows' stand-in answered.
    pub fn what_was_answered(&self) -> String {
        let used = self.twin.used().into_iter().map(|(call, times)| {
            let why = if OWN.contains(&call.as_str()) { "THE DEVICE'S OWN" } else { "WINE LACKS" };
            format!("\n  {why}: {call}: answered {times} times from the machine in memory")
        });
        used.fold("calls that were answered from outside:".to_owned(), |text, line| text + &line)
    }

    /// Nothing of the enrolment lies on the device but what the device keeps encrypted.
    pub fn token_is_gone(&self) {
        let token = self.enrolment["tokens"][DEVICE].as_str().expect("a token");
        let settings = self.wine.run(&["reg", "query", r"HKLM\SOFTWARE\Opsole", "/s"]);
        assert!(!settings.out.contains(token), "the token is in the registry");
    }
}
