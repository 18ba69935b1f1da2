//! The security cells of a hive, and how they change hands.

use std::collections::BTreeSet;

use super::{FormatError, HEADER, Hive, NONE, u32_at};
use crate::model::Sid;
use crate::winformat::descriptor::Substitution;

/// Where the length and the bytes of the descriptor stand in a security cell.
const LENGTH: usize = 16;
const BYTES: usize = 20;

/// A hive after its security was rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The hive, as long as before.
    pub bytes: Vec<u8>,
    /// How many descriptors changed.
    pub cells: usize,
    /// How many places in them changed.
    pub places: usize,
    /// How many descriptors had named the new owner before: where it isn't 0, rewriting back isn't exact.
    pub held: usize,
}

/// Returns the descriptor in a security cell.
pub(super) fn descriptor<'a>(hive: &Hive<'a>, at: u32) -> Result<&'a [u8], FormatError> {
    let wrong = |what| FormatError::new(what, HEADER.saturating_add(at as usize));
    let cell = hive.cell(at)?;
    if !cell.starts_with(b"sk") {
        return Err(wrong("a security cell is damaged"));
    }
    let length = u32_at(cell, LENGTH).ok_or_else(|| wrong("a security cell is cut off"))? as usize;
    cell.get(BYTES..BYTES.saturating_add(length)).ok_or_else(|| wrong("a security cell is cut off"))
}

/// Returns the offsets of all security cells: those that keys name, and those of the ring that they hang in. Cells
/// aren't searched by their first letters, since data of values can begin with the same ones.
fn cells(hive: &Hive<'_>) -> Result<BTreeSet<u32>, FormatError> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut queue = vec![hive.root()?];
    while let Some(key) = queue.pop() {
        found.insert(key.security_cell());
        for below in key.keys()? {
            // A key that is its own ancestor would be walked for ever.
            if !seen.insert(below.place()) {
                return Err(FormatError::new("a key stands below two keys", HEADER + below.place() as usize));
            }
            queue.push(below);
        }
    }
    let first = hive.root()?.security_cell();
    let mut at = first;
    let mut steps = BTreeSet::new();
    while steps.insert(at) {
        found.insert(at);
        at = hive.cell(at)?.get(4..).and_then(|rest| u32_at(rest, 0)).unwrap_or(NONE);
    }
    if at != first {
        return Err(FormatError::new("the ring of security cells is damaged", HEADER.saturating_add(at as usize)));
    }
    Ok(found)
}

/// Rewrites every descriptor of a hive: `rewrite` gets where its cell lies and the descriptor, and gives another one of
/// the same length, or none to leave it. The length of the hive, its header and all keys and values stay.
///
/// Takes time in proportion to the keys, which are walked for their security.
///
/// # Errors
/// Where the hive is dirty or damaged, where `rewrite` fails, or gives a descriptor of another length.
pub fn rewrite_security(
    bytes: &[u8],
    mut rewrite: impl FnMut(u32, &[u8]) -> Result<Option<Vec<u8>>, FormatError>,
) -> Result<(Vec<u8>, usize), FormatError> {
    let hive = Hive::parse(bytes)?;
    if hive.is_dirty() {
        return Err(FormatError::new("changes of the hive still lie in its log files", 4));
    }
    let mut out = bytes.to_vec();
    let mut changed = 0;
    for at in cells(&hive)? {
        let before = descriptor(&hive, at)?;
        let Some(after) = rewrite(at, before)? else { continue };
        if after.len() != before.len() {
            return Err(FormatError::new("another length of a descriptor doesn't fit its cell", HEADER + at as usize));
        }
        let from = HEADER + at as usize + 4 + BYTES;
        out[from..from + after.len()].copy_from_slice(&after);
        changed += 1;
    }
    Ok((out, changed))
}

/// Puts `to` in the place of `from` in every descriptor of a hive. The other way round it gives the same bytes again
/// where [`Rewritten::held`] is 0.
///
/// # Errors
/// Where the two SIDs take a different number of bytes (people of Active Directory and Entra don't), and as
/// [`rewrite_security`].
pub fn substitute_security(bytes: &[u8], from: &Sid, to: &Sid) -> Result<Rewritten, FormatError> {
    let substitution = Substitution::new(from, to)?;
    if !substitution.is_same_length() {
        return Err(FormatError::new("the two owners take a different number of bytes in a hive", 0));
    }
    let (mut places, mut held) = (0, 0);
    let (bytes, cells) = rewrite_security(bytes, |_, descriptor| {
        let after = substitution.apply(descriptor)?;
        places += after.places;
        held += usize::from(after.held > 0);
        Ok((after.places > 0).then_some(after.bytes))
    })?;
    Ok(Rewritten { bytes, cells, places, held })
}
