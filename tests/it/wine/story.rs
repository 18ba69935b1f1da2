//! The whole chain of one device.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opsole::lab::Lab;
use opsole::lab::device::LabDevice;
use opsole::lab::world::World;
use opsole::windows::stand_in::answer::{Outside, serve};
use serde_json::Value as Json;

use super::prefix::{Prefix, program};
use super::twin::Twin;
use crate::support::TestEnv;

/// Longest time of the story, in seconds of the wall.
const LIMIT_SECS: u64 = 420;
/// How fast the lab's clock runs. Wine needs seconds of the wall for a restart; the waits of the chain are minutes.
const SPEED: &str = "15";
const DEVICE: &str = "LON-IT-001";
const ENROLMENT: &str = "agents.json";

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

/// Catches an agent that works on a model of Windows alone: here its registry, files, service, protected bytes and
/// restarts are those of a Windows, though Wine's.
#[test]
fn a_controller_drives_an_agent_under_wine() {
    let exe = match program() {
        Ok(exe) => exe,
        Err(why) => {
            println!("LEFT OUT: {why}");
            return;
        }
    };
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
    let file: Json = serde_json::from_str(&env.read(ENROLMENT)).expect("JSON");

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = World::parse("world.yaml", &env.read("world.yaml")).expect("a world");
    let lab = Arc::new(Lab::open(&env.path(".opsole/lab"), &world).expect("a lab"));
    let tenants = file["lab"].as_str().expect("a URL").to_owned();
    let http = opsole::agent::http_client().expect("a client");
    let time: Json = runtime
        .block_on(async { http.get(format!("{tenants}/lab/v1/clock")).send().await?.json().await })
        .expect("the lab's time");
    let speed = time["speed"].as_f64().expect("a speed");
    let clock = lab.follow(time["now"].as_str().expect("a time").parse().expect("a time"), speed);
    let spec = world.devices.iter().find(|spec| spec.name == DEVICE).expect("a device");
    let device = LabDevice::open(lab.store().clone(), clock.clone(), &tenants, &world, spec).expect("a device");

    let wine = Arc::new(Prefix::boot(&exe));
    let disk = Arc::clone(&wine);
    let twin = Twin::new(Arc::new(device), clock, runtime.handle().clone(), Box::new(move |path| disk.disk(path)));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let outside: Arc<dyn Outside> = twin.clone();
    std::thread::spawn(move || serve(&listener, &outside));
    super::settings::windows_as_it_is(&wine, &twin, &address, speed);
    super::settings::install(&wine, &file, DEVICE);

    let ended = loop {
        if let Some(status) = controller.0.try_wait().expect("a child") {
            break status;
        }
        assert!(Instant::now() < until, "no end\n{}\n{}", env.read("apply.err"), super::settings::logs(&wine));
        let writes = twin.happened();
        if !writes.is_empty() {
            wine.import(&writes);
        }
        if twin.restarts() {
            // The agent's process is given a moment to end by itself, as Windows does.
            std::thread::sleep(Duration::from_secs(1));
            wine.cut_power();
            twin.come_up();
            wine.start();
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    println!("calls that were answered from outside:");
    for (call, times) in twin.used() {
        let why = if OWN.contains(&call.as_str()) { "THE DEVICE'S OWN" } else { "WINE LACKS" };
        println!("  {why}: {call}: answered {times} times from the machine in memory");
    }
    let said = env.read("apply.err");
    assert_eq!(ended.code(), Some(0), "{said}\n{}", super::settings::logs(&wine));

    // What the person finds: the old files under the new identity, the company's own notice, nothing of ours.
    let facts = twin.facts();
    let new = facts.sign_in.expect("somebody signed in").sid;
    assert!(new.is_entra());
    let list = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
    assert_eq!(wine.value(&format!("{list}\\{new}"), "ProfileImagePath").as_deref(), Some(r"C:\Users\anna"));
    let policies = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System";
    assert_eq!(wine.value(policies, "legalnoticecaption").as_deref(), Some("Contoso"));
    assert!(!wine.disk(r"C:\ProgramData\Opsole\device").exists(), "the private folder is gone");
    assert_eq!(std::fs::read(wine.disk(r"C:\Users\anna\Documents\letter.txt")).expect("her file"), b"dear reader");
}
