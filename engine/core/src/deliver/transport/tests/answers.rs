//! Whatever is not a whole answer leaves a doubt.

use std::time::Duration;

use outflow_contract::limits::RESPONSE_BYTES_MAX;

use super::*;

const BODY: &str = r#"{"results":[{"id":"1","ok":true}]}"#;

fn with_length(body: &[u8], more: &str) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{more}\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(10) {
        answer.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

#[tokio::test]
async fn an_answer_cut_at_any_byte_is_no_answer() {
    let transport = transport();
    for whole in
        [with_length(BODY.as_bytes(), ""), chunked(BODY.as_bytes()), with_length(&gzipped(BODY.as_bytes()), "Content-Encoding: gzip\r\n")]
    {
        for length in 0..whole.len() {
            let server = Server::answering(&whole[..length]).await;
            let error = unknown(send(&transport, post(&server.url, "[1]")).await);
            assert!(error.may_retry() && error.message().contains("127.0.0.1:"), "cut at {length}: {error:?}");
        }
        let server = Server::answering(whole).await;
        let response = answer(send(&transport, post(&server.url, "[1]")).await);
        assert_eq!((response.status, response.body.as_ref()), (200, BODY.as_bytes()));
    }
}

#[tokio::test]
async fn a_compressed_answer_that_ends_early_is_no_answer() {
    let transport = transport();
    let compressed = gzipped(BODY.as_bytes());
    for length in 1..compressed.len() {
        let server = Server::answering(with_length(&compressed[..length], "Content-Encoding: gzip\r\n")).await;
        let error = unknown(send(&transport, post(&server.url, "[1]")).await);
        assert!(error.message().contains("(status 200) could not be read to its end"), "cut at {length}: {error}");
    }
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_limit_and_no_further() {
    let transport = transport();
    let server = Server::answering(with_length(&vec![b'x'; RESPONSE_BYTES_MAX], "")).await;
    assert_eq!(answer(send(&transport, post(&server.url, "[1]")).await).body.len(), RESPONSE_BYTES_MAX);
    for too_long in [with_length(&vec![b'x'; RESPONSE_BYTES_MAX + 1], ""), chunked(&vec![b'x'; RESPONSE_BYTES_MAX + 1])] {
        let server = Server::answering(too_long).await;
        let error = unknown(send(&transport, post(&server.url, "[1]")).await);
        assert!(error.message().ends_with("is longer than 16 MiB"), "{error}");
    }
}

#[tokio::test]
async fn a_compression_bomb_is_cut_off() {
    let bomb = gzipped(&vec![0; 300 << 20]);
    assert!(bomb.len() < 1 << 20);
    let server = Server::answering(with_length(&bomb, "Content-Encoding: gzip\r\n")).await;
    let error = unknown(send(&transport(), post(&server.url, "[1]")).await);
    assert!(error.message().ends_with("is longer than 16 MiB"), "{error}");
}

#[tokio::test]
async fn an_answer_that_dribbles_is_given_up_at_the_deadline() {
    for start in ["", "HTTP/1.1 200 OK\r\nX-A: ", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"] {
        let server = Server::start(move |mut stream| async move {
            read_request(&mut stream).await;
            stream.write_all(start.as_bytes()).await.ok();
            while stream.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let transport = impatient(Duration::from_millis(400));
        let sent = tokio::time::timeout(Duration::from_secs(5), send(&transport, post(&server.url, "[1]"))).await.unwrap();
        let error = unknown(sent);
        if start.is_empty() {
            continue; // It is no HTTP either, and may be found to be so first.
        }
        assert!(error.message().ends_with("timed out: no complete answer after 0.4 s"), "{error}");
        assert!(error.remedy_text().unwrap().contains("request_timeout"));
    }
}

#[tokio::test]
async fn endless_headers_and_endless_interim_answers_are_given_up() {
    for (start, more) in [("HTTP/1.1 200 OK\r\n", "X-Header: 1\r\n"), ("", "HTTP/1.1 103 Early Hints\r\n\r\n")] {
        let server = Server::start(move |mut stream| async move {
            read_request(&mut stream).await;
            stream.write_all(start.as_bytes()).await.ok();
            while stream.write_all(more.repeat(100).as_bytes()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        let transport = impatient(Duration::from_secs(1));
        let sent = tokio::time::timeout(Duration::from_secs(5), send(&transport, post(&server.url, "[1]"))).await.unwrap();
        unknown(sent);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_the_protocol_is_no_answer() {
    let broken: [&[u8]; 6] = [
        b"220 mail.example.com ESMTP\r\n",
        b"HTTP/1.1 2OO OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header\x00: 1\r\n\r\n",
    ];
    for bytes in broken {
        let server = Server::answering(bytes).await;
        unknown(send(&transport(), post(&server.url, "[1]")).await);
    }
}

#[tokio::test]
async fn bytes_after_an_answer_are_not_taken_for_the_next_one() {
    let two = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nplanted";
    let server = Server::answering(two.to_vec()).await;
    let transport = transport();
    for _ in 0..3 {
        assert_eq!(answer(send(&transport, post(&server.url, "[1]")).await).body, "first");
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (target, requests) = Server::recording().await;
    for status in [301, 302, 303, 307, 308] {
        let redirect = format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {}/next\r\nContent-Length: 0\r\n\r\n", target.url);
        let server = Server::answering(redirect).await;
        let response = answer(send(&transport(), post(&server.url, "[1]")).await);
        assert_eq!(response.status, status);
        assert_eq!(response.header("location"), Some(format!("{}/next", target.url).as_str()));
    }
    assert!(requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn any_status_with_a_whole_body_is_an_answer() {
    for status in [204, 400, 401, 422, 429, 500, 503] {
        let body = if status == 204 { "" } else { "why" };
        let text = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nRetry-After: 7\r\nX-Bytes: \u{e9}\r\n\r\n{body}", body.len());
        let server = Server::answering(text).await;
        let response = answer(send(&transport(), post(&server.url, "[1]")).await);
        assert_eq!((response.status, response.body.as_ref()), (status, body.as_bytes()));
        assert_eq!(response.header("retry-after"), Some("7"));
    }
}
