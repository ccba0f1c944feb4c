//! The server by itself, through a client of a few lines.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::*;

/// Sends requests over one connection, which it opens again where it was closed.
struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    fn of(server: &Server) -> Self {
        Self { address: server.address, stream: None }
    }

    /// Status, head and body of the answer; `None` if there is none.
    fn post(&mut self, headers: &str, body: &[u8]) -> Option<(u16, String, String)> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => BufReader::new(TcpStream::connect(self.address).ok()?),
        };
        let head = format!("POST /in?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        stream.get_mut().write_all(&[head.as_bytes(), body].concat()).ok()?;
        let mut answer = String::new();
        while !answer.ends_with("\r\n\r\n") {
            if stream.read_line(&mut answer).ok()? == 0 {
                return None;
            }
        }
        let answer = answer.to_lowercase();
        let length = answer.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        self.stream = Some(stream);
        Some((answer[9..12].parse().unwrap(), answer, String::from_utf8(body).unwrap()))
    }

    fn status(&mut self, body: &str) -> Option<u16> {
        self.post("", body.as_bytes()).map(|(status, ..)| status)
    }
}

fn ids(server: &Server) -> Vec<String> {
    server.records().into_keys().collect()
}

#[test]
fn bodies_of_each_form_are_taken_in_and_kept_in_order() {
    let server = Server::start();
    let mut client = Client::of(&server);
    let bodies = [r#"{"id":1}"#, r#"[{"id":2},{"id":3}]"#, "{\"id\":\"4\"}\n{\"id\":5}\n", r#"{"id":2,"op":"deleted"}"#];
    for body in bodies {
        assert_eq!(client.status(body), Some(200));
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(br#"{"id":6}"#).unwrap();
    assert_eq!(client.post("Content-Encoding: gzip\r\nIdempotency-Key: k\r\n", &gzip.finish().unwrap()).unwrap().0, 200);
    assert_eq!(ids(&server), ["1", "3", "4", "5", "6"]);
    assert_eq!((server.arrived().requests, server.arrived().records, server.applied()), (5, 7, (6, 1)));
    let requests = server.take_requests();
    assert!(requests.iter().enumerate().all(|(i, r)| r.number == i && r.status == Some(200) && r.applied && r.path == "/in?x=1"));
    assert_eq!((requests[4].idempotency_key.as_deref(), requests[4].header("host")), (Some("k"), Some("a")));
    assert_eq!((requests[4].body.as_ref(), &requests[4].payloads[0]), (br#"{"id":6}"#.as_ref(), &json!({"id": 6})));
    assert!(server.requests().is_empty());
    assert_eq!(client.status("{"), Some(400));
}

#[test]
fn the_script_is_followed_one_act_for_each_request() {
    let server = Server::start();
    let mut client = Client::of(&server);
    server.next(2, &Act::Status(503));
    server.script([
        Act::Throttle(Some("7".to_owned())),
        Act::Answer(200, Bytes::from("<html>")),
        Act::Usual,
        Act::DropBefore,
        Act::DropAfter,
    ]);
    assert_eq!([client.status(r#"{"id":1}"#), client.status(r#"{"id":1}"#)], [Some(503); 2]);
    let (status, head, _) = client.post("", br#"{"id":1}"#).unwrap();
    assert!(status == 429 && head.contains("retry-after: 7\r\n"), "{head}");
    assert_eq!(client.post("", br#"{"id":1}"#).unwrap().2, "<html>");
    assert!(ids(&server).is_empty());
    assert_eq!(client.status(r#"{"id":2}"#), Some(200));
    assert_eq!(client.status(r#"{"id":3}"#), None);
    assert_eq!(client.status(r#"{"id":4}"#), None);
    assert_eq!(client.status(r#"{"id":5}"#), Some(200));
    assert_eq!(ids(&server), ["2", "4", "5"]);
    let statuses: Vec<_> = server.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(503), Some(503), Some(429), Some(200), Some(200), None, None, Some(200)]);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the server is held by the real clock")]
fn answers_are_held_and_travelling_requests_land_later() {
    let server = Server::start();
    let mut client = Client::of(&server);
    server.script([Act::Hold(Duration::from_millis(80)), Act::DropThenApply(Duration::from_millis(80))]);
    let started = std::time::Instant::now();
    assert_eq!(client.status(r#"{"id":1}"#), Some(200));
    assert!(started.elapsed() >= Duration::from_millis(80));
    assert_eq!(client.status(r#"{"id":2}"#), None);
    assert_eq!(ids(&server), ["1"]);
    while ids(&server).len() < 2 {
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_refused_record_refuses_its_whole_request() {
    let server = Server::start();
    let mut client = Client::of(&server);
    server.refuse(["2"]);
    assert_eq!(client.status(r#"[{"id":1},{"id":2}]"#), Some(422));
    assert_eq!(client.status(r#"[{"id":1}]"#), Some(200));
    assert_eq!(client.status(r#"[{"name":1}]"#), Some(422));
    server.deny();
    assert_eq!(client.status(r#"[{"id":3}]"#), Some(401));
    server.accept_all();
    assert_eq!(client.status(r#"[{"id":2}]"#), Some(200));
    assert_eq!(ids(&server), ["1", "2"]);
}

#[test]
fn refused_records_are_told_one_by_one_where_that_is_wanted() {
    let server = Server::with(ServerOptions { refusal: Refusal::PerRecord, ..ServerOptions::default() });
    server.refuse(["b"]);
    let (status, _, body) = Client::of(&server).post("", br#"[{"id":"a"},{"id":"b"},{}]"#).unwrap();
    let expected = json!({"results": [
        {"index": 0, "id": "a", "status": "ok"},
        {"index": 1, "id": "b", "status": "error", "code": "refused", "message": "the record b is refused"},
        {"index": 2, "id": null, "status": "error", "code": "no_id", "message": "the record has no identifier"},
    ]});
    assert_eq!((status, serde_json::from_str::<Value>(&body).unwrap()), (200, expected));
    assert_eq!(ids(&server), ["a"]);
}

#[test]
fn a_key_that_was_answered_is_not_taken_in_again() {
    let server = Server::with(ServerOptions { deduplicate: true, ..ServerOptions::default() });
    let mut client = Client::of(&server);
    server.script([Act::Status(503), Act::DropAfter]);
    server.refuse(["2"]);
    let mut send = |body: &str| client.post("Idempotency-Key: k\r\n", body.as_bytes()).map(|(status, ..)| status);
    assert_eq!(send(r#"{"id":1}"#), Some(503), "not taken in, so not remembered");
    assert_eq!(send(r#"{"id":1}"#), None);
    assert_eq!(send(r#"{"id":1}"#), Some(200));
    assert_eq!(server.applied(), (1, 0));
    let mut other = |body: &str| client.post("Idempotency-Key: l\r\n", body.as_bytes()).map(|(status, ..)| status);
    assert_eq!(other(r#"{"id":2}"#), Some(422));
    server.accept_all();
    assert_eq!(other(r#"{"id":2}"#), Some(200), "a refusal is forgotten");
    assert_eq!(ids(&server), ["1", "2"]);
}

#[test]
fn a_stopped_server_refuses_connections_and_keeps_its_records() {
    let mut server = Server::start();
    let mut client = Client::of(&server);
    assert_eq!(client.status(r#"{"id":1}"#), Some(200));
    server.stop();
    assert_eq!(client.status(r#"{"id":2}"#), None);
    assert!(TcpStream::connect(server.address).is_err());
    server.resume();
    assert_eq!(Client::of(&server).status(r#"{"id":3}"#), Some(200));
    assert_eq!(ids(&server), ["1", "3"]);
}

#[test]
fn while_it_is_held_it_takes_in_and_does_not_answer() {
    let server = Server::start();
    server.hold();
    let mut client = Client::of(&server);
    std::thread::scope(|scope| {
        let answered = scope.spawn(move || client.status(r#"{"id":1}"#));
        while server.applied().0 == 0 {
            std::thread::yield_now();
        }
        assert!(!answered.is_finished());
        server.release();
        assert_eq!(answered.join().unwrap(), Some(200));
    });
    assert_eq!(Client::of(&server).status(r#"{"id":2}"#), Some(200));
}

#[test]
fn a_counting_server_counts_and_keeps_nothing() {
    let server = Server::counting();
    let mut client = Client::of(&server);
    let lines = "{\"id\":1}\n".repeat(50_000);
    assert_eq!(client.status(&lines), Some(200));
    assert_eq!(client.status(r#"[{"id":1,"t":[1,2]},{"id":2}]"#), Some(200));
    assert_eq!(server.arrived(), Arrived { requests: 2, records: 50_002, bytes: lines.len() as u64 + 29 });
    assert!(server.records().is_empty() && server.requests().is_empty());
}
