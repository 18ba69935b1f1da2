//! What every adapter of `port::Directory` does, whatever directory is behind it.

use std::sync::Arc;

use jiff::SignedDuration;
use opsole::lab::Lab;
use opsole::lab::directory::LabDirectory;
use opsole::lab::world::World;
use opsole::model::{RunId, Sid};
use opsole::port::{Directory, Retirement};
use opsole::state::RetiredMark;
use uuid::Uuid;

use super::samba::samba;

/// Holds a directory of at least four enabled computers with passwords to the suite. It takes two of them away.
async fn conforms(directory: &dyn Directory) {
    let state = directory.observe().await.expect("readable");
    let forest = state.forest.known().expect("a forest");
    assert!(!forest.server.is_empty() && !forest.root.is_empty() && forest.level > 0, "{forest:?}");
    let of_domain =
        |sid: &Sid| sid.as_str().rsplit_once('-').is_some_and(|(domain, _)| domain == forest.domain_sid.as_str());
    assert!(state.computers.iter().all(|computer| of_domain(&computer.sid)), "{forest:?}");
    assert!(state.users.known().is_some() && state.account.known().is_some(), "{state:?}");
    let all = state.computers;
    assert!(all.len() >= 4 && all.is_sorted_by_key(|computer| computer.guid), "in order: {all:#?}");
    let set = all.iter().filter_map(|computer| computer.password_set).max().expect("passwords");
    let mark = |run: u128, days: i64| {
        let on = set.checked_add(SignedDuration::from_hours(24 * days)).expect("a moment");
        RetiredMark { run: RunId(Uuid::from_u128(run)), on }
    };
    let retirement = Retirement { mark: mark(1, 1), left: Some(set), only_marked: false };
    let [first, second, third, ..] = all.as_slice() else { panic!("{all:#?}") };
    let read = async |guid| directory.computer(guid).await.expect("readable");

    // One computer is what it is in the list, by either of its names.
    assert_eq!(read(first.guid).await.as_ref(), Some(first));
    let named = directory.computer_by_name(&first.name.to_lowercase()).await.expect("readable");
    assert_eq!(named.as_ref(), Some(first));
    assert_eq!(directory.computer_by_name("no-such-pc").await.expect("readable"), None);
    assert_eq!(directory.computer_by_name("*").await.expect("a name, no pattern"), None);

    // What isn't there: deleted is what was wanted, disabled isn't.
    let nobody = Uuid::from_u128(7);
    assert_eq!(read(nobody).await, None);
    directory.delete(nobody, &retirement).await.expect("gone is a success");
    let problem = directory.disable(nobody, &retirement).await.expect_err("nothing there");
    assert_eq!(problem.code, "directory.no-such-computer");

    // A name that is in use again is left as it is.
    let left = set.checked_sub(SignedDuration::from_hours(24 * 365)).ok();
    let late = Retirement { left, ..retirement };
    for outcome in [directory.disable(first.guid, &late).await, directory.delete(first.guid, &late).await] {
        let problem = outcome.expect_err("used again");
        assert!(problem.code == "directory.in-use-again" && problem.next.is_some(), "{problem:?}");
    }
    let swept = Retirement { only_marked: true, ..retirement };
    assert_eq!(directory.delete(first.guid, &swept).await.expect_err("enabled").code, "directory.not-ours");
    assert_eq!(read(first.guid).await.as_ref(), Some(first), "nothing was done to it");

    // Disabled, and by whom; twice is once, and the first run is the one that is told of.
    directory.disable(first.guid, &retirement).await.expect("disabled");
    let once = read(first.guid).await.expect("there");
    assert!(!once.enabled);
    let (told, _) = RetiredMark::parse(once.description.as_deref().unwrap_or_default()).expect("our words");
    assert_eq!(told.run, retirement.mark.run);
    directory.disable(first.guid, &Retirement { mark: mark(2, 2), ..retirement }).await.expect("already so");
    assert_eq!(read(first.guid).await.as_ref(), Some(&once));
    let others = [second, third].map(|computer| computer.guid);
    for guid in others {
        assert!(read(guid).await.expect("there").enabled, "nothing else was touched");
    }

    // What a sweep may delete: by its own mark and no other.
    let strange = Retirement { mark: mark(9, 9), only_marked: true, ..retirement };
    assert_eq!(directory.delete(first.guid, &strange).await.expect_err("another's").code, "directory.not-ours");
    directory.delete(first.guid, &Retirement { mark: told, only_marked: true, ..retirement }).await.expect("ours");
    directory.delete(second.guid, &retirement).await.expect("deleted");
    directory.delete(second.guid, &retirement).await.expect("gone is a success");
    let left: Vec<Uuid> = directory.observe().await.expect("readable").computers.iter().map(|one| one.guid).collect();
    let wanted: Vec<Uuid> =
        all.iter().map(|one| one.guid).filter(|guid| ![first.guid, second.guid].contains(guid)).collect();
    assert_eq!(left, wanted);
}

/// Catches a lab that does what no directory does.
#[tokio::test]
async fn the_lab_conforms() {
    let world = World::parse("w", include_str!("../../../examples/hybrid-to-entra/world.yaml")).expect("a world");
    let folder = tempfile::tempdir().expect("a folder");
    conforms(&LabDirectory::new(Arc::new(Lab::open(folder.path(), &world).expect("new")))).await;
}

/// Catches an adapter that does something else than the lab on which everything is tried.
#[tokio::test]
async fn samba_conforms() {
    let Some(samba) = samba("the suite over LDAP") else { return };
    let mut admin = samba.admin().await;
    let unit = admin.unit("Conformance", &samba.workstations).await;
    for number in 1..=4 {
        admin.computer(&format!("CONF-{number}"), &unit).await;
    }
    // The account that may do just this, and no more.
    let delegated = samba.client_of("svc-delegated", &unit);
    conforms(&delegated).await;
}
