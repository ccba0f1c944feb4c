//! A loopback webhook server: HTTP/1.1 with keep-alive on a thread of its own, an [`Oracle`] behind it, and a script
//! of misbehaviour in front.
//!
//! ```text
//! request ─► next Act of the script, if any ─► 401? ─► broken ids? ─► key seen? ─► refused ids? ─► Oracle ─► answer
//! ```
//!
//! Once it issues tokens, `POST /token` is answered with one, and everything else wants the last one.

mod body;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use crate::Oracle;

/// What a server does with one request instead of the usual.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers with this status and nothing in it; takes nothing in.
    Status(u16),
    /// Answers 429 with this `Retry-After`, if one is given; takes nothing in.
    Throttle(Option<String>),
    /// Answers with this status and these bytes; takes nothing in.
    Answer(u16, Bytes),
    /// Answers with this status and nothing in it, this much later; takes nothing in.
    Late(u16, Duration),
    /// Closes the connection without an answer; takes nothing in.
    DropBefore,
    /// Takes the records in, and closes the connection without an answer.
    DropAfter,
    /// Closes the connection without an answer, and takes the records in this much later.
    DropThenApply(Duration),
    /// Takes the records in at once, and answers this much later.
    Hold(Duration),
    /// The usual: a place in the script that is skipped.
    Usual,
}

/// How refused records are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 422 for a request that has one of them; none of its records is taken in.
    WholeRequest,
    /// 200 with one result for each record: `{"results": [{"index", "id", "status": "ok" | "error", "code", "message"}]}`.
    PerRecord,
}

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The member that holds a payload's identifier.
    pub id: String,
    /// The member that holds its operation.
    pub op: String,
    /// How refused records are answered. With `PerRecord` every 200 has results.
    pub refusal: Refusal,
    /// Take a request whose `Idempotency-Key` was answered before as done: the same answer, nothing taken in.
    pub deduplicate: bool,
    /// Only count: bodies are neither kept nor parsed, no record is kept, and nothing that is scripted or refused applies.
    pub counting: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { id: "id".to_owned(), op: "op".to_owned(), refusal: Refusal::WholeRequest, deduplicate: false, counting: false }
    }
}

/// A request that came in, whatever became of it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its place in the order of arrival, from 0.
    pub number: usize,
    /// `POST`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, decompressed.
    pub body: Bytes,
    /// The payloads in it; empty if it is not JSON.
    pub payloads: Vec<Value>,
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// The status that it was answered with; `None` if it was not answered.
    pub status: Option<u16>,
    /// Was anything of it taken in by the time of the answer?
    pub applied: bool,
}

impl Received {
    /// The first header of that name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Requests whose body was read to its end.
    pub requests: u64,
    /// Payloads in them.
    pub records: u64,
    /// Bytes of their bodies, as they came over the wire.
    pub bytes: u64,
}

struct State {
    options: ServerOptions,
    oracle: Oracle,
    requests: Vec<Received>,
    arrived: Arrived,
    script: VecDeque<Act>,
    refused: BTreeSet<String>,
    broken: BTreeSet<String>,
    unauthorized: bool,
    tokens: Option<Tokens>,
    /// While it is true, nothing is answered.
    held: watch::Sender<bool>,
    /// The answers by idempotency key.
    answered: HashMap<String, Reply>,
}

/// The tokens of a server that issues some.
struct Tokens {
    /// The client's secret.
    secret: String,
    issued: u32,
    /// The last one is refused.
    revoked: bool,
}

impl Tokens {
    fn last(&self) -> String {
        format!("issued-token-{}", self.issued)
    }
}

/// The running server. It stops when this is dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Server {
    /// A server that takes everything in.
    pub fn start() -> Self {
        Self::with(ServerOptions::default())
    }

    /// A server that only counts, as fast as it can: for measurements.
    pub fn counting() -> Self {
        Self::with(ServerOptions { counting: true, ..ServerOptions::default() })
    }

    /// A server on a free port.
    pub fn with(options: ServerOptions) -> Self {
        let state = State {
            oracle: Oracle::new(&options.id, &options.op),
            options,
            requests: Vec::new(),
            arrived: Arrived::default(),
            script: VecDeque::new(),
            refused: BTreeSet::new(),
            broken: BTreeSet::new(),
            unauthorized: false,
            tokens: None,
            held: watch::Sender::new(false),
            answered: HashMap::new(),
        };
        let mut server = Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), state: Arc::new(Mutex::new(state)), running: None };
        server.resume();
        server
    }

    /// Stops listening and cuts every connection: what is sent from now on is refused. The records stay.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            drop(thread.join());
        }
    }

    /// Listens again, at the same address.
    pub fn resume(&mut self) {
        if self.running.is_some() {
            return;
        }
        let listener = TcpListener::bind(self.address).expect("a port on loopback");
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let state = Arc::clone(&self.state);
        let thread = std::thread::Builder::new().name("server".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(accept(listener, state, stopped));
        });
        self.running = Some((stop, thread.unwrap()));
    }

    /// The URL of a path that starts with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Does these, in order, with the next requests instead of the usual.
    pub fn script(&self, acts: impl IntoIterator<Item = Act>) {
        self.state().script.extend(acts);
    }

    /// Does this with the next `times` requests instead of the usual.
    pub fn next(&self, times: usize, act: &Act) {
        self.script(std::iter::repeat_n(act.clone(), times));
    }

    /// Refuses records with these identifiers from now on, until [`Self::accept_all`].
    pub fn refuse<'a>(&self, ids: impl IntoIterator<Item = &'a str>) {
        self.state().refused.extend(ids.into_iter().map(str::to_owned));
    }

    /// Refuses nothing any more, forgets what is left of the script, and takes every credential.
    pub fn accept_all(&self) {
        let mut state = self.state();
        state.refused.clear();
        state.broken.clear();
        state.script.clear();
        state.unauthorized = false;
    }

    /// Answers everything with 401, until [`Self::accept_all`].
    pub fn deny(&self) {
        self.state().unauthorized = true;
    }

    /// Answers requests that carry one of these records with 500 from now on, until [`Self::accept_all`].
    pub fn break_on<'a>(&self, ids: impl IntoIterator<Item = &'a str>) {
        self.state().broken.extend(ids.into_iter().map(str::to_owned));
    }

    /// Issues access tokens at `/token` to whoever knows the secret, and wants the last one with every other request.
    pub fn issue_tokens(&self, secret: &str) {
        self.state().tokens = Some(Tokens { secret: secret.to_owned(), issued: 0, revoked: false });
    }

    /// Refuses the last token from now on: another one has to be asked for.
    pub fn revoke_token(&self) {
        self.state().tokens.iter_mut().for_each(|tokens| tokens.revoked = true);
    }

    /// Takes requests in as ever, but answers none, until [`Self::release`].
    pub fn hold(&self) {
        self.state().held.send_replace(true);
    }

    /// Answers all that [`Self::hold`] has kept waiting.
    pub fn release(&self) {
        self.state().held.send_replace(false);
    }

    /// What the destination holds, by identifier.
    pub fn records(&self) -> BTreeMap<String, Value> {
        self.state().oracle.records().clone()
    }

    /// Upserts and deletes taken in, repeated ones included.
    pub fn applied(&self) -> (u64, u64) {
        let state = self.state();
        (state.oracle.upserts(), state.oracle.deletes())
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Received> {
        self.state().requests.clone()
    }

    /// The requests since this was last called.
    pub fn take_requests(&self) -> Vec<Received> {
        std::mem::take(&mut self.state().requests)
    }

    /// What has arrived so far.
    pub fn arrived(&self) -> Arrived {
        self.state().arrived
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>, mut stopped: oneshot::Receiver<()>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let stream = tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => accepted.unwrap().0,
        };
        stream.set_nodelay(true).unwrap();
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let state = Arc::clone(&state);
                async move { answer(request, &state).await }
            });
            // A client that goes away, and a request that is dropped on purpose, end here.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

/// The connection is closed without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

/// One exchange, decided: when to take the records in, when to answer, and with what.
struct Plan {
    /// What is taken in, and how much later.
    taken: Vec<Value>,
    apply_after: Duration,
    /// The answer, and how much later; without one the connection is closed.
    reply: Option<Reply>,
    reply_after: Duration,
}

impl Plan {
    fn refuse(reply: Option<Reply>) -> Self {
        Self { taken: Vec::new(), apply_after: Duration::ZERO, reply, reply_after: Duration::ZERO }
    }
}

#[derive(Clone)]
struct Reply {
    status: u16,
    retry_after: Option<String>,
    body: Bytes,
}

impl Reply {
    fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, retry_after: None, body: body.into() }
    }
}

async fn answer(request: Request<Incoming>, state: &Arc<Mutex<State>>) -> Result<Response<Full<Bytes>>, Dropped> {
    if lock(state).options.counting {
        return count(request.into_body(), state).await;
    }
    let (head, body) = request.into_parts();
    let wire = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let (number, plan) = {
        // One lock for deciding and for taking in: requests are applied in the order of their numbers.
        let mut state = lock(state);
        let (number, mut plan) = decide(&mut state, head.method.to_string(), path, headers, &wire);
        if plan.apply_after.is_zero() {
            take_in(&mut state, std::mem::take(&mut plan.taken));
        }
        (number, plan)
    };
    if !plan.taken.is_empty() {
        let (state, taken) = (Arc::clone(state), plan.taken);
        tokio::spawn(async move {
            tokio::time::sleep(plan.apply_after).await;
            take_in(&mut lock(&state), taken);
        });
    }
    if !plan.reply_after.is_zero() {
        tokio::time::sleep(plan.reply_after).await;
    }
    let mut held = lock(state).held.subscribe();
    // The sender is in the state, which outlives this.
    drop(held.wait_for(|held| !held).await);
    let reply = plan.reply.ok_or(Dropped)?;
    lock(state).requests.iter_mut().filter(|received| received.number == number).for_each(|r| r.status = Some(reply.status));
    let mut response = Response::builder().status(reply.status).header("content-type", "application/json");
    if let Some(after) = reply.retry_after {
        response = response.header("retry-after", after);
    }
    response.body(Full::new(reply.body)).map_err(|_| Dropped)
}

/// Counts without keeping: the body is looked at frame by frame.
async fn count(mut body: Incoming, state: &Mutex<State>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (mut counter, mut bytes) = (body::Counter::default(), 0);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| Dropped)?.into_data() {
            counter.push(&data);
            bytes += data.len() as u64;
        }
    }
    let mut state = lock(state);
    state.arrived.requests += 1;
    state.arrived.records += counter.records();
    state.arrived.bytes += bytes;
    Ok(Response::new(Full::new(Bytes::new())))
}

/// Notes the request, and decides what to do with it.
fn decide(state: &mut State, method: String, path: String, headers: Vec<(String, String)>, wire: &Bytes) -> (usize, Plan) {
    let number = usize::try_from(state.arrived.requests).unwrap();
    let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    let key = find("idempotency-key");
    let body = body::decompress(wire, find("content-encoding").as_deref());
    let parsed = body::payloads(&body);
    let payloads = parsed.clone().unwrap_or_default();
    state.arrived.requests += 1;
    state.arrived.records += payloads.len() as u64;
    state.arrived.bytes += wire.len() as u64;
    let issued = issue(state, &path, &body);
    let act = if issued.is_some() { Act::Usual } else { state.script.pop_front().unwrap_or(Act::Usual) };
    let plan = match act {
        _ if issued.is_some() => Plan::refuse(issued),
        Act::Status(status) => Plan::refuse(Some(Reply::new(status, ""))),
        Act::Answer(status, body) => Plan::refuse(Some(Reply::new(status, body))),
        Act::Late(status, reply_after) => Plan { reply_after, ..Plan::refuse(Some(Reply::new(status, ""))) },
        Act::Throttle(retry_after) => Plan::refuse(Some(Reply { retry_after, ..Reply::new(429, "") })),
        Act::DropBefore => Plan::refuse(None),
        act => {
            let (taken, reply) = usual(state, parsed, key.as_deref(), find("authorization").as_deref());
            if let Some(key) = key.as_ref().filter(|_| state.options.deduplicate && reply.status == 200) {
                // Kept before it is sent: whoever did not get it asks again under the same key.
                state.answered.insert(key.clone(), reply.clone());
            }
            let usual = Plan { taken, reply: Some(reply), ..Plan::refuse(None) };
            match act {
                Act::DropAfter => Plan { reply: None, ..usual },
                Act::DropThenApply(apply_after) => Plan { reply: None, apply_after, ..usual },
                Act::Hold(reply_after) => Plan { reply_after, ..usual },
                _ => usual,
            }
        }
    };
    let applied = plan.apply_after.is_zero() && !plan.taken.is_empty();
    state.requests.push(Received { number, method, path, headers, body, payloads, idempotency_key: key, status: None, applied });
    (number, plan)
}

/// The answer to a request for a token, where tokens are issued.
fn issue(state: &mut State, path: &str, body: &Bytes) -> Option<Reply> {
    let tokens = state.tokens.as_mut().filter(|_| path == "/token")?;
    let secret = format!("client_secret={}", tokens.secret);
    if !String::from_utf8_lossy(body).split('&').any(|parameter| parameter == secret) {
        return Some(Reply::new(401, r#"{"error":"invalid_client","error_description":"unknown client"}"#));
    }
    (tokens.issued, tokens.revoked) = (tokens.issued + 1, false);
    Some(Reply::new(200, json!({ "access_token": tokens.last(), "token_type": "Bearer", "expires_in": 3600 }).to_string()))
}

/// The usual: which payloads are taken in, and the answer.
fn usual(state: &State, parsed: Result<Vec<Value>, String>, key: Option<&str>, authorization: Option<&str>) -> (Vec<Value>, Reply) {
    let known = |tokens: &Tokens| !tokens.revoked && authorization == Some(format!("Bearer {}", tokens.last()).as_str());
    if state.unauthorized || state.tokens.as_ref().is_some_and(|tokens| !known(tokens)) {
        return (Vec::new(), Reply::new(401, r#"{"message":"unknown credentials"}"#));
    }
    if let Some(reply) = key.and_then(|key| state.answered.get(key)) {
        return (Vec::new(), reply.clone());
    }
    let payloads = match parsed {
        Ok(payloads) => payloads,
        Err(message) => return (Vec::new(), Reply::new(400, json!({ "message": message }).to_string())),
    };
    if payloads.iter().filter_map(|payload| state.oracle.id_of(payload)).any(|id| state.broken.contains(&id)) {
        return (Vec::new(), Reply::new(500, "oops"));
    }
    let why = |payload: &Value| match state.oracle.id_of(payload) {
        None => Some(("no_id", "the record has no identifier".to_owned())),
        Some(id) if state.refused.contains(&id) => Some(("refused", format!("the record {id} is refused"))),
        Some(_) => None,
    };
    if state.options.refusal == Refusal::WholeRequest {
        return match payloads.iter().find_map(why) {
            Some((code, message)) => (Vec::new(), Reply::new(422, json!({ "code": code, "message": message }).to_string())),
            None => (payloads, Reply::new(200, "{}")),
        };
    }
    let result = |(index, payload): (usize, &Value)| {
        let id = state.oracle.id_of(payload);
        match why(payload) {
            None => json!({ "index": index, "id": id, "status": "ok" }),
            Some((code, message)) => json!({ "index": index, "id": id, "status": "error", "code": code, "message": message }),
        }
    };
    let results: Vec<Value> = payloads.iter().enumerate().map(result).collect();
    let taken = payloads.iter().filter(|payload| why(payload).is_none()).cloned().collect();
    (taken, Reply::new(200, json!({ "results": results }).to_string()))
}

fn take_in(state: &mut State, payloads: Vec<Value>) {
    for payload in payloads {
        // A payload without an identifier reaches this only past the usual checks, and is of no account.
        drop(state.oracle.apply(payload));
    }
}

#[cfg(test)]
mod tests;
