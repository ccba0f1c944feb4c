//! The real clock.

use std::time::{Duration, Instant, SystemTime};

use futures::future::{BoxFuture, FutureExt};
use outflow_contract::clock::Clock;

/// Time of the machine, randomness of the operating system.
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[allow(clippy::disallowed_methods, reason = "this is the clock that everybody else goes through")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the clock that everybody else goes through")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }

    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        // The system's generator does not fail on any supported platform; a hash of the time is still unique enough for jitter.
        if getrandom::fill(&mut bytes).is_err() {
            let hash = blake3::hash(format!("{:?}{:?}", self.wall(), self.monotonic()).as_bytes());
            bytes.copy_from_slice(&hash.as_bytes()[..8]);
        }
        u64::from_le_bytes(bytes)
    }
}

/// What every clock must do, in code: the guarantees of the seam. Returns what does not hold.
#[cfg(test)]
async fn conformance(clock: &dyn Clock) -> Vec<String> {
    let mut violations = Vec::new();
    let mut last = clock.monotonic();
    for _ in 0..1_000 {
        let now = clock.monotonic();
        if now < last {
            violations.push(format!("monotonic time went back from {last:?} to {now:?}"));
        }
        last = now;
    }
    for wait in [Duration::ZERO, Duration::from_micros(1), Duration::from_millis(20)] {
        let start = clock.monotonic();
        clock.sleep(wait).await;
        let slept = clock.monotonic().saturating_sub(start);
        if slept < wait {
            violations.push(format!("a sleep of {wait:?} ended after {slept:?}"));
        }
    }
    let drawn: std::collections::HashSet<u64> = (0..1_000).map(|_| clock.random()).collect();
    if drawn.len() < 1_000 {
        violations.push(format!("of 1,000 random numbers {} were drawn before", 1_000 - drawn.len()));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_real_clock_keeps_the_guarantees_of_the_seam() {
        assert_eq!(conformance(&SystemClock::new()).await, Vec::<String>::new());
    }
}
