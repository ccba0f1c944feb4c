//! What the pace promises, on a clock of the test's own.

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
