//! A loopback server that takes `POST /v1/batch` as Segment's HTTP Tracking API does, and remembers what came of it.
//!
//! ```text
//! request ─► next Act of the script, if any ─► 401? ─► 400 over a limit? ─► each message: dropped? had before? ─► 200
//! ```
//!
//! A message without a user, or a track without an event, is thrown away in silence, as the real one does; a message whose `messageId`
//! came before is passed over. What a correct client never makes it do is kept apart: [`Held::dropped`] and [`Held::conflicts`].

use std::collections::{BTreeMap, HashMap, VecDeque};
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
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::Act;

/// Bytes of a request.
pub const REQUEST_BYTES_MAX: usize = 500_000;
/// Bytes of a message.
pub const MESSAGE_BYTES_MAX: usize = 32 << 10;
/// Messages of a request.
pub const MESSAGES_MAX: usize = 2500;

/// A request that came in, whatever became of it.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Path and query.
    pub path: String,
    /// The bytes of its body.
    pub bytes: usize,
    /// Its messages; none if it could not be read.
    pub messages: Vec<Value>,
    /// The status that it was answered with; `None` if it was not.
    pub status: Option<u16>,
}

/// What the workspace holds.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The last traits of each user.
    pub traits: BTreeMap<String, Value>,
    /// Messages that were no identify, in the order in which they were taken in.
    pub events: Vec<Value>,
    /// Messages taken in.
    pub applied: usize,
    /// Messages passed over, for they had come before.
    pub repeated: usize,
    /// Messages thrown away in silence.
    pub dropped: Vec<Value>,
    /// Ids that came again with other content.
    pub conflicts: Vec<String>,
    /// Ids under which a content came that had come under another one.
    pub doubled: Vec<String>,
    /// The content that came under each id.
    by_id: HashMap<String, Value>,
    /// The id under which each content came first.
    by_content: HashMap<String, String>,
}

impl Held {
    fn take_in(&mut self, message: Value) {
        let text = |name: &str| message.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let kind = text("type").unwrap_or_default().to_owned();
        let who = text("userId").or(text("anonymousId")).map(str::to_owned);
        let complete = kind != "track" || text("event").is_some();
        let (Some(id), Some(who), true) = (text("messageId").map(str::to_owned), who, complete) else {
            self.dropped.push(message);
            return;
        };
        if let Some(before) = self.by_id.get(&id) {
            self.repeated += 1;
            if *before != message {
                self.conflicts.push(id);
            }
            return;
        }
        let mut content = message.clone();
        content.as_object_mut().map(|content| content.remove("messageId"));
        if self.by_content.insert(content.to_string(), id.clone()).is_some() {
            self.doubled.push(id.clone());
        }
        self.by_id.insert(id, message.clone());
        self.applied += 1;
        if kind == "identify" {
            self.traits.insert(who, message["traits"].clone());
        } else {
            self.events.push(message);
        }
    }
}

struct State {
    /// What the header `Authorization` has to be.
    credentials: String,
    script: VecDeque<Act>,
    batches: Vec<Batch>,
    held: Held,
}

/// The running server. It stops when this is dropped.
pub struct SegmentServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl SegmentServer {
    /// A server on a free port that wants these credentials: the write key and a colon, in base64.
    pub fn start(credentials: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port on loopback");
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            State { credentials: format!("Basic {credentials}"), script: VecDeque::new(), batches: Vec::new(), held: Held::default() };
        let state = Arc::new(Mutex::new(state));
        let (stop, stopped) = oneshot::channel();
        let for_thread = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("segment".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(accept(listener, for_thread, stopped));
        });
        Self { address, state, running: Some((stop, thread.unwrap())) }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does these, in order, with the next requests instead of the usual.
    pub fn script(&self, acts: impl IntoIterator<Item = Act>) {
        self.state().script.extend(acts);
    }

    /// Forgets what is left of the script.
    pub fn behave(&self) {
        self.state().script.clear();
    }

    /// What it holds.
    pub fn held(&self) -> Held {
        self.state().held.clone()
    }

    /// How many requests came in.
    pub fn arrived(&self) -> usize {
        self.state().batches.len()
    }

    /// The requests since this was last called.
    pub fn take_batches(&self) -> Vec<Batch> {
        std::mem::take(&mut self.state().batches)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for SegmentServer {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            drop(thread.join());
        }
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

type Answer = Result<Response<Full<Bytes>>, std::io::Error>;

fn cut() -> std::io::Error {
    std::io::Error::other("cut on purpose")
}

async fn answer(request: Request<Incoming>, state: &Mutex<State>) -> Answer {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| cut())?.to_bytes();
    let path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let credentials = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (act, status, number) = {
        let mut state = lock(state);
        let act = state.script.pop_front().unwrap_or(Act::Usual);
        let messages = read(&body);
        let status = match &act {
            Act::Status(status) | Act::Answer(status, _) => *status,
            Act::Throttle(_) => 429,
            Act::DropBefore => 0,
            _ => usual(&mut state, &path, &credentials, body.len(), messages.as_ref()),
        };
        let messages = messages.map(|messages| messages.into_iter().map(|(_, message)| message).collect()).unwrap_or_default();
        state.batches.push(Batch { path, bytes: body.len(), messages, status: None });
        (act, status, state.batches.len() - 1)
    };
    let mut response = Response::builder().status(status.max(100)).header("content-type", "application/json");
    let mut said = if status == 200 { Bytes::from_static(b"{\n  \"success\": true\n}") } else { Bytes::new() };
    match act {
        Act::DropBefore | Act::DropAfter | Act::DropThenApply(_) => return Err(cut()),
        Act::Throttle(Some(after)) => response = response.header("retry-after", after),
        Act::Answer(_, body) => said = body,
        Act::Hold(wait) => hold(wait).await,
        _ => {}
    }
    if let Some(batch) = lock(state).batches.get_mut(number) {
        batch.status = Some(status);
    }
    response.body(Full::new(said)).map_err(|_| cut())
}

async fn hold(wait: Duration) {
    tokio::time::sleep(wait).await;
}

/// The messages of a body, each with its size.
fn read(body: &[u8]) -> Option<Vec<(usize, Value)>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body<'a> {
        #[serde(borrow)]
        batch: Vec<&'a RawValue>,
    }
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    body.batch.into_iter().map(|message| Some((message.get().len(), serde_json::from_str(message.get()).ok()?))).collect()
}

fn usual(state: &mut State, path: &str, credentials: &str, bytes: usize, messages: Option<&Vec<(usize, Value)>>) -> u16 {
    if path != "/v1/batch" {
        return 404;
    }
    if credentials != state.credentials {
        return 401;
    }
    let Some(messages) = messages else { return 400 };
    let too_large = messages.iter().any(|(bytes, _)| *bytes > MESSAGE_BYTES_MAX);
    if bytes > REQUEST_BYTES_MAX || messages.len() > MESSAGES_MAX || too_large {
        return 400;
    }
    for (_, message) in messages {
        state.held.take_in(message.clone());
    }
    200
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_taken_in_once_and_one_without_a_user_never() {
        let mut held = Held::default();
        let identify = |id: &str, name: &str| json!({"type": "identify", "messageId": id, "userId": "u", "traits": {"name": name}});
        for message in [identify("1", "A"), identify("2", "B"), identify("1", "A"), identify("2", "C")] {
            held.take_in(message);
        }
        held.take_in(json!({"type": "identify", "messageId": "3", "traits": {}}));
        held.take_in(json!({"type": "track", "messageId": "4", "userId": "u"}));
        assert_eq!(held.traits["u"], json!({"name": "B"}));
        assert_eq!((held.applied, held.repeated, held.dropped.len()), (2, 2, 2));
        assert_eq!(held.conflicts, ["2"]);
    }

    #[test]
    fn the_limits_are_kept_to_the_byte() {
        let state = || State { credentials: "Basic x".to_owned(), script: VecDeque::new(), batches: vec![], held: Held::default() };
        let status = |n: usize, size: usize, bytes: usize| {
            let messages = vec![(size, json!({})); n];
            usual(&mut state(), "/v1/batch", "Basic x", bytes, Some(&messages))
        };
        assert_eq!(status(MESSAGES_MAX, MESSAGE_BYTES_MAX, REQUEST_BYTES_MAX), 200);
        assert_eq!(status(MESSAGES_MAX + 1, 1, 1), 400);
        assert_eq!(status(1, MESSAGE_BYTES_MAX + 1, 1), 400);
        assert_eq!(status(1, 1, REQUEST_BYTES_MAX + 1), 400);
        assert_eq!(usual(&mut state(), "/v1/batch", "Basic y", 1, None), 401);
        assert_eq!(usual(&mut state(), "/v1/batch", "Basic x", 1, None), 400);
        assert!(read(br#"{"batch":[{"a": 1}],"more":1}"#).is_none());
        assert_eq!(read(br#"{"batch":[{"a": 1}]}"#).unwrap()[0].0, 8);
    }
}
