//! What a WASI command writes: kept up to a limit, and dropped beyond it. A guest that writes without end is told that
//! all is well, so that it still answers; the host's memory never grows by more than the limit.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// How much one write may bring: WASI's usual figure.
const PERMIT: usize = 64 << 10;

/// An output stream of a guest, and what it has written so far.
#[derive(Debug, Clone)]
pub(crate) struct Written(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    kept: Vec<u8>,
    limit: usize,
    overflowed: bool,
}

impl Written {
    /// Keeps at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            kept: Vec::new(),
            limit,
            overflowed: false,
        })))
    }

    /// What was kept, and whether there was more.
    pub(crate) fn take(&self) -> (Vec<u8>, bool) {
        let mut state = self.lock();
        (std::mem::take(&mut state.kept), state.overflowed)
    }

    fn add(&self, bytes: &[u8]) {
        let mut state = self.lock();
        let room = state.limit - state.kept.len();
        state.overflowed |= bytes.len() > room;
        state
            .kept
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for Written {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Written {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Written {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

#[async_trait]
impl Pollable for Written {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Written {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.add(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_limit_is_dropped_and_told() {
        let written = Written::new(3);
        written.add(b"ab");
        assert_eq!(written.take(), (b"ab".to_vec(), false));
        written.add(b"abcdef");
        written.add(b"g");
        assert_eq!(written.take(), (b"abc".to_vec(), true));
    }
}
