//! The registry as text: output of `reg query`, and `.reg` files (domain.md C4).
//!
//! The form of `.reg` files is that of Microsoft's page on them (KB 310516): a version in the first line, keys in
//! brackets, names and strings in quotes, other kinds as hexadecimal bytes with continuation lines.

use super::FormatError;

/// A value, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegValue {
    /// `REG_SZ`.
    Sz(String),
    /// `REG_EXPAND_SZ`, not expanded.
    ExpandSz(String),
    /// `REG_MULTI_SZ`.
    MultiSz(Vec<String>),
    /// `REG_DWORD`.
    Dword(u32),
    /// `REG_QWORD`.
    Qword(u64),
    /// `REG_BINARY`.
    Binary(Vec<u8>),
    /// Any other kind: its number and its bytes.
    Other(u32, Vec<u8>),
    /// `"Name"=-`: the value is removed.
    Removed,
}

/// A key with its values; the value without a name is the key's default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegKey {
    /// The whole path, as written: `HKEY_LOCAL_MACHINE\SOFTWARE\…`.
    pub path: String,
    /// `[-key]`: the key is removed with all below it.
    pub removed: bool,
    /// Values in order.
    pub values: Vec<(String, RegValue)>,
}

impl RegKey {
    fn new(path: &str, removed: bool) -> Self {
        Self { path: path.to_owned(), removed, values: Vec::new() }
    }
    /// Returns a value, its name compared without case; the last where it is there twice, as an import leaves it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RegValue> {
        let name = name.to_lowercase();
        self.values.iter().rev().find(|(own, _)| own.to_lowercase() == name).map(|(_, value)| value)
    }
}

/// Reads a `.reg` file that [`super::decode`] made text of.
///
/// # Errors
/// Where the first line isn't a version, or a line isn't understood; with its number.
pub fn parse_export(text: &str) -> Result<Vec<RegKey>, FormatError> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let version = lines.by_ref().map(|(_, line)| line.trim()).find(|line| !line.is_empty());
    // Version 4 writes strings of other kinds in the code page of its machine; nobody exports it any more.
    if version != Some("Windows Registry Editor Version 5.00") {
        return Err(FormatError::new("the first line isn't the version of a registry file", 0));
    }
    let mut keys: Vec<RegKey> = Vec::new();
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        if let Some(path) = line.strip_prefix('[') {
            let path =
                path.strip_suffix(']').ok_or_else(|| FormatError::new("a key has no bracket at its end", number))?;
            let removed = path.strip_prefix('-');
            keys.push(RegKey::new(removed.unwrap_or(path), removed.is_some()));
            continue;
        }
        let mut whole = line.to_owned();
        // A string may end in a backslash; only bytes go on in the next line.
        while whole.ends_with('\\') && !whole.ends_with('"') {
            whole.pop();
            let Some((_, next)) = lines.next() else {
                return Err(FormatError::new("a value goes on after the last line", number));
            };
            whole.push_str(next.trim());
        }
        let value = value_of(&whole).map_err(|what| FormatError::new(what, number))?;
        let key = keys.last_mut().ok_or_else(|| FormatError::new("a value stands before any key", number))?;
        key.values.push(value);
    }
    Ok(keys)
}

fn value_of(line: &str) -> Result<(String, RegValue), &'static str> {
    let (name, rest) = match line.strip_prefix('@') {
        Some(rest) => (String::new(), rest),
        None => quoted(line).ok_or("a value has no name in quotes")?,
    };
    let data = rest.trim_start().strip_prefix('=').ok_or("a value has no equals sign")?.trim();
    if data == "-" {
        return Ok((name, RegValue::Removed));
    }
    if data.starts_with('"') {
        let (text, behind) = quoted(data).ok_or("a text has no quote at its end")?;
        return if behind.trim().is_empty() {
            Ok((name, RegValue::Sz(text)))
        } else {
            Err("a text has more behind it")
        };
    }
    let (kind, data) = data.split_once(':').ok_or("a value is of no known form")?;
    let kind = kind.trim().to_ascii_lowercase();
    if kind == "dword" {
        let number = u32::from_str_radix(data.trim(), 16).map_err(|_| "a number isn't hexadecimal")?;
        return Ok((name, RegValue::Dword(number)));
    }
    let kind = match kind.as_str() {
        "hex" => 3,
        _ => {
            let inside = kind.strip_prefix("hex(").and_then(|rest| rest.strip_suffix(')'));
            let inside = inside.ok_or("a value is of no known form")?;
            u32::from_str_radix(inside, 16).map_err(|_| "the kind of a value isn't hexadecimal")?
        }
    };
    Ok((name, typed(kind, bytes_of(data)?)))
}

/// Takes a text in quotes from the beginning; `\\` and `\"` stand for the one behind the backslash.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return text.get(at + 2..).map(|rest| (out, rest)),
            '\\' => out.push(chars.next()?.1),
            c => out.push(c),
        }
    }
    None
}

fn bytes_of(text: &str) -> Result<Vec<u8>, &'static str> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| u8::from_str_radix(part, 16).map_err(|_| "a byte isn't hexadecimal")).collect()
}

/// Makes a value of its kind and bytes. Bytes that the kind can't have stay bytes.
fn typed(kind: u32, bytes: Vec<u8>) -> RegValue {
    match kind {
        1 => text_of(&bytes).map_or_else(|| RegValue::Other(1, bytes), RegValue::Sz),
        2 => text_of(&bytes).map_or_else(|| RegValue::Other(2, bytes), RegValue::ExpandSz),
        3 => RegValue::Binary(bytes),
        4 => match bytes.as_slice().try_into() {
            Ok(number) => RegValue::Dword(u32::from_le_bytes(number)),
            Err(_) => RegValue::Other(4, bytes),
        },
        7 => match text_of(&bytes) {
            Some(text) => {
                RegValue::MultiSz(text.split('\0').filter(|one| !one.is_empty()).map(str::to_owned).collect())
            }
            None => RegValue::Other(7, bytes),
        },
        11 => match bytes.as_slice().try_into() {
            Ok(number) => RegValue::Qword(u64::from_le_bytes(number)),
            Err(_) => RegValue::Other(11, bytes),
        },
        kind => RegValue::Other(kind, bytes),
    }
}

/// UTF-16 without the zeros at its end; none where it isn't that.
fn text_of(bytes: &[u8]) -> Option<String> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|pair| u16::from_le_bytes(*pair))).collect();
    text.ok().map(|text| text.trim_end_matches('\0').to_owned())
}

/// Kinds as `reg query` prints them.
const KINDS: [(&str, u32); 8] = [
    ("REG_SZ", 1),
    ("REG_EXPAND_SZ", 2),
    ("REG_BINARY", 3),
    ("REG_DWORD", 4),
    ("REG_MULTI_SZ", 7),
    ("REG_QWORD", 11),
    ("REG_NONE", 0),
    ("REG_LINK", 6),
];

/// Reads the output of `reg query`: a key in a line of its own, its values four blanks deep with four blanks between
/// name, kind and data. Names and data may have blanks themselves. The name of the default value is in the language of
/// Windows, in brackets, and becomes the empty one.
///
/// # Errors
/// Where a value isn't understood, or no key is there; with the number of the line.
pub fn parse_query(text: &str) -> Result<Vec<RegKey>, FormatError> {
    let mut keys: Vec<RegKey> = Vec::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line.starts_with("HKEY_") {
            keys.push(RegKey::new(line.trim_end(), false));
        } else if let Some(value) = line.strip_prefix("    ") {
            let key = keys.last_mut().ok_or_else(|| FormatError::new("a value stands before any key", number))?;
            let value = query_value(value).ok_or_else(|| FormatError::new("a value isn't understood", number))?;
            key.values.push(value);
        }
        // Anything else is a sentence, such as the number of hits of a search.
    }
    if keys.is_empty() { Err(FormatError::new("no key, so it isn't the output of reg query", 0)) } else { Ok(keys) }
}

fn query_value(line: &str) -> Option<(String, RegValue)> {
    // The name itself may hold what looks like a kind only where it has four blanks before it.
    let (name, kind, data) = KINDS
        .iter()
        .filter_map(|(word, kind)| {
            let at = line.find(&format!("    {word}"))?;
            let behind = &line[at + 4 + word.len()..];
            let whole = behind.is_empty() || behind.starts_with("    ");
            whole.then(|| (&line[..at], *kind, behind.get(4..).unwrap_or_default()))
        })
        .min_by_key(|(name, _, _)| name.len())?;
    let default = name.starts_with('(') && name.ends_with(')');
    let name = if default { String::new() } else { name.to_owned() };
    let number = |data: &str| u64::from_str_radix(data.trim().strip_prefix("0x")?, 16).ok();
    let value = match kind {
        1 => RegValue::Sz(data.to_owned()),
        2 => RegValue::ExpandSz(data.to_owned()),
        4 => RegValue::Dword(u32::try_from(number(data)?).ok()?),
        11 => RegValue::Qword(number(data)?),
        // Members are parted by a backslash and a zero, as two letters.
        7 => RegValue::MultiSz(data.split("\\0").filter(|one| !one.is_empty()).map(str::to_owned).collect()),
        kind => {
            let digits = data.trim();
            let bytes: Option<Vec<u8>> = digits
                .as_bytes()
                .chunks(2)
                .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
                .collect();
            typed(kind, bytes.filter(|_| digits.len().is_multiple_of(2))?)
        }
    };
    Some((name, value))
}

#[cfg(test)]
mod tests;
