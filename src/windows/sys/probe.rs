//! How far a TLS connection comes, over WinHTTP: so that the machine's proxy settings and its certificate stores count,
//! as they do for the parts of Windows that will make the same connection during the move.

#![expect(unsafe_code, reason = "calls of winhttp and crypt32")]

use std::ffi::c_void;
use std::ptr;

use windows_sys::Win32::Networking::WinHttp::{
    ERROR_WINHTTP_CANNOT_CONNECT, ERROR_WINHTTP_CLIENT_AUTH_CERT_NEEDED, ERROR_WINHTTP_CONNECTION_ERROR,
    ERROR_WINHTTP_INVALID_SERVER_RESPONSE, ERROR_WINHTTP_NAME_NOT_RESOLVED, ERROR_WINHTTP_SECURE_CHANNEL_ERROR,
    ERROR_WINHTTP_SECURE_FAILURE, ERROR_WINHTTP_TIMEOUT, SECURITY_FLAG_IGNORE_CERT_CN_INVALID,
    SECURITY_FLAG_IGNORE_CERT_DATE_INVALID, SECURITY_FLAG_IGNORE_CERT_WRONG_USAGE, SECURITY_FLAG_IGNORE_UNKNOWN_CA,
    WINHTTP_ACCESS_TYPE_AUTOMATIC_PROXY, WINHTTP_ACCESS_TYPE_DEFAULT_PROXY, WINHTTP_DISABLE_REDIRECTS,
    WINHTTP_FLAG_SECURE, WINHTTP_OPTION_DISABLE_FEATURE, WINHTTP_OPTION_SECURITY_FLAGS,
    WINHTTP_OPTION_SERVER_CERT_CONTEXT, WINHTTP_QUERY_FLAG_NUMBER, WINHTTP_QUERY_STATUS_CODE, WinHttpCloseHandle,
    WinHttpConnect, WinHttpOpen, WinHttpOpenRequest, WinHttpQueryHeaders, WinHttpQueryOption, WinHttpReceiveResponse,
    WinHttpSendRequest, WinHttpSetOption, WinHttpSetTimeouts,
};

use windows_sys::Win32::Security::Cryptography::CERT_CONTEXT;

use super::certificates::Context;
use super::code;
use super::wide::wide;
use crate::model::ProbeOutcome;
use crate::windows::machine::Sys;

/// ERROR_INVALID_PARAMETER: Windows before 8.1 doesn't know the automatic proxy.
const NO_AUTOMATIC: u32 = code::INVALID_PARAMETER;
/// HTTP: the proxy wants somebody to sign in.
const PROXY_AUTHENTICATION: u32 = 407;
/// All mistakes of a certificate that can be overlooked, to see whose it is.
const ANY_CERTIFICATE: u32 = SECURITY_FLAG_IGNORE_UNKNOWN_CA
    | SECURITY_FLAG_IGNORE_CERT_DATE_INVALID
    | SECURITY_FLAG_IGNORE_CERT_CN_INVALID
    | SECURITY_FLAG_IGNORE_CERT_WRONG_USAGE;

/// Says how far a TLS connection to a host's port 443 comes. Each of its parts (name, connection, answer) may take a third
/// of the time.
///
/// # Errors
/// Where it can't be tried at all.
pub(super) fn probe(host: &str, limit_secs: u32) -> Sys<ProbeOutcome> {
    probe_at(host, 443, limit_secs)
}

/// As [`probe`], to any port.
///
/// # Errors
/// As [`probe`].
pub(super) fn probe_at(host: &str, port: u16, limit_secs: u32) -> Sys<ProbeOutcome> {
    let request = Request::new(host, port, limit_secs)?;
    let got = match request.go() {
        Ok(()) => return request.judge(host),
        Err(got) => got,
    };
    match got {
        ERROR_WINHTTP_NAME_NOT_RESOLVED => Ok(ProbeOutcome::NoName),
        ERROR_WINHTTP_CANNOT_CONNECT
        | ERROR_WINHTTP_CONNECTION_ERROR
        | ERROR_WINHTTP_TIMEOUT
        // Whoever answers there speaks no TLS that Windows takes: the service itself does.
        | ERROR_WINHTTP_SECURE_CHANNEL_ERROR => Ok(ProbeOutcome::NoAnswer),
        // Only the service itself asks for a certificate of the device, after it has proven its own name.
        ERROR_WINHTTP_CLIENT_AUTH_CERT_NEEDED => Ok(ProbeOutcome::Reached),
        ERROR_WINHTTP_INVALID_SERVER_RESPONSE => Ok(ProbeOutcome::CaptivePortal),
        ERROR_WINHTTP_SECURE_FAILURE => Ok(ProbeOutcome::Intercepted(issuer(host, port, limit_secs)?)),
        got => Err(code::failed("WinHttpSendRequest", host, got)),
    }
}

/// Connects once more and takes any certificate, to say who issued it. Nothing is sent that anybody couldn't know.
fn issuer(host: &str, port: u16, limit_secs: u32) -> Sys<String> {
    let request = Request::new(host, port, limit_secs)?;
    request.set(host, WINHTTP_OPTION_SECURITY_FLAGS, ANY_CERTIFICATE)?;
    // However it ends: the certificate has come by then, or it hasn't.
    let _ = request.go();
    let issuer = request.certificate().map(|certificate| certificate.issuer()).filter(|issuer| !issuer.is_empty());
    Ok(issuer.unwrap_or_else(|| "an unknown issuer".to_owned()))
}

/// A request with all that it stands on. Fields are dropped in their order.
struct Request {
    request: Handle,
    _connection: Handle,
    _session: Handle,
}

impl Request {
    fn new(host: &str, port: u16, limit_secs: u32) -> Sys<Self> {
        let agent = wide("WinHttpOpen", "opsole")?;
        let open = |access| {
            // SAFETY: the name ends with a zero, and no proxy is named.
            Handle(unsafe { WinHttpOpen(agent.as_ptr(), access, ptr::null(), ptr::null(), 0) })
        };
        let mut session = open(WINHTTP_ACCESS_TYPE_AUTOMATIC_PROXY);
        if session.0.is_null() && code::last_code() == NO_AUTOMATIC {
            session = open(WINHTTP_ACCESS_TYPE_DEFAULT_PROXY);
        }
        session.check("WinHttpOpen", host)?;
        let part = i32::try_from((u64::from(limit_secs) * 1000 / 3).max(1000)).unwrap_or(i32::MAX);
        // SAFETY: the session is open.
        if unsafe { WinHttpSetTimeouts(session.0, part, part, part, part) } == 0 {
            return Err(code::last("WinHttpSetTimeouts", host));
        }
        let name = wide("WinHttpConnect", host)?;
        // SAFETY: the session is open, and the name ends with a zero.
        let connection = Handle(unsafe { WinHttpConnect(session.0, name.as_ptr(), port, 0) });
        connection.check("WinHttpConnect", host)?;
        let verb = wide("WinHttpOpenRequest", "HEAD")?;
        // SAFETY: the connection is open, and the verb ends with a zero; no path means `/`.
        let request = Handle(unsafe {
            WinHttpOpenRequest(
                connection.0,
                verb.as_ptr(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
                WINHTTP_FLAG_SECURE,
            )
        });
        request.check("WinHttpOpenRequest", host)?;
        let made = Self { request, _connection: connection, _session: session };
        // Where another host would answer, that this one was reached is known already.
        made.set(host, WINHTTP_OPTION_DISABLE_FEATURE, WINHTTP_DISABLE_REDIRECTS)?;
        Ok(made)
    }

    fn set(&self, host: &str, option: u32, value: u32) -> Sys<()> {
        // SAFETY: the request is open, and both options take a number of 32 bits.
        let done = unsafe { WinHttpSetOption(self.request.0, option, ptr::from_ref(&value).cast(), 4) };
        if done == 0 { Err(code::last("WinHttpSetOption", host)) } else { Ok(()) }
    }

    /// Sends it and waits for the answer; the code where that fails.
    fn go(&self) -> Result<(), u32> {
        // SAFETY: the request is open, and neither headers nor a body are given.
        if unsafe { WinHttpSendRequest(self.request.0, ptr::null(), 0, ptr::null(), 0, 0, 0) } == 0 {
            return Err(code::last_code());
        }
        // SAFETY: the request was sent.
        if unsafe { WinHttpReceiveResponse(self.request.0, ptr::null_mut()) } == 0 {
            return Err(code::last_code());
        }
        Ok(())
    }

    /// Says who answered. Without a certificate it was the proxy, in place of the service.
    fn judge(&self, host: &str) -> Sys<ProbeOutcome> {
        const CALL: &str = "WinHttpQueryHeaders";
        let (mut status, mut length) = (0_u32, 4);
        // SAFETY: the answer has come, and the number has its place.
        let done = unsafe {
            WinHttpQueryHeaders(
                self.request.0,
                WINHTTP_QUERY_STATUS_CODE | WINHTTP_QUERY_FLAG_NUMBER,
                ptr::null(),
                ptr::from_mut(&mut status).cast(),
                &raw mut length,
                ptr::null_mut(),
            )
        };
        if done == 0 {
            return Err(code::last(CALL, host));
        }
        Ok(match (status, self.certificate()) {
            (PROXY_AUTHENTICATION, _) => ProbeOutcome::ProxyWantsPerson,
            (_, None) => ProbeOutcome::CaptivePortal,
            (_, Some(_)) => ProbeOutcome::Reached,
        })
    }

    /// Returns the certificate that came; none where none did.
    fn certificate(&self) -> Option<Context> {
        let (mut found, mut length) = (ptr::null_mut::<CERT_CONTEXT>(), size_of::<*mut c_void>() as u32);
        // SAFETY: the request is open, and the pointer has its place; what comes back is freed when dropped.
        let done = unsafe {
            WinHttpQueryOption(
                self.request.0,
                WINHTTP_OPTION_SERVER_CERT_CONTEXT,
                ptr::from_mut(&mut found).cast(),
                &raw mut length,
            )
        };
        (done != 0 && !found.is_null()).then(|| Context(found))
    }
}

/// A handle of WinHTTP.
struct Handle(*mut c_void);

impl Handle {
    fn check(&self, call: &'static str, host: &str) -> Sys<()> {
        if self.0.is_null() { Err(code::last(call, host)) } else { Ok(()) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: opened once, closed once here.
            unsafe { WinHttpCloseHandle(self.0) };
        }
    }
}
