//! A server that is held up, filled up and shouted at, plain and over TLS: everybody else is served all the while.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsConnector;

use super::*;

/// Something to speak over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A server with a call that takes bodies, and the way to it.
struct Served {
    address: SocketAddr,
    connector: Option<TlsConnector>,
    ending: CancellationToken,
    ended: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn start(tls: bool, limits: Limits) -> Self {
        let gate = Arc::new(Gate::new(&limits));
        let router = Router::new()
            .route(
                "/take",
                post(async |ConnectInfo(peer): ConnectInfo<SocketAddr>, body: String| format!("{peer} {}", body.len())),
            )
            .layer(from_fn_with_state((Arc::clone(&gate), limits), in_turn))
            .route("/ping", get(async || "pong"))
            .layer(from_fn_with_state(gate, counted));
        let (security, connector) = if tls { secured() } else { (Security::Plain, None) };
        let listener = listen(([127, 0, 0, 1], 0).into()).expect("a port");
        let address = listener.local_addr().expect("an address");
        let ending = CancellationToken::new();
        let ended = tokio::spawn(run(router, listener, security, limits, ending.clone().cancelled_owned()));
        Self { address, connector, ending, ended }
    }

    async fn connect(&self) -> Box<dyn Stream> {
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        match &self.connector {
            None => Box::new(stream),
            Some(connector) => {
                let name = ServerName::try_from("127.0.0.1").expect("a name");
                Box::new(connector.connect(name, stream).await.expect("a handshake"))
            }
        }
    }

    /// Sends bytes on a connection of their own and returns everything that comes until it is closed.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // The server may have heard enough before everything is said.
        drop(stream.write_all(bytes).await);
        rest(&mut stream).await
    }

    /// Asserts that somebody with good manners is served.
    async fn serves(&self) {
        let ping = self.say(b"GET /ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(ping.starts_with("HTTP/1.1 200") && ping.ends_with("pong"), "{ping}");
        let take = b"POST /take HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
        let taken = self.say(take).await;
        assert!(taken.contains("127.0.0.1:") && taken.ends_with(" 3"), "{taken}");
    }

    async fn end(self) {
        self.ending.cancel();
        self.ended.await.expect("a task").expect("no error");
    }
}

async fn rest(stream: &mut Box<dyn Stream>) -> String {
    let mut bytes = Vec::new();
    // A reset is an end too.
    drop(stream.read_to_end(&mut bytes).await);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn secured() -> (Security, Option<TlsConnector>) {
    let hosts = [crate::net::Host::Address([127, 0, 0, 1].into())];
    let now = jiff::Timestamp::now();
    let authority = crate::net::authority(&hosts, now).expect("an authority");
    let made = crate::net::server_certificate(&authority, &hosts, None, now).expect("a certificate");
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![der(&made.certificate)],
            PrivateKeyDer::from_pem_slice(made.key.as_bytes()).expect("a key"),
        )
        .expect("a configuration");
    let mut roots = RootCertStore::empty();
    roots.add(der(&authority.certificate)).expect("a root");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Security::Tls(Arc::new(server)), Some(TlsConnector::from(Arc::new(client))))
}

/// Times that a test can wait for.
fn short() -> Limits {
    Limits { head_secs: 1, body_secs: 1, handshake_secs: 1, stall_secs: 1, body_bytes: 10_000, ..Limits::default() }
}

/// Catches a caller that keeps others out by being slow, endless, oversized or broken; each is answered 4xx or let go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_manners_hold_nobody_up() {
    for tls in [false, true] {
        let server = Served::start(tls, short()).await;
        let mut slow = Vec::new();
        for half in [
            "",
            "GET /ping HT",
            "GET /ping HTTP/1.1\r\nhost: x\r\nx-a: b",
            "POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc",
            "POST /take HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        ] {
            for _ in 0..20 {
                let mut stream = server.connect().await;
                stream.write_all(half.as_bytes()).await.expect("sent");
                slow.push(stream);
            }
        }
        server.serves().await;

        let lines = (0..10_000).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
        let said = server.say(format!("GET /ping HTTP/1.1\r\nhost: x\r\n{lines}\r\n").as_bytes()).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
        let many = (0..100).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
        let said = server.say(format!("GET /ping HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 431"), "{said}");
        let long = "y".repeat(100_000);
        let said = server.say(format!("GET /ping HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n").as_bytes()).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
        let said = server.say(b"POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n").await;
        assert!(said.starts_with("HTTP/1.1 413"), "{said}");
        let endless = format!(
            "POST /take HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4000\r\n{}\r\n",
            "z".repeat(0x4000)
        );
        let said = server.say(endless.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 413"), "{said}");
        for broken in [
            "\r\n\r\n\0\0\0\0",
            "NONSENSE\r\n\r\n",
            "GET /ping HTTP/9.9\r\n\r\n",
            "GET /ping HTTP/1.1\r\nhost x\r\n\r\n",
            "POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
            "POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
            "POST /take HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            let said = server.say(broken.as_bytes()).await;
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{broken:?}: {said}");
        }
        for path in ["/../ping", "/take/../../etc/passwd", "/%2e%2e/ping", "//ping", "/ping/", "/ping%00"] {
            let said =
                server.say(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await;
            assert!(said.starts_with("HTTP/1.1 4"), "{path}: {said}");
        }
        server.serves().await;
        // Whoever was slow is let go by now or soon: with an answer where a body was waited for.
        for stream in &mut slow {
            let said = rest(stream).await;
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
        }
        server.end().await;
    }
}

/// Catches a flood that is let in, one that is dropped without a word, and places that are never given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_told_to_come_back() {
    for tls in [false, true] {
        for limits in [Limits { connections: 5, ..short() }, Limits { per_peer: 5, ..short() }] {
            let server = Served::start(tls, Limits { head_secs: 60, ..limits }).await;
            let mut held = Vec::new();
            for _ in 0..5 {
                let mut stream = server.connect().await;
                stream.write_all(b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
                let mut byte = [0];
                stream.read_exact(&mut byte).await.expect("it is let in");
                held.push(stream);
            }
            let said = server.say(b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n").await;
            assert!(said.starts_with("HTTP/1.1 503") && said.contains("retry-after: "), "{said}");
            drop(held);
            // The server has to notice that they left.
            let mut tries = 0;
            while !server.say(b"GET /ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.ends_with("pong") {
                tries += 1;
                assert!(tries < 1000, "no place is given back");
                tokio::task::yield_now().await;
            }
            server.end().await;
        }
    }
}

/// Catches a port that answers HTTP in the clear where TLS is wanted, and one that takes an old TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_old_and_nothing_plain_on_a_tls_port() {
    let server = Served::start(true, short()).await;
    let mut plain: Box<dyn Stream> = Box::new(TcpStream::connect(server.address).await.expect("a connection"));
    plain.write_all(b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let said = rest(&mut plain).await;
    assert!(said.is_empty() || said.contains("400") && said.contains("https://") && !said.contains("pong"), "{said}");
    // A greeting of TLS 1.1 with one suite and no extension, and one that never ends.
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    for greeting in [&hello[..], &[0x16, 3, 1, 0xff][..], &[0x16][..]] {
        let mut old: Box<dyn Stream> = Box::new(TcpStream::connect(server.address).await.expect("a connection"));
        old.write_all(greeting).await.expect("sent");
        let mut answer = Vec::new();
        drop(old.read_to_end(&mut answer).await);
        // Nothing, or an alert.
        assert!(answer.is_empty() || answer[0] == 0x15, "{answer:?}");
    }
    server.serves().await;
    server.end().await;
}

/// Catches calls that are lost when a fleet wakes up: with one place and a short row each is answered, with 200 or with a
/// moment to come back, and the moments differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_that_wakes_up_is_answered() {
    let server = Served::start(false, Limits { calls: 1, queue: 8, buffered_bytes: 8 << 10, ..short() }).await;
    let server = Arc::new(server);
    let mut calls = JoinSet::new();
    for n in 0..300 {
        let server = Arc::clone(&server);
        calls.spawn(async move {
            let call = format!("POST /take HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {n}\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc");
            server.say(call.as_bytes()).await
        });
    }
    while let Some(said) = calls.join_next().await {
        let said = said.expect("a task");
        let told =
            said.starts_with("HTTP/1.1 200") || said.starts_with("HTTP/1.1 503") && said.contains("retry-after: ");
        assert!(told, "{said:?}");
    }
}

/// Catches one device that takes the calls of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_device_is_slowed() {
    let server = Served::start(false, Limits { caller_per_sec: 1, caller_burst: 3, ..short() }).await;
    let call = |token: &str| {
        format!("GET /ping HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n")
            .into_bytes()
    };
    let mut refused = 0;
    for _ in 0..20 {
        let said = server.say(&call("a")).await;
        refused += usize::from(said.starts_with("HTTP/1.1 429") && said.contains("retry-after: 1"));
    }
    assert!(refused >= 10, "{refused}");
    assert!(server.say(&call("b")).await.ends_with("pong"));
    server.end().await;
}
