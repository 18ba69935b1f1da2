//! Self-relative security descriptors ([MS-DTYP] 2.4.6): who owns an object, and who may do what with it.

use std::ops::Range;

use uuid::Uuid;

use super::{FormatError, sid};
use crate::model::Sid;

mod substitute;

pub use substitute::{Substituted, Substitution, substitute};

const HEADER: usize = 20;
const ACL_HEADER: usize = 8;
const ACE_HEADER: usize = 4;
/// `SE_DACL_PRESENT`, `SE_SACL_PRESENT` and `SE_SELF_RELATIVE` of the control word.
const DACL_PRESENT: u16 = 0x0004;
const SACL_PRESENT: u16 = 0x0010;
const SELF_RELATIVE: u16 = 0x8000;

/// Where the person stands in an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Right after the mask.
    Plain,
    /// After the mask, flags and up to two GUIDs.
    Object,
    /// Nowhere that is known.
    Foreign,
}

/// Returns where kinds of entries have their SID ([MS-DTYP] 2.4.4.1). What follows the SID of a callback kind is left
/// as it is: a condition may name people too, and is not touched.
fn shape(kind: u8) -> Shape {
    match kind {
        // Allow, deny, audit, alarm; callback kinds of them; label, attribute, policy, trust, filter.
        0x00..=0x03 | 0x09 | 0x0a | 0x0d | 0x0e | 0x11..=0x15 => Shape::Plain,
        0x05..=0x08 | 0x0b | 0x0c | 0x0f | 0x10 => Shape::Object,
        _ => Shape::Foreign,
    }
}

/// One entry of an access list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ace {
    /// Its kind: 0 allow, 1 deny, 2 audit; others as [MS-DTYP] 2.4.4.1 numbers them.
    pub kind: u8,
    /// Inheritance and audit flags.
    pub flags: u8,
    /// The rights.
    pub mask: u32,
    /// For whom; none where the kind isn't known.
    pub sid: Option<Sid>,
    /// Of an object kind: the property, set of properties, class of children or extended right that it is for; none is
    /// for all of them.
    pub object: Option<Uuid>,
    /// Of an object kind: the class of objects that inherit it; none is any.
    pub inheritor: Option<Uuid>,
}

impl Ace {
    /// `INHERIT_ONLY_ACE`: it says nothing about the object itself.
    const INHERIT_ONLY: u8 = 0x08;
    /// Returns an entry of a kind that has nothing in it but a person.
    #[must_use]
    pub fn plain(kind: u8, flags: u8, mask: u32, sid: Sid) -> Self {
        Self { kind, flags, mask, sid: Some(sid), object: None, inheritor: None }
    }
    /// Says whether it lets somebody do something with the object itself: an allowing kind that isn't only inherited.
    #[must_use]
    pub fn allows(&self) -> bool {
        matches!(self.kind, 0x00 | 0x05 | 0x09 | 0x0b) && self.flags & Self::INHERIT_ONLY == 0
    }
}

/// A descriptor in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The control word: what is there, what is inherited or protected.
    pub control: u16,
    /// The owner.
    pub owner: Option<Sid>,
    /// The primary group.
    pub group: Option<Sid>,
    /// Who may do what, in order; none where there is no list, which lets everybody do everything.
    pub dacl: Option<Vec<Ace>>,
    /// What is audited, and the label.
    pub sacl: Option<Vec<Ace>>,
}

impl Descriptor {
    /// Returns a descriptor with an owner, a group and a list, as Windows writes them: list, owner, group.
    ///
    /// # Errors
    /// Where a SID has no binary form, an entry is of a kind that has more in it than a person, or the list is larger
    /// than 64 KiB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        let mut out = vec![0; HEADER];
        out[0] = 1;
        out[2..4].copy_from_slice(&(self.control | SELF_RELATIVE).to_le_bytes());
        let mut put = |field: usize, part: Option<Vec<u8>>| {
            if let Some(part) = part {
                let at = u32::try_from(out.len()).map_err(|_| TOO_LARGE)?;
                out[field..field + 4].copy_from_slice(&at.to_le_bytes());
                out.extend(part);
            }
            Ok(())
        };
        put(12, self.sacl.as_deref().map(acl_bytes).transpose()?)?;
        put(16, self.dacl.as_deref().map(acl_bytes).transpose()?)?;
        put(4, self.owner.as_ref().map(sid::to_bytes).transpose()?)?;
        put(8, self.group.as_ref().map(sid::to_bytes).transpose()?)?;
        Ok(out)
    }
    /// Says whether an entry lets somebody do all of these rights with the object itself.
    #[must_use]
    pub fn allows(&self, sid: &Sid, rights: u32) -> bool {
        let granted = |ace: &&Ace| ace.allows() && ace.sid.as_ref() == Some(sid) && ace.mask & rights == rights;
        self.dacl.as_ref().is_some_and(|aces| aces.iter().any(|ace| granted(&ace)))
    }
}

const TOO_LARGE: FormatError = FormatError { what: "an access list would be larger than 64 KiB", at: 0 };

fn acl_bytes(aces: &[Ace]) -> Result<Vec<u8>, FormatError> {
    let mut body = Vec::new();
    for ace in aces {
        let Some(person) = ace.sid.as_ref().filter(|_| matches!(ace.kind, 0..=3 | 5 | 6)) else {
            return Err(FormatError::new("an entry has more in it than a person", 0));
        };
        let person = sid::to_bytes(person)?;
        let types = if shape(ace.kind) == Shape::Object { object_types(ace) } else { Vec::new() };
        let size = u16::try_from(8 + types.len() + person.len()).map_err(|_| TOO_LARGE)?;
        body.extend([ace.kind, ace.flags]);
        body.extend(size.to_le_bytes());
        body.extend(ace.mask.to_le_bytes());
        body.extend(types);
        body.extend(person);
    }
    let size = u16::try_from(ACL_HEADER + body.len()).map_err(|_| TOO_LARGE)?;
    let count = u16::try_from(aces.len()).map_err(|_| TOO_LARGE)?;
    // Revision 4 where there are object entries ([MS-DTYP] 2.4.5).
    let objects = aces.iter().any(|ace| shape(ace.kind) == Shape::Object);
    let mut out = vec![if objects { 4 } else { 2 }, 0];
    out.extend(size.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend([0, 0]);
    out.extend(body);
    Ok(out)
}

/// Returns what stands between the mask and the SID of an object entry ([MS-DTYP] 2.4.4.3).
fn object_types(ace: &Ace) -> Vec<u8> {
    let flags = u32::from(ace.object.is_some()) | u32::from(ace.inheritor.is_some()) << 1;
    let mut out = flags.to_le_bytes().to_vec();
    out.extend([ace.object, ace.inheritor].into_iter().flatten().flat_map(|guid| guid.to_bytes_le()));
    out
}

/// Reads a descriptor.
///
/// # Errors
/// Where it isn't self-relative, or a part reaches beyond its end.
pub fn parse(bytes: &[u8]) -> Result<Descriptor, FormatError> {
    let layout = layout(bytes)?;
    let person = |place: &Range<usize>| sid::from_bytes(&bytes[place.clone()]);
    let list = |acl: &AclPlace| -> Result<Vec<Ace>, FormatError> {
        let ace = |place: &AcePlace| {
            Ok(Ace {
                kind: bytes[place.at],
                flags: bytes[place.at + 1],
                mask: u32_at(bytes, place.at + ACE_HEADER).unwrap_or_default(),
                sid: place.sid.as_ref().map(person).transpose()?,
                object: place.object.and_then(|at| guid_at(bytes, at)),
                inheritor: place.inheritor.and_then(|at| guid_at(bytes, at)),
            })
        };
        acl.aces.iter().map(ace).collect()
    };
    Ok(Descriptor {
        control: layout.control,
        owner: layout.owner.as_ref().map(person).transpose()?,
        group: layout.group.as_ref().map(person).transpose()?,
        dacl: layout.dacl.as_ref().map(list).transpose()?,
        sacl: layout.sacl.as_ref().map(list).transpose()?,
    })
}

/// Where everything lies in a descriptor.
struct Layout {
    control: u16,
    owner: Option<Range<usize>>,
    group: Option<Range<usize>>,
    dacl: Option<AclPlace>,
    sacl: Option<AclPlace>,
}

struct AclPlace {
    at: usize,
    size: usize,
    aces: Vec<AcePlace>,
}

struct AcePlace {
    at: usize,
    sid: Option<Range<usize>>,
    object: Option<usize>,
    inheritor: Option<usize>,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Reads a GUID as Microsoft writes it: three numbers, the lowest byte first, and eight bytes ([MS-DTYP] 2.3.4.2).
fn guid_at(bytes: &[u8], at: usize) -> Option<Uuid> {
    Some(Uuid::from_bytes_le(*bytes.get(at..)?.first_chunk()?))
}

fn layout(bytes: &[u8]) -> Result<Layout, FormatError> {
    let short = FormatError::new("a security descriptor is cut off", bytes.len());
    let offset = |at: usize| u32_at(bytes, at).map(|offset| offset as usize).ok_or_else(|| short.clone());
    if bytes.len() < HEADER {
        return Err(short);
    }
    if bytes[0] != 1 {
        return Err(FormatError::new("a security descriptor isn't of revision 1", 0));
    }
    let control = u16_at(bytes, 2).unwrap_or_default();
    if control & SELF_RELATIVE == 0 {
        return Err(FormatError::new("a security descriptor isn't self-relative", 2));
    }
    let person = |at: usize| -> Result<Option<Range<usize>>, FormatError> {
        match offset(at)? {
            0 => Ok(None),
            from if from < HEADER => Err(FormatError::new("a part lies in the header", at)),
            from => sid_at(bytes, from, bytes.len()).map(Some),
        }
    };
    let list = |at: usize, present: u16| -> Result<Option<AclPlace>, FormatError> {
        match offset(at)? {
            // Without the flag the offset means nothing; with the flag and no offset there is no list.
            _ if control & present == 0 => Ok(None),
            0 => Ok(None),
            from if from < HEADER => Err(FormatError::new("a part lies in the header", at)),
            from => acl_at(bytes, from).map(Some),
        }
    };
    Ok(Layout {
        control,
        owner: person(4)?,
        group: person(8)?,
        sacl: list(12, SACL_PRESENT)?,
        dacl: list(16, DACL_PRESENT)?,
    })
}

fn sid_at(bytes: &[u8], at: usize, end: usize) -> Result<Range<usize>, FormatError> {
    let inside = bytes.get(at..end).unwrap_or_default();
    sid::length(inside).map(|length| at..at + length).map_err(|what| FormatError::new(what, at))
}

fn acl_at(bytes: &[u8], at: usize) -> Result<AclPlace, FormatError> {
    let cut_off = || FormatError::new("an access list is cut off", at);
    let size = usize::from(u16_at(bytes, at.saturating_add(2)).ok_or_else(cut_off)?);
    let count = usize::from(u16_at(bytes, at.saturating_add(4)).ok_or_else(cut_off)?);
    let end = at + size;
    if size < ACL_HEADER || end > bytes.len() {
        return Err(cut_off());
    }
    let mut aces = Vec::with_capacity(count.min(size / ACE_HEADER));
    let mut next = at + ACL_HEADER;
    for _ in 0..count {
        let ace_size = if next + ACE_HEADER <= end { u16_at(bytes, next + 2) } else { None };
        let ace_size = usize::from(ace_size.ok_or_else(cut_off)?);
        let ace_end = next + ace_size;
        // Eight bytes hold the header and the mask; a multiple of four is what Windows itself demands.
        if ace_size < 8 || !ace_size.is_multiple_of(4) || ace_end > end {
            return Err(FormatError::new("an entry of an access list has a wrong size", next));
        }
        let (mut object, mut inheritor) = (None, None);
        let sid = match shape(bytes[next]) {
            Shape::Foreign => None,
            Shape::Plain => Some(sid_at(bytes, next + 8, ace_end)?),
            Shape::Object => {
                let flags = if ace_size < 12 { None } else { u32_at(bytes, next + 8) };
                let flags = flags.ok_or_else(|| FormatError::new("an entry of an access list is cut off", next))?;
                let guids = usize::from(flags & 1 != 0) + usize::from(flags & 2 != 0);
                object = (flags & 1 != 0).then_some(next + 12);
                inheritor = (flags & 2 != 0).then(|| next + 12 + 16 * guids.saturating_sub(1));
                Some(sid_at(bytes, (next + 12 + 16 * guids).min(ace_end), ace_end)?)
            }
        };
        aces.push(AcePlace { at: next, sid, object, inheritor });
        next = ace_end;
    }
    Ok(AclPlace { at, size, aces })
}

#[cfg(test)]
mod tests;
