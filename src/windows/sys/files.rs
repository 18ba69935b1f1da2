//! Files and folders: the standard library where it does what is asked, Win32 for security, renames and space.

#![expect(unsafe_code, reason = "calls of kernel32 and advapi32 on files")]

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND};
use windows_sys::Win32::Security::{GetKernelObjectSecurity, SECURITY_ATTRIBUTES, SetKernelObjectSecurity};
use windows_sys::Win32::Storage::FileSystem::{
    CreateDirectoryW, FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    GetDiskFreeSpaceExW, GetVolumePathNameW, MOVEFILE_REPLACE_EXISTING, MOVEFILE_WRITE_THROUGH, MoveFileExW,
};

use super::security::{self, Descriptor};
use super::wide::{until_zero, wide};
use super::{Windows, code};
use crate::windows::machine::{Entry, Files, Sys, SysError, Volume};

/// READ_CONTROL.
const READ_CONTROL: u32 = 0x0002_0000;
/// WRITE_DAC and WRITE_OWNER.
const WRITE_SECURITY: u32 = 0x0004_0000 | 0x0008_0000;
/// ERROR_BAD_PATHNAME.
const BAD_PATHNAME: u32 = 161;
/// ERROR_FILE_TOO_LARGE.
const TOO_LARGE: u32 = 223;
/// ERROR_ALREADY_EXISTS.
const ALREADY_EXISTS: u32 = 183;
/// ERROR_CANT_ACCESS_FILE: what Windows itself says of a reparse point that it doesn't follow.
const NOT_FOLLOWED: u32 = 1920;
/// What a file is called until it is whole.
const UNFINISHED: &str = ".opsole-new";

impl Files for Windows {
    fn read(&self, path: &str, limit: u64) -> Sys<Option<Vec<u8>>> {
        const CALL: &str = "ReadFile";
        // Backup semantics let the privilege read what denies SYSTEM.
        let opened = OpenOptions::new().read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(verbatim(CALL, path)?);
        let Some(file) = absent_is_none("CreateFileW", path, opened)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| code::io(CALL, path, &error))?;
        if bytes.len() as u64 > limit {
            return Err(code::failed(CALL, path, TOO_LARGE));
        }
        Ok(Some(bytes))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Sys<()> {
        const CALL: &str = "WriteFile";
        let unfinished = format!("{path}{UNFINISHED}");
        let target = verbatim(CALL, &unfinished)?;
        // What an earlier try left. `create_new`, so that nothing that lies there is written through.
        self.remove(&unfinished)?;
        let written = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&target)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        let done = written().map_err(|error| code::io(CALL, path, &error)).and_then(|()| replace(&unfinished, path));
        done.inspect_err(|_| drop(self.remove(&unfinished)))
    }

    fn copy(&self, from: &str, to: &str) -> Sys<()> {
        const CALL: &str = "CopyFileExW";
        let unfinished = format!("{to}{UNFINISHED}");
        let (source, target) = (verbatim(CALL, from)?, verbatim(CALL, &unfinished)?);
        self.remove(&unfinished)?;
        let copied = || -> Sys<()> {
            fs::copy(&source, &target).map_err(|error| code::io(CALL, from, &error))?;
            // CopyFileExW gives the copy the rights of its new folder.
            let descriptor = self.security(from)?;
            let descriptor = descriptor.ok_or_else(|| code::failed(CALL, from, ERROR_FILE_NOT_FOUND))?;
            self.set_security(&unfinished, &descriptor)?;
            replace(&unfinished, to)
        };
        copied().inspect_err(|_| drop(self.remove(&unfinished)))
    }

    fn rename(&self, from: &str, to: &str) -> Sys<()> {
        replace(from, to)
    }

    fn create_private(&self, path: &str) -> Sys<()> {
        const CALL: &str = "CreateDirectoryW";
        let bytes = security::from_sddl(security::PRIVATE_FOLDER)?;
        let descriptor = Descriptor::new(CALL, path, &bytes)?;
        verbatim(CALL, path)?;
        let trimmed = path.trim_end_matches('\\');
        // From above downwards; what lies above and is there already stays as it is.
        let ends = trimmed.match_indices('\\').map(|(at, _)| at).chain([trimmed.len()]);
        for end in ends.filter(|end| *end > 2) {
            let folder = trimmed.get(..end).unwrap_or(trimmed);
            if !self.exists(folder)? {
                create(folder, &descriptor)?;
            }
        }
        // Somebody may have put a junction there before us, and would then hold what we write.
        if metadata(trimmed)?.is_none_or(|found| is_reparse(&found)) {
            return Err(code::failed(CALL, path, NOT_FOLLOWED));
        }
        self.set_security(trimmed, &bytes)
    }

    fn exists(&self, path: &str) -> Sys<bool> {
        Ok(metadata(path)?.is_some())
    }

    fn list(&self, path: &str) -> Sys<Option<Vec<Entry>>> {
        const CALL: &str = "FindNextFileW";
        let Some(entries) = absent_is_none("FindFirstFileExW", path, fs::read_dir(verbatim(CALL, path)?))? else {
            return Ok(None);
        };
        let failed = |error: io::Error| code::io(CALL, path, &error);
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            // From the entry itself, without opening what it names.
            let data = entry.metadata().map_err(failed)?;
            // A name that was mended would open nothing, and what it names would count as gone.
            let name = entry.file_name().into_string().map_err(|name| {
                code::unreadable(CALL, format!("{path}\\{}", name.to_string_lossy()), "its name isn't Unicode")
            })?;
            let is_reparse = is_reparse(&data);
            let is_folder = data.file_attributes() & 0x10 != 0; // FILE_ATTRIBUTE_DIRECTORY
            found.push(Entry { name, is_folder, is_reparse, bytes: if is_folder { 0 } else { data.len() } });
        }
        Ok(Some(found))
    }

    fn remove(&self, path: &str) -> Sys<()> {
        const CALL: &str = "DeleteFileW";
        let Some(data) = metadata(path)? else { return Ok(()) };
        let target = verbatim(CALL, path)?;
        let is_folder = data.file_attributes() & 0x10 != 0;
        // The standard library opens each folder relative to the one above and follows no reparse point, so that
        // nobody can lead this elsewhere while it runs.
        let remove = || match (is_folder, is_reparse(&data)) {
            (true, true) => fs::remove_dir(&target),
            (true, false) => fs::remove_dir_all(&target),
            (false, _) => fs::remove_file(&target),
        };
        let first = remove();
        let denied = |error: &io::Error| error.raw_os_error() == Some(ERROR_ACCESS_DENIED.cast_signed());
        let done = match &first {
            // Windows before 10 1809 and Wine refuse what is read-only.
            Err(error) if denied(error) => {
                make_writable(path, &data)?;
                remove()
            }
            _ => first,
        };
        absent_is_none(CALL, path, done).map(drop)
    }

    fn security(&self, path: &str) -> Sys<Option<Vec<u8>>> {
        let Some(file) = open_itself(path, READ_CONTROL)? else { return Ok(None) };
        let read = security::read(|buffer, length| {
            // SAFETY: the handle is open, and the buffer has the length that is said.
            let done = unsafe {
                GetKernelObjectSecurity(file.as_raw_handle(), security::PARTS, buffer, *length, ptr::from_mut(length))
            };
            if done == 0 { code::last_code() } else { code::OK }
        });
        read.map(Some).map_err(|got| code::failed("GetKernelObjectSecurity", path, got))
    }

    fn set_security(&self, path: &str, descriptor: &[u8]) -> Sys<()> {
        const CALL: &str = "SetKernelObjectSecurity";
        let descriptor = Descriptor::new(CALL, path, descriptor)?;
        let Some(file) = open_itself(path, WRITE_SECURITY)? else {
            return Err(code::failed(CALL, path, ERROR_FILE_NOT_FOUND));
        };
        // SAFETY: the handle is open, and the descriptor was checked and is only read.
        let done = unsafe { SetKernelObjectSecurity(file.as_raw_handle(), descriptor.parts(), descriptor.as_ptr()) };
        if done == 0 { Err(code::last(CALL, path)) } else { Ok(()) }
    }

    fn volume(&self, path: &str) -> Sys<Volume> {
        const CALL: &str = "GetDiskFreeSpaceExW";
        let name = wide(CALL, path)?;
        let mut mounted = [0_u16; 1024];
        // SAFETY: the path ends with a zero and the buffer has the length that is said.
        if unsafe { GetVolumePathNameW(name.as_ptr(), mounted.as_mut_ptr(), mounted.len() as u32) } == 0 {
            return Err(code::last("GetVolumePathNameW", path));
        }
        let (mut free, mut size) = (0, 0);
        // SAFETY: the path ends with a zero, and both numbers have their place.
        let done = unsafe { GetDiskFreeSpaceExW(mounted.as_ptr(), &raw mut free, &raw mut size, ptr::null_mut()) };
        if done == 0 {
            return Err(code::last(CALL, until_zero(&mounted)));
        }
        Ok(Volume { free_mib: free >> 20, size_mib: size >> 20 })
    }
}

/// Returns a path in the form that isn't interpreted any further, and so may be longer than 260 characters. `.` and `..`
/// mean nothing in it.
fn verbatim(call: &'static str, path: &str) -> Sys<String> {
    let path = path.replace('/', "\\");
    let bad = || code::failed(call, path.clone(), BAD_PATHNAME);
    if path.contains('\0') || path.split('\\').any(|part| part == "." || part == "..") && !path.starts_with(r"\\?\") {
        return Err(bad());
    }
    let mut start = path.chars();
    match (start.next(), start.next(), start.next()) {
        (Some('\\'), Some('\\'), Some('?')) => Ok(path),
        (Some('\\'), Some('\\'), _) => Ok(format!(r"\\?\UNC{}", path.get(1..).unwrap_or_default())),
        (Some(drive), Some(':'), Some('\\')) if drive.is_ascii_alphabetic() => Ok(format!(r"\\?\{path}")),
        (Some(drive), Some(':'), None) if drive.is_ascii_alphabetic() => Ok(format!(r"\\?\{path}\")),
        _ => Err(bad()),
    }
}

/// Turns "there is no such file" and "there is no such folder" into none.
fn absent_is_none<T>(call: &'static str, path: &str, outcome: io::Result<T>) -> Sys<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.raw_os_error().map(i32::cast_unsigned) {
            Some(ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND) => Ok(None),
            _ => Err(code::io(call, path, &error)),
        },
    }
}

/// Returns what is known of a path itself, without following it.
fn metadata(path: &str) -> Sys<Option<fs::Metadata>> {
    const CALL: &str = "GetFileInformationByHandle";
    absent_is_none(CALL, path, fs::symlink_metadata(verbatim(CALL, path)?))
}

fn is_reparse(data: &fs::Metadata) -> bool {
    data.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0
}

/// Opens a file, folder or reparse point itself for its security.
fn open_itself(path: &str, access: u32) -> Sys<Option<OwnedHandle>> {
    const CALL: &str = "CreateFileW";
    let opened = OpenOptions::new()
        .access_mode(access)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(verbatim(CALL, path)?);
    Ok(absent_is_none(CALL, path, opened)?.map(OwnedHandle::from))
}

/// Makes one folder with these rights from its first moment.
fn create(path: &str, descriptor: &Descriptor) -> Sys<()> {
    const CALL: &str = "CreateDirectoryW";
    let name = wide(CALL, &verbatim(CALL, path)?)?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: descriptor.as_ptr(),
        bInheritHandle: 0,
    };
    // SAFETY: the name ends with a zero, and the attributes live as long as the call.
    if unsafe { CreateDirectoryW(name.as_ptr(), &raw const attributes) } == 0 {
        let got = code::last_code();
        if got != ALREADY_EXISTS {
            return Err(code::failed(CALL, path, got));
        }
    }
    Ok(())
}

/// Renames over what is there, and returns once that is on the disk.
fn replace(from: &str, to: &str) -> Sys<()> {
    const CALL: &str = "MoveFileExW";
    let (source, target) = (verbatim(CALL, from)?, verbatim(CALL, to)?);
    let (old, new) = (wide(CALL, &source)?, wide(CALL, &target)?);
    // Without MOVEFILE_COPY_ALLOWED: a copy to another volume isn't whole or nothing.
    let flags = MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH;
    // SAFETY: both names end with a zero.
    if unsafe { MoveFileExW(old.as_ptr(), new.as_ptr(), flags) } != 0 {
        return Ok(());
    }
    match code::last_code() {
        // What is open elsewhere or read-only can still be replaced with the newer call that the standard library makes
        // (FILE_RENAME_POSIX_SEMANTICS, Windows 10 1607).
        ERROR_ACCESS_DENIED => {
            fs::rename(&source, &target).map_err(|error| code::io("SetFileInformationByHandle", to, &error))
        }
        other => Err(code::failed(CALL, format!("{from} to {to}"), other)),
    }
}

/// Takes the read-only mark from a file, or from all files below a folder, without following reparse points.
fn make_writable(path: &str, data: &fs::Metadata) -> Sys<()> {
    const CALL: &str = "SetFileAttributesW";
    let failed = |error: &io::Error| -> SysError { code::io(CALL, path, error) };
    let clear = |target: &std::path::Path, data: &fs::Metadata| -> io::Result<()> {
        let mut rights = data.permissions();
        if rights.readonly() {
            #[expect(clippy::permissions_set_readonly_false, reason = "on Windows it is one attribute, and no right")]
            rights.set_readonly(false);
            fs::set_permissions(target, rights)?;
        }
        Ok(())
    };
    let target = std::path::PathBuf::from(verbatim(CALL, path)?);
    clear(&target, data).map_err(|error| failed(&error))?;
    let mut open = if data.is_dir() && !is_reparse(data) { vec![target] } else { Vec::new() };
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| failed(&error))? {
            let entry = entry.map_err(|error| failed(&error))?;
            let data = entry.metadata().map_err(|error| failed(&error))?;
            if is_reparse(&data) {
                continue;
            }
            clear(&entry.path(), &data).map_err(|error| failed(&error))?;
            if data.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok(())
}
