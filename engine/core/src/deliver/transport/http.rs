//! HTTP requests: the client, where a request goes, and how its answer is read.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use outflow_contract::limits::RESPONSE_BYTES_MAX;
use outflow_contract::outcome::{Answer, HttpRequest, HttpResponse};
use outflow_contract::{Error, Kind, Result};
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Method, NoProxy, Proxy, Response, Url};

use super::faults::{self, Faults};
use super::{ProxyEnv, Sent, TransportOptions};

/// The longest wait for a connection. Shorter than most `request_timeout`s, so that a host that is down is *proven* not to have got anything.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(10);
/// How long an idle connection is kept. Widespread servers close theirs after 5 s; one that closes while a request
/// is being written to it leaves a doubt that a new connection would not have.
const IDLE_MAX: Duration = Duration::from_secs(4);
/// Header lines of an answer.
const HEADERS_MAX: usize = 100;
/// Bytes of an answer's headers over HTTP/2. Over HTTP/1 the client's own bound of about 400 KiB holds.
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// Bodies larger than this are compressed on a thread that may block.
const COMPRESS_INLINE_BYTES_MAX: usize = 16 << 10;
/// Headers that belong to the connection. Given by hand they could make one request look like two.
const FRAMING_HEADERS: [&str; 6] = ["connection", "content-length", "keep-alive", "te", "transfer-encoding", "upgrade"];

/// The HTTP half of a transport.
pub(super) struct Http {
    /// The one client. Object storage uses it, too.
    pub(super) client: Client,
    gateway: Option<Url>,
    pub(super) faults: Arc<Faults>,
}

impl Http {
    pub(super) fn new(options: TransportOptions) -> Result<Self> {
        let certificates = options.ca_file.as_deref().map(read_certificates).transpose()?;
        let gateway = options.gateway.as_deref().map(parse_gateway).transpose()?;
        let connect_timeout = CONNECT_TIMEOUT_MAX.min(options.request_timeout * 3 / 4);
        let start = || proxied(base(&options, connect_timeout), &options.proxy_env);
        let built = start()?.tls_certs_merge(certificates.clone().unwrap_or_default()).build();
        let (client, system_roots) = if let Ok(client) = built {
            (client, true)
        } else {
            // A bare container has no certificate authorities of its own. Plain HTTP, and what `ca_file` signs, still work there.
            let alone = start()?.tls_certs_only(certificates.unwrap_or_default()).build();
            (alone.map_err(|error| faults::unusable_client(&error))?, false)
        };
        let faults = Faults {
            request_timeout: options.request_timeout,
            connect_timeout,
            system_roots,
            proxies: options.proxy_env,
            redactor: options.redactor,
        };
        Ok(Self { client, gateway, faults: Arc::new(faults) })
    }

    pub(super) async fn send(&self, request: &HttpRequest) -> Sent {
        let request = match self.build(request).await {
            Ok(built) => built,
            Err(error) => return Sent::NotSent(error),
        };
        let url = request.url().clone();
        match self.client.execute(request).await {
            Ok(response) => self.read(response, &host_of(&url)).await,
            Err(error) => self.faults.before_answer(error, &url),
        }
    }

    /// The request as it leaves.
    async fn build(&self, request: &HttpRequest) -> Result<reqwest::Request> {
        let url = parse_url(&request.url, "the request")?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| Error::invalid(format!("`{}` is no HTTP method", request.method.escape_debug())))?;
        let mut headers = headers(&request.headers)?;
        let mut body = request.body.clone();
        if request.gzip && !body.is_empty() && !headers.contains_key(CONTENT_ENCODING) {
            body = compress(body).await?;
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let url = match &self.gateway {
            None => url,
            Some(gateway) => {
                let original =
                    HeaderValue::from_str(&host_of(&url)).map_err(|error| Error::bug("a host is no header value").caused_by(error))?;
                headers.insert(HeaderName::from_static("x-forwarded-host"), original);
                through(gateway, &url)
            }
        };
        let host = host_of(&url);
        let mut builder = self.client.request(method, url).headers(headers);
        if !body.is_empty() {
            builder = builder.body(body);
        }
        builder.build().map_err(|error| faults::unusable_request(error, &host))
    }

    async fn read(&self, response: Response, host: &str) -> Sent {
        match read_to_end(response, &self.faults, host).await {
            Ok(response) => Sent::Answer(Answer::Http(response)),
            Err(sent) => sent,
        }
    }
}

/// The whole answer, within its limit; else what that means for the request.
pub(super) async fn read_to_end(mut response: Response, faults: &Faults, host: &str) -> Result<HttpResponse, Sent> {
    let status = response.status().as_u16();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > RESPONSE_BYTES_MAX => return Err(faults::too_long(host, status)),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(HttpResponse { status, headers, body: body.freeze() }),
            Err(error) => return Err(faults.in_answer(&error, host, status)),
        }
    }
}

/// A client for the addresses at which a machine in a cloud is told its credentials: near, plain, and never behind a proxy.
#[allow(clippy::disallowed_methods, reason = "this is the one HTTP client")]
pub(super) fn metadata_client(timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder().timeout(timeout).connect_timeout(timeout).redirect(reqwest::redirect::Policy::none()).no_proxy().build()
}

#[allow(clippy::disallowed_methods, reason = "this is the one HTTP client")]
fn base(options: &TransportOptions, connect_timeout: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent(&options.user_agent)
        .timeout(options.request_timeout)
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .tcp_nodelay(true)
        .pool_max_idle_per_host(options.concurrency.max(1))
        .pool_idle_timeout(IDLE_MAX)
        .http1_max_headers(HEADERS_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        // The environment is read by the command line, and handed in.
        .no_proxy()
}

fn proxied(mut builder: ClientBuilder, env: &ProxyEnv) -> Result<ClientBuilder> {
    let except = || env.no.as_deref().and_then(NoProxy::from_string);
    let set = |value: &Option<String>| value.clone().filter(|value| !value.trim().is_empty());
    // Its value may hold a password: the message names the variable alone.
    let wrong = |name: &str| {
        Error::invalid(format!("the environment variable {name} is not the address of a proxy"))
            .remedy(format!("set {name} to a URL such as http://proxy.example.com:3128, or unset it"))
    };
    if let Some(https) = set(&env.https) {
        builder = builder.proxy(Proxy::https(https).map_err(|_| wrong("HTTPS_PROXY"))?.no_proxy(except()));
    }
    if let Some(http) = set(&env.http) {
        builder = builder.proxy(Proxy::http(http).map_err(|_| wrong("HTTP_PROXY"))?.no_proxy(except()));
    }
    Ok(builder)
}

fn read_certificates(path: &Path) -> Result<Vec<Certificate>> {
    let file = path.display();
    let remedy = "`tls: {ca_file}` must name a PEM file of certificate authorities (BEGIN CERTIFICATE)";
    let pem = std::fs::read(path).map_err(|error| {
        let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Invalid };
        Error::new(kind, format!("could not read the certificate file {file}")).caused_by(error).remedy(remedy)
    })?;
    let wrong = |why: &str| Error::invalid(format!("the certificate file {file} {why}")).remedy(remedy);
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| wrong("is not valid PEM"))?;
    if certificates.is_empty() {
        return Err(wrong("holds no certificate"));
    }
    // The first client that trusts it shows whether each of them is one; nothing is done with it.
    #[allow(clippy::disallowed_methods, reason = "this is the one HTTP client")]
    let tried = Client::builder().no_proxy().tls_certs_only(certificates.clone()).build();
    tried.map_err(|_| wrong("holds something that is no certificate"))?;
    Ok(certificates)
}

/// Never shows `text`: a URL may hold secrets.
fn parse_url(text: &str, what: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| Error::invalid(format!("the URL of {what} is not valid")).caused_by(error))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(Error::invalid(format!("the URL of {what} is not an http:// or https:// one")));
    }
    Ok(url)
}

fn parse_gateway(text: &str) -> Result<Url> {
    let url = parse_url(text, "the gateway")?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Error::invalid("the URL of the gateway has a query or a fragment").remedy("give scheme, host, port and path only"));
    }
    Ok(url)
}

/// `url` with the gateway's scheme, host and port, and the gateway's path in front of its own.
fn through(gateway: &Url, url: &Url) -> Url {
    let mut to = gateway.clone();
    to.set_path(&format!("{}{}", gateway.path().trim_end_matches('/'), url.path()));
    to.set_query(url.query());
    if to.username().is_empty() && to.password().is_none() {
        // The destination's own credentials. Neither call fails on a URL that has a host.
        to.set_username(url.username()).and_then(|()| to.set_password(url.password())).ok();
    }
    to
}

/// Host, and port where it is not the scheme's own.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(pairs.len() + 2);
    for (name, value) in pairs {
        let shown = name.escape_debug();
        let parsed =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::invalid(format!("`{shown}` is no name of an HTTP header")))?;
        if FRAMING_HEADERS.contains(&parsed.as_str()) {
            return Err(Error::invalid(format!("the header `{shown}` is set by Outflow itself")).remedy("leave it out"));
        }
        // The value may be a secret: it is not shown.
        let mut value = HeaderValue::from_str(value).ok().filter(|_| value.is_ascii()).ok_or_else(|| {
            Error::invalid(format!("the value of the header `{shown}` cannot be sent"))
                .remedy("header values are printable ASCII, without line breaks; look for one at the end of a secret's file")
        })?;
        value.set_sensitive(true);
        headers.append(parsed, value);
    }
    Ok(headers)
}

async fn compress(body: Bytes) -> Result<Bytes> {
    let failed = |error: std::io::Error| Error::io("could not compress a request", error);
    if body.len() <= COMPRESS_INLINE_BYTES_MAX {
        return gzip(&body).map_err(failed);
    }
    let worker = tokio::task::spawn_blocking(move || gzip(&body)).await;
    worker.map_err(|error| Error::bug("compressing a request stopped").caused_by(error))?.map_err(failed)
}

/// The same bytes each time: no time, no name in the header.
fn gzip(body: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish().map(Bytes::from)
}
