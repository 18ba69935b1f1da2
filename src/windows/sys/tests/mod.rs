//! The traits over a real Windows, or over Wine: each function once with what it is for, and with what must not work.
//!
//! Where Wine lacks a call, the test asserts the clean answer and prints a line `WINE LACKS: ...` that says how the call
//! is checked instead.

mod files;
mod host;
mod identity;
#[cfg(test)]
mod lacks;
mod objects;
mod programs;
mod registry;
mod services;
mod trust;

use std::sync::atomic::{AtomicU32, Ordering};

use self::lacks::lacks;
use super::Windows;
use crate::windows::machine::{Cause, Files, Host, Sys};

fn windows() -> Windows {
    Windows::new().expect("the token of this process")
}

/// A name that no other test and no earlier run has.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("opsole-test-{}-{next}", std::process::id())
}

/// A folder of its own that is gone after the test.
struct Folder(String);

impl Folder {
    fn new() -> Self {
        let path = format!("{}\\{}", windows().folder("TEMP").expect("a folder"), unique());
        std::fs::create_dir_all(&path).expect("made");
        Self(path)
    }
    fn file(&self, name: &str) -> String {
        format!("{}\\{name}", self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        windows().remove(&self.0).expect("removed");
    }
}

fn cause<T: std::fmt::Debug>(outcome: Sys<T>) -> Cause {
    outcome.expect_err("it must fail").cause
}
