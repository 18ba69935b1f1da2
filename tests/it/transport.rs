//! The way between agents and controller: TLS, pins, proxies, and a server that nobody can fill up or hold up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use opsole::net::{self, ClientSettings, Host, Made, Pin, ProxySetting};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::TestEnv;

/// An authority with a server's certificate for the loopback, in a folder.
struct Certified {
    folder: tempfile::TempDir,
    authority: Made,
}

impl Certified {
    fn new(now: Timestamp) -> Self {
        let hosts = [Host::Address([127, 0, 0, 1].into()), Host::Name("localhost".to_owned())];
        let authority = net::authority(&hosts, now).expect("an authority");
        let made = net::server_certificate(&authority, &hosts, None, now).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("server.pem"), &made.certificate).expect("a file");
        std::fs::write(folder.path().join("server.key"), made.key.as_bytes()).expect("a file");
        Self { folder, authority }
    }
    fn served(&self) -> net::Served {
        net::server_config(&self.folder.path().join("server.pem"), &self.folder.path().join("server.key"))
            .expect("a configuration")
    }
    fn trusted(&self) -> ClientSettings {
        ClientSettings {
            authorities: Some(self.authority.certificate.clone()),
            pins: Vec::new(),
            proxy: ProxySetting::Direct,
        }
    }
}

/// A server over TLS that answers every request with `ok`, on a port of its own.
async fn tls_server(served: &net::Served) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&served.config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = [0; 4096];
                if stream.read(&mut head).await.is_ok_and(|n| n > 0) {
                    drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await);
                    drop(stream.shutdown().await);
                }
            });
        }
    });
    address
}

async fn get(url: &str, settings: &ClientSettings) -> Result<String, String> {
    let client = net::client(url, settings).expect("a client");
    let told = |error: reqwest::Error| format!("{error:?}");
    client.get(url).send().await.map_err(told)?.text().await.map_err(told)
}

/// Catches a client that takes a stranger's certificate, one that has ended, one for another host, or another key than
/// the pinned, and one that refuses what is right.
#[tokio::test]
async fn only_the_right_certificate_is_taken() {
    let now = Timestamp::now();
    let right = Certified::new(now);
    let served = right.served();
    let address = tls_server(&served).await;
    let url = format!("https://{address}/");
    assert_eq!(get(&url, &right.trusted()).await.as_deref(), Ok("ok"));
    assert_eq!(get(&format!("https://localhost:{}/", address.port()), &right.trusted()).await.as_deref(), Ok("ok"));

    let stranger = Certified::new(now);
    assert!(get(&url, &stranger.trusted()).await.expect_err("a stranger").contains("UnknownIssuer"));
    let nobody = ClientSettings { authorities: None, ..right.trusted() };
    assert!(get(&url, &nobody).await.is_err());

    let pinned = ClientSettings { pins: vec![served.about.pin], ..right.trusted() };
    assert_eq!(get(&url, &pinned).await.as_deref(), Ok("ok"));
    let other: Pin = stranger.served().about.pin;
    let pinned = ClientSettings { pins: vec![other], ..right.trusted() };
    assert!(get(&url, &pinned).await.expect_err("another key").contains("pinned"));
    // A pin never stands in for the verification.
    let pinned = ClientSettings { pins: vec![served.about.pin], ..nobody };
    assert!(get(&url, &pinned).await.is_err());

    let old = Certified::new(now - SignedDuration::from_hours(24 * 500));
    let url = format!("https://{}/", tls_server(&old.served()).await);
    assert!(get(&url, &old.trusted()).await.expect_err("ended").contains("Expired"));

    // The authority is good for its hosts alone, whoever has its key.
    let elsewhere = net::authority(&[Host::Name("opsole.contoso.com".to_owned())], now).expect("an authority");
    let hosts = [Host::Address([127, 0, 0, 1].into()), Host::Name("localhost".to_owned())];
    let made = net::server_certificate(&elsewhere, &hosts, None, now).expect("signed all the same");
    std::fs::write(right.folder.path().join("server.pem"), &made.certificate).expect("a file");
    std::fs::write(right.folder.path().join("server.key"), made.key.as_bytes()).expect("a file");
    let address = tls_server(&right.served()).await;
    let trusting = ClientSettings { authorities: Some(elsewhere.certificate), ..right.trusted() };
    for host in ["127.0.0.1", "localhost"] {
        let refused = get(&format!("https://{host}:{}/", address.port()), &trusting).await;
        assert!(refused.expect_err("beyond its hosts").contains("NameConstraint"), "{host}");
    }
}

/// A proxy that only knows `CONNECT`; with a configuration of TLS it looks into what passes, as inspecting proxies do.
async fn proxy(inspect: Option<&net::Served>, used: Arc<AtomicUsize>, upstream: ClientSettings) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = inspect.map(|served| tokio_rustls::TlsAcceptor::from(Arc::clone(&served.config)));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (acceptor, used, upstream) = (acceptor.clone(), Arc::clone(&used), upstream.clone());
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.expect("a head"));
                }
                let head = String::from_utf8(head).expect("text");
                let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).expect("CONNECT");
                used.fetch_add(1, Ordering::Relaxed);
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("an answer");
                match acceptor {
                    None => {
                        let mut to = TcpStream::connect(target).await.expect("the server");
                        drop(copy_bidirectional(&mut stream, &mut to).await);
                    }
                    Some(acceptor) => {
                        let Ok(mut stream) = acceptor.accept(stream).await else { return };
                        let mut head = [0; 4096];
                        let n = stream.read(&mut head).await.expect("a request");
                        assert!(head[..n].starts_with(b"GET "), "it can read what passes");
                        let answer = get(&format!("https://{target}/"), &upstream).await.expect("an answer");
                        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
                        drop(stream.write_all(answer.as_bytes()).await);
                        drop(stream.shutdown().await);
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

/// Catches a client that passes a proxy by, one that lets every inspecting proxy read along, one that refuses a proxy
/// whose authority the machine trusts, and a pin that such a proxy gets around.
#[tokio::test]
async fn proxies_are_used_and_not_trusted_blindly() {
    let now = Timestamp::now();
    let server = Certified::new(now);
    let served = server.served();
    let url = format!("https://{}/", tls_server(&served).await);
    let used = Arc::new(AtomicUsize::new(0));
    let through =
        |settings: ClientSettings, proxy: &str| ClientSettings { proxy: proxy.parse().expect("a proxy"), ..settings };
    let plain = proxy(None, Arc::clone(&used), server.trusted()).await;
    let pinned = ClientSettings { pins: vec![served.about.pin], ..server.trusted() };
    assert_eq!(get(&url, &through(pinned.clone(), &plain)).await.as_deref(), Ok("ok"));
    assert_eq!(used.load(Ordering::Relaxed), 1);

    let inspector = Certified::new(now);
    let inspecting = proxy(Some(&inspector.served()), Arc::clone(&used), server.trusted()).await;
    assert!(get(&url, &through(server.trusted(), &inspecting)).await.is_err(), "nobody trusts it");
    let both = format!("{}{}", server.authority.certificate, inspector.authority.certificate);
    let trusting = ClientSettings { authorities: Some(both), ..server.trusted() };
    assert_eq!(get(&url, &through(trusting.clone(), &inspecting)).await.as_deref(), Ok("ok"));
    let pinned = ClientSettings { pins: pinned.pins, ..trusting };
    assert!(get(&url, &through(pinned, &inspecting)).await.expect_err("another key").contains("pinned"));
}

/// Catches a wave that TLS breaks somewhere: enrolment, waits, reports, the package.
#[test]
fn a_wave_runs_over_our_own_tls() {
    let env = TestEnv::example("hybrid-to-entra");
    let ran = env.opsole("apply --wave pilot --yes --tls own");
    assert!(ran.err.contains("tls.none") && ran.err.contains("opsole tls init"), "{}", ran.err);
    let made = env.opsole("tls init --name 127.0.0.1 -o json").expect(0).json();
    assert_eq!(made["format"], "opsole.certificate/1");
    assert!(env.opsole("tls init --name 127.0.0.1").expect(1).err.contains("tls.exists"));
    let shown = env.opsole("tls show -o json").expect(0).json();
    assert_eq!(shown, made);
    let pin = made["certificate"]["pin"].as_str().expect("a pin");
    let ran = env.opsole(&format!("apply --wave pilot --yes --tls own --pin {pin}"));
    assert!(matches!(ran.code, Some(0 | 4)), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("complete"), "{}", ran.out);
    let renewed = env.opsole("tls renew -o json").expect(0).json();
    assert_eq!(renewed["certificate"]["pin"], made["certificate"]["pin"]);
}

/// Catches a controller that speaks plain HTTP where others can read along.
#[test]
fn plain_http_stays_on_this_machine() {
    let env = TestEnv::example("hybrid-to-entra");
    let ran = env.opsole("apply --wave pilot --yes --listen 0.0.0.0:0").expect(1);
    assert!(ran.err.contains("cli.listen-plain") && ran.err.contains("--tls own"), "{}", ran.err);
    for line in [
        "apply --wave pilot --tls-cert a.pem",
        "apply --wave pilot --tls own --plain-http-behind-proxy",
        "apply --wave pilot --pin sha256/AAAA",
        "apply --wave pilot --agent-proxy http://jane:secret@proxy",
        "apply --wave pilot --url ftp://x",
        "tls init",
        "tls init --name a_b",
    ] {
        assert_eq!(env.opsole(line).code, Some(64), "{line}");
    }
}
