//! Network adapters (`GetAdaptersAddresses`).

#![expect(unsafe_code, reason = "iphlpapi hands out a list of pointers")]

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ptr;

use windows_sys::Win32::NetworkManagement::IpHelper::{
    GAA_FLAG_INCLUDE_GATEWAYS, GAA_FLAG_SKIP_ANYCAST, GAA_FLAG_SKIP_MULTICAST, GetAdaptersAddresses, GetBestInterface,
    IP_ADAPTER_ADDRESSES_LH, IP_ADAPTER_DNS_SERVER_ADDRESS_XP,
};
use windows_sys::Win32::NetworkManagement::Ndis::IfOperStatusUp;
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR_IN, SOCKADDR_IN6, SOCKET_ADDRESS,
};

use super::code;
use crate::windows::machine::{Adapter, Sys};

const CALL: &str = "GetAdaptersAddresses";
/// ERROR_BUFFER_OVERFLOW.
const OVERFLOW: u32 = 111;
/// ERROR_NO_DATA and ERROR_ADDRESS_NOT_ASSOCIATED: there is no adapter with an address.
const NONE: [u32; 2] = [232, 1228];
/// `IfType` of the loopback.
const LOOPBACK: u32 = 24;
/// Any address that only the default route leads to. Nothing is sent there.
const FAR: u32 = u32::from_ne_bytes([1, 1, 1, 1]);

/// Returns the adapters that are up and have a gateway, that of the default route first, then by their metric.
///
/// # Errors
/// Where Windows refuses it.
pub(super) fn list() -> Sys<Vec<Adapter>> {
    // 15 KiB, as the documentation asks for, in numbers of 64 bits so that the list is aligned.
    let mut buffer = vec![0_u64; 2048];
    let flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_INCLUDE_GATEWAYS;
    let mut got = OVERFLOW;
    // More than once: an adapter may come up between two calls.
    for _ in 0..4 {
        let mut length = u32::try_from(buffer.len() * 8).unwrap_or(u32::MAX);
        // SAFETY: the buffer has the length that is said.
        got = unsafe {
            GetAdaptersAddresses(u32::from(AF_UNSPEC), flags, ptr::null(), buffer.as_mut_ptr().cast(), &raw mut length)
        };
        if got != OVERFLOW {
            break;
        }
        buffer.resize((length as usize).div_ceil(8) + 128, 0);
    }
    match got {
        code::OK => {}
        got if NONE.contains(&got) => return Ok(Vec::new()),
        got => return Err(code::failed(CALL, "this device", got)),
    }
    let best = default_interface();
    let mut found = Vec::new();
    let mut at: *const IP_ADAPTER_ADDRESSES_LH = buffer.as_ptr().cast();
    // SAFETY: the call succeeded, so the buffer holds a list that ends with null, and all its pointers lead into the
    // buffer, which lives longer than this loop.
    while let Some(adapter) = unsafe { at.as_ref() } {
        at = adapter.Next;
        let up = adapter.OperStatus == IfOperStatusUp && adapter.IfType != LOOPBACK;
        if !up || adapter.FirstGatewayAddress.is_null() {
            continue;
        }
        // SAFETY: the half with the index is always filled.
        let index = unsafe { adapter.Anonymous1.Anonymous.IfIndex };
        let is_default = best == Some(index) || best == Some(adapter.Ipv6IfIndex);
        // SAFETY: as above.
        let dns_servers = unsafe { dns_servers(adapter.FirstDnsServerAddress) };
        found.push(((!is_default, adapter.Ipv4Metric, index), Adapter { kind: adapter.IfType, dns_servers }));
    }
    found.sort_by_key(|(order, _)| *order);
    Ok(found.into_iter().map(|(_, adapter)| adapter).collect())
}

/// Returns the index of the adapter that leads to the world; none where none does.
fn default_interface() -> Option<u32> {
    let mut index = 0;
    // SAFETY: the number has its place.
    let got = unsafe { GetBestInterface(FAR, &raw mut index) };
    (got == code::OK).then_some(index)
}

/// # Safety
/// The pointer is null or leads to a list that ends with null, whose addresses are valid.
unsafe fn dns_servers(first: *const IP_ADAPTER_DNS_SERVER_ADDRESS_XP) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = first;
    // SAFETY: the caller answers for the list.
    while let Some(server) = unsafe { at.as_ref() } {
        at = server.Next;
        // SAFETY: the caller answers for the addresses.
        found.extend(unsafe { address(&server.Address) });
    }
    found
}

/// Returns an address as text; none for kinds other than IPv4 and IPv6.
///
/// # Safety
/// Its pointer is null or leads to so many bytes as it says.
unsafe fn address(address: &SOCKET_ADDRESS) -> Option<String> {
    let (at, length) = (address.lpSockaddr, usize::try_from(address.iSockaddrLength).ok()?);
    if at.is_null() || length < 2 {
        return None;
    }
    // SAFETY: the family stands first, and there are at least its two bytes.
    let family = unsafe { (*at).sa_family };
    if family == AF_INET && length >= size_of::<SOCKADDR_IN>() {
        // SAFETY: the length was checked, and the family says what it is.
        let number = unsafe { (*at.cast::<SOCKADDR_IN>()).sin_addr.S_un.S_addr };
        return Some(Ipv4Addr::from(number.to_ne_bytes()).to_string());
    }
    if family == AF_INET6 && length >= size_of::<SOCKADDR_IN6>() {
        // SAFETY: as above.
        let bytes = unsafe { (*at.cast::<SOCKADDR_IN6>()).sin6_addr.u.Byte };
        return Some(Ipv6Addr::from(bytes).to_string());
    }
    None
}
