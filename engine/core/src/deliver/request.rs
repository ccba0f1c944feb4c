//! The life of one request: intent, attempts, outcome.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use outflow_contract::destination::Origin;
use outflow_contract::limits::REQUEST_ATTEMPTS_MAX;
use outflow_contract::outcome::{Answer, Outcome, Records, Rejection, Request};
use outflow_contract::{Error, Kind, RequestKey, Result};
use outflow_ledger::journal::{Intent, SendPermit};
use outflow_ledger::requests::{Rebuild, request_key};

use super::batch::Draft;
use super::pace::Feedback;
use super::results::Read;
use super::retry::{Attempt, Decision, decide, in_doubt, retry_after};
use super::transport::Sent;
use super::{Delivery, Results};

/// What became of a request in the end, and the last answer to it.
struct Ended {
    end: End,
    answer: Option<Answer>,
}

/// What the attempts of a request add up to.
enum End {
    /// One outcome for each record, and which of them go out once more in a new request, when.
    Answered(Vec<Outcome>, Vec<usize>, Duration),
    /// Nothing was processed: proven for every attempt.
    NotProcessed(Rejection),
    /// Some attempt may have taken effect, and no answer settles it.
    Unread(Rejection),
}

/// What is left of a request that was answered.
enum Rest {
    /// Nothing: every record has its outcome.
    Done,
    /// Records that the destination did not process and that may go in a new request.
    Later(Draft, Duration),
    /// Records that it refused together, without saying because of which.
    Divide(Draft, Rejection, Option<Answer>),
}

/// Sends a new request. One that is refused as a whole is divided until the guilty records stand alone, each part a request with an
/// intent of its own; some 2 · d · log₂(n / d) requests for d guilty ones of n.
pub(super) async fn send(delivery: &Arc<Delivery>, draft: Draft, results: &Results) -> Result<()> {
    send_parts(delivery, vec![draft], results).await
}

/// Sends requests one after another, the last one first.
async fn send_parts(delivery: &Arc<Delivery>, mut parts: Vec<Draft>, results: &Results) -> Result<()> {
    while let Some(part) = parts.pop() {
        if let Rest::Divide(part, why, answer) = send_whole(delivery, part, results).await? {
            parts.extend(halves(delivery, &part, &why, answer.as_ref(), results));
        }
    }
    Ok(())
}

/// The halves of what was refused as a whole, the first one last; none where nothing more is to be divided.
fn halves(delivery: &Delivery, part: &Draft, why: &Rejection, answer: Option<&Answer>, results: &Results) -> Vec<Draft> {
    if delivery.is_stopped() || !results.may_divide() {
        results.refused_together(part, why, answer);
        return Vec::new();
    }
    let all: Vec<usize> = (0..part.positions.len()).collect();
    let (first, second) = all.split_at(all.len() / 2);
    vec![pick(part, second), pick(part, first)]
}

/// Sends a new request, and what of it the destination wants later.
async fn send_whole(delivery: &Arc<Delivery>, draft: Draft, results: &Results) -> Result<Rest> {
    let mut waiting = Some((draft, Duration::ZERO));
    // A destination that answers "later" for some records of a request gets those again in a new one, with an intent of its own.
    for _ in 0..REQUEST_ATTEMPTS_MAX {
        let Some((mut draft, after)) = waiting.take() else { return Ok(Rest::Done) };
        if !after.is_zero() {
            delivery.clock.sleep(after).await;
        }
        if delivery.is_stopped() {
            results.not_processed(&draft, &stopped(), None);
            return Ok(Rest::Done);
        }
        let sequence = delivery.next_sequence()?;
        let origin = Origin { mapping: delivery.reading.identity.origin.clone(), epoch: delivery.epoch, sequence };
        let request = match delivery.destination.encode(&draft.records, &origin) {
            Ok(request) => request,
            Err(error) => {
                let Some(rest) = without_unencodable(delivery, &draft, &origin, &error, results) else { return Ok(Rest::Done) };
                draft = rest;
                match delivery.destination.encode(&draft.records, &origin) {
                    Ok(request) => request,
                    Err(error) => {
                        refuse_unencodable(&draft, &error, results);
                        return Ok(Rest::Done);
                    }
                }
            }
        };
        let key = request_key(&delivery.reading.identity.origin, delivery.epoch, sequence, request.body());
        match carry_out(delivery, &origin, sequence, key, request, draft, results).await? {
            Rest::Later(draft, after) => waiting = Some((draft, after)),
            rest => return Ok(rest),
        }
    }
    if let Some((draft, _)) = waiting {
        let why = Rejection { code: "throttled".to_owned(), message: "the destination asked to try later, again and again".to_owned() };
        results.not_processed(&draft, &why, None);
    }
    Ok(Rest::Done)
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
pub(super) async fn send_again(delivery: &Arc<Delivery>, group: Rebuild, draft: Draft, results: &Results) -> Result<()> {
    let origin = Origin { mapping: delivery.reading.identity.origin.clone(), epoch: group.epoch, sequence: group.sequence };
    let Ok(request) = delivery.destination.encode(&draft.records, &origin) else { return Ok(()) };
    if !group.matches(&delivery.reading.identity.origin, request.body()) {
        return Ok(());
    }
    results.attempt_again(&draft);
    let sequence = delivery.next_sequence()?;
    match carry_out(delivery, &origin, sequence, group.key, request, draft, results).await? {
        Rest::Done => Ok(()),
        Rest::Later(rest, after) => {
            delivery.clock.sleep(after).await;
            send(delivery, rest, results).await
        }
        // What was sent before may have landed; each part says so until it is acknowledged (rule 10).
        Rest::Divide(rest, why, answer) => send_parts(delivery, halves(delivery, &rest, &why, answer.as_ref(), results), results).await,
    }
}

/// Intent, attempts, outcome.
async fn carry_out(
    delivery: &Arc<Delivery>,
    origin: &Origin,
    sequence: u32,
    key: RequestKey,
    request: Request,
    draft: Draft,
    results: &Results,
) -> Result<Rest> {
    let request = with_key(request, delivery.destination.idempotency_header(), key);
    let intent = Intent {
        sequence,
        origin_epoch: origin.epoch,
        origin_sequence: origin.sequence,
        key,
        positions: draft.positions.iter().copied().collect(),
    };
    let permit = delivery.journal.intent(intent).await?;
    let Ended { end, answer } = attempts(delivery, &permit, &request, &draft.records, results).await;
    match end {
        End::Answered(outcomes, again, after) => {
            if let [Outcome::RejectedTogether(why), _, ..] = outcomes.as_slice() {
                // Refused for certain; none of them has its reason yet.
                let (why, all) = (why.clone(), (0..outcomes.len()).collect::<Vec<_>>());
                results.answered_with(sequence, &draft, &Read { outcomes: &outcomes, again: &all, answer: None })?;
                return Ok(Rest::Divide(draft, why, answer));
            }
            if matches!(outcomes.as_slice(), [Outcome::RejectedTogether(_)]) {
                results.note_alone();
            }
            let read = Read { outcomes: &outcomes, again: &again, answer: answer.as_ref() };
            let rest = settle(delivery, sequence, &draft, &read, results)?;
            Ok(rest.map_or(Rest::Done, |rest| Rest::Later(rest, after)))
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

/// Sends until there is an answer that settles it, or too many attempts were made.
async fn attempts(delivery: &Delivery, permit: &SendPermit, request: &Request, records: &Records, results: &Results) -> Ended {
    // An attempt before the last one may have taken effect without an answer that says so.
    let mut doubt: Option<Rejection> = None;
    let mut answer = None;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut last = one_attempt(delivery, permit, request, records, results, attempt).await;
        answer = last.answer.take().or(answer);
        let seen = match &last.outcomes {
            Some(outcomes) => Attempt::Answered(outcomes),
            None if last.doubt => Attempt::NoAnswer,
            None => Attempt::NotSent,
        };
        let decision = if last.hopeless { Decision::GiveUp } else { decide(seen, attempt, delivery.clock.random()) };
        match decision {
            Decision::RetryAll { after } if !delivery.is_stopped() => {
                wait(delivery, after, &last).await;
                if delivery.is_stopped() {
                    return Ended { end: end(last, doubt, Decision::GiveUp), answer };
                }
                doubt = if last.doubt { Some(last.why) } else { doubt };
            }
            decision => {
                results.ended(matches!(decision, Decision::GiveUp), &last.why);
                return Ended { end: end(last, doubt, decision), answer };
            }
        }
    }
}

/// How one attempt went.
struct Tried {
    outcomes: Option<Vec<Outcome>>,
    answer: Option<Answer>,
    /// How long the answer asks to wait, whatever it says of the records.
    asked: Option<Duration>,
    doubt: bool,
    /// Nothing left, and nothing will until something is changed.
    hopeless: bool,
    why: Rejection,
}

async fn one_attempt(
    delivery: &Delivery,
    permit: &SendPermit,
    request: &Request,
    records: &Records,
    results: &Results,
    attempt: u32,
) -> Tried {
    let admission = delivery.pace.admit().await;
    results.count_request(request, attempt);
    let failed = |code: &str, error: &Error| {
        results.note_remedy(code, error);
        Rejection { code: code.to_owned(), message: delivery.redactor.clean(&error.to_string()) }
    };
    let began = delivery.clock.monotonic();
    let sent = delivery.transport.send(permit, request).await;
    log_attempt(delivery, records.len(), request, attempt, &sent, began);
    match sent {
        Sent::Answer(answer) => {
            let outcomes = judge(delivery, records, &answer);
            admission.finish(if outcomes.iter().any(is_throttled) { Feedback::Congested } else { Feedback::Good });
            if is_from_a_gateway(&answer) {
                results.note_unread();
            }
            let doubt = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Retry(_) | Outcome::Unknown { .. }));
            let (why, asked) = (first_reason(&outcomes), asked_for(delivery, &answer));
            Tried { doubt, hopeless: false, why, asked, outcomes: Some(outcomes), answer: Some(answer) }
        }
        Sent::NotSent(error) => {
            admission.finish(Feedback::Neutral);
            let hopeless = !error.may_retry();
            if hopeless {
                // Every further request would fail alike.
                delivery.stop();
            }
            let why = failed(not_sent_code(request, &error), &error);
            Tried { outcomes: None, answer: None, asked: None, doubt: false, hopeless, why }
        }
        Sent::Unknown(error) => {
            admission.finish(Feedback::Congested);
            results.note_unread();
            Tried { outcomes: None, answer: None, asked: None, doubt: true, hopeless: false, why: failed("no_answer", &error) }
        }
    }
}

/// For `-vv`: one line for each time that a request left.
fn log_attempt(delivery: &Delivery, records: usize, request: &Request, attempt: u32, sent: &Sent, began: Duration) {
    let (status, error) = match sent {
        Sent::Answer(Answer::Http(response)) => (Some(response.status), None),
        Sent::Answer(Answer::Written) => (None, None),
        Sent::NotSent(error) | Sent::Unknown(error) => (None, Some(delivery.redactor.clean(&error.to_string()))),
    };
    let seconds = delivery.clock.monotonic().saturating_sub(began).as_secs_f64();
    let (mapping, sync_id) = (&delivery.reading.mapping.name, &delivery.reading.sync_id);
    let (bytes, phase) = (request.body().len(), "deliver");
    tracing::debug!(sync_id, mapping, phase, records, bytes, attempt, status, error, seconds, "request");
}

/// What a failure is grouped by in which nothing left.
fn not_sent_code(request: &Request, error: &Error) -> &'static str {
    match (error.kind(), request) {
        (Kind::Unauthorized, _) => "unauthorized",
        (_, Request::File(_)) => "not_written",
        (_, Request::Http(_)) => "unreachable",
    }
}

/// Answers of something in between: the request behind it may still be travelling.
fn is_from_a_gateway(answer: &Answer) -> bool {
    matches!(answer, Answer::Http(response) if matches!(response.status, 408 | 502..=504 | 520..=530))
}

/// What the attempts add up to. `earlier`: one before the last is in doubt; then only an acknowledgement is definite.
fn end(last: Tried, earlier: Option<Rejection>, decision: Decision) -> End {
    let (again, after) = if let Decision::RetryPart { records, after } = decision { (records, after) } else { Default::default() };
    let after = after.max(last.asked.unwrap_or_default());
    match (last.outcomes, earlier) {
        (Some(outcomes), None) => End::Answered(outcomes, again, after),
        (Some(outcomes), Some(_)) => End::Answered(in_doubt(outcomes), again, after),
        (None, Some(doubt)) => End::Unread(doubt),
        (None, None) if last.doubt => End::Unread(last.why),
        (None, None) => End::NotProcessed(last.why),
    }
}

fn is_throttled(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Throttled { .. })
}

/// The outcomes of an answer, one for each record whatever the destination's code returns.
fn judge(delivery: &Delivery, records: &Records, answer: &Answer) -> Vec<Outcome> {
    if let Some(heard) = &delivery.heard {
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.clone());
    }
    let outcomes = delivery.destination.decode(records, answer);
    if outcomes.len() != records.len() {
        let reason = format!("the answer was read as {} outcomes for {} records", outcomes.len(), records.len());
        return vec![Outcome::Unknown { reason }; records.len()];
    }
    outcomes
}

/// What `Retry-After` asks for, within its limit.
fn asked_for(delivery: &Delivery, answer: &Answer) -> Option<Duration> {
    let Answer::Http(response) = answer else { return None };
    retry_after(response.header("retry-after")?, delivery.clock.wall())
}

async fn wait(delivery: &Delivery, after: Duration, last: &Tried) {
    let after = after.max(last.asked.unwrap_or_default());
    // A destination that asks for patience, or is throttled, is so for everybody.
    if last.asked.is_some() || last.outcomes.iter().flatten().any(is_throttled) {
        delivery.pace.hold(after);
    }
    delivery.clock.sleep(after).await;
}

/// Why records were not sent once the sync had stopped.
fn stopped() -> Rejection {
    Rejection { code: "not_attempted".to_owned(), message: "the sync had stopped before they were sent".to_owned() }
}

fn first_reason(outcomes: &[Outcome]) -> Rejection {
    let reason = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Rejected(why) | Outcome::RejectedTogether(why) | Outcome::Retry(why) => Some(why.clone()),
        Outcome::Throttled { .. } => {
            Some(Rejection { code: "throttled".to_owned(), message: "the destination asked to try later".to_owned() })
        }
        Outcome::Unknown { reason } => Some(Rejection { code: "unclear_answer".to_owned(), message: reason.clone() }),
        Outcome::Acked => None,
    });
    reason.unwrap_or_else(|| Rejection { code: "ok".to_owned(), message: String::new() })
}

/// Writes the outcomes of an answered request into the journal, and splits off what may go again.
fn settle(delivery: &Delivery, sequence: u32, draft: &Draft, read: &Read<'_>, results: &Results) -> Result<Option<Draft>> {
    let Read { outcomes, again, .. } = *read;
    results.answered_with(sequence, draft, read)?;
    if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Rejected(why) if why.code == "unauthorized")) {
        // Every further request would be refused alike.
        delivery.stop();
    }
    delivery.progress.fetch_add((outcomes.len() - again.len()) as u64, Ordering::Relaxed);
    Ok((!again.is_empty()).then(|| pick(draft, again)))
}

/// Some records of a draft, in order.
fn pick(draft: &Draft, which: &[usize]) -> Draft {
    let mut picked = Draft::default();
    picked.records.schema.clone_from(&draft.records.schema);
    let mut bytes = Vec::new();
    for &i in which {
        bytes.extend_from_slice(draft.records.payload(i));
        picked.positions.push(draft.positions[i]);
        picked.records.ends.push(bytes.len());
        picked.records.ops.push(draft.records.ops[i]);
        picked.records.ids.push(draft.records.ids[i].clone());
    }
    picked.records.bytes = bytes.into();
    picked
}
