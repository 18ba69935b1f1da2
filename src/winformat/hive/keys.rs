//! Keys and values of a hive.

use std::fmt;

use super::{FormatError, HEADER, Hive, NONE, u16_at, u32_at};

/// The name is stored as Latin-1, one byte a letter (`KEY_COMP_NAME` and `VALUE_COMP_NAME`).
const KEY_NARROW: u16 = 0x20;
const VALUE_NARROW: u16 = 0x01;
/// Bytes of data in one segment, and the most that is stored without segments.
const SEGMENT: usize = 16_344;
/// Lists of lists don't lie deeper in hives that Windows writes.
const LISTS_DEEP: usize = 2;

/// A key of a hive.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    hive: Hive<'a>,
    at: u32,
    cell: &'a [u8],
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:#x} {:?})", self.at, self.name().unwrap_or_default())
    }
}

/// A value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiveValue {
    /// Its name; empty is the key's default value.
    pub name: String,
    /// Its kind: 1 text, 2 text with variables, 3 bytes, 4 number, 7 list of texts, 11 long number.
    pub kind: u32,
    /// Its data, as stored.
    pub data: Vec<u8>,
}

impl HiveValue {
    /// Returns the data as text, up to the first zero.
    #[must_use]
    pub fn text(&self) -> String {
        let units = self.data.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
        let units = units.take_while(|unit| *unit != 0);
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    }
}

fn name(bytes: &[u8], narrow: bool) -> String {
    if narrow {
        return bytes.iter().map(|byte| char::from(*byte)).collect();
    }
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

impl<'a> Key<'a> {
    pub(super) fn at(hive: Hive<'a>, at: u32) -> Result<Self, FormatError> {
        let cell = hive.cell(at)?;
        if !cell.starts_with(b"nk") || cell.len() < 76 {
            return Err(FormatError::new("a key is damaged", HEADER.saturating_add(at as usize)));
        }
        Ok(Self { hive, at, cell })
    }
    fn wrong(&self, what: &'static str) -> FormatError {
        FormatError::new(what, HEADER.saturating_add(self.at as usize))
    }
    fn field(&self, at: usize) -> u32 {
        u32_at(self.cell, at).unwrap_or(NONE)
    }
    /// Returns its name.
    ///
    /// # Errors
    /// Where the name is cut off.
    pub fn name(&self) -> Result<String, FormatError> {
        let length = usize::from(u16_at(self.cell, 72).unwrap_or_default());
        let bytes = self.cell.get(76..76 + length).ok_or_else(|| self.wrong("the name of a key is cut off"))?;
        Ok(name(bytes, u16_at(self.cell, 2).unwrap_or_default() & KEY_NARROW != 0))
    }
    /// Returns where it lies, counted from the first bin.
    pub(super) fn place(&self) -> u32 {
        self.at
    }
    /// Returns the offset of its security cell.
    pub(super) fn security_cell(&self) -> u32 {
        self.field(44)
    }
    /// Returns its self-relative security descriptor.
    ///
    /// # Errors
    /// Where it has none, or it is damaged.
    pub fn security(&self) -> Result<&'a [u8], FormatError> {
        super::security::descriptor(&self.hive, self.security_cell())
    }
    /// Returns the keys right below it.
    ///
    /// # Errors
    /// Where their list or one of them is damaged.
    pub fn keys(&self) -> Result<Vec<Self>, FormatError> {
        let count = self.field(20) as usize;
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut offsets = Vec::new();
        self.list(self.field(28), count, LISTS_DEEP, &mut offsets)?;
        if offsets.len() != count {
            return Err(self.wrong("a key has another number of keys below it than it says"));
        }
        offsets.into_iter().map(|at| Self::at(self.hive, at)).collect()
    }
    /// Collects the offsets of a list of keys, or of a list of such lists.
    fn list(&self, at: u32, limit: usize, deep: usize, out: &mut Vec<u32>) -> Result<(), FormatError> {
        let cell = self.hive.cell(at)?;
        let count = usize::from(u16_at(cell, 2).unwrap_or_default());
        let step = match cell.first_chunk() {
            Some(b"lf" | b"lh") => 8,
            Some(b"li" | b"ri") => 4,
            _ => return Err(self.wrong("a list of keys is damaged")),
        };
        let entries = cell.get(4..4 + count * step).ok_or_else(|| self.wrong("a list of keys is cut off"))?;
        for entry in entries.chunks_exact(step) {
            let below = u32_at(entry, 0).unwrap_or(NONE);
            if cell.starts_with(b"ri") {
                if deep == 0 {
                    return Err(self.wrong("a list of keys lies too deep"));
                }
                self.list(below, limit, deep - 1, out)?;
            } else {
                // A list that names itself would otherwise grow without end.
                if out.len() == limit {
                    return Err(self.wrong("a key has another number of keys below it than it says"));
                }
                out.push(below);
            }
        }
        Ok(())
    }
    /// Returns its values.
    ///
    /// # Errors
    /// Where their list, one of them or its data is damaged.
    pub fn values(&self) -> Result<Vec<HiveValue>, FormatError> {
        let count = self.field(36) as usize;
        if count == 0 {
            return Ok(Vec::new());
        }
        let list = self.hive.cell(self.field(40))?;
        let end = count.checked_mul(4).ok_or_else(|| self.wrong("a list of values is cut off"))?;
        let list = list.get(..end).ok_or_else(|| self.wrong("a list of values is cut off"))?;
        list.as_chunks::<4>().0.iter().map(|at| self.value_at(u32::from_le_bytes(*at))).collect()
    }
    /// Returns one value, its name compared without case; none where there is none.
    ///
    /// # Errors
    /// As [`Key::values`].
    pub fn value(&self, name: &str) -> Result<Option<HiveValue>, FormatError> {
        let name = name.to_lowercase();
        Ok(self.values()?.into_iter().find(|value| value.name.to_lowercase() == name))
    }
    fn value_at(&self, at: u32) -> Result<HiveValue, FormatError> {
        let cell = self.hive.cell(at)?;
        let damaged = || self.wrong("a value is damaged");
        if !cell.starts_with(b"vk") || cell.len() < 20 {
            return Err(damaged());
        }
        let length = usize::from(u16_at(cell, 2).unwrap_or_default());
        let name_bytes = cell.get(20..20 + length).ok_or_else(damaged)?;
        let size = u32_at(cell, 4).ok_or_else(damaged)?;
        let offset = u32_at(cell, 8).ok_or_else(damaged)?;
        // The highest bit says that the data lies where its offset would.
        let data = if size & 0x8000_0000 == 0 {
            self.data(offset, size as usize)?
        } else {
            cell.get(8..8 + (size & 0x7fff_ffff).min(4) as usize).ok_or_else(damaged)?.to_vec()
        };
        let narrow = u16_at(cell, 16).unwrap_or_default() & VALUE_NARROW != 0;
        Ok(HiveValue { name: name(name_bytes, narrow), kind: u32_at(cell, 12).unwrap_or_default(), data })
    }
    fn data(&self, at: u32, size: usize) -> Result<Vec<u8>, FormatError> {
        if size == 0 {
            return Ok(Vec::new());
        }
        let cell = self.hive.cell(at)?;
        let cut_off = || self.wrong("the data of a value is cut off");
        // Segments came with version 1.4.
        if size <= SEGMENT || self.hive.minor < 4 || !cell.starts_with(b"db") {
            return cell.get(..size).map(<[u8]>::to_vec).ok_or_else(cut_off);
        }
        let count = usize::from(u16_at(cell, 2).unwrap_or_default());
        let list = self.hive.cell(u32_at(cell, 4).unwrap_or(NONE))?;
        let list = list.get(..count * 4).ok_or_else(cut_off)?;
        let mut data = Vec::new();
        for at in list.as_chunks::<4>().0 {
            let segment = self.hive.cell(u32::from_le_bytes(*at))?;
            let wanted = SEGMENT.min(size - data.len());
            data.extend_from_slice(segment.get(..wanted).ok_or_else(cut_off)?);
        }
        if data.len() == size { Ok(data) } else { Err(cut_off()) }
    }
}
