//! Fleets of ten thousand devices: the plan over HTTP and from a file, and what it costs in calls and lines.

use std::collections::BTreeMap;

use crate::support::TestEnv;

/// Lines that a plan of any size has at most: eight waves, six lists each, and what is blocked.
const LINES_MAX: usize = 1000;

/// A folder with a generated world and its plan.
fn generated(devices: usize, seed: u64) -> TestEnv {
    let env = TestEnv::empty();
    drop(env.opsole(&format!("lab generate --devices {devices} --seed {seed} .")).expect(0));
    env
}

/// Runs a command, and returns its text with the emulated tenants' own count of requests: by what they asked for.
fn counted(env: &TestEnv, command: &str, codes: &[i32]) -> (String, BTreeMap<String, u64>) {
    let ran = env.command([command]).env("OPSOLE_LOG", "opsole::lab=debug").output().expect("the program starts");
    let err = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.code().is_some_and(|code| codes.contains(&code)), "{:?}: {err}", ran.status);
    let line = err.lines().find_map(|line| line.split_once("calls={")).unwrap_or_else(|| panic!("no count: {err}")).1;
    let calls = line.trim_end().strip_suffix('}').unwrap_or(line);
    let count = |entry: &str| {
        let (call, number) = entry.rsplit_once(": ").unwrap_or_else(|| panic!("{entry}"));
        (call.trim_matches('"').to_owned(), number.parse().unwrap_or_else(|e| panic!("{entry}: {e}")))
    };
    (String::from_utf8_lossy(&ran.stdout).into_owned(), calls.split(", ").map(count).collect())
}

/// Catches a plan whose calls grow with devices beyond pages and batches, whose text grows with devices, that says
/// something else offline than it says live, or that takes minutes for a real fleet.
#[test]
fn ten_thousand_devices_plan() {
    let small = generated(100, 1);
    let (text, few) = counted(&small, "plan", &[0]);
    assert!(text.lines().count() <= LINES_MAX, "{text}");

    let devices = 10_000;
    let large = generated(devices, 1);
    let (live, many) = counted(&large, "plan", &[0]);
    assert!(live.contains("\n10000 devices: "), "{live}");
    assert!(live.lines().count() <= LINES_MAX, "{} lines", live.lines().count());
    grows_by_pages(&few, &many, devices);

    drop(large.opsole("snapshot --out seen.json").expect(0));
    let size = std::fs::metadata(large.path("seen.json")).expect("written").len();
    assert!(size < 4096 * devices as u64, "a snapshot takes {} bytes a device", size / devices as u64);
    assert_eq!(large.opsole("plan --snapshot seen.json").expect(0).out, live);
}

/// Asserts that what grows with devices grows by pages and batches only.
fn grows_by_pages(few: &BTreeMap<String, u64>, many: &BTreeMap<String, u64>, devices: usize) {
    // The smallest page is one of 999.
    let pages = devices.div_ceil(999) as u64;
    for (call, count) in many {
        let before = few.get(call).copied().unwrap_or(0);
        assert!(*count <= before.max(1) * pages, "{call}: {before} calls for 100 devices, {count} for {devices}");
    }
    let paged = ["GET /users", "GET /devices", "GET /deviceManagement/managedDevices"];
    let others = |calls: &BTreeMap<String, u64>| -> u64 {
        let keys = "GET /informationProtection/bitlocker/recoveryKeys";
        calls.iter().filter(|(call, _)| !paged.contains(&call.as_str()) && *call != keys).map(|(_, count)| count).sum()
    };
    assert_eq!(others(few), others(many), "{few:?}\n{many:?}");
}

/// Catches a check that asks for one device after the other, or whose answer grows with the fleet.
#[test]
fn ten_thousand_devices_are_checked() {
    let small = generated(100, 1);
    let (_, few) = counted(&small, "check", &[9, 10]);
    let devices = 10_000;
    let large = generated(devices, 1);
    let (text, many) = counted(&large, "check", &[9, 10]);
    assert!(text.lines().count() <= LINES_MAX, "{} lines", text.lines().count());
    grows_by_pages(&few, &many, devices);
    let report = large.opsole("check --output json");
    let tallies = report.json()["tallies"].as_array().expect("tallies").clone();
    let of = tallies.iter().find(|row| row["check"] == "dev.tpm").expect("each device is asked");
    let asked: u64 = of.as_object().expect("a row").values().filter_map(serde_json::Value::as_u64).sum();
    // Devices without a wave, excluded ones and those without an agent's report aren't asked.
    assert!(asked > devices as u64 * 8 / 10, "{of}");
}

/// Catches generated pilots that can't run: whoever tries a generated world would see nothing happen.
#[test]
fn generated_pilots_can_run() {
    for scenario in ["ad-to-entra", "hybrid-to-entra", "tenant-to-tenant"] {
        for seed in [1, 2, 3] {
            let env = TestEnv::empty();
            drop(env.opsole(&format!("lab generate --devices 60 --seed {seed} --scenario {scenario} .")).expect(0));
            let plan = env.opsole("plan --wave pilot").expect(0);
            let waves = plan.out.lines().find(|line| line.starts_with("Wave pilot: ")).unwrap_or_default();
            assert_eq!(waves, "Wave pilot: 8 to migrate", "{scenario} {seed}\n{}", plan.out);
        }
    }
}
