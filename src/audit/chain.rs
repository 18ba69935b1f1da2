//! One entry, and the link from it to the one before.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::fact::Fact;
use super::head::Head;
use crate::model::Digest;
use crate::trust::canonical;

/// Stands before every text that is hashed, so that the digest of something else is never one of an entry.
pub(super) const DOMAIN: &str = "opsole-audit/1\n";

/// Something to be added to the list: the store gives it its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When, by the world's clock.
    pub at: Timestamp,
    /// Who: `person@machine`, or `controller` for what a run does by itself.
    pub actor: String,
    /// What.
    pub fact: Fact,
}

/// An entry as it is kept: texts, exactly as they were hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Place in the list, from 1 without gaps.
    pub seq: u64,
    /// When.
    pub at: String,
    /// Who.
    pub actor: String,
    /// Name of what it tells.
    pub kind: String,
    /// Canonical JSON.
    pub body: String,
    /// Digest of the entry before; of the domain alone in the first.
    pub prev: String,
    /// Digest over all of that.
    pub hash: String,
}

/// An entry that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Place in the list.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub fact: Fact,
}

impl Note {
    /// Makes the entry that follows a head.
    #[must_use]
    pub fn link(&self, after: &Head) -> Link {
        let (kind, body) = self.fact.parts();
        let mut link = Link {
            seq: after.seq.saturating_add(1),
            at: self.at.to_string(),
            actor: self.actor.clone(),
            kind,
            body,
            prev: after.hash.to_string(),
            hash: String::new(),
        };
        link.hash = link.digest().to_string();
        link
    }
}

impl Link {
    /// Returns the digest that its content has.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let text = serde_json::json!({
            "actor": self.actor, "at": self.at, "body": self.body, "kind": self.kind, "prev": self.prev, "seq": self.seq,
        });
        let mut bytes = DOMAIN.as_bytes().to_vec();
        bytes.extend(canonical(&text).expect("texts and a number are JSON"));
        Digest::of(&bytes)
    }

    /// Returns the head of a list that ends with it.
    ///
    /// # Errors
    /// Where its hash isn't a digest.
    pub fn head(&self) -> Result<Head, String> {
        Ok(Head { seq: self.seq, hash: self.hash.parse()? })
    }

    /// Reads what it tells; nothing where a newer version wrote it, or somebody else.
    #[must_use]
    pub fn entry(&self) -> Option<Entry> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        let fact = serde_json::from_value(serde_json::json!({"kind": self.kind, "body": body})).ok()?;
        Some(Entry { seq: self.seq, at: self.at.parse().ok()?, actor: self.actor.clone(), fact })
    }
}
