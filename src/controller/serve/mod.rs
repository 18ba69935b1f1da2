//! How the controller is served: connections are counted, heads, bodies and answers have their time, and whoever
//! comes on top is told when to come back.
//!
//! ```text
//! accept -> peers (bound) -> TLS (time) -> HTTP/1.1 (time and size of heads, stalls) -> router -> layers -> call
//!              | full                                                                    in_turn: body, row, rate
//!              +-> 503 with Retry-After, then closed
//! ```

mod booking;
mod bucket;
mod gate;
mod layers;
mod limits;
mod pace;
mod peers;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::{Service as _, service_fn};
use hyper::{Request, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub(super) use gate::Gate;
pub(super) use layers::{counted, in_turn};
pub use limits::Limits;

use super::agents::Refusal;
use pace::Paced;
use peers::{Full, Peers, Place};

/// Connections that the system keeps until they are accepted: a fleet that wakes up at once stands there.
const BACKLOG: u32 = 4096;
/// Longest time in which somebody is turned away.
const TURN_AWAY: Duration = Duration::from_secs(5);
/// First byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;
/// What somebody gets who speaks HTTP where TLS is spoken.
const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 35\r\n\
    connection: close\r\n\r\nThis port speaks TLS: use https://\n";

/// How connections are secured.
#[derive(Debug, Clone)]
pub enum Security {
    /// Not at all: for the loopback, or behind a proxy that does it.
    Plain,
    /// By TLS.
    Tls(Arc<ServerConfig>),
}

/// Listens on an address, with room for a fleet that wakes up at once. Raises the number of files that this process
/// may open as far as it may.
///
/// # Errors
/// Where the address can't be listened on.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    #[cfg(unix)]
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::debug!(%error, "the number of open files stays as it is");
    }
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    // A controller that is started again listens where the one before it did, also while old connections linger.
    // Under Windows the same option would let two programs share the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves a router on a listener until `shutdown` is done; calls that are under way are then answered. Each
/// request holds its [`ConnectInfo`].
///
/// # Errors
/// Where the listener fails for good.
pub(super) async fn run(
    router: Router,
    listener: TcpListener,
    security: Security,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let server = Arc::new(Server {
        router,
        limits,
        acceptor: match security {
            Security::Plain => None,
            Security::Tls(config) => Some(TlsAcceptor::from(config)),
        },
        peers: Peers::new(limits.connections, limits.per_peer),
        turned_away: Arc::new(Semaphore::new(limits.turned_away.max(1))),
        ending: CancellationToken::new(),
    });
    let mut open = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = open.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Somebody hung up before being accepted, or files ran out: either passes.
                tracing::debug!(%error, "a connection couldn't be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers of this connection may be slow");
        }
        match server.peers.enter(peer.ip()) {
            Ok(place) => drop(open.spawn(Arc::clone(&server).serve(stream, peer, place))),
            Err(full) => {
                let place = match (Arc::clone(&server.turned_away).try_acquire_owned(), full) {
                    (Ok(place), _) => place,
                    // One address floods: the others are worth more than an answer to it.
                    (Err(_), Full::Peer) => continue,
                    // Nobody would be let in anyway: the others wait where the system keeps them.
                    (Err(_), Full::All) => tokio::select! {
                        () = &mut shutdown => break,
                        place = Arc::clone(&server.turned_away).acquire_owned() => match place {
                            Ok(place) => place,
                            Err(_) => continue,
                        },
                    },
                };
                drop(open.spawn(Arc::clone(&server).turn_away(stream, peer, place)));
            }
        }
    }
    drop(listener);
    server.ending.cancel();
    while open.join_next().await.is_some() {}
    Ok(())
}

struct Server {
    router: Router,
    limits: Limits,
    acceptor: Option<TlsAcceptor>,
    peers: Arc<Peers>,
    turned_away: Arc<Semaphore>,
    ending: CancellationToken,
}

impl Server {
    async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, _place: Place) {
        let server = Arc::clone(&self);
        let router = TowerToHyperService::new(self.router.clone());
        let answer = move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.call(request)
        };
        let handshake = Duration::from_secs(self.limits.handshake_secs);
        match &self.acceptor {
            None => server.speak(stream, peer, service_fn(answer)).await,
            Some(acceptor) => {
                if let Ok(Some(stream)) = tokio::time::timeout(handshake, secure(acceptor, stream, peer)).await {
                    server.speak(stream, peer, service_fn(answer)).await;
                }
            }
        }
    }

    /// Answers one request with "later", whatever it asks.
    async fn turn_away(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, _place: OwnedSemaphorePermit) {
        let answer = async |request: Request<Incoming>| {
            // What was sent and isn't read would make the system cut the answer off.
            let mut body = request.into_body();
            while let Some(Ok(_)) = body.frame().await {}
            Ok::<_, std::convert::Infallible>(full())
        };
        let work = async {
            match &self.acceptor {
                None => self.speak(stream, peer, service_fn(answer)).await,
                Some(acceptor) => {
                    if let Some(stream) = secure(acceptor, stream, peer).await {
                        self.speak(stream, peer, service_fn(answer)).await;
                    }
                }
            }
        };
        if tokio::time::timeout(TURN_AWAY, work).await.is_err() {
            tracing::debug!(%peer, "didn't wait to be turned away");
        }
    }

    async fn speak<S>(&self, stream: impl AsyncRead + AsyncWrite + Unpin, peer: SocketAddr, service: S)
    where
        S: hyper::service::Service<Request<Incoming>, Response = Response>,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let io = TokioIo::new(Paced::new(stream, Duration::from_secs(self.limits.stall_secs)));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(self.limits.head_secs))
            .max_headers(self.limits.head_lines)
            .max_buf_size(self.limits.head_bytes.max(8192));
        let mut connection = std::pin::pin!(http.serve_connection(io, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.ending.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a connection ended");
        }
    }
}

/// Shakes hands; none where the other side doesn't speak TLS.
async fn secure(
    acceptor: &TlsAcceptor,
    mut stream: TcpStream,
    peer: SocketAddr,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 1 && first[0].is_ascii_uppercase() && first[0] != HANDSHAKE {
        // A person or an agent with a wrong address: a reset connection would tell them nothing.
        if let Err(error) = stream.write_all(NOT_TLS).await {
            tracing::debug!(%peer, %error, "hung up");
        }
        return None;
    }
    match acceptor.accept(stream).await {
        Ok(stream) => Some(stream),
        Err(error) => {
            tracing::debug!(%peer, %error, "no TLS");
            None
        }
    }
}

fn full() -> Response {
    // Nobody measures how soon a connection becomes free: chance spreads those who come back.
    let mut refusal = Refusal::busy("there are too many connections");
    refusal.retry_after = Some(fastrand::u32(5..=30));
    let mut response = refusal.into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
