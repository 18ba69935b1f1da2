//! Certificates of `LocalMachine\My`, over crypt32.

#![expect(unsafe_code, reason = "calls of crypt32 and ncrypt")]

use std::ptr;

use jiff::Timestamp;
use windows_sys::Win32::Foundation::{CRYPT_E_NOT_FOUND, FILETIME, NTE_BAD_KEYSET, NTE_NO_KEY};
use windows_sys::Win32::Security::Cryptography::{
    CERT_CONTEXT, CERT_FIND_SHA1_HASH, CERT_KEY_PROV_INFO_PROP_ID, CERT_NCRYPT_KEY_SPEC, CERT_SHA1_HASH_PROP_ID,
    CERT_STORE_PROV_SYSTEM_W, CERT_SYSTEM_STORE_LOCAL_MACHINE, CERT_X500_NAME_STR, CRYPT_ACQUIRE_ALLOW_NCRYPT_KEY_FLAG,
    CRYPT_ACQUIRE_SILENT_FLAG, CRYPT_DELETEKEYSET, CRYPT_INTEGER_BLOB, CRYPT_KEY_PROV_INFO, CRYPT_MACHINE_KEYSET,
    CertCloseStore, CertDeleteCertificateFromStore, CertDuplicateCertificateContext, CertEnumCertificatesInStore,
    CertFindCertificateInStore, CertFreeCertificateContext, CertGetCertificateContextProperty, CertNameToStrW,
    CertOpenStore, CryptAcquireCertificatePrivateKey, CryptAcquireContextW, HCERTSTORE, NCryptDeleteKey,
    NCryptFreeObject, PKCS_7_ASN_ENCODING, X509_ASN_ENCODING,
};

use super::wide::{until_zero, wide};
use super::{Windows, code};
use crate::windows::machine::{Cause, Certificate, Certificates, Sys, SysError};

const STORE: &str = r"LocalMachine\My";
const ENCODING: u32 = X509_ASN_ENCODING | PKCS_7_ASN_ENCODING;
/// Seconds from 1601, where Windows' times begin, to 1970.
const SECS_TO_1970: i64 = 11_644_473_600;

impl Certificates for Windows {
    fn certificates(&self) -> Sys<Vec<Certificate>> {
        const CALL: &str = "CertEnumCertificatesInStore";
        let store = Store::open("My")?;
        let mut found = Vec::new();
        let mut at: *const CERT_CONTEXT = ptr::null();
        loop {
            // SAFETY: the store is open, and the call frees the context before, which nobody uses any more.
            at = unsafe { CertEnumCertificatesInStore(store.0, at) };
            if at.is_null() {
                return Ok(found);
            }
            // SAFETY: the context lives until the next call; a second one of it is freed when dropped.
            let context = Context(unsafe { CertDuplicateCertificateContext(at) });
            match context.describe(CALL) {
                Ok(certificate) => found.push(certificate),
                Err(error) => {
                    // SAFETY: no further call frees it.
                    unsafe { CertFreeCertificateContext(at) };
                    return Err(error);
                }
            }
        }
    }

    fn remove_certificate(&self, thumbprint: &str) -> Sys<()> {
        const CALL: &str = "CertDeleteCertificateFromStore";
        let mut hash = from_hex(thumbprint).ok_or_else(|| code::failed(CALL, thumbprint, code::INVALID_PARAMETER))?;
        let blob = CRYPT_INTEGER_BLOB { cbData: hash.len() as u32, pbData: hash.as_mut_ptr() };
        let store = Store::open("My")?;
        // SAFETY: the store is open, and the hash lives as long as the call.
        let found = unsafe {
            CertFindCertificateInStore(
                store.0,
                ENCODING,
                0,
                CERT_FIND_SHA1_HASH,
                ptr::from_ref(&blob).cast(),
                ptr::null(),
            )
        };
        if found.is_null() {
            let got = code::last_code();
            // Gone already.
            return if got == CRYPT_E_NOT_FOUND.cast_unsigned() {
                Ok(())
            } else {
                Err(code::failed(CALL, thumbprint, got))
            };
        }
        let context = Context(found);
        // The key first: without its certificate nobody would find it again.
        context.delete_key(thumbprint)?;
        // The call frees the context in any case.
        let context = std::mem::ManuallyDrop::new(context);
        // SAFETY: the context is of this store, and isn't used after this.
        if unsafe { CertDeleteCertificateFromStore(context.0) } == 0 {
            return Err(code::last(CALL, thumbprint));
        }
        // The call may succeed and the store still keep it, as Wine's does.
        drop(store);
        let name = thumbprint.to_ascii_lowercase();
        if self.certificates()?.iter().any(|certificate| certificate.thumbprint == name) {
            return Err(SysError::new(CALL, thumbprint, Cause::Other, 0, "it was removed and is still there"));
        }
        Ok(())
    }
}

/// An open store of the machine.
pub(super) struct Store(pub(super) HCERTSTORE);

impl Store {
    /// Opens a store of the machine.
    ///
    /// # Errors
    /// Where Windows refuses it.
    pub(super) fn open(name: &'static str) -> Sys<Self> {
        const CALL: &str = "CertOpenStore";
        let wide_name = wide(CALL, name)?;
        // SAFETY: the provider takes a name that ends with a zero; what is opened is closed when dropped.
        let store = unsafe {
            CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, CERT_SYSTEM_STORE_LOCAL_MACHINE, wide_name.as_ptr().cast())
        };
        if store.is_null() { Err(code::last(CALL, STORE)) } else { Ok(Self(store)) }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once here.
        unsafe { CertCloseStore(self.0, 0) };
    }
}

/// A certificate of crypt32.
pub(super) struct Context(pub(super) *mut CERT_CONTEXT);

impl Context {
    fn describe(&self, call: &'static str) -> Sys<Certificate> {
        let hash = self.property(CERT_SHA1_HASH_PROP_ID).map_err(|got| code::failed(call, STORE, got))?;
        let thumbprint: String =
            hash.iter().flat_map(|word| word.to_ne_bytes()).take(20).map(|byte| format!("{byte:02x}")).collect();
        // SAFETY: the context and what it points to live as long as this.
        let info = unsafe { (*self.0).pCertInfo.as_ref() };
        let info = info.ok_or_else(|| code::unreadable(call, &thumbprint, "it holds nothing"))?;
        let time = |time: FILETIME| {
            let steps = i64::from(time.dwHighDateTime) << 32 | i64::from(time.dwLowDateTime);
            // A certificate may say year 9999, which still can be told.
            Timestamp::from_second(steps / 10_000_000 - SECS_TO_1970)
                .map_err(|error| code::unreadable(call, &thumbprint, error.to_string()))
        };
        Ok(Certificate {
            subject: name(&info.Subject),
            issuer: name(&info.Issuer),
            from: time(info.NotBefore)?,
            until: time(info.NotAfter)?,
            thumbprint: thumbprint.clone(),
        })
    }

    /// Returns who issued it, as Windows writes it.
    pub(super) fn issuer(&self) -> String {
        // SAFETY: the context and what it points to live as long as this.
        unsafe { (*self.0).pCertInfo.as_ref() }.map(|info| name(&info.Issuer)).unwrap_or_default()
    }

    /// Returns a property, in numbers of 64 bits so that it is aligned.
    fn property(&self, id: u32) -> Result<Vec<u64>, u32> {
        let mut length = 0;
        // SAFETY: without a buffer only the length is asked for.
        if unsafe { CertGetCertificateContextProperty(self.0, id, ptr::null_mut(), &raw mut length) } == 0 {
            return Err(code::last_code());
        }
        let mut buffer = vec![0_u64; (length as usize).div_ceil(8)];
        // SAFETY: the buffer has at least the length that is said.
        let done =
            unsafe { CertGetCertificateContextProperty(self.0, id, buffer.as_mut_ptr().cast(), &raw mut length) };
        if done == 0 { Err(code::last_code()) } else { Ok(buffer) }
    }

    /// Deletes the private key; one that isn't there, or whose provider is gone, is a success.
    fn delete_key(&self, thumbprint: &str) -> Sys<()> {
        let info = match self.property(CERT_KEY_PROV_INFO_PROP_ID) {
            Ok(info) if !info.is_empty() => info,
            Ok(_) => return Ok(()),
            Err(got) if got == CRYPT_E_NOT_FOUND.cast_unsigned() => return Ok(()),
            Err(got) => return Err(code::failed("CertGetCertificateContextProperty", thumbprint, got)),
        };
        // SAFETY: the property is this structure, and its texts stand in the same buffer.
        let info = unsafe { &*info.as_ptr().cast::<CRYPT_KEY_PROV_INFO>() };
        if info.dwProvType == 0 { self.delete_cng_key(thumbprint) } else { delete_old_key(info, thumbprint) }
    }

    /// Deletes a key of CNG, which also covers those in the TPM.
    fn delete_cng_key(&self, thumbprint: &str) -> Sys<()> {
        let (mut key, mut spec, mut ours) = (0, 0, 0);
        let flags = CRYPT_ACQUIRE_ALLOW_NCRYPT_KEY_FLAG | CRYPT_ACQUIRE_SILENT_FLAG;
        // SAFETY: the context lives, and all three have their place.
        let done = unsafe {
            CryptAcquireCertificatePrivateKey(self.0, flags, ptr::null(), &raw mut key, &raw mut spec, &raw mut ours)
        };
        if done == 0 {
            let got = code::last_code();
            return if no_key(got) {
                Ok(())
            } else {
                Err(code::failed("CryptAcquireCertificatePrivateKey", thumbprint, got))
            };
        }
        if spec != CERT_NCRYPT_KEY_SPEC {
            return Ok(());
        }
        // SAFETY: a key that was just acquired; the call frees it where it succeeds.
        let got = unsafe { NCryptDeleteKey(key, 0) };
        if got == 0 {
            return Ok(());
        }
        if ours != 0 {
            // SAFETY: it is still ours, since it wasn't deleted.
            unsafe { NCryptFreeObject(key) };
        }
        let got = got.cast_unsigned();
        if no_key(got) { Ok(()) } else { Err(code::failed("NCryptDeleteKey", thumbprint, got)) }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: handed out once, freed once here.
        unsafe { CertFreeCertificateContext(self.0) };
    }
}

/// Deletes a key of the older CryptoAPI.
fn delete_old_key(info: &CRYPT_KEY_PROV_INFO, thumbprint: &str) -> Sys<()> {
    let mut nothing = 0;
    let flags = CRYPT_DELETEKEYSET | info.dwFlags & CRYPT_MACHINE_KEYSET;
    // SAFETY: the texts are those of the property, which lives as long as the call. With this flag no handle comes back.
    let done = unsafe {
        CryptAcquireContextW(&raw mut nothing, info.pwszContainerName, info.pwszProvName, info.dwProvType, flags)
    };
    let got = if done == 0 { code::last_code() } else { code::OK };
    if got == code::OK || no_key(got) { Ok(()) } else { Err(code::failed("CryptAcquireContextW", thumbprint, got)) }
}

fn no_key(got: u32) -> bool {
    // NTE_NOT_FOUND is how CNG says it.
    const NOT_FOUND: u32 = 0x8009_0011;
    [NTE_BAD_KEYSET.cast_unsigned(), NTE_NO_KEY.cast_unsigned(), CRYPT_E_NOT_FOUND.cast_unsigned(), NOT_FOUND]
        .contains(&got)
}

/// Returns a name as Windows writes it: `CN=..., DC=...`.
fn name(blob: &CRYPT_INTEGER_BLOB) -> String {
    // SAFETY: the name lives as long as the call; without a buffer only the length is asked for.
    let length = unsafe { CertNameToStrW(ENCODING, ptr::from_ref(blob), CERT_X500_NAME_STR, ptr::null_mut(), 0) };
    let mut text = vec![0_u16; length as usize];
    // SAFETY: the buffer has the length that is said.
    unsafe { CertNameToStrW(ENCODING, ptr::from_ref(blob), CERT_X500_NAME_STR, text.as_mut_ptr(), length) };
    until_zero(&text)
}

/// Returns the bytes of a SHA-1 in hex.
fn from_hex(text: &str) -> Option<[u8; 20]> {
    let mut bytes = [0; 20];
    if text.len() != 40 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
