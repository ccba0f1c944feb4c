//! How fast requests leave: so many at once, so many in a time, not before a given moment, and not at all to a destination that is
//! out of order. One for each destination, shared by all its syncs in this process.
//!
//! ```text
//! admit ─► turn (first come, first served) ─► room at once? ─► rate limit? ─► not before? ─► breaker? ─► Admission
//!                                                 ▲                                              │ finish
//!                                                 └────── good: a little more ◄──────────────────┤
//!                                                         congested: half as many ◄──────────────┘
//! ```
//!
//! Invariants: never more than `concurrency` requests under way, never fewer than 1 allowed; never more than
//! `RateLimit::requests` admitted in any stretch of `RateLimit::per`; none admitted before the moment that the
//! destination asked for, up to `RETRY_AFTER_MAX`, nor before a backoff that grows for as long as it asks and takes nothing. One that asks for patience again and again, and takes nothing for
//! `THROTTLED_MAX`, is not waited for any longer. Dropping an [`Admission`] or the future of [`Pace::admit`] gives its place back.
//! Not here: the wait of one request before it is tried again (`retry`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use outflow_contract::clock::Clock;
use outflow_contract::limits::{ASKED_MAX, RETRY_AFTER_MAX, THROTTLED_MAX};
use outflow_contract::outcome::Rejection;
use outflow_contract::plan::RateLimit;
use tokio::sync::Notify;

use super::breaker::{Breaker, Leave, Trouble};
use super::retry::backoff;
use crate::time::rfc3339;

/// The rate limit remembers at most so many admissions; a larger one is kept in shorter stretches.
const REMEMBERED_MAX: u32 = 1024;

/// How a request went, as far as the pace is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// Answered in peace, whatever the answer said of the records.
    Good,
    /// The destination asks for patience: too many at once.
    Throttled {
        /// For so long from now, at least; at most `ASKED_MAX`.
        wait: Duration,
    },
    /// It failed, or is not reached at all.
    Failed(Trouble, Rejection),
    /// Says nothing about the destination: cancelled work.
    Neutral,
}

/// The pace of one destination. Clones share it.
#[derive(Clone)]
pub struct Pace {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    concurrency: usize,
    rate: Option<RateLimit>,
    state: Mutex<State>,
    /// Whose turn it is; a fair lock, so that nobody starves.
    turn: tokio::sync::Mutex<()>,
    /// Told when room may have been made. Only the holder of `turn` listens.
    freed: Notify,
}

struct State {
    /// How many may be under way; whole numbers count, the fraction is growth under way.
    allowed: f64,
    under_way: usize,
    /// Number of admissions so far.
    admitted: u64,
    /// `admitted` when `allowed` was last halved: requests that left before that have nothing new to say.
    halved_at: u64,
    /// When the latest admissions happened, oldest first, as many as the rate limit needs.
    recent: VecDeque<Duration>,
    not_before: Duration,
    /// How often the destination has asked for patience, with nothing taken in between.
    throttled: u32,
    /// Since when the destination has asked for patience and taken nothing.
    throttled_since: Option<Duration>,
    breaker: Breaker,
}

enum Step {
    Admitted { number: u64, tries: bool },
    WaitForRoom,
    WaitFor(Duration),
    Never(Rejection),
}

impl Pace {
    /// A pace of at most `concurrency` requests at once (at least 1), and of `rate` if there is one.
    pub fn new(concurrency: usize, rate: Option<RateLimit>, clock: Arc<dyn Clock>) -> Self {
        let concurrency = concurrency.max(1);
        let state = State {
            allowed: concurrency as f64,
            under_way: 0,
            admitted: 0,
            halved_at: 0,
            recent: VecDeque::new(),
            not_before: Duration::ZERO,
            throttled: 0,
            throttled_since: None,
            breaker: Breaker::new(),
        };
        let shared = Shared {
            clock,
            concurrency,
            rate: rate.map(in_stretches),
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::new(()),
            freed: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Another sync begins.
    pub fn begin(&self) {
        let now = self.shared.clock.monotonic();
        self.shared.state().breaker.begin(now);
    }

    /// Why nothing can be sent for the time being, if that is so: the destination is out of order, or wants more patience than a sync has.
    pub fn out_of_order(&self) -> Option<Rejection> {
        let now = self.shared.clock.monotonic();
        self.shared.state().breaker.out_of_order(now)
    }

    /// Waits until one more request may leave; or says why none will.
    pub async fn admit(&self) -> Result<Admission, Rejection> {
        let _turn = self.shared.turn.lock().await;
        loop {
            match self.shared.step() {
                Step::Admitted { number, tries } => {
                    return Ok(Admission { shared: Arc::clone(&self.shared), number, tries, feedback: Feedback::Neutral });
                }
                Step::WaitForRoom => self.shared.freed.notified().await,
                Step::WaitFor(duration) => {
                    // A request that comes back may change how long there is to wait.
                    tokio::select! {
                        () = self.shared.clock.sleep(duration) => {}
                        () = self.shared.freed.notified() => {}
                    }
                }
                Step::Never(why) => return Err(why),
            }
        }
    }

    /// How many requests may be under way at the most.
    pub fn concurrency(&self) -> usize {
        self.shared.concurrency
    }

    /// How many requests may be under way now.
    pub fn allowed(&self) -> usize {
        self.shared.state().allowed as usize
    }

    /// How many are.
    pub fn under_way(&self) -> usize {
        self.shared.state().under_way
    }
}

/// A rate limit of no more than `REMEMBERED_MAX` requests that is nowhere looser than `rate`.
fn in_stretches(rate: RateLimit) -> RateLimit {
    let stretches = rate.requests.div_ceil(REMEMBERED_MAX).max(1);
    RateLimit { requests: (rate.requests / stretches).max(1), per: rate.per / stretches }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change to it is a few assignments: a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self) -> Step {
        let now = self.clock.monotonic();
        let mut state = self.state();
        if state.under_way >= state.allowed as usize {
            return Step::WaitForRoom;
        }
        let mut ready_at = state.not_before;
        if let Some(rate) = self.rate {
            while state.recent.len() > rate.requests as usize {
                state.recent.pop_front();
            }
            if state.recent.len() == rate.requests as usize
                && let Some(oldest) = state.recent.front()
            {
                ready_at = ready_at.max(oldest.saturating_add(rate.per));
            }
        }
        if let Some(why) = state.breaker.out_of_order(now) {
            return Step::Never(why);
        }
        if ready_at > now {
            return Step::WaitFor(ready_at.saturating_sub(now));
        }
        let tries = match state.breaker.leave(now) {
            Leave::Go { tries } => tries,
            Leave::At(until) => return Step::WaitFor(until.saturating_sub(now)),
            Leave::AfterTheOne => return Step::WaitForRoom,
            Leave::No(why) => return Step::Never(why),
        };
        if self.rate.is_some() {
            state.recent.push_back(now);
        }
        state.under_way += 1;
        state.admitted += 1;
        Step::Admitted { number: state.admitted, tries }
    }

    fn finish(&self, number: u64, tries: bool, feedback: Feedback) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        state.under_way -= 1;
        match feedback {
            Feedback::Good => {
                // About one more after as many good answers as are allowed at once.
                state.allowed = (state.allowed + 1.0 / state.allowed).min(self.concurrency as f64);
                state.throttled_since = None;
                state.throttled = 0;
                state.breaker.well();
            }
            Feedback::Throttled { wait } => {
                state.throttled += u32::from(state.halve(number));
                state.breaker.well();
                // It may ask for no time at all, again and again.
                let patience = wait.min(RETRY_AFTER_MAX).max(backoff(state.throttled, self.clock.random()));
                state.not_before = state.not_before.max(now.saturating_add(patience));
                let since = *state.throttled_since.get_or_insert(now);
                if state.not_before > since.saturating_add(THROTTLED_MAX) {
                    let until = now.saturating_add(wait.min(ASKED_MAX));
                    state.breaker.give_up(until, Trouble::Throttled, self.throttled(now.saturating_sub(since), until.saturating_sub(now)));
                    state.throttled_since = None;
                }
            }
            Feedback::Failed(trouble, why) => {
                if trouble == Trouble::Silent {
                    state.halve(number);
                }
                state.breaker.failed(tries, trouble, why, now);
            }
            Feedback::Neutral if tries => state.breaker.says_nothing(now),
            Feedback::Neutral => {}
        }
        drop(state);
        self.freed.notify_one();
    }

    /// Why nothing more is sent to a destination that has asked for patience for long enough.
    fn throttled(&self, waited: Duration, wait: Duration) -> Rejection {
        let until = rfc3339(self.clock.wall() + wait);
        let waited = match waited.as_secs() {
            0..60 => String::new(),
            seconds => format!(" for {} min on end", seconds / 60),
        };
        let message = format!("the destination has asked for patience{waited} and taken nothing; it wants nothing before {until}");
        Rejection { code: "throttled".to_owned(), message }
    }
}

impl State {
    /// Half as many from now on. Requests that left together are throttled together: that is one sign, not many. Is it a new one?
    fn halve(&mut self, number: u64) -> bool {
        let new = number > self.halved_at;
        if new {
            self.allowed = (self.allowed / 2.0).floor().max(1.0);
            self.halved_at = self.admitted;
        }
        new
    }
}

/// Leave for one request. Its place is free again when this is finished or dropped.
pub struct Admission {
    shared: Arc<Shared>,
    number: u64,
    /// It shows whether a destination that failed is back.
    tries: bool,
    feedback: Feedback,
}

impl Admission {
    /// Gives the place back, and says how the request went. Dropping it says nothing.
    pub fn finish(mut self, feedback: Feedback) {
        self.feedback = feedback;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let feedback = std::mem::replace(&mut self.feedback, Feedback::Neutral);
        self.shared.finish(self.number, self.tries, feedback);
    }
}

#[cfg(test)]
mod tests;
