//! Self-relative security descriptors, as the calls give and take them (\[MS-DTYP] 2.4.6).

use crate::model::Sid;

/// SE_SELF_RELATIVE and SE_DACL_PRESENT.
const CONTROL: u16 = 0x8004;
/// SE_DACL_PROTECTED: nothing is inherited.
const PROTECTED: u16 = 0x1000;
/// FILE_ALL_ACCESS.
const ALL: u32 = 0x001f_01ff;
/// OBJECT_INHERIT_ACE and CONTAINER_INHERIT_ACE.
const INHERIT: u8 = 3;

/// Returns a SID's binary form; a SID that is none becomes the null SID.
fn sid_bytes(sid: &str) -> Vec<u8> {
    let mut parts = sid.split('-').skip(2).map(|part| part.parse::<u64>().unwrap_or(0));
    let authority = parts.next().unwrap_or(0).to_be_bytes();
    let subs: Vec<u32> = parts.map(|part| u32::try_from(part).unwrap_or(0)).collect();
    let mut bytes = vec![1, u8::try_from(subs.len()).unwrap_or(0)];
    bytes.extend_from_slice(&authority[2..]);
    for sub in subs {
        bytes.extend_from_slice(&sub.to_le_bytes());
    }
    bytes
}

/// Returns the descriptor of something that the owner has and that the others may do everything with.
#[must_use]
pub fn descriptor(owner: &Sid, allowed: &[&str], protected: bool) -> Vec<u8> {
    let (owner, group) = (sid_bytes(owner.as_str()), sid_bytes("S-1-5-18"));
    let mut aces = Vec::new();
    for sid in allowed {
        let sid = sid_bytes(sid);
        let length = u16::try_from(8 + sid.len()).unwrap_or(u16::MAX);
        aces.extend_from_slice(&[0, INHERIT]);
        aces.extend_from_slice(&length.to_le_bytes());
        aces.extend_from_slice(&ALL.to_le_bytes());
        aces.extend_from_slice(&sid);
    }
    let at = |before: usize| u32::try_from(20 + before).unwrap_or(u32::MAX).to_le_bytes();
    let control = if protected { CONTROL | PROTECTED } else { CONTROL };
    let mut bytes = vec![1, 0];
    bytes.extend_from_slice(&control.to_le_bytes());
    bytes.extend_from_slice(&at(0));
    bytes.extend_from_slice(&at(owner.len()));
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&at(owner.len() + group.len()));
    bytes.extend_from_slice(&owner);
    bytes.extend_from_slice(&group);
    bytes.extend_from_slice(&[2, 0]);
    bytes.extend_from_slice(&u16::try_from(8 + aces.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(&u16::try_from(allowed.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&aces);
    bytes
}

/// Returns the descriptor of what only SYSTEM and Administrators can read and write.
#[must_use]
pub fn private_descriptor() -> Vec<u8> {
    let system: Sid = "S-1-5-18".parse().unwrap_or_else(|_| unreachable!("a SID"));
    descriptor(&system, &["S-1-5-18", "S-1-5-32-544"], true)
}

/// Returns the descriptor of what lies about anywhere: everybody's to read, of no interest to anybody.
pub(super) fn common_descriptor() -> Vec<u8> {
    let system: Sid = "S-1-5-18".parse().unwrap_or_else(|_| unreachable!("a SID"));
    descriptor(&system, &["S-1-5-18", "S-1-5-32-544", "S-1-5-32-545"], false)
}
