//! Objects, against servers that answer as object stores do, or not at all. The real ones are asked in the tests from end to end.

use std::collections::BTreeMap;

use outflow_contract::Kind;
use outflow_contract::outcome::{FileRequest, Location, ObjectLocation};
use outflow_contract::secret::Secret;

use super::*;

fn options(pairs: &[(&str, &str)]) -> Arc<BTreeMap<String, Secret>> {
    Arc::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect())
}

fn s3(endpoint: &str) -> Arc<BTreeMap<String, Secret>> {
    options(&[("aws_endpoint", endpoint), ("aws_access_key_id", "key"), ("aws_secret_access_key", "s3cret")])
}

fn object(url: &str, options: &Arc<BTreeMap<String, Secret>>) -> Request {
    let location = Location::Object(ObjectLocation { url: url.to_owned(), options: Arc::clone(options) });
    Request::File(FileRequest { location, body: Bytes::from_static(b"{}\n") })
}

#[tokio::test]
async fn an_object_is_put_whole_once_and_signed() {
    let (server, requests) = Server::recording().await;
    let transport = transport();
    for name in ["1.ndjson", "é 2.ndjson"] {
        let sent = transport.send_unpermitted(&object(&format!("s3://bucket/a/{name}"), &s3(&server.url))).await;
        assert!(matches!(sent, Sent::Answer(Answer::Written)), "{sent:?}");
    }
    let requests = requests.lock().unwrap();
    assert_eq!(requests[0].lines[0], "PUT /bucket/a/1.ndjson HTTP/1.1");
    assert_eq!(requests[1].lines[0], "PUT /bucket/a/%C3%A9%202.ndjson HTTP/1.1");
    assert_eq!((requests.len(), requests[0].body.as_slice(), requests[0].header("content-length")), (2, &b"{}\n"[..], Some("3")));
    assert!(requests[0].header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256 Credential=key/"));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn every_kind_of_store_is_written_to() {
    let (server, requests) = Server::recording().await;
    let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let azure = options(&[
        ("azure_storage_endpoint", server.url.as_str()),
        ("azure_storage_account_name", "devaccount"),
        ("azure_storage_account_key", key),
    ]);
    for request in [object("az://container/a/1.ndjson", &azure), object("gs://bucket/a/1.ndjson", &google(&server.url))] {
        let sent = transport().send_unpermitted(&request).await;
        assert!(matches!(sent, Sent::Answer(Answer::Written)), "{sent:?}");
    }
    let lines: Vec<String> = requests.lock().unwrap().iter().map(|request| request.lines[0].clone()).collect();
    assert_eq!(lines, ["PUT /container/a/1.ndjson HTTP/1.1", "PUT /bucket/a%2F1%2Endjson HTTP/1.1"]);
}

#[tokio::test]
async fn a_refusal_has_sent_nothing_and_a_failure_leaves_a_doubt() {
    let refusing = Server::answering("HTTP/1.1 403 X\r\nContent-Length: 49\r\n\r\n<Error><Code>InvalidAccessKeyId</Code></Error>   ").await;
    let error = not_sent(transport().send_unpermitted(&object("s3://bucket/1", &s3(&refusing.url))).await);
    assert!(error.message().contains("s3://bucket does not accept the credentials"), "{error:?}");
    assert_eq!((error.kind(), refusing.connections()), (Kind::Unauthorized, 1));

    let failing = Server::answering("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n").await;
    let error = unknown(transport().send_unpermitted(&object("s3://bucket/1", &s3(&failing.url))).await);
    assert!(error.message().contains("s3://bucket failed (status 500)"), "{error:?}");
    assert_eq!(failing.connections(), 1);
}

#[tokio::test]
async fn silence_and_a_broken_connection_leave_a_doubt_and_a_refused_one_does_not() {
    let silent = Server::start(|mut stream| async move { drain(&mut stream).await }).await;
    let transport = impatient(Duration::from_millis(500));
    let error = unknown(transport.send_unpermitted(&object("s3://bucket/1", &s3(&silent.url))).await);
    assert!(error.message().contains("timed out"), "{error:?}");

    let breaking = Server::start(|mut stream| async move { drop(read_request(&mut stream).await) }).await;
    let error = unknown(transport.send_unpermitted(&object("s3://bucket/1", &s3(&breaking.url))).await);
    assert!(error.message().contains("broke before the answer came"), "{error:?}");
    assert_eq!(breaking.connections(), 1);

    let error = not_sent(transport.send_unpermitted(&object("s3://bucket/1", &s3("http://127.0.0.1:1"))).await);
    assert!(error.message().contains("refused the connection"), "{error:?}");
}

#[tokio::test]
async fn without_credentials_nothing_is_sent_and_it_says_where_they_go() {
    let silent = Server::start(|mut stream| async move { drain(&mut stream).await }).await;
    // A metadata service that is not there.
    let options = options(&[("aws_endpoint", silent.url.as_str()), ("aws_metadata_endpoint", "http://127.0.0.1:1")]);
    let error = not_sent(transport().send_unpermitted(&object("s3://bucket/1", &options)).await);
    assert_eq!(error.message(), "there are no credentials for s3://bucket");
    assert!(error.remedy_text().unwrap().contains("AWS_ACCESS_KEY_ID"), "{error:?}");
    assert_eq!(silent.connections(), 0);

    let refusing = Server::answering("HTTP/1.1 403 X\r\nContent-Length: 3\r\n\r\nno\n").await;
    let options = self::options(&[("aws_endpoint", silent.url.as_str()), ("aws_metadata_endpoint", refusing.url.as_str())]);
    let error = not_sent(transport().send_unpermitted(&object("s3://bucket/1", &options)).await);
    assert!(error.to_string().ends_with("127.0.0.1 answered the request for them with the status 403: no"), "{error:?}");

    let half = self::options(&[("aws_endpoint", silent.url.as_str()), ("aws_access_key_id", "key")]);
    let error = not_sent(transport().send_unpermitted(&object("s3://bucket/1", &half)).await);
    assert!(error.to_string().contains("SecretAccessKey"), "{error:?}");
}

#[tokio::test]
async fn what_the_settings_leave_open_comes_from_the_environment() {
    let (server, requests) = Server::recording().await;
    let pairs = [("AWS_ENDPOINT_URL", server.url.as_str()), ("AWS_ACCESS_KEY_ID", "ours"), ("AWS_SECRET_ACCESS_KEY", "s3cret")];
    let storage_env = StorageEnv(pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect());
    let transport = Transport::new(TransportOptions { storage_env, ..super::options() }).unwrap();
    let sent = transport.send_unpermitted(&object("s3://bucket/1", &options(&[("aws_region", "eu-north-1")]))).await;
    assert!(matches!(sent, Sent::Answer(Answer::Written)), "{sent:?}");
    let requests = requests.lock().unwrap();
    let signed = requests[0].header("authorization").unwrap();
    assert!(signed.contains("Credential=ours/") && signed.contains("/eu-north-1/s3/"), "{signed}");
}

#[tokio::test]
async fn a_rehearsal_leaves_nothing_behind() {
    let (server, requests) = Server::recording().await;
    let sent = transport().rehearse(&object("gs://bucket/.outflow-check", &google(&server.url))).await;
    assert!(matches!(sent, Sent::Answer(Answer::Written)), "{sent:?}");
    let methods: Vec<String> = requests.lock().unwrap().iter().map(|request| request.lines[0][..4].to_owned()).collect();
    assert_eq!(methods, ["PUT ", "DELE"]);
}

fn google(endpoint: &str) -> Arc<BTreeMap<String, Secret>> {
    let key = r#"{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}"#;
    options(&[("google_base_url", endpoint), ("google_service_account_key", key)])
}
