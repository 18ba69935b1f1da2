//! What the server bears, with the defaults of `docs/transport.md`.

/// What the server bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Agents that wait for an order at the same time; more are told to come back.
    pub waiting: usize,
    /// Longest wait for an order, in seconds of the wall clock.
    pub wait_secs: u64,
    /// Longest time for any other call, in seconds of the wall clock.
    pub call_secs: u64,
    /// Connections at the same time; more are answered 503 and closed.
    pub connections: usize,
    /// Connections of one address at the same time. A site behind one address is a fleet of its own.
    pub per_peer: usize,
    /// Connections that are over the bound and are being told so, at the same time.
    pub turned_away: usize,
    /// Longest time for a TLS handshake, in seconds.
    pub handshake_secs: u64,
    /// Longest time until a request's head is there, in seconds; also how long a connection may idle.
    pub head_secs: u64,
    /// Longest time until a request's body is there, in seconds.
    pub body_secs: u64,
    /// Longest time in which the other side takes nothing of an answer, in seconds.
    pub stall_secs: u64,
    /// Lines of a request's head.
    pub head_lines: usize,
    /// Bytes of a request's head, at least 8192.
    pub head_bytes: usize,
    /// Calls that are let through to the store at the same time.
    pub calls: usize,
    /// Calls that stand in the row before them; more are told when to come back.
    pub queue: usize,
    /// Bytes of bodies that are kept at the same time.
    pub buffered_bytes: usize,
    /// Calls of one caller in a second, in the long run.
    pub caller_per_sec: u32,
    /// Calls of one caller at once.
    pub caller_burst: u32,
}

impl Default for Limits {
    /// 1 MiB holds the facts of a device a hundred times; a minute is what proxies leave open. A fleet of ten thousand
    /// fits, also where all of it sits behind one address.
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            waiting: 10_000,
            wait_secs: 60,
            call_secs: 30,
            connections: 16_384,
            per_peer: 12_288,
            turned_away: 256,
            handshake_secs: 10,
            head_secs: 20,
            body_secs: 20,
            stall_secs: 30,
            head_lines: 64,
            head_bytes: 32 << 10,
            calls: 64,
            queue: 2_048,
            buffered_bytes: 256 << 20,
            caller_per_sec: 20,
            caller_burst: 200,
        }
    }
}
