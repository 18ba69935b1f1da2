//! An authority of our own for one controller: P-256, ten years, good for the named hosts and for nothing else.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SanType,
    SerialNumber,
};
use zeroize::Zeroizing;

use crate::model::Problem;
use crate::port::Result;

/// Days that the authority is good for.
const AUTHORITY_DAYS: i64 = 3650;
/// Days that a server's certificate is good for: what browsers accept at most, with a day to spare.
pub const SERVER_DAYS: i64 = 397;
/// Clocks of devices may be slow: certificates are good from a day before they are made.
const EARLIER: SignedDuration = SignedDuration::from_hours(24);

/// A host that agents call: a DNS name or an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// A DNS name in small letters.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Self::Address(address));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() <= 253 && text.split('.').all(label) {
            return Ok(Self::Name(text.to_ascii_lowercase()));
        }
        Err("write a DNS name such as `opsole.contoso.com`, or an address".to_owned())
    }
}

impl fmt::Display for Host {
    /// As it stands in a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
            Self::Address(v4) => write!(f, "{v4}"),
        }
    }
}

/// A certificate with its key. The key has no `Debug`.
pub struct Made {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its private key, PKCS#8 in PEM.
    pub key: Zeroizing<String>,
}

/// Makes an authority for hosts. What it signs is good for these hosts alone, whoever gets hold of its key.
///
/// # Errors
/// `tls.make` where the machine gives no randomness.
pub fn authority(hosts: &[Host], now: Timestamp) -> Result<Made> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let serial = serial()?;
    let short: String = serial.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let mut params = CertificateParams::default();
    // Two authorities of one organisation have different names: a verifier finds the right one by it.
    params.distinguished_name = named(&format!("opsole authority {short}"));
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(constraints(hosts));
    (params.not_before, params.not_after) = validity(now, AUTHORITY_DAYS);
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(Made { certificate: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) })
}

/// Makes a server's certificate for hosts, signed by an authority; with the key that it had, where one is given, so
/// that a pin stays good.
///
/// # Errors
/// `tls.make`, `tls.damaged` where the authority or the key can't be read.
pub fn server_certificate(authority: &Made, hosts: &[Host], key: Option<&str>, now: Timestamp) -> Result<Made> {
    let damaged = |what: &str, error: rcgen::Error| {
        Problem::new("tls.damaged", format!("{what} can't be read"))
            .detail(error.to_string())
            .next("restore the folder `tls` from a backup, or make a new authority with `opsole tls init`")
    };
    let authority_key = KeyPair::from_pem(&authority.key).map_err(|e| damaged("the authority's key", e))?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, authority_key)
        .map_err(|e| damaged("the authority's certificate", e))?;
    let key = match key {
        Some(pem) => KeyPair::from_pem(pem).map_err(|e| damaged("the server's key", e))?,
        None => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&hosts.first().map_or_else(|| "opsole".to_owned(), Host::to_string));
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    params.subject_alt_names = hosts.iter().map(san).collect::<Result<_>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = validity(now, SERVER_DAYS);
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    Ok(Made { certificate: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) })
}

fn failed(error: rcgen::Error) -> Problem {
    Problem::new("tls.make", "the certificate can't be made").detail(error.to_string()).next("try again")
}

fn named(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    // RFC 5280 allows 64 characters; hosts are read from the alternative names anyway.
    subject.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    subject
}

fn serial() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| {
        Problem::new("tls.make", "the certificate can't be made").detail(e.to_string()).next("try again")
    })?;
    // Positive, and of one length.
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(bytes)
}

fn san(host: &Host) -> Result<SanType> {
    Ok(match host {
        Host::Name(name) => SanType::DnsName(name.as_str().try_into().map_err(failed)?),
        Host::Address(address) => SanType::IpAddress(*address),
    })
}

/// Names and addresses that the authority may sign for. A kind of which there is none is shut altogether: what isn't
/// constrained is allowed (RFC 5280, 4.2.1.10).
fn constraints(hosts: &[Host]) -> NameConstraints {
    let mut permitted_subtrees = Vec::new();
    for host in hosts {
        permitted_subtrees.push(match host {
            Host::Name(name) => GeneralSubtree::DnsName(name.clone()),
            Host::Address(IpAddr::V4(v4)) => GeneralSubtree::IpAddress(CidrSubnet::V4(v4.octets(), [255; 4])),
            Host::Address(IpAddr::V6(v6)) => GeneralSubtree::IpAddress(CidrSubnet::V6(v6.octets(), [255; 16])),
        });
    }
    let mut excluded_subtrees = Vec::new();
    if !hosts.iter().any(|host| matches!(host, Host::Name(_))) {
        excluded_subtrees.push(GeneralSubtree::DnsName(String::new()));
    }
    if !hosts.iter().any(|host| matches!(host, Host::Address(_))) {
        excluded_subtrees.push(GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])));
        excluded_subtrees.push(GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])));
    }
    NameConstraints { permitted_subtrees, excluded_subtrees }
}

macro_rules! moment {
    ($at:expr) => {
        // rcgen counts with another crate's dates; from its first day on seconds are all that is needed.
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from($at.as_second()).unwrap_or_default())
    };
}

fn validity(now: Timestamp, days: i64) -> (time::OffsetDateTime, time::OffsetDateTime) {
    let from = now.saturating_sub(EARLIER).unwrap_or(now);
    let end = now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(now);
    (moment!(from), moment!(end))
}
