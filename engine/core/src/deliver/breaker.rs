//! Is it worth sending anything to this destination? Pure: whoever asks has the clock.
//!
//! ```text
//!  closed ── FAILURES_MAX in a row ──► open ── its time is over ──► half-open: one request tries
//!     ▲                                  ▲                             │
//!     ├──────── any answer but 5xx ──────┼─────────────────────────────┤
//!     │                                  └────────── it fails ─────────┤
//!     └── later, once ── out of order: nothing leaves ◄── TRIES_MAX times
//! ```
//!
//! Invariants: while it is open nothing leaves; while it is half-open one request is under way at the most; from the first failure
//! on, no more than `FAILURES_MAX + TRIES_MAX` requests leave besides those that were under way already, unless one is answered.
//! Not here: how long one request waits before it is tried again (`retry`), and how many leave at once (`pace`).

use std::time::Duration;

use outflow_contract::limits::{BREAKER_DOWN, BREAKER_FAILURES_MAX, BREAKER_FIRST, BREAKER_TRIES_MAX};
use outflow_contract::outcome::Rejection;

/// What kind of failure speaks against a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It answers, and says that it failed: that may be due to what was sent.
    Answered,
    /// No connection, or no answer.
    Silent,
    /// It asks for patience, for longer than a sync waits.
    Throttled,
}

/// May a request leave?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Yes. `tries`: it is the one that shows whether the destination is back.
    Go { tries: bool },
    /// Not before this moment.
    At(Duration),
    /// Not before the one that tries has come back.
    AfterTheOne,
    /// The destination is out of order, for this reason: whoever asks should stop.
    No(Rejection),
}

#[derive(Clone, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration, opened: u32 },
    HalfOpen { opened: u32 },
}

/// The state of one destination. Times are of the monotonic clock.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    state: State,
    /// The last failure, and its kind.
    last: Option<(Trouble, Rejection)>,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { state: State::Closed { failures: 0 }, last: None }
    }

    /// May one more leave?
    pub(super) fn leave(&mut self, now: Duration) -> Leave {
        match self.state {
            State::Closed { .. } => Leave::Go { tries: false },
            State::HalfOpen { .. } => Leave::AfterTheOne,
            State::Open { until, opened } if now >= until => {
                self.state = State::HalfOpen { opened };
                Leave::Go { tries: true }
            }
            State::Open { opened, .. } if opened > BREAKER_TRIES_MAX => Leave::No(self.why()),
            State::Open { until, .. } => Leave::At(until),
        }
    }

    /// Why nothing leaves, if the destination is out of order.
    pub(super) fn out_of_order(&self, now: Duration) -> Option<Rejection> {
        matches!(self.state, State::Open { until, opened } if now < until && opened > BREAKER_TRIES_MAX).then(|| self.why())
    }

    /// Another sync begins. Where the destination did answer, what was sent may have been to blame, and this one may try it once;
    /// otherwise one sync with a poisoned record would keep all the others back for ever.
    pub(super) fn begin(&mut self, now: Duration) {
        if let (State::Open { until, opened }, Some((Trouble::Answered, _))) = (&mut self.state, &self.last)
            && *opened > BREAKER_TRIES_MAX
        {
            *until = now;
        }
    }

    /// A request was answered, and not with a failure.
    pub(super) fn well(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// A request failed. `tries`: it was the one that tries.
    pub(super) fn failed(&mut self, tries: bool, trouble: Trouble, why: Rejection, now: Duration) {
        self.last = Some((trouble, why));
        self.state = match self.state {
            State::Closed { failures } if failures + 1 < BREAKER_FAILURES_MAX => State::Closed { failures: failures + 1 },
            State::Closed { .. } => open(1, now),
            State::HalfOpen { opened } if tries => open(opened + 1, now),
            // It left before it was opened: nothing new.
            State::HalfOpen { opened } => State::HalfOpen { opened },
            State::Open { until, opened } => State::Open { until, opened },
        };
    }

    /// The one that tries has come back and says nothing: another may try.
    pub(super) fn says_nothing(&mut self, now: Duration) {
        if let State::HalfOpen { opened } = self.state {
            self.state = State::Open { until: now, opened };
        }
    }

    /// Nothing leaves before `until`.
    pub(super) fn give_up(&mut self, until: Duration, trouble: Trouble, why: Rejection) {
        self.last = Some((trouble, why));
        self.state = State::Open { until, opened: BREAKER_TRIES_MAX + 1 };
    }

    fn why(&self) -> Rejection {
        self.last.as_ref().map_or_else(|| Rejection { code: String::new(), message: String::new() }, |(_, why)| why.clone())
    }
}

/// Opened for the so-manieth time in a row.
fn open(opened: u32, now: Duration) -> State {
    let wait = if opened > BREAKER_TRIES_MAX { BREAKER_DOWN } else { BREAKER_FIRST * 2u32.saturating_pow(opened - 1) };
    State::Open { until: now.saturating_add(wait), opened }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn why() -> Rejection {
        Rejection { code: "http_500".to_owned(), message: "down".to_owned() }
    }

    /// Every request fails from the start: when each left, until the breaker says no.
    fn all_fail(breaker: &mut Breaker, trouble: Trouble) -> Vec<Duration> {
        let (mut now, mut left) = (Duration::ZERO, Vec::new());
        loop {
            match breaker.leave(now) {
                Leave::Go { tries } => {
                    left.push(now);
                    breaker.failed(tries, trouble, why(), now);
                }
                Leave::At(until) => now = until,
                Leave::AfterTheOne => panic!("nobody tries"),
                Leave::No(_) => return left,
            }
            assert!(left.len() < 100);
        }
    }

    #[test]
    fn a_destination_that_is_down_is_given_up_after_a_few_requests_and_a_few_waits() {
        let left = all_fail(&mut Breaker::new(), Trouble::Silent);
        assert_eq!(left.len() as u32, BREAKER_FAILURES_MAX + BREAKER_TRIES_MAX);
        assert!(*left.last().unwrap() <= BREAKER_FIRST * 2u32.pow(BREAKER_TRIES_MAX), "{left:?}");
    }

    #[test]
    fn failures_between_answers_do_not_open_it() {
        let mut breaker = Breaker::new();
        for _ in 0..100 {
            for _ in 1..BREAKER_FAILURES_MAX {
                breaker.failed(false, Trouble::Answered, why(), SECOND);
            }
            breaker.well();
            assert_eq!(breaker.leave(SECOND), Leave::Go { tries: false });
        }
    }

    #[test]
    fn while_it_is_open_nothing_leaves_and_then_one_tries() {
        let mut breaker = Breaker::new();
        for _ in 0..BREAKER_FAILURES_MAX {
            breaker.failed(false, Trouble::Silent, why(), SECOND);
        }
        let Leave::At(until) = breaker.leave(SECOND) else { panic!("it is closed") };
        // One that left before it was opened fails late: that is nothing new.
        breaker.failed(false, Trouble::Silent, why(), SECOND);
        assert_eq!(breaker.leave(SECOND), Leave::At(until));
        assert_eq!(breaker.leave(until), Leave::Go { tries: true });
        assert_eq!(breaker.leave(until), Leave::AfterTheOne);
        breaker.failed(false, Trouble::Silent, why(), until);
        assert_eq!(breaker.leave(until), Leave::AfterTheOne);
        // It was dropped without a result: the next one tries.
        breaker.says_nothing(until);
        assert_eq!(breaker.leave(until), Leave::Go { tries: true });
        breaker.well();
        assert_eq!(breaker.leave(until), Leave::Go { tries: false });
    }

    #[test]
    fn another_sync_may_try_once_where_the_destination_did_answer_and_not_where_it_is_silent() {
        for (trouble, more) in [(Trouble::Answered, 1), (Trouble::Silent, 0)] {
            let mut breaker = Breaker::new();
            all_fail(&mut breaker, trouble);
            let now = BREAKER_DOWN / 2;
            assert_eq!(breaker.out_of_order(now), Some(why()));
            breaker.begin(now);
            let mut left = 0;
            while let Leave::Go { tries } = breaker.leave(now) {
                left += 1;
                breaker.failed(tries, trouble, why(), now);
            }
            assert_eq!(left, more, "{trouble:?}");
            assert_eq!(breaker.leave(now), Leave::No(why()));
        }
    }

    #[test]
    fn one_that_asked_for_patience_gets_it_and_is_tried_again_after_that() {
        let mut breaker = Breaker::new();
        breaker.give_up(10 * SECOND, Trouble::Throttled, why());
        breaker.begin(SECOND);
        assert_eq!(breaker.leave(9 * SECOND), Leave::No(why()));
        assert_eq!(breaker.leave(10 * SECOND), Leave::Go { tries: true });
    }

    proptest! {
        /// Whatever happens in whatever order: no two try at once, and an answer always closes it.
        #[test]
        fn at_most_one_tries_at_once(events in proptest::collection::vec((0u8..5, 0u64..20), 0..200)) {
            let (mut breaker, mut now, mut trying) = (Breaker::new(), Duration::ZERO, false);
            for (event, seconds) in events {
                now += SECOND * seconds as u32;
                match event {
                    0 | 1 => if let Leave::Go { tries } = breaker.leave(now) {
                        prop_assert!(!(tries && trying));
                        trying |= tries;
                    },
                    2 => {
                        breaker.failed(std::mem::take(&mut trying), Trouble::Answered, why(), now);
                    }
                    3 => {
                        breaker.well();
                        trying = false;
                        prop_assert_eq!(breaker.leave(now), Leave::Go { tries: false });
                    }
                    _ => if std::mem::take(&mut trying) { breaker.says_nothing(now) },
                }
            }
        }
    }
}
