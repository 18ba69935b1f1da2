//! The container: a Windows Imaging file, version 1.13 (Microsoft's paper on the format; domain.md B11).
//!
//! A header of 208 bytes names four resources: the table of all others, the description in XML, the metadata of the
//! image to boot, and the integrity table. Each entry of the table is a file's content or an image's metadata with its
//! SHA-1. A compressed resource begins with the ends of its chunks.

use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

use super::bytes::{array, part, u16_at, u32_at, u64_at};
use super::{Broken, tree, xpress};

const MAGIC: &[u8] = b"MSWIM\0\0\0";
const HEADER: usize = 208;
/// 1.13, as every package has it. 0.14 came with resources that share their chunks; packages aren't written so.
const VERSION: u32 = 0x0001_0d00;
/// Bytes of one entry of the resource table.
const ENTRY: usize = 50;
/// Entries that a table may have.
const MAX_ENTRIES: usize = 65_536;
/// Bytes of the largest image metadata that is read.
const MAX_METADATA: u64 = 16 << 20;
/// Images that are looked into.
const MAX_IMAGES: usize = 8;

/// Flags of the container.
mod flag {
    pub(super) const COMPRESSED: u32 = 0x2;
    pub(super) const SPANNED: u32 = 0x8;
    pub(super) const BEING_WRITTEN: u32 = 0x40;
    pub(super) const XPRESS: u32 = 0x2_0000;
    pub(super) const LZX: u32 = 0x4_0000;
}
/// Flags of a resource.
mod resource_flag {
    pub(super) const METADATA: u8 = 0x2;
    pub(super) const COMPRESSED: u8 = 0x4;
    pub(super) const SPANNED: u8 = 0x8;
    pub(super) const SOLID: u8 = 0x10;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Xpress {
        chunk: usize,
    },
    /// Windows Configuration Designer doesn't write it (domain.md B11).
    Lzx,
    Other,
}

#[derive(Debug, Clone, Copy)]
struct Resource {
    size: u64,
    flags: u8,
    at: u64,
    original: u64,
}

impl Resource {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let size = u64_at(bytes, at)?;
        Some(Self {
            size: size & 0x00ff_ffff_ffff_ffff,
            flags: size.to_be_bytes()[0],
            at: u64_at(bytes, at + 8)?,
            original: u64_at(bytes, at + 16)?,
        })
    }
    fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

struct Entry {
    resource: Resource,
    sha1: [u8; 20],
}

/// An open container.
pub(super) struct Wim<'a> {
    bytes: &'a [u8],
    compression: Compression,
    table: Vec<Entry>,
}

impl<'a> Wim<'a> {
    /// Reads the header and the table of resources, and checks the integrity table where there is one.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Broken> {
        if !bytes.starts_with(MAGIC) {
            return Err(Broken::new("it doesn't begin as a Windows Imaging file does").at(0));
        }
        let short = || Broken::new("it ends inside its header").at(bytes.len() as u64);
        let header = bytes.get(..HEADER).ok_or_else(short)?;
        let number = |at| u32_at(header, at).ok_or_else(short);
        let resource = |at| Resource::read(header, at).ok_or_else(short);
        if number(8)? as usize != HEADER {
            return Err(Broken::new("its header has another length than 208").at(8));
        }
        if number(12)? != VERSION {
            return Err(Broken::new("its version isn't 1.13").at(12));
        }
        let flags = number(16)?;
        if flags & flag::BEING_WRITTEN != 0 {
            return Err(Broken::new("whoever wrote it wasn't done").at(16));
        }
        if flags & flag::SPANNED != 0 || number(40)? != 0x0001_0001 {
            return Err(Broken::new("it is one part of several").at(40));
        }
        let chunk = number(20)?;
        let compression = match flags {
            _ if flags & flag::COMPRESSED == 0 => Compression::None,
            _ if flags & flag::XPRESS != 0 => {
                if !chunk.is_power_of_two() || !(1 << 12..=1 << 16).contains(&chunk) {
                    return Err(Broken::new("its chunks have a size that can't be").at(20));
                }
                Compression::Xpress { chunk: chunk as usize }
            }
            _ if flags & flag::LZX != 0 => Compression::Lzx,
            _ => Compression::Other,
        };
        let mut own = Self { bytes, compression, table: Vec::new() };
        let lookup = resource(48)?;
        own.check_integrity(resource(124)?, lookup)?;
        let table = own.read(lookup, "the table of resources", (MAX_ENTRIES * ENTRY) as u64)?;
        if !table.len().is_multiple_of(ENTRY) {
            return Err(Broken::new("the table of resources ends inside an entry").at(lookup.at));
        }
        let entry = |entry: &[u8]| {
            let (resource, sha1) = (Resource::read(entry, 0)?, array(entry, 30)?);
            // A part of another file is no part of this one.
            (u16_at(entry, 24)? == 1).then_some(Entry { resource, sha1 })
        };
        own.table = table.chunks_exact(ENTRY).filter_map(entry).collect();
        Ok(own)
    }

    /// Returns the content of a file by its name, wherever in the first images it lies; the one that is least deep.
    pub(super) fn file(&self, name: &str, max: u64) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let images = self.table.iter().filter(|entry| entry.resource.is(resource_flag::METADATA)).take(MAX_IMAGES);
        let mut found = None;
        for image in images {
            let metadata = self.verified(image, "the image's metadata", MAX_METADATA)?;
            found = tree::find(&metadata, name)?;
            if found.is_some() {
                break;
            }
        }
        let sha1 = found.ok_or_else(|| Broken::new(format!("there is no {name} in it")))?;
        let content = self.table.iter().find(|entry| !entry.resource.is(resource_flag::METADATA) && entry.sha1 == sha1);
        let content = content.ok_or_else(|| Broken::new(format!("the content of {name} isn't in it")))?;
        self.verified(content, name, max)
    }

    fn verified(&self, entry: &Entry, what: &str, max: u64) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let bytes = self.read(entry.resource, what, max)?;
        let sha1: [u8; 20] = Sha1::digest(&bytes).into();
        if sha1 == entry.sha1 {
            Ok(bytes)
        } else {
            Err(Broken::new(format!("{what} isn't what its SHA-1 says")).at(entry.resource.at))
        }
    }

    fn read(&self, resource: Resource, what: &str, max: u64) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let broken = |why: &str| Broken::new(format!("{what} {why}")).at(resource.at);
        if resource.is(resource_flag::SPANNED | resource_flag::SOLID) {
            return Err(broken("lies in several parts"));
        }
        if resource.original > max {
            return Err(broken("is larger than any that is read"));
        }
        let stored =
            part(self.bytes, resource.at, resource.size).ok_or_else(|| broken("goes beyond the file's end"))?;
        // It is at most `max`, which fits.
        let original = usize::try_from(resource.original).unwrap_or_default();
        if !resource.is(resource_flag::COMPRESSED) {
            return if stored.len() == original {
                Ok(Zeroizing::new(stored.to_vec()))
            } else {
                Err(broken("has two different sizes"))
            };
        }
        let chunk = match self.compression {
            Compression::Xpress { chunk } => chunk,
            Compression::None => return Err(broken("is compressed in a container that isn't")),
            Compression::Lzx => return Err(broken("is compressed with LZX, which isn't read here")),
            Compression::Other => return Err(broken("is compressed in a way that isn't known")),
        };
        // The ends of all chunks but the last one, counted from behind this list.
        let list = original.div_ceil(chunk).saturating_sub(1) * 4;
        let (list, data) = stored.split_at_checked(list).ok_or_else(|| broken("ends inside the list of its chunks"))?;
        let mut out = Zeroizing::new(Vec::with_capacity(original));
        let mut from = 0;
        while out.len() < original {
            let to = u32_at(list, out.len() / chunk * 4).map_or(data.len(), |end| end as usize);
            let stored = data.get(from..to).ok_or_else(|| broken("has chunks that overlap or go beyond its end"))?;
            from = to;
            let wanted = chunk.min(original - out.len());
            match stored.len() {
                own if own == wanted => out.extend_from_slice(stored),
                own if own > wanted => return Err(broken("has a chunk that is larger than what it holds")),
                _ => {
                    xpress::decompress(stored, wanted, &mut out).map_err(|e| broken(&format!("can't be read: {e}")))?
                }
            }
        }
        Ok(out)
    }

    /// Checks the SHA-1 of each piece from behind the header to the end of the resource table.
    fn check_integrity(&self, own: Resource, lookup: Resource) -> Result<(), Broken> {
        if own.size == 0 {
            return Ok(());
        }
        let broken = |why: &str| Broken::new(format!("the integrity table {why}")).at(own.at);
        let table = part(self.bytes, own.at, own.size).ok_or_else(|| broken("goes beyond the file's end"))?;
        let end = lookup.at.checked_add(lookup.size).and_then(|end| usize::try_from(end).ok());
        let range =
            end.and_then(|end| self.bytes.get(HEADER..end)).ok_or_else(|| broken("is about what isn't there"))?;
        let number = |at| u32_at(table, at).map(|number| number as usize).ok_or_else(|| broken("ends early"));
        let (count, piece) = (number(4)?, number(8)?);
        if piece == 0 || range.len().div_ceil(piece) != count {
            return Err(broken("has another number of pieces than the file"));
        }
        for (at, piece) in range.chunks(piece).enumerate() {
            let said: [u8; 20] = array(table, 12 + at * 20).ok_or_else(|| broken("ends early"))?;
            let found: [u8; 20] = Sha1::digest(piece).into();
            if said != found {
                return Err(broken(&format!("says that piece {} of {count} was changed", at + 1)));
            }
        }
        Ok(())
    }
}
