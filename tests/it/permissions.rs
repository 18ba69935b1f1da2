//! `opsole permissions` against tenants that enforce them: what it asks for is enough, and nothing of it is too much.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::TestEnv;

/// Tenants of a permissions document, each with its name.
fn tenants(document: &Value) -> Vec<(String, &Value)> {
    let list = document["tenants"].as_array().expect("tenants");
    list.iter().map(|one| (one["name"].as_str().expect("a name").to_owned(), one)).collect()
}

/// What has to be granted in a tenant.
fn asked(tenant: &Value) -> Vec<String> {
    let needs = tenant["permissions"].as_array().expect("permissions").iter();
    let own = needs.filter(|need| need["covered_by"].is_null());
    own.map(|need| need["permission"].as_str().expect("a name").to_owned()).collect()
}

fn state<'d>(tenant: &'d Value, permission: &str) -> &'d str {
    let needs = tenant["permissions"].as_array().expect("permissions");
    let need = needs.iter().find(|need| need["permission"] == permission);
    need.and_then(|need| need["state"].as_str()).unwrap_or_else(|| panic!("{permission}: {tenant:#}"))
}

/// Grants an application of the world exactly these permissions.
fn grant(env: &TestEnv, tenant: &str, permissions: &[String]) {
    let world = env.read("world.yaml");
    let start = world.find(&format!("\n  {tenant}:\n")).expect("the tenant");
    let open = start + world[start..].find("permissions: [").expect("its permissions") + "permissions: [".len();
    let end = open + world[open..].find(']').expect("their end");
    env.write("world.yaml", &format!("{}{}{}", &world[..open], permissions.join(", "), &world[end..]));
}

/// What each tenant has to grant.
type Asked = Vec<(String, Vec<String>)>;

/// An example whose first wave is its only one, so that what closes a plan is due too, and whose applications are
/// granted this. A lab keeps to the world that it was made from, so each try has its own.
fn granted(example: &str, all: &[(String, Vec<String>)]) -> TestEnv {
    let env = TestEnv::example(example);
    let plan = env.read("plan.yaml");
    let (waves, rest) = plan.split_once("waves:\n").expect("waves");
    let second = rest[4..].find("  - name: ").expect("a second wave") + 4;
    let after = rest.find("\n\n").expect("an end");
    env.write("plan.yaml", &format!("{waves}waves:\n{}{}", &rest[..second], &rest[after..]));
    all.iter().for_each(|(tenant, permissions)| grant(&env, tenant, permissions));
    env
}

/// What the devices of an example come to need; and what its plan may, whatever its devices turn out to be.
fn exact(example: &str) -> (Asked, Asked) {
    let ask = |env: &TestEnv, line: &str| -> Asked {
        let document = env.opsole(line).expect(0).json();
        tenants(&document).into_iter().map(|(name, of)| (name, asked(of))).collect()
    };
    let env = granted(example, &[]);
    let possible = ask(&env, "permissions --offline --output json");
    let now = ask(&granted(example, &possible), "permissions --output json");
    for (name, permissions) in &now {
        assert!(permissions.len() > 8, "{name}: {permissions:?}");
    }
    (now, possible)
}

/// Catches a permission that is asked for in vain, and one that isn't asked for and is missed: what is asked for is
/// granted and no more, nothing is called missing or too much, everything is read, and the wave goes through.
#[test]
fn what_is_asked_for_is_enough() {
    for example in ["ad-to-entra", "hybrid-to-entra", "tenant-to-tenant"] {
        let (now, possible) = exact(example);
        let idle = granted(example, &possible).opsole("permissions --output json").expect(0).json();
        for (name, tenant) in tenants(&idle) {
            let surplus = tenant["surplus"].as_array().expect("a list");
            assert!(surplus.iter().all(|one| one["kind"] == "idle"), "{example}, {name}: {surplus:#?}");
        }
        let env = granted(example, &now);
        let document = env.opsole("permissions --output json").expect(0).json();
        assert_eq!(document["complete"], true, "{document:#}");
        for (name, tenant) in tenants(&document) {
            assert_eq!(tenant["surplus"], serde_json::json!([]), "{example}, {name}");
            for permission in asked(tenant) {
                assert_eq!(state(tenant, &permission), "granted", "{example}, {name}: {permission}");
            }
        }
        let planned = env.opsole("plan --wave pilot").expect(0);
        assert!(!planned.out.contains("couldn't be read") && !planned.out.contains("lacks "), "{}", planned.out);
        let applied = env.opsole("apply --wave pilot --yes").expect(0);
        assert!(applied.out.contains("complete"), "{example}: {}\n{}", applied.out, applied.err);
    }
}

/// Catches a permission that could have been left out, and one whose lack shows only when a device is on its way:
/// each one taken away is named beforehand, and the wave isn't begun, or can't be closed.
#[test]
fn each_one_taken_away_is_named_and_missed() {
    std::thread::scope(|scope| {
        for example in ["ad-to-entra", "hybrid-to-entra", "tenant-to-tenant"] {
            scope.spawn(move || taken_away(example));
        }
    });
}

fn taken_away(example: &str) {
    let (all, _) = exact(example);
    let before = granted(example, &all).world();
    for (tenant, permissions) in &all {
        for permission in permissions {
            let env = granted(example, &all);
            let rest: Vec<String> = permissions.iter().filter(|one| *one != permission).cloned().collect();
            grant(&env, tenant, &rest);
            let told = env.opsole("permissions --output json").expect(1);
            let document = told.json();
            let (_, own) = tenants(&document).into_iter().find(|(name, _)| name == tenant).expect("the tenant");
            assert_eq!(state(own, permission), "missing", "{example}, {tenant}: {permission}");
            assert!(told.err.contains(&format!("1 permission is missing in {tenant}")), "{}", told.err);
            let applied = env.opsole("apply --wave pilot --yes");
            // A read names the least that would do, which may be what the missing one covers.
            let needs = own["permissions"].as_array().expect("permissions").iter();
            let covered = needs.filter(|need| need["covered_by"] == permission.as_str());
            let mut names = covered.filter_map(|need| need["permission"].as_str()).chain([permission.as_str()]);
            assert!(
                names.any(|name| applied.out.contains(name) || applied.err.contains(name)),
                "{example}, {tenant}: {permission} isn't named\n{}\n{}",
                applied.out,
                applied.err
            );
            // Revoking comes last and alone: a run goes as far as it can, and says that the package stays.
            if permission == "User.DeleteRestore.All" {
                assert_ne!(applied.code, Some(0), "{example}: {}\n{}", applied.out, applied.err);
            } else {
                drop(applied.expect(9));
                assert_eq!(env.world()["devices"], before["devices"], "{permission}: nothing was begun");
            }
        }
    }
}

/// Catches a plan that has to reach a tenant to say what it will ask for there.
#[test]
fn offline_asks_nobody() {
    let env = TestEnv::empty();
    drop(env.opsole("init --scenario tenant-to-tenant").expect(0));
    let document = env.opsole("permissions --offline --output json").expect(0).json();
    assert_eq!(document["offline"], true);
    assert_eq!(tenants(&document).len(), 2);
    for (name, tenant) in tenants(&document) {
        for need in tenant["permissions"].as_array().expect("permissions") {
            assert!(
                need["state"].is_null() && need["why"].as_array().is_some_and(|why| !why.is_empty()),
                "{name}: {need}"
            );
            let writes = need["permission"].as_str().expect("a name").contains("Write");
            assert!(!(writes && need["phases"].as_array().expect("phases").contains(&"plan".into())), "{name}: {need}");
        }
    }
    let text = env.opsole("permissions --offline").expect(0).out;
    assert!(text.contains("User.Read.All") && text.contains("required: reading users"), "{text}");
    drop(env.opsole("permissions --offline --tenant nowhere").expect(1));
    drop(env.opsole("permissions --offline --wave nowhere").expect(1));
}

/// Catches a grant that is wider than needed and isn't said to be, and names that this version doesn't know.
#[test]
fn what_is_beyond_need_is_said() {
    let env = TestEnv::example("hybrid-to-entra");
    let text = env.opsole("permissions").expect(0).out;
    assert!(text.contains("Directory.Read.All") && text.contains("wider than needed: "), "{text}");
    assert!(text.contains("covered by Directory.Read.All"), "{text}");
    let pilot = env.opsole("permissions --wave pilot --tenant contoso --output json").expect(0).json();
    assert_eq!(pilot["wave"], "pilot");
    let nine = env.opsole("permissions --nine").expect(0).out;
    assert_eq!(nine.matches("(Required)").count(), 5, "{nine}");
    assert_eq!(nine.matches("(Feature-dependent)").count(), 4, "{nine}");
}

/// Catches a script that a shell can't read, and one that lacks what the list asks for.
#[test]
fn scripts_can_be_run() {
    let env = TestEnv::example("tenant-to-tenant");
    let document = env.opsole("permissions --offline --output json").expect(0).json();
    for (name, tenant) in tenants(&document) {
        for shell in ["az", "graph-powershell"] {
            let script = env.opsole(&format!("permissions --tenant {name} --grant-script {shell}")).expect(0).out;
            for permission in asked(tenant) {
                assert!(script.contains(&permission), "{name}, {shell}: {permission}");
            }
            assert!(script.contains("revoke") || script.contains("Revoke"), "{script}");
            if shell == "az" {
                env.write("grant.sh", &script);
                let checked = Command::new("sh").arg("-n").arg(env.path("grant.sh")).stdin(Stdio::null()).output();
                let checked = checked.expect("a shell");
                assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
            }
        }
    }
}
