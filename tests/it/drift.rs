//! Drift in the lab: what others change is told once, what our runs did isn't, and what only looks moves nothing.

use serde_json::Value;

use crate::support::TestEnv;

fn changes(env: &TestEnv) -> Vec<(String, String, String)> {
    let report = env.opsole("drift -o json").expect(0).json();
    assert_eq!(report["format"], "opsole.drift/1");
    let text = |value: &Value| value.as_str().expect("a word").to_owned();
    let list = report["changes"].as_array().expect("a list").iter();
    list.map(|one| (text(&one["kind"]), text(&one["subject"]), text(&one["what"]))).collect()
}

/// Catches a change by hand that isn't told, is told twice or of another subject, and a plan that is silent about it.
#[test]
fn what_others_change_is_told_once() {
    const ROWS: &[(&str, &str, (&str, &str))] = &[
        ("{upn: ben@contoso.com,", "{upn: ben@contoso.com, enabled: false,", ("user", "ben@contoso.com")),
        ("state: disabled,", "state: enabled,", ("conditional-access", "Require MFA for device join")),
        (
            "{name: MIG-Pilot, members: [LON-IT-001, LON-IT-002]}",
            "{name: MIG-Pilot, members: [LON-IT-001]}",
            ("group", "MIG-Pilot"),
        ),
        ("user: ben@contoso.com, configmgr: true}", "user: ben@contoso.com}", ("device", "LON-IT-002")),
        ("local-groups: [administrators], ", "", ("device", "LON-IT-001")),
    ];
    let untouched = TestEnv::example("hybrid-to-entra");
    let none = untouched.opsole("drift").expect(1);
    assert!(none.err.contains("drift.no-state") && none.err.contains("--accept"), "{}", none.err);
    drop(untouched.opsole("drift --accept").expect(0));
    assert_eq!(changes(&untouched), []);
    drop(untouched.opsole("drift --detailed-exitcode").expect(0));
    let reviewed = untouched.read(".opsole/reviewed.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(untouched.path(".opsole/reviewed.json")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "it names people and devices");
    }
    for (from, to, (kind, subject)) in ROWS {
        // A world that somebody changed since: the lab makes the same ids of the same names.
        let env = TestEnv::example("hybrid-to-entra");
        env.edit("world.yaml", from, to);
        std::fs::create_dir(env.path(".opsole")).expect("a folder");
        env.write(".opsole/reviewed.json", &reviewed);
        assert_eq!(changes(&env), [((*kind).to_owned(), (*subject).to_owned(), "changed".to_owned())]);
        drop(env.opsole("drift --detailed-exitcode").expect(2));
        let plan = env.opsole("plan").expect(0).out;
        assert!(plan.contains("Changed by others since 2026-12-02 18:30: 1 change"), "{plan}");
        assert_eq!(env.opsole("plan").expect(0).out, plan, "looking moves nothing");
        let json = env.opsole("plan -o json").expect(0).json();
        assert_eq!(json["drift"]["changes"][0]["subject"], *subject);
        assert!(env.opsole("drift --format markdown").expect(0).out.contains("| ! |"));
        drop(env.opsole("drift --accept").expect(0));
        drop(env.opsole("drift --detailed-exitcode").expect(0));
        assert!(!env.opsole("plan").expect(0).out.contains("Changed by others"));
    }
}

/// Catches what our own run did that is told as others' work, in each scenario, and a reset
/// lab that is compared with the world that is no more.
#[test]
fn our_own_runs_are_no_drift() {
    for example in ["ad-to-entra", "hybrid-to-entra", "tenant-to-tenant"] {
        let env = TestEnv::example(example);
        drop(env.opsole("apply --wave pilot --yes").expect(0));
        assert_eq!(changes(&env), [], "{example}");
        let report = env.opsole("drift -o json").expect(0).json();
        assert!(report["ours"].as_u64().is_some_and(|number| number > 0), "{report:#}");
        assert!(!env.opsole("plan").expect(0).out.contains("Changed by others"), "{example}");
    }
    let env = TestEnv::example("hybrid-to-entra");
    drop(env.opsole("plan --wave pilot --out p.opsole").expect(0));
    assert_eq!(changes(&env), [], "sealing a plan is a review");
    drop(env.opsole("lab reset --yes").expect(0));
    drop(env.opsole("drift").expect(1));
}
