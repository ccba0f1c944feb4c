//! Reaching the other side: refused, reset, proxied, encrypted.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

#[tokio::test]
async fn a_refused_connection_has_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = not_sent(send(&transport(), post(&format!("http://{address}/x?token=hunter2"), "[1]")).await);
    assert_eq!(error.to_string(), format!("{address} refused the connection"));
    assert!(error.may_retry() && error.remedy_text().unwrap().contains("port"));
}

#[tokio::test]
async fn a_host_that_does_not_exist_has_got_nothing() {
    let error = not_sent(send(&transport(), post("http://no-such-host.invalid/?token=hunter2", "[1]")).await);
    assert_eq!(error.message(), "the host no-such-host.invalid was not found");
    assert!(error.remedy_text().is_some());
}

#[tokio::test]
async fn a_host_that_does_not_pick_up_has_got_nothing() {
    let transport = impatient(Duration::from_millis(400));
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Once its queue is full, the system leaves further connections without an answer.
    let connect = || tokio::time::timeout(Duration::from_millis(50), TcpStream::connect(address));
    let _queue = [connect().await, connect().await, connect().await];
    let error = not_sent(send(&transport, post(&format!("http://{address}/"), "[1]")).await);
    assert_eq!(error.message(), format!("{address} timed out: no connection after 0.3 s"));
    let silent = Server::start(|mut stream| async move { drain(&mut stream).await }).await;
    let error = not_sent(send(&transport, post(&silent.url.replace("http", "https"), "[1]")).await);
    assert!(error.message().ends_with("timed out: no connection after 0.3 s") && error.may_retry(), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_closed_while_idle_is_replaced() {
    let server = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.ok();
    })
    .await;
    let transport = transport();
    for _ in 0..3 {
        answer(send(&transport, post(&server.url, "[1]")).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_connection_reset_at_any_byte_of_the_request_leaves_a_doubt() {
    let request = |url: &str| post(&format!("{url}/x?token=hunter2"), "[1,2,3,4,5,6,7,8,9,10,11,12]");
    let (recording, requests) = Server::recording().await;
    let transport = transport();
    answer(send(&transport, request(&recording.url)).await);
    let whole = requests.lock().unwrap()[0].clone();
    // The lines with their ends, the empty one, and the body. Ports have four or five digits.
    let length = whole.lines.iter().map(|line| line.len() + 2).sum::<usize>() + 2 + whole.body.len();
    for after in 0..length - 1 {
        let server = Server::start(move |mut stream| async move {
            for _ in 0..after {
                if stream.read_u8().await.is_err() {
                    return;
                }
            }
            stream.set_zero_linger().unwrap();
        })
        .await;
        let error = unknown(send(&transport, request(&server.url)).await);
        assert!(error.may_retry() && !format!("{error:?}").contains("hunter2"), "after {after}: {error:?}");
    }
}

#[tokio::test]
async fn a_connection_that_closes_after_the_request_leaves_a_doubt() {
    let server = Server::answering("").await;
    let error = unknown(send(&transport(), post(&server.url, "[1]")).await);
    assert!(error.message().ends_with("broke before the answer came"), "{error}");
}

#[tokio::test]
async fn a_large_body_is_sent_while_an_early_answer_is_read() {
    let refusing = b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlong";
    let server = Server::start(move |mut stream| async move {
        let mut head = [0; 200];
        stream.read_exact(&mut head).await.ok();
        stream.write_all(refusing).await.ok();
        drain(&mut stream).await;
    })
    .await;
    let request = HttpRequest { body: Bytes::from(vec![b' '; 12 << 20]), ..post(&server.url, "") };
    assert_eq!(answer(send(&transport(), request).await).status, 413);
}

#[tokio::test]
async fn no_error_holds_a_secret_of_the_url_or_of_the_project() {
    let redactor = Redactor::default();
    redactor.add("no-such-host");
    let transport = Transport::new(TransportOptions { redactor, request_timeout: Duration::from_millis(300), ..options() }).unwrap();
    let silent = Server::start(|stream| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(stream);
    })
    .await;
    let place = silent.url.replace("http://", "http://me:hunter2@");
    for url in [format!("{place}/hunter2?hunter2=hunter2#hunter2"), "http://127.0.0.1:1/?hunter2".to_owned()] {
        let sent = send(&transport, post(&url, "[1]")).await;
        assert!(!format!("{sent:?}").contains("hunter2"), "{sent:?}");
    }
}

/// A proxy that notes the first line and the credentials of every connection, and forwards all to `to`.
async fn proxy(to: &str, greeting: &'static [u8]) -> (Server, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (noted, to) = (Arc::clone(&seen), to.to_owned());
    let server = Server::start(move |mut stream| {
        let (noted, to) = (Arc::clone(&noted), to.clone());
        async move {
            let Some(request) = read_request(&mut stream).await else { return };
            let credentials = request.header("proxy-authorization").unwrap_or("none").to_owned();
            noted.lock().unwrap().push(format!("{} [{credentials}]", request.lines[0]));
            stream.write_all(greeting).await.ok();
            if request.lines[0].starts_with("CONNECT") && !to.is_empty() {
                let mut upstream = TcpStream::connect(to).await.unwrap();
                tokio::io::copy_bidirectional(&mut stream, &mut upstream).await.ok();
            }
        }
    })
    .await;
    (server, seen)
}

fn through(https: Option<&str>, http: Option<&str>, no: Option<&str>) -> TransportOptions {
    let own = |value: Option<&str>| value.map(str::to_owned);
    TransportOptions { proxy_env: ProxyEnv { https: own(https), http: own(http), no: own(no) }, ..options() }
}

#[tokio::test]
async fn plain_requests_go_to_the_proxy_of_http_proxy_unless_exempt() {
    let (proxy, seen) = proxy("", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nproxied").await;
    let address = proxy.url.replace("http://", "http://me:secret@");
    let (server, _) = Server::recording().await;
    let transport = Transport::new(through(None, Some(&address), Some("127.0.0.1"))).unwrap();
    assert_eq!(answer(send(&transport, post("http://api.example.com/a?b=c", "[1]")).await).body, "proxied");
    assert_eq!(answer(send(&transport, post(&server.url, "[1]")).await).body, "ok");
    assert_eq!(*seen.lock().unwrap(), ["POST http://api.example.com/a?b=c HTTP/1.1 [Basic bWU6c2VjcmV0]"]);
}

#[tokio::test]
async fn encrypted_requests_go_through_the_tunnel_of_https_proxy() {
    let authority = Authority::new();
    let server = authority.serve(&["api.example.com"], None).await;
    let (proxy, seen) = proxy(&server, b"HTTP/1.1 200 Connected\r\n\r\n").await;
    let options = TransportOptions { ca_file: Some(authority.file()), ..through(Some(&proxy.url), None, Some("")) };
    let transport = Transport::new(options).unwrap();
    assert_eq!(answer(send(&transport, post("https://api.example.com/a", "[1]")).await).body, "POST /a over HTTP/2.0");
    assert_eq!(*seen.lock().unwrap(), ["CONNECT api.example.com:443 HTTP/1.1 [none]"]);
}

#[tokio::test]
async fn a_proxy_that_refuses_the_tunnel_means_that_nothing_was_sent() {
    for refusal in [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".as_slice(), b"HTTP/1.1 503 No\r\n\r\n"] {
        let (proxy, _) = proxy("", refusal).await;
        let transport = Transport::new(through(Some(&proxy.url), None, None)).unwrap();
        let error = not_sent(send(&transport, post("https://api.example.com/?hunter2", "[1]")).await);
        assert_eq!(error.message(), "the proxy did not connect to api.example.com");
        assert!(error.remedy_text().unwrap().contains("HTTPS_PROXY"));
    }
}

#[test]
fn a_proxy_that_is_no_address_is_named_by_its_variable_alone() {
    let error = Transport::new(through(Some("http://me:hunter2@:x"), None, None)).err().unwrap();
    assert_eq!(error.message(), "the environment variable HTTPS_PROXY is not the address of a proxy");
    assert!(!format!("{error:?}").contains("hunter2"));
    Transport::new(through(Some(" "), Some(""), None)).unwrap();
}

/// A certificate authority of the test's own.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| drop(rustls::crypto::aws_lc_rs::default_provider().install_default()));
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "Test authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), issuer }
    }

    /// Its own certificate, as a file.
    fn file(&self) -> PathBuf {
        let path = self.folder.path().join("ca.pem");
        fs::write(&path, self.issuer.pem()).unwrap();
        path
    }

    /// A TLS server that is certified for `names`, at the returned address. It answers with what it was asked.
    async fn serve(&self, names: &[&str], expired: Option<i32>) -> String {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if let Some(year) = expired {
            (params.not_before, params.not_after) = (rcgen::date_time_ymd(year - 1, 1, 1), rcgen::date_time_ymd(year, 1, 1));
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key);
        let mut config = config.unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let server = Server::start(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
                    let text = format!("{} {} over {:?}", request.method(), request.uri().path(), request.version());
                    Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(Bytes::from(text))))
                });
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                builder.serve_connection(TokioIo::new(stream), service).await.ok();
            }
        })
        .await;
        server.url.replace("http://", "")
    }
}

fn trusting(ca_file: Option<PathBuf>) -> Transport {
    Transport::new(TransportOptions { ca_file, ..options() }).unwrap()
}

#[tokio::test]
async fn a_server_of_an_authority_of_ones_own_is_trusted_through_ca_file_alone() {
    let authority = Authority::new();
    let address = authority.serve(&["127.0.0.1"], None).await;
    let url = format!("https://{address}/x");
    let error = not_sent(send(&trusting(None), post(&url, "[1]")).await);
    assert!(error.message().starts_with(&format!("the certificate of {address} is not trusted")), "{error:?}");
    assert!(error.remedy_text().unwrap().contains("tls: {ca_file}") && !error.may_retry(), "{error:?}");
    let error = not_sent(send(&trusting(Some(Authority::new().file())), post(&url, "[1]")).await);
    assert!(error.message().starts_with(&format!("the certificate of {address} is not trusted")), "{error:?}");
    assert_eq!(answer(send(&trusting(Some(authority.file())), post(&url, "[1]")).await).body, "POST /x over HTTP/2.0");
}

#[tokio::test]
async fn an_expired_certificate_and_one_for_another_host_are_refused() {
    let authority = Authority::new();
    let transport = trusting(Some(authority.file()));
    for (names, expired, message) in [("127.0.0.1", Some(2020), "has expired"), ("other.example", None, "is for another host")] {
        let address = authority.serve(&[names], expired).await;
        let error = not_sent(send(&transport, post(&format!("https://{address}/"), "[1]")).await);
        assert_eq!(error.message(), format!("the certificate of {address} {message}"));
    }
}

#[tokio::test]
async fn a_server_without_tls_has_got_nothing_of_an_encrypted_request() {
    let server = Server::start(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok();
        drain(&mut stream).await;
    })
    .await;
    let address = server.url.replace("http://", "");
    let error = not_sent(send(&transport(), post(&format!("https://{address}/?hunter2"), "[1]")).await);
    assert_eq!(error.message(), format!("{address} does not speak TLS at that port"));
}

#[test]
fn a_certificate_file_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let fails = || Transport::new(TransportOptions { ca_file: Some(path.clone()), ..options() }).err().unwrap();
    let shown = path.display().to_string();
    assert_eq!(fails().message(), format!("could not read the certificate file {shown}"));
    fs::write(&path, "hello").unwrap();
    assert_eq!(fails().message(), format!("the certificate file {shown} holds no certificate"));
    fs::write(&path, "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n").unwrap();
    assert_eq!(fails().message(), format!("the certificate file {shown} is not valid PEM"));
    fs::write(&path, "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n").unwrap();
    assert_eq!(fails().message(), format!("the certificate file {shown} holds something that is no certificate"));
    assert!(fails().remedy_text().unwrap().contains("ca_file"));
}
