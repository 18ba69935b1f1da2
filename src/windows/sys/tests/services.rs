//! Services.

use super::{cause, unique, windows};
use crate::windows::machine::{Cause, ServiceSpec, Services, StartKind, Sys};

/// A service of its own that is gone after the test.
struct Own(ServiceSpec);

impl Own {
    fn new() -> Self {
        let name = unique();
        Self(ServiceSpec {
            display: format!("{name} shown"),
            description: "what it is for".to_owned(),
            // A program that ends at once and never speaks to the service control manager.
            command: r#""C:\windows\system32\cmd.exe" /c "exit 0""#.to_owned(),
            start: StartKind::Demand,
            restart_secs: [1, 60, 3600],
            name,
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        windows().remove_service(&self.0.name).expect("removed");
    }
}

/// Catches a command line that is quoted anew, a second installation that fails, a start that isn't changed.
#[test]
fn a_service_is_made_changed_and_removed() {
    let (windows, mut own) = (windows(), Own::new());
    let name = own.0.name.clone();
    assert_eq!(windows.service(&name).expect("read"), None);
    windows.install_service(&own.0).expect("made");
    let service = windows.service(&name).expect("read").expect("there");
    assert_eq!((service.command.as_str(), service.account.as_str()), (own.0.command.as_str(), "LocalSystem"));
    assert_eq!((service.start, service.running), (StartKind::Demand, false));
    own.0.command = r"C:\windows\system32\cmd.exe /c exit 0".to_owned();
    own.0.start = StartKind::Auto;
    windows.install_service(&own.0).expect("changed");
    let changed = windows.service(&name).expect("read").expect("there");
    assert_eq!((changed.command.as_str(), changed.start), (own.0.command.as_str(), StartKind::Auto));
    for start in [StartKind::Disabled, StartKind::Demand, StartKind::Auto, StartKind::Disabled] {
        windows.set_start(&name, start).expect("set");
        assert_eq!(windows.service(&name).expect("read").expect("there").start, start);
    }
    assert!(windows.start_service(&name).is_err(), "it is disabled");
    windows.stop_service(&name, 1).expect("it doesn't run");
    let all = windows.services().expect("read");
    assert!(all.iter().any(|service| service.name == name) && all.len() > 3, "{}", all.len());
    windows.remove_service(&name).expect("removed");
    windows.remove_service(&name).expect("removed again");
    assert_eq!(windows.service(&name).expect("read"), None);
}

/// Catches a service that isn't there and is taken for changed or started; stopping it is nothing to do.
#[test]
fn a_service_that_isnt_there() {
    let (windows, name) = (windows(), unique());
    let refused = |outcome: Sys<()>| assert_eq!(cause(outcome), Cause::Other);
    refused(windows.set_start(&name, StartKind::Auto));
    refused(windows.start_service(&name));
    windows.stop_service(&name, 1).expect("nothing to stop");
    windows.remove_service(&name).expect("nothing to remove");
    assert!(windows.service("a\0b").is_err());
}

/// Catches a wait for a stop that never ends, or that says "stopped" too early.
#[test]
fn a_service_that_runs_is_found_running() {
    let windows = windows();
    let all = windows.services().expect("read");
    let running = all.iter().find(|service| service.running).expect("some service always runs");
    let same = windows.service(&running.name).expect("read").expect("there");
    assert_eq!(&same, running);
    windows.start_service(&running.name).expect("one that runs is a success");
}
