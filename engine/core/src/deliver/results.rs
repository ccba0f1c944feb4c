//! What became of the records of a sync: counted for the report, written into the journal for the state.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outflow_contract::limits::{SAMPLE_BYTES_MAX, SAMPLES_PER_REASON};
use outflow_contract::outcome::{Outcome, Rejection, Request};
use outflow_contract::report::{FailureGroup, FailureSample};
use outflow_contract::{Counts, Op, Result};
use outflow_ledger::decide::conclude;
use outflow_ledger::journal::{Answered, Answers, Outcome as JournalOutcome, Refused};

use super::Delivery;
use super::batch::Draft;
use super::payloads::Failed;

/// After so many requests in a row that were given up, the destination counts as out of order, and the rest waits.
const GIVEN_UP_MAX: u32 = 3;

/// The results so far. Shared by all requests of a sync.
pub struct Results {
    delivery: Arc<Delivery>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    delivered: Counts,
    requests: u64,
    retried: u64,
    bytes: u64,
    failures: BTreeMap<String, FailureGroup>,
    /// What to do about failures of a code, where a failure said so itself.
    remedies: BTreeMap<String, String>,
    /// Some attempt was not answered, or by a gateway only: it may still take effect.
    unread: bool,
    given_up: u32,
    last_failure: Option<Rejection>,
    /// Positions that requests of an earlier run carried again.
    again: HashSet<u32>,
    journal_error: Option<outflow_contract::Error>,
}

impl Results {
    pub(super) fn new(delivery: Arc<Delivery>) -> Self {
        Self { delivery, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acknowledged records, by operation.
    pub fn delivered(&self) -> Counts {
        self.inner().delivered
    }

    /// Requests that left, again ones included; those again; bytes of their bodies.
    pub fn traffic(&self) -> (u64, u64, u64) {
        let inner = self.inner();
        (inner.requests, inner.retried, inner.bytes)
    }

    /// May a request of this sync still take effect?
    pub fn had_unread(&self) -> bool {
        self.inner().unread
    }

    /// Failed records by reason, most first.
    pub fn failures(&self) -> Vec<FailureGroup> {
        let mut groups: Vec<FailureGroup> = self.inner().failures.values().cloned().collect();
        groups.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.code.cmp(&b.code)));
        groups
    }

    /// The group of records that were left when the sync stopped.
    pub fn not_sent(&self, records: u64) -> FailureGroup {
        let message = "not sent, because the sync had stopped".to_owned();
        FailureGroup { code: "not_attempted".to_owned(), message, records, action: advice("not_attempted").to_owned(), samples: Vec::new() }
    }

    /// Why nothing more was sent, if that is so.
    pub fn stopped_because(&self) -> Option<Rejection> {
        if self.delivery.is_stopped() { self.inner().last_failure.clone() } else { None }
    }

    /// What to do about failures of that code, if one of them said so itself.
    pub fn remedy(&self, code: &str) -> Option<String> {
        let known = || {
            (matches!(code, "redirect" | "http_404" | "http_405" | "http_413") || code.starts_with("http_5"))
                .then(|| advice(code).to_owned())
        };
        self.inner().remedies.get(code).cloned().or_else(known)
    }

    /// A failure to write the journal that nobody could be told at the time.
    pub fn take_error(&self) -> Option<outflow_contract::Error> {
        self.inner().journal_error.take()
    }

    pub(super) fn answered(&self) -> HashSet<u32> {
        self.inner().again.clone()
    }

    pub(super) fn attempt_again(&self, draft: &Draft) {
        self.inner().again.extend(&draft.positions);
    }

    pub(super) fn count_request(&self, request: &Request, attempt: u32) {
        let mut inner = self.inner();
        inner.requests += 1;
        inner.retried += u64::from(attempt > 1);
        inner.bytes += request.body().len() as u64;
    }

    pub(super) fn note_remedy(&self, code: &str, error: &outflow_contract::Error) {
        if let Some(remedy) = error.remedy_text() {
            self.inner().remedies.insert(code.to_owned(), self.delivery.redactor.clean(remedy));
        }
    }

    pub(super) fn note_unread(&self) {
        self.inner().unread = true;
    }

    /// The end of one request: too many in a row that were given up stop the sync.
    pub(super) fn ended(&self, given_up: bool, why: &Rejection) {
        let mut inner = self.inner();
        if why.code == "unauthorized" {
            inner.last_failure = Some(why.clone());
        }
        inner.given_up = if given_up { inner.given_up + 1 } else { 0 };
        if given_up {
            inner.last_failure = Some(why.clone());
        }
        if inner.given_up >= GIVEN_UP_MAX {
            self.delivery.stop();
        }
    }

    /// Records that were refused before any request.
    pub(super) fn refuse_locally(&self, failed: Vec<Failed>) {
        let done = failed.len() as u64;
        for Failed { position, op, id, why } in failed {
            let sample = FailureSample { id, op: op.unwrap_or(Op::Added), payload: String::new() };
            self.refuse(&[position], &why);
            self.group(&why, sample);
        }
        self.delivery.progress.fetch_add(done, Ordering::Relaxed);
    }

    /// Records of a request that could not be built.
    pub(super) fn refuse_all(&self, draft: &Draft, why: &Rejection) {
        self.refuse(&draft.positions, why);
        self.group_all(draft, why);
    }

    fn refuse(&self, positions: &[u32], why: &Rejection) {
        let message = self.delivery.redactor.clean(&why.message);
        let refused = Refused { positions: positions.iter().copied().collect(), code: why.code.clone(), message };
        if let Err(error) = self.delivery.journal.refused(refused) {
            self.inner().journal_error.get_or_insert(error);
        }
    }

    /// No attempt was processed: it is proven.
    pub(super) fn all_not_processed(&self, sequence: u32, draft: &Draft, why: &Rejection) -> Result<()> {
        self.delivery.journal.outcome(JournalOutcome { sequence, result: Answers::All(Answered::NotProcessed) })?;
        self.not_processed(draft, why);
        Ok(())
    }

    /// The same, where the outcome is in the journal already.
    pub(super) fn not_processed(&self, draft: &Draft, why: &Rejection) {
        self.group_all(draft, why);
    }

    /// It is not known what became of them: there is no outcome to write.
    pub(super) fn unread(&self, draft: &Draft, why: &Rejection) {
        self.group_all(draft, why);
    }

    /// An answer was read. `again`: records that go out once more, in a new request.
    pub(super) fn answered_with(&self, sequence: u32, draft: &Draft, outcomes: &[Outcome], again: &[usize]) -> Result<()> {
        let redactor = &self.delivery.redactor;
        let answered = outcomes.iter().map(|outcome| match outcome {
            Outcome::Acked => Answered::Acked,
            Outcome::Rejected(why) => Answered::Refused { code: why.code.clone(), message: redactor.clean(&why.message) },
            Outcome::Throttled { .. } => Answered::NotProcessed,
            Outcome::Retry(_) | Outcome::Unknown { .. } => Answered::Unknown,
        });
        if let Some(result) = conclude(answered.collect(), false) {
            self.delivery.journal.outcome(JournalOutcome { sequence, result })?;
        }
        let mut again = again.iter().copied().peekable();
        for (i, outcome) in outcomes.iter().enumerate() {
            if again.next_if_eq(&i).is_some() {
                continue;
            }
            let why = match outcome {
                Outcome::Acked => {
                    self.inner().delivered.add(draft.records.ops[i], 1);
                    continue;
                }
                Outcome::Rejected(why) | Outcome::Retry(why) => why.clone(),
                Outcome::Throttled { .. } => rejection("throttled", "the destination asked to try later, again and again"),
                Outcome::Unknown { reason } => rejection("unclear_answer", reason),
            };
            self.group(&why, self.sample(draft, i));
        }
        Ok(())
    }

    fn group_all(&self, draft: &Draft, why: &Rejection) {
        for i in 0..draft.positions.len() {
            self.group(why, self.sample(draft, i));
        }
        self.delivery.progress.fetch_add(draft.positions.len() as u64, Ordering::Relaxed);
    }

    fn sample(&self, draft: &Draft, i: usize) -> FailureSample {
        let payload = draft.records.payload(i);
        let cut = payload.len().min(SAMPLE_BYTES_MAX);
        let payload = self.delivery.redactor.clean(&String::from_utf8_lossy(&payload[..cut]));
        FailureSample { id: draft.records.ids[i].clone(), op: draft.records.ops[i], payload }
    }

    fn group(&self, why: &Rejection, sample: FailureSample) {
        let message = self.delivery.redactor.clean(&why.message);
        let mut inner = self.inner();
        let action = inner.remedies.get(&why.code).cloned();
        let group = inner.failures.entry(why.code.clone()).or_insert_with(|| FailureGroup {
            code: why.code.clone(),
            message,
            records: 0,
            action: action.unwrap_or_else(|| advice(&why.code).to_owned()),
            samples: Vec::new(),
        });
        group.records += 1;
        if group.samples.len() < SAMPLES_PER_REASON {
            group.samples.push(sample);
        }
    }
}

fn rejection(code: &str, message: &str) -> Rejection {
    Rejection { code: code.to_owned(), message: message.to_owned() }
}

/// What a person can do about failures with this code.
fn advice(code: &str) -> &'static str {
    match code {
        "unauthorized" => "check the credentials in the destination's settings, then run again",
        "not_attempted" => "mend what stopped the sync, then run again",
        "not_written" => "make it possible to write there, then run again",
        "unreachable" => "check the destination's address and the network, then run again",
        "no_answer" | "unclear_answer" => "run again: these records are sent once more, under the same idempotency key where possible",
        "throttled" => "set a lower `rate_limit` or `concurrency` on the destination, or run again later",
        "redirect" => "put the final address into the destination's settings",
        "record_too_large" | "value_too_large" => "map fewer or shorter values for these records",
        "http_404" | "http_405" => "check the destination's URL and method",
        "http_413" => "set a smaller `batch` on the destination",
        code if code.starts_with("http_5") => "the destination failed: run again later; its owner may know more",
        _ => "compare the sample's payload with what the destination expects, and mend the mapping or the model",
    }
}
