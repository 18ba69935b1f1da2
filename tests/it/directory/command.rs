//! `opsole directory` over the lab's own directory.

use crate::support::{Ran, TestEnv};

fn told(ran: &Ran) -> String {
    format!("{}\n{}", ran.out, ran.err)
}

/// Catches a command that changes something though it only looks, and documents that have lost their shape.
#[test]
fn it_looks() {
    let env = TestEnv::example("hybrid-to-entra");
    let before = env.world();
    let check = env.opsole("directory check");
    assert!(matches!(check.code, Some(0 | 10)), "{}", told(&check));
    let json = env.opsole("directory check -o json").json();
    assert_eq!(
        (json["format"].as_str(), json["domain"].as_str()),
        (Some("opsole.directory/1"), Some("corp.contoso.com"))
    );
    assert_eq!(json["check"]["account"]["rights"][0]["disable"], true, "{json:#}");
    assert!(json["check"]["hybrid_tenant"].is_string(), "{json:#}");
    let list = env.opsole("directory show -o json").expect(0).json();
    let names: Vec<&str> =
        list["computers"].as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.is_sorted() && names.len() == 4, "{names:?}");
    let one = env.opsole("directory show lon-it-001").expect(0);
    assert!(one.out.starts_with("LON-IT-001  enabled"), "{}", told(&one));
    let none = env.opsole("directory show NO-SUCH-PC").expect(1);
    assert!(none.err.contains("cli.unknown-device"), "{}", told(&none));
    assert_eq!(env.world(), before);
}

/// Catches a sweep of the lab that takes what was never disabled, or deletes before it is told to.
#[test]
fn it_sweeps() {
    let env = TestEnv::example("hybrid-to-entra");
    drop(env.opsole("directory sweep --older-than 30d --yes").expect(0));
    drop(env.opsole("apply --wave pilot --yes").expect(0));
    drop(env.opsole("lab wait 40d").expect(0));
    let count = |env: &TestEnv| env.world()["directory"]["computers"].as_array().map(Vec::len);
    drop(env.opsole("directory sweep --older-than 30d").expect(3));
    assert_eq!(count(&env), Some(4));
    let swept = env.opsole("directory sweep --older-than 30d --yes").expect(0);
    assert!(
        swept.out.contains("deleted   LON-IT-001") && swept.out.contains("deleted   LON-IT-002"),
        "{}",
        told(&swept)
    );
    assert_eq!(count(&env), Some(2));
    for wrong in ["directory sweep", "directory sweep --older-than 30d --limit 0", "directory"] {
        assert_eq!(env.opsole(wrong).code, Some(64), "{wrong}");
    }
}

/// Catches a directory that nobody can sign in to told as an empty one, and a plan without one that is an error of ours.
#[test]
fn it_tells_why_it_cannot() {
    let env = TestEnv::example("hybrid-to-entra");
    let world = env.read("world.yaml");
    env.write("world.yaml", &world.replacen("directory:\n", "directory:\n  elsewhere: true\n", 1));
    let check = env.opsole("directory check").expect(9);
    assert!(check.out.contains("fail:") || check.out.contains("unknown:"), "{}", told(&check));
    let show = env.opsole("directory show").expect(1);
    assert!(show.err.contains("directory.") || show.err.contains("secret."), "{}", told(&show));
    let none = TestEnv::example("tenant-to-tenant");
    assert!(none.opsole("directory show").expect(1).err.contains("directory.none"));
}

/// Catches a plan that wants Kerberos told as a server that doesn't answer, where the program hasn't got it. Nothing is listening.
#[cfg(not(feature = "kerberos"))]
#[test]
fn it_has_no_kerberos() {
    let env = TestEnv::example("hybrid-to-entra");
    let world = env.read("world.yaml");
    env.write("world.yaml", &world.replacen("directory:\n", "directory:\n  elsewhere: true\n", 1));
    let account = "\ndirectory:\n  account: {name: 'CORP\\svc-disjoin', sign_in: kerberos}\n";
    env.edit("plan.yaml", "\ndirectory:\n", account);
    let check = env.opsole("directory check").expect(9);
    assert!(check.err.contains("(directory.no-kerberos)"), "{}", told(&check));
    assert!(check.out.contains("fail: the account `CORP\\svc-disjoin` signs in by Kerberos"), "{}", told(&check));
    let all = env.opsole("check").expect(9);
    assert!(told(&all).contains("built without it"), "{}", told(&all));
}
