//! map and deliver: the sealed change set becomes requests, and answers become outcomes in the journal.
//!
//! ```text
//! sealed parts ─► payloads: map by batch, on every core ─► batch: cut into requests
//!   ─► request: intent (durable) ─► permit ─► transport ─► decode ─► outcome
//!               ▲ group commit                  ▲ pace          └► again, within its attempts
//! ```
//!
//! Every byte that leaves has a durable intent (I1): only [`outflow_ledger::journal`] makes the permit that the transport wants.
//! Memory: a few batches and the requests under way. Order: each record is in one request of a sync, so none overtakes itself.

pub mod batch;
mod excerpt;
pub mod pace;
pub(crate) mod payloads;
mod reasons;
mod request;
mod results;
pub mod retry;
pub mod transport;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures::stream::{self, StreamExt};
use outflow_contract::clock::Clock;
use outflow_contract::destination::Destination;
use outflow_contract::outcome::Answer;
use outflow_contract::secret::Redactor;
use outflow_contract::{Error, Result};
use outflow_ledger::journal::Journal;

use batch::{Batcher, Draft};
use pace::Pace;
use transport::Transport;

use crate::cancel::{Cancel, GRACE};

pub(crate) use reasons::not_sent;
pub(crate) use request::with_key;
pub use results::Results;

/// Chunks that are mapped ahead of the requests.
const CHUNKS_AHEAD: usize = 2;

/// The last answer that was read.
pub type Heard = Arc<Mutex<Option<Answer>>>;

/// The delivery of one sync.
pub struct Delivery {
    /// What the payloads are made of.
    pub(crate) reading: Arc<payloads::Reading>,
    /// Time and jitter.
    pub clock: Arc<dyn Clock>,
    /// Where it goes.
    pub destination: Arc<dyn Destination>,
    /// How it gets there.
    pub transport: Arc<Transport>,
    /// How fast.
    pub pace: Pace,
    /// Where intents and outcomes are kept.
    pub journal: Journal,
    /// The run.
    pub epoch: u64,
    /// Takes secrets out of samples.
    pub redactor: Redactor,
    /// Counts delivered and failed records, for the progress display.
    pub progress: Arc<AtomicU64>,
    /// The number of the next intent.
    pub sequence: AtomicU32,
    /// Set once nothing more should leave.
    pub stopped: AtomicBool,
    /// Somebody wants the run to end.
    pub cancel: Cancel,
    /// Is handed every answer that is read, where somebody wants to see it.
    pub heard: Option<Heard>,
}

impl Delivery {
    /// Delivers everything, or as much as can be, and says what became of it. An error is one of ours or of the disk: what the
    /// destination refuses is a result.
    pub async fn run(self: &Arc<Self>) -> Result<Results> {
        let results = Results::new(Arc::clone(self));
        let concurrency = self.destination.limits().concurrency_max.unwrap_or(usize::MAX).min(self.pace.allowed()).max(1);
        self.send_again(&results).await?;

        let resent = results.answered();
        let chunks = payloads::stream(Arc::clone(&self.reading), resent);
        let drafts = self.drafts(chunks, &results);
        let mut failure = None;
        {
            let mut sending = std::pin::pin!(drafts.map(|draft| self.send_draft(draft, &results)).buffer_unordered(concurrency));
            let mut ending = std::pin::pin!(self.graceful_end());
            loop {
                let sent = tokio::select! {
                    sent = sending.next() => sent,
                    () = &mut ending => {
                        results.note_unread();
                        break;
                    }
                };
                let Some(sent) = sent else { break };
                if let Err(error) = sent {
                    // What is under way is given up; it stays without an outcome, that is, unknown.
                    failure = Some(error);
                    break;
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(results),
        }
    }

    /// Requests of an earlier run whose answers were never read go first, byte for byte, under their first keys (rule 21).
    async fn send_again(self: &Arc<Self>, results: &Results) -> Result<()> {
        if !self.reading.sealed.unknown {
            return Ok(());
        }
        let rebuilt = payloads::rebuild(Arc::clone(&self.reading)).await?;
        for (origin, draft) in rebuilt {
            if !self.is_stopped() {
                request::send_again(self, origin, draft, results).await?;
            }
        }
        Ok(())
    }

    /// Cuts mapped chunks into requests; records that cannot be sent are refused on the way.
    fn drafts<'a>(
        &'a self,
        chunks: impl futures::Stream<Item = Result<payloads::Chunk>> + Send + 'a,
        results: &'a Results,
    ) -> impl futures::Stream<Item = Result<Draft>> + Send + 'a {
        let batcher = Batcher::new(self.destination.limits());
        let state = (Box::pin(chunks), batcher, false);
        stream::unfold(state, move |(mut chunks, mut batcher, ended)| async move {
            if ended || self.is_stopped() {
                return None;
            }
            let (drafts, ended) = match chunks.next().await {
                Some(Ok(chunk)) => {
                    results.refuse_locally(chunk.failed);
                    (batcher.push(chunk.draft).into_iter().map(Ok).collect::<Vec<_>>(), false)
                }
                Some(Err(error)) => (vec![Err(error)], true),
                None => (batcher.finish().map(Ok).into_iter().collect(), true),
            };
            results.refuse_locally(batcher.take_rejected().into_iter().map(payloads::Failed::too_large).collect());
            Some((stream::iter(drafts), (chunks, batcher, ended)))
        })
        .flatten()
    }

    async fn send_draft(self: &Arc<Self>, draft: Result<Draft>, results: &Results) -> Result<()> {
        let draft = draft?;
        if self.is_stopped() {
            return Ok(());
        }
        request::send(self, draft, results).await
    }

    /// Once the run is to end, and what was under way then has had its time.
    async fn graceful_end(&self) {
        self.cancel.asked().await;
        self.clock.sleep(GRACE).await;
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.cancel.is_asked()
    }

    /// Sends nothing more in this sync.
    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn next_sequence(&self) -> Result<u32> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        if sequence == u32::MAX { Err(Error::bug("a sync has more requests than numbers")) } else { Ok(sequence) }
    }
}
