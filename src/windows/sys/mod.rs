//! The traits of [`machine`](super::machine) over Win32, COM and WMI. One file an area, one short function a call, and no
//! decision beyond what a call's documentation says of its codes.
//!
//! A function that not every supported Windows (or Wine) has is looked up when it is needed ([`library`]): to import it
//! would keep the whole program from starting, or end it at the call. Without it the answer is
//! [`Cause::NotThere`](super::machine::Cause::NotThere).

mod accounts;
mod adapters;
mod certificates;
mod code;
mod com;
mod events;
mod files;
mod groups;
mod host;
mod joins;
mod library;
mod probe;
mod programs;
mod registry;
mod rights;
mod security;
mod services;
mod sessions;
mod tasks;
mod token;
mod wide;
mod wmi;

#[cfg(test)]
mod tests;

use super::machine::Sys;

/// The Windows that this process runs on.
///
/// It holds nothing: every call opens what it needs and closes it. So it can be shared by threads, and one that is made
/// anew after a restart knows as much.
#[derive(Debug)]
pub struct Windows {
    _made_by_new: (),
}

impl Windows {
    /// Switches on the privileges that the agent's work needs, as far as the token of this process has them: to read
    /// and to set the security of files that deny SYSTEM, and owners other than oneself. SYSTEM has them all; a person
    /// who looks at the device without being an administrator has none, and is refused call by call.
    ///
    /// # Errors
    /// Where the token can't be opened.
    pub fn new() -> Sys<Self> {
        token::enable(&token::PRIVILEGES)?;
        Ok(Self { _made_by_new: () })
    }
}

/// Says whether this is Wine, whose `ntdll` has a function for that question. No Windows has it.
#[must_use]
pub fn is_wine() -> bool {
    library::Library::open("ntdll.dll").is_some_and(|ntdll| ntdll.has(c"wine_get_version"))
}
