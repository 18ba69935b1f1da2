//! A connection whose other side has to take what it is sent: one that takes nothing for a time is closed.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A stream with a bound on how long a write may make no progress.
#[derive(Debug)]
pub(super) struct Paced<T> {
    inner: T,
    stall: Duration,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
}

impl<T> Paced<T> {
    pub(super) fn new(inner: T, stall: Duration) -> Self {
        Self { inner, stall, timer: Box::pin(tokio::time::sleep(stall)), waiting: false }
    }

    /// Counts the time of a write that can't go on.
    fn held<R>(&mut self, outcome: Poll<io::Result<R>>, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.waiting = false;
            return outcome;
        }
        if !self.waiting {
            self.waiting = true;
            self.timer.as_mut().reset(Instant::now() + self.stall);
        }
        ready!(self.timer.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other side takes nothing")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Paced<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Paced<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.held(outcome, cx)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(cx);
        self.held(outcome, cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.held(outcome, cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Catches an answer that nobody takes and that keeps its connection for ever, and a reader that is cut off though
    /// it reads.
    #[tokio::test]
    async fn who_takes_nothing_is_let_go() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut near = Paced::new(near, Duration::from_millis(20));
        let error = near.write_all(&[0; 64]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let (near, reader) = (near.inner, tokio::spawn(async move { far.read_exact(&mut [0; 80]).await.map(drop) }));
        let mut near = Paced::new(near, Duration::from_secs(600));
        near.write_all(&[0; 64]).await.expect("it is taken");
        reader.await.expect("a task").expect("all of it");
    }
}
