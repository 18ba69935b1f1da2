//! A small hive, made from nothing: what tests, benches and a Windows in memory have in place of a person's own.

use super::{BIN_HEADER, FormatError, HEADER, NONE, checksum};

/// `KEY_HIVE_ENTRY`, `KEY_NO_DELETE` and `KEY_COMP_NAME` of the root; `KEY_COMP_NAME` of any other key.
const ROOT_FLAGS: u16 = 0x2c;
const KEY_FLAGS: u16 = 0x20;
/// Names of keys that fit one list cell and keep their order without a sort.
const KEYS_MAX: usize = 4096;

struct Builder {
    bins: Vec<u8>,
}

impl Builder {
    /// Appends a cell and returns where it lies.
    fn cell(&mut self, content: &[u8]) -> u32 {
        let at = self.bins.len();
        let length = (4 + content.len()).next_multiple_of(8);
        let size = i32::try_from(length).unwrap_or(i32::MAX);
        self.bins.extend((-size).to_le_bytes());
        self.bins.extend(content);
        self.bins.resize(at + length, 0);
        u32::try_from(at).unwrap_or(NONE)
    }
    fn put(&mut self, cell: u32, field: usize, number: u32) {
        let at = cell as usize + 4 + field;
        self.bins[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
}

fn key_cell(name: &str, flags: u16, parent: u32) -> Vec<u8> {
    let mut cell = vec![0; 76];
    cell[..2].copy_from_slice(b"nk");
    cell[2..4].copy_from_slice(&flags.to_le_bytes());
    cell[16..20].copy_from_slice(&parent.to_le_bytes());
    for field in [28, 32, 40, 44, 48] {
        cell[field..field + 4].copy_from_slice(&NONE.to_le_bytes());
    }
    cell[72..74].copy_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    cell.extend(name.bytes());
    cell
}

/// Returns a clean hive: a root key and so many keys below it, one for each descriptor; the root has the first one too.
/// Each key is named by its number and has one value `Name` with that name as text.
///
/// # Errors
/// Where there is no descriptor, or more than 4096.
pub fn build(descriptors: &[Vec<u8>]) -> Result<Vec<u8>, FormatError> {
    if descriptors.is_empty() || descriptors.len() > KEYS_MAX {
        return Err(FormatError::new("a hive is made of 1 to 4096 descriptors", 0));
    }
    let mut builder = Builder { bins: vec![0; BIN_HEADER] };
    let root = builder.cell(&key_cell("ROOT", ROOT_FLAGS, NONE));
    let security: Vec<u32> = descriptors
        .iter()
        .map(|descriptor| {
            let length = u32::try_from(descriptor.len()).unwrap_or(u32::MAX);
            let head = [b"sk\0\0".as_slice(), &[0; 8], &1_u32.to_le_bytes(), &length.to_le_bytes()].concat();
            builder.cell(&[head.as_slice(), descriptor].concat())
        })
        .collect();
    for (i, at) in security.iter().enumerate() {
        builder.put(*at, 4, security[(i + 1) % security.len()]);
        builder.put(*at, 8, security[(i + security.len() - 1) % security.len()]);
    }
    builder.put(root, 44, security[0]);
    // The first descriptor is the root's and the first key's.
    builder.put(security[0], 12, 2);
    let mut list = [b"li".as_slice(), &u16::try_from(security.len()).unwrap_or(0).to_le_bytes()].concat();
    for (i, at) in security.iter().enumerate() {
        let name = format!("{i:04}");
        let text: Vec<u8> = format!("{name}\0").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let data = builder.cell(&text);
        let length = u32::try_from(text.len()).unwrap_or(0).to_le_bytes();
        let value =
            [b"vk\x04\0".as_slice(), &length, &data.to_le_bytes(), &1_u32.to_le_bytes(), &[1, 0, 0, 0], b"Name"];
        let value = builder.cell(&value.concat());
        let values = builder.cell(&value.to_le_bytes());
        let key = builder.cell(&key_cell(&name, KEY_FLAGS, root));
        builder.put(key, 36, 1);
        builder.put(key, 40, values);
        builder.put(key, 44, *at);
        list.extend(key.to_le_bytes());
    }
    let list = builder.cell(&list);
    builder.put(root, 20, u32::try_from(security.len()).unwrap_or(0));
    builder.put(root, 28, list);
    Ok(finish(builder.bins, root))
}

/// Closes the one bin with a free cell, and puts the header before it.
fn finish(mut bins: Vec<u8>, root: u32) -> Vec<u8> {
    let used = bins.len();
    let size = (used + 8).next_multiple_of(4096);
    bins.resize(size, 0);
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    bins[used..used + 4].copy_from_slice(&number(size - used));
    bins[..4].copy_from_slice(b"hbin");
    bins[8..12].copy_from_slice(&number(size));
    let mut header = vec![0; HEADER];
    header[..4].copy_from_slice(b"regf");
    // Both sequence numbers, version 1.5, a primary file, loaded as it is, and the clustering factor.
    for (field, value) in [(4, 1), (8, 1), (20, 1), (24, 5), (28, 0), (32, 1), (36, root), (44, 1)] {
        header[field..field + 4].copy_from_slice(&value.to_le_bytes());
    }
    header[40..44].copy_from_slice(&number(size));
    let sum = checksum(&header);
    header[508..512].copy_from_slice(&sum.to_le_bytes());
    header.extend(bins);
    header
}
