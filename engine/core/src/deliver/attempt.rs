//! The attempts of one request: when it leaves, what comes back, and what all of them add up to.

use std::sync::PoisonError;
use std::time::Duration;

use outflow_contract::limits::RETRY_AFTER_MAX;
use outflow_contract::outcome::{Answer, Outcome, Records, Rejection, Request};
use outflow_contract::{Error, Kind};
use outflow_ledger::journal::SendPermit;

use super::breaker::Trouble;
use super::pace::{Admission, Feedback};
use super::retry::{Attempt, Decision, asked_for, backoff, decide, proven};
use super::tokens::Live;
use super::transport::Sent;
use super::{Delivery, Results};

/// The code of what is refused because of who we are.
const UNAUTHORIZED: &str = "unauthorized";

/// What became of a request in the end, and the last answer to it.
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) answer: Option<Answer>,
}

/// What the attempts of a request add up to.
pub(super) enum End {
    /// One outcome for each record, and which of them go out once more in a new request, when.
    Answered(Vec<Outcome>, Vec<usize>, Duration),
    /// Nothing was processed: proven for every attempt.
    NotProcessed(Rejection),
    /// Some attempt may have taken effect, and no answer settles it.
    Unread(Rejection),
}

impl End {
    /// What an answer said of each record, if there was one.
    pub(super) fn outcomes(&self) -> &[Outcome] {
        if let Self::Answered(outcomes, ..) = self { outcomes } else { &[] }
    }
}

/// Sends until there is an answer that settles it, or too many attempts were made, or nothing is to leave any more.
pub(super) async fn attempts(delivery: &Delivery, permit: &SendPermit, request: &Request, records: &Records, results: &Results) -> Ended {
    // An attempt before the last one may have taken effect without an answer that says so.
    let mut doubt: Option<Rejection> = None;
    let mut answer = None;
    let mut last: Option<Tried> = None;
    // Attempts that the destination asked to make later do not count: nothing speaks against the records.
    let (mut counted, mut sent) = (0, 0);
    loop {
        let admission = match leave(delivery, results).await {
            Ok(admission) => admission,
            Err(why) => {
                let end = last.map_or(End::NotProcessed(why), |last| end(last, doubt, Decision::GiveUp));
                return Ended { end, answer };
            }
        };
        if let Some(last) = last.take().filter(|last| last.doubt) {
            doubt = Some(last.why);
        }
        sent += 1;
        let mut tried = one_attempt(delivery, admission, permit, request, records, results, sent).await;
        if let Some(why) = tried.refused_as_ourselves(records.len(), results) {
            // Every further request would be refused alike. Whether an earlier attempt has landed, it does not say.
            results.stop_because(why);
        }
        answer = tried.answer.take().or(answer);
        counted += u32::from(!tried.is_throttled());
        let wait = backoff(sent, delivery.clock.random());
        let decision = if tried.hopeless { Decision::GiveUp } else { decide(tried.seen(), counted, wait) };
        let Decision::RetryAll { after } = decision else { return Ended { end: end(tried, doubt, decision), answer } };
        // Given up by this very answer: waiting for as long as it asks would only begin anew.
        if let Some(why) = delivery.link.pace.out_of_order() {
            results.stop_because(&why);
            return Ended { end: end(tried, doubt, Decision::GiveUp), answer };
        }
        if !delivery.wait(after.max(tried.asked.unwrap_or_default().min(RETRY_AFTER_MAX))).await {
            return Ended { end: end(tried, doubt, Decision::GiveUp), answer };
        }
        last = Some(tried);
    }
}

/// Waits until a request may leave; or says why none will. Then the sync has stopped.
async fn leave(delivery: &Delivery, results: &Results) -> Result<Admission, Rejection> {
    let admitted = tokio::select! {
        biased;
        () = delivery.ending() => return Err(super::request::stopped()),
        admitted = delivery.link.pace.admit() => admitted,
    };
    admitted.inspect_err(|why| results.stop_because(why))
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

impl Tried {
    fn seen(&self) -> Attempt<'_> {
        match &self.outcomes {
            Some(outcomes) => Attempt::Answered(outcomes),
            None if self.doubt => Attempt::NoAnswer,
            None => Attempt::NotSent,
        }
    }

    /// Why, if the answer refuses us rather than what we sent.
    fn refused_as_ourselves(&self, records: usize, results: &Results) -> Option<&Rejection> {
        match self.outcomes.as_deref() {
            Some([Outcome::Rejected(why), ..]) if why.code == UNAUTHORIZED => {
                results.is_refused_as_ourselves(self.answer.as_ref(), records).then_some(why)
            }
            _ => None,
        }
    }

    /// Nothing was processed, and the destination only asks for patience.
    fn is_throttled(&self) -> bool {
        self.outcomes.as_ref().is_some_and(|outcomes| outcomes.iter().all(is_throttled))
    }
}

async fn one_attempt(
    delivery: &Delivery,
    admission: Admission,
    permit: &SendPermit,
    request: &Request,
    records: &Records,
    results: &Results,
    attempt: u32,
) -> Tried {
    let began = delivery.clock.monotonic();
    let sent = send_as_ourselves(delivery, permit, request, results, attempt).await;
    log_attempt(delivery, records.len(), request, attempt, &sent, began);
    let failed = |code: &str, error: &Error| {
        results.note_remedy(code, error);
        Rejection { code: code.to_owned(), message: delivery.redactor.clean(&error.to_string()) }
    };
    let (tried, feedback) = match sent {
        Sent::Answer(answer) => {
            let outcomes = judge(delivery, records, &answer);
            if is_from_a_gateway(&answer) {
                results.note_unread();
            }
            let doubt = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Retry(_) | Outcome::Unknown { .. }));
            let (why, asked) = (first_reason(&outcomes), asked_for(&answer, delivery.clock.wall()));
            let feedback = feedback(&outcomes, asked, &why, backoff(attempt, delivery.clock.random()));
            (Tried { doubt, hopeless: false, why, asked, outcomes: Some(outcomes), answer: Some(answer) }, feedback)
        }
        Sent::NotSent(error) => {
            let hopeless = !error.may_retry();
            let why = failed(not_sent_code(request, &error), &error);
            if hopeless {
                // Every further request would fail alike.
                results.stop_because(&why);
            }
            let feedback = if hopeless { Feedback::Neutral } else { Feedback::Failed(Trouble::Silent, why.clone()) };
            (Tried { outcomes: None, answer: None, asked: None, doubt: false, hopeless, why }, feedback)
        }
        Sent::Unknown(error) => {
            results.note_unread();
            let why = failed("no_answer", &error);
            let feedback = Feedback::Failed(Trouble::Silent, why.clone());
            (Tried { outcomes: None, answer: None, asked: None, doubt: true, hopeless: false, why }, feedback)
        }
    };
    admission.finish(feedback);
    tried
}

/// Sends it with the token that the destination wants, if it wants one; and with another one if that is refused, once.
async fn send_as_ourselves(delivery: &Delivery, permit: &SendPermit, request: &Request, results: &Results, attempt: u32) -> Sent {
    let (tokens, transport) = (&delivery.link.tokens, &delivery.link.transport);
    let (Some(grant), Request::Http(http)) = (delivery.destination.token_grant(), request) else {
        return send_counted(delivery, permit, request, results, attempt).await;
    };
    let with = |token| {
        let mut http = http.clone();
        grant.authorize(token, &mut http);
        Request::Http(http)
    };
    let token = match tokens.get(grant, transport).await {
        Ok(token) => token,
        Err(error) => return Sent::NotSent(no_token(error)),
    };
    let sent = send_counted(delivery, permit, &with(&token.value), results, attempt).await;
    if !is_refused(&sent, &token) {
        return sent;
    }
    // Nothing of a request that is answered with 401 was processed, so it may go again.
    match tokens.renew(&token, grant, transport).await {
        Ok(token) => {
            let sent = send_counted(delivery, permit, &with(&token.value), results, attempt + 1).await;
            if is_refused(&sent, &token) {
                tokens.note_refused(&token, grant).await;
            }
            sent
        }
        Err(error) => Sent::NotSent(no_token(error)),
    }
}

/// Sends it, and counts it if it leaves: one that is given up meanwhile may have.
async fn send_counted(delivery: &Delivery, permit: &SendPermit, request: &Request, results: &Results, attempt: u32) -> Sent {
    results.count_request(request, attempt);
    let sent = delivery.link.transport.send(permit, request).await;
    // Of a file that was not written, something may have gone to where it was to be.
    if matches!((&sent, request), (Sent::NotSent(_), Request::Http(_))) {
        results.discount_request(request, attempt);
    }
    sent
}

/// Does this answer refuse the token? What else it shows of the token is noted.
fn is_refused(sent: &Sent, token: &Live) -> bool {
    let Sent::Answer(Answer::Http(response)) = sent else { return false };
    token.note_answer(response.status);
    response.status == 401
}

/// Without a token nothing can leave, and the exchange was tried often enough.
fn no_token(error: Error) -> Error {
    error.retry(outflow_contract::Retry::No)
}

/// What an answer says of the destination. `backoff`: for how long others should wait, at least, if it asks for patience.
fn feedback(outcomes: &[Outcome], asked: Option<Duration>, why: &Rejection, backoff: Duration) -> Feedback {
    if outcomes.iter().any(is_throttled) {
        Feedback::Throttled { wait: asked.unwrap_or_default().max(backoff) }
    } else if !outcomes.is_empty() && outcomes.iter().all(|outcome| matches!(outcome, Outcome::Retry(_))) {
        match asked {
            // It says when it will be back: that is no failure to be counted.
            Some(wait) if !wait.is_zero() => Feedback::Throttled { wait },
            _ => Feedback::Failed(Trouble::Answered, why.clone()),
        }
    } else if matches!(outcomes, [Outcome::Rejected(why), ..] if why.code == UNAUTHORIZED) {
        // It was not even looked at: that does not show that the destination is well.
        Feedback::Neutral
    } else {
        Feedback::Good
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
    let (mapping, sync_id) = (&delivery.reading.mapping.name, &*delivery.reading.sync.id);
    let (bytes, phase) = (request.body().len(), "deliver");
    tracing::debug!(sync_id, mapping, phase, records, bytes, attempt, status, error, seconds, "request");
}

/// What a failure is grouped by in which nothing left.
fn not_sent_code(request: &Request, error: &Error) -> &'static str {
    match (error.kind(), request) {
        (Kind::Unauthorized, _) => UNAUTHORIZED,
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
    let after = after.max(last.asked.unwrap_or_default().min(RETRY_AFTER_MAX));
    match (last.outcomes, earlier) {
        (Some(outcomes), earlier) => End::Answered(proven(outcomes, earlier.is_some()), again, after),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn why(code: &str) -> Rejection {
        Rejection { code: code.to_owned(), message: String::new() }
    }

    #[test]
    fn one_that_asks_for_patience_gets_as_much_as_it_asks_for_and_never_less_than_the_backoff() {
        let second = Duration::from_secs(1);
        let outcomes = [Outcome::Throttled { after: None }];
        for (asked, wait) in [(None, 8), (Some(Duration::ZERO), 8), (Some(second), 8), (Some(9 * second), 9)] {
            assert_eq!(feedback(&outcomes, asked, &why("throttled"), 8 * second), Feedback::Throttled { wait: wait * second }, "{asked:?}");
        }
    }

    #[test]
    fn refused_credentials_do_not_show_that_a_destination_is_well() {
        let refused = |code: &str| feedback(&[Outcome::Rejected(why(code))], None, &why(code), Duration::ZERO);
        assert_eq!((refused(UNAUTHORIZED), refused("http_422")), (Feedback::Neutral, Feedback::Good));
    }
}
