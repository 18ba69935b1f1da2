//! Exclusions in the lab: opened before the first device, closed after the last or on their day, compared, listed.

use serde_json::Value;

use crate::support::{Ran, TestEnv};

/// Active Directory with one device in the pilot and one in the wave after it, and no windows.
fn stage() -> TestEnv {
    let env = TestEnv::example("ad-to-entra");
    env.edit("plan.yaml", "devices: {site: Berlin}", "devices: {name: BER-001}");
    let plan = env.read("plan.yaml");
    let kept = plan.lines().filter(|line| !line.trim_start().starts_with("window:"));
    env.write("plan.yaml", &kept.fold(String::new(), |text, line| text + line + "\n"));
    env
}

fn excluded(env: &TestEnv) -> usize {
    env.world()["tenants"]["fabrikam"]["policies"][0]["excludeUsers"].as_array().map_or(0, Vec::len)
}

fn members(env: &TestEnv, group: &str) -> usize {
    let world = env.world();
    let groups = world["tenants"]["fabrikam"]["groups"].as_array().expect("groups").clone();
    let found = groups.iter().find(|one| one["name"] == group).expect("the group");
    found["members"].as_array().map_or(0, Vec::len)
}

/// State, life in the tenant and need of an exclusion.
#[track_caller]
fn standing(ran: &Ran, id: &str) -> (String, String, String) {
    let json = ran.json();
    let entry = json["entries"].as_array().expect("entries").iter().find(|entry| entry["id"] == id);
    let entry = entry.unwrap_or_else(|| panic!("no {id}: {json:#}"));
    let word = |value: &Value| match value {
        Value::Object(one) => one.keys().next().cloned().unwrap_or_default(),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    (word(&entry["state"]), word(&entry["live"]), word(&entry["needed"]))
}

fn is(state: &str, live: &str, needed: &str) -> (String, String, String) {
    (state.to_owned(), live.to_owned(), needed.to_owned())
}

/// Catches an exclusion that isn't open when the first device begins, that stays open after its day because the run
/// failed and nothing else is to do, or that is opened again after it.
#[test]
fn closed_on_its_day_even_when_the_run_failed() {
    for close in ["apply --close-expired --yes", "apply --wave rest --yes"] {
        let env = stage();
        let fault = "\nfaults:\n  - {at: device.arm, kind: {fail: \"0x80004005\"}}\n";
        env.write("world.yaml", &(env.read("world.yaml") + fault));
        let list = "exclusions --output json";
        assert_eq!(standing(&env.opsole(list).expect(0), "ca-bulk-enrolment"), is("planned", "no", "yes"));
        drop(env.opsole("apply --wave pilot --yes").expect(4));
        assert_eq!(excluded(&env), 1, "a later attempt needs it, and its day hasn't come");
        assert_eq!(standing(&env.opsole(list).expect(0), "ca-bulk-enrolment"), is("open", "yes", "yes"));
        let early = env.opsole("apply --close-expired --yes").expect(0);
        assert!(early.out.contains("No exclusion") && excluded(&env) == 1, "{}", early.out);

        env.edit("plan.yaml", "expires: 2026-12-20", "expires: 2026-12-01");
        let overdue = env.opsole(list).expect(12);
        assert_eq!(standing(&overdue, "ca-bulk-enrolment"), is("overdue", "yes", "yes"));
        assert!(overdue.err.contains("--close-expired"), "{}", overdue.err);
        let plan = env.opsole("plan --detailed-exitcode").expect(2);
        assert!(plan.out.contains("tenant.exclusion-closed"), "who relies on it is blocked\n{}", plan.out);
        assert!(plan.err.contains("OPS0206"), "{}", plan.err);
        let closed = env.opsole(close).expect(0);
        assert_eq!(excluded(&env), 0, "{}{}", closed.out, closed.err);
        assert_eq!(standing(&env.opsole(list).expect(0), "ca-bulk-enrolment"), is("expired", "no", "yes"));
        // Nothing opens it again before its owner has decided.
        drop(env.opsole("apply --wave pilot --yes").expect(9));
        assert_eq!(excluded(&env), 0);
        told(&env);
    }
}

/// Catches an exclusion that was opened or closed in the tenant and of which nobody is told, in the list and in records.
fn told(env: &TestEnv) {
    let list = env.opsole("audit list -o json").expect(0).json();
    let entries = list["entries"].as_array().expect("entries").iter();
    let changes: Vec<&str> =
        entries.filter_map(|entry| entry["kind"].as_str()).filter(|kind| kind.starts_with("exclusion-")).collect();
    assert_eq!(changes, ["exclusion-opened", "exclusion-closed"]);
    let closed = &env.opsole("report last -o json").expect(0).json()["exclusions"][0];
    assert!(closed["opened"].is_null() && closed["closed"].is_string(), "{closed:#}");
    drop(env.opsole("audit verify").expect(0));
}

/// Catches an exclusion through a group that needs the right to change policies, that doesn't let the device join, or
/// that leaves the account in the group; and a run that closes for itself what a later wave needs.
#[test]
fn through_a_group() {
    let env = stage();
    env.edit("world.yaml", "- {name: MIG-Moved}", "- {name: MIG-Moved}\n      - {name: CA-Excluded}");
    env.edit("world.yaml", "grant: [mfa]}", "grant: [mfa], exclude-groups: [CA-Excluded]}");
    env.edit("world.yaml", "Policy.ReadWrite.ConditionalAccess, Application.Read.All, ", "");
    let account = "package_2f3c7a10-6c1e-4b8e-9b62-0d5f1e7a4c33@fabrikam.com}}";
    env.edit("plan.yaml", account, &account.replace("}}", ", group: CA-Excluded}}"));
    let plan = env.opsole("plan --wave pilot").expect(0);
    assert!(plan.out.contains("by group `CA-Excluded`"), "{}", plan.out);
    drop(env.opsole("apply --wave pilot --yes").expect(0));
    assert_eq!((members(&env, "CA-Excluded"), excluded(&env)), (1, 0), "a wave is to come");
    let list = env.opsole("exclusions --output json").expect(0);
    assert_eq!(standing(&list, "ca-bulk-enrolment"), is("open", "yes", "yes"));
    drop(env.opsole("apply --wave rest --yes").expect(0));
    assert_eq!((members(&env, "CA-Excluded"), excluded(&env)), (0, 0));
    drop(env.opsole("plan --detailed-exitcode").expect(0));
    let list = env.opsole("exclusions --output json").expect(0);
    assert_eq!(standing(&list, "ca-bulk-enrolment"), is("closed", "no", "no"));

    // A group that the policy doesn't exclude lets nobody through.
    let env = stage();
    env.edit("plan.yaml", account, &account.replace("}}", ", group: MIG-Moved}}"));
    let plan = env.opsole("plan --wave pilot").expect(0);
    assert!(plan.out.contains("doesn't exclude the group `MIG-Moved`"), "{}", plan.out);
    drop(env.opsole("apply --wave pilot --yes").expect(9));
    assert_eq!(members(&env, "MIG-Moved"), 0);
}

/// Catches a run that has to be told to rely on what it opens and closes itself, and one that refuses whoever names it.
#[test]
fn what_the_run_opens_itself_needs_no_acceptance() {
    for accept in ["", " --accept ent.conditional-access"] {
        let env = stage();
        let check = env.opsole("check --output json").json();
        let findings = check["findings"].as_array().expect("findings");
        let found = findings.iter().find(|one| one["check"] == "ent.conditional-access").expect("one");
        assert_eq!(found["outcome"], "excepted", "{found}");
        drop(env.opsole(&format!("apply --wave pilot --yes{accept}")).expect(0));
        // The account has been taken into the policy's exclusions: naming it again is no mistake either.
        drop(env.opsole(&format!("apply --wave rest --yes{accept}")).expect(0));
        assert_eq!(excluded(&env), 0);
    }
    let env = stage();
    env.edit("plan.yaml", "conditional-access-exclusions: manage", "conditional-access-exclusions: observe");
    env.edit("world.yaml", "grant: [mfa]}", "grant: [mfa], state: disabled}");
    let refused = env.opsole("apply --wave pilot --yes --accept ent.conditional-access").expect(1);
    assert!(refused.err.contains("apply.accept-needs-exclusion"), "nothing opens it\n{}", refused.err);
}

/// Catches a mistyped policy that only `apply` finds, and that is told as one that couldn't be read.
#[test]
fn a_policy_that_does_not_exist_is_found_by_check() {
    let env = stage();
    env.edit("world.yaml", "grant: [mfa]}", "grant: [mfa], state: disabled}");
    env.edit("plan.yaml", "policy: \"Require MFA for device join\"", "policy: Nope");
    let check = env.opsole("check --output json").expect(9).json();
    let findings = check["findings"].as_array().expect("findings");
    let found = findings.iter().find(|one| one["check"] == "ent.conditional-access").expect("one");
    assert!(found["outcome"] == "fail" && found["blocks"] == true, "{found}");
    let text = |key: &str| found[key].as_str().unwrap_or_default();
    assert!(text("seen").contains("from policy `Nope`") && text("seen").contains("the tenant doesn't have"), "{found}");
    assert!(text("remedy").contains("display name"), "{found}");
    let refused = env.opsole("apply --wave pilot --yes").expect(9);
    assert!(refused.out.contains("from policy `Nope` (exclusion"), "{}", refused.out);
    assert!(
        !refused.out.contains("would refuse the join") && !refused.out.contains("couldn't be read"),
        "{}",
        refused.out
    );
}

/// Catches `observe` that writes, or that takes a plan's word for what the tenant has.
#[test]
fn observe_only_compares() {
    let env = stage();
    env.edit("plan.yaml", "conditional-access-exclusions: manage", "conditional-access-exclusions: observe");
    let before = env.world();
    let plan = env.opsole("plan").expect(0);
    assert!(plan.out.contains("OPS0311") && plan.out.contains("doesn't exclude"), "{}", plan.out);
    env.edit("plan.yaml", "expires: 2026-12-20", "expires: 2026-12-01");
    drop(env.opsole("apply --close-expired --yes").expect(0));
    assert_eq!(env.world(), before);
    assert_eq!(
        standing(&env.opsole("exclusions --output json").expect(0), "ca-bulk-enrolment"),
        is("expired", "no", "yes")
    );
    // Somebody else's exclusion is found, recorded or not.
    let env = stage();
    env.edit("plan.yaml", "conditional-access-exclusions: manage", "conditional-access-exclusions: observe");
    env.edit("plan.yaml", "Require MFA for device join", "Require a compliant device");
    let account = "package_2f3c7a10-6c1e-4b8e-9b62-0d5f1e7a4c33@fabrikam.com";
    env.edit("world.yaml", "grant: [mfa]}", &format!("grant: [mfa], exclude-users: [{account}]}}"));
    let text = env.opsole("exclusions").expect(0).out;
    assert!(text.contains("Unrecorded\n  not in the plan") && text.contains("Require MFA for device join"), "{text}");
}

/// Catches a device that stays out of its wave for ever, or comes back without a word.
#[test]
fn a_device_comes_back_when_its_exclusion_ran_out() {
    let env = TestEnv::example("hybrid-to-entra");
    let out = |env: &TestEnv| env.opsole("plan --device LON-VIP-001").expect(0).out;
    assert!(out(&env).starts_with("LON-VIP-001, wave london: excluded"), "{}", out(&env));
    let plan = env.read("plan.yaml");
    let at = plan.find("exclusions:").expect("a section");
    let end = plan[at..].find("expires: ").expect("an end") + at;
    let day = plan[end..].lines().next().expect("a line").to_owned();
    env.edit("plan.yaml", &plan[at..end + day.len()], &(plan[at..end].to_owned() + "expires: 2026-12-01"));
    let ran = env.opsole("plan").expect(0);
    assert!(ran.out.contains("OPS0206: exclusion `") && ran.out.contains("LON-VIP-001"), "{}", ran.out);
    assert!(ran.err.contains("has run out"), "{}", ran.err);
    assert!(out(&env).starts_with("LON-VIP-001, wave london: waiting"), "{}", out(&env));
    let list = env.opsole("exclusions --output json").expect(0);
    assert!(list.json()["entries"].as_array().expect("entries").iter().any(|entry| entry["state"] == "expired"));
}

/// Catches a list whose filters, files and forms don't do what their names say, or that differs between two looks.
#[test]
fn lists_and_files() {
    let env = stage();
    let csv = env.opsole("exclusions --format csv").expect(0).out;
    insta::assert_snapshot!(csv.replace("\r\n", "\n"), @r#"
    id,state,kind,covers,devices,owner,reason,ticket,expires,days_left,live,live_why,needed,needed_why
    ca-bulk-enrolment,planned,conditional-access,policy `Require MFA for device join` without package_2f3c7a10-6c1e-4b8e-9b62-0d5f1e7a4c33@fabrikam.com,,secops@fabrikam.com,bulk enrolment can't answer MFA,CHG-2001,2026-12-20,18,no,the policy applies to the account,yes,"waves pilot, rest aren't finished"
    "#);
    let ical = env.opsole("exclusions --format ical").expect(0).out;
    assert_eq!(ical, env.opsole("exclusions --format ical").expect(0).out, "the same bytes twice");
    assert!(ical.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{ical}");
    assert_eq!(ical.matches("BEGIN:VEVENT").count(), 1);
    assert!(ical.contains("DTSTART;VALUE=DATE:20261220") && ical.contains("TRIGGER:-P7D"), "{ical}");
    drop(env.opsole("exclusions --format ical --out register.ics").expect(0));
    assert_eq!(env.read("register.ics"), ical);
    let text = env.opsole("exclusions").expect(0).out;
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(env.opsole("exclusions --format markdown").expect(0).out.contains("| ca-bulk-enrolment | planned |"));

    let count = |line: &str| env.opsole(line).expect(0).json()["entries"].as_array().expect("entries").len();
    assert_eq!(count("exclusions --output json --expiring 14d"), 0, "eighteen days are left");
    assert_eq!(count("exclusions --output json --expiring 3w"), 1);
    assert_eq!(count("exclusions --output json --owner security"), 1, "a role is whoever holds it");
    assert_eq!(count("exclusions --output json --owner SecOps@fabrikam.com"), 1);
    assert_eq!(count("exclusions --output json --owner identity"), 0);
    // Mistyped, it would look like an owner without exclusions.
    let nobody = env.opsole("exclusions --owner secruity").expect(1);
    assert!(
        nobody.err.contains("cli.unknown-owner") && nobody.err.contains("did you mean `security`?"),
        "{}",
        nobody.err
    );
    let offline = env.opsole("exclusions --offline --output json").expect(0);
    assert_eq!(standing(&offline, "ca-bulk-enrolment"), is("unknown", "unknown", "unknown"));
    drop(env.opsole("exclusions --output json --format csv").expect(1));
    drop(env.opsole("exclusions --expiring soon").expect(64));
}
