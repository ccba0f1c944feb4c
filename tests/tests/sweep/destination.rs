//! The simulated destination: accounts with an oracle each, requests that can be lost, late, refused or cut off, and a log of all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use outflow_contract::outcome::{Answer, HttpRequest, HttpResponse, Request};
use outflow_contract::{Error, Kind};
use outflow_engine::deliver::transport::{Carrier, Sent};
use outflow_ledger::journal::{Frame, Frames, Intent};
use outflow_ledger::requests::request_key;
use outflow_tests::Oracle;
use serde_json::{Value, json};

use crate::fault::{Class, Fault};
use crate::machine::{MAPPINGS, REQUEST_LIFETIME};
use crate::world::{Process, World, panic_here};

/// A request takes so long.
const REQUEST_TIME: Duration = Duration::from_millis(20);

/// What one address of the destination holds, and how it answers.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) oracle: Oracle,
    /// 200 with one result for each record, and a request of which it has taken something before gets that answer again and does nothing;
    /// otherwise 422 for a request with a refused record, and keys are not looked at.
    pub(crate) careful: bool,
    answered: HashMap<String, Bytes>,
}

impl Account {
    pub(crate) fn new(careful: bool) -> Self {
        Self { oracle: Oracle::new("id", "op"), careful, answered: HashMap::new() }
    }
}

/// A request that takes effect later.
#[derive(Clone, Debug)]
pub(crate) struct Travelling {
    pub(crate) lands: Duration,
    path: String,
    key: String,
    payloads: Vec<Value>,
}

/// A request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// The process that sent it.
    pub(crate) process: u64,
    pub(crate) path: String,
    pub(crate) key: String,
    pub(crate) body: Bytes,
    pub(crate) payloads: Vec<Value>,
    /// Did it take effect at once?
    pub(crate) taken: bool,
    /// What the answer said of each record, if the process got one: taken or not.
    pub(crate) answered: Option<Vec<bool>>,
}

/// What becomes of a request.
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    acked: Vec<bool>,
}

impl Reply {
    fn of(status: u16, body: &Value, acked: Vec<bool>) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::from(body.to_string()), acked }
    }

    fn none(status: u16, records: usize) -> Self {
        Self::of(status, &json!({ "message": "no" }), vec![false; records])
    }
}

impl World {
    /// Lets everything take effect whose time has come.
    pub(crate) fn land(&mut self) {
        let now = self.time;
        let (mut landing, rest) = std::mem::take(&mut self.travelling).into_iter().partition::<Vec<_>, _>(|one| one.lands <= now);
        self.travelling = rest;
        landing.sort_by_key(|one| one.lands);
        for one in landing {
            self.take_in(&one.path, &one.key, &one.payloads);
        }
    }

    /// The usual: takes in what is not refused, and says so.
    fn take_in(&mut self, path: &str, key: &str, payloads: &[Value]) -> Reply {
        let refused = self.refused.clone();
        let Some(account) = self.accounts.get_mut(path) else { return Reply::none(404, payloads.len()) };
        let is_refused = |payload: &Value| account.oracle.id_of(payload).is_none_or(|id| refused.contains(&id));
        let acked: Vec<bool> = payloads.iter().map(|payload| !is_refused(payload)).collect();
        if !account.careful {
            if acked.contains(&false) {
                return Reply::none(422, payloads.len());
            }
            for payload in payloads {
                drop(account.oracle.apply(payload.clone()));
            }
            return Reply::of(200, &json!({}), acked);
        }
        if let Some(before) = account.answered.get(key) {
            let said: Value = serde_json::from_slice(before).unwrap_or_default();
            let acked = said["results"].as_array().into_iter().flatten().map(|result| result["status"] == "ok").collect();
            return Reply::of(200, &said, acked);
        }
        let mut results = Vec::new();
        for (i, (payload, acked)) in payloads.iter().zip(&acked).enumerate() {
            if *acked {
                drop(account.oracle.apply(payload.clone()));
            }
            results.push(json!({ "index": i, "status": if *acked { "ok" } else { "error" }, "code": "refused", "message": "refused" }));
        }
        let reply = Reply::of(200, &json!({ "results": results }), acked);
        // What it refused as a whole it does not remember: rule 23 of the state asks as much of a destination.
        if reply.acked.contains(&true) {
            account.answered.insert(key.to_owned(), reply.body.clone());
        }
        reply
    }

    /// I1: the plan and the intent of every request that arrives are durable; the intent names as many records, and its key is that of
    /// these bytes.
    fn has_durable_intent(&mut self, key: &str, body: &[u8], records: usize) {
        let durable = self.durable();
        let intents = |path: &str, journal: &Bytes| {
            let planned = durable.contains_key(&path.replace("/journal", "/plan.json"));
            let frames: Vec<Frame> = if planned { Frames::new(journal).collect() } else { Vec::new() };
            frames.into_iter().filter_map(|frame| if let Frame::Intent(intent) = frame { Some(intent) } else { None })
        };
        let journals = durable.iter().filter(|(path, _)| path.ends_with("/journal"));
        let intent = journals.flat_map(|(path, journal)| intents(path, journal)).filter(|intent| intent.key.to_string() == key).last();
        let is_of = |intent: &Intent| {
            let made = |mapping: &&str| request_key(mapping, intent.origin_epoch, intent.origin_sequence, body) == intent.key;
            intent.positions.iter().count() == records && MAPPINGS.iter().any(made)
        };
        match intent {
            None => self.violations.push(format!("I1: a request arrived without a durable plan and intent (key {key})")),
            Some(intent) if !is_of(&intent) => self.violations.push(format!("I1: a request is not what its intent says (key {key})")),
            Some(_) => {}
        }
    }

    /// Notes a request, does with it what `fault` says, and answers.
    fn exchange(&mut self, process: u64, request: &HttpRequest, fault: Option<Fault>) -> Option<Reply> {
        let path = request.url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
        let key = request.headers.iter().find(|(name, _)| name == "Idempotency-Key").map(|(_, key)| key.clone()).unwrap_or_default();
        let payloads: Vec<Value> = serde_json::from_slice(&request.body).unwrap_or_default();
        self.time += REQUEST_TIME;
        self.land();
        self.has_durable_intent(&key, &request.body, payloads.len());
        let records = payloads.len();
        let mut taken = false;
        let reply = match fault {
            Some(Fault::Refused) => Some(Reply::none(422, records)),
            Some(Fault::Unauthorized) => Some(Reply::none(401, records)),
            Some(Fault::Unavailable) => Some(Reply::none(503, records)),
            Some(Fault::Throttled | Fault::ThrottledForever) => {
                let wait = if fault == Some(Fault::Throttled) { "2" } else { "300" };
                let wait = ("retry-after".to_owned(), wait.to_owned());
                Some(Reply { headers: vec![wait], ..Reply::none(429, records) })
            }
            Some(Fault::NoAnswer) => None,
            Some(Fault::Travels | Fault::AllTravel | Fault::KillTravels | Fault::PowerTravels) => {
                let lands = self.time + REQUEST_LIFETIME.saturating_sub(Duration::from_millis(1));
                self.travelling.push(Travelling { lands, path: path.clone(), key: key.clone(), payloads: payloads.clone() });
                None
            }
            _ => {
                let reply = self.take_in(&path, &key, &payloads);
                taken = reply.acked.contains(&true);
                match fault {
                    None => Some(reply),
                    Some(Fault::UnavailableTaken) => Some(Reply::none(503, records)),
                    Some(_) => None,
                }
            }
        };
        let answered = reply.as_ref().map(|reply| reply.acked.clone());
        self.log.push(Exchange { process, path, key, body: request.body.clone(), payloads, taken, answered });
        reply
    }
}

/// The way to the destination, as one process has it.
pub(crate) struct SimCarrier(pub(crate) Process);

impl SimCarrier {
    /// What comes back; `None` if nothing ever will, because the process is gone.
    fn carried(&self, request: &HttpRequest) -> Option<Sent> {
        let mut world = self.0.world().ok()?;
        let fault = world.step(Class::Request, &format!("request {}", request.url));
        match fault {
            Some(Fault::Panic) => {
                drop(world);
                panic_here()
            }
            Some(fault @ (Fault::KillBefore | Fault::PowerBefore)) => {
                self.0.die(&mut world, fault);
                return None;
            }
            Some(Fault::NotSent | Fault::Unreachable) => {
                return Some(Sent::NotSent(Error::new(Kind::Io, "connection refused")));
            }
            _ => {}
        }
        let process = world.process;
        let reply = world.exchange(process, request, fault);
        if let Some(fault) = fault.filter(|fault| fault.is_death()) {
            self.0.die(&mut world, fault);
            return None;
        }
        let Some(Reply { status, headers, body, .. }) = reply else {
            // As long as a client waits for an answer.
            world.time += Duration::from_secs(1);
            return Some(Sent::Unknown(Error::new(Kind::Io, "the connection was closed before an answer")));
        };
        Some(Sent::Answer(Answer::Http(HttpResponse { status, headers, body })))
    }
}

impl Carrier for SimCarrier {
    fn carry<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Sent> {
        async move {
            // Others that are ready go on while this one is on its way.
            tokio::task::yield_now().await;
            let Request::Http(request) = request else { return Sent::NotSent(Error::bug("the sweep sends over HTTP only")) };
            match self.carried(request) {
                Some(sent) => sent,
                None => std::future::pending().await,
            }
        }
        .boxed()
    }
}

/// The destination's address for one of its accounts.
pub(crate) fn account(world: &World, path: &str) -> Arc<std::collections::BTreeMap<String, Value>> {
    Arc::new(world.accounts.get(path).map(|account| account.oracle.records().clone()).unwrap_or_default())
}
