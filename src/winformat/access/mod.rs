//! Effective rights: what somebody may do with an object of Active Directory, from the object's descriptor and the SIDs
//! of whoever asks. Nothing is asked of anybody, and nothing is tried.
//!
//! The rules are those of [MS-DTYP] 2.5.3.2 (order, allow and deny, the owner) and [MS-ADTS] 5.1.3 (rights of a directory,
//! properties and their sets, children by class, inheritance).

use std::collections::BTreeSet;

use uuid::{Uuid, uuid};

use super::descriptor::{Ace, Descriptor};
use crate::model::Sid;

/// Making a child (`ADS_RIGHT_DS_CREATE_CHILD`; [MS-ADTS] 5.1.3.2 has these and those that follow).
pub const CREATE_CHILD: u32 = 0x0001;
/// Deleting a child.
pub const DELETE_CHILD: u32 = 0x0002;
/// Reading a property.
pub const READ_PROPERTY: u32 = 0x0010;
/// Writing a property.
pub const WRITE_PROPERTY: u32 = 0x0020;
/// Deleting the object with all below it.
pub const DELETE_TREE: u32 = 0x0040;
/// Deleting the object itself.
pub const DELETE: u32 = 0x0001_0000;
/// Reading the descriptor.
pub const READ_CONTROL: u32 = 0x0002_0000;
/// Writing the list of rights.
pub const WRITE_DAC: u32 = 0x0004_0000;

/// The class `computer` ([MS-ADSC]).
pub const COMPUTER: Uuid = uuid!("bf967a86-0de6-11d0-a285-00aa003049e2");
/// The class `organizationalUnit`.
pub const ORGANIZATIONAL_UNIT: Uuid = uuid!("bf967aa5-0de6-11d0-a285-00aa003049e2");
/// `userAccountControl` ([MS-ADA3]), and the set of properties that it is in: account restrictions.
pub const ACCOUNT_CONTROL: [Uuid; 2] =
    [uuid!("bf967a68-0de6-11d0-a285-00aa003049e2"), uuid!("4c164200-20c0-11d0-a768-00aa006e0529")];
/// `description` ([MS-ADA1]), and the set of properties that it is in: general information.
pub const DESCRIPTION: [Uuid; 2] =
    [uuid!("bf967950-0de6-11d0-a285-00aa003049e2"), uuid!("59ba2f42-79a2-11d0-9020-00c04fc2d3cf")];

/// Flags of an entry ([MS-DTYP] 2.4.4.1): containers inherit it; it goes no further than the child; it says nothing of
/// the object itself; it came from above.
const CONTAINER_INHERIT: u8 = 0x02;
const NO_PROPAGATE: u8 = 0x04;
const INHERIT_ONLY: u8 = 0x08;
const INHERITED: u8 = 0x10;

/// `OWNER RIGHTS`: where an entry names it, the owner has what that says and nothing of itself.
const OWNER_RIGHTS: &str = "S-1-3-4";
/// `SELF`: the object, where it is somebody.
const PRINCIPAL_SELF: &str = "S-1-5-10";

/// The SIDs of whoever asks: the account, its groups, and those that everybody has who signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(BTreeSet<Sid>);

impl Token {
    /// Returns the token of an account with its groups, as `tokenGroups` has them. Everyone, Authenticated Users and the
    /// account's own SID are added.
    #[must_use]
    pub fn new(account: &Sid, groups: impl IntoIterator<Item = Sid>) -> Self {
        let everybody = ["S-1-1-0", "S-1-5-11"].into_iter().filter_map(|sid| sid.parse().ok());
        Self(groups.into_iter().chain([account.clone()]).chain(everybody).collect())
    }
    fn has(&self, sid: &Sid) -> bool {
        self.0.contains(sid)
    }
}

/// An object, as far as rights on it go.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its descriptor.
    pub descriptor: &'a Descriptor,
    /// `schemaIDGUID` of its class.
    pub class: Uuid,
    /// Its own SID, where it is an account.
    pub sid: Option<&'a Sid>,
}

/// Returns the rights that a mask stands for: the generic ones are names for sets of a directory's rights
/// ([MS-ADTS] 5.1.3.2).
#[must_use]
pub fn mapped(mask: u32) -> u32 {
    const GENERIC: [(u32, u32); 4] = [
        (0x8000_0000, 0x0002_0094), // read: READ_CONTROL, list, read property, list object
        (0x4000_0000, 0x0002_0028), // write: READ_CONTROL, self, write property
        (0x2000_0000, 0x0002_0004), // execute: READ_CONTROL, list
        (0x1000_0000, 0x000f_01ff), // all
    ];
    let specific = GENERIC.iter().filter(|(generic, _)| mask & generic != 0).fold(mask, |all, (_, these)| all | these);
    specific & 0x0fff_ffff
}

/// Says whether all of these rights are there.
///
/// `of` are the kinds that the right is wanted for, any of which an entry may name: a property and the set that it is in,
/// or a class of children. An entry that names none is for all of them. Where `of` is empty the right is wanted on the
/// object as a whole, and an entry for one property or one class gives nothing.
#[must_use]
pub fn allowed(target: Target<'_>, token: &Token, rights: u32, of: &[Uuid]) -> bool {
    let Some(dacl) = &target.descriptor.dacl else { return true };
    let mut left = mapped(rights);
    let is_owner = target.descriptor.owner.as_ref().is_some_and(|owner| token.has(owner));
    let counts = |ace: &&Ace| ace.flags & INHERIT_ONLY == 0 && ace.inheritor.is_none_or(|class| class == target.class);
    let named = |ace: &Ace| ace.sid.as_ref().is_some_and(|sid| sid.as_str() == OWNER_RIGHTS);
    if is_owner && !dacl.iter().filter(counts).any(named) {
        left &= !(READ_CONTROL | WRITE_DAC);
    }
    // The object's own class stands for all of it; of a right on children the class names them.
    let whole = rights & (CREATE_CHILD | DELETE_CHILD) == 0;
    let applies = |ace: &Ace| {
        let Some(sid) = &ace.sid else { return false };
        let them = token.has(sid)
            || (sid.as_str() == OWNER_RIGHTS && is_owner)
            || (sid.as_str() == PRINCIPAL_SELF && target.sid.is_some_and(|own| token.has(own)));
        them && ace.object.is_none_or(|kind| of.contains(&kind) || (whole && kind == target.class))
    };
    for ace in dacl.iter().filter(counts).filter(|ace| applies(ace)) {
        if left == 0 {
            break;
        }
        match ace.kind {
            0x00 | 0x05 => left &= !mapped(ace.mask),
            // The first entry that says something of a right decides it.
            0x01 | 0x06 if mapped(ace.mask) & left != 0 => return false,
            // A callback kind that denies has a condition that can't be judged here: it is taken to hold.
            0x0a | 0x0c if mapped(ace.mask) & left != 0 => return false,
            // One that allows is taken not to hold, and audit entries give nothing.
            _ => {}
        }
    }
    left == 0
}

/// Says whether an object may be deleted: by a right on itself, or by one on what it lies in ([MS-ADTS] 3.1.1.5.5.1).
#[must_use]
pub fn may_delete(object: Target<'_>, parent: Target<'_>, token: &Token) -> bool {
    allowed(object, token, DELETE, &[]) || allowed(parent, token, DELETE_CHILD, &[object.class])
}

/// Returns what an object of a class has from the container that it lies in, as a list of its own ([MS-ADTS] 6.1.3).
/// What `CREATOR OWNER` inherits depends on who made the object, and is left out.
#[must_use]
pub fn inherited(parent: &Descriptor, class: Uuid) -> Descriptor {
    const CREATORS: [&str; 2] = ["S-1-3-0", "S-1-3-1"];
    let hands_on = |ace: &&Ace| {
        let creators = ace.sid.as_ref().is_some_and(|sid| CREATORS.contains(&sid.as_str()));
        ace.flags & CONTAINER_INHERIT != 0 && ace.inheritor.is_none_or(|of| of == class) && !creators
    };
    let child = |ace: &Ace| {
        let stops = if ace.flags & NO_PROPAGATE == 0 { 0 } else { CONTAINER_INHERIT | NO_PROPAGATE };
        let flags = (ace.flags | INHERITED) & !INHERIT_ONLY & !stops;
        Ace { flags, ..ace.clone() }
    };
    let dacl = parent.dacl.as_ref().map(|list| list.iter().filter(hands_on).map(child).collect());
    Descriptor { control: parent.control, owner: None, group: None, dacl, sacl: None }
}

#[cfg(test)]
mod tests;
