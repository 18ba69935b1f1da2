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

/// Plans, and returns the text with the emulated tenants' own count of requests: by what they asked for.
fn plan(env: &TestEnv) -> (String, BTreeMap<String, u64>) {
    let ran = env.command(["plan"]).env("OPSOLE_LOG", "opsole::lab=debug").output().expect("the program starts");
    let err = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{err}");
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
    let (text, few) = plan(&small);
    assert!(text.lines().count() <= LINES_MAX, "{text}");

    let devices = 10_000;
    let large = generated(devices, 1);
    let (live, many) = plan(&large);
    assert!(live.contains("\n10000 devices: "), "{live}");
    assert!(live.lines().count() <= LINES_MAX, "{} lines", live.lines().count());
    // The smallest page is one of 999.
    let pages = devices.div_ceil(999) as u64;
    for (call, count) in &many {
        let before = few.get(call).copied().unwrap_or(0);
        assert!(*count <= before.max(1) * pages, "{call}: {before} calls for 100 devices, {count} for {devices}");
    }
    let paged = ["GET /users", "GET /devices", "GET /deviceManagement/managedDevices"];
    let others = |calls: &BTreeMap<String, u64>| -> u64 {
        let keys = "GET /informationProtection/bitlocker/recoveryKeys";
        calls.iter().filter(|(call, _)| !paged.contains(&call.as_str()) && *call != keys).map(|(_, count)| count).sum()
    };
    assert_eq!(others(&few), others(&many), "{few:?}\n{many:?}");

    drop(large.opsole("snapshot --out seen.json").expect(0));
    let size = std::fs::metadata(large.path("seen.json")).expect("written").len();
    assert!(size < 4096 * devices as u64, "a snapshot takes {} bytes a device", size / devices as u64);
    assert_eq!(large.opsole("plan --snapshot seen.json").expect(0).out, live);
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
