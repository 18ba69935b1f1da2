//! The registry over advapi32, always the 64 bit view.
//!
//! Not over the crate `windows-registry`: its lists end early when a value grows while they are read, and nobody is told.

#![expect(unsafe_code, reason = "calls of advapi32 on keys")]

use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, HKEY_USERS, KEY_ENUMERATE_SUB_KEYS, KEY_QUERY_VALUE, KEY_SET_VALUE, KEY_WOW64_64KEY,
    REG_CREATED_NEW_KEY, REG_OPTION_BACKUP_RESTORE, REG_OPTION_NON_VOLATILE, REG_OPTION_VOLATILE, REG_SAM_FLAGS,
    RegCloseKey, RegCreateKeyExW, RegDeleteTreeW, RegDeleteValueW, RegEnumKeyExW, RegEnumValueW, RegGetKeySecurity,
    RegOpenKeyExW, RegQueryValueExW, RegSetKeySecurity, RegSetValueExW,
};

use super::security::{self, Descriptor};
use super::wide::{until_zero, wide};
use super::{Windows, code};
use crate::windows::machine::{Key, Registry, Root, Sys, Value};

/// READ_CONTROL.
const READ_CONTROL: u32 = 0x0002_0000;
/// WRITE_DAC and WRITE_OWNER.
const WRITE_SECURITY: u32 = 0x0004_0000 | 0x0008_0000;
/// Longest name of a value, and more than the longest of a key ("Registry Element Size Limits").
const NAME_MAX: usize = 16_384;
/// Longest data that is read: 64 MiB. Nothing here is near it; a counter that runs away ends there.
const DATA_MAX: usize = 64 << 20;

impl Registry for Windows {
    fn value(&self, key: &Key, name: &str) -> Sys<Option<Value>> {
        const CALL: &str = "RegQueryValueExW";
        let Some(open) = Open::existing(key, KEY_QUERY_VALUE)? else { return Ok(None) };
        let wide_name = wide(CALL, name)?;
        let mut data = vec![0_u8; 256];
        loop {
            let (mut kind, mut length) = (0, data.len() as u32);
            // SAFETY: the key is open, the name ends with a zero, and the buffer has the length that is said.
            let got = unsafe {
                RegQueryValueExW(
                    open.0,
                    wide_name.as_ptr(),
                    ptr::null(),
                    &raw mut kind,
                    data.as_mut_ptr(),
                    &raw mut length,
                )
            };
            match got {
                code::OK => {
                    data.truncate(length as usize);
                    return Ok(Some(decode(kind, data)));
                }
                ERROR_MORE_DATA if data.len() < DATA_MAX => data.resize((length as usize).max(data.len() * 2), 0),
                ERROR_FILE_NOT_FOUND => return Ok(None),
                other => return Err(code::failed(CALL, format!("{key} {name}"), other)),
            }
        }
    }

    fn values(&self, key: &Key) -> Sys<Option<Vec<(String, Value)>>> {
        const CALL: &str = "RegEnumValueW";
        let Some(open) = Open::existing(key, KEY_QUERY_VALUE)? else { return Ok(None) };
        let (mut name, mut data) = (vec![0_u16; NAME_MAX], vec![0_u8; 4096]);
        let mut found = Vec::new();
        let mut at = 0;
        loop {
            let (mut kind, mut units, mut length) = (0, NAME_MAX as u32, data.len() as u32);
            // SAFETY: the key is open, and both buffers have the lengths that are said.
            let got = unsafe {
                RegEnumValueW(
                    open.0,
                    at,
                    name.as_mut_ptr(),
                    &raw mut units,
                    ptr::null(),
                    &raw mut kind,
                    data.as_mut_ptr(),
                    &raw mut length,
                )
            };
            match got {
                code::OK => {
                    let bytes = data.get(..length as usize).unwrap_or_default().to_vec();
                    found
                        .push((exact(CALL, key, name.get(..units as usize).unwrap_or_default())?, decode(kind, bytes)));
                    at += 1;
                }
                ERROR_MORE_DATA if data.len() < DATA_MAX => data.resize((length as usize).max(data.len() * 2), 0),
                ERROR_NO_MORE_ITEMS => return Ok(Some(found)),
                other => return Err(code::failed(CALL, key.to_string(), other)),
            }
        }
    }

    fn keys(&self, key: &Key) -> Sys<Option<Vec<String>>> {
        const CALL: &str = "RegEnumKeyExW";
        let Some(open) = Open::existing(key, KEY_ENUMERATE_SUB_KEYS)? else { return Ok(None) };
        let mut name = [0_u16; 512];
        let mut found = Vec::new();
        for at in 0.. {
            let mut units = name.len() as u32;
            // SAFETY: the key is open, the buffer has the length that is said, and nothing else is asked for.
            let got = unsafe {
                RegEnumKeyExW(
                    open.0,
                    at,
                    name.as_mut_ptr(),
                    &raw mut units,
                    ptr::null(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                )
            };
            match got {
                code::OK => found.push(exact(CALL, key, name.get(..units as usize).unwrap_or_default())?),
                ERROR_NO_MORE_ITEMS => break,
                other => return Err(code::failed(CALL, key.to_string(), other)),
            }
        }
        Ok(Some(found))
    }

    fn set(&self, key: &Key, name: &str, value: &Value) -> Sys<()> {
        const CALL: &str = "RegSetValueExW";
        let object = || format!("{key} {name}");
        let (kind, bytes) = encode(value).ok_or_else(|| code::failed(CALL, object(), code::INVALID_PARAMETER))?;
        let wide_name = wide(CALL, name)?;
        let length = u32::try_from(bytes.len()).map_err(|_| code::failed(CALL, object(), code::INVALID_PARAMETER))?;
        let (open, _) = Open::made(key, KEY_SET_VALUE, REG_OPTION_NON_VOLATILE, None)?;
        // A pointer to no bytes leads nowhere, and is looked at all the same.
        let data = if bytes.is_empty() { ptr::null() } else { bytes.as_ptr() };
        // SAFETY: the key is open, the name ends with a zero, and the bytes are as many as is said.
        let got = unsafe { RegSetValueExW(open.0, wide_name.as_ptr(), 0, kind, data, length) };
        if got == code::OK { Ok(()) } else { Err(code::failed(CALL, object(), got)) }
    }

    fn create_volatile(&self, key: &Key) -> Sys<bool> {
        Ok(Open::made(key, KEY_QUERY_VALUE, REG_OPTION_VOLATILE, None)?.1)
    }

    fn create_private(&self, key: &Key) -> Sys<()> {
        let bytes = security::from_sddl(security::PRIVATE_KEY)?;
        let descriptor = Descriptor::new("RegCreateKeyExW", &key.to_string(), &bytes)?;
        // A new key has the rights from its first moment; an existing one gets them below.
        drop(Open::made(key, KEY_QUERY_VALUE, REG_OPTION_NON_VOLATILE, Some(&descriptor))?);
        self.set_key_security(key, &bytes)
    }

    fn remove_value(&self, key: &Key, name: &str) -> Sys<()> {
        const CALL: &str = "RegDeleteValueW";
        let Some(open) = Open::existing(key, KEY_SET_VALUE)? else { return Ok(()) };
        let wide_name = wide(CALL, name)?;
        // SAFETY: the key is open and the name ends with a zero.
        match unsafe { RegDeleteValueW(open.0, wide_name.as_ptr()) } {
            code::OK | ERROR_FILE_NOT_FOUND => Ok(()),
            other => Err(code::failed(CALL, format!("{key} {name}"), other)),
        }
    }

    fn remove_tree(&self, key: &Key) -> Sys<()> {
        const CALL: &str = "RegDeleteTreeW";
        // With an empty path the call empties the root itself.
        if key.path.trim_matches('\\').is_empty() {
            return Err(code::failed(CALL, key.to_string(), code::INVALID_PARAMETER));
        }
        let path = wide(CALL, &key.path)?;
        // SAFETY: a root is always open, and the path ends with a zero.
        match unsafe { RegDeleteTreeW(root(key), path.as_ptr()) } {
            code::OK | ERROR_FILE_NOT_FOUND => Ok(()),
            other => Err(code::failed(CALL, key.to_string(), other)),
        }
    }

    fn key_security(&self, key: &Key) -> Sys<Option<Vec<u8>>> {
        let Some(open) = Open::existing(key, READ_CONTROL)? else { return Ok(None) };
        // SAFETY: the key is open, and the buffer has the length that is said.
        let read =
            security::read(|buffer, length| unsafe { RegGetKeySecurity(open.0, security::PARTS, buffer, length) });
        read.map(Some).map_err(|got| code::failed("RegGetKeySecurity", key.to_string(), got))
    }

    fn set_key_security(&self, key: &Key, descriptor: &[u8]) -> Sys<()> {
        const CALL: &str = "RegSetKeySecurity";
        let object = key.to_string();
        let descriptor = Descriptor::new(CALL, &object, descriptor)?;
        let Some(open) = Open::existing(key, WRITE_SECURITY)? else {
            return Err(code::failed(CALL, object, ERROR_FILE_NOT_FOUND));
        };
        // SAFETY: the key is open, and the descriptor was checked and is only read.
        let got = unsafe { RegSetKeySecurity(open.0, descriptor.parts(), descriptor.as_ptr()) };
        if got == code::OK { Ok(()) } else { Err(code::failed(CALL, object, got)) }
    }
}

/// An open key.
#[derive(Debug)]
struct Open(HKEY);

impl Open {
    /// Opens a key that is there; none where there is none. One that denies it to us is opened with the privileges for
    /// backup and restore, which grant reading and the changing of security (`RegCreateKeyExW`, REG_OPTION_BACKUP_RESTORE).
    fn existing(key: &Key, access: REG_SAM_FLAGS) -> Sys<Option<Self>> {
        const CALL: &str = "RegOpenKeyExW";
        let path = wide(CALL, &key.path)?;
        let mut open = ptr::null_mut();
        // SAFETY: a root is always open, the path ends with a zero, and what is opened is owned below.
        match unsafe { RegOpenKeyExW(root(key), path.as_ptr(), 0, access | KEY_WOW64_64KEY, &raw mut open) } {
            code::OK => Ok(Some(Self(open))),
            // 3 is ERROR_PATH_NOT_FOUND, where a part above is missing.
            ERROR_FILE_NOT_FOUND | 3 => Ok(None),
            // To write values into what denies it is not what the privileges are for.
            ERROR_ACCESS_DENIED if access & KEY_SET_VALUE == 0 => {
                Ok(Some(Self::made(key, access, REG_OPTION_BACKUP_RESTORE, None)?.0))
            }
            other => Err(code::failed(CALL, key.to_string(), other)),
        }
    }

    /// Opens a key, and makes it where it isn't there; says whether it was made now.
    fn made(key: &Key, access: REG_SAM_FLAGS, options: u32, descriptor: Option<&Descriptor>) -> Sys<(Self, bool)> {
        const CALL: &str = "RegCreateKeyExW";
        let path = wide(CALL, &key.path)?;
        let attributes = descriptor.map(|descriptor| SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: descriptor.as_ptr(),
            bInheritHandle: 0,
        });
        let (mut open, mut made) = (ptr::null_mut(), 0);
        // SAFETY: a root is always open, the path ends with a zero, the attributes live as long as the call, and what is
        // opened is owned below.
        let got = unsafe {
            RegCreateKeyExW(
                root(key),
                path.as_ptr(),
                0,
                ptr::null(),
                options,
                access | KEY_WOW64_64KEY,
                attributes.as_ref().map_or(ptr::null(), ptr::from_ref),
                &raw mut open,
                &raw mut made,
            )
        };
        match got {
            code::OK => Ok((Self(open), made == REG_CREATED_NEW_KEY)),
            other => Err(code::failed(CALL, key.to_string(), other)),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once here.
        unsafe { RegCloseKey(self.0) };
    }
}

fn root(key: &Key) -> HKEY {
    match key.root {
        Root::Machine => HKEY_LOCAL_MACHINE,
        Root::Users => HKEY_USERS,
    }
}

/// Returns a name as it is, or an error: half of a surrogate can't be written down, and a name that was mended opens
/// nothing.
fn exact(call: &'static str, key: &Key, units: &[u16]) -> Sys<String> {
    String::from_utf16(units).map_err(|_| code::unreadable(call, key.to_string(), "a name in it isn't Unicode"))
}

/// Reads a value. What isn't of the form that its kind has is kept as bytes, so that it can be put back.
fn decode(kind: u32, bytes: Vec<u8>) -> Value {
    let odd = !bytes.len().is_multiple_of(2);
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let unicode = !odd && char::decode_utf16(units.iter().copied()).all(|unit| unit.is_ok());
    match kind {
        1 if unicode => Value::Sz(until_zero(&units)),
        2 if unicode => Value::ExpandSz(until_zero(&units)),
        7 if unicode => {
            let texts = units.split(|unit| *unit == 0).take_while(|text| !text.is_empty());
            Value::MultiSz(texts.map(String::from_utf16_lossy).collect())
        }
        3 => Value::Binary(bytes),
        4 => bytes
            .first_chunk()
            .filter(|_| bytes.len() == 4)
            .map_or_else(|| Value::Other(kind, bytes.clone()), |four| Value::Dword(u32::from_le_bytes(*four))),
        11 => bytes
            .first_chunk()
            .filter(|_| bytes.len() == 8)
            .map_or_else(|| Value::Other(kind, bytes.clone()), |eight| Value::Qword(u64::from_le_bytes(*eight))),
        _ => Value::Other(kind, bytes),
    }
}

/// Writes a value; none where its text holds a zero, or an empty text would end its list.
fn encode(value: &Value) -> Option<(u32, Vec<u8>)> {
    let text = |text: &str| -> Option<Vec<u8>> {
        let units = text.encode_utf16().chain([0]);
        (!text.contains('\0')).then(|| units.flat_map(u16::to_le_bytes).collect())
    };
    Some(match value {
        Value::Sz(words) => (1, text(words)?),
        Value::ExpandSz(words) => (2, text(words)?),
        Value::MultiSz(list) => {
            let mut bytes = Vec::new();
            for words in list {
                bytes.extend(text(words).filter(|_| !words.is_empty())?);
            }
            bytes.extend([0, 0]);
            (7, bytes)
        }
        Value::Dword(number) => (4, number.to_le_bytes().to_vec()),
        Value::Qword(number) => (11, number.to_le_bytes().to_vec()),
        Value::Binary(bytes) => (3, bytes.clone()),
        Value::Other(kind, bytes) => (*kind, bytes.clone()),
    })
}
