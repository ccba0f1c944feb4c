//! map and deliver: the sealed change set becomes requests, and answers become outcomes in the journal.
//!
//! ```text
//! sealed parts ─► payloads: map by batch, on every core ─► batch: cut into requests
//!   ─► request: intent (durable) ─► permit ─► transport ─► decode ─► outcome
//!               ▲ group commit                  ▲ pace          └► again, within its attempts; or divided, to find who is to blame
//! ```
//!
//! Every byte that leaves has a durable intent (I1): only [`outflow_ledger::journal`] makes the permit that the transport wants.
//! Memory: a batch for each core and a few more, the requests under way, and twice as many whose intents are made durable ahead of their turn. Order: each
//! record is in one request of a sync at a time, so none overtakes itself; where the destination wants deletes first, everything else
//! waits until they are through. What was refused before goes last.

mod advice;
mod attempt;
pub mod batch;
mod breaker;
mod divide;
mod excerpt;
pub mod link;
pub mod pace;
pub(crate) mod payloads;
mod reasons;
mod request;
mod results;
pub mod retry;
mod standing;
pub(crate) mod tokens;
pub mod transport;

use std::num::NonZero;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use outflow_contract::clock::Clock;
use outflow_contract::destination::{Destination, Order};
use outflow_contract::outcome::Answer;
use outflow_contract::secret::Redactor;
use outflow_contract::{Error, Result};
use outflow_ledger::journal::Journal;
use outflow_ledger::requests::Rebuild;

use batch::{Batcher, Draft};
use divide::Dividing;
use link::Link;
use payloads::Pass;
use request::{Encoded, Prepared};
use standing::{Standing, Standings};

use crate::blocking;
use crate::cancel::{Cancel, GRACE};

pub(crate) use reasons::not_sent;
pub(crate) use request::with_key;
pub use results::Results;

/// The fewest chunks that are mapped ahead of the requests: one is sent from, and the next is there when it is through.
const CHUNKS_AHEAD_MIN: usize = 2;
/// The most: what is mapped ahead is held in memory.
const CHUNKS_AHEAD_MAX: usize = 16;

/// Chunks that are mapped ahead of the requests, at the same time: as many as there are cores to do it.
fn chunks_ahead() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).clamp(CHUNKS_AHEAD_MIN, CHUNKS_AHEAD_MAX)
}

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
    /// How it gets there, and how fast.
    pub link: Link,
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
    /// Asked for once nothing more of this sync should leave.
    pub stopped: Cancel,
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
        self.link.pace.begin();
        if let Some(why) = self.link.pace.out_of_order() {
            // An earlier sync of this process has found out; nothing is lost by believing it.
            results.stop_because(&why);
            return Ok(results);
        }
        let rebuilt = if self.reading.sealed.unknown { payloads::rebuild(Arc::clone(&self.reading)).await? } else { Vec::new() };
        let reading = Arc::clone(&self.reading);
        let standings = Arc::new(blocking(move || Standings::read(&reading)).await?);
        tokio::select! {
            // On an error what is under way is given up; it stays without an outcome, that is, unknown.
            sent = self.send_all(rebuilt, &standings, &results) => sent?,
            () = self.graceful_end() => results.note_unread(),
        }
        Ok(results)
    }

    /// Sends everything, in the order that the destination wants.
    async fn send_all(self: &Arc<Self>, mut rebuilt: Vec<(Rebuild, Draft)>, standings: &Arc<Standings>, results: &Results) -> Result<()> {
        let passes: &[Pass] = match self.destination.order() {
            Order::Any => &[Pass::All],
            Order::DeletesFirst => &[Pass::Deletes, Pass::Others],
        };
        for &pass in passes {
            let of_pass = |(_, draft): &mut (_, Draft)| draft.records.ops.iter().all(|&op| pass.takes(op));
            let again: Vec<(Rebuild, Draft)> = rebuilt.extract_if(.., of_pass).collect();
            self.send_again(again, results).await?;
            for standing in standings.present() {
                self.send_pass(pass, (standing, standings), results).await?;
            }
        }
        Ok(())
    }

    /// Sends the records of one pass that stand so, as many requests at once as the pace allows.
    async fn send_pass(self: &Arc<Self>, pass: Pass, (standing, standings): (Standing, &Arc<Standings>), results: &Results) -> Result<()> {
        let concurrency = self.destination.limits().concurrency_max.unwrap_or(usize::MAX).min(self.link.pace.concurrency()).max(1);
        let (standings, done) = (Arc::clone(standings), results.answered());
        let wanted = move |position, op| pass.takes(op) && standings.of(position) == standing && !done.contains(&position);
        let chunks = payloads::stream(Arc::clone(&self.reading), wanted);
        let dividing = Dividing::new(standing);
        let drafts = self.drafts(chunks, results);
        // As many again have their intents made durable meanwhile, together, so that none under way waits for the disk. What goes out one
        // by one waits for its answers, not for the disk.
        let groups = if concurrency > 1 { 2 } else { 1 };
        let prepared = drafts.chunks(concurrency).map(|drafts| self.prepare(drafts, results)).buffered(groups).flat_map(stream::iter);
        let sent = prepared.map(|prepared| self.send_prepared(prepared, &dividing, results)).buffer_unordered(concurrency);
        let mut sending = std::pin::pin!(sent);
        while let Some(sent) = sending.next().await {
            sent?;
        }
        Ok(())
    }

    /// Requests of an earlier run whose answers were never read go first, byte for byte, under their first keys (rule 21).
    async fn send_again(self: &Arc<Self>, rebuilt: Vec<(Rebuild, Draft)>, results: &Results) -> Result<()> {
        let dividing = Dividing::new(Standing::Clear);
        for (origin, draft) in rebuilt {
            if !self.is_ending() {
                request::send_again(self, origin, draft, &dividing, results).await?;
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
            if ended || self.is_ending() {
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

    /// Encodes requests, and makes their intents durable as one group.
    async fn prepare(&self, drafts: Vec<Result<Draft>>, results: &Results) -> Vec<Result<Option<Prepared>>> {
        let encode = |draft: Result<Draft>| {
            let draft = draft?;
            if self.is_ending() { Ok(None) } else { request::encode(self, draft, results) }
        };
        // All of them before the first intent is queued: the journal takes at once whatever there is.
        let encoded: Vec<Result<Option<Encoded>>> = drafts.into_iter().map(encode).collect();
        join_all(encoded.into_iter().map(|encoded| async {
            match encoded? {
                Some(encoded) => encoded.intend(self).await.map(Some),
                None => Ok(None),
            }
        }))
        .await
    }

    async fn send_prepared(&self, prepared: Result<Option<Prepared>>, dividing: &Dividing, results: &Results) -> Result<()> {
        match prepared? {
            Some(prepared) if self.is_ending() => results.never_sent(prepared.sequence()),
            Some(prepared) => divide::send(self, prepared, dividing, results).await,
            None => Ok(()),
        }
    }

    /// Once the run is to end, and what was under way then has had its time.
    async fn graceful_end(&self) {
        self.cancel.asked().await;
        self.clock.sleep(GRACE).await;
    }

    /// Has this sync stopped, or is the run to end?
    fn is_ending(&self) -> bool {
        self.stopped.is_asked() || self.cancel.is_asked()
    }

    /// Waits until that is so.
    async fn ending(&self) {
        tokio::select! {
            () = self.stopped.asked() => {}
            () = self.cancel.asked() => {}
        }
    }

    /// Waits for as long; false if nothing is to leave any more meanwhile.
    async fn wait(&self, time: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.ending() => false,
            () = self.clock.sleep(time) => true,
        }
    }

    fn next_sequence(&self) -> Result<u32> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        if sequence == u32::MAX { Err(Error::bug("a sync has more requests than numbers")) } else { Ok(sequence) }
    }
}
