//! One person takes another's place in a descriptor: nothing else changes.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{AclPlace, Layout, layout, u16_at, u32_at};
use crate::model::Sid;
use crate::winformat::{FormatError, sid};

/// A descriptor after a substitution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substituted {
    /// The descriptor. The same bytes as before where [`Substituted::places`] is 0.
    pub bytes: Vec<u8>,
    /// How often the one was named and the other is now: as owner, as group, in entries.
    pub places: usize,
    /// How often the other had been named before. Where this isn't 0, substituting back doesn't give the first
    /// descriptor again: whoever wants it has to keep it.
    pub held: usize,
}

/// Who takes whose place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitution {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Substitution {
    /// Puts `to` in the place of `from`.
    ///
    /// # Errors
    /// Where one of them has no binary form.
    pub fn new(from: &Sid, to: &Sid) -> Result<Self, FormatError> {
        Ok(Self { from: sid::to_bytes(from)?, to: sid::to_bytes(to)? })
    }
    /// Says whether both take as many bytes, so that every place can be changed where it lies.
    #[must_use]
    pub fn is_same_length(&self) -> bool {
        self.from.len() == self.to.len()
    }
    /// Substitutes in a descriptor. The order of entries, their kinds, rights and flags stay: what `from` may do before
    /// is what `to` may do afterwards, and nobody else's rights change. Parts that aren't understood stay too.
    ///
    /// # Errors
    /// Where it isn't a descriptor, or would become larger than one may be.
    pub fn apply(&self, bytes: &[u8]) -> Result<Substituted, FormatError> {
        let layout = layout(bytes)?;
        let places = sids(&layout);
        let named = |person: &[u8]| places.keys().filter(|at| bytes[**at..].starts_with(person)).count();
        let held = if self.from == self.to { 0 } else { named(&self.to) };
        let hits: Vec<Range<usize>> =
            places.iter().map(|(at, end)| *at..*end).filter(|place| bytes[place.clone()] == *self.from).collect();
        let mut out = Substituted { bytes: bytes.to_vec(), places: hits.len(), held };
        if !hits.is_empty() {
            apart(&layout)?;
        }
        if self.is_same_length() {
            for place in hits {
                out.bytes[place].copy_from_slice(&self.to);
            }
        } else if !hits.is_empty() {
            out.bytes = self.resized(bytes, &layout, &hits)?;
        }
        Ok(out)
    }
    /// Takes the new SID into every place and moves what lies behind; sizes and offsets follow.
    fn resized(&self, bytes: &[u8], layout: &Layout, hits: &[Range<usize>]) -> Result<Vec<u8>, FormatError> {
        let too_large = || FormatError::new("an access list would be larger than 64 KiB", 0);
        let grown = |size: usize, hits: usize| {
            let size = (size + hits * self.to.len()).checked_sub(hits * self.from.len());
            size.and_then(|size| u16::try_from(size).ok()).ok_or_else(too_large)
        };
        let mut fixed = bytes.to_vec();
        for acl in [&layout.dacl, &layout.sacl].into_iter().flatten() {
            let hit = |range: Range<usize>| hits.iter().filter(|place| range.contains(&place.start)).count();
            let size = grown(acl.size, hit(acl.at..acl.at + acl.size))?;
            fixed[acl.at + 2..acl.at + 4].copy_from_slice(&size.to_le_bytes());
            for ace in &acl.aces {
                if ace.sid.as_ref().is_some_and(|place| bytes[place.clone()] == *self.from) {
                    let size = grown(usize::from(u16_at(bytes, ace.at + 2).unwrap_or_default()), 1)?;
                    fixed[ace.at + 2..ace.at + 4].copy_from_slice(&size.to_le_bytes());
                }
            }
        }
        for field in [4, 8, 12, 16] {
            let offset = u32_at(bytes, field).unwrap_or_default() as usize;
            let before = hits.iter().filter(|place| place.start < offset).count();
            let moved = (offset + before * self.to.len()).saturating_sub(before * self.from.len());
            fixed[field..field + 4].copy_from_slice(&u32::try_from(moved).map_err(|_| too_large())?.to_le_bytes());
        }
        let mut out = Vec::with_capacity(bytes.len() + hits.len() * self.to.len());
        let mut from = 0;
        for place in hits {
            out.extend_from_slice(&fixed[from..place.start]);
            out.extend_from_slice(&self.to);
            from = place.end;
        }
        out.extend_from_slice(&fixed[from..]);
        Ok(out)
    }
}

/// Every place of a SID, by where it begins, with its end. Owner and group may be one place.
fn sids(layout: &Layout) -> BTreeMap<usize, usize> {
    let of_acl = |acl: &'_ Option<AclPlace>| -> Vec<Range<usize>> {
        acl.iter().flat_map(|acl| acl.aces.iter().filter_map(|ace| ace.sid.clone())).collect()
    };
    let people = [&layout.owner, &layout.group].into_iter().flatten().cloned();
    people.chain(of_acl(&layout.dacl)).chain(of_acl(&layout.sacl)).map(|place| (place.start, place.end)).collect()
}

/// Where parts lie in each other, what changes one changes the other: such bytes are refused, Windows writes none.
fn apart(layout: &Layout) -> Result<(), FormatError> {
    let lists = [&layout.dacl, &layout.sacl].into_iter().flatten().map(|acl| acl.at..acl.at + acl.size);
    let people = [&layout.owner, &layout.group].into_iter().flatten().cloned();
    let mut parts: Vec<Range<usize>> = lists.chain(people).collect();
    parts.sort_by_key(|part| (part.start, part.end));
    parts.dedup();
    for pair in parts.windows(2) {
        if pair[0].end > pair[1].start {
            return Err(FormatError::new("parts of a security descriptor lie in each other", pair[1].start));
        }
    }
    Ok(())
}

/// Puts `to` in the place of `from` in one descriptor; see [`Substitution::apply`].
///
/// # Errors
/// Where it isn't a descriptor, or one of the two has no binary form.
pub fn substitute(bytes: &[u8], from: &Sid, to: &Sid) -> Result<Substituted, FormatError> {
    Substitution::new(from, to)?.apply(bytes)
}
