//! How programs reach each other: certificates and our own authority, what a server shows, what a client trusts, and
//! which proxy is on the way.
//!
//! Nothing here ever makes a check weaker: a pin is asked for on top of the whole verification, and a proxy that
//! looks into TLS is trusted only where the machine trusts its authority.

mod authority;
mod certificate;
mod client;
mod pin;
mod proxy;
mod server;

pub use authority::{Host, Made, SERVER_DAYS, authority, server_certificate};
pub use certificate::{About, ENDS_SOON_DAYS, about};
pub use client::{ClientSettings, client, client_at, trusting};
pub use pin::Pin;
pub use proxy::{ProxyFinder, ProxySetting};
pub use server::{Served, server_config};

/// Returns the one provider of cryptography. Another part of the process may have installed it as well; it is the same.
fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::ring::default_provider())
}
