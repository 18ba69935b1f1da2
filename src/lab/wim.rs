//! Writes Windows Imaging files of version 1.13, so that the lab's packages are what real ones are: other tools open
//! them. Only the lab and tests write any.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sha1::{Digest as _, Sha1};
use uuid::Uuid;

use super::xpress::compress;

/// Bytes of the header.
const HEADER: usize = 208;
const CHUNK: usize = 32 << 10;
/// Pieces of the integrity table, as ImageX makes them.
const PIECE: usize = 10 << 20;

const DIRECTORY: u32 = 0x10;
const NORMAL: u32 = 0x80;

/// How resources are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As they are.
    Plain,
    /// Compressed where that makes them shorter, as Windows Configuration Designer does (domain.md B11).
    Xpress,
}

enum Node<'a> {
    Folder(BTreeMap<&'a str, Self>),
    File([u8; 20]),
}

struct Entry {
    header: [u8; 24],
    sha1: [u8; 20],
    times: u32,
}

/// Returns a file with one image that holds these files, by their paths with `/`. The same arguments give the same
/// bytes.
#[must_use]
pub fn write(files: &[(&str, &[u8])], packing: Packing, id: Uuid, at: Timestamp) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    let mut entries: Vec<Entry> = Vec::new();
    let mut root = BTreeMap::new();
    for (path, content) in files {
        let sha1 = digest(content);
        match entries.iter_mut().find(|entry| entry.sha1 == sha1) {
            Some(entry) => entry.times += 1,
            None if content.is_empty() => {}
            None => entries.push(Entry { header: resource(&mut out, content, packing, 0), sha1, times: 1 }),
        }
        place(&mut root, path, if content.is_empty() { [0; 20] } else { sha1 });
    }
    let metadata = metadata(&root, at);
    let header = resource(&mut out, &metadata, packing, 2);
    entries.push(Entry { header, sha1: digest(&metadata), times: 1 });
    let mut table = Vec::new();
    for entry in &entries {
        table.extend(entry.header);
        table.extend(1_u16.to_le_bytes());
        table.extend(entry.times.to_le_bytes());
        table.extend(entry.sha1);
    }
    let lookup = resource(&mut out, &table, Packing::Plain, 0);
    let end = out.len();
    let total: usize = files.iter().map(|(_, content)| content.len()).sum();
    let xml = format!(
        "\u{feff}<WIM><TOTALBYTES>{end}</TOTALBYTES><IMAGE INDEX=\"1\"><FILECOUNT>{}</FILECOUNT><TOTALBYTES>{total}</TOTALBYTES></IMAGE></WIM>",
        files.len()
    );
    let xml: Vec<u8> = xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let description = resource(&mut out, &xml, Packing::Plain, 0);
    let pieces: Vec<[u8; 20]> = out[HEADER..end].chunks(PIECE).map(digest).collect();
    let mut integrity = Vec::new();
    for number in [12 + 20 * pieces.len(), pieces.len(), PIECE] {
        integrity.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    }
    integrity.extend(pieces.concat());
    let integrity = resource(&mut out, &integrity, Packing::Plain, 0);

    let (flags, chunk): (u32, u32) = match packing {
        Packing::Plain => (0, 0),
        Packing::Xpress => (0x2_0002, 32 << 10),
    };
    let mut header = b"MSWIM\0\0\0".to_vec();
    // Its length, the version, flags.
    header.extend([208, 0x0001_0d00, flags, chunk].map(u32::to_le_bytes).concat());
    header.extend(id.to_bytes_le());
    // Part 1 of 1, with one image.
    header.extend([1, 0, 1, 0, 1, 0, 0, 0]);
    header.extend([lookup, description, [0; 24]].concat());
    // No image to boot.
    header.extend([0; 4]);
    header.extend(integrity);
    out[..header.len()].copy_from_slice(&header);
    out
}

fn digest(bytes: &[u8]) -> [u8; 20] {
    Sha1::digest(bytes).into()
}

fn place<'a>(folder: &mut BTreeMap<&'a str, Node<'a>>, path: &'a str, sha1: [u8; 20]) {
    match path.split_once('/') {
        None => drop(folder.insert(path, Node::File(sha1))),
        Some((name, rest)) => {
            if let Node::Folder(inner) = folder.entry(name).or_insert_with(|| Node::Folder(BTreeMap::new())) {
                place(inner, rest, sha1);
            }
        }
    }
}

/// Appends a resource and returns what refers to it: size with flags, place, original size.
fn resource(out: &mut Vec<u8>, content: &[u8], packing: Packing, flags: u8) -> [u8; 24] {
    let at = out.len();
    let packed = (packing == Packing::Xpress).then(|| pack(content)).filter(|packed| packed.len() < content.len());
    let flags = if packed.is_some() { flags | 4 } else { flags };
    out.extend(packed.as_deref().unwrap_or(content));
    let mut header = [0; 24];
    header[..8].copy_from_slice(&((out.len() - at) as u64).to_le_bytes());
    header[7] = flags;
    header[8..16].copy_from_slice(&(at as u64).to_le_bytes());
    header[16..].copy_from_slice(&(content.len() as u64).to_le_bytes());
    header
}

/// Returns the ends of all chunks but the last one, and then the chunks.
fn pack(content: &[u8]) -> Vec<u8> {
    let (mut ends, mut data) = (Vec::new(), Vec::new());
    for chunk in content.chunks(CHUNK) {
        let packed = compress(chunk);
        data.extend(if packed.len() < chunk.len() { &packed } else { chunk });
        ends.push(u32::try_from(data.len()).unwrap_or(u32::MAX));
    }
    ends.pop();
    let ends = ends.into_iter().flat_map(u32::to_le_bytes);
    ends.chain(data).collect()
}

/// Returns the folders of the image.
fn metadata(root: &BTreeMap<&str, Node<'_>>, at: Timestamp) -> Vec<u8> {
    // No descriptors of access.
    let mut out = vec![8, 0, 0, 0, 0, 0, 0, 0];
    let own = entry(&mut out, "", DIRECTORY, [0; 20], at);
    out.extend([0; 8]);
    children(&mut out, own, root, at);
    out
}

fn children(out: &mut Vec<u8>, own: usize, folder: &BTreeMap<&str, Node<'_>>, at: Timestamp) {
    let place = out.len() as u64;
    out[own + 16..own + 24].copy_from_slice(&place.to_le_bytes());
    let mut inner = Vec::new();
    for (name, node) in folder {
        match node {
            Node::File(sha1) => drop(entry(out, name, NORMAL, *sha1, at)),
            Node::Folder(folder) => inner.push((entry(out, name, DIRECTORY, [0; 20], at), folder)),
        }
    }
    out.extend([0; 8]);
    inner.into_iter().for_each(|(own, folder)| children(out, own, folder, at));
}

/// Appends an entry and returns its place.
fn entry(out: &mut Vec<u8>, name: &str, attributes: u32, sha1: [u8; 20], at: Timestamp) -> usize {
    let place = out.len();
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = (102 + units.len() + if units.is_empty() { 0 } else { 2 }).next_multiple_of(8);
    out.extend((length as u64).to_le_bytes());
    out.extend(attributes.to_le_bytes());
    // No descriptor, no children yet, nothing.
    out.extend((-1_i32).to_le_bytes());
    out.extend([0; 24]);
    // Hundreds of nanoseconds since 1601, three times.
    let time = u64::try_from((at.as_second() + 11_644_473_600) * 10_000_000).unwrap_or_default();
    out.extend([time; 3].map(u64::to_le_bytes).concat());
    out.extend(sha1);
    // No reparse point, no hard links, no streams, no short name.
    out.extend([0; 16]);
    out.extend(u16::try_from(units.len()).unwrap_or_default().to_le_bytes());
    out.extend(units);
    out.resize(place + length, 0);
    place
}
