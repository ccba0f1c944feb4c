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
