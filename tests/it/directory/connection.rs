//! Connections that fail: before, in the middle, for good; and what is never sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opsole::directory::{LdapDirectory, Limits, Settings, SignIn};
use opsole::port::Directory;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::samba::{retirement, samba};

/// Passes bytes on to a server until it is told to cut; counts connections, and may cut each after some bytes of answers.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    cut: watch::Sender<u32>,
    pub(super) made: Arc<AtomicUsize>,
}

/// `first` is how many bytes of answers the first connection passes on before it is cut for good; all of them where it is none.
pub(super) async fn proxy(to: String, first: Option<u64>) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (cut, told) = watch::channel(0);
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let first = first.filter(|_| number == 0);
            let (to, mut told) = (to.clone(), told.clone());
            told.mark_unchanged();
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(to).await else { return };
                if let Some(first) = first {
                    let (mut from_client, mut to_client) = client.split();
                    let (from_server, mut to_server) = server.split();
                    let mut answers = from_server.take(first);
                    tokio::select! {
                        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                        _ = tokio::io::copy(&mut answers, &mut to_client) => {}
                    }
                    return;
                }
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                    _ = told.changed() => {}
                }
            });
        }
    });
    Proxy { address, cut, made }
}

fn at(settings: Settings, servers: &[String]) -> LdapDirectory {
    let servers = servers.iter().map(|url| url.parse().expect("an address")).collect();
    LdapDirectory::new(Settings { servers, ..settings }).expect("settings")
}

/// A server that speaks LDAP without encryption, refuses StartTLS, and keeps what it was sent.
async fn without_tls() -> (SocketAddr, Arc<std::sync::Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = client.read(&mut buffer).await {
                kept.lock().expect("a lock").extend_from_slice(&buffer[..count]);
                // Message 1: an extended response (RFC 4511, 4.12) of unwillingToPerform.
                let answer = [0x30, 0x0c, 2, 1, 1, 0x78, 7, 0x0a, 1, 53, 4, 0, 4, 0];
                let _ = client.write_all(&answer).await;
            }
        }
    });
    (address, seen)
}

fn somebody(limits: Limits) -> Settings {
    Settings {
        servers: Vec::new(),
        domain: "corp.example".to_owned(),
        units: vec!["OU=W,DC=corp,DC=example".to_owned()],
        account: "CORP\\svc-disjoin".to_owned(),
        sign_in: SignIn::Password(SecretString::from("Correct+Horse1".to_owned())),
        authorities: None,
        limits,
    }
}

/// Catches a name or a password that goes over the wire in clear text.
#[tokio::test]
async fn nothing_is_sent_in_clear_text() {
    let (address, seen) = without_tls().await;
    let problem = at(somebody(Limits::default()), &[format!("ldap://{address}")]).observe().await.expect_err("no TLS");
    assert!(problem.code == "directory.clear-text" && problem.next.is_some(), "{problem:?}");
    let sent = seen.lock().expect("a lock").clone();
    let has = |text: &str| sent.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has("1.3.6.1.4.1.1466.20037"), "StartTLS was asked for");
    assert!(!has("svc-disjoin") && !has("Correct+Horse1"), "{}", String::from_utf8_lossy(&sent));
}

/// Catches a wait without an end, and a message that doesn't name the server.
#[tokio::test]
async fn servers_that_say_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (silent_at, closed_at) = (silent.local_addr().expect("an address"), closed.local_addr().expect("an address"));
    drop(closed);
    let limits = Limits { connect: Duration::from_millis(300), ..Limits::default() };
    for (address, code) in [(silent_at, "directory.timeout"), (closed_at, "directory.unreachable")] {
        for scheme in ["ldap", "ldaps"] {
            let url = format!("{scheme}://{address}");
            let problem = at(somebody(limits), std::slice::from_ref(&url)).observe().await.expect_err("nobody there");
            assert!(problem.code == code && problem.message.contains(&url), "{problem:?}");
        }
    }
}

/// Catches a second server that isn't asked, and a first one that is waited for on each request.
#[tokio::test]
async fn the_next_server_is_asked() {
    let Some(samba) = samba("several servers") else { return };
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let servers = [format!("ldaps://{closed}"), format!("ldaps://{}", samba.address)];
    let directory = at(samba.settings("svc-delegated"), &servers);
    directory.observe().await.expect("the second one answers");
    directory.observe().await.expect("and goes on");
    let problem = at(samba.settings("svc-delegated"), &[servers[0].clone(), "ldaps://127.0.0.1:1".to_owned()]);
    let problem = problem.observe().await.expect_err("neither");
    assert!(problem.detail.as_deref().is_some_and(|detail| detail.contains("127.0.0.1:1")), "{problem:?}");
}

/// Catches a broken connection that ends a run, and one that is made anew for every request.
#[tokio::test]
async fn a_broken_connection_is_made_again() {
    let Some(samba) = samba("a server that goes away") else { return };
    let mut admin = samba.admin().await;
    let unit = admin.unit("Cut", &samba.workstations).await;
    let guid = admin.computer("CUT-1", &unit).await;
    let proxy = proxy(format!("{}:636", samba.address), None).await;
    let settings = Settings { units: vec![unit], ..samba.settings("svc-delegated") };
    let directory = at(settings, &[format!("ldaps://{}", proxy.address)]);
    for _ in 0..3 {
        directory.observe().await.expect("readable");
    }
    assert_eq!(proxy.made.load(Ordering::SeqCst), 1);
    proxy.cut.send_modify(|count| *count += 1);
    directory.disable(guid, &retirement(1)).await.expect("connected again");
    assert!(!directory.computer(guid).await.expect("readable").expect("there").enabled);
    proxy.cut.send_modify(|count| *count += 1);
    directory.delete(guid, &retirement(1)).await.expect("connected again");
    assert_eq!(directory.computer(guid).await.expect("readable"), None);
    assert_eq!(proxy.made.load(Ordering::SeqCst), 3);
}

/// Catches half an answer taken for the whole, and computers that are told twice: the server dies within a page.
#[tokio::test]
async fn a_server_that_dies_within_an_answer() {
    let Some(samba) = samba("a server that dies within an answer") else { return };
    let mut admin = samba.admin().await;
    let unit = admin.unit("Dies", &samba.workstations).await;
    for number in 0..20 {
        admin.computer(&format!("DIES-{number:02}"), &unit).await;
    }
    // Within the handshake, the sign-in, a first page, a later one; the last is more than is ever sent.
    for bytes in [100, 2_000, 5_000, 7_000, 9_000, 12_000, 1_000_000] {
        let proxy = proxy(format!("{}:636", samba.address), Some(bytes)).await;
        let limits = Limits { page: 5, ..Limits::default() };
        let settings = Settings { units: vec![unit.clone()], limits, ..samba.settings("svc-delegated") };
        // The second address leads to the same server, as another one of the domain would.
        let servers = vec![format!("ldaps://{}", proxy.address), format!("ldaps://{}", samba.address)];
        let state = at(settings, &servers).observe().await.unwrap_or_else(|problem| panic!("{bytes}: {problem:?}"));
        assert_eq!(state.computers.len(), 20, "cut after {bytes}");
        assert!(state.account.known().is_some_and(|account| account.rights.len() == 1), "{bytes}: {:?}", state.account);
        assert!(state.users.known().is_some(), "{bytes}: {:?}", state.users);
    }
}

/// Catches a change that is lost or done twice where nobody hears of its outcome: the connection is cut at every point of it.
#[tokio::test]
async fn a_write_that_is_cut_is_done_once() {
    let Some(samba) = samba("writes whose outcome nobody hears of") else { return };
    let mut admin = samba.admin().await;
    let unit = admin.unit("Written", &samba.workstations).await;
    let dn = format!("CN=WRITTEN-1,{unit}");
    // From within the handshake to more than both take.
    for bytes in (1_000..6_500).step_by(250) {
        let guid = admin.computer("WRITTEN-1", &unit).await;
        admin.write(&dn, "description", b"Reception".to_vec()).await;
        let proxy = proxy(format!("{}:636", samba.address), Some(bytes)).await;
        let settings = Settings { units: vec![unit.clone()], ..samba.settings("svc-delegated") };
        let servers = [format!("ldaps://{}", proxy.address), format!("ldaps://{}", samba.address)];
        let directory = at(settings, &servers);
        directory.disable(guid, &retirement(1)).await.unwrap_or_else(|problem| panic!("{bytes}: {problem:?}"));
        assert_eq!(admin.text(&dn, "userAccountControl").await.as_deref(), Some("4098"), "cut after {bytes}");
        let words = admin.text(&dn, "description").await.expect("words");
        assert_eq!(words.matches("Disabled by opsole").count(), 1, "cut after {bytes}: {words}");
        assert!(words.ends_with("; before: Reception"), "cut after {bytes}: {words}");
        directory.delete(guid, &retirement(1)).await.unwrap_or_else(|problem| panic!("{bytes}: {problem:?}"));
        assert_eq!(admin.text(&dn, "cn").await, None, "cut after {bytes}");
    }
}
