//! A whole migration whose directory is a real domain controller: the lab has the tenant and the devices, Samba the computers.

use crate::support::{Ran, TestEnv};

use super::samba::{Admin, Samba, samba};

/// A plan of the example whose directory is Samba, in a unit of its own with its computers.
pub(super) async fn migration(samba: &Samba, admin: &mut Admin, unit: &str, retire: &str) -> (TestEnv, String) {
    let unit = admin.unit(unit, &samba.workstations).await;
    for name in ["BER-001", "BER-002", "BER-003", "MUC-001"] {
        admin.computer(name, &unit).await;
        // The world has a clock of its own, which knows nothing of when Samba got these passwords.
        admin.write(&format!("CN={name},{unit}"), "pwdLastSet", b"0".to_vec()).await;
    }
    let env = TestEnv::example("ad-to-entra");
    let account = format!("{{name: '{}\\svc-delegated', password: {{file: password}}}}", samba.netbios);
    directory_of(&env, samba, &format!("ldaps://{}", samba.address), &unit, &account);
    env.edit("plan.yaml", "retire: disable", &format!("retire: {retire}"));
    env.write_private("password", &samba.password);
    (env, unit)
}

/// Makes the directory of an example's plan a unit of Samba, with an account in YAML.
pub(super) fn directory_of(env: &TestEnv, samba: &Samba, server: &str, unit: &str, account: &str) {
    let section = format!(
        "directory:\n  domain: {}\n  server: {server}\n  ca_file: ca.pem\n  computers: [\"{unit}\"]\n  account: {account}\n  \
         retire: disable\n",
        samba.domain,
    );
    let plan = env.read("plan.yaml");
    let (begin, end) =
        (plan.find("\ndirectory:").expect("a section") + 1, plan.find("\npackages:").expect("a section") + 1);
    env.write("plan.yaml", &format!("{}{section}\n{}", &plan[..begin], &plan[end..]));
    let world = env.read("world.yaml");
    let world =
        world.replace("  domain: corp.fabrikam.com\n", &format!("  domain: {}\n  elsewhere: true\n", samba.domain));
    env.write("world.yaml", &world);
    env.write("ca.pem", &std::fs::read_to_string(&samba.ca).expect("an authority"));
}

/// Names of computers are a domain's, and both stories have the same: one at a time.
pub(super) static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What was said, however its lines were broken.
fn unwrapped(ran: &Ran) -> String {
    ran.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Catches a part of a migration that only the lab's own directory does: devices that don't find their computers, accounts
/// that aren't judged, objects that aren't disabled or that say nothing, and others that are touched.
#[tokio::test(flavor = "multi_thread")]
async fn ad_to_entra_with_samba() {
    let Some(samba) = samba("a whole migration with a real directory") else { return };
    let _turn = TURN.lock().await;
    let mut admin = samba.admin().await;
    let (env, unit) = migration(&samba, &mut admin, "Story", "disable").await;
    let told = |ran: &Ran| format!("{}\n{}", ran.out, ran.err);
    let check = env.opsole("check --all");
    assert!(unwrapped(&check).contains("svc-delegated` is enabled and has its rights"), "{}", told(&check));
    let applied = env.opsole("apply --wave pilot --yes");
    assert_eq!(applied.code, Some(0), "{}", told(&applied));
    for (name, enabled) in [("BER-001", false), ("BER-002", false), ("BER-003", false), ("MUC-001", true)] {
        let dn = format!("CN={name},{unit}");
        let control: u32 = admin.text(&dn, "userAccountControl").await.expect("flags").parse().expect("a number");
        assert_eq!(control & 2 == 0, enabled, "{name}");
        let words = admin.text(&dn, "description").await;
        assert_eq!(words.as_deref().is_some_and(|words| words.starts_with("Disabled by opsole on 2026-12-")), !enabled);
    }
    let again = env.opsole("plan --wave pilot --detailed-exitcode");
    assert_eq!(again.code, Some(0), "a second plan is empty: {}", told(&again));

    // Later what was disabled is deleted: in limited numbers, and not what somebody uses again.
    let check = env.opsole("directory check").expect(0);
    assert!(check.out.contains("4 below the declared units, 3 of them disabled"), "{}", told(&check));
    let retired = env.opsole("directory show --retired -o json").expect(0).json();
    assert_eq!(retired["computers"].as_array().map(Vec::len), Some(3), "{retired:#}");
    let young = env.opsole("directory sweep --older-than 90d --yes").expect(0);
    assert!(young.out.starts_with("Nothing that we disabled"), "{}", told(&young));
    drop(env.opsole("lab wait 120d").expect(0));
    admin.write(&format!("CN=BER-003,{unit}"), "userAccountControl", b"4096".to_vec()).await;
    let asked = env.opsole("directory sweep --older-than 90d").expect(3);
    assert!(asked.out.contains("planned   BER-001") && asked.err.contains("--yes"), "{}", told(&asked));
    let first = env.opsole("directory sweep --older-than 90d --limit 1 --yes -o json").expect(0).json();
    let (rows, left) = (&first["sweep"]["rows"], &first["sweep"]["left"]);
    assert_eq!(
        (rows[0]["state"].as_str(), rows.as_array().map(Vec::len), left.as_u64()),
        (Some("deleted"), Some(1), Some(1))
    );
    drop(env.opsole("directory sweep --older-than 90d --yes").expect(0));
    drop(env.opsole("directory sweep --older-than 90d --yes").expect(0));
    for (name, there) in [("BER-001", false), ("BER-002", false), ("BER-003", true), ("MUC-001", true)] {
        assert_eq!(admin.text(&format!("CN={name},{unit}"), "cn").await.is_some(), there, "{name}");
    }
    let list = env.opsole("audit list").expect(0);
    assert_eq!(list.out.matches("computer-deleted").count(), 2, "{}", told(&list));
    drop(env.opsole("audit verify").expect(0));
}

/// Catches a wave that begins though its old objects can't be retired: devices would be moved, and their computers stay.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_rights_holds_the_wave() {
    let Some(samba) = samba("a wave whose account lacks rights") else { return };
    let _turn = TURN.lock().await;
    let mut admin = samba.admin().await;
    let (env, unit) = migration(&samba, &mut admin, "Held", "disable").await;
    for (account, said) in [
        ("svc-none", "WP;userAccountControl;computer"),
        ("svc-locked", "is locked out"),
        ("svc-expired", "has run out"),
    ] {
        let plan = env.read("plan.yaml");
        let begin = plan.find("\\svc-").expect("an account");
        let end = begin + plan[begin..].find('\'').expect("its end");
        env.write("plan.yaml", &format!("{}\\{account}{}", &plan[..begin], &plan[end..]));
        let check = env.opsole("check");
        assert!(check.code == Some(9) && unwrapped(&check).contains(said), "{account}: {}\n{}", check.out, check.err);
        let applied = env.opsole("apply --wave pilot --yes");
        assert_eq!(applied.code, Some(9), "{account}: {}\n{}", applied.out, applied.err);
        let control = admin.text(&format!("CN=BER-001,{unit}"), "userAccountControl").await;
        assert_eq!(control.as_deref(), Some("4096"));
    }
}
