//! Every check against worlds in which something is wrong, through the program as a user runs it.

use std::collections::{BTreeMap, BTreeSet};

use opsole::model::Check;
use serde_json::Value;

use crate::support::{Ran, TestEnv};

mod table;
use table::{Edit, ROWS, write};

/// What each check came to, by subject. A device's check that holds isn't told one by one.
type Said = BTreeMap<(String, String), String>;

fn check(env: &TestEnv) -> Ran {
    env.opsole("check --output json")
}

fn said(report: &Value) -> Said {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
    let findings = report["findings"].as_array().expect("findings").iter();
    findings
        .map(|one| {
            let subject = format!("{} {}", text(&one["subject"]["kind"]), text(&one["subject"]["name"]));
            ((text(&one["check"]), subject), text(&one["outcome"]))
        })
        .collect()
}

/// Returns which checks came to something else, and to what; a device's that holds again is a `pass`.
fn changed(before: &Said, after: &Said) -> BTreeSet<(String, String)> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differ = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    differ.map(|key| (key.0.clone(), after.get(key).map_or("pass", String::as_str).to_owned())).collect()
}

fn wanted(says: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    says.iter().map(|(check, outcome)| ((*check).to_owned(), (*outcome).to_owned())).collect()
}

/// Catches a check that misses what it is for, that another one's trouble sets off, or whose exit code lies.
#[test]
fn each_outcome_and_nothing_else() {
    let env = TestEnv::example("hybrid-to-entra");
    write(&env, &[]);
    let sound = said(&check(&env).expect(10).json());
    let mut wrong = Vec::new();
    for row in ROWS {
        write(&env, row.edits);
        let ran = check(&env);
        if ran.code == Some(1) {
            wrong.push(format!("{:?}: {}", row.edits, ran.err));
            continue;
        }
        let report = ran.json();
        let found = changed(&sound, &said(&report));
        if found != wanted(row.says) {
            wrong.push(format!("{:?}\n  wanted {:?}\n  found  {found:?}", row.edits, wanted(row.says)));
        }
        let blocks = report["findings"].as_array().expect("findings").iter().any(|one| one["blocks"] == true);
        let code = if blocks { 9 } else { 10 };
        if ran.code != Some(code) {
            wrong.push(format!("{:?}: exit {:?}, and {code} was due", row.edits, ran.code));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}

/// Catches a check that can't be excepted although the register says so, one that an exclusion silences although nobody
/// can answer for it, an exception that a run doesn't ask for, and one that is shown as if it held.
#[test]
fn excepted_where_somebody_answers_for_it() {
    let env = TestEnv::example("hybrid-to-entra");
    let mut tried = BTreeSet::new();
    for row in ROWS {
        for (id, outcome) in row.says.iter().filter(|(_, outcome)| ["fail", "unknown"].contains(outcome)) {
            let check: Check = id.parse().expect("a check");
            if !tried.insert((check, *outcome)) {
                continue;
            }
            write(&env, row.edits);
            let entry = format!(
                "exclusions:\n  - id: accepted\n    of: {{check: {id}}}\n    owner: lead@contoso.com\n    reason: agreed\n    \
                 ticket: CHG-7\n    expires: 2027-01-31\n"
            );
            env.edit("plan.yaml", "exclusions:\n", &entry);
            let ran = self::check(&env);
            if !check.exceptable() {
                let refused = ran.expect(1);
                assert!(refused.out.contains(id) && refused.out.contains("OPS"), "{id}: {}", refused.out);
                continue;
            }
            let report = ran.json();
            let outcomes: BTreeSet<String> =
                said(&report).into_iter().filter(|((of, _), _)| of == id).map(|(_, outcome)| outcome).collect();
            assert!(outcomes.contains("excepted"), "{id} {outcome}: {outcomes:?}");
            assert!(!outcomes.contains("fail") && !outcomes.contains("unknown"), "{id} {outcome}: {outcomes:?}");
            let by = report["findings"].as_array().expect("findings").iter().find(|one| one["outcome"] == "excepted");
            assert_eq!(by.map(|one| one["measured"] == **outcome), Some(true), "{id}: what was measured is still told");
        }
    }
    assert!(tried.len() > 60, "{}", tried.len());
}

/// Catches an override that nobody was asked for: with neither a terminal nor `--accept` an exception holds the run up.
#[test]
fn an_exception_is_accepted_by_name() {
    let env = TestEnv::example("hybrid-to-entra");
    write(&env, &[Edit::Survey("memory-mib: 4096")]);
    let refused = env.opsole("apply --wave pilot --yes --accept dev.memory").expect(1);
    assert!(refused.err.contains("apply.accept-needs-exclusion"), "{}", refused.err);
    env.edit(
        "plan.yaml",
        "exclusions:\n",
        "exclusions:\n  - id: old\n    of: {check: dev.memory}\n    owner: lead@contoso.com\n    reason: agreed\n    ticket: CHG-7\n    expires: 2027-01-31\n",
    );
    let refused = env.opsole("apply --wave pilot --yes").expect(3);
    assert!(
        refused.err.contains("apply.not-accepted") && refused.err.contains("--accept dev.memory"),
        "{}",
        refused.err
    );
    drop(env.opsole("apply --wave pilot --yes --accept dev.memory").expect(0));
}

/// Returns one break a check: the first that fails, or is unknown where none fails.
fn broken() -> Vec<(&'static str, &'static [Edit])> {
    let mut all: BTreeMap<&str, &[Edit]> = BTreeMap::new();
    for wanted in ["fail", "unknown"] {
        for row in ROWS {
            let [(check, outcome)] = row.says else { continue };
            // Two rows of one check's family can't be true at once: one host has one answer, one device one profile.
            if *outcome == wanted && !all.contains_key(check) {
                all.insert(check, row.edits);
            }
        }
    }
    all.into_iter().collect()
}

/// Catches a report that stops at the first trouble, and a remedy that mends something else or not its own.
#[test]
fn everything_broken_is_told_at_once_and_each_remedy_mends_its_own() {
    let env = TestEnv::example("hybrid-to-entra");
    let breaks = broken();
    let without = |left_out: &str| -> Vec<Edit> {
        breaks.iter().filter(|(check, _)| *check != left_out).flat_map(|(_, edits)| edits.iter().copied()).collect()
    };
    write(&env, &without(""));
    let before = said(&check(&env).expect(9).json());
    let told: BTreeSet<&str> = before
        .iter()
        .filter(|(_, outcome)| ["fail", "unknown"].contains(&outcome.as_str()))
        .map(|((check, _), _)| check.as_str())
        .collect();
    let missing: Vec<_> = breaks.iter().filter(|(check, _)| !told.contains(check)).map(|(check, _)| *check).collect();
    assert_eq!(missing, Vec::<&str>::new(), "not told");
    for (check, edits) in &breaks {
        write(&env, &without(check));
        let after = said(&self::check(&env).expect(9).json());
        let found: BTreeSet<String> = changed(&before, &after).into_iter().map(|(check, _)| check).collect();
        assert_eq!(found, BTreeSet::from([(*check).to_owned()]), "without {edits:?}");
    }
    println!("{} prerequisites broken at once, each mended alone", breaks.len());
}

/// Catches a check of two tenants that looks at one, and one that is asked of a plan with a single tenant.
#[test]
fn two_tenants_let_each_other_in() {
    let env = TestEnv::example("tenant-to-tenant");
    let sound = said(&check(&env).expect(10).json());
    for (domain, key) in [("contoso.com", "inbound-blocked"), ("northwind.com", "outbound-blocked")] {
        let world = env.read("world.yaml");
        let from = format!("    domain: {domain}\n");
        env.edit("world.yaml", &from, &format!("{from}    cross-tenant: {{{key}: true}}\n"));
        drop(env.opsole("lab reset --yes").expect(0));
        // The move of devices doesn't need it, the people's way back to their data does: it warns.
        let found = changed(&sound, &said(&check(&env).expect(10).json()));
        assert_eq!(found, wanted(&[("ent.cross-tenant", "fail")]), "{key} of {domain}");
        env.write("world.yaml", &world);
        drop(env.opsole("lab reset --yes").expect(0));
    }
}

/// Catches one tenant's refused token that ends the whole report, a finding that names neither owner nor remedy, a plan
/// that would touch a device all the same, and a run that begins.
#[test]
fn a_refused_token_is_one_finding_among_the_others() {
    for (from, to, code, next) in [
        (
            "secret: lab-secret-of-contoso",
            "secret: lab-secret-of-contoso\n        enabled: false",
            "token.app-disabled",
            "enable its enterprise application",
        ),
        ("secret: lab-secret-of-contoso", "secret: another-one", "token.wrong-secret", "secret's value"),
    ] {
        let env = TestEnv::example("hybrid-to-entra");
        env.write_private("app.secret", "lab-secret-of-contoso\n");
        env.edit("plan.yaml", "{client_secret: lab}", "{client_secret: {file: app.secret}}");
        let sound = said(&check(&env).expect(10).json());
        env.edit("world.yaml", from, to);
        drop(env.opsole("lab reset --yes").expect(0));
        let report = check(&env).expect(9).json();
        let findings = report["findings"].as_array().expect("findings");
        let of = |id: &str| findings.iter().find(|one| one["check"] == id).unwrap_or_else(|| panic!("{id}"));
        let credential = of("app.credential");
        assert_eq!((&credential["outcome"], &credential["blocks"]), (&"fail".into(), &true.into()), "{credential}");
        assert_eq!(credential["owner"]["role"], "identity", "{credential}");
        let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
        assert!(text(credential, "seen").contains(code) && text(credential, "remedy").contains(next), "{credential}");
        for id in ["ent.mdm-authority", "ent.join-allowed", "ent.conditional-access", "app.permissions", "pkg.tenant"] {
            let one = of(id);
            assert!(one["outcome"] == "unknown" && text(one, "seen").contains(code), "{one}");
            assert!(text(one, "remedy").contains("`app.credential`"), "{one}");
        }
        let elsewhere = |said: &Said| -> Said {
            let own = |key: &(String, String)| {
                ["dev.memory", "dev.tpm", "ad.disjoin-account", "pkg.format"].contains(&key.0.as_str())
            };
            said.iter().filter(|(key, _)| own(key)).map(|(key, outcome)| (key.clone(), outcome.clone())).collect()
        };
        assert_eq!(elsewhere(&said(&report)), elsewhere(&sound), "what needs no tenant is as before");
        assert_eq!(env.opsole("check --output json").out, check(&env).out, "two looks say the same");

        let plan = env.opsole("plan").expect(0);
        assert!(plan.out.contains(code) && plan.out.contains("4 blocked"), "{}", plan.out);
        drop(env.opsole("plan --detailed-exitcode").expect(1));
        let refused = env.opsole("apply --wave pilot --yes").expect(1);
        assert!(refused.err.contains(code) && refused.err.contains(next), "{}", refused.err);
    }
}

/// Catches a finding that says that reading was refused for one permission and advises to grant another.
#[test]
fn the_permission_of_the_refusal_is_what_is_advised() {
    let env = TestEnv::example("hybrid-to-entra");
    let mut told = BTreeSet::new();
    for lacks in [
        &[Edit::Lacks("Directory.Read.All")][..],
        // Each of these lets it read the organization.
        &[
            Edit::Lacks("Organization.Read.All"),
            Edit::Lacks("Directory.Read.All"),
            Edit::Lacks("DeviceManagementServiceConfig.Read.All"),
            Edit::Lacks("User.Read.All"),
        ],
        &[Edit::Lacks("User.Read.All"), Edit::Lacks("Directory.Read.All")],
        &[Edit::Lacks("Device.ReadWrite.All"), Edit::Lacks("Directory.Read.All")],
        &[Edit::Lacks("DeviceManagementServiceConfig.Read.All")],
        &[Edit::Lacks("Policy.Read.DeviceConfiguration"), Edit::Lacks("Policy.Read.All")],
    ] {
        write(&env, lacks);
        let report = check(&env).expect(9).json();
        for one in report["findings"].as_array().expect("findings") {
            let text = |key: &str| one[key].as_str().unwrap_or_default();
            let of_tenant = ["tenant", "package"].iter().any(|kind| one["subject"]["kind"] == *kind);
            let Some((_, rest)) = text("seen").split_once("the app needs ").filter(|_| of_tenant) else { continue };
            let named = rest.split([' ', ';']).next().unwrap_or_default();
            if ["app.permissions", "app.excess", "app.credential"].contains(&text("check")) {
                continue;
            }
            assert!(text("remedy").starts_with(&format!("grant {named} ")), "{one}");
            told.insert(text("check").to_owned());
        }
    }
    for check in ["ent.mdm-authority", "ent.device-quota", "pkg.tenant", "ent.esp", "ent.conditional-access"] {
        assert!(told.contains(check), "{check}: {told:?}");
    }
}

/// Catches advice on what is granted beyond need that can't be followed to the letter.
#[test]
fn whoever_follows_the_advice_has_exactly_enough() {
    let env = TestEnv::example("hybrid-to-entra");
    let report = check(&env).expect(10).json();
    let found = report["findings"].as_array().expect("findings").iter().find(|one| one["check"] == "app.excess");
    let remedy = found.and_then(|one| one["remedy"].as_str()).expect("a remedy").to_owned();
    let (first, away) = remedy.split_once(" first (").expect("what to grant first");
    let first = first.strip_prefix("grant ").expect("a list");
    let (_, away) = away.split_once("then take away ").expect("what to take away");
    assert_eq!(away, "Directory.Read.All", "{remedy}");
    env.edit("world.yaml", away, first);
    drop(env.opsole("lab reset --yes").expect(0));
    let after = said(&check(&env).expect(10).json());
    for id in ["app.permissions", "app.excess"] {
        let own: Vec<&String> =
            after.iter().filter(|((check, _), _)| check == id).map(|(_, outcome)| outcome).collect();
        assert_eq!(own, ["pass"], "{id} after {remedy}");
    }
}

/// Checks that no row breaks, and where they are broken instead.
const ELSEWHERE: [(&str, &str); 4] = [
    ("ent.cross-tenant", "`two_tenants_let_each_other_in`"),
    ("app.tenant", "the lab gives no token of another tenant: `readiness::app`"),
    ("pkg.handling", "tests/it/package.rs, which has a file"),
    ("pilot.exit", "tests/it/gates.rs, which has moved devices"),
];

/// Catches a check of the register that nothing here ever breaks.
#[test]
fn every_check_is_broken_somewhere() {
    let mut broken: BTreeSet<&str> = ROWS.iter().flat_map(|row| row.says.iter().map(|(check, _)| *check)).collect();
    for (check, place) in ELSEWHERE {
        assert!(broken.insert(check), "{check} is broken here too, not only in {place}");
    }
    let missing: Vec<&str> = Check::ALL.iter().map(|check| check.id()).filter(|id| !broken.contains(id)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// Catches "nothing blocks" of devices that `apply` leaves alone, for what is no prerequisite.
#[test]
fn what_blocks_besides_the_checks_is_told() {
    let env = TestEnv::example("hybrid-to-entra");
    env.edit("plan.yaml", "{group: VIP}", "{group: Nope}");
    let report = check(&env).expect(9).json();
    assert_eq!(report["verdict"], "blocked");
    let codes: Vec<_> = report["besides"].as_array().expect("a list").iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, ["device.exclusion-unknown"], "{report:#}");
    assert_eq!(report["besides"][0]["devices"], 4);
    for format in ["text", "markdown", "junit"] {
        let out = env.opsole(&format!("check --format {format}")).expect(9).out;
        assert!(out.contains("device.exclusion-unknown"), "{format}: {out}");
    }
    drop(env.opsole("check --device LON-FIN-001").expect(9));
    // What a check says isn't said again.
    let env = TestEnv::example("hybrid-to-entra");
    write(&env, &[Edit::Survey("memory-mib: 4096"), Edit::Lacks("GroupMember.ReadWrite.All")]);
    assert_eq!(check(&env).expect(9).json()["besides"], Value::Array(Vec::new()));
    // One device's rows don't hold its tenant's, and it is blocked by them all the same.
    write(&env, &[Edit::Lacks("GroupMember.ReadWrite.All")]);
    let report = env.opsole("check --device LON-IT-001 --output json").expect(9).json();
    assert_eq!(report["besides"][0]["code"], "permission.missing", "{report:#}");
}

/// Catches JUnit that a CI server can't read, or whose counts differ from its cases.
#[test]
fn junit_is_xml_that_counts_right() {
    let env = TestEnv::example("hybrid-to-entra");
    write(&env, &[Edit::Survey("memory-mib: 4096"), Edit::Plan("retire: disable", "retire: keep")]);
    let text = env.opsole("check --format junit").expect(9).out;
    let xml = roxmltree::Document::parse(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let count = |tag: &str| xml.descendants().filter(|node| node.has_tag_name(tag)).count();
    let suites = xml.root_element();
    for (attribute, tag) in [("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")] {
        assert_eq!(suites.attribute(attribute), Some(count(tag).to_string().as_str()), "{attribute}: {text}");
    }
    assert_eq!((count("failure"), suites.tag_name().name()), (1, "testsuites"), "{text}");
    assert!(count("testcase") >= Check::ALL.len() - 2, "{text}");
}
