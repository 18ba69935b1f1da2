//! Package files: what `opsole package` says of them, and what a plan does with a package that is wrong.

use std::fs;

use serde_json::Value;

use crate::support::{TestEnv, root};

/// What is secret in the sample.
const SECRETS: [&str; 3] = ["0.AXQAopaque", "Clear-Pass-1", "Join-Pass-2"];

fn sample(env: &TestEnv) {
    let from = root().join("tests/it/package_files/other-writer.ppkg");
    let to = env.path("bulk.ppkg");
    fs::copy(from, &to).expect("a copy");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("a mode");
    }
}

fn point<'a>(answer: &'a Value, check: &str) -> &'a str {
    let points = answer["points"].as_array().expect("points");
    let found = points.iter().find(|point| point["check"] == check).unwrap_or_else(|| panic!("{check}: {answer}"));
    found["measured"].as_str().expect("a word")
}

/// Catches a secret that is shown, a setting that isn't, and an answer that needs a plan.
#[test]
fn inspect_shows_what_is_no_secret() {
    let env = TestEnv::empty();
    sample(&env);
    let text = env.opsole("package inspect bulk.ppkg").expect(0);
    for shown in
        ["there (never shown)", "helper in Administrators, password in clear", "PC-%SERIAL%", "HideOobe", "pkg.format"]
    {
        assert!(text.out.contains(shown), "{shown}: {}", text.out);
    }
    let json = env.opsole("package inspect bulk.ppkg --output json").expect(0);
    for secret in SECRETS {
        assert!(!text.out.contains(secret) && !json.out.contains(secret) && !json.err.contains(secret), "{secret}");
    }
    let answer = json.json();
    assert_eq!(answer["format"], "opsole.package/1");
    assert_eq!((point(&answer, "pkg.format"), point(&answer, "pkg.handling")), ("fail", "pass"));
    assert!(answer.get("plan").is_none());
}

/// Catches a file that is no package and passes, and an error that shows what is in it.
#[test]
fn what_is_no_package_is_an_error() {
    let env = TestEnv::empty();
    sample(&env);
    let bytes = fs::read(env.path("bulk.ppkg")).expect("bytes");
    fs::write(env.path("cut.ppkg"), &bytes[..2000]).expect("a file");
    env.write("text.ppkg", "Clear-Pass-1");
    for (file, words) in
        [("cut.ppkg", "beyond the file's end"), ("text.ppkg", "doesn't begin"), ("none.ppkg", "can't read")]
    {
        let ran = env.opsole(&format!("package inspect {file}")).expect(1);
        assert!(ran.err.contains(words) && ran.out.is_empty(), "{file}: {}", ran.err);
        assert!(SECRETS.iter().all(|secret| !ran.err.contains(secret)), "{}", ran.err);
    }
}

/// Catches a file that isn't recognised as the plan's, or whose life isn't held against the waves.
#[test]
fn a_file_is_held_against_the_plan() {
    let env = TestEnv::example("hybrid-to-entra");
    sample(&env);
    let alone = env.opsole("package inspect bulk.ppkg").expect(0);
    assert!(alone.err.contains("looked at alone"), "{}", alone.err);
    env.edit("plan.yaml", "    issued: 2026-11-01", "    file: bulk.ppkg\n    issued: 2026-11-01");
    let answer = env.opsole("package inspect bulk.ppkg --output json").expect(0).json();
    assert_eq!(answer["plan"]["package"], "bulk-2026q4");
    assert_eq!((point(&answer, "pkg.tenant"), point(&answer, "pkg.lifetime")), ("unknown", "pass"));
    let list = env.opsole("package list").expect(0).out;
    assert!(list.contains("last day 2027-04-29") && list.contains("rotate by 2027-04-22"), "{list}");
    assert!(list.contains("pilot (until 2026-12-12 06:00): covered"), "{list}");
    let list = env.opsole("package list --output json").expect(0).json();
    assert_eq!(list["format"], "opsole.packages/1");
    assert_eq!(list["packages"][0]["life"]["by"], "plan");
    // The digest finds it wherever it lies, and tells another file from it.
    let digest = answer["facts"]["sha256"].as_str().expect("a digest").to_owned();
    env.edit("plan.yaml", "    file: bulk.ppkg", &format!("    sha256: {digest}"));
    let answer = env.opsole("package inspect bulk.ppkg --output json").expect(0).json();
    assert_eq!(answer["plan"]["package"], "bulk-2026q4");
}

/// Catches a wrong package that is only found on the first device: each has to keep the wave from starting, with its
/// own reason.
#[test]
fn a_wrong_package_stops_its_waves() {
    let from = "expires: 2027-04-30T00:00:00Z}";
    for (content, check, words) in [
        ("garbage: true", "pkg.format", "isn't a package that can be read"),
        ("encrypted: true", "pkg.format", "its container is encrypted"),
        ("no-token: true", "pkg.format", "no bulk token"),
        ("computer-name: PC-1", "pkg.format", "names every computer"),
        ("local-users: [{name: helper, clear-password: true}]", "pkg.format", "local user `helper`"),
        ("other-tenant: 11111111-2222-4333-8444-555555555555", "pkg.tenant", "its token is of tenant 1111"),
    ] {
        let env = TestEnv::example("hybrid-to-entra");
        env.edit("world.yaml", from, &format!("expires: 2027-04-30T00:00:00Z, content: {{{content}}}}}"));
        let plan = env.opsole("plan --output json").expect(0);
        assert!(plan.out.contains(check) && plan.out.contains(words), "{content}: {}", plan.out);
        let ran = env.opsole("apply --wave pilot --yes").expect(9);
        assert!(ran.err.contains(words) || ran.out.contains(words), "{content}: {}{}", ran.out, ran.err);
    }
}

/// Catches a package that only deserves a remark and stops a wave.
#[test]
fn a_remark_stops_nothing() {
    let env = TestEnv::example("hybrid-to-entra");
    let content = "expires: 2027-04-30T00:00:00Z, content: {settings: [Common/Policies/Start/HideSleep]}}";
    env.edit("world.yaml", "expires: 2027-04-30T00:00:00Z}", content);
    drop(env.opsole("apply --wave pilot --yes").expect(0));
}

/// Catches a list that looks at the plan alone and says "covered" of a wave that `check` blocks: by the token, and by
/// the account.
#[test]
fn the_list_agrees_with_check() {
    let token = ("expires: 2027-04-30T00:00:00Z}", "expires: 2026-12-05T00:00:00Z}");
    let account = ("created: 2026-11-01T09:00:00Z}", "created: 2026-06-08T09:00:00Z}");
    for ((from, to), by, last) in
        [(token, "its token says", "2026-12-04"), (account, "creation of its account", "2026-12-05")]
    {
        let env = TestEnv::example("hybrid-to-entra");
        env.edit("world.yaml", from, to);
        let check = env.opsole("check").expect(9).out.replace("\n", " ");
        let words = check.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("last day is {last}")) && words.contains("pkg.lifetime"), "{words}");
        let list = env.opsole("package list").expect(0).out;
        assert!(list.contains(&format!("last day {last}, as ")) && list.contains(by), "{list}");
        assert!(list.contains("pilot (until 2026-12-12 06:00): not covered"), "{list}");
        // A snapshot says the same later on; the plan alone can't, and says so.
        drop(env.opsole("snapshot --out seen.json").expect(0));
        assert_eq!(env.opsole("package list --snapshot seen.json").expect(0).out, list);
        let offline = env.opsole("package list --offline").expect(0).out;
        for words in
            ["From files alone", "last day 2027-04-29, as the plan says", "wasn't looked at: the end of its token"]
        {
            assert!(offline.contains(words), "{words}: {offline}");
        }
        let json = env.opsole("package list --offline --output json").expect(0).json();
        assert_eq!((&json["seen"], &json["packages"][0]["life"]["unseen"][1]), (&"files".into(), &"account".into()));
    }
}

/// Catches a wave that is called covered although it can't begin while the package lives, and one that could begin and
/// is blocked for the sake of another.
#[test]
fn a_wave_that_waits_too_long_is_not_covered() {
    let env = TestEnv::example("hybrid-to-entra");
    env.edit("world.yaml", "expires: 2027-04-30T", "expires: 2026-12-14T");
    let list = env.opsole("package list").expect(0).out;
    let words = "london (from 2026-12-09 18:30 at the earliest): may fall beyond: it can't begin before 2026-12-19 06:00 \
                 if pilot uses its whole window";
    assert!(list.contains(words), "{list}");
    let find = |env: &TestEnv, line: &str, code| {
        let json = env.opsole(line).expect(code).json();
        let findings = json["findings"].as_array().expect("findings").clone();
        let own = findings.into_iter().filter(|finding| finding["check"] == "pkg.lifetime");
        own.map(|finding| (finding["outcome"].as_str().unwrap_or_default().to_owned(), finding["seen"].to_string()))
            .collect()
    };
    let found: Vec<(String, String)> = find(&env, "check --output json", 10);
    assert!(found.len() == 1 && found[0].0 == "warn" && found[0].1.contains("may fall beyond"), "{found:?}");

    // The pilot's window is over in time, the soak isn't.
    let env = TestEnv::example("hybrid-to-entra");
    env.edit("world.yaml", "expires: 2027-04-30T", "expires: 2026-12-09T");
    env.edit("plan.yaml", "to: 2026-12-12T06:00", "to: 2026-12-05T06:00");
    let list = env.opsole("package list").expect(0).out;
    assert!(list.contains("not covered: it waits for pilot"), "{list}");
    let found: Vec<(String, String)> = find(&env, "check --output json --wave london", 9);
    assert!(found.len() == 1 && found[0].0 == "fail" && found[0].1.contains("before 2026-12-09"), "{found:?}");
    let found: Vec<(String, String)> = find(&env, "check --output json --wave pilot", 10);
    assert!(found.len() == 1 && found[0].0 == "warn", "{found:?}");
    drop(env.opsole("apply --wave pilot --yes").expect(0));
}
