//! What is observed, whole and in pages.

use opsole::directory::{LdapDirectory, Limits, Settings};
use opsole::model::Known;
use opsole::port::Directory;

use super::samba::samba;

/// Catches a page that is lost or read twice, and computers of other units that come along.
#[tokio::test]
async fn pages() {
    let Some(samba) = samba("observation in pages") else { return };
    let mut admin = samba.admin().await;
    let unit = admin.unit("Pages", &samba.workstations).await;
    let deeper = admin.unit("Deeper", &unit).await;
    for number in 0..25 {
        let place = if number % 5 == 0 { &deeper } else { &unit };
        admin.computer(&format!("PAGE-{number:02}"), place).await;
    }
    for page in [1, 7, 25, 1000] {
        // The inner unit is declared too: its computers are told once all the same.
        let units = vec![unit.clone(), deeper.clone()];
        let limits = Limits { page, ..Limits::default() };
        let client = LdapDirectory::new(Settings { units, limits, ..samba.settings("svc-delegated") });
        let state = client.expect("settings").observe().await.expect("readable");
        let mut names: Vec<&str> = state.computers.iter().map(|computer| computer.name.as_str()).collect();
        names.sort_unstable();
        let wanted: Vec<String> = (0..25).map(|number| format!("PAGE-{number:02}")).collect();
        assert_eq!(names, wanted, "in pages of {page}");
    }
    let limits = Limits { objects: 24, ..Limits::default() };
    let client = LdapDirectory::new(Settings { units: vec![unit], limits, ..samba.settings("svc-delegated") });
    let problem = client.expect("settings").observe().await.expect_err("too many");
    assert_eq!(problem.code, "directory.limit", "a part of them is never taken for all");
}

/// Catches facts that are read from the wrong attribute.
#[tokio::test]
async fn facts() {
    let Some(samba) = samba("what is observed") else { return };
    let mut admin = samba.admin().await;
    let unit = admin.unit("Facts", &samba.workstations).await;
    let guid = admin.computer("FACTS-1", &unit).await;
    let state = samba.client_of("svc-delegated", &unit).observe().await.expect("readable");
    let [computer] = state.computers.as_slice() else { panic!("{state:#?}") };
    assert_eq!((computer.guid, computer.name.as_str(), computer.enabled), (guid, "FACTS-1", true));
    assert_eq!(computer.dn, format!("CN=FACTS-1,{unit}"));
    assert_eq!(computer.dns_name, Some(format!("facts-1.{}", samba.domain)));
    assert_eq!(computer.os.as_deref(), Some("Windows 11 Enterprise"));
    assert!(computer.password_set.is_some_and(|set| (jiff::Timestamp::now().duration_since(set)).as_secs() < 600));
    assert!(!computer.domain_controller && !computer.critical && computer.last_logon.is_none());
    let forest = state.forest.known().expect("a forest");
    assert_eq!((forest.root.as_str(), forest.server.as_str()), (&*samba.domain, &*format!("dc1.{}", samba.domain)));
    assert!(computer.sid.as_str().starts_with(&format!("{}-", forest.domain_sid.as_str())), "{forest:?}");
    let hybrid = state.hybrid.known().expect("a service connection point");
    assert_eq!(hybrid.domain.as_deref(), Some("corp.example"));
    assert_eq!(hybrid.tenant.map(|id| id.to_string()).as_deref(), Some("3f2c9f6a-58b1-4e0c-8a53-6f1d7d0a7b11"));
    let users = state.users.known().expect("people");
    let user = |name: &str| users.iter().find(|user| user.name == name).unwrap_or_else(|| panic!("{name}: {users:#?}"));
    assert!(user("svc-none").enabled && !user("svc-disabled").enabled);
    assert_eq!(user("svc-none").upn, Some(format!("svc-none@{}", samba.domain)));
    assert!(users.iter().all(|user| !user.name.ends_with('$')), "computers are no people: {users:#?}");
    let Known::Known(account) = &state.account else { panic!("{:?}", state.account) };
    assert_eq!(account.name, format!("{}\\svc-delegated", samba.netbios));
    assert!(account.enabled && !account.locked);
    assert_eq!((account.password_expires, account.account_expires), (None, None));
    let state = samba.client_of("svc-none", &unit).observe().await.expect("readable");
    assert!(state.account.known().is_some_and(|account| account.password_expires.is_some()), "{:?}", state.account);
}

/// Catches a unit that was renamed taken for one without computers: what isn't known isn't absent.
#[tokio::test]
async fn a_unit_that_is_gone() {
    let Some(samba) = samba("a unit that is gone") else { return };
    let unit = format!("OU=Never,{}", samba.workstations);
    let client = samba.client_of("svc-delegated", &unit);
    for problem in [client.observe().await.expect_err("gone"), client.computer_by_name("x").await.expect_err("gone")] {
        assert!(problem.code == "directory.no-such-unit" && problem.message.contains(&unit), "{problem:?}");
    }
    // One that was moved is found again by its own name.
    let moved = format!("OU=Workstations,OU=Berlin,{}", samba.base);
    let problem = samba.client_of("svc-none", &moved).observe().await.expect_err("moved");
    assert!(problem.next.as_deref().is_some_and(|next| next.contains(&samba.workstations)), "{problem:?}");
}

/// Catches another domain's server taken for ours.
#[tokio::test]
async fn another_domain() {
    let Some(samba) = samba("a server of another domain") else { return };
    let settings = Settings { domain: "other.example".to_owned(), ..samba.settings("svc-delegated") };
    let problem = LdapDirectory::new(settings).expect("settings").observe().await.expect_err("another domain");
    assert!(problem.code == "directory.other-domain" && problem.message.contains(&samba.domain), "{problem:?}");
}
