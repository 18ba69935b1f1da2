//! The command line as it is typed: help, answers for programs, exit codes, and what is said when a word is wrong.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Ran, TestEnv, root};

const COMMANDS: &[&str] = &[
    "",
    "init",
    "validate",
    "check",
    "plan",
    "show",
    "approve",
    "keys",
    "devices",
    "devices list",
    "devices issue",
    "devices revoke",
    "directory",
    "directory check",
    "directory show",
    "directory sweep",
    "keys new",
    "keys rotate-controller",
    "keys show",
    "tls",
    "tls init",
    "tls show",
    "tls renew",
    "graph",
    "why",
    "diff",
    "drift",
    "secrets",
    "secrets set",
    "secrets check",
    "permissions",
    "apply",
    "drain",
    "users",
    "users add",
    "users list",
    "users set-role",
    "users password",
    "users disable",
    "users enable",
    "users unlock",
    "exclusions",
    "status",
    "gate",
    "recover",
    "report",
    "audit",
    "audit list",
    "audit verify",
    "snapshot",
    "lab",
    "lab serve",
    "lab reset",
    "lab generate",
    "lab wait",
    "lab show",
    "package",
    "package inspect",
    "package list",
    "agent",
    "agent install",
    "agent uninstall",
    "agent status",
    "agent recover",
    "agent run",
    "agent enroll",
    "agent inspect",
    "schema",
    "explain",
    "completions",
    "man",
];

/// Catches an option that appears, changes its meaning or vanishes without anybody deciding it.
#[test]
fn help_is_what_was_agreed() {
    let env = TestEnv::empty();
    let mut all = String::new();
    for command in COMMANDS {
        let ran = env.opsole(&format!("{command} --help")).expect(0);
        assert!(ran.err.is_empty(), "{}", ran.err);
        let line = ran.out.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        assert!(line <= 100, "{command}: a line of {line}");
        let page: Vec<&str> = ran.out.lines().map(str::trim_end).collect();
        writeln!(all, "$ opsole {command} --help\n{}\n", page.join("\n")).expect("text");
    }
    insta::assert_snapshot!("help", all);
}

/// Catches a wrong command line that does something, and one that isn't told from an error.
#[test]
fn wrong_command_lines_are_usage_errors() {
    let env = TestEnv::example("hybrid-to-entra");
    for line in [
        "",
        "no-such-command",
        "plan --no-such-option",
        "apply",
        "apply --wave pilot --resume",
        "lab",
        "agent",
        "snapshot",
        "explain A B",
        "explain A --list checks",
        "explain --list klingon",
        "completions klingon",
        "plan --output yaml",
        "apply --wave pilot --listen nowhere",
        "lab generate",
        "init",
    ] {
        let ran = env.opsole(line);
        assert_eq!(ran.code, Some(64), "{line:?}: {}{}", ran.out, ran.err);
        assert!(
            ran.out.is_empty() && (ran.err.contains("Usage") || ran.err.contains("--help")),
            "{line:?}: {}",
            ran.err
        );
    }
    assert!(env.opsole("plna").expect(64).err.contains("plan"), "the nearest command is named");
    assert!(!env.path(".opsole").exists());
}

/// Catches a version that can't be read by a script.
#[test]
fn version() {
    let env = TestEnv::empty();
    assert_eq!(env.opsole("--version").expect(0).out.trim(), format!("opsole {}", env!("CARGO_PKG_VERSION")));
    drop(env.opsole("plan --version").expect(0));
}

/// Catches completions and man pages that are empty or know no sub command.
#[test]
fn completions_and_man_pages() {
    let env = TestEnv::empty();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = env.opsole(&format!("completions {shell}")).expect(0).out;
        assert!(script.contains("detailed-exitcode") && script.contains("snapshot"), "{shell}");
        let json = env.opsole(&format!("completions {shell} -o json")).expect(0).json();
        assert_eq!(json["script"].as_str().map(str::trim), Some(script.trim()), "{shell}");
    }
    let list = env.opsole("man pages/man1 -o json").expect(0).json();
    let pages = list["files"].as_array().expect("files");
    assert!(pages.len() >= COMMANDS.len(), "{list:#}");
    let page = env.read("pages/man1/opsole-apply.1");
    assert!(page.contains(".TH") && page.contains("resume"));
    let ran = env.opsole("man /dev/null/x").expect(1);
    assert!(ran.err.contains("cli.write") && ran.err.contains("next:"), "{}", ran.err);
}

/// Catches a schema file that the program no longer agrees with.
#[test]
fn schemas_are_those_of_the_project() {
    let env = TestEnv::empty();
    let committed = std::fs::read_to_string(root().join("schemas/plan.schema.json")).expect("a schema");
    assert_eq!(env.opsole("schema").expect(0).out, committed);
    for of in ["plan", "plan-part", "plan-output", "sealed", "world", "report", "directory", "agent-settings"] {
        let json = env.opsole(&format!("schema {of}")).expect(0).json();
        assert!(json["$schema"].is_string() && json["properties"].is_object(), "{of}");
    }
    drop(env.opsole("schema --out plan.schema.json").expect(0));
    assert_eq!(env.read("plan.schema.json"), committed);
}

/// Catches a kind that can't be listed, a list that is empty, and an id of a list that can't be asked for.
#[test]
fn every_list_can_be_asked_for() {
    let env = TestEnv::empty();
    let kinds = env.opsole("explain --output json").expect(0).json();
    assert_eq!(kinds["format"], "opsole.explain/1");
    let told = env.opsole("explain").expect(0).out;
    for kind in kinds["kinds"].as_array().expect("kinds") {
        let name = kind["kind"].as_str().expect("a name");
        let list = env.opsole(&format!("explain --list {name} -o json")).expect(0).json();
        let list = list["list"].as_array().expect("a list");
        assert_eq!(kind["count"], list.len());
        assert!(list.len() > 20 && told.contains(&format!("{name} ")), "{name}: {}", list.len());
        let text = env.opsole(&format!("explain --list {name}")).expect(0).out;
        assert!(list.iter().all(|one| text.contains(one["id"].as_str().expect("an id"))), "{text}");
        let id = list[list.len() / 2]["id"].as_str().expect("an id");
        let found = env.run(["explain", id, "-o", "json"]).expect(0).json();
        assert_eq!((&found["found"][0]["id"], &found["found"][0]["kind"]), (&id.into(), &name.into()));
        let page = env.run(["explain", &id.to_lowercase()]).expect(0).out;
        assert!(page.contains(id) && page.len() > 100, "{id}: {page}");
    }
}

/// Gives bytes to `opsole explain -`.
fn pipe(env: &TestEnv, bytes: &[u8]) -> Ran {
    let mut command = env.command(["explain", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    child.stdin.take().expect("its input").write_all(bytes).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Catches a pasted line whose codes aren't explained, a number with a sign that is taken for an option, and a word that
/// nobody knows and that is answered with success.
#[test]
fn pasted_texts_are_explained() {
    let env = TestEnv::empty();
    let line = "Error: 0x801c03ed AADSTS240001 at device.apply-package, 0x80070020";
    let found = env.run(["explain", line, "-o", "json"]).expect(0).json();
    let ids: Vec<&str> =
        found["found"].as_array().expect("found").iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(ids, ["0x801c03ed", "AADSTS240001", "device.apply-package"]);
    assert_eq!(found["unknown"][0]["code"], "0x80070020");
    assert!(found["found"][0]["code"]["operations"].to_string().contains("device.apply-package"), "{found:#}");
    let text = env.run(["explain", line]).expect(0).out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("quota") && text.contains("access is denied"), "{text}");
    assert!(env.opsole("explain -2145647635").expect(0).out.starts_with("0x801c03ed: "));
    let log = "one\r\nAttempt Status : 0xC000006D\r\n\u{fffd}";
    let utf16: Vec<u8> = log.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [log.as_bytes(), &utf16] {
        assert!(pipe(&env, bytes).expect(0).out.starts_with("0xc000006d: "));
    }
    let nothing = pipe(&env, b"hello").expect(1);
    assert!(nothing.err.contains("cli.unknown-code"), "{}", nothing.err);
    let ran = env.opsole("explain OPS02044").expect(1);
    assert!(ran.err.contains("did you mean OPS0204"), "{}", ran.err);
    let ran = env.opsole("explain klingon").expect(1);
    assert!(ran.err.contains("`opsole explain` lists"), "{}", ran.err);
}

/// Catches a plan to start from that isn't valid, and a file of the user's that is overwritten.
#[test]
fn init_writes_valid_plans_and_never_overwrites() {
    for scenario in ["ad-to-entra", "hybrid-to-entra", "tenant-to-tenant"] {
        let env = TestEnv::empty();
        let list = env.opsole(&format!("init --scenario {scenario} sub -o json")).expect(0).json();
        assert!(list["files"].as_array().is_some_and(|files| files.len() >= 2), "{list}");
        let valid = env.opsole("validate --plan sub/plan.yaml").expect(0);
        assert!(valid.out.contains("is valid"), "{}", valid.out);
        let text = env.read("sub/plan.yaml");
        assert!(text.lines().filter(|line| line.contains('#')).count() > 10, "it is commented");
        env.write("sub/plan.yaml", "mine");
        let again = env.opsole(&format!("init --scenario {scenario} sub")).expect(1);
        assert!(again.err.contains("cli.exists") && again.err.contains("nothing was written"), "{}", again.err);
        assert_eq!(env.read("sub/plan.yaml"), "mine");
    }
    let env = TestEnv::empty();
    let none = env.opsole("plan").expect(1);
    assert!(none.err.contains("cli.no-plan") && none.err.contains("opsole init"), "{}", none.err);
}

/// Catches a snapshot that leaves out what a plan needs, or a plan that depends on when it is asked for.
#[test]
fn a_plan_from_a_snapshot_is_the_plan() {
    for example in ["ad-to-entra", "hybrid-to-entra", "tenant-to-tenant"] {
        let env = TestEnv::example(example);
        let written = env.opsole("snapshot --out s.json -o json").expect(0).json();
        assert_eq!(written["unknown"], Value::Array(Vec::new()), "{example}");
        for args in ["", " --output json", " --wave pilot", " --wave pilot -o json"] {
            let live = env.opsole(&format!("plan{args}")).expect(0).out;
            assert_eq!(env.opsole(&format!("plan --snapshot s.json{args}")).expect(0).out, live, "{example}{args}");
            assert_eq!(env.opsole(&format!("plan{args}")).expect(0).out, live, "{example}{args}");
        }
    }
}

/// Catches one device that isn't unfolded, and names that aren't known and end in silence.
#[test]
fn devices_and_waves_by_name() {
    let env = TestEnv::example("hybrid-to-entra");
    let one = env.opsole("plan --device lon-it-001").expect(0).out;
    assert!(one.contains("LON-IT-001") && one.contains("device.swap-profile") && !one.contains("LON-IT-002"), "{one}");
    let json = env.opsole("plan --device LON-IT-001 -o json").expect(0).json();
    assert!(json.to_string().contains("LON-IT-001") && !json.to_string().contains("LON-IT-002"));
    for (line, code, near) in [
        ("plan --device LON-IT-01", "cli.unknown-device", "did you mean `LON-IT-001`?"),
        ("plan --wave pilto", "cli.unknown-wave", "did you mean `pilot`?"),
        ("apply --wave pilto --yes", "cli.unknown-wave", "did you mean `pilot`?"),
        ("lab show --device LON-IT-01", "lab.no-device", "did you mean `LON-IT-001`?"),
        ("plan --wave somewhere-else", "cli.unknown-wave", "its waves are pilot, london"),
        ("status --run abc", "", "No wave was applied yet"),
    ] {
        let ran = env.opsole(line);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(all.contains(code) && all.contains(near), "{line}: {all}");
        assert_eq!(ran.code, Some(if code.is_empty() { 0 } else { 1 }), "{line}");
    }
    let shown = env.opsole("lab show --device lon-it-001").expect(0).json();
    assert_eq!(shown["facts"]["identity"]["name"], "LON-IT-001");
    drop(env.opsole("apply --wave pilot --yes").expect(0));
    let ran = env.opsole("status --device LON-IT-01").expect(1);
    assert!(ran.err.contains("did you mean `LON-IT-001`?"), "{}", ran.err);
    let ran = env.opsole("status --run zzz").expect(1);
    assert!(ran.err.contains("cli.unknown-run"), "{}", ran.err);
    let one = env.opsole("status --device lon-it-001").expect(0).out;
    assert!(one.contains("device.clean-up") && !one.contains("LON-IT-002"), "{one}");
}

/// Catches an answer for programs that isn't one JSON document.
#[test]
fn every_command_answers_programs() {
    let env = TestEnv::example("hybrid-to-entra");
    for (line, code) in [
        ("validate", 0),
        ("plan", 0),
        ("plan --detailed-exitcode", 2),
        ("plan --device LON-IT-001", 0),
        ("graph", 0),
        ("graph --device LON-IT-001", 0),
        ("graph --device LON-IT", 1),
        ("why LON-IT-001", 0),
        ("why lon-it-001 swap", 0),
        ("why LON-IT-001 swop-profile", 1),
        ("why LON", 1),
        ("plan --wave pilot --out a.opsole", 0),
        ("plan --wave pilot --out b.opsole", 0),
        ("drift --detailed-exitcode", 0),
        ("drift --since none.json", 1),
        ("drift --accept", 0),
        ("diff a.opsole a.opsole --detailed-exitcode", 0),
        ("diff a.opsole b.opsole --detailed-exitcode", 2),
        ("diff a.opsole b.opsole --device LON-IT-01", 1),
        ("permissions", 0),
        ("permissions --nine", 0),
        ("permissions --offline --grant-script az", 0),
        ("permissions --wave none", 1),
        ("status", 0),
        ("snapshot --out s.json", 0),
        ("lab show", 0),
        ("lab show --device LON-IT-001", 0),
        ("schema", 0),
        ("explain", 0),
        ("explain OPS0101", 0),
        ("init --scenario ad-to-entra new", 0),
        ("lab generate --devices 3 world", 0),
        ("apply --wave pilot", 3),
        ("apply --resume --yes", 1),
        ("apply --wave pilot --yes", 0),
        ("apply --wave pilot --yes", 0),
        ("apply --wave london --yes", 9),
        ("status", 0),
        ("status --device LON-IT-001", 0),
        ("report last", 0),
        ("report last --device LON-IT-001", 0),
        ("report last --device LON-IT-01", 1),
        ("report zzz", 1),
        ("report last --format csv", 1),
        ("audit list", 0),
        ("audit list --run last", 0),
        ("audit list --run zzz", 1),
        ("audit verify", 0),
        ("plan --wave none", 1),
        ("lab reset", 3),
        ("lab reset --yes", 0),
        ("lab reset --yes", 0),
        ("agent inspect --device LON-IT-001", 0),
        ("agent inspect --device LON-IT-01", 1),
        ("agent inspect", 1),
        ("agent status --device LON-IT-001", 0),
        ("agent recover --device LON-IT-001", 0),
        ("agent run --enrolment none.json --device X", 1),
    ] {
        let ran = env.opsole(&format!("{line} --output json")).expect(code);
        let json = ran.json();
        assert!(json.is_object(), "{line}");
        if code == 1 || code == 3 {
            assert_eq!(json["format"], "opsole.problem/1", "{line}");
            let problem = &json["problem"];
            assert!(problem["code"].is_string() && problem["next"].is_string(), "{line}: {problem:#}");
        }
    }
}

/// Catches evidence that is written in part, an answer that hides what couldn't be read, and a machine outside a lab
/// that is answered for.
#[test]
fn agents_show_what_they_find() {
    let env = TestEnv::example("hybrid-to-entra");
    let text = env.opsole("agent inspect --device lon-it-001").expect(0).out;
    for part in ["LON-IT-001", "hybrid joined", "TPM", "2.0, ready", "graph.microsoft.com: reached", "read back: yes"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    drop(env.opsole("agent inspect --device LON-IT-001 --out e.json").expect(0));
    let document: Value = serde_json::from_str(&env.read("e.json")).expect("JSON");
    assert_eq!(document["format"], "opsole.evidence/1");
    assert_eq!(document, env.opsole("agent inspect --device LON-IT-001 -o json").expect(0).json(), "the same twice");
    assert_eq!(document["survey"]["canary"]["known"]["read_back"], true);
    for line in ["inspect", "install --settings x", "uninstall", "status", "run", "run --service", "recover"] {
        let ran = TestEnv::empty().opsole(&format!("agent {line}")).expect(64);
        assert!(ran.err.contains("agent.no-windows") && ran.err.contains("isn't Windows"), "{line}: {}", ran.err);
    }
}

/// Catches a world that is thrown away without a word, and one that is written over.
#[test]
fn the_lab_is_reset_and_made_on_purpose() {
    let env = TestEnv::example("hybrid-to-entra");
    let before = env.world();
    drop(env.opsole("apply --wave pilot --yes").expect(0));
    let after = env.world();
    assert_ne!(after, before);
    let refused = env.opsole("lab reset").expect(3);
    assert!(refused.err.contains("add `--yes`"), "{}", refused.err);
    assert_eq!(env.world(), after);
    drop(env.opsole("lab reset --yes").expect(0));
    assert_eq!(env.world(), before);
    assert!(env.opsole("status").expect(0).out.contains("No wave was applied yet"));

    drop(env.opsole("lab generate --devices 5 --seed 3 big").expect(0));
    let world = env.read("big/world.yaml");
    let again = env.opsole("lab generate --devices 6 big").expect(1);
    assert!(again.err.contains("cli.exists") && again.err.contains("nothing was written"), "{}", again.err);
    assert_eq!(env.read("big/world.yaml"), world);
    drop(env.opsole("lab generate --devices 5 --seed 3 same").expect(0));
    assert_eq!(env.read("same/world.yaml"), world, "the same seed gives the same world");
    drop(env.opsole("plan --plan big/plan.yaml").expect(0));
}

/// Catches a lab that only our own client can talk to, and one that doesn't stop when it is asked to.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_lab_serves_a_foreign_client() {
    let env = TestEnv::example("hybrid-to-entra");
    let mut child = env
        .command(["lab", "serve", "--listen", "127.0.0.1:0", "--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut text = String::new();
    let served: Value = loop {
        assert_ne!(out.read_line(&mut text).expect("text"), 0, "it ended: {text}");
        if let Ok(value) = serde_json::from_str(&text) {
            break value;
        }
    };
    let tenant = &served["tenants"][0];
    let client = opsole::agent::http_client().expect("a client");
    let form = format!(
        "grant_type=client_credentials&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&client_id={}&client_secret={}",
        tenant["client_ids"][0].as_str().expect("an id"),
        "lab-secret-of-contoso"
    );
    let token: Value = client
        .post(tenant["token_endpoint"].as_str().expect("a URL"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let devices: Value = client
        .get(format!("{}/v1.0/devices?$select=displayName", served["graph"].as_str().expect("a URL")))
        .bearer_auth(token["access_token"].as_str().expect("a token"))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(devices["value"].as_array().map(Vec::len), Some(4), "{devices:#}");
    let second = env.opsole("plan").expect(1);
    assert!(second.err.contains("lab.locked"), "{}", second.err);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    drop(env.opsole("plan").expect(0));
}

/// Catches an exit code that isn't in the docs, or means something else there.
#[test]
fn exit_codes_are_documented() {
    let docs = std::fs::read_to_string(root().join("docs/exit-codes.md")).unwrap_or_default();
    for exit in opsole::cli::Exit::ALL {
        assert!(docs.contains(exit.meaning) && docs.contains(&exit.code.to_string()), "{exit:?} isn't in the docs");
    }
}
