//! The folders of an image: entries of variable length that refer to each other by their place.
//!
//! Whoever made the file chose the places, so that folders may hold themselves: none is looked into twice. The walk is
//! bounded by the number of entries that it looks at and by depth, and keeps no paths.

use std::collections::BTreeSet;

use super::Broken;
use super::bytes::{array, u16_at, u32_at, u64_at};

/// Fixed part of an entry.
const ENTRY: usize = 102;
/// Entries that are looked at.
const MAX_ENTRIES: usize = 50_000;
/// Folders in folders.
const MAX_DEPTH: usize = 64;
/// Named streams of one file.
const MAX_STREAMS: u16 = 64;

const DIRECTORY: u32 = 0x10;
const REPARSE_POINT: u32 = 0x400;

struct Node<'a> {
    attributes: u32,
    children: u64,
    sha1: [u8; 20],
    /// In UTF-16.
    name: &'a [u8],
    next: usize,
}

impl Node<'_> {
    fn is_named(&self, name: &str) -> bool {
        let units = self.name.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        self.name.len() == 2 * name.len()
            && units
                .zip(name.bytes())
                .all(|(unit, byte)| u8::try_from(unit).is_ok_and(|own| own.eq_ignore_ascii_case(&byte)))
    }
}

fn aligned(at: usize) -> Option<usize> {
    at.checked_add(7).map(|at| at & !7)
}

/// Reads one entry; none at the end of a folder.
fn node(metadata: &[u8], at: usize) -> Result<Option<Node<'_>>, Broken> {
    let broken = |why: &str| Broken::new(format!("an entry of the image {why}")).at(at as u64);
    let short = || broken("goes beyond its end");
    let length = u64_at(metadata, at).ok_or_else(short)?;
    if length < 8 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| short())?;
    let entry = at.checked_add(length).and_then(|end| metadata.get(at..end)).ok_or_else(short)?;
    let fixed = entry.get(..ENTRY).ok_or_else(|| broken("is too short"))?;
    let number = |at| u16_at(fixed, at).ok_or_else(short);
    let name_length = usize::from(number(100)?);
    let name = entry.get(ENTRY..ENTRY + name_length).ok_or_else(|| broken("has a name that is longer than itself"))?;
    let mut sha1 = array(fixed, 64).ok_or_else(short)?;
    let streams = number(96)?;
    if streams > MAX_STREAMS {
        return Err(broken("has too many streams"));
    }
    let mut next = aligned(at + length).ok_or_else(short)?;
    for _ in 0..streams {
        let length = u64_at(metadata, next).and_then(|length| usize::try_from(length).ok()).ok_or_else(short)?;
        let stream = next.checked_add(length).and_then(|end| metadata.get(next..end)).ok_or_else(short)?;
        let (own, name) = (array(stream, 16), u16_at(stream, 36));
        let (Some(own), Some(name)) = (own, name) else { return Err(broken("has a stream that is too short")) };
        // The stream without a name is the file's content.
        if name == 0 && sha1 == [0; 20] {
            sha1 = own;
        }
        next = aligned(next + length).ok_or_else(short)?;
    }
    Ok(Some(Node {
        attributes: u32_at(fixed, 8).ok_or_else(short)?,
        children: u64_at(fixed, 16).ok_or_else(short)?,
        sha1,
        name,
        next,
    }))
}

/// Finds a file by its ASCII name without case, and returns the SHA-1 of its content: the one that is least deep, and of
/// those the first.
pub(super) fn find(metadata: &[u8], name: &str) -> Result<Option<[u8; 20]>, Broken> {
    // Descriptors of access come first.
    let security = u32_at(metadata, 0).ok_or_else(|| Broken::new("the image's metadata ends at once").at(0))?;
    let root = aligned(security as usize).unwrap_or(usize::MAX).max(8);
    let Some(root) = node(metadata, root)? else { return Ok(None) };
    let mut folders = vec![root.children];
    let mut known = BTreeSet::from([root.children]);
    let mut seen = 0;
    for _ in 0..MAX_DEPTH {
        let mut deeper = Vec::new();
        for folder in std::mem::take(&mut folders) {
            let Some(mut at) = usize::try_from(folder).ok().filter(|at| *at > 0) else { continue };
            while let Some(node) = node(metadata, at)? {
                seen += 1;
                if seen > MAX_ENTRIES {
                    return Err(Broken::new(format!("the image has more than {MAX_ENTRIES} entries")));
                }
                if node.attributes & DIRECTORY == 0 {
                    if node.is_named(name) {
                        return Ok(Some(node.sha1));
                    }
                } else if node.attributes & REPARSE_POINT == 0 && known.insert(node.children) {
                    deeper.push(node.children);
                }
                at = node.next;
            }
        }
        if deeper.is_empty() {
            return Ok(None);
        }
        folders = deeper;
    }
    Err(Broken::new(format!("the image has folders that are deeper than {MAX_DEPTH}")))
}
