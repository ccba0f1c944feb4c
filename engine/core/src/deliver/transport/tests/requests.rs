//! What leaves, and where it goes.

use super::*;

#[tokio::test]
async fn a_request_leaves_as_it_was_built() {
    let (server, requests) = Server::recording().await;
    let mut request = post(&format!("{}/a%20b/c?x=1&y=%2F", server.url), "[1,2]");
    request.method = "PUT".to_owned();
    request.headers.push(("X-Two".to_owned(), "1".to_owned()));
    request.headers.push(("X-Two".to_owned(), "2".to_owned()));
    let response = answer(send(&transport(), request).await);
    assert_eq!((response.status, response.body.as_ref()), (200, b"ok".as_ref()));
    let received = requests.lock().unwrap()[0].clone();
    assert_eq!(received.lines[0], "PUT /a%20b/c?x=1&y=%2F HTTP/1.1");
    assert_eq!(received.body, b"[1,2]");
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("user-agent"), Some("outflow/test"));
    assert_eq!(received.header("content-encoding"), None);
    assert_eq!(received.lines.iter().filter(|line| line.starts_with("x-two: ")).count(), 2);
}

#[tokio::test]
async fn connections_are_used_again_and_cookies_are_not_kept() {
    let (server, requests) = Server::recording().await;
    let transport = transport();
    for _ in 0..5 {
        answer(send(&transport, post(&server.url, "[1]")).await);
    }
    assert_eq!(server.connections(), 1);
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 5);
    assert!(requests.iter().all(|request| request.header("cookie").is_none()));
}

#[tokio::test]
async fn as_many_connections_are_kept_as_requests_may_be_under_way() {
    let (server, _) = Server::recording().await;
    let transport = transport();
    for _ in 0..4 {
        let round = (0..8).map(|_| send(&transport, post(&server.url, "[1]")));
        futures::future::join_all(round).await.into_iter().for_each(|sent| drop(answer(sent)));
        // A connection is back in the pool a moment after its answer.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(server.connections() <= 8, "{}", server.connections());
}

#[tokio::test]
async fn a_body_is_compressed_where_that_is_wanted() {
    let (server, requests) = Server::recording().await;
    let large = Bytes::from(r#"{"name":"a"},"#.repeat(20_000));
    for body in [Bytes::from_static(b"[1,2,3]"), large] {
        let request = HttpRequest { gzip: true, body: body.clone(), ..post(&server.url, "") };
        let transport = transport();
        answer(send(&transport, request.clone()).await);
        answer(send(&transport, request).await);
        let received = std::mem::take(&mut *requests.lock().unwrap());
        assert_eq!(received[0].header("content-encoding"), Some("gzip"));
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*received[0].body), &mut plain).unwrap();
        assert_eq!(plain, body);
        assert_eq!(received[0].body, received[1].body, "the same bytes each time");
    }
    answer(send(&transport(), HttpRequest { gzip: true, ..post(&server.url, "") }).await);
    assert_eq!(requests.lock().unwrap()[0].header("content-encoding"), None, "nothing to compress");
}

#[tokio::test]
async fn a_gateway_gets_every_request_with_path_query_and_the_original_host() {
    let (server, requests) = Server::recording().await;
    let cases = [
        ("", "https://api.example.com/v1/things?a=b%20c", "/v1/things?a=b%20c", "api.example.com"),
        ("/", "https://api.example.com", "/", "api.example.com"),
        ("/out/", "http://api.example.com:8080/v1", "/out/v1", "api.example.com:8080"),
        ("/out", "https://me:pw@api.example.com/", "/out/", "api.example.com"),
    ];
    for (prefix, url, path, host) in cases {
        let gateway = Some(format!("{}{prefix}", server.url));
        let transport = Transport::new(TransportOptions { gateway, ..options() }).unwrap();
        answer(send(&transport, post(url, "[1]")).await);
        let received = requests.lock().unwrap().pop().unwrap();
        assert_eq!(received.lines[0], format!("POST {path} HTTP/1.1"));
        assert_eq!(received.header("x-forwarded-host"), Some(host));
        assert_eq!(received.header("host"), Some(&server.url[7..]));
        assert_eq!(received.header("authorization").is_some(), url.contains("me:pw"));
    }
}

#[tokio::test]
async fn a_gateway_that_is_no_place_is_refused_without_being_shown() {
    for gateway in ["nonsense-hunter2", "ftp://hunter2@a.example", "http://a.example/?key=hunter2", "unix:/hunter2"] {
        let error = Transport::new(TransportOptions { gateway: Some(gateway.to_owned()), ..options() }).err().unwrap();
        assert!(error.to_string().contains("gateway") && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_named_without_its_value() {
    let cases = [("X-Token", "hunter2\r\nX-Evil: 1"), ("X-Token", "hunter2\n"), ("X-Token", "hunter2 \u{e9}"), ("Bad Name", "hunter2")];
    for (name, value) in cases.into_iter().chain([("Content-Length", "7"), ("transfer-encoding", "chunked")]) {
        let (server, requests) = Server::recording().await;
        let mut request = post(&server.url, "[1]");
        request.headers.push((name.to_owned(), value.to_owned()));
        let error = not_sent(send(&transport(), request).await);
        assert!(error.message().contains(name) && !error.may_retry(), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert!(requests.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_request_without_a_place_or_method_is_not_sent() {
    for url in ["", "/path", "ftp://a.example/", "http://", "http://a.example:99999/hunter2", "data:hunter2"] {
        let error = not_sent(send(&transport(), post(url, "[1]")).await);
        assert!(error.message().starts_with("the URL of the request is not") && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let error = not_sent(send(&transport(), HttpRequest { method: "P OST".to_owned(), ..post("http://a.example", "") }).await);
    assert_eq!(error.message(), "`P OST` is no HTTP method");
}
