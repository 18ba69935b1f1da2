//! `opsole agent recover`: a person at a device that came to a halt.

use serde_json::Value as Json;

use crate::support::{SPEED, TestEnv};

const DEVICE: &str = "LON-IT-001";
const FAULT: &str = "\nfaults:\n  - {device: LON-IT-001, at: device.swap-profile, kind: {fail: \"0x80070005\"}}\n";

/// Returns a device that is joined to its new tenant and whose profile couldn't be given over; what was in the way isn't
/// any more.
fn halted() -> TestEnv {
    let env = TestEnv::example("hybrid-to-entra");
    let plan = env.read("plan.yaml");
    let plan = plan.lines().filter(|line| !line.trim_start().starts_with("window:"));
    env.write("plan.yaml", &plan.fold(String::new(), |text, line| text + line + "\n"));
    let world = env.read("world.yaml");
    env.write("world.yaml", &format!("{world}{FAULT}"));
    let mut apply = env.command(["apply", "--wave", "pilot", "--yes"]);
    assert_eq!(apply.env("OPSOLE_LAB_SPEED", SPEED).output().expect("it runs").status.code(), Some(5));
    env.write("world.yaml", &world);
    env
}

fn look(env: &TestEnv) -> Json {
    env.opsole(&format!("agent recover --device {DEVICE} --output json")).expect(5).json()
}

fn by_tool(found: &Json) -> Vec<String> {
    let remedies = found["remedies"].as_array().expect("a list").iter();
    remedies
        .filter(|one| one["who"] == "tool")
        .map(|one| one["op"].as_str().expect("an operation").to_owned())
        .collect()
}

/// Catches a list that doesn't say where the chain stopped, a look that changes something, an answer other than `yes`
/// that is taken for one, actions that nobody was asked for, and ones that the journal doesn't have.
#[cfg(unix)]
#[test]
fn each_action_is_asked_for_and_written_down() {
    let env = halted();
    let recover = format!("agent recover --device {DEVICE}");
    let found = look(&env);
    let wanted = [
        "device.swap-profile",
        "device.restore-local-groups",
        "device.clean-identity-caches",
        "device.restore-logon-surface",
    ];
    assert_eq!(by_tool(&found), wanted, "{found:#}");
    assert_eq!((&found["stage"], &found["stopped"]["problem"]["code"]), (&"moved".into(), &"0x80070005".into()));
    let dry = env.opsole(&format!("{recover} --dry-run")).expect(5);
    assert!(dry.out.contains("[this command] Carry out device.swap-profile"), "{}", dry.out);
    let alone = env.opsole(&recover).expect(5);
    assert!(alone.err.contains("nobody is there to agree"), "{}", alone.err);

    let Some(no) = env.on_terminal(&recover, "no\ny\n\nno\n") else { return };
    assert_eq!((no.code, no.out.contains("Done, and read back")), (Some(5), false), "{}", no.out);
    assert_eq!(look(&env), found, "nothing was done");

    let one = env.on_terminal(&recover, "yes\nno\nno\nno\n").expect("a terminal");
    assert_eq!((one.code, one.out.matches("Done, and read back").count()), (Some(5), 1), "{}", one.out);
    assert_eq!(by_tool(&look(&env)), wanted[1..]);
    assert_eq!(look(&env)["standing"]["profile"], "new");

    let rest = env.on_terminal(&recover, "yes\nyes\nyes\n").expect("a terminal");
    assert_eq!((rest.code, rest.out.matches("Done, and read back").count()), (Some(5), 2), "{}", rest.out);
    assert!(rest.out.contains("The device restarts. Run `opsole agent recover` again"), "{}", rest.out);
    let status = env.opsole(&format!("agent status --device {DEVICE} --output json")).expect(0).json();
    let told = status["run"]["recovered"].as_array().expect("a list");
    assert_eq!(told.iter().map(|one| one["op"].as_str().expect("an operation")).collect::<Vec<_>>(), wanted);
}
