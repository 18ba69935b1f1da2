//! The file: a line that names the format, the body, then one line for each signature.
//!
//! Every byte counts. What isn't in its one canonical writing isn't read, so that a file that was touched anywhere,
//! if only in the writing of a number, is noticed before any signature is looked at.

use super::body::{Body, FORMAT};
use super::sign::{Statement, StatementKind};
use crate::model::Digest;
use crate::trust::{Signer, canonical};

/// First line.
const MAGIC: &str = "opsole-sealed/1";
/// A file that is larger isn't read: a hundred thousand devices take a third of it.
pub const MAX_BYTES: usize = 512 << 20;
/// Signatures in one file.
const STATEMENTS_MAX: usize = 256;

/// Why a file isn't a sealed plan that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// Not a sealed plan, or not one of a format that is known.
    #[error("it isn't a sealed plan of format 1")]
    Format,
    /// A newer version wrote it.
    #[error("it was written by a newer version of opsole (format {0})")]
    Newer(u64),
    /// It was cut, or something was changed in it.
    #[error("it was changed or cut: {0}")]
    Damaged(String),
    /// The seal isn't one.
    #[error("its seal doesn't fit its content: something in it was changed after it was sealed")]
    Seal,
    /// A signature isn't one.
    #[error("the signature in line {0} doesn't fit its content")]
    Signature(usize),
}

/// A sealed plan as it was read: its body and its genuine statements.
#[derive(Debug, Clone, PartialEq)]
pub struct Sealed {
    bytes: Vec<u8>,
    digest: Digest,
    /// The content.
    pub body: Body,
    /// Signed lines; the first is the seal.
    pub statements: Vec<Statement>,
}

impl Sealed {
    /// Seals a body.
    ///
    /// # Errors
    /// [`SealedError::Damaged`] where the body itself isn't sound.
    pub fn new(body: Body, by: &str, signer: &Signer) -> Result<Self, SealedError> {
        body.check().map_err(SealedError::Damaged)?;
        let bytes = canonical(&body).map_err(|e| SealedError::Damaged(e.to_string()))?;
        let digest = Digest::of(&bytes);
        let seal = Statement {
            kind: StatementKind::Seal,
            over: digest,
            key: signer.public(),
            by: by.to_owned(),
            role: None,
            at: body.sealed_at,
            ticket: None,
            note: None,
            signature: String::new(),
        }
        .signed(signer);
        Ok(Self { bytes, digest, body, statements: vec![seal] })
    }

    /// Reads a file. Whose keys they are and whether they count is [`super::hold`]'s question.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, SealedError> {
        let cut = |what: &str| SealedError::Damaged(what.to_owned());
        if bytes.len() > MAX_BYTES {
            return Err(cut("it is larger than any plan"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| SealedError::Format)?;
        let mut lines = text.strip_suffix('\n').ok_or(SealedError::Format)?.split('\n');
        match lines.next() {
            Some(MAGIC) => {}
            Some(other) => {
                let newer = other.strip_prefix("opsole-sealed/").and_then(|number| number.parse::<u64>().ok());
                return Err(newer.filter(|n| *n > 1).map_or(SealedError::Format, SealedError::Newer));
            }
            None => return Err(SealedError::Format),
        }
        let line = lines.next().ok_or_else(|| cut("the content is missing"))?;
        // Signatures come first: nothing of the content is read before it is known to be what was sealed.
        let digest = Digest::of(line.as_bytes());
        let statements = statements(lines, digest)?;
        let body: Body = serde_json::from_str(line).map_err(|e| match head(line) {
            Some(format) if format > u64::from(FORMAT) => SealedError::Newer(format),
            _ => SealedError::Damaged(format!("the content can't be read (column {})", e.column())),
        })?;
        body.check().map_err(SealedError::Damaged)?;
        let canon = canonical(&body).map_err(|e| SealedError::Damaged(e.to_string()))?;
        if canon != line.as_bytes() {
            return Err(cut("the content isn't in its canonical writing"));
        }
        Ok(Self { bytes: canon, digest, body, statements })
    }

    /// Returns the file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes.len() + 1024);
        bytes.extend(MAGIC.as_bytes());
        bytes.push(b'\n');
        bytes.extend(&self.bytes);
        bytes.push(b'\n');
        for statement in &self.statements {
            bytes.extend(canonical(statement).expect("a statement holds nothing that JSON can't"));
            bytes.push(b'\n');
        }
        bytes
    }

    /// Returns the digest of the content: what people sign and name.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Adds a signed line.
    ///
    /// # Errors
    /// Where it is a second seal, is over something else, or isn't genuine.
    pub fn add(&mut self, statement: Statement) -> Result<(), SealedError> {
        let number = self.statements.len() + 3;
        if statement.kind == StatementKind::Seal || statement.over != self.digest || !statement.is_genuine() {
            return Err(SealedError::Signature(number));
        }
        self.statements.push(statement);
        Ok(())
    }

    /// Returns the seal.
    #[must_use]
    pub fn seal(&self) -> &Statement {
        // `new` and `read` see to it that there is one.
        &self.statements[0]
    }
}

/// Reads the signed lines: a seal, then what people signed, all over one digest.
fn statements<'l>(lines: impl Iterator<Item = &'l str>, digest: Digest) -> Result<Vec<Statement>, SealedError> {
    let cut = |what: &str| SealedError::Damaged(what.to_owned());
    let mut statements = Vec::new();
    for (at, line) in lines.enumerate() {
        if at >= STATEMENTS_MAX {
            return Err(cut("it has more signatures than any plan"));
        }
        let number = at + 3;
        let unread = || SealedError::Damaged(format!("line {number} can't be read"));
        let statement: Statement = serde_json::from_str(line).map_err(|_| unread())?;
        if canonical(&statement).map_err(|_| unread())? != line.as_bytes() {
            return Err(unread());
        }
        let is_seal = statement.kind == StatementKind::Seal;
        if is_seal != (at == 0) {
            return Err(cut("a plan has one seal, and it comes first"));
        }
        if statement.over != digest || !statement.is_genuine() {
            return Err(if is_seal { SealedError::Seal } else { SealedError::Signature(number) });
        }
        statements.push(statement);
    }
    if statements.is_empty() {
        return Err(cut("the seal is missing"));
    }
    Ok(statements)
}

/// Returns the version of a body that can't be read as a whole.
fn head(line: &str) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: u64,
    }
    serde_json::from_str::<Head>(line).ok().map(|head| head.format)
}
