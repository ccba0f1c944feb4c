//! The life of one request: intent, attempts, outcome.

use std::sync::atomic::Ordering;
use std::time::Duration;

use outflow_contract::destination::Origin;
use outflow_contract::limits::REQUEST_ATTEMPTS_MAX;
use outflow_contract::outcome::{Outcome, Rejection, Request};
use outflow_contract::{Error, Kind, RequestKey, Result};
use outflow_ledger::journal::{Intent, SendPermit};
use outflow_ledger::requests::{Rebuild, request_key};

use super::attempt::{End, Ended, attempts};
use super::batch::Draft;
use super::divide::{Dividing, Refused, divide, pick, send};
use super::results::Read;
use super::{Delivery, Results};

/// What is left of a request that was answered.
pub(super) enum Rest {
    /// Nothing: every record has its outcome.
    Done,
    /// Records that the destination did not process and that may go in a new request.
    Later(Later),
    /// Records that it refused together, without saying because of which.
    Divide(Draft, Refused),
}

/// Records for a new request.
pub(super) struct Later {
    draft: Draft,
    /// Not before so long.
    after: Duration,
    /// Some of them failed, rather than having been asked to come later.
    failed: bool,
}

/// A request before its intent is durable.
pub(super) struct Encoded {
    intent: Intent,
    request: Request,
    draft: Draft,
}

/// A request that may leave: its intent is durable.
pub(super) struct Prepared {
    permit: SendPermit,
    request: Request,
    draft: Draft,
}

/// Encodes a new request and makes its intent durable. `None` if nothing of it can be sent: then it is booked why.
pub(super) async fn prepare(delivery: &Delivery, draft: Draft, results: &Results) -> Result<Option<Prepared>> {
    match encode(delivery, draft, results)? {
        Some(encoded) => encoded.intend(delivery).await.map(Some),
        None => Ok(None),
    }
}

/// Encodes a new request. `None` if nothing of it can be sent: then it is booked why.
pub(super) fn encode(delivery: &Delivery, draft: Draft, results: &Results) -> Result<Option<Encoded>> {
    if delivery.is_ending() {
        results.not_processed(&draft, &stopped(), None);
        return Ok(None);
    }
    let origin = Origin { mapping: delivery.reading.identity.origin.clone(), epoch: delivery.epoch, sequence: delivery.next_sequence()? };
    let Some((request, draft)) = encode_what_can_be(delivery, draft, &origin, results) else { return Ok(None) };
    let key = request_key(&origin.mapping, origin.epoch, origin.sequence, request.body());
    Ok(Some(Encoded::new(delivery, origin.sequence, &origin, key, request, draft)))
}

/// Encodes what can be encoded of a draft; the rest of it is refused.
fn encode_what_can_be(delivery: &Delivery, draft: Draft, origin: &Origin, results: &Results) -> Option<(Request, Draft)> {
    let error = match delivery.destination.encode(&draft.records, origin) {
        Ok(request) => return Some((request, draft)),
        Err(error) => error,
    };
    let draft = without_unencodable(delivery, &draft, origin, &error, results)?;
    match delivery.destination.encode(&draft.records, origin) {
        Ok(request) => Some((request, draft)),
        Err(error) => {
            refuse_unencodable(&draft, &error, results);
            None
        }
    }
}

impl Encoded {
    /// Request number `sequence` of this run, which was first built as `origin` says.
    fn new(delivery: &Delivery, sequence: u32, origin: &Origin, key: RequestKey, request: Request, draft: Draft) -> Self {
        let request = with_key(request, delivery.destination.idempotency_header(), key);
        let positions = draft.positions.iter().copied().collect();
        let intent = Intent { sequence, origin_epoch: origin.epoch, origin_sequence: origin.sequence, key, positions };
        Self { intent, request, draft }
    }

    /// Makes its intent durable. It is queued when the future is first polled.
    pub(super) async fn intend(self, delivery: &Delivery) -> Result<Prepared> {
        let permit = delivery.journal.intent(self.intent).await?;
        Ok(Prepared { permit, request: self.request, draft: self.draft })
    }
}

impl Prepared {
    /// The number of its intent.
    pub(super) fn sequence(&self) -> u32 {
        self.permit.sequence()
    }
}

/// Sends a new request, and what of it the destination wants later.
pub(super) async fn send_whole(delivery: &Delivery, prepared: Prepared, dividing: &Dividing, results: &Results) -> Result<Rest> {
    let (mut prepared, mut failed) = (prepared, 0);
    // A destination that answers "later" for some records of a request gets those again in a new one, with an intent of its own. Each
    // time they are fewer.
    loop {
        let later = match carry_out(delivery, prepared, dividing, results).await? {
            Rest::Later(later) => later,
            rest => return Ok(rest),
        };
        failed += u32::from(later.failed);
        if failed >= REQUEST_ATTEMPTS_MAX {
            let message = "the destination failed with them, again and again, and took others of the same request".to_owned();
            results.not_processed(&later.draft, &Rejection { code: "failed_in_part".to_owned(), message }, None);
            return Ok(Rest::Done);
        }
        delivery.wait(later.after).await;
        let Some(next) = prepare(delivery, later.draft, results).await? else { return Ok(Rest::Done) };
        prepared = next;
    }
}

/// Refuses the records of a draft that cannot be encoded, and returns the others, if there are any. What the destination finds wrong
/// with a record ([`Kind::Refused`]) is traced to it by halving the draft; any other error concerns them all.
fn without_unencodable(delivery: &Delivery, draft: &Draft, origin: &Origin, error: &Error, results: &Results) -> Option<Draft> {
    let records = draft.positions.len();
    if records == 1 || error.kind() != Kind::Refused {
        refuse_unencodable(draft, error, results);
        return None;
    }
    let mut good = Vec::new();
    let mut open = vec![records / 2..records, 0..records / 2];
    while let Some(range) = open.pop() {
        let which: Vec<usize> = range.clone().collect();
        let part = pick(draft, &which);
        match delivery.destination.encode(&part.records, origin) {
            Ok(_) => good.extend(which),
            Err(_) if range.len() > 1 => {
                let middle = range.start + range.len() / 2;
                open.extend([middle..range.end, range.start..middle]);
            }
            Err(error) => refuse_unencodable(&part, &error, results),
        }
    }
    (!good.is_empty()).then(|| pick(draft, &good))
}

fn refuse_unencodable(draft: &Draft, error: &Error, results: &Results) {
    results.note_remedy("not_encodable", error);
    results.refuse_all(draft, &Rejection { code: "not_encodable".to_owned(), message: error.to_string() });
}

/// Sends a request of an earlier run once more, if its bytes are still the same; otherwise its records stay for new requests.
pub(super) async fn send_again(delivery: &Delivery, group: Rebuild, draft: Draft, dividing: &Dividing, results: &Results) -> Result<()> {
    let origin = Origin { mapping: delivery.reading.identity.origin.clone(), epoch: group.epoch, sequence: group.sequence };
    let Ok(request) = delivery.destination.encode(&draft.records, &origin) else { return Ok(()) };
    if !group.matches(&delivery.reading.identity.origin, request.body()) {
        return Ok(());
    }
    results.attempt_again(&draft);
    let prepared = Encoded::new(delivery, delivery.next_sequence()?, &origin, group.key, request, draft).intend(delivery).await?;
    match carry_out(delivery, prepared, dividing, results).await? {
        Rest::Done => Ok(()),
        Rest::Later(later) => {
            delivery.wait(later.after).await;
            match prepare(delivery, later.draft, results).await? {
                Some(next) => send(delivery, next, dividing, results).await,
                None => Ok(()),
            }
        }
        // What was sent before may have landed; each part says so until it is acknowledged (rule 10).
        Rest::Divide(rest, refused) => divide(delivery, rest, refused, dividing, results).await,
    }
}

/// Attempts, outcome.
async fn carry_out(delivery: &Delivery, prepared: Prepared, dividing: &Dividing, results: &Results) -> Result<Rest> {
    let Prepared { permit, request, draft } = prepared;
    let sequence = permit.sequence();
    // Whatever was answered so far is written down: at a kill, no more is in doubt than what is under way.
    delivery.journal.appended().await?;
    let Ended { end, answer } = attempts(delivery, &permit, &request, &draft.records, results).await;
    dividing.note(draft.positions.len(), end.outcomes());
    match end {
        End::Answered(outcomes, again, after) => {
            if let [Outcome::RejectedTogether(why), _, ..] = outcomes.as_slice() {
                // Refused for certain; none of them has its own reason yet.
                let (why, all) = (dividing.reason(why.clone()), (0..outcomes.len()).collect::<Vec<_>>());
                let outcomes = vec![Outcome::RejectedTogether(why.clone()); outcomes.len()];
                results.answered_with(sequence, &draft, &Read { outcomes: &outcomes, again: &all, answer: None })?;
                return Ok(Rest::Divide(draft, Refused { why, answer }));
            }
            let read = Read { outcomes: &outcomes, again: &again, answer: answer.as_ref() };
            let failed = again.iter().any(|&i| matches!(outcomes[i], Outcome::Retry(_)));
            let rest = settle(delivery, sequence, &draft, &read, results)?;
            Ok(rest.map_or(Rest::Done, |draft| Rest::Later(Later { draft, after, failed })))
        }
        End::NotProcessed(why) => {
            results.all_not_processed(sequence, &draft, &why, answer.as_ref())?;
            Ok(Rest::Done)
        }
        End::Unread(why) => {
            results.unread(&draft, &why, answer.as_ref());
            Ok(Rest::Done)
        }
    }
}

pub(crate) fn with_key(mut request: Request, header: Option<&str>, key: RequestKey) -> Request {
    if let (Request::Http(http), Some(header)) = (&mut request, header) {
        http.headers.push((header.to_owned(), key.to_string()));
    }
    request
}

/// Why records were not sent once the sync had stopped.
pub(super) fn stopped() -> Rejection {
    Rejection { code: "not_attempted".to_owned(), message: "the sync had stopped before they were sent".to_owned() }
}

/// Writes the outcomes of an answered request into the journal, and splits off what may go again.
fn settle(delivery: &Delivery, sequence: u32, draft: &Draft, read: &Read<'_>, results: &Results) -> Result<Option<Draft>> {
    let Read { outcomes, again, .. } = *read;
    results.answered_with(sequence, draft, read)?;
    delivery.progress.fetch_add((outcomes.len() - again.len()) as u64, Ordering::Relaxed);
    Ok((!again.is_empty()).then(|| pick(draft, again)))
}
