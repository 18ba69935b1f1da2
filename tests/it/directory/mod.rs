//! Active Directory: one suite for every adapter of `port::Directory`, and LDAP against a real domain controller.
//!
//! The domain controller is Samba on loopback: `ci/directory/up DIR`, then `OPSOLE_DIRECTORY=DIR`. Without it these tests say
//! that they are left out, and the lab's directory passes the suite alone.

mod command;
mod conformance;
mod connection;
#[cfg(feature = "kerberos")]
mod kerberos;
mod mortal;
mod refusals;
mod retirement;
mod rights;
mod samba;
mod seen;
mod story;
