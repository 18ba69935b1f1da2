//! What goes wrong around the tool: each case gets a clear error with what to do, and loses nothing.
//!
//! The proof of "nothing" is the world: after the trouble is over, one more `apply` ends in the same world as
//! an undisturbed run.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::support::{Ran, TestEnv};
use serde_json::Value;

const EXAMPLE: &str = "hybrid-to-entra";
const LAB_SECRET: &str = "lab-secret-of-contoso";

/// Takes away what depends on when things happened: how often a machine started, and the old halves of hybrid
/// devices, which the synchronisation removes some time after their computers are disabled, with their keys.
fn settled(mut world: Value) -> Value {
    for device in world["devices"].as_object_mut().expect("devices").values_mut() {
        device.as_object_mut().expect("a device").remove("boots");
    }
    for tenant in world["tenants"].as_object_mut().expect("tenants").values_mut() {
        let mut gone = Vec::new();
        tenant["devices"].as_array_mut().expect("devices").retain(|device| {
            let old = device["trustType"] == "ServerAd";
            if old {
                gone.push(device["id"].clone());
            }
            !old
        });
        let left: Vec<Value> =
            tenant["devices"].as_array().expect("devices").iter().map(|device| device["deviceId"].clone()).collect();
        tenant["recoveryKeys"].as_array_mut().expect("keys").retain(|key| left.contains(&key["deviceId"]));
        for group in tenant["groups"].as_array_mut().expect("groups") {
            group["members"].as_array_mut().expect("members").retain(|member| !gone.contains(&member["id"]));
        }
    }
    world
}

/// The world after an undisturbed run.
fn wanted() -> &'static Value {
    static WANTED: OnceLock<Value> = OnceLock::new();
    WANTED.get_or_init(|| {
        let env = TestEnv::example(EXAMPLE);
        drop(env.opsole("apply --wave pilot --yes").expect(0));
        settled(env.world())
    })
}

/// Goes on with what was left, as a user would, and holds the world against an undisturbed one.
#[track_caller]
fn ends_well(env: &TestEnv) {
    let status = env.opsole("status --output json").expect(0).json();
    if status["run"]["ended"] == false {
        let resumed = env.opsole("apply --resume --yes");
        assert!(matches!(resumed.code, Some(0 | 4 | 6)), "{}\n{}", resumed.out, resumed.err);
    }
    drop(env.opsole("apply --wave pilot --yes").expect(0));
    assert_eq!(settled(env.world()), *wanted());
    let again = env.opsole("apply --wave pilot --yes").expect(0);
    assert!(again.out.contains("Nothing is left to do"), "{}", again.out);
}

/// An error that names itself, and says what to do.
#[track_caller]
fn clear(ran: &Ran, code: &str, next: &str) {
    assert!(ran.err.contains("error:") && ran.err.contains(code), "{code}\n{}\n{}", ran.out, ran.err);
    assert!(ran.err.contains("next:") && ran.err.contains(next), "{next}\n{}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, all) } else { all.push(path) }
    }
}

/// Files of the state folder that hold a text.
fn holding(env: &TestEnv, text: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files(&env.path(".opsole"), &mut all);
    all.retain(|path| {
        let bytes = fs::read(path).expect("a file");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    });
    all
}

/// Catches a plan that is half read: one mistake at a time, without its place, or an exit code of success.
#[test]
fn a_bad_plan_says_where() {
    let env = TestEnv::example(EXAMPLE);
    env.edit("plan.yaml", "failure_budget: {max: 1", "failure_budgte: {max: 1");
    env.edit("plan.yaml", "needs: [pilot]", "needs: [pilto]");
    for command in ["validate", "plan", "apply --wave pilot --yes"] {
        let ran = env.opsole(command).expect(1);
        assert!(ran.err.contains("failure_budgte") && ran.err.contains("failure_budget"), "{}", ran.err);
        assert!(ran.err.contains("pilto"), "{command}: all mistakes at once\n{}", ran.err);
        assert!(ran.err.contains("plan.yaml:"), "{command}: the place\n{}", ran.err);
        let ran = env.opsole(&format!("{command} --output json")).expect(1);
        let list = ran.json();
        let places: Vec<u64> = list["diagnostics"]
            .as_array()
            .unwrap_or_else(|| panic!("{list:#}"))
            .iter()
            .filter_map(|one| one.pointer("/places/0/line")?.as_u64())
            .collect();
        assert!(places.len() >= 2, "{list:#}");
    }
    assert!(!env.path(".opsole/lab/world.db").exists(), "nothing was begun");
}

/// Catches a wrong secret that ends in "nothing to do", that is shown, or that is kept.
#[test]
fn a_wrong_secret_is_named_and_never_shown() {
    const WRONG: &str = "Zx8~planted-wrong-secret~Q";
    let env = TestEnv::example(EXAMPLE);
    env.edit("plan.yaml", "{client_secret: lab}", "{client_secret: {env: APP_SECRET}}");
    let unset = env.opsole("plan").expect(1);
    clear(&unset, "secret.env", "set APP_SECRET");
    for command in ["plan", "apply --wave pilot --yes", "snapshot --out s.json", "plan -vvv", "plan -o json"] {
        let output = env.command(command.split(' ')).env("APP_SECRET", WRONG).output().expect("it starts");
        let ran = Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        // A plan tells it among its findings, and holds every device back; what acts or keeps refuses.
        let tells = command.starts_with("plan");
        let ran = ran.expect(if tells { 0 } else { 1 });
        if tells {
            assert!(ran.out.contains("token.wrong-secret") && ran.out.contains("blocked"), "{command}: {}", ran.out);
        } else {
            clear(&ran, "token.wrong-secret", "secret's value");
        }
        assert!(!ran.out.contains(WRONG) && !ran.err.contains(WRONG), "{command} shows the secret");
    }
    assert!(holding(&env, WRONG).is_empty());
    assert!(!env.path("s.json").exists());

    env.edit("plan.yaml", "{env: APP_SECRET}", "{file: app.secret}");
    clear(&env.opsole("plan").expect(1), "secret.file", "put the secret there");
    env.write_private("app.secret", "\n");
    clear(&env.opsole("plan").expect(1), "secret.empty", "first line");
    env.write_private("app.secret", &format!("{LAB_SECRET}\nrotated by hand\n"));
    drop(env.opsole("plan --detailed-exitcode").expect(2));
    env.edit("plan.yaml", "{file: app.secret}", "{command: [cat, app.secret]}");
    drop(env.opsole("plan --detailed-exitcode").expect(2));
    env.edit("plan.yaml", "[cat, app.secret]", "[cat, none.secret]");
    clear(&env.opsole("plan").expect(1), "secret.command", "by hand");
}

/// Catches a permission that is missed in the middle of a device, after its point of no return.
#[test]
fn a_missing_permission_begins_nothing() {
    for (permission, also, blocks) in [
        ("Device.ReadWrite.All, ", "", "device.restore-groups"),
        ("BitlockerKey.ReadBasic.All, ", "", "recovery keys"),
        ("User.Read.All, ", "Directory.Read.All,", "users"),
        ("DeviceManagementManagedDevices.ReadWrite.All, ", "", "Intune devices"),
    ] {
        let env = TestEnv::example(EXAMPLE);
        env.edit("world.yaml", permission, "");
        if !also.is_empty() {
            env.edit("world.yaml", also, "");
        }
        let name = permission.trim_end_matches(", ").replace("ManagedDevices.ReadWrite", "ManagedDevices.Read");
        let planned = env.opsole("plan --wave pilot").expect(0);
        let words = planned.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&name) && words.contains(blocks), "{name}: {}", planned.out);
        assert!(words.contains("next: ") && words.contains(" blocked"), "{}", planned.out);
        // Who can't read users, keys or records doesn't know that nothing is to do; who can't write does.
        let known = i32::from(!permission.starts_with("Device."));
        drop(env.opsole("plan --wave pilot --detailed-exitcode").expect(known));
        let before = env.world();
        let applied = env.opsole("apply --wave pilot --yes").expect(9);
        assert!(applied.err.contains("Nothing can run in wave pilot"), "{}", applied.err);
        assert_eq!(env.world(), before, "{name}: nothing was begun");
        assert!(env.opsole("status").expect(0).out.contains("No wave was applied yet"));
    }
}

/// Catches a storm of repeated calls, and a run that gives up on a tenant that is only slow.
#[test]
fn a_tenant_that_throttles_hard_is_waited_for() {
    for service in ["{throttle: 200}", "{throttle: 200, retry-after: false}", "{throttle: 3000}"] {
        let env = TestEnv::example(EXAMPLE);
        env.edit("world.yaml", "    domain: contoso.com", &format!("    domain: contoso.com\n    service: {service}"));
        // From a fault's first request on the lab counts requests; this one never strikes.
        let fault = "faults: [{tenant: contoso, kind: {dies: {from_request: 900000}}}]\n";
        env.write("world.yaml", &format!("{}{fault}", env.read("world.yaml")));
        let applied = env.opsole("apply --wave pilot --yes").expect(0);
        assert!(applied.out.contains("2 devices: complete"), "{}", applied.out);
        assert_eq!(settled(env.world()), *wanted(), "{service}");
    }
}

fn with_fault(env: &TestEnv, kind: &str, times: &str) {
    let fault = format!("faults: [{{tenant: contoso, kind: {{{kind}}}{times}}}]\n");
    env.write("world.yaml", &format!("{}{fault}", env.read("world.yaml")));
}

fn without_faults(env: &TestEnv) {
    let text = env.read("world.yaml");
    env.write("world.yaml", text.split("faults:").next().expect("a beginning"));
}

/// Catches a device that is left half and silent by a tenant that went away, and a run that can't be taken up
/// after the tenant is back.
#[test]
fn a_tenant_that_dies_in_the_middle_loses_nothing() {
    for (at, kind) in [(1, "dies"), (14, "status"), (24, "dies"), (33, "status"), (45, "dies"), (60, "status")] {
        let env = TestEnv::example(EXAMPLE);
        let kind = match kind {
            "dies" => format!("dies: {{from_request: {at}}}"),
            _ => format!("status: {{status: 503, from_request: {at}}}"),
        };
        with_fault(&env, &kind, "");
        let applied = env.opsole("apply --wave pilot --yes");
        match applied.code {
            Some(0) => {}
            Some(1) => clear(&applied, "token.", "next:"),
            Some(4 | 6) => {
                let ended = env.opsole("status --output json").expect(0).json();
                for device in ended["run"]["devices"].as_array().expect("devices") {
                    assert!(!device["outcome"].is_null(), "{kind}: half and silent: {device:#}");
                }
                assert!(applied.out.contains("next: ") || applied.out.contains("complete"), "{}", applied.out);
                assert!(applied.err.contains("`opsole apply --wave pilot` takes up the rest"), "{}", applied.err);
            }
            // Everything that could be asked before was blocked by what couldn't be read.
            Some(9) => assert!(applied.out.contains("couldn't be read"), "{}", applied.out),
            other => panic!("{kind}: {other:?}\n{}\n{}", applied.out, applied.err),
        }
        without_faults(&env);
        ends_well(&env);
    }
}

/// Catches a run that gives a device up for a tenant that was away for a moment.
#[test]
fn a_tenant_that_comes_back_is_waited_for() {
    for (at, kind) in [(20, "status: {status: 500, from_request: 20}"), (40, "dies: {from_request: 40}")] {
        let env = TestEnv::example(EXAMPLE);
        with_fault(&env, kind, ", times: 4");
        drop(env.opsole("apply --wave pilot --yes").expect(0));
        assert_eq!(settled(env.world()), *wanted(), "from request {at}");
    }
}

/// Catches writes that fail without a word, a run that goes on without its journal, and an emulated device that
/// takes the lab's full disk for a fault of its own.
#[cfg(unix)]
#[test]
fn a_full_disk_loses_nothing() {
    for blocks in [8, 40, 64, 100, 200, 400, 600, 700, 900] {
        let env = TestEnv::example(EXAMPLE);
        let program = env!("CARGO_BIN_EXE_opsole");
        // A write beyond the limit fails as on a full disk; without the trap it would kill.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {program} apply --wave pilot --yes");
        let plain = env.command(["x"]);
        let mut limited = Command::new("bash");
        limited.args(["-c", &script]).current_dir(env.path(".")).env_clear().stdin(Stdio::null());
        limited.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = limited.output().expect("bash");
        let ran = Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        if ran.code != Some(0) {
            let ran = ran.expect(1);
            let code = if ran.err.contains("lab.store") { "lab.store" } else { "store.disk-full" };
            clear(&ran, code, "free space on the disk");
            assert!(ran.err.contains("`opsole apply --resume`"), "{}", ran.err);
        }
        ends_well(&env);
    }
}

/// A run that is slow enough to be disturbed, up to the first line that says that devices are under way.
fn slow(env: &TestEnv) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut command = env.command(["apply", "--wave", "pilot", "--yes"]);
    let mut child = command
        .env("OPSOLE_LAB_SPEED", "400")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut err = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("preparing") {
        line.clear();
        assert_ne!(err.read_line(&mut line).expect("text"), 0, "it ended early");
    }
    (child, err)
}

fn end(mut child: Child, mut err: BufReader<std::process::ChildStderr>) -> Ran {
    let (mut errors, mut out) = (String::new(), String::new());
    err.read_to_string(&mut errors).expect("text");
    child.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
    Ran { code: child.wait().expect("an end").code(), out, err: errors }
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
}

/// Catches two runs that work on the same devices, and a look that disturbs a run.
#[test]
fn a_second_apply_is_refused() {
    let env = TestEnv::example(EXAMPLE);
    let (child, err) = slow(&env);
    for command in ["apply --wave pilot --yes", "apply --resume --yes"] {
        let second = env.opsole(command).expect(7);
        clear(&second, "apply.locked", "wait until it ends");
        assert!(second.err.contains(&format!("process {}", child.id())), "{}", second.err);
    }
    let json = env.opsole("apply --wave pilot --yes -o json").expect(7).json();
    assert_eq!(json["problem"]["code"], "apply.locked");
    let status = env.opsole("status").expect(0);
    assert!(status.out.contains("under way"), "{}", status.out);
    for command in ["plan", "snapshot --out s.json"] {
        clear(&env.opsole(command).expect(1), "lab.locked", "opsole status");
    }
    let reset = env.opsole("lab reset --yes").expect(7);
    clear(&reset, "apply.locked", "wait until it ends");
    drop(env.opsole("lab show --device LON-IT-001").expect(0));
    drop(end(child, err).expect(0));
    assert_eq!(settled(env.world()), *wanted());
}

/// Catches a migration that begins because nobody was there to say no.
#[test]
fn without_a_terminal_only_yes_begins() {
    let env = TestEnv::example(EXAMPLE);
    let before = env.world();
    let refused = env.opsole("apply --wave pilot").expect(3);
    clear(&refused, "cli.not-confirmed", "--yes");
    let refused = env.opsole("apply --wave pilot --output json").expect(3);
    assert_eq!(refused.json()["problem"]["code"], "cli.not-confirmed");
    assert_eq!(env.world(), before);
    assert!(env.opsole("status").expect(0).out.contains("No wave was applied yet"));
}

/// Catches a question that takes anything for a yes, and one that isn't shown.
#[cfg(unix)]
#[test]
fn no_is_no() {
    for (answer, code, text) in
        [("no\n", 3, "Nothing was done"), ("y\n", 3, "Nothing was done"), ("yes\n", 0, "complete")]
    {
        let env = TestEnv::example(EXAMPLE);
        let before = settled(env.world());
        let Some(ran) = env.on_terminal("apply --wave pilot", answer) else { return };
        let shown = &ran.out;
        assert_eq!(ran.code, Some(code), "{answer:?}\n{shown}");
        assert!(shown.contains("Apply wave pilot to 2 devices?") && shown.contains(text), "{answer:?}\n{shown}");
        if code == 3 {
            assert_eq!(settled(env.world()), before, "{answer:?}");
        } else {
            assert_eq!(settled(env.world()), *wanted());
        }
    }
}

/// Catches an interruption that loses a run, or one that leaves devices in the middle of an action.
#[cfg(unix)]
#[test]
fn an_interruption_drains_and_can_be_resumed() {
    for name in ["INT", "TERM"] {
        let env = TestEnv::example(EXAMPLE);
        let (child, err) = slow(&env);
        signal(&child, name);
        let ran = end(child, err).expect(8);
        assert!(ran.err.contains("Draining") && ran.err.contains("`opsole apply --resume` goes on"), "{}", ran.err);
        let status = env.opsole("status").expect(0);
        assert!(status.out.contains("open: `opsole apply --resume` goes on"), "{}", status.out);
        let other = env.opsole("apply --wave pilot --yes").expect(1);
        clear(&other, "run.open", "--resume");
        clear(&env.opsole("apply --resume").expect(3), "cli.not-confirmed", "--yes");
        drop(env.opsole("apply --resume --yes").expect(0));
        clear(&env.opsole("apply --resume --yes").expect(1), "run.none-open", "apply --wave");
        ends_well(&env);
    }
}

/// Catches a second Ctrl-C that is swallowed, and a run that can't be taken up after it.
#[cfg(unix)]
#[test]
fn two_interruptions_end_at_once() {
    let env = TestEnv::example(EXAMPLE);
    let (child, mut err) = slow(&env);
    let mut line = String::new();
    while !line.contains("moving") {
        line.clear();
        assert_ne!(err.read_line(&mut line).expect("text"), 0, "it ended early");
    }
    signal(&child, "INT");
    while !line.contains("Draining") {
        line.clear();
        assert_ne!(err.read_line(&mut line).expect("text"), 0, "it ended early");
    }
    signal(&child, "INT");
    let ran = end(child, err).expect(8);
    assert!(ran.err.contains("Ended at once"), "{}", ran.err);
    ends_well(&env);
}

/// Catches a panic where the reader of a pipe goes away.
#[test]
fn a_closed_pipe_is_no_error() {
    let env = TestEnv::example(EXAMPLE);
    for command in ["plan", "plan -o json", "lab show", "explain", "schema", "completions bash"] {
        let mut child =
            env.command(command.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("an end");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{command}: {err}");
        assert!(!err.contains("panicked"), "{command}: {err}");
    }
}

/// Catches damaged files that end in a panic, in silence, or in a world that is made anew without a word.
#[test]
fn damaged_files_are_named() {
    let env = TestEnv::example(EXAMPLE);
    drop(env.opsole("snapshot --out s.json").expect(0));
    let text = env.read("s.json");
    env.write("half.json", &text[..text.len() / 2]);
    clear(&env.opsole("plan --snapshot half.json").expect(1), "snapshot.damaged", "opsole snapshot --out");
    let mut newer: Value = serde_json::from_str(&text).expect("JSON");
    newer["format"] = 99.into();
    env.write("newer.json", &newer.to_string());
    clear(&env.opsole("plan --snapshot newer.json").expect(1), "snapshot.newer", "use that version");
    clear(&env.opsole("plan --snapshot none.json").expect(1), "snapshot.read", "name another file");

    let good = fs::read(env.path(".opsole/state.db")).expect("a file");
    env.write(".opsole/state.db", &"no database ".repeat(500));
    for command in ["plan", "status", "apply --wave pilot --yes"] {
        clear(&env.opsole(command).expect(1), "store.damaged", "from a backup");
    }
    fs::write(env.path(".opsole/state.db"), good).expect("a file");

    env.edit("world.yaml", "starts: 2026-12-02T18:30:00Z", "starts: 2026-12-02T18:31:00Z");
    clear(&env.opsole("plan").expect(1), "lab.world-changed", "opsole lab reset");
    drop(env.opsole("lab reset --yes").expect(0));
    drop(env.opsole("plan --detailed-exitcode").expect(2));

    env.write(".opsole/lab/world.db", &"no database ".repeat(500));
    for side in ["world.db-wal", "world.db-shm"] {
        drop(fs::remove_file(env.path(".opsole/lab").join(side)));
    }
    clear(&env.opsole("plan").expect(1), "lab.store", "opsole lab reset");
    drop(env.opsole("lab reset --yes").expect(0));
    drop(env.opsole("plan --detailed-exitcode").expect(2));

    fs::remove_file(env.path("world.yaml")).expect("removed");
    clear(&env.opsole("plan").expect(1), "lab.world", "put it back");
    clear(&env.opsole("lab show").expect(1), "lab.world", "put it back");
}

/// Catches a secret in anything that people look at, mail or keep.
#[test]
fn planted_secrets_stay_where_they_belong() {
    let env = TestEnv::example(EXAMPLE);
    let mut shown = String::new();
    for command in [
        "plan",
        "plan -o json -vvv",
        "snapshot --out s.json -vv",
        "keys new own.key",
        "plan --wave pilot --out p.opsole --format html --view p.html -vvv",
        "show p.opsole -o json",
        "show p.opsole --format markdown",
        "approve p.opsole --as change-management --key own.key",
        "graph p.opsole --format svg",
        "why LON-IT-001",
        "apply p.opsole --yes -vvv",
        "report last --format html",
        "report last -o json",
        "report last --format csv",
        "audit list -o json",
        "diff p.opsole p.opsole",
        "drift",
        "status -o json",
        "plan --device LON-IT-001",
        "lab show",
    ] {
        let ran = env.opsole(command).expect(0);
        shown.push_str(&ran.out);
        shown.push_str(&ran.err);
    }
    shown.push_str(&env.read("s.json"));
    // The private key of whoever approves is in its own file and nowhere else; the folder's key likewise.
    for file in ["own.key", ".opsole/seal.key"] {
        let key = env.read(file);
        let line = key.lines().nth(1).expect("a line of base64").to_owned();
        assert!(!shown.contains(&line[24..56]), "{file} is shown");
        let found = holding(&env, &line[24..56]);
        assert!(found.iter().all(|path| path.ends_with(file)), "{file} is in {found:?}");
    }
    let mut all = Vec::new();
    files(&env.path(".opsole"), &mut all);
    // What lies in the agents' folders is for their owners alone, and encrypted besides: `planted` looks for it.
    for path in all.iter().filter(|path| path.components().any(|part| part.as_os_str() == "agents")) {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(path).expect("a file").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} is open to others: {mode:o}", path.display());
        }
    }
    assert!(!shown.contains(LAB_SECRET), "a secret is shown");
    assert!(holding(&env, LAB_SECRET).is_empty(), "{:?}", holding(&env, LAB_SECRET));
}
