//! What is in a certificate, for people.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Serialize;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::pin::Pin;
use crate::model::{Digest, Problem};
use crate::port::Result;

/// A certificate that ends within these days is warned of.
pub const ENDS_SOON_DAYS: i64 = 30;

/// What is in a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// Whom it names.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Hosts that it is good for.
    pub hosts: Vec<String>,
    /// First moment of it.
    pub begins: Timestamp,
    /// Last moment of it.
    pub ends: Timestamp,
    /// SHA-256 of the certificate.
    pub sha256: Digest,
    /// Pin of its key: the same after a renewal that keeps the key.
    pub pin: Pin,
}

impl About {
    /// Says whether it has ended.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends <= now
    }
    /// Returns the whole days until its end, where they are few.
    #[must_use]
    pub fn ends_soon(&self, now: Timestamp) -> Option<i64> {
        let left = self.ends.duration_since(now);
        (left < SignedDuration::from_hours(24 * ENDS_SOON_DAYS)).then(|| (left.as_hours() / 24).max(0))
    }
}

/// Reads the first certificate of a PEM text.
///
/// # Errors
/// `tls.damaged`.
pub fn about(pem: &[u8]) -> Result<About> {
    let damaged = |why: String| {
        Problem::new("tls.damaged", "there is no certificate that can be read")
            .detail(why)
            .next("name a file with a certificate in PEM form, the server's own first")
    };
    let der = CertificateDer::from_pem_slice(pem).map_err(|e| damaged(e.to_string()))?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|e| damaged(e.to_string()))?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let hosts = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    });
    let moment = |at: i64| Timestamp::from_second(at).unwrap_or(Timestamp::MAX);
    let validity = certificate.validity();
    Ok(About {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        hosts: hosts.collect(),
        begins: moment(validity.not_before.timestamp()),
        ends: moment(validity.not_after.timestamp()),
        sha256: Digest::of(&der),
        pin: Pin::of_key(certificate.public_key().raw),
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}
