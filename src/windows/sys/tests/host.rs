//! The machine itself.

use super::{cause, windows};
use crate::windows::machine::{Cause, Host};

/// Catches data that is kept in clear, that another entropy or a changed byte decrypts, and an error that holds it.
#[test]
fn dpapi_gives_back_what_it_was_given_and_nothing_else() {
    let windows = windows();
    for plain in [b"".as_slice(), b"hunter2 hunter2", &[7; 10_000]] {
        let protected = windows.protect(plain).expect("encrypted");
        assert!(plain.is_empty() || !protected.windows(plain.len()).any(|part| part == plain));
        assert_eq!(windows.unprotect(&protected).expect("decrypted").as_slice(), plain);
    }
    let protected = windows.protect(b"hunter2 hunter2").expect("encrypted");
    let mut changed = protected.clone();
    let at = changed.len() - 30;
    changed[at] ^= 1;
    for bad in [&changed, &protected[..protected.len() / 2], b"", b"x"] {
        let error = windows.unprotect(bad).expect_err("it must fail");
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(error.cause, Cause::Unreadable, "{error}");
    }
}

/// Catches a version that is the one Windows pretends to have, a name that is empty, folders with a backslash.
#[test]
fn the_machine_is_known() {
    let windows = windows();
    let (major, _, build) = windows.version().expect("read");
    assert!(major >= 6 && build >= 7600, "{major} {build}");
    assert!(!windows.computer_name().expect("read").is_empty());
    assert_eq!(windows.is_system().expect("read"), super::super::token::me().expect("read").as_str() == "S-1-5-18");
    assert!(windows.now().as_second() > 1_700_000_000);
    for variable in ["SystemRoot", "%ProgramData%", "SystemDrive"] {
        let folder = windows.folder(variable).expect("there");
        assert!(folder.contains(':') && !folder.ends_with('\\'), "{folder}");
    }
    for variable in ["", "OPSOLE_NO_SUCH_FOLDER", "a=b", "a\0b"] {
        assert_eq!(cause(windows.folder(variable)), Cause::Other);
    }
}

/// Catches a list of adapters that is walked wrongly, and power that is guessed.
#[test]
fn power_and_adapters_are_read() {
    let windows = windows();
    for adapter in windows.adapters().expect("read") {
        assert!(adapter.kind != 24, "no loopback");
        for server in &adapter.dns_servers {
            assert!(server.parse::<std::net::IpAddr>().is_ok(), "{server}");
        }
    }
    match windows.on_ac() {
        Ok(_) => {}
        Err(error) => assert_eq!(error.cause, Cause::Unreadable, "{error}"),
    }
}

/// Catches codes that are taken for something else, and a text that doesn't come.
#[test]
fn codes_have_causes_and_words() {
    use super::super::code::failed;
    let cause = |code| failed("f", "x", code).cause;
    assert_eq!([5, 0x8007_0005, 1314, 0x8004_1003].map(cause), [Cause::Denied; 4]);
    assert_eq!([32, 33, 170, 0x8007_0020].map(cause), [Cause::Busy; 4]);
    assert_eq!([120, 127, 50, 0x8004_100E, 0x8000_4001].map(cause), [Cause::NotThere; 5]);
    assert_eq!([258, 1053, 1460].map(cause), [Cause::TimedOut; 3]);
    assert_eq!([13, 1338, 1017].map(cause), [Cause::Unreadable; 3]);
    assert_eq!([2, 2245, 87].map(cause), [Cause::Other; 3]);
    assert!(!failed("f", "x", 5).text.is_empty());
}
