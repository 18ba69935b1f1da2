//! Files and folders.

use super::{Folder, cause, lacks, windows};
use crate::windows::machine::{Cause, Entry, Files};

/// Catches a write that isn't whole, leaves its unfinished file behind, or fails over an old one; and "absent" as error.
#[test]
fn a_file_is_written_read_and_removed() {
    let (windows, folder) = (windows(), Folder::new());
    let path = folder.file("a b.bin");
    assert_eq!(windows.read(&path, 10).expect("absent"), None);
    assert_eq!(windows.read(&folder.file(r"no\such\folder"), 10).expect("absent"), None);
    assert!(!windows.exists(&path).expect("known"));
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    windows.write(&path, b"old").expect("written");
    windows.write(&path, &bytes).expect("written over it");
    assert_eq!(windows.read(&path, 100_000).expect("read"), Some(bytes));
    assert!(windows.read(&path, 99_999).is_err(), "longer than the limit");
    let entry = Entry { name: "a b.bin".to_owned(), is_folder: false, is_reparse: false, bytes: 100_000 };
    assert_eq!(windows.list(&folder.0).expect("read"), Some(vec![entry]), "and nothing unfinished");
    windows.remove(&path).expect("removed");
    windows.remove(&path).expect("removed again");
    assert!(windows.write(&folder.file(r"no\such\folder"), b"x").is_err());
}

/// Catches an old file that is lost though the new one couldn't be put in its place.
#[test]
fn a_file_that_is_held_stays_as_it_is() {
    use std::os::windows::fs::OpenOptionsExt;
    let (windows, folder) = (windows(), Folder::new());
    let path = folder.file("held");
    windows.write(&path, b"old").expect("written");
    let held = std::fs::OpenOptions::new().read(true).share_mode(0).open(&path).expect("held");
    let refused = cause(windows.write(&path, b"new"));
    assert!(matches!(refused, Cause::Busy | Cause::Denied), "{refused:?}");
    assert_eq!(cause(windows.read(&path, 10)), Cause::Busy);
    drop(held);
    assert_eq!(windows.read(&path, 10).expect("read").as_deref(), Some(b"old".as_slice()));
    assert_eq!(windows.list(&folder.0).expect("read").map(|all| all.len()), Some(1), "nothing unfinished");
}

/// Catches read-only files that stop a removal or a write, and paths that end at 260 characters.
#[test]
fn read_only_and_long_paths() {
    let (windows, folder) = (windows(), Folder::new());
    let mut deep = folder.file("deep");
    while deep.len() < 600 {
        std::fs::create_dir(format!(r"\\?\{deep}")).expect("made");
        deep.push_str(r"\a folder of some length");
    }
    windows.write(&deep, b"deep").expect("a long path");
    assert_eq!(windows.read(&deep, 10).expect("read").as_deref(), Some(b"deep".as_slice()));
    let long = format!(r"\\?\{deep}");
    let mut rights = std::fs::metadata(&long).expect("there").permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(&long, rights).expect("read-only");
    windows.remove(&folder.file("deep")).expect("removed with the read-only file");
    assert!(!windows.exists(&folder.file("deep")).expect("known"));
}

/// Catches a path that means another file than it says: relative, with `..`, or cut at a zero.
#[test]
fn only_whole_paths_are_taken() {
    let windows = windows();
    for path in ["", "x", r"\x", "C:x", r"C:\a\..\b", r"C:\a\.\b", "C:\\a\0b", r"1:\x"] {
        assert!(windows.read(path, 1).is_err() && windows.exists(path).is_err(), "{path:?}");
        assert!(windows.remove(path).is_err() && windows.write(path, b"").is_err(), "{path:?}");
    }
    assert!(windows.exists("C:").expect("a drive") && windows.exists(r"C:\").expect("a drive"));
}

/// Catches a copy that can't replace, and a rename that leaves both.
#[test]
fn copies_and_renames_replace() {
    let (windows, folder) = (windows(), Folder::new());
    let [one, two, three] = ["1", "2", "3"].map(|name| folder.file(name));
    windows.write(&one, b"one").expect("written");
    windows.write(&two, b"two").expect("written");
    windows.copy(&one, &two).expect("copied");
    assert_eq!(windows.read(&two, 10).expect("read").as_deref(), Some(b"one".as_slice()));
    windows.write(&three, b"three").expect("written");
    windows.rename(&two, &three).expect("renamed");
    assert_eq!(windows.read(&three, 10).expect("read").as_deref(), Some(b"one".as_slice()));
    assert!(!windows.exists(&two).expect("known"));
    assert!(windows.rename(&two, &one).is_err() && windows.copy(&two, &one).is_err(), "nothing is there");
    assert_eq!(windows.read(&one, 10).expect("read").as_deref(), Some(b"one".as_slice()));
}

/// Catches a removal that follows a link out of its folder, and a link that a private folder would be made behind.
#[test]
fn links_are_not_followed() {
    let (windows, folder, other) = (windows(), Folder::new(), Folder::new());
    windows.write(&other.file("precious"), b"x").expect("written");
    let below = folder.file("below");
    std::fs::create_dir(&below).expect("made");
    let link = format!(r"{below}\link");
    if std::os::windows::fs::symlink_dir(&other.0, &link).is_err() {
        return lacks("CreateSymbolicLinkW", "by hand on Windows: a junction in a profile that is removed");
    }
    let found = windows.list(&below).expect("read").expect("there");
    if found.is_empty() {
        return lacks(
            "FindFirstFileExW of a symbolic link",
            "by hand on Windows: a junction in a profile that is removed",
        );
    }
    assert!(found[0].is_reparse, "{found:?}");
    assert!(windows.create_private(&link).is_err());
    assert!(windows.create_private(&below).is_ok());
    windows.remove(&below).expect("removed");
    assert!(windows.exists(&other.file("precious")).expect("known"), "what the link leads to is still there");
}

/// Catches a private folder whose parents aren't made, and security that can't be read and put back.
///
/// Wine squeezes the rights of files into those of Unix, so what comes back isn't compared here.
#[test]
fn security_is_read_and_set() {
    let (windows, folder) = (windows(), Folder::new());
    let path = folder.file(r"a\b\c");
    windows.create_private(&path).expect("made with those above");
    windows.create_private(&path).expect("there already");
    windows.write(&format!(r"{path}\x"), b"x").expect("we may write there");
    let descriptor = windows.security(&path).expect("read").expect("there");
    windows.set_security(&path, &descriptor).expect("put back");
    assert_eq!(windows.security(&folder.file("gone")).expect("absent"), None);
    assert!(windows.set_security(&folder.file("gone"), &descriptor).is_err());
    assert_eq!(cause(windows.set_security(&path, b"no descriptor")), Cause::Unreadable);
    lacks("file security", "the bytes of the descriptor are compared over keys, and by hand for files on Windows");
}

/// Catches the space of another volume, or of no volume where the folder isn't there yet.
#[test]
fn a_volume_has_a_size() {
    let (windows, folder) = (windows(), Folder::new());
    let volume = windows.volume(&folder.0).expect("read");
    assert!(volume.size_mib >= volume.free_mib && volume.free_mib > 0, "{volume:?}");
    assert_eq!(windows.volume(&folder.file(r"not\yet")).expect("read").size_mib, volume.size_mib);
    assert!(windows.volume(r"Q:\x").is_err(), "no such drive");
}
