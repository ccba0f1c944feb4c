//! A real server that speaks S3 (moto), on a port of its own, and a look into what it holds.
//!
//! `./test` installs it. It takes any credentials, unless it is told to refuse all that it does not know.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the server may take to come up.
const START_MAX: Duration = Duration::from_mins(1);

/// The server. It is ended when this is dropped.
pub struct ObjectStore {
    child: Child,
    port: u16,
}

impl ObjectStore {
    /// A server with one empty bucket.
    #[track_caller]
    pub fn with_bucket(bucket: &str) -> Self {
        Self::start(bucket, "inf")
    }

    /// The same, but nobody's credentials are good for anything.
    #[track_caller]
    pub fn that_refuses(bucket: &str) -> Self {
        // So many requests go unchecked: the one that makes the bucket.
        Self::start(bucket, "1")
    }

    #[track_caller]
    #[allow(clippy::disallowed_methods, reason = "waits for another process, whose time is the real one")]
    fn start(bucket: &str, unchecked: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program());
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).env("INITIAL_NO_AUTH_ACTION_COUNT", unchecked);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < START_MAX, "moto_server does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        let (status, body) = server.ask("PUT", &format!("/{bucket}"));
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        server
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The names in a bucket, sorted.
    #[track_caller]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let (status, body) = self.ask("GET", &format!("/{bucket}?list-type=2"));
        assert_eq!(status, 200);
        let text = String::from_utf8(body).unwrap();
        let mut keys: Vec<String> =
            text.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap_or_default().to_owned()).collect();
        keys.sort();
        keys
    }

    /// The content of an object.
    #[track_caller]
    pub fn object(&self, bucket: &str, key: &str) -> Vec<u8> {
        let (status, body) = self.ask("GET", &format!("/{bucket}/{key}"));
        assert_eq!(status, 200, "{key}");
        body
    }

    fn ask(&self, method: &str, path: &str) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        // Signed by anybody, which is enough as long as nothing is checked.
        let signed = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=a";
        let host = format!("Host: 127.0.0.1:{}\r\nAuthorization: {signed}\r\nContent-Length: 0", self.port);
        let head = format!("{method} {path} HTTP/1.0\r\n{host}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an HTTP answer");
        let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
        (status, answer.split_off(end + 4))
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `moto_server`, on the path or where `./test` puts it.
#[track_caller]
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"))).unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([cache.join("outflow/tools/moto/bin")]);
    let found = folders.map(|folder| folder.join("moto_server")).find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("moto_server, the S3 server of these tests, is not installed: run ./test, which does that"))
}
