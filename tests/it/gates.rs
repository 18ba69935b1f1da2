//! Gates as people use them: the pilot is moved, its exit is looked at and signed off, and the next wave opens.

use opsole::readiness::Criterion;
use serde_json::Value;

use crate::support::{Ran, TestEnv, root};

const SIGN: [&str; 8] = ["gate", "pilot", "--sign-off", "--as", "project-lead", "--evidence", "CHG-1234", "--yes"];

/// Runs the program as somebody.
fn as_anna(env: &TestEnv, args: &[&str]) -> Ran {
    let output = env.command(args).env("USER", "anna").output().expect("the program starts");
    Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn attest_applications(env: &TestEnv) {
    let line =
        "attestations:\n  - {check: apps.readiness, by: migration-lead@contoso.com, on: 2026-12-05, evidence: UAT-9}\n";
    env.edit("plan.yaml", "attestations:\n", line);
}
fn outcome<'v>(gate: &'v Value, id: &str) -> &'v Value {
    let rows = gate["criteria"].as_array().expect("criteria");
    rows.iter().find(|row| row["id"] == id).expect("the criterion")
}
/// Takes out of a page what may differ from run to run: moments after the run began, and ids.
fn steady(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let mut line = line.to_owned();
        for (from, to) in [("as of ", " ("), ("until ", ""), ("over since ", ""), (" on ", " (")] {
            if let Some(at) = line.find(from).map(|at| at + from.len()) {
                let end =
                    if to.is_empty() { line.len() } else { line[at..].find(to).map_or(line.len(), |end| at + end) };
                if line[at..end].contains("2026-12-") {
                    line.replace_range(at..end, "[moment]");
                }
            }
        }
        match line.rsplit_once(" as ") {
            Some((before, id)) if id.len() == 36 => format!("{before} as [id]"),
            _ => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Catches a later wave that opens before its pilot is proven, has soaked and is signed off, one that stays closed
/// afterwards, and a sign-off that can't be taken back.
#[test]
fn a_pilot_is_proven_signed_off_and_opens_the_next_wave() {
    let env = TestEnv::example("hybrid-to-entra");
    let before = env.opsole("gate pilot").expect(9);
    assert!(before.out.contains("nothing to measure yet"), "{}", before.out);
    drop(env.opsole("apply --wave pilot --yes").expect(0));

    // All that can be measured is met; what only people know isn't.
    let gate = env.opsole("gate pilot --output json").expect(9).json();
    assert_eq!((&gate["format"], &gate["open"]), (&Value::from("opsole.gate/1"), &Value::from(false)));
    for row in gate["criteria"].as_array().expect("criteria") {
        let unknown = if row["id"] == "exit.applications" { 2 } else { 0 };
        assert_eq!((row["not_met"].as_u64(), row["unknown"].as_u64()), (Some(0), Some(unknown)), "{gate:#}");
    }
    let refused = as_anna(&env, &SIGN).expect(9);
    assert!(refused.err.contains("gate.not-met") && refused.err.contains("exit.applications"), "{}", refused.err);

    drop(env.opsole("lab wait 3d").expect(0));
    attest_applications(&env);
    let gate = env.opsole("gate pilot --output json").expect(9).json();
    assert_eq!(outcome(&gate, "exit.applications")["attested"], 2, "{gate:#}");
    insta::assert_snapshot!("gate", steady(&env.opsole("gate pilot --device LON-IT-001").expect(9).out));

    let signed = as_anna(&env, &SIGN).expect(0);
    assert!(signed.err.contains("anna") && signed.out.contains("CHG-1234"), "{}{}", signed.out, signed.err);
    // The same once more records nothing.
    let again = as_anna(&env, &SIGN).expect(0);
    assert!(
        again.err.contains("already; nothing was recorded") && again.out == signed.out,
        "{}{}",
        again.out,
        again.err
    );
    let london = env.opsole("plan --wave london").expect(0);
    assert!(london.out.contains("it soaks until") && !london.out.contains("signed off"), "{}", london.out);
    drop(env.opsole("apply --wave london --yes").expect(9));
    drop(env.opsole("gate pilot").expect(9));

    drop(env.opsole("lab wait 7d").expect(0));
    let open = env.opsole("gate pilot --output json").expect(0).json();
    assert_eq!(open["later"][0]["missing"], Value::Array(Vec::new()), "{open:#}");
    drop(env.opsole("plan --wave london --detailed-exitcode").expect(2));

    let back = ["gate", "pilot", "--take-back", "--as", "project-lead", "--evidence", "INC-77"];
    let back = as_anna(&env, &back).expect(0);
    assert!(back.out.contains("taken back") && back.out.contains("INC-77"), "{}", back.out);
    let closed = env.opsole("plan --wave london --detailed-exitcode").expect(0);
    assert!(closed.out.contains("taken back its sign-off"), "{}", closed.out);
    let again = as_anna(&env, &SIGN).expect(0);
    assert!(again.out.contains("Open: nothing of it holds a later wave back."), "{}", again.out);
    let applied = env.opsole("apply --wave london --yes").expect(0);
    assert!(applied.out.contains("complete"), "{}", applied.out);
    let other: Vec<&str> = SIGN.iter().map(|word| if *word == "CHG-1234" { "CHG-1235" } else { word }).collect();
    drop(as_anna(&env, &other).expect(0));

    // Taken back too late: what is done isn't held back, and isn't said to miss nothing.
    let late =
        as_anna(&env, &["gate", "pilot", "--take-back", "--as", "project-lead", "--evidence", "INC-78"]).expect(0);
    assert_eq!(late.out.matches("project-lead: signed off").count(), 3, "{}", late.out);
    let page = env.opsole("gate pilot").expect(0).out;
    assert!(
        page.contains("No wave waits for it any more") && page.contains("Wave london needed it, and is done"),
        "{page}"
    );
    assert!(page.contains("taken back by anna") && page.contains("would be closed now"), "{page}");
    assert!(!page.contains("Closed.") && !page.contains("Nothing is missing"), "{page}");
    let list = env.opsole("audit list -o json").expect(0).json();
    let entries = list["entries"].as_array().expect("entries").iter();
    let words = entries.filter(|entry| entry["kind"].as_str().is_some_and(|kind| kind.contains("sign")));
    let words: Vec<(&str, bool)> = words
        .map(|entry| {
            (
                entry["kind"].as_str().expect("a kind"),
                entry["actor"].as_str().is_some_and(|who| who.starts_with("anna@")),
            )
        })
        .collect();
    let (signed, back) = (("gate-signed-off", true), ("sign-off-taken-back", true));
    assert_eq!(words, [signed, back, signed, signed, back], "every word is told, with who gave it");
}

/// Catches a criterion that a run which ended complete doesn't meet, in whatever scenario: nobody could go on.
#[test]
fn a_complete_run_meets_what_can_be_measured() {
    for example in ["ad-to-entra", "tenant-to-tenant"] {
        let env = TestEnv::example(example);
        drop(env.opsole("apply --wave pilot --yes").expect(0));
        let ran = env.opsole("gate pilot --output json");
        let gate = ran.json();
        let measured = gate["devices"]["measured"].as_u64().expect("a number");
        assert!(measured > 0 && gate["devices"]["counted"] == measured, "{gate:#}");
        for one in gate["exceptions"].as_array().expect("exceptions") {
            assert_eq!(one["criterion"], "exit.applications", "{example}: {gate:#}");
        }
        // Neither example's gate asks for the criteria; the one with a sign-off waits for it.
        assert_eq!(ran.code, Some(if example == "ad-to-entra" { 0 } else { 9 }), "{gate:#}");
    }
}

/// Catches a sign-off in a role that nobody asks for, without evidence, by nobody, unconfirmed, or of no such wave, that
/// is recorded all the same.
#[test]
fn a_sign_off_that_says_nothing_is_refused() {
    let env = TestEnv::example("hybrid-to-entra");
    let sign = |role: &str, evidence: &str, wave: &str| {
        as_anna(&env, &["gate", wave, "--sign-off", "--as", role, "--evidence", evidence, "--yes"])
    };
    let role = sign("security", "CHG-1", "pilot").expect(64);
    assert!(role.err.contains("project-lead (migration-lead@contoso.com)"), "{}", role.err);
    assert!(sign("nobody", "CHG-1", "pilot").expect(64).err.contains("change-management"));
    assert!(sign("project-lead", "  ", "pilot").expect(64).err.contains("evidence"));
    assert!(sign("project-lead", "CHG-1", "london").expect(64).err.contains("no wave waits"));
    assert!(sign("project-lead", "CHG-1", "pilto").expect(1).err.contains("did you mean `pilot`?"));
    // The pilot hasn't run.
    let early = sign("project-lead", "CHG-1", "pilot").expect(9);
    assert!(early.err.contains("0 of 2 devices are done or excluded"), "{}", early.err);
    for line in [
        "gate",
        "gate pilot --sign-off",
        "gate pilot --sign-off --as project-lead",
        "gate pilot --as project-lead",
        "gate pilot --sign-off --take-back --as project-lead --evidence x",
    ] {
        drop(env.opsole(line).expect(64));
    }
    let back = as_anna(&env, &["gate", "pilot", "--take-back", "--as", "project-lead", "--evidence", "x"]).expect(1);
    assert!(back.err.contains("gate.not-signed"), "{}", back.err);
    let device = env.opsole("gate pilot --device LON-IT-01").expect(1);
    assert!(device.err.contains("did you mean `LON-IT-001`?"), "{}", device.err);
    assert!(env.opsole("gate pilot --device LON-IT-001").expect(1).err.contains("gate.not-moved"));

    drop(env.opsole("apply --wave pilot --yes").expect(0));
    drop(env.opsole("lab wait 3d").expect(0));
    attest_applications(&env);
    let nobody = env.run(SIGN).expect(1);
    assert!(nobody.err.contains("cli.no-account"), "{}", nobody.err);
    let unasked = as_anna(&env, &SIGN[..7]).expect(3);
    assert!(unasked.err.contains("cli.not-confirmed"), "{}", unasked.err);
    let gate = env.opsole("gate pilot --output json").expect(9).json();
    assert_eq!(gate["sign_offs"], Value::Array(Vec::new()), "{gate:#}");
}

/// Catches a criterion that the docs don't know, or measure otherwise.
#[test]
fn the_criteria_are_documented() {
    let page = std::fs::read_to_string(root().join("docs/gates.md")).expect("the page");
    for one in Criterion::ALL {
        let row = format!("| `{}` | {} | {} |", one.id(), one.title(), one.measured_by());
        assert!(page.contains(&row), "docs/gates.md has no line:\n{row}");
    }
    assert_eq!(page.matches("| `exit.").count(), Criterion::ALL.len());
}

/// Catches a wait that isn't kept, goes back, or takes what isn't a time.
#[test]
fn time_passes_in_the_lab() {
    let env = TestEnv::example("hybrid-to-entra");
    let now = |env: &TestEnv, time: &str| {
        let json = env.opsole(&format!("lab wait {time} --output json")).expect(0).json();
        json["now"].as_str().expect("a moment").to_owned()
    };
    assert_eq!(now(&env, "1d12h"), "2026-12-04T06:30:00Z");
    assert_eq!(now(&env, "0s"), "2026-12-04T06:30:00Z");
    assert_eq!(now(&env, "30m"), "2026-12-04T07:00:00Z");
    let plan = env.opsole("plan --output json").expect(0).json();
    assert_eq!(plan["plan"]["as_of"], "2026-12-04T07:00:00Z");
    for wrong in ["", "7", "soon", "-1d"] {
        drop(env.opsole(&format!("lab wait {wrong}")).expect(64));
    }
}
