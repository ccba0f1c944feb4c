//! A receiving HTTP server on loopback: reads every body whole, counts the records in it, and answers that all went well. At `/v1/batch` a
//! record is a message of Segment's; anywhere else it is a line.
//!
//! It runs on a thread of its own, so its work shows in the machine's time but not in the measured process.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use outflow_contract::{Error, Result};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// What has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Requests whose body was read to its end.
    pub requests: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of the bodies.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
}

/// The running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    counters: Arc<Counters>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Starts a server on a free port of the loopback interface.
    ///
    /// # Errors
    /// `Io` if no port or no thread can be had.
    pub fn start() -> Result<Self> {
        let failed = |error: std::io::Error| Error::io("could not start the receiving server", error);
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let counters = Arc::new(Counters::default());
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&counters);
        let serve = move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener, shared) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("receiver".to_owned()).spawn(serve).map_err(failed)?;
        Ok(Self { address, counters, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has arrived since the last time this was asked.
    pub fn take(&self) -> Received {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Received { requests: take(&self.counters.requests), records: take(&self.counters.records), bytes: take(&self.counters.bytes) }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The server ends at this signal, or has ended already; neither matters now.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn accept(listener: TcpListener, counters: Arc<Counters>) {
    // An error here is a connection that went away before it was taken.
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let counters = Arc::clone(&counters);
        let service = service_fn(move |request| count(request, Arc::clone(&counters)));
        tokio::spawn(async move {
            // A client that hangs up is not a failure of the server.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn count(request: Request<Incoming>, counters: Arc<Counters>) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_batch = request.uri().path() == "/v1/batch";
    let Ok(body) = request.into_body().collect().await else { return Ok(answer(StatusCode::BAD_REQUEST, "")) };
    let body = body.to_bytes();
    let records = if is_batch {
        memchr::memmem::find_iter(&body, b"\"messageId\":").count()
    } else {
        let unfinished = body.last().is_some_and(|&last| last != b'\n');
        memchr::memchr_iter(b'\n', &body).count() + usize::from(unfinished)
    };
    counters.records.fetch_add(records as u64, Ordering::Relaxed);
    counters.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
    counters.requests.fetch_add(1, Ordering::Relaxed);
    Ok(answer(StatusCode::OK, "{\"success\":true}"))
}

fn answer(code: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = code;
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    /// Sends one request and reads the answer to its end.
    fn post(address: SocketAddr, body: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "POST /records HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn lines_are_counted_with_and_without_a_line_end_at_the_end() {
        let receiver = Receiver::start().unwrap();
        assert!(post(receiver.address(), "{}\n{}\n").starts_with("HTTP/1.1 200"));
        post(receiver.address(), "{}\n{}\n{}");
        post(receiver.address(), "");
        assert_eq!(receiver.take(), Received { requests: 3, records: 5, bytes: 14 });
        assert_eq!(receiver.take(), Received::default());
    }

    #[test]
    fn a_dropped_receiver_no_longer_listens() {
        let receiver = Receiver::start().unwrap();
        let address = receiver.address();
        drop(receiver);
        assert!(TcpStream::connect(address).is_err());
    }
}
