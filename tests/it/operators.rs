//! Users and the operators' API as people meet them: real processes, one calling the other.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Ran, TestEnv};

fn with_input(mut command: Command, input: &str) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("a write");
    let output = child.wait_with_output().expect("an end");
    Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Catches a user command that isn't told, a password that is shown or kept as it is, and an answer nobody can read.
#[test]
fn users_are_managed_and_told() {
    let env = TestEnv::example("hybrid-to-entra");
    let add = |line: &str, password: &str| with_input(env.command(line.split(' ')), password);
    let secret = "over the hills and far";
    drop(add("users add Jane --role admin --password-stdin", &format!("{secret}\nmore\n")).expect(0));
    assert!(add("users add jane --role viewer --password-stdin", secret).expect(1).err.contains("users.exists"));
    assert!(add("users add john --role viewer --password-stdin", "short").expect(1).err.contains("users.password"));
    assert!(env.opsole("users add john --role viewer").expect(1).err.contains("users.no-terminal"));
    assert!(env.opsole("users add john --role king").expect(64).err.contains("viewer, operator, approver, admin"));
    assert!(env.opsole("users enable john").expect(1).err.contains("users.unknown"));
    for line in ["set-role jane approver", "disable jane", "enable jane", "unlock jane"] {
        let json = env.opsole(&format!("users {line} --output json")).expect(0).json();
        assert_eq!(json["format"], "opsole.user/1", "{line}");
    }
    drop(add("users password jane --password-stdin", "far over the misty mountains").expect(0));
    assert_eq!(env.opsole("users list").expect(0).out, "jane  approver\n");
    let list = env.opsole("audit list --output json").expect(0);
    assert!(!list.out.contains(secret) && !list.out.contains("argon2"));
    let kinds: Vec<String> = list.json()["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| format!("{} {}", entry["kind"].as_str().expect("a kind"), entry["body"]["changed"]))
        .collect();
    insta::assert_snapshot!(kinds.join("\n"), @r#"
    user-added []
    user-changed ["role"]
    user-disabled []
    user-changed ["enabled"]
    user-changed ["unlocked"]
    user-changed ["password"]
    "#);
    drop(env.opsole("audit verify").expect(0));
}

/// Catches an API that `apply` doesn't serve, a one-time token that outlives it or that others can read, a sign-in that
/// doesn't work from outside, and a drain that doesn't end the run.
#[test]
fn a_run_is_drained_from_beside_it() {
    let env = TestEnv::example("hybrid-to-entra");
    let user = env.command("users add jane --role viewer --password-stdin".split(' '));
    drop(with_input(user, "over the hills and far").expect(0));
    assert!(env.opsole("drain").expect(1).err.contains("operator.no-run"));

    // Agents of their own that never come: the run waits for them until it is told to begin nothing new.
    let line = "apply --wave pilot --yes --agents external --enrolment agents.json";
    let child = env
        .command(line.split(' '))
        .env("OPSOLE_LAB_SPEED", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let path = env.path(".opsole/operator.json");
    let begun = std::time::Instant::now();
    while !path.exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o077, 0);
    }
    let file: Value = serde_json::from_str(&env.read(".opsole/operator.json")).expect("JSON");
    let url = file["url"].as_str().expect("an address").to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let statuses = runtime.block_on(async {
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::new();
        let login = json!({"name": "jane", "password": "over the hills and far"}).to_string();
        let answer = http.post(format!("{url}/api/v1/login")).body(login).send().await.expect("an answer");
        let answer: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
        let token = answer["token"].as_str().expect("a token").to_owned();
        let mut statuses = Vec::new();
        for (method, path, token) in [
            ("GET", "run", Some(token.as_str())),
            ("POST", "run/drain", Some(token.as_str())),
            ("POST", "run/drain", None),
            ("GET", "run", file["token"].as_str()),
        ] {
            let mut request = http.request(method.parse().expect("a method"), format!("{url}/api/v1/{path}"));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            statuses.push(request.send().await.expect("an answer").status().as_u16());
        }
        statuses
    });
    assert_eq!(statuses, [200, 403, 401, 200]);
    assert!(env.opsole("drain --url http://controller.example.com").expect(1).err.contains("operator.url"));
    assert!(env.opsole(&format!("drain --url {url}")).expect(1).err.contains("operator.no-token"));
    assert_eq!(env.opsole("drain --output json").expect(0).json()["format"], "opsole.drain/1");
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(8), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!path.exists(), "the token is gone with its process");

    let list = env.opsole("audit list").expect(0).out;
    for (actor, kind) in [("jane@api", "operator-signed-in"), ("api", "operator-refused")] {
        assert!(list.lines().any(|line| line.contains(actor) && line.contains(kind)), "{kind}: {list}");
    }
    assert!(list.contains("POST /api/v1/run/drain"), "{list}");
    drop(env.opsole("audit verify").expect(0));
}

/// Catches a table in the docs that isn't the one that the router and the tests go by.
#[test]
fn calls_are_documented() {
    use opsole::controller::api::{Access, ROUTES};
    use opsole::operators::{Right, Role};
    let mut text = String::from("| call | who | what it does |\n|---|---|---|\n");
    for route in ROUTES {
        let who = match route.access {
            Access::Open => "everybody".to_owned(),
            Access::SignedIn => "everybody who is signed in".to_owned(),
            Access::Needs(right) => format!("`{}`", right.word()),
        };
        text += &format!("| `{}` | {who} | {} |\n", route.name(), route.about);
    }
    text += "\n| right | lets somebody | viewer | operator | approver | admin |\n|---|---|---|---|---|---|\n";
    for right in Right::ALL {
        let cells = Role::ALL.map(|role| if role.has(right) { "yes" } else { "" }).join(" | ");
        text += &format!("| `{}` | {} | {cells} |\n", right.word(), right.about());
    }
    let path = crate::support::root().join("docs/operators.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let (begin, end) = ("<!-- calls: made by the tests -->\n", "<!-- end -->");
    let (before, rest) = page.split_once(begin).expect("the mark");
    let (table, after) = rest.split_once(end).expect("the mark");
    if std::env::var_os("OPSOLE_UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{begin}\n{text}\n{end}{after}")).expect("the page");
        return;
    }
    assert_eq!(table.trim(), text.trim(), "OPSOLE_UPDATE=1 cargo test --test it operators");
}
