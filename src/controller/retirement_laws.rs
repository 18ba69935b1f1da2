//! What holds for the retirement of old objects: whose they are, how many at a time, and the wait for the synchronisation.

use std::sync::Arc;

use jiff::SignedDuration;

use super::laws::{case, on_one_thread};
use super::{Begin, Config};
use crate::model::{RetirePolicy, Side};
use crate::run::DeviceStage;
use crate::state::Outcome;

/// Catches a computer object that somebody else uses by now and that is disabled under them.
#[test]
fn a_reused_computer_name_is_left_alone() {
    on_one_thread(async {
        let case = case(1);
        let later = "2027-06-01T00:00:00Z".parse().ok();
        case.world.computers.lock().expect("no panic")[0].password_set = later;
        let report = case.run(Config::default()).await;
        assert!(matches!(&report.devices[&"D-0".into()], Outcome::PendingVerification(p) if p.code == "run.stale"));
        assert!(case.world.computers.lock().expect("no panic")[0].enabled);
    });
}

/// Catches an Entra half that is deleted instead of waited for, a wait that ends too early or holds the places of others up,
/// and computers that are kept and waited for.
#[test]
fn the_synchronisation_takes_the_entra_half() {
    on_one_thread(async {
        let mut case = case(2);
        case.plan.concurrency = 1;
        case.world.make_hybrid();
        case.world.denied.lock().expect("no panic").insert("Origin:delete_device".to_owned());
        let delay = SignedDuration::from_mins(40);
        *case.world.sync_after.lock().expect("no panic") = Some(delay);
        let report = case.run(Config::default()).await;
        assert_eq!(report.counts.complete, 2, "{report:?}");
        assert!(case.world.clouds.lock().expect("no panic")[&Side::Origin].devices.is_empty());
        let journal = case.store.journal(report.run).expect("a journal");
        let at = |start: &str, device: &str| {
            let fits = |body: &str| body.contains(start) && body.contains(device);
            journal.iter().find(|entry| fits(&entry.body)).unwrap_or_else(|| panic!("{start} {device}")).at
        };
        let finished = at("device-finished", "D-0");
        assert!(finished.duration_since(at("device-started", "D-0")) >= delay);
        assert!(at("device-started", "D-1") < finished, "the other one doesn't wait for a wait");
    });
}

/// Catches a large wave that ends everywhere at once and has a domain controller do nothing else.
#[test]
fn a_few_computers_are_retired_at_a_time() {
    on_one_thread(async {
        let mut case = case(10);
        case.plan.concurrency = 10;
        *case.world.directory_takes.lock().expect("no panic") = Some(std::time::Duration::from_secs(600));
        assert_eq!(case.run(Config::default()).await.counts.complete, 10);
        let (left, most) = *case.world.changes.lock().expect("no panic");
        assert_eq!((left, most), (0, super::ops::RETIRED_AT_A_TIME));
    });
}

/// Catches a wait without an end, and one for what the plan keeps.
#[test]
fn a_half_that_nobody_takes_is_told() {
    on_one_thread(async {
        let case = case(1);
        case.world.make_hybrid();
        let report = case.run(Config::default()).await;
        let outcome = &report.devices[&"D-0".into()];
        assert!(
            matches!(outcome, Outcome::PendingVerification(p) if p.code == "device.entra-object-left" && p.next.is_some()),
            "{outcome:?}"
        );
        assert!(!case.world.computers.lock().expect("no panic")[0].enabled);
        assert_eq!(case.world.clouds.lock().expect("no panic")[&Side::Origin].devices.len(), 1);
        let mut kept = super::laws::case(1);
        kept.world.make_hybrid();
        kept.plan.settings.retire = RetirePolicy::Keep;
        assert_eq!(kept.run(Config::default()).await.counts.complete, 1);
    });
}

/// Catches a wait that keeps a run from being stopped, one that people aren't shown, and one that a resumed run forgets.
#[test]
fn a_wait_is_drained_and_resumed() {
    on_one_thread(async {
        let case = case(1);
        case.world.make_hybrid();
        let handle = case.start(case.begin(), Config::default()).await;
        let world = Arc::clone(&case.world);
        case.world.clock.drive(|| !world.computers.lock().expect("no panic")[0].enabled).await;
        let progress = handle.progress.clone();
        case.world.clock.drive(|| progress.borrow().devices[0].stage == DeviceStage::Retiring).await;
        handle.drain().await;
        let report = case.finish(&handle).await.expect("a report");
        assert!(report.drained, "{report:?}");
        drop(handle);
        *case.world.sync_after.lock().expect("no panic") = Some(SignedDuration::from_mins(40));
        let handle = case.start(Begin::Resume(case.plan.run), Config::default()).await;
        assert_eq!(case.finish(&handle).await.expect("a report").counts.complete, 1);
    });
}
