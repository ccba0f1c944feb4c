//! Somebody wants the run to end: nothing new begins, what is under way is finished, and what was acknowledged is committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use outflow_contract::{Error, Kind, Result};
use tokio::sync::Notify;

/// How long requests under way may still take once the run is to end. Those that take longer are given up: the next sync settles them.
pub const GRACE: Duration = Duration::from_secs(10);

/// Asked for from outside, looked at by whatever takes its time. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    asked: AtomicBool,
    told: Notify,
}

impl Cancel {
    /// Asks for it. More than once is no more than once.
    pub fn ask(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        self.0.told.notify_waiters();
    }

    /// Was it asked for?
    pub fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Waits until it is asked for.
    pub async fn asked(&self) {
        loop {
            // Before the flag is read, or what is asked in between is missed.
            let told = self.0.told.notified();
            if self.is_asked() {
                return;
            }
            told.await;
        }
    }

    /// What `work` comes to, or that the run is to end; then the work is dropped where it stands.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.asked() => Err(Error::new(Kind::Cancelled, "the run was asked to end")),
            done = work => done,
        }
    }

    /// The same for work that comes to nothing, such as waiting.
    pub(crate) async fn or_after(&self, work: impl Future<Output = ()>) -> Result<()> {
        let work = async {
            work.await;
            Ok(())
        };
        self.or(work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_dropped_once_the_end_is_asked_for_and_done_before_that() {
        let cancel = Cancel::default();
        assert_eq!(cancel.or(async { Ok(7) }).await.unwrap(), 7);
        let asked = cancel.clone();
        tokio::spawn(async move { asked.ask() });
        let ended = cancel.or(std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!(ended.kind(), Kind::Cancelled);
        assert!(cancel.or(async { Ok(7) }).await.is_err(), "it stays asked for");
    }
}
