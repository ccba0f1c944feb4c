//! The rim: the only place that talks to a destination, over HTTP or by writing a file, on the local disk or in object storage.
//!
//! ```text
//! Request ─► Transport::send ─► Sent::Answer   read to its end, decompressed, within its limit
//!                            ├► Sent::NotSent  proven: no byte of the request left
//!                            └► Sent::Unknown  anything else: it may have taken effect
//! ```
//!
//! Invariants: one call sends a request once, never twice behind the caller's back; whatever cannot be proven is
//! `Unknown`; the whole exchange ends by `request_timeout`; no answer takes more memory than
//! `limits::RESPONSE_BYTES_MAX`; no error text holds a path, a query, a user or a password of a URL.
//! Not here: when to send (`pace`), whether to send again (`retry`), what an answer means (the destination).

mod faults;
mod file;
mod http;
mod object;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use outflow_contract::outcome::{Answer, FileRequest, Location, Request};
use outflow_contract::secret::{Redactor, Secret};
use outflow_contract::{Error, Result};
use outflow_ledger::journal::SendPermit;

/// How to reach a destination.
#[derive(Clone)]
pub struct TransportOptions {
    /// A PEM file of certificate authorities to trust besides the system's (`tls: {ca_file}`).
    pub ca_file: Option<PathBuf>,
    /// All HTTP requests go there instead, path and query kept.
    pub gateway: Option<String>,
    /// How long a request may take, from connecting to the last byte of its answer.
    pub request_timeout: Duration,
    /// The proxies of the environment.
    pub proxy_env: ProxyEnv,
    /// What the environment says of object storage.
    pub storage_env: StorageEnv,
    /// The `User-Agent` of every request that brings none.
    pub user_agent: String,
    /// How many connections to one host are kept open for the next request.
    pub concurrency: usize,
    /// Takes secrets out of error texts.
    pub redactor: Redactor,
    /// Takes every request, in place of the network and of the disks where files are written.
    pub carrier: Option<Arc<dyn Carrier>>,
}

/// The values of the environment's proxy variables. Empty ones count as absent.
#[derive(Clone, Default)]
pub struct ProxyEnv {
    /// `HTTPS_PROXY`: for `https://` requests.
    pub https: Option<String>,
    /// `HTTP_PROXY`: for `http://` requests.
    pub http: Option<String>,
    /// `NO_PROXY`: hosts that are reached without one.
    pub no: Option<String>,
}

/// The environment's variables that begin with `AWS_`, `AZURE_` or `GOOGLE_`, with their values: what a destination in object
/// storage takes where its settings say nothing.
#[derive(Clone, Debug, Default)]
pub struct StorageEnv(pub BTreeMap<String, Secret>);

/// What became of a request.
#[derive(Debug)]
pub enum Sent {
    /// It was answered.
    Answer(Answer),
    /// No byte of it left: the host was not found, refused the connection or the TLS handshake; no file became visible.
    NotSent(Error),
    /// It may have taken effect: it timed out, the connection broke, the answer was cut short, too long or not HTTP.
    Unknown(Error),
}

/// Carries requests: over the network and onto disks, or to a destination in memory.
pub trait Carrier: Send + Sync {
    /// Carries a request, once. Dropping the future gives up on the answer, not on what has already left.
    fn carry<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Sent>;
    /// Writes the file of a request and removes it again; any other request is carried as it is.
    fn rehearse<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Sent> {
        self.carry(request)
    }
}

/// Sends requests of one destination.
pub struct Transport {
    carrier: Arc<dyn Carrier>,
}

impl Transport {
    /// A transport for one destination. Fails if the certificate file, the gateway or a proxy is not usable; connects to nothing.
    pub fn new(options: TransportOptions) -> Result<Self> {
        let carrier = match &options.carrier {
            Some(carrier) => Arc::clone(carrier),
            None => Arc::new(Network::new(options)?),
        };
        Ok(Self { carrier })
    }

    /// Sends a request, once. Only a durable intent gives a permit (I1). Dropping the future gives up on the answer, not on what has already left.
    pub async fn send(&self, _permit: &SendPermit, request: &Request) -> Sent {
        self.send_unpermitted(request).await
    }

    /// Sends a request that changes nothing, and therefore needs no permit.
    pub(crate) async fn send_probe(&self, request: &Request) -> Sent {
        self.send_unpermitted(request).await
    }

    /// Writes the file of a request and removes it again; an HTTP request is sent as it is.
    pub(crate) async fn rehearse(&self, request: &Request) -> Sent {
        self.carrier.rehearse(request).await
    }

    async fn send_unpermitted(&self, request: &Request) -> Sent {
        self.carrier.carry(request).await
    }
}

/// The real one.
struct Network {
    http: http::Http,
    objects: object::Objects,
}

impl Network {
    fn new(options: TransportOptions) -> Result<Self> {
        let storage_env = options.storage_env.clone();
        let http = http::Http::new(options)?;
        let objects = object::Objects::new(&http, storage_env);
        Ok(Self { http, objects })
    }
}

impl Carrier for Network {
    fn carry<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Sent> {
        async move {
            match request {
                Request::Http(request) => self.http.send(request).await,
                Request::File(FileRequest { location: Location::Local(path), body }) => file::write(path, body).await,
                Request::File(FileRequest { location: Location::Object(object), body }) => self.objects.write(object, body).await,
            }
        }
        .boxed()
    }

    fn rehearse<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Sent> {
        async move {
            match request {
                Request::Http(request) => self.http.send(request).await,
                Request::File(FileRequest { location: Location::Local(path), body }) => file::rehearse(path, body).await,
                Request::File(FileRequest { location: Location::Object(object), body }) => self.objects.rehearse(object, body).await,
            }
        }
        .boxed()
    }
}
