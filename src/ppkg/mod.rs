//! Provisioning packages as files: what is in a `.ppkg`, as far as it can be read without its secrets.
//!
//! ```text
//! bytes --wim--> customizations.xml --settings--> what it sets --token--> PackageFacts
//! ```
//!
//! A `.ppkg` is a Windows Imaging file with `customizations.xml` in it (domain.md B11). It is foreign input and a
//! credential at once: sizes, counts and depths are bounded, whatever is malformed is [`Broken`] with what and where,
//! and no error, fact or log quotes what is in it. Buffers that held its secrets are wiped.

mod bytes;
mod cms;
mod settings;
mod token;
mod tree;
mod wim;
pub mod xpress;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::model::{Digest, Problem};
use crate::state::PackageFacts;

/// Bytes of the largest package that is read. Packages that bring programs along are large; one that only joins has
/// a few kilobytes.
pub const MAX_FILE: u64 = 256 << 20;

/// The file that says what a package does.
const CUSTOMIZATIONS: &str = "customizations.xml";
/// Bytes of the largest `customizations.xml` that is read.
const MAX_CUSTOMIZATIONS: u64 = 2 << 20;

/// Why bytes can't be read as a package: what is wrong, and where. Never holds any of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    what: String,
    at: Option<u64>,
}

impl Broken {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), at: None }
    }
    fn at(mut self, at: u64) -> Self {
        self.at = Some(at);
        self
    }
    /// Returns it as a failure of what needed the package.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::new("package.unreadable", format!("it isn't a provisioning package that can be read: {self}"))
            .next("make it anew with Windows Configuration Designer, or name the right file")
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.at.map_or(Ok(()), |at| write!(f, " (byte {at})"))
    }
}
impl std::error::Error for Broken {}

/// What a package turned out to be.
enum Content {
    /// Its settings.
    Settings(Box<settings::Settings>),
    /// Nothing more can be known of it.
    Opaque { encrypted: bool, why: &'static str },
}

fn open(bytes: &[u8]) -> Result<(bool, Content), Broken> {
    if bytes.len() as u64 > MAX_FILE {
        return Err(Broken::new(format!("it has more than {} MiB", MAX_FILE >> 20)));
    }
    let (signed, container) = match cms::look(bytes) {
        None => (false, bytes),
        Some(cms::Cms::Signed(Some(inner))) => (true, inner),
        Some(cms::Cms::Signed(None)) => {
            return Ok((
                true,
                Content::Opaque { encrypted: false, why: "it is signed in a form that isn't known here" },
            ));
        }
        Some(cms::Cms::Enveloped) => {
            return Ok((false, Content::Opaque { encrypted: true, why: "its container is encrypted" }));
        }
    };
    let xml = wim::Wim::open(container)?.file(CUSTOMIZATIONS, MAX_CUSTOMIZATIONS)?;
    Ok((signed, Content::Settings(Box::new(settings::read(&xml)?))))
}

/// Reads what a package is and does. Who may read its file and where that lies isn't in its bytes: the caller knows.
///
/// # Errors
/// [`Broken`] where the bytes aren't a package. One that is encrypted is a fact, not an error.
pub fn read(bytes: &[u8]) -> Result<PackageFacts, Broken> {
    let (signed, content) = open(bytes)?;
    let mut facts = PackageFacts::of(Digest::of(bytes), bytes.len() as u64);
    facts.signed = signed;
    match content {
        Content::Opaque { encrypted, why } => {
            facts.encrypted = encrypted;
            facts.opaque = Some(why.to_owned());
        }
        Content::Settings(settings) => settings.tell(&mut facts),
    }
    Ok(facts)
}

/// Returns what a file is, also where it is no package.
#[must_use]
pub fn look(bytes: &[u8]) -> PackageFacts {
    read(bytes).unwrap_or_else(|broken| PackageFacts {
        broken: Some(broken.to_string()),
        ..PackageFacts::of(Digest::of(bytes), bytes.len() as u64)
    })
}

/// Returns the bulk token of a package, for who installs it: the lab's devices, where a real one has Windows.
///
/// # Errors
/// [`Broken`] where the bytes aren't a package, can't be looked into, or hold no token.
pub fn bulk_token(bytes: &[u8]) -> Result<SecretString, Broken> {
    match open(bytes)?.1 {
        Content::Opaque { why, .. } => Err(Broken::new(why)),
        Content::Settings(settings) => settings.token.ok_or_else(|| Broken::new("no bulk token is in it")),
    }
}

/// Says whether bytes are a `customizations.xml` that can be read. For tests that break it: in a container its
/// digest would be looked at first.
#[must_use]
pub fn is_customizations(bytes: &[u8]) -> bool {
    settings::read(bytes).is_ok_and(|settings| {
        let mut facts = PackageFacts::of(Digest::of(bytes), 0);
        let has = settings.token.as_ref().is_some_and(|token| !token.expose_secret().is_empty());
        settings.tell(&mut facts);
        facts.bulk_token == has
    })
}

#[cfg(test)]
mod tests;
