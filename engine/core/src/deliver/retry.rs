//! When a request is sent again, and after how long. Pure: the caller waits, draws the random number and sends.
//!
//! ```text
//!              nothing sent ──┐
//!               no answer ────┤  attempts left: RetryAll, the same bytes under the same intent
//! all "not now" or "failed" ──┘  none left:     GiveUp
//!       some of them so ───────  RetryPart: those records in a new request, with an intent of its own
//!        anything else ────────  Done: every record has its outcome
//! ```
//!
//! Invariants: an answer that acknowledges or refuses even one record is final for this request; a wait is never
//! shorter than the destination asked for, up to `RETRY_AFTER_MAX`.
//! Not here: pacing of the other requests (`pace`), and what an outcome means for the state (the ledger).

use std::time::{Duration, SystemTime};

use outflow_contract::limits::{ASKED_MAX, BACKOFF_FIRST, BACKOFF_MAX, REQUEST_ATTEMPTS_MAX, RETRY_AFTER_MAX};
use outflow_contract::outcome::{Answer, Outcome};
use outflow_ledger::decide::is_definite;
use outflow_ledger::journal::Answered;

/// Headers that say when a quota begins anew, in the order in which they are asked.
const QUOTA_RESETS: [&str; 4] = ["ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset", "x-ratelimit-reset-after"];

/// What became of one attempt to send a request.
#[derive(Clone, Copy, Debug)]
pub enum Attempt<'a> {
    /// Proven: no byte of it left.
    NotSent,
    /// It may have taken effect, but no whole answer was read.
    NoAnswer,
    /// An answer was read; one outcome for each record.
    Answered(&'a [Outcome]),
}

/// What to do next with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing more: the outcomes of this answer are final.
    Done,
    /// Send the same bytes again under the same intent.
    RetryAll {
        /// No sooner than after this long.
        after: Duration,
    },
    /// Send these records again in a new request with its own intent; the outcomes of the others are final.
    RetryPart {
        /// Which records of the request, from 0, ascending.
        records: Vec<usize>,
        /// No sooner than after this long.
        after: Duration,
    },
    /// It would be sent again, but it has been tried often enough. What its last answer says, if there was one, is final;
    /// the rest waits for the next sync.
    GiveUp,
}

/// Decides after an attempt. `counted`: how many there were of those that count against the request. `wait`: for how long there is to be
/// peace at least, which grows with every attempt ([`backoff`]).
pub fn decide(last: Attempt<'_>, counted: u32, wait: Duration) -> Decision {
    let (again, after) = match last {
        Attempt::NotSent | Attempt::NoAnswer => (None, wait),
        Attempt::Answered(outcomes) => {
            let again: Vec<usize> = (0..outcomes.len()).filter(|&i| is_passing(&outcomes[i])).collect();
            if again.is_empty() {
                return Decision::Done;
            }
            let asked = outcomes.iter().filter_map(patience).max().unwrap_or_default();
            (Some(again).filter(|again| again.len() < outcomes.len()), wait.max(asked.min(RETRY_AFTER_MAX)))
        }
    };
    match again {
        // The part has attempts of its own, but a destination that answers so for ever must not split one for ever.
        _ if counted >= REQUEST_ATTEMPTS_MAX => Decision::GiveUp,
        Some(records) => Decision::RetryPart { records, after },
        None => Decision::RetryAll { after },
    }
}

/// An outcome that another attempt may change.
fn is_passing(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Throttled { .. } | Outcome::Retry(_))
}

fn patience(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Outcome::Throttled { after } => *after,
        _ => None,
    }
}

/// What the last answer proves. `in_doubt`: an earlier attempt of the same request went unanswered, and may have taken effect.
pub fn proven(outcomes: Vec<Outcome>, in_doubt: bool) -> Vec<Outcome> {
    let doubt = |outcome| match outcome {
        outcome if is_definite(&answered(&outcome, |_| String::new()), in_doubt) => outcome,
        Outcome::Acked | Outcome::Unknown { .. } | Outcome::Retry(_) => outcome,
        // What it says is kept for people; that it is definite is not.
        Outcome::Rejected(why) | Outcome::RejectedTogether(why) => Outcome::Retry(why),
        Outcome::Throttled { .. } => Outcome::Unknown { reason: "not processed, after an attempt that was not answered".to_owned() },
    };
    outcomes.into_iter().map(doubt).collect()
}

/// An outcome in the journal's words; `words` makes of the destination's what may be kept.
pub(super) fn answered(outcome: &Outcome, words: impl Fn(&str) -> String) -> Answered {
    match outcome {
        Outcome::Acked => Answered::Acked,
        Outcome::Rejected(why) | Outcome::RejectedTogether(why) => {
            Answered::Refused { code: why.code.clone(), message: words(&why.message) }
        }
        Outcome::Throttled { .. } => Answered::NotProcessed,
        Outcome::Retry(_) | Outcome::Unknown { .. } => Answered::Unknown,
    }
}

/// The wait after attempt number `attempt` (from 1): anything from nothing to a bound that doubles each time, so that
/// requests that failed together do not come back together.
pub fn backoff(attempt: u32, random: u64) -> Duration {
    let doubled = 1u32.checked_shl(attempt.saturating_sub(1)).filter(|&n| n > 0).unwrap_or(u32::MAX);
    let bound = BACKOFF_FIRST.saturating_mul(doubled).min(BACKOFF_MAX);
    // A number in 0..=bound, in microseconds, without the bias that would matter here.
    let micros = bound.as_micros() * u128::from(random) / u128::from(u64::MAX);
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// How long an answer asks to wait before the next request, at most `ASKED_MAX`: by `Retry-After`; or else, where the answer is that
/// there were too many (429, 503), by the headers that say when the quota begins anew. `None` if it says nothing that can be understood.
pub fn asked_for(answer: &Answer, now: SystemTime) -> Option<Duration> {
    let Answer::Http(response) = answer else { return None };
    if let Some(wait) = response.header("retry-after").and_then(|value| retry_after(value, now)) {
        return Some(wait);
    }
    if !matches!(response.status, 429 | 503) {
        return None;
    }
    QUOTA_RESETS.iter().find_map(|name| quota_reset(response.header(name)?, now))
}

/// The wait that a `Retry-After` header asks for, at most `ASKED_MAX`: seconds, or an HTTP date as seen at `now` (a past one is no wait).
/// `None` if it says nothing that can be understood.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Some(seconds) = seconds(value) {
        return Some(seconds);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(ASKED_MAX))
}

/// The standard has whole seconds; fractions are seen in the wild. Too many digits are too long a wait, not garbage.
fn seconds(value: &str) -> Option<Duration> {
    let numeric = value.starts_with(|c: char| c.is_ascii_digit()) && value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds: f64 = value.parse().ok().filter(|_| numeric)?;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(ASKED_MAX).min(ASKED_MAX))
}

/// Some say it in seconds from now, some as seconds since 1970; those are told apart by their size.
fn quota_reset(value: &str, now: SystemTime) -> Option<Duration> {
    const FIRST_MOMENT: f64 = 1e9;
    let value = value.trim();
    match value.parse::<f64>().ok().filter(|number| *number >= FIRST_MOMENT) {
        // Milliseconds, where seconds would be tens of thousands of years away.
        Some(moment) => {
            let moment = Duration::try_from_secs_f64(if moment >= FIRST_MOMENT * 100.0 { moment / 1000.0 } else { moment }).ok()?;
            let moment = SystemTime::UNIX_EPOCH.checked_add(moment)?;
            Some(moment.duration_since(now).unwrap_or_default().min(ASKED_MAX))
        }
        None => retry_after(value, now),
    }
}

#[cfg(test)]
mod tests {
    use outflow_contract::outcome::{HttpResponse, Rejection};
    use proptest::prelude::*;

    use super::*;

    fn why() -> Rejection {
        Rejection { code: "http_503".to_owned(), message: "busy".to_owned() }
    }

    fn throttled(seconds: u64) -> Outcome {
        Outcome::Throttled { after: Some(Duration::from_secs(seconds)) }
    }

    fn unknown() -> Outcome {
        Outcome::Unknown { reason: "no JSON".to_owned() }
    }

    #[test]
    fn a_request_that_was_not_processed_goes_out_again_whole() {
        for last in [Attempt::NotSent, Attempt::NoAnswer, Attempt::Answered(&[Outcome::Retry(why()), throttled(0)])] {
            assert_eq!(decide(last, 1, BACKOFF_FIRST), Decision::RetryAll { after: BACKOFF_FIRST }, "{last:?}");
        }
    }

    #[test]
    fn an_answer_that_settles_every_record_is_final() {
        let outcomes = [Outcome::Acked, Outcome::Rejected(why()), unknown()];
        for n in 0..=outcomes.len() {
            assert_eq!(decide(Attempt::Answered(&outcomes[..n]), 1, Duration::ZERO), Decision::Done);
        }
    }

    #[test]
    fn records_left_over_by_an_answer_go_out_in_a_request_of_their_own() {
        let outcomes = [Outcome::Acked, throttled(7), Outcome::Rejected(why()), Outcome::Retry(why()), unknown()];
        let after = Duration::from_secs(7);
        assert_eq!(decide(Attempt::Answered(&outcomes), 1, Duration::ZERO), Decision::RetryPart { records: vec![1, 3], after });
    }

    #[test]
    fn a_request_is_given_up_after_its_last_attempt() {
        let outcomes = [Outcome::Acked, throttled(1)];
        for last in [Attempt::NotSent, Attempt::NoAnswer, Attempt::Answered(&outcomes), Attempt::Answered(&outcomes[1..])] {
            assert_ne!(decide(last, REQUEST_ATTEMPTS_MAX - 1, Duration::ZERO), Decision::GiveUp);
            assert_eq!(decide(last, REQUEST_ATTEMPTS_MAX, Duration::ZERO), Decision::GiveUp);
        }
        assert_eq!(decide(Attempt::Answered(&outcomes[..1]), REQUEST_ATTEMPTS_MAX, Duration::ZERO), Decision::Done);
    }

    #[test]
    fn the_longest_wait_asked_for_is_obeyed_up_to_the_limit() {
        let after = |outcomes: &[Outcome]| match decide(Attempt::Answered(outcomes), 1, Duration::ZERO) {
            Decision::RetryAll { after } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(&[throttled(3), throttled(9), Outcome::Throttled { after: None }]), Duration::from_secs(9));
        assert_eq!(after(&[throttled(999_999_999)]), RETRY_AFTER_MAX);
    }

    #[test]
    fn after_an_unanswered_attempt_only_an_acknowledgement_is_definite() {
        let read = vec![Outcome::Acked, Outcome::Rejected(why()), throttled(1), Outcome::Retry(why()), unknown()];
        assert_eq!(proven(read.clone(), false), read);
        let outcomes = proven(read, true);
        assert_eq!(outcomes[0], Outcome::Acked);
        assert!(outcomes[1..].iter().all(|o| matches!(o, Outcome::Unknown { .. } | Outcome::Retry(_))), "{outcomes:?}");
        assert_eq!(outcomes[4], unknown());
    }

    #[test]
    fn the_backoff_doubles_from_its_first_wait_to_its_longest() {
        let bounds: Vec<Duration> = (1..=4).map(|attempt| backoff(attempt, u64::MAX)).collect();
        assert_eq!(bounds, [1, 2, 4, 8].map(|n| BACKOFF_FIRST * n));
        assert_eq!(backoff(20, u64::MAX), BACKOFF_MAX);
        assert_eq!(backoff(u32::MAX, u64::MAX), BACKOFF_MAX);
        assert_eq!(backoff(3, 0), Duration::ZERO);
        assert_eq!(backoff(0, u64::MAX), BACKOFF_FIRST);
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_date_and_clamped() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let seconds = |value: &str| retry_after(value, now).map(|wait| wait.as_secs_f64());
        assert_eq!(seconds("0"), Some(0.0));
        assert_eq!(seconds(" 120 "), Some(120.0));
        assert_eq!(seconds("1.5"), Some(1.5));
        assert_eq!(seconds("999999999"), Some(86_400.0));
        assert_eq!(seconds(&"9".repeat(400)), Some(86_400.0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:57 GMT"), Some(20.0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:17 GMT"), Some(0.0));
        assert_eq!(seconds("Fri, 31 Dec 9999 23:59:59 GMT"), Some(86_400.0));
        for garbage in ["", "-5", "soon", "1e9", "1.2.3", ".", "5s", "NaN", "inf", "0x10", "Sun, 99 Nov 1994 08:49:37 GMT", "\u{0}"] {
            assert_eq!(seconds(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn when_a_quota_begins_anew_is_read_where_nothing_else_says_it() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        let asked = |status: u16, headers: &[(&str, &str)]| {
            let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            asked_for(&Answer::Http(HttpResponse { status, headers, body: bytes::Bytes::new() }), now).map(|wait| wait.as_secs_f64())
        };
        assert_eq!(asked(429, &[("ratelimit-reset", "12")]), Some(12.0));
        assert_eq!(asked(429, &[("x-ratelimit-reset", "1800000030")]), Some(30.0));
        assert_eq!(asked(429, &[("x-ratelimit-reset", "1800000030500")]), Some(30.5));
        assert_eq!(asked(503, &[("x-rate-limit-reset", "1700000000")]), Some(0.0), "it has begun");
        assert_eq!(asked(429, &[("retry-after", "7"), ("ratelimit-reset", "12")]), Some(7.0), "the standard's own goes first");
        assert_eq!(asked(429, &[("retry-after", "soon"), ("ratelimit-reset", "12")]), Some(12.0));
        assert_eq!(asked(200, &[("ratelimit-reset", "12")]), None, "many send it with every answer");
        for garbage in ["", "-5", "soon", "NaN", "inf", "1e400"] {
            assert_eq!(asked(429, &[("ratelimit-reset", garbage)]), None, "{garbage}");
        }
    }

    proptest! {
        #[test]
        fn no_header_can_ask_for_more_than_the_limit(value in ".{0,60}", at in 0u64..10_000_000_000) {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
            prop_assert!(retry_after(&value, now).unwrap_or_default() <= ASKED_MAX);
            prop_assert!(quota_reset(&value, now).unwrap_or_default() <= ASKED_MAX);
        }

        #[test]
        fn a_wait_stays_within_the_bound_of_its_attempt(attempt in 0u32..100, random: u64) {
            prop_assert!(backoff(attempt, random) <= backoff(attempt, u64::MAX));
        }
    }
}
