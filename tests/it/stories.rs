//! One story a scenario, told as a user would: look, apply the pilot, look again. The world is checked, not
//! what the program says of itself.

use serde_json::Value;

use crate::support::TestEnv;

fn named<'v>(list: &'v Value, name: &str) -> Vec<&'v Value> {
    list.as_array().expect("a list").iter().filter(|one| one["name"] == name).collect()
}

/// Checks one migrated device in the world: join, enrolment, profile, keys, caches, nothing left behind.
#[track_caller]
fn assert_migrated(before: &Value, after: &Value, tenant: &str, name: &str, user: &str) {
    let facts = &after["devices"][name]["facts"];
    let target = &after["tenants"][tenant];
    assert_eq!(facts["entra"]["tenant"], target["id"], "{name}: {facts:#}");
    assert!(facts["domain"].is_null(), "{name} is still in the domain");
    let device_id = &facts["entra"]["device_id"];
    let objects: Vec<&Value> =
        named(&target["devices"], name).into_iter().filter(|object| object["deviceId"] == *device_id).collect();
    assert_eq!(objects.len(), 1, "{name} has one object of its new registration");
    assert_eq!(objects[0]["trustType"], "AzureAd");

    let managed: Vec<&Value> = named(&target["managedDevices"], name);
    assert_eq!(managed.len(), 1, "{name}: the old Intune record is gone, the new one is there: {managed:?}");
    assert_eq!(managed[0]["deviceId"], *device_id);
    assert_eq!(managed[0]["primaryUser"], user);

    let profiles = facts["profiles"].as_array().expect("profiles");
    assert_eq!(profiles.len(), 1, "{name} has one profile, the one it had: {profiles:?}");
    let sid = profiles[0]["sid"].as_str().expect("a SID");
    assert!(sid.starts_with("S-1-12-1-"), "{name}: {sid}");
    assert_eq!(profiles[0]["acl_owner"], sid);
    assert_eq!(profiles[0]["health"], "healthy");
    let size = profiles[0]["size_mib"].as_u64().expect("a size");
    assert!(size > 1000, "{name}: the profile holds the user's files, {size} MiB");
    assert_eq!(facts["sign_in"]["sid"], sid, "{name}: the right person signed in");
    let cached = facts["cached_identities"].as_array().expect("identities");
    assert!(cached.iter().all(|one| one == sid), "{name}: no name of the old identity is cached: {cached:?}");

    for protector in facts["bitlocker"]["protectors"].as_array().expect("protectors") {
        let keys = named(&target["recoveryKeys"], protector["id"].as_str().expect("an id"));
        assert!(keys.iter().any(|key| key["deviceId"] == *device_id), "{name}: the key is in the new escrow");
    }
    assert!(named(&target["laps"], name).iter().any(|laps| laps["deviceId"] == *device_id), "{name}: LAPS");
    let staging = &facts["staging"];
    for left in ["boot_start", "banner", "recovery_admin_proven"] {
        assert_eq!(staging[left], false, "{name}: {left} is left behind");
    }
    assert!(staging["recorded"].is_null() && staging["package_file"].is_null(), "{name}: {staging}");
    let was = &before["devices"][name]["facts"];
    if !was.is_null() {
        assert_eq!(facts["logon"], was["logon"], "{name}: the sign-in screen and DNS are as they were");
    }
}

fn computer_state(world: &Value, name: &str) -> Option<bool> {
    let list = world["directory"]["computers"].as_array()?;
    list.iter().find(|one| one["name"] == name).map(|one| one["enabled"].as_bool().expect("a bool"))
}

fn group_members(world: &Value, tenant: &str, group: &str) -> Vec<Value> {
    named(&world["tenants"][tenant]["groups"], group)[0]["members"].as_array().expect("members").clone()
}

/// The whole of a story: the plan has changes, apply does them, a second plan is empty, and a second apply
/// says so.
fn tell(example: &str) -> (TestEnv, Value, Value) {
    let env = TestEnv::example(example);
    drop(env.opsole("plan --detailed-exitcode").expect(2));
    let before = env.world();
    let applied = env.opsole("apply --wave pilot --yes").expect(0);
    assert!(applied.out.contains("complete"), "{}\n{}", applied.out, applied.err);
    let after = env.world();
    let again = env.opsole("plan --wave pilot --detailed-exitcode");
    assert_eq!(again.code, Some(0), "a second plan is empty\n{}\n{}", again.out, again.err);
    let second = env.opsole("apply --wave pilot --yes").expect(0);
    assert!(second.out.contains("Nothing is left to do"), "{}\n{}", second.out, second.err);
    assert_eq!(env.world(), after, "a second apply changes nothing");
    (env, before, after)
}

/// Catches a chain that reports success and leaves a device half in Active Directory, its user with an empty
/// profile, or its old computer enabled.
#[test]
fn ad_to_entra() {
    let (env, before, after) = tell("ad-to-entra");
    for (device, user) in
        [("BER-001", "adele@fabrikam.com"), ("BER-002", "bruno@fabrikam.com"), ("BER-003", "carla@fabrikam.com")]
    {
        assert_migrated(&before, &after, "fabrikam", device, user);
        assert_eq!(computer_state(&after, device), None, "{device}: the old computer is deleted, as the plan says");
        assert_eq!(after["devices"][device]["facts"]["configmgr"], false);
    }
    assert_eq!(computer_state(&after, "MUC-001"), Some(true), "a device of another wave stays as it is");
    let members = &after["devices"]["BER-002"]["facts"]["local_members"];
    let sid = after["devices"]["BER-002"]["facts"]["profiles"][0]["sid"].clone();
    let groups = members.as_array().expect("members").iter().filter(|one| one["member"] == sid).count();
    assert_eq!(groups, 2, "the new identity is in both local groups: {members}");

    // The other wave has no gate beyond the pilot: it opens, and after it the exclusion is closed again.
    let excluded =
        |world: &Value| world["tenants"]["fabrikam"]["policies"][0]["excludeUsers"].as_array().map_or(0, Vec::len);
    assert_eq!(excluded(&before), 0);
    assert_eq!(excluded(&after), 1, "the exclusion stays open while a wave is to come");
    drop(env.opsole("apply --wave rest --yes").expect(0));
    let end = env.world();
    assert_eq!(excluded(&end), 0, "the exclusion is closed with the last wave");
    drop(env.opsole("plan --detailed-exitcode").expect(0));
    drop(env.opsole("plan --device MUC-001").expect(0));
}

/// Catches the Entra half of a hybrid device that is deleted alone (its keys would be lost at once), a group
/// that isn't restored, and a device that is touched although it is excluded.
#[test]
fn hybrid_to_entra() {
    let (env, before, after) = tell("hybrid-to-entra");
    for (device, user) in [("LON-IT-001", "anna@contoso.com"), ("LON-IT-002", "ben@contoso.com")] {
        assert_migrated(&before, &after, "contoso", device, user);
        assert_eq!(computer_state(&after, device), Some(false), "{device}: the old computer is disabled");
        let new = after["devices"][device]["facts"]["entra"]["device_id"].clone();
        let objects = named(&after["tenants"]["contoso"]["devices"], device);
        let object = objects.iter().find(|one| one["deviceId"] == new).expect("the new object");
        let cad = group_members(&after, "contoso", "App-CAD");
        let member = cad.iter().any(|one| one["id"] == object["id"]);
        assert_eq!(member, device == "LON-IT-001", "{device}: App-CAD has {cad:?}");
        let all = group_members(&after, "contoso", "All-Staff-Devices");
        assert!(!all.iter().any(|one| one["id"] == object["id"]), "the plan excludes All-Staff-* from restoring");
        // Entra Connect takes the old half away by itself; until then it is there, never deleted by us.
        assert!(objects.len() <= 2);
    }
    for device in ["LON-VIP-001", "LON-FIN-001"] {
        assert_eq!(computer_state(&after, device), Some(true), "{device} is left alone");
    }
    // Nobody signed off: what waits is no change.
    let london = env.opsole("plan --wave london --detailed-exitcode").expect(0);
    assert!(london.out.contains("Gate: ") && london.out.contains("1 waiting"), "{}", london.out);
}

/// Catches an Autopilot identity that stays in the source tenant, a profile that goes to the wrong person of
/// the mapping, and an old object that outlives the move.
#[test]
fn tenant_to_tenant() {
    let (_env, before, after) = tell("tenant-to-tenant");
    let users = ["alice.nw@contoso.com", "bernard.nw@contoso.com", "celine.nw@contoso.com"];
    for (device, user) in ["NW-PAR-01", "NW-PAR-02", "NW-PAR-03"].into_iter().zip(users) {
        assert_migrated(&before, &after, "contoso", device, user);
        let source = &after["tenants"]["northwind"];
        assert!(named(&source["devices"], device).is_empty(), "{device}: the old object is gone");
        assert!(named(&source["managedDevices"], device).is_empty(), "{device}: the old Intune record is gone");
    }
    for (serial, moved) in [("NW00001", true), ("NW00002", false), ("NW00003", true)] {
        let target = named(&after["tenants"]["contoso"]["autopilot"], serial);
        assert_eq!(target.len(), usize::from(moved), "{serial}: {target:?}");
        assert!(target.iter().all(|one| one["groupTag"] == "CONTOSO-NW"));
        assert!(named(&after["tenants"]["northwind"]["autopilot"], serial).is_empty());
    }
    assert_eq!(named(&after["tenants"]["northwind"]["devices"], "NW-LYO-01").len(), 1, "another wave stays");
}
