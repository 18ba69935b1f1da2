//! Profiles of people, and how one changes hands.
//!
//! Windows has a call for that, `Win32_UserProfile.ChangeOwner`. It isn't used here, for three reasons (domain.md B3
//! step 10). What it changed can't be undone exactly: it keeps no record, and the way back has to be open until the
//! first sign-in worked. The new owner's SID has to be one that the device can resolve at that moment, so a device that
//! is joined but offline couldn't go on. And which files it gave over, and which not, can't be seen. So this tool does
//! by itself what has to be done, each step written down before it is made:
//!
//! 1. look at everything that lies in the profile: what can't be read now couldn't be given over later
//! 2. copy both hives into the private folder
//! 3. put the new owner in the place of the old one in the security of every file and folder
//! 4. and in the security of every key of both hives
//! 5. remove the empty profile that the new owner may have
//! 6. move the key in ProfileList
//! 7. remove the tokens that the token broker kept for the old owner
//!
//! A swap that stops anywhere goes on where it stopped when it is asked for again, and its way back is a swap too.
//!
//! `[I]` That Windows takes such a profile for the new owner's: one public tool works this way (domain.md B3, method b),
//! nobody here saw it on a running Windows. `[I]` That both hives are whole once they are unloaded, with nothing left in
//! their log files; one that says otherwise is refused. `[K]` The names of the values in ProfileList. What belongs to
//! the old SID outside of the profile stays: tasks, services, shares, and apps' registrations by SID.

mod list;
mod owners;
mod record;
mod swap;
mod tree;

pub use list::{Sizes, list};
pub use swap::swap;
pub use tree::{Given, give_tree};

/// Where Windows keeps who has which profile.
const PROFILE_LIST: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
/// Where a profile's GUID leads to its SID \[K].
const PROFILE_GUID: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileGuid";
/// The path of a profile, in its key.
const IMAGE_PATH: &str = "ProfileImagePath";
/// Hives of a profile, below its folder.
const HIVES: [&str; 2] = ["NTUSER.DAT", r"AppData\Local\Microsoft\Windows\UsrClass.dat"];
/// Folder of the packages of apps, and how the token broker's begins (domain.md B6).
const PACKAGES: &str = r"AppData\Local\Packages";
const BROKER: &str = "microsoft.aad.brokerplugin_";
/// A hive larger than this isn't one of a profile: Windows itself allows 2 GiB, people have some ten MiB \[K].
const HIVE_MAX: u64 = 1 << 30;

/// Says whether two paths are one; Windows tells no case apart.
fn same_path(a: &str, b: &str) -> bool {
    a.trim_end_matches('\\').to_lowercase() == b.trim_end_matches('\\').to_lowercase()
}

#[cfg(test)]
mod tests;
