//! The transport against real loopback servers that behave as badly as servers do.

mod answers;
mod connecting;
mod files;
mod objects;
mod requests;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use outflow_contract::Error;
use outflow_contract::outcome::{Answer, HttpRequest, HttpResponse, Request};
use outflow_contract::secret::Redactor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{ProxyEnv, Sent, StorageEnv, Transport, TransportOptions};

fn options() -> TransportOptions {
    TransportOptions {
        ca_file: None,
        gateway: None,
        request_timeout: Duration::from_secs(20),
        proxy_env: ProxyEnv::default(),
        storage_env: StorageEnv::default(),
        user_agent: "outflow/test".to_owned(),
        concurrency: 8,
        redactor: Redactor::default(),
        carrier: None,
    }
}

fn transport() -> Transport {
    Transport::new(options()).unwrap()
}

fn impatient(request_timeout: Duration) -> Transport {
    Transport::new(TransportOptions { request_timeout, ..options() }).unwrap()
}

fn post(url: &str, body: &'static str) -> HttpRequest {
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    HttpRequest { method: "POST".to_owned(), url: url.to_owned(), headers, body: Bytes::from_static(body.as_bytes()), gzip: false }
}

async fn send(transport: &Transport, request: HttpRequest) -> Sent {
    transport.send_unpermitted(&Request::Http(request)).await
}

#[track_caller]
fn answer(sent: Sent) -> HttpResponse {
    match sent {
        Sent::Answer(Answer::Http(response)) => response,
        other => panic!("no answer: {other:?}"),
    }
}

#[track_caller]
fn not_sent(sent: Sent) -> Error {
    match sent {
        Sent::NotSent(error) => error,
        other => panic!("it may have been sent: {other:?}"),
    }
}

#[track_caller]
fn unknown(sent: Sent) -> Error {
    match sent {
        Sent::Unknown(error) => error,
        other => panic!("its fate is said to be known: {other:?}"),
    }
}

/// A loopback server that hands each connection to a script. It ends with the test's runtime.
struct Server {
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start<F, R>(script: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(stream));
            }
        });
        Self { url, connections }
    }

    /// A server that reads one request on each connection, answers it with these bytes, and closes.
    async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = Arc::new(bytes.into());
        Self::start(move |mut stream| {
            let bytes = Arc::clone(&bytes);
            async move {
                read_request(&mut stream).await;
                // The other side may have had enough before the end.
                stream.write_all(&bytes).await.ok();
                stream.shutdown().await.ok();
                drain(&mut stream).await;
            }
        })
        .await
    }

    /// A server that keeps every request, and answers each with `200`.
    async fn recording() -> (Self, Arc<Mutex<Vec<Received>>>) {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let server = Self::start(move |mut stream| {
            let kept = Arc::clone(&kept);
            async move {
                while let Some(request) = read_request(&mut stream).await {
                    kept.lock().unwrap().push(request);
                    if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\nok").await.is_err() {
                        return;
                    }
                }
            }
        })
        .await;
        (server, requests)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A request as it came over the wire.
#[derive(Clone, Debug)]
struct Received {
    /// The request line, then the header lines.
    lines: Vec<String>,
    body: Vec<u8>,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&String| line.split_once(": ").is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
        self.lines.iter().find(named).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }
}

/// Reads one request; `None` at the end of the connection.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let lines: Vec<String> = String::from_utf8(head).unwrap().trim_end().split("\r\n").map(str::to_owned).collect();
    let mut request = Received { lines, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}

/// Reads until the other side closes, so that closing ours does not reset what it still has to read.
async fn drain(stream: &mut TcpStream) {
    let mut rest = [0; 1024];
    while matches!(stream.read(&mut rest).await, Ok(n) if n > 0) {}
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
