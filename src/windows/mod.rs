//! The real device: [`crate::port::DeviceOs`] on Windows 10 and 11.
//!
//! ```text
//! device   what each fact and each action is, over tables of paths   no call of Windows, compiles everywhere
//!    |
//! machine  what is asked of Windows, one trait an area               data in, data out
//!    |
//! sys      those traits over Win32, on Windows alone                 the only folder with unsafe code
//! memory   those traits over a registry, files, accounts in memory   for tests, and for the laws of `device`
//! profile  a profile changes hands, over `machine`
//! install  where the agent lies, what it is told, how it comes and goes
//! ```
//!
//! Everything that decides stands in `device` and runs in tests on any system. `sys` holds one short function a call,
//! proven under Wine where Wine has the call; docs/windows.md lists what was proven where.

pub mod device;
pub mod install;
pub mod machine;
pub mod memory;
pub mod profile;
pub mod stand_in;
#[cfg(windows)]
pub mod sys;
