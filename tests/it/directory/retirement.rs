//! What may be retired, by whom, and what is never touched.

use opsole::port::{Directory, Retirement};
use opsole::winformat::descriptor::Ace;

use super::rights::{descriptor_of, set_descriptor};
use super::samba::{retirement, samba};

/// Catches an account that may more or less than it was given, and a refusal that isn't told as one.
#[tokio::test]
async fn by_whom() {
    let Some(samba) = samba("retirement by each account") else { return };
    let mut admin = samba.admin().await;
    let unit = admin.unit("Whom", &samba.workstations).await;
    let elsewhere = admin.unit("Whom", &samba.servers).await;
    for account in ["svc-none", "svc-delegated", "svc-admin"] {
        let guids = [admin.computer("WHOM-1", &unit).await, admin.computer("WHOM-2", &unit).await];
        let there = admin.computer("WHOM-3", &elsewhere).await;
        let directory = samba.client_of(account, &unit);
        let outcomes =
            [directory.disable(guids[0], &retirement(1)).await, directory.delete(guids[1], &retirement(1)).await];
        for outcome in outcomes {
            match account {
                "svc-none" => assert_eq!(outcome.expect_err("no rights").code, "directory.access-denied"),
                _ => outcome.expect(account),
            }
        }
        // Not declared: refused by us, whatever the account may.
        assert_eq!(directory.delete(there, &retirement(1)).await.expect_err("outside").code, "directory.outside");
        // Declared and not delegated: refused by the directory.
        let directory = samba.client_of(account, &elsewhere);
        let outcome = directory.disable(there, &retirement(1)).await;
        match account {
            "svc-admin" => outcome.expect(account),
            _ => assert_eq!(outcome.expect_err("not delegated").code, "directory.access-denied"),
        }
    }
}

/// Catches a domain controller, what the domain needs, or a protected object that goes all the same.
#[tokio::test]
async fn what_is_never_touched() {
    let Some(samba) = samba("what is never touched") else { return };
    let mut admin = samba.admin().await;
    let dc = admin.guid(&format!("CN=DC1,OU=Domain Controllers,{}", samba.base)).await;
    let critical = admin.guid(&format!("CN=SEED-CRITICAL,{}", samba.workstations)).await;
    // Even where somebody declares the whole domain.
    let directory = samba.client_of("svc-admin", &samba.base);
    assert!(directory.computer(dc).await.expect("readable").expect("there").domain_controller);
    for (guid, code) in [(dc, "directory.domain-controller"), (critical, "directory.protected")] {
        for outcome in [directory.disable(guid, &retirement(1)).await, directory.delete(guid, &retirement(1)).await] {
            assert_eq!(outcome.expect_err("never").code, code);
        }
        assert!(directory.computer(guid).await.expect("readable").expect("there").enabled);
    }
}

/// Catches a computer that is looked for by the name or place that it had.
#[tokio::test]
async fn renamed_moved_deleted_in_between() {
    let Some(samba) = samba("computers that change in between") else { return };
    let mut admin = samba.admin().await;
    let unit = admin.unit("Between", &samba.workstations).await;
    let inner = admin.unit("Inner", &unit).await;
    let directory = samba.client_of("svc-delegated", &unit);
    let (renamed, moved, left, gone) = (
        admin.computer("BETWEEN-1", &unit).await,
        admin.computer("BETWEEN-2", &unit).await,
        admin.computer("BETWEEN-3", &unit).await,
        admin.computer("BETWEEN-4", &unit).await,
    );
    directory.observe().await.expect("readable");
    let dn = |number: u32| format!("CN=BETWEEN-{number},{unit}");
    for (from, rdn, to) in [
        (dn(1), "CN=OTHER-NAME", None),
        (dn(2), "CN=BETWEEN-2", Some(inner.as_str())),
        (dn(3), "CN=BETWEEN-3", Some(samba.servers.as_str())),
    ] {
        // One that an earlier run left.
        let _ = admin.ldap.delete(&format!("{rdn},{}", to.unwrap_or(&unit))).await;
        admin.ldap.modifydn(&from, rdn, true, to).await.expect("an answer").success().expect("renamed");
    }
    admin.ldap.delete(&dn(4)).await.expect("an answer").success().expect("deleted");
    // The object is the same one under another name, and at another place that is declared.
    for guid in [renamed, moved] {
        directory.disable(guid, &retirement(1)).await.expect("by its GUID");
        assert!(!directory.computer(guid).await.expect("readable").expect("there").enabled);
    }
    assert_eq!(directory.disable(left, &retirement(1)).await.expect_err("outside").code, "directory.outside");
    let problem = directory.disable(gone, &retirement(1)).await.expect_err("gone");
    assert_eq!(problem.code, "directory.no-such-computer");
    directory.delete(gone, &retirement(1)).await.expect("gone is what was wanted");
    admin.ldap.delete(&format!("CN=BETWEEN-3,{}", samba.servers)).await.expect("an answer");
}

/// Catches recovery passwords that are deleted with the computer, and mere pointers that keep it from being deleted.
#[tokio::test]
async fn what_lies_below() {
    let Some(samba) = samba("computers with objects below them") else { return };
    let mut admin = samba.admin().await;
    let unit = admin.unit("Below", &samba.workstations).await;
    let directory = samba.client_of("svc-admin", &unit);
    let pointed = admin.computer("BELOW-1", &unit).await;
    admin.object(&format!("CN=pointer,CN=BELOW-1,{unit}"), "serviceConnectionPoint", &[]).await;
    directory.delete(pointed, &retirement(1)).await.expect("a pointer goes along");
    assert_eq!(directory.computer(pointed).await.expect("readable"), None);
    let kept = admin.computer("BELOW-2", &unit).await;
    admin.object(&format!("CN=pointer,CN=BELOW-2,{unit}"), "serviceConnectionPoint", &[]).await;
    let key: [(&str, &[u8]); 2] = [("msFVE-RecoveryGuid", &[7; 16]), ("msFVE-RecoveryPassword", b"111111-222222")];
    admin.object(&format!("CN=kept,CN=BELOW-2,{unit}"), "msFVE-RecoveryInformation", &key).await;
    let problem = directory.delete(kept, &retirement(1)).await.expect_err("something below");
    assert!(problem.code == "directory.has-children" && problem.message.contains("CN=kept"), "{problem:?}");
    assert!(directory.computer(kept).await.expect("readable").is_some());
    directory.disable(kept, &retirement(1)).await.expect("disabled instead");

    // What the account isn't shown (listing children is denied) isn't nothing: as a tree it would have gone along.
    let hidden = admin.computer("BELOW-3", &unit).await;
    let dn = format!("CN=BELOW-3,{unit}");
    admin.object(&format!("CN=kept,{dn}"), "msFVE-RecoveryInformation", &key).await;
    let mut rights = descriptor_of(&mut admin, &dn).await;
    let blind = Ace::plain(1, 0, 0x0004, "S-1-1-0".parse().expect("a SID"));
    rights.dacl.get_or_insert_default().insert(0, blind);
    set_descriptor(&mut admin, &dn, &rights).await;
    let problem = directory.delete(hidden, &retirement(1)).await.expect_err("something below");
    assert_eq!(problem.code, "directory.has-children", "{problem:?}");
    assert!(directory.computer(hidden).await.expect("readable").is_some());
    rights.dacl.get_or_insert_default().remove(0);
    set_descriptor(&mut admin, &dn, &rights).await;
    assert!(admin.text(&format!("CN=kept,{dn}"), "cn").await.is_some(), "the key is still there");
}

/// Catches a description that is lost, a disabling that fails for want of words, and one that changes other flags.
#[tokio::test]
async fn words_and_flags() {
    let Some(samba) = samba("descriptions of disabled computers") else { return };
    let mut admin = samba.admin().await;
    let unit = admin.unit("Words", &samba.workstations).await;
    let guid = admin.computer("WORDS-1", &unit).await;
    let dn = format!("CN=WORDS-1,{unit}");
    admin.write(&dn, "description", b"Reception".to_vec()).await;
    admin.write(&dn, "userAccountControl", b"69632".to_vec()).await;
    let directory = samba.client_of("svc-delegated", &unit);
    directory.disable(guid, &retirement(1)).await.expect("disabled");
    assert_eq!(admin.text(&dn, "userAccountControl").await.as_deref(), Some("69634"));
    let words = admin.text(&dn, "description").await.expect("words");
    assert!(words.starts_with("Disabled by opsole on ") && words.ends_with("; before: Reception"), "{words}");
    // Somebody enabled it: a later sweep leaves it.
    let found = directory.computer(guid).await.expect("readable").expect("there");
    let sweep = Retirement { mark: found.retired().expect("our words"), left: None, only_marked: true };
    admin.write(&dn, "userAccountControl", b"4096".to_vec()).await;
    assert_eq!(directory.delete(guid, &sweep).await.expect_err("enabled").code, "directory.not-ours");
}
