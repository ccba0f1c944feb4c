//! Seam: time and randomness. Nothing else in the workspace reads a clock or draws a number, so that tests own both.

use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;

/// Wall time, monotonic time, sleep and randomness.
///
/// Guarantees: `monotonic` never goes back; `sleep(d)` ends no earlier than `d` of monotonic time later.
pub trait Clock: Send + Sync {
    /// The time of day, for people and for deadlines that outlive the process.
    fn wall(&self) -> SystemTime;
    /// Time since some fixed moment of this process: for measuring and for waiting.
    fn monotonic(&self) -> Duration;
    /// Waits.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
    /// The next number of this clock's generator: for jitter and nonces. Seeded in tests.
    fn random(&self) -> u64;
}
