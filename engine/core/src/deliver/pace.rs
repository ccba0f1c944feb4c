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
                    state.breaker.give_up(until, Trouble::Throttled, self.throttled(until.saturating_sub(now)));
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
    fn throttled(&self, wait: Duration) -> Rejection {
        let minutes = THROTTLED_MAX.as_secs() / 60;
        let until = rfc3339(self.clock.wall() + wait);
        let message =
            format!("the destination has asked for patience for {minutes} min on end and taken nothing; it wants nothing before {until}");
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
mod tests {
    use std::task::{Poll, Waker};
    use std::time::SystemTime;

    use futures::future::{BoxFuture, FutureExt, poll_fn};
    use outflow_contract::limits::{BACKOFF_FIRST, BACKOFF_MAX};

    use super::*;

    /// A clock that stands still until it is moved.
    #[derive(Default)]
    struct Still {
        now: Arc<Mutex<(Duration, Vec<Waker>)>>,
        /// Waits at random are as long as they may be, rather than next to nothing.
        slow: std::sync::atomic::AtomicBool,
    }

    impl Still {
        async fn advance(&self, duration: Duration) {
            let wakers = {
                let mut now = self.now.lock().unwrap();
                now.0 += duration;
                std::mem::take(&mut now.1)
            };
            wakers.into_iter().for_each(Waker::wake);
            settle().await;
        }
    }

    impl Clock for Still {
        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            self.now.lock().unwrap().0
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            let (now, until) = (Arc::clone(&self.now), self.monotonic() + duration);
            poll_fn(move |context| {
                let mut now = now.lock().unwrap();
                if now.0 >= until {
                    return Poll::Ready(());
                }
                now.1.push(context.waker().clone());
                Poll::Pending
            })
            .boxed()
        }

        fn random(&self) -> u64 {
            if self.slow.load(std::sync::atomic::Ordering::Relaxed) { u64::MAX } else { 4 }
        }
    }

    /// Lets every task that can go on do so.
    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(concurrency: usize, rate: Option<(u32, Duration)>) -> (Pace, Arc<Still>) {
        let clock = Arc::new(Still::default());
        let rate = rate.map(|(requests, per)| RateLimit { requests, per });
        (Pace::new(concurrency, rate, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    /// As many admissions as can be had at once.
    async fn all(pace: &Pace) -> Vec<Admission> {
        let mut admissions = Vec::new();
        while let Some(Ok(admission)) = pace.admit().now_or_never() {
            admissions.push(admission);
        }
        settle().await;
        admissions
    }

    async fn answer(pace: &Pace, feedback: Feedback) {
        all(pace).await.into_iter().for_each(|admission| admission.finish(feedback.clone()));
    }

    #[tokio::test]
    async fn no_more_than_the_concurrency_are_under_way() {
        let (pace, _) = pace(3, None);
        let mut admissions = all(&pace).await;
        assert_eq!((admissions.len(), pace.under_way()), (3, 3));
        drop(admissions.pop());
        assert_eq!(all(&pace).await.len(), 1);
    }

    #[tokio::test]
    async fn a_place_given_back_wakes_the_one_that_waits_first() {
        let (pace, _) = pace(1, None);
        let held = pace.admit().await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        for name in ["first", "second"] {
            let (pace, order) = (pace.clone(), Arc::clone(&order));
            tokio::spawn(async move {
                let _admission = pace.admit().await.unwrap();
                order.lock().unwrap().push(name);
            });
            settle().await;
        }
        assert!(order.lock().unwrap().is_empty());
        held.finish(Feedback::Good);
        settle().await;
        assert_eq!(*order.lock().unwrap(), ["first", "second"]);
    }

    #[tokio::test]
    async fn one_that_stops_waiting_does_not_hold_up_the_others() {
        let (pace, _) = pace(1, None);
        let held = pace.admit().await.unwrap();
        assert!(pace.admit().now_or_never().is_none());
        drop(held);
        assert!(pace.admit().now_or_never().is_some());
    }

    #[tokio::test]
    async fn throttled_requests_that_left_together_halve_the_pace_once() {
        let (pace, _) = pace(8, None);
        answer(&pace, Feedback::Throttled { wait: Duration::ZERO }).await;
        assert_eq!(pace.allowed(), 4);
        answer(&pace, Feedback::Throttled { wait: Duration::ZERO }).await;
        assert_eq!(pace.allowed(), 2);
    }

    #[tokio::test]
    async fn the_pace_falls_to_one_and_grows_by_one_for_each_round_of_good_answers() {
        let (pace, _) = pace(4, None);
        for _ in 0..5 {
            answer(&pace, Feedback::Throttled { wait: Duration::ZERO }).await;
        }
        assert_eq!(pace.allowed(), 1);
        answer(&pace, Feedback::Neutral).await;
        assert_eq!(pace.allowed(), 1);
        let mut grown = Vec::new();
        for _ in 0..8 {
            answer(&pace, Feedback::Good).await;
            grown.push(pace.allowed());
        }
        assert!(grown.windows(2).all(|pair| pair[1] - pair[0] <= 1), "{grown:?}");
        assert_eq!(*grown.last().unwrap(), 4);
    }

    #[tokio::test]
    async fn no_stretch_of_time_sees_more_requests_than_the_rate_limit() {
        let (pace, clock) = pace(100, Some((5, SECOND)));
        let mut times = Vec::new();
        for _ in 0..400 {
            times.extend(all(&pace).await.iter().map(|_| clock.monotonic()));
            clock.advance(Duration::from_millis(70)).await;
        }
        assert!(times.windows(6).all(|six| six[5] >= six[0] + SECOND), "{times:?}");
        // And it is used: 28 seconds at 5 a second, less what the steps of 70 ms lose.
        assert!(times.len() > 128, "{}", times.len());
    }

    #[tokio::test]
    async fn a_request_that_waits_for_the_rate_limit_leaves_when_its_time_has_come() {
        let (pace, clock) = pace(10, Some((1, SECOND)));
        drop(pace.admit().await);
        let waiting = tokio::spawn({
            let pace = pace.clone();
            async move { drop(pace.admit().await) }
        });
        clock.advance(Duration::from_millis(999)).await;
        assert!(!waiting.is_finished());
        clock.advance(Duration::from_millis(1)).await;
        assert!(waiting.is_finished());
    }

    #[test]
    fn a_large_rate_limit_is_kept_in_shorter_stretches_and_never_loosened() {
        for requests in [1, 1000, 1024, 1025, 5000, 100_000, u32::MAX] {
            let kept = in_stretches(RateLimit { requests, per: 60 * SECOND });
            let rate = |limit: RateLimit| f64::from(limit.requests) / limit.per.as_secs_f64();
            assert!(kept.requests <= REMEMBERED_MAX);
            let share = rate(kept) / (f64::from(requests) / 60.0);
            assert!(share > 0.99 && share < 1.000_001 || requests < 5000 && share > 0.5 && share <= 1.0, "{requests}: {share}");
        }
        assert_eq!(in_stretches(RateLimit { requests: 0, per: SECOND }).requests, 1);
    }

    #[tokio::test]
    async fn nothing_leaves_before_the_moment_that_the_destination_asked_for() {
        let (pace, clock) = pace(10, None);
        let [first, second, third] = [(); 3].map(|()| pace.admit().now_or_never().unwrap().unwrap());
        first.finish(Feedback::Throttled { wait: 10 * SECOND });
        second.finish(Feedback::Throttled { wait: 2 * SECOND });
        let waiting = tokio::spawn({
            let pace = pace.clone();
            async move { drop(pace.admit().await) }
        });
        settle().await;
        clock.advance(9 * SECOND).await;
        // Asked again while somebody waits already.
        third.finish(Feedback::Throttled { wait: 5 * SECOND });
        clock.advance(4 * SECOND).await;
        assert!(!waiting.is_finished());
        clock.advance(SECOND).await;
        assert!(waiting.is_finished());
    }

    #[tokio::test]
    async fn a_destination_that_takes_nothing_and_asks_for_patience_is_left_after_a_quarter_of_an_hour() {
        for wait in [SECOND, 60 * SECOND, 999_999_999 * SECOND] {
            let (pace, clock) = pace(4, None);
            let (mut sent, mut waited) = (0u64, Duration::ZERO);
            let why = loop {
                match pace.admit().now_or_never() {
                    Some(Ok(admission)) => {
                        sent += 1;
                        admission.finish(Feedback::Throttled { wait });
                    }
                    Some(Err(why)) => break why,
                    None => {
                        let step = wait.min(RETRY_AFTER_MAX);
                        clock.advance(step).await;
                        waited += step;
                    }
                }
            };
            assert!(waited <= THROTTLED_MAX && waited + 2 * wait > THROTTLED_MAX, "{waited:?}");
            assert!(sent <= 1 + THROTTLED_MAX.as_secs() / wait.min(RETRY_AFTER_MAX).as_secs() + 1, "{sent}");
            assert_eq!(why.code, "throttled");
            // The clock of the test began in 1970, and a day is the most that is believed.
            assert!(why.message.contains("it wants nothing before 1970-01-0"), "{}", why.message);
            assert_eq!(pace.out_of_order(), Some(why));
        }
    }

    #[tokio::test]
    async fn one_that_asks_for_patience_and_for_no_time_gets_waits_that_grow_until_it_takes_something() {
        let (pace, clock) = pace(8, None);
        clock.slow.store(true, std::sync::atomic::Ordering::Relaxed);
        for _ in 0..2 {
            let mut waits = Vec::new();
            for _ in 0..10 {
                answer(&pace, Feedback::Throttled { wait: Duration::ZERO }).await;
                let mut waited = Duration::ZERO;
                while pace.admit().now_or_never().is_none() {
                    clock.advance(BACKOFF_FIRST).await;
                    waited += BACKOFF_FIRST;
                }
                waits.push(waited);
            }
            assert_eq!(waits[..7], [1, 2, 4, 8, 16, 32, 64].map(|n| BACKOFF_FIRST * n), "those that left together are one sign");
            assert_eq!(waits[7..], [BACKOFF_MAX; 3]);
            answer(&pace, Feedback::Good).await;
        }
    }

    #[tokio::test]
    async fn a_destination_that_takes_something_now_and_then_is_waited_for() {
        let (pace, clock) = pace(1, None);
        for round in 0..100 {
            let admission = pace.admit().now_or_never().unwrap().unwrap();
            admission.finish(if round % 4 == 3 { Feedback::Good } else { Feedback::Throttled { wait: 240 * SECOND } });
            clock.advance(240 * SECOND).await;
        }
        assert_eq!(pace.out_of_order(), None);
    }

    #[tokio::test]
    async fn whoever_waits_for_the_one_that_tries_leaves_when_it_is_answered_and_stops_when_it_is_not() {
        for back in [true, false] {
            let (pace, clock) = pace(8, None);
            let failed = || Feedback::Failed(Trouble::Silent, Rejection { code: "no_answer".to_owned(), message: "silent".to_owned() });
            answer(&pace, failed()).await;
            clock.advance(2 * SECOND).await;
            let tries = pace.admit().now_or_never().unwrap().unwrap();
            let waiting = tokio::spawn({
                let pace = pace.clone();
                async move { pace.admit().await.map(drop) }
            });
            settle().await;
            assert!(!waiting.is_finished());
            tries.finish(if back { Feedback::Good } else { failed() });
            settle().await;
            assert_eq!(waiting.is_finished(), back);
            if !back {
                clock.advance(4 * SECOND).await;
                // It was admitted as the next one to try, and says nothing.
                assert!(waiting.is_finished());
                pace.admit().now_or_never().unwrap().unwrap().finish(failed());
                assert_eq!(pace.admit().now_or_never().unwrap().err().unwrap().code, "no_answer");
            }
        }
    }

    #[tokio::test]
    async fn clones_share_one_pace() {
        let (pace, _) = pace(2, None);
        let held = all(&pace.clone()).await;
        assert_eq!((held.len(), all(&pace).await.len()), (2, 0));
    }
}
