//! Local accounts, over netapi32, and what else [`Accounts`] asks for.

#![expect(unsafe_code, reason = "calls of netapi32 and advapi32")]

use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::NetworkManagement::NetManagement::{
    FILTER_NORMAL_ACCOUNT, NetUserAdd, NetUserDel, NetUserEnum, NetUserSetInfo, UF_ACCOUNTDISABLE,
    UF_DONT_EXPIRE_PASSWD, UF_NORMAL_ACCOUNT, UF_SCRIPT, USER_INFO_1, USER_INFO_20, USER_INFO_1003, USER_INFO_1007,
    USER_INFO_1008, USER_PRIV_USER,
};
use windows_sys::Win32::Security::{LOGON32_LOGON_NETWORK, LOGON32_PROVIDER_DEFAULT, LogonUserW};
use zeroize::Zeroizing;

use super::groups::{self, listed};
use super::{Windows, code, rights, sessions, wide};
use crate::model::{RecoveryPassword, Sid};
use crate::windows::machine::{Accounts, LocalUser, Session, Sys};

/// NERR_UserExists.
const EXISTS: u32 = 2224;
/// NERR_UserNotFound.
const NOT_FOUND: u32 = 2221;
/// ERROR_LOGON_FAILURE: no such account, or another password.
const LOGON_FAILURE: u32 = 1326;

impl Accounts for Windows {
    fn machine_sid(&self) -> Sys<Sid> {
        rights::machine_sid()
    }

    fn local_users(&self) -> Sys<Vec<LocalUser>> {
        let machine = self.machine_sid()?;
        let mut users = Vec::new();
        // Level 20 gives the number and the flags in one call; 23, which has the SID, can't be listed.
        listed::<USER_INFO_20>(
            "NetUserEnum",
            "this device",
            |buffer, read, all, resume| {
                let mut at = *resume as u32;
                // SAFETY: no server means this device, and all numbers have their place.
                let got = unsafe {
                    NetUserEnum(
                        ptr::null(),
                        20,
                        FILTER_NORMAL_ACCOUNT,
                        buffer,
                        groups::ANY_LENGTH,
                        read,
                        all,
                        &raw mut at,
                    )
                };
                *resume = at as usize;
                got
            },
            |user| {
                let sid = format!("{machine}-{}", user.usri20_user_id);
                users.push(LocalUser {
                    // SAFETY: a text of the list that the call gave, which still lives.
                    name: unsafe { wide::at(user.usri20_name) },
                    sid: sid.parse().map_err(|error: String| code::unreadable("NetUserEnum", sid.clone(), error))?,
                    enabled: user.usri20_flags & UF_ACCOUNTDISABLE == 0,
                });
                Ok(())
            },
        )?;
        Ok(users)
    }

    fn set_local_user(&self, name: &str, password: &RecoveryPassword, comment: &str) -> Sys<()> {
        const CALL: &str = "NetUserAdd";
        let (mut wide_name, mut wide_comment) = (wide::wide(CALL, name)?, wide::wide(CALL, comment)?);
        let mut secret = secret(CALL, name, password)?;
        let flags = UF_SCRIPT | UF_NORMAL_ACCOUNT | UF_DONT_EXPIRE_PASSWD;
        let user = USER_INFO_1 {
            usri1_name: wide_name.as_mut_ptr(),
            usri1_password: secret.as_mut_ptr(),
            usri1_password_age: 0,
            usri1_priv: USER_PRIV_USER,
            usri1_home_dir: ptr::null_mut(),
            usri1_comment: wide_comment.as_mut_ptr(),
            usri1_flags: flags,
            usri1_script_path: ptr::null_mut(),
        };
        // SAFETY: the structure is that of level 1, and its texts end with a zero and live as long as the call.
        match unsafe { NetUserAdd(ptr::null(), 1, ptr::from_ref(&user).cast(), ptr::null_mut()) } {
            code::OK => return Ok(()),
            EXISTS => {}
            got => return Err(code::failed(CALL, name, got)),
        }
        // The password first: an account that is enabled with its old one would let in whoever knows that.
        let set = |level: u32, buffer: *const u8| {
            // SAFETY: the caller below passes the structure of the level, whose text lives as long as the call.
            match unsafe { NetUserSetInfo(ptr::null(), wide_name.as_ptr(), level, buffer, ptr::null_mut()) } {
                code::OK => Ok(()),
                got => Err(code::failed("NetUserSetInfo", name, got)),
            }
        };
        let new_password = USER_INFO_1003 { usri1003_password: secret.as_mut_ptr() };
        set(1003, ptr::from_ref(&new_password).cast())?;
        let new_comment = USER_INFO_1007 { usri1007_comment: wide_comment.as_mut_ptr() };
        set(1007, ptr::from_ref(&new_comment).cast())?;
        // Without UF_LOCKOUT this ends a lock-out too.
        let new_flags = USER_INFO_1008 { usri1008_flags: flags };
        set(1008, ptr::from_ref(&new_flags).cast())
    }

    fn remove_local_user(&self, name: &str) -> Sys<()> {
        const CALL: &str = "NetUserDel";
        let wide_name = wide::wide(CALL, name)?;
        // SAFETY: no server means this device, and the name ends with a zero.
        match unsafe { NetUserDel(ptr::null(), wide_name.as_ptr()) } {
            code::OK | NOT_FOUND => Ok(()),
            got => Err(code::failed(CALL, name, got)),
        }
    }

    fn logon_works(&self, name: &str, password: &RecoveryPassword) -> Sys<bool> {
        const CALL: &str = "LogonUserW";
        // `.` is the accounts of this device, whatever domain it is in.
        let (wide_name, here) = (wide::wide(CALL, name)?, wide::wide(CALL, ".")?);
        let secret = secret(CALL, name, password)?;
        let mut token = ptr::null_mut();
        // SAFETY: all texts end with a zero, and the token that comes back is owned below.
        let done = unsafe {
            LogonUserW(
                wide_name.as_ptr(),
                here.as_ptr(),
                secret.as_ptr(),
                LOGON32_LOGON_NETWORK,
                LOGON32_PROVIDER_DEFAULT,
                &raw mut token,
            )
        };
        if done != 0 {
            // SAFETY: a new handle that nobody else has; it is closed at once.
            drop(unsafe { OwnedHandle::from_raw_handle(token) });
            return Ok(true);
        }
        match code::last_code() {
            LOGON_FAILURE => Ok(false),
            // An account that is locked, disabled or may not sign in over the network (1385) says nothing about its
            // password.
            got => Err(code::failed(CALL, name, got)),
        }
    }

    fn local_groups(&self) -> Sys<Vec<Sid>> {
        groups::all()
    }

    fn members(&self, group: &Sid) -> Sys<Vec<Sid>> {
        groups::members(group)
    }

    fn add_member(&self, group: &Sid, member: &Sid) -> Sys<()> {
        groups::add(group, member)
    }

    fn remove_member(&self, group: &Sid, member: &Sid) -> Sys<()> {
        groups::remove(group, member)
    }

    fn holders(&self, right: &str) -> Sys<Vec<Sid>> {
        rights::holders(right)
    }

    fn sessions(&self) -> Sys<Vec<Session>> {
        sessions::list()
    }
}

/// Returns a password as Windows takes it, in memory that is wiped. A zero within would cut it.
fn secret(call: &'static str, account: &str, password: &RecoveryPassword) -> Sys<Zeroizing<Vec<u16>>> {
    let text = password.expose();
    if text.contains('\0') {
        return Err(code::failed(call, account, code::INVALID_PARAMETER));
    }
    // As long as it can get from the begin: what grows leaves copies behind.
    let mut units = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    units.extend(text.encode_utf16().chain([0]));
    Ok(units)
}
