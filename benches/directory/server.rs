//! A server of LDAP (RFC 4511) that holds computers and people of one unit and gives them in pages (RFC 2696). It knows the
//! requests that a reading takes: sign-in, root, one object, all objects below a base.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use ldap3::asn1::{PL, StructureTag, parse_tag};
use opsole::net;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::Outcome;

/// The domain.
pub const DOMAIN: &str = "corp.example";
const BASE: &str = "DC=corp,DC=example";
/// The unit of all computers.
pub const UNIT: &str = "OU=Workstations,DC=corp,DC=example";
const PAGED: &[u8] = b"1.2.840.113556.1.4.319";

/// A server that runs.
pub struct Served {
    /// Its address.
    pub url: String,
    /// The authority of its certificate, PEM.
    pub authority: String,
    /// Requests that it answered.
    pub requests: Arc<AtomicUsize>,
}

/// Starts a server with so many computers and people.
pub async fn serve(size: usize) -> Outcome<Served> {
    let hosts = ["127.0.0.1".parse::<net::Host>()?];
    let authority = net::authority(&hosts, Timestamp::now())?;
    let made = net::server_certificate(&authority, &hosts, None, Timestamp::now())?;
    let folder = tempfile::tempdir()?;
    let (certificate, key) = (folder.path().join("server.pem"), folder.path().join("server.key"));
    std::fs::write(&certificate, &made.certificate)?;
    std::fs::write(&key, made.key.as_bytes())?;
    let acceptor = TlsAcceptor::from(net::server_config(&certificate, &key)?.config);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ldaps://{}", listener.local_addr()?);
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        // The certificate is looked at again while it is served.
        let _folder = folder;
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    // A client that hangs up ends its connection, and nothing else.
                    let _ended = answer_all(stream, size, &count).await;
                }
            });
        }
    });
    Ok(Served { url, authority: authority.certificate, requests })
}

async fn answer_all(mut stream: impl AsyncRead + AsyncWrite + Unpin, size: usize, count: &AtomicUsize) -> Outcome<()> {
    let (mut read, mut written) = (Vec::new(), Vec::new());
    loop {
        while let Ok((rest, message)) = parse_tag(&read) {
            let used = read.len() - rest.len();
            written.clear();
            count.fetch_add(1, Ordering::Relaxed);
            answer(message, size, &mut written).ok_or("a request of another shape")?;
            stream.write_all(&written).await?;
            stream.flush().await?;
            read.drain(..used);
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    }
}

fn parts(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}
fn bytes(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

/// Writes a value: its tag, its length, itself.
fn put(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    match value.len() {
        length @ 0..=127 => out.push(length as u8),
        length => {
            let all = (length as u32).to_be_bytes();
            let digits = &all[all.iter().take_while(|byte| **byte == 0).count()..];
            out.push(0x80 | digits.len() as u8);
            out.extend_from_slice(digits);
        }
    }
    out.extend_from_slice(value);
}

/// Writes a message: its number, what it is, what is added.
fn message(out: &mut Vec<u8>, number: &[u8], operation: u8, body: &[u8], controls: Option<&[u8]>) {
    let mut inner = Vec::with_capacity(body.len() + 32);
    put(&mut inner, 0x02, number);
    put(&mut inner, operation, body);
    if let Some(controls) = controls {
        put(&mut inner, 0xa0, controls);
    }
    put(out, 0x30, &inner);
}

/// A result: its code, and two texts that are empty.
fn result(code: u8) -> [u8; 7] {
    [0x0a, 1, code, 4, 0, 4, 0]
}

fn entry(name: &str, attributes: &[(&str, &[u8])]) -> Vec<u8> {
    let mut list = Vec::with_capacity(512);
    for (name, value) in attributes {
        let (mut values, mut one) = (Vec::with_capacity(64), Vec::with_capacity(96));
        put(&mut values, 0x04, value);
        put(&mut one, 0x04, name.as_bytes());
        put(&mut one, 0x31, &values);
        put(&mut list, 0x30, &one);
    }
    let mut body = Vec::with_capacity(list.len() + 128);
    put(&mut body, 0x04, name.as_bytes());
    put(&mut body, 0x30, &list);
    body
}

fn answer(request: StructureTag, size: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut request = parts(request)?.into_iter();
    let number = bytes(request.next()?)?;
    let operation = request.next()?;
    let control = request.next();
    match operation.id {
        0 => message(out, &number, 0x61, &result(0), None),
        3 => search(&number, operation, control, size, out)?,
        // An unbind wants no answer; whatever else there is isn't asked for by a reading.
        _ => {}
    }
    Some(())
}

fn search(
    number: &[u8],
    operation: StructureTag,
    control: Option<StructureTag>,
    size: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut search = parts(operation)?;
    let wanted: Vec<Vec<u8>> = parts(search.pop()?)?.into_iter().map(bytes).collect::<Option<_>>()?;
    let mut search = search.into_iter();
    let (base, scope) = (String::from_utf8(bytes(search.next()?)?).ok()?, bytes(search.next()?)?);
    let wants = |name: &str| wanted.iter().any(|one| one.eq_ignore_ascii_case(name.as_bytes()));
    if scope == [0] {
        match one(&base) {
            Some(entry) => message(out, number, 0x64, &entry, None),
            // noSuchObject
            None => {
                message(out, number, 0x65, &result(32), None);
                return Some(());
            }
        }
        message(out, number, 0x65, &result(0), None);
        return Some(());
    }
    let all: fn(usize) -> Vec<u8> = match (wants("operatingSystem"), wants("userPrincipalName")) {
        (true, _) => computer,
        (_, true) => person,
        // Somebody of a trusted domain signed in, and nobody here has the name.
        _ => {
            message(out, number, 0x65, &result(0), None);
            return Some(());
        }
    };
    let (page, from) = control.map_or(Some((size, 0)), paging)?;
    let to = (from + page).min(size);
    for n in from..to {
        message(out, number, 0x64, &all(n), None);
    }
    let (mut value, mut paged, mut controls) = (Vec::new(), Vec::new(), Vec::new());
    let cookie = if to < size { to.to_string().into_bytes() } else { Vec::new() };
    let mut inner = vec![0x02, 1, 0];
    put(&mut inner, 0x04, &cookie);
    put(&mut value, 0x30, &inner);
    put(&mut paged, 0x04, PAGED);
    put(&mut paged, 0x04, &value);
    put(&mut controls, 0x30, &paged);
    message(out, number, 0x65, &result(0), Some(&controls));
    Some(())
}

/// Reads what page is asked for: how many, and where the last one ended.
fn paging(controls: StructureTag) -> Option<(usize, usize)> {
    for control in parts(controls)? {
        let mut control = parts(control)?;
        let (value, name) = (bytes(control.pop()?)?, bytes(control.swap_remove(0))?);
        if name == PAGED {
            let mut value = parts(parse_tag(&value).ok()?.1)?.into_iter();
            let page = bytes(value.next()?)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            let cookie = String::from_utf8(bytes(value.next()?)?).ok()?;
            return Some((page, if cookie.is_empty() { 0 } else { cookie.parse().ok()? }));
        }
    }
    Some((usize::MAX, 0))
}

fn one(base: &str) -> Option<Vec<u8>> {
    let domain: [u8; 24] = sid(0)[..24].try_into().ok()?;
    match base {
        "" => Some(entry(
            "",
            &[
                ("defaultNamingContext", BASE.as_bytes()),
                ("configurationNamingContext", b"CN=Configuration,DC=corp,DC=example"),
                ("rootDomainNamingContext", BASE.as_bytes()),
                ("dnsHostName", b"dc1.corp.example"),
                ("domainFunctionality", b"7"),
            ],
        )),
        BASE => Some(entry(BASE, &[("objectSid", &[&[1, 4], &domain[2..]].concat())])),
        _ => None,
    }
}

/// A SID of the domain: its bytes as they are kept ([MS-DTYP] 2.4.2.2).
fn sid(relative: usize) -> Vec<u8> {
    let mut bytes = vec![1, 5, 0, 0, 0, 0, 0, 5];
    for part in [21_u32, 3_623_811_015, 3_361_044_348, 30_300_820, relative as u32] {
        bytes.extend_from_slice(&part.to_le_bytes());
    }
    bytes
}

fn computer(n: usize) -> Vec<u8> {
    let name = format!("LAPTOP-{n:06}");
    let guid = (n as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_le_bytes();
    entry(
        &format!("CN={name},{UNIT}"),
        &[
            ("objectGUID", &guid),
            ("objectSid", &sid(100_000 + n)),
            ("sAMAccountName", format!("{name}$").as_bytes()),
            ("dNSHostName", format!("{}.{DOMAIN}", name.to_lowercase()).as_bytes()),
            ("operatingSystem", b"Windows 11 Enterprise"),
            ("operatingSystemVersion", b"10.0 (26100)"),
            ("userAccountControl", b"4096"),
            ("primaryGroupID", b"515"),
            ("lastLogonTimestamp", b"134402509913457130"),
            ("pwdLastSet", b"134402509913457130"),
        ],
    )
}

fn person(n: usize) -> Vec<u8> {
    let name = format!("user{n:06}");
    entry(
        &format!("CN={name},OU=People,{BASE}"),
        &[
            ("objectSid", &sid(1_000_000 + n)),
            ("sAMAccountName", name.as_bytes()),
            ("userPrincipalName", format!("{name}@{DOMAIN}").as_bytes()),
            ("userAccountControl", b"512"),
        ],
    )
}
