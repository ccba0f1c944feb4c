//! The transport's own client, as the object store library wants it: one request at a time, nothing sent twice.
//!
//! What becomes of the upload is noted here, for whoever waits for it, in words of our own; the library's words for it, which may
//! hold whole URLs, are not used.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use outflow_contract::outcome::HttpResponse as Response;
use outflow_contract::secret::Redactor;
use outflow_contract::{Error, Kind};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Body, Client, Method, Request, StatusCode, Url};

use super::super::Sent;
use super::super::faults::Faults;
use super::super::http::{host_of, metadata_client, read_to_end};
use super::answers;

/// How long the service at a machine's side that gives out credentials may take: it answers at once, or is not there.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);

/// Characters of a refusal's own words that are shown.
const WORDS_MAX: usize = 200;

tokio::task_local! {
    /// The upload under way in this task.
    pub(super) static EXCHANGE: Exchange;
}

/// What has been seen of an upload.
#[derive(Default)]
pub(super) struct Exchange {
    bucket: String,
    path: String,
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The upload was handed to the client.
    begun: bool,
    /// What became of it.
    sent: Option<Sent>,
    /// Why another request, for credentials, failed.
    other: Option<Error>,
}

impl Exchange {
    pub(super) fn new(bucket: &str, path: &str) -> Self {
        Self { bucket: bucket.to_owned(), path: path.to_owned(), seen: RefCell::default() }
    }

    /// What became of the upload, why a request for credentials failed, and whether the upload had begun.
    pub(super) fn ended(&self) -> (Option<Sent>, Option<Error>, bool) {
        let seen = self.seen.take();
        (seen.sent, seen.other, seen.begun)
    }

    fn answered(&self, response: &Response, redactor: &Redactor) {
        self.seen.borrow_mut().sent = Some(answers::judge(response, &self.bucket, &self.path, redactor));
    }

    /// A request for credentials was answered, and with none.
    fn refused(&self, response: &Response, host: &str, redactor: &Redactor) {
        // Secrets go first and the cut comes after, so that none is left in part.
        let clean = redactor.clean(&String::from_utf8_lossy(&response.body));
        let words: String = clean.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
        let status = response.status;
        let said = if words.is_empty() { String::new() } else { format!(": {words}") };
        let error = Error::new(Kind::Unauthorized, format!("{host} answered the request for them with the status {status}{said}"));
        self.seen.borrow_mut().other = Some(error);
    }

    fn failed(&self, upload: bool, failed: Sent) {
        let mut seen = self.seen.borrow_mut();
        match failed {
            failed if upload => seen.sent = Some(failed),
            Sent::NotSent(error) | Sent::Unknown(error) => seen.other = Some(error),
            Sent::Answer(_) => {}
        }
    }
}

/// Makes the library's clients out of the transport's.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) client: Client,
    pub(super) faults: Arc<Faults>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

/// The options of a store's client. By their timeout for connecting, which is nothing but a mark, the library's requests to a
/// machine's metadata service are known from all others: it sets one second there.
pub(super) fn usual_options(plain: bool) -> ClientOptions {
    ClientOptions::new().with_connect_timeout(Duration::from_secs(5)).with_allow_http(plain)
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let of = |options: &ClientOptions, key: ClientConfigKey| options.get_config_value(&key);
        let metadata = of(options, ClientConfigKey::ConnectTimeout) != of(&usual_options(false), ClientConfigKey::ConnectTimeout);
        let client = if metadata {
            let failed = |source: reqwest::Error| object_store::Error::Generic { store: "HTTP client", source: Box::new(source) };
            metadata_client(METADATA_TIMEOUT).map_err(failed)?
        } else {
            self.client.clone()
        };
        let plain = of(options, ClientConfigKey::AllowHttp).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        Ok(HttpClient::new(Service { client, faults: Arc::clone(&self.faults), metadata, plain }))
    }
}

struct Service {
    client: Client,
    faults: Arc<Faults>,
    /// It asks a machine's metadata service, and nothing else.
    metadata: bool,
    /// Requests may go without encryption.
    plain: bool,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let upload = !self.metadata && request.method() == Method::PUT;
        let host = request.uri().host().unwrap_or_default().to_owned();
        // Without anybody to tell what becomes of it, nothing leaves.
        told(|exchange| exchange.seen.borrow_mut().begun |= upload)?;
        match self.exchange(request).await {
            Ok(response) => {
                if upload {
                    told(|exchange| exchange.answered(&response, &self.faults.redactor))?;
                } else if response.status >= 400 {
                    told(|exchange| exchange.refused(&response, &host, &self.faults.redactor))?;
                }
                Ok(library_response(response))
            }
            Err(failed) => {
                told(|exchange| exchange.failed(upload, failed))?;
                Err(HttpError::new(HttpErrorKind::Unknown, io::Error::other("the request failed")))
            }
        }
    }
}

/// Tells whoever waits for the upload under way.
fn told<T>(tell: impl FnOnce(&Exchange) -> T) -> Result<T, HttpError> {
    EXCHANGE.try_with(tell).map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))
}

impl Service {
    async fn exchange(&self, request: HttpRequest) -> Result<Response, Sent> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string());
        let url = url.map_err(|error| Sent::NotSent(Error::invalid("the address of the object store is not valid").caused_by(error)))?;
        let host = host_of(&url);
        if url.scheme() != "https" && !self.plain {
            return Err(Sent::NotSent(
                Error::invalid(format!("{host} would get credentials without encryption"))
                    .remedy("an endpoint that begins with http:// is only used where the destination's settings name it so"),
            ));
        }
        let mut sending = Request::new(parts.method, url.clone());
        *sending.headers_mut() = parts.headers;
        *sending.body_mut() = Some(Body::wrap(body));
        match self.client.execute(sending).await {
            Ok(response) => read_to_end(response, &self.faults, &host).await,
            Err(error) => Err(self.faults.before_answer(error, &url)),
        }
    }
}

/// The same answer, as the library takes it.
fn library_response(response: Response) -> HttpResponse {
    let mut answer = HttpResponse::new(HttpResponseBody::from(response.body));
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}
