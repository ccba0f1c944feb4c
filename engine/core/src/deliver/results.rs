//! What became of the records of a sync: counted for the report, written into the journal for the state.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outflow_contract::outcome::{Answer, Outcome, Rejection, Request};
use outflow_contract::report::{FailureGroup, FailureSample, records};
use outflow_contract::{Counts, Op, Result};
use outflow_ledger::decide::conclude;
use outflow_ledger::journal::{Answered, Answers, Outcome as JournalOutcome, Refused};

use super::batch::Draft;
use super::payloads::Failed;
use super::reasons::Reasons;
use super::retry::answered;
use super::{Delivery, excerpt};
use crate::commit::{OpenReasons, Settled, Told};

/// After so many records in a row that each alone was forbidden (403), with none taken in between, it is not the records.
const FORBIDDEN_MAX: u32 = 5;

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
    failures: Reasons,
    /// Why records have failed of which the journal only says that nothing is proven.
    open: OpenReasons,
    /// Some attempt was not answered, or by a gateway only: it may still take effect.
    unread: bool,
    /// Why nothing more is sent.
    stopped: Option<Rejection>,
    /// Records that were forbidden one after another.
    forbidden: u32,
    /// Records whose fate the answers do not tell, and the first reason.
    unproven: Option<(u64, String)>,
    /// Positions that requests of an earlier run carried again.
    again: HashSet<u32>,
    journal_error: Option<outflow_contract::Error>,
}

/// What was read from an answer.
pub(super) struct Read<'a> {
    /// One for each record.
    pub(super) outcomes: &'a [Outcome],
    /// Records that go out once more, in a new request.
    pub(super) again: &'a [usize],
    /// The answer, for people.
    pub(super) answer: Option<&'a Answer>,
}

/// Why a record failed, and the answer that says so.
#[derive(Clone, Copy)]
struct Reason<'a> {
    why: &'a Rejection,
    answer: Option<&'a Answer>,
    /// The journal does not say why: no answer settles it.
    open: bool,
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

    /// What is known of failed records beyond the journal.
    pub fn told(&self) -> Told {
        let inner = self.inner();
        Told { samples: inner.failures.samples(), open: inner.open.clone() }
    }

    /// Failed records by reason, most first; with what `settled` knows of them.
    pub fn failures(&self, settled: &Settled) -> Vec<FailureGroup> {
        self.inner().failures.groups(settled)
    }

    /// Why nothing more was sent, if that is so.
    pub fn stopped_because(&self) -> Option<Rejection> {
        self.inner().stopped.clone()
    }

    /// What to do about failures of that code, if one of them said so itself.
    pub fn remedy(&self, code: &str) -> Option<String> {
        self.inner().failures.remedy(code)
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

    /// It did not leave after all.
    pub(super) fn discount_request(&self, request: &Request, attempt: u32) {
        let mut inner = self.inner();
        inner.requests -= 1;
        inner.retried -= u64::from(attempt > 1);
        inner.bytes -= request.body().len() as u64;
    }

    pub(super) fn note_remedy(&self, code: &str, error: &outflow_contract::Error) {
        if let Some(remedy) = error.remedy_text() {
            self.inner().failures.note_remedy(code, self.delivery.redactor.clean(remedy));
        }
    }

    /// Records that were refused together, and are not divided any further. Their outcome is in the journal already.
    pub(super) fn refused_together(&self, draft: &Draft, why: &Rejection, answer: Option<&Answer>) {
        self.group_all(draft, Reason { why, answer, open: false });
    }

    pub(super) fn note_unread(&self) {
        self.inner().unread = true;
    }

    /// Nothing more is sent in this sync, for this reason, unless there is one already.
    pub(super) fn stop_because(&self, why: &Rejection) {
        let why = Rejection { code: why.code.clone(), message: self.delivery.redactor.clean(&why.message) };
        self.inner().stopped.get_or_insert(why);
        self.delivery.stopped.ask();
    }

    /// Does this answer refuse us, rather than what we sent? 401 always does. 403 may be about the one record of a request, where others
    /// were taken: but not about one after another.
    pub(super) fn is_refused_as_ourselves(&self, answer: Option<&Answer>, records: usize) -> bool {
        let Some(Answer::Http(response)) = answer else { return false };
        let mut inner = self.inner();
        match response.status {
            401 | 407 => true,
            403 => {
                inner.forbidden += 1;
                records > 1 || inner.delivered.total() == 0 || inner.forbidden >= FORBIDDEN_MAX
            }
            _ => false,
        }
    }

    /// What the answers do not prove, in words, if there is anything: they are not as the destination's settings say.
    pub fn contract_notice(&self, destination: &str) -> Option<String> {
        let (count, reason) = self.inner().unproven.clone()?;
        Some(format!("destination contract: the answers of `{destination}` do not tell what became of {}: {reason}", records(count)))
    }

    /// Records that were refused before any request.
    pub(super) fn refuse_locally(&self, failed: Vec<Failed>) {
        let done = failed.len() as u64;
        for Failed { position, op, id, why } in failed {
            self.refuse(&[position], &why);
            self.group(Reason { why: &why, answer: None, open: false }, op, position, |message| sample(id, op, message));
        }
        self.delivery.progress.fetch_add(done, Ordering::Relaxed);
    }

    /// Records of a request that could not be built.
    pub(super) fn refuse_all(&self, draft: &Draft, why: &Rejection) {
        self.refuse(&draft.positions, why);
        self.group_all(draft, Reason { why, answer: None, open: false });
    }

    fn refuse(&self, positions: &[u32], why: &Rejection) {
        let message = self.delivery.redactor.clean(&why.message);
        let refused = Refused { positions: positions.iter().copied().collect(), code: why.code.clone(), message };
        if let Err(error) = self.delivery.journal.refused(refused) {
            self.inner().journal_error.get_or_insert(error);
        }
    }

    /// No attempt was processed: it is proven.
    pub(super) fn all_not_processed(&self, sequence: u32, draft: &Draft, why: &Rejection, answer: Option<&Answer>) -> Result<()> {
        self.never_sent(sequence)?;
        self.not_processed(draft, why, answer);
        Ok(())
    }

    /// A request with an intent did not leave, for the sync has stopped. As with records that never came to a request, there is nothing
    /// to say of its records.
    pub(super) fn never_sent(&self, sequence: u32) -> Result<()> {
        self.delivery.journal.outcome(JournalOutcome { sequence, result: Answers::All(Answered::NotProcessed) })
    }

    /// The same, where the outcome is in the journal already.
    pub(super) fn not_processed(&self, draft: &Draft, why: &Rejection, answer: Option<&Answer>) {
        self.group_all(draft, Reason { why, answer, open: true });
    }

    /// It is not known what became of them: there is no outcome to write.
    pub(super) fn unread(&self, draft: &Draft, why: &Rejection, answer: Option<&Answer>) {
        self.group_all(draft, Reason { why, answer, open: true });
    }

    /// An answer was read.
    pub(super) fn answered_with(&self, sequence: u32, draft: &Draft, read: &Read<'_>) -> Result<()> {
        let &Read { outcomes, again, answer } = read;
        let redactor = &self.delivery.redactor;
        let answered = outcomes.iter().map(|outcome| answered(outcome, |words| redactor.clean(words)));
        if let Some(result) = conclude(answered.collect()) {
            self.delivery.journal.outcome(JournalOutcome { sequence, result })?;
        }
        let mut again = again.iter().copied().peekable();
        for (i, outcome) in outcomes.iter().enumerate() {
            if again.next_if_eq(&i).is_some() {
                continue;
            }
            let why = match outcome {
                Outcome::Acked => {
                    let mut inner = self.inner();
                    inner.delivered.add(draft.records.ops[i], 1);
                    inner.forbidden = 0;
                    continue;
                }
                Outcome::Rejected(why) | Outcome::RejectedTogether(why) | Outcome::Retry(why) => why.clone(),
                Outcome::Throttled { .. } => rejection("throttled", "the destination asked to try later, again and again"),
                Outcome::Unknown { reason } => {
                    self.inner().unproven.get_or_insert_with(|| (0, redactor.clean(reason))).0 += 1;
                    rejection("unclear_answer", reason)
                }
            };
            self.group_one(
                Reason { why: &why, answer, open: !matches!(outcome, Outcome::Rejected(_) | Outcome::RejectedTogether(_)) },
                draft,
                i,
            );
        }
        Ok(())
    }

    fn group_all(&self, draft: &Draft, reason: Reason<'_>) {
        for i in 0..draft.positions.len() {
            self.group_one(reason, draft, i);
        }
        self.delivery.progress.fetch_add(draft.positions.len() as u64, Ordering::Relaxed);
    }

    fn group_one(&self, reason: Reason<'_>, draft: &Draft, i: usize) {
        let (op, redactor) = (draft.records.ops[i], &self.delivery.redactor);
        if reason.open {
            self.inner().open.note(draft.positions[i], reason.why, |message| redactor.clean(message));
        }
        self.group(reason, op, draft.positions[i], |message| FailureSample {
            payload: excerpt::text(draft.records.payload(i), redactor),
            answer: reason.answer.and_then(|answer| excerpt::answer(answer, redactor)),
            ..sample(draft.records.ids[i].to_owned(), op, message)
        });
    }

    fn group(&self, reason: Reason<'_>, op: Op, position: u32, sample: impl FnOnce(String) -> FailureSample) {
        self.inner().failures.add(reason.why, (op, position), &self.delivery.redactor, sample);
    }
}

/// A sample of a record that no request carried.
fn sample(id: String, op: Op, message: String) -> FailureSample {
    FailureSample { id, op, message, payload: String::new(), answer: None, attempts: 1, first_seen: None, last_seen: None }
}

fn rejection(code: &str, message: &str) -> Rejection {
    Rejection { code: code.to_owned(), message: message.to_owned() }
}
