//! The writing end of a journal: a thread that appends and fsyncs in groups.
//!
//! Everything queued while one group is being fsynced makes up the next one, so a slow disk makes groups larger and not the run slower.

use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use futures::channel::oneshot;
use outflow_contract::state_store::AppendLog;
use outflow_contract::{Error, Kind, Result};

use super::{Frame, Intent, Outcome, Refused, frame};

/// The right to send one request (rule 7): its intent is durable. Whoever sends takes it by value, and there is no other way to get one.
#[derive(Debug)]
pub struct SendPermit {
    sequence: u32,
}

impl SendPermit {
    /// The number of the intent.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }
}

/// The writing end of a journal. Clones write to the same one.
///
/// After an error nothing more is appended, and everything that waits or comes later gets that error.
#[derive(Clone)]
pub struct Journal {
    handle: Arc<Handle>,
}

/// Ends the thread when the last clone goes.
struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Frames, encoded, in the order in which they came.
    bytes: Vec<u8>,
    /// Those who wait for what is in `bytes` to be durable.
    waiters: Vec<oneshot::Sender<()>>,
    /// How many bytes have come, and how many of them are in the log.
    queued: u64,
    appended: u64,
    /// Those who wait for so many bytes to be in the log.
    behind: Vec<(u64, oneshot::Sender<()>)>,
    closing: bool,
    /// Set once, when the thread ends.
    ended: Option<Ended>,
}

/// How the thread ended. Kept apart from `Error`, since many get it.
#[derive(Clone)]
enum Ended {
    Closed,
    Failed(Kind, String),
}

impl Journal {
    /// Begins a journal in an empty log.
    pub fn begin(log: Box<dyn AppendLog>) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let writer = Writer { shared: shared.clone(), log, waiters: Vec::new() };
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| Error::io("could not start the thread that writes the journal", error))?;
        Ok(Self { handle: Arc::new(Handle { shared, thread: Mutex::new(Some(thread)) }) })
    }

    /// Queues an intent at once. The future ends when it is durable; dropping it does not take the intent back.
    pub fn intent(&self, intent: Intent) -> impl Future<Output = Result<SendPermit>> + Send + 'static + use<> {
        let sequence = intent.sequence;
        let (sender, receiver) = oneshot::channel();
        let queued = self.push(&Frame::Intent(intent), Some(sender));
        let shared = self.handle.shared.clone();
        async move {
            queued?;
            receiver.await.map_err(|_| shared.lock().why())?;
            Ok(SendPermit { sequence })
        }
    }

    /// Queues an outcome. It is appended promptly, and durable with the next group or at the end.
    ///
    /// Only for the last attempt under its intent (rule 8): [`crate::decide::conclude`] tells what may be said.
    pub fn outcome(&self, outcome: Outcome) -> Result<()> {
        self.push(&Frame::Outcome(outcome), None)
    }

    /// Ends when everything that was queued before is in the log, durable or not: then it outlives this process, if not the machine.
    ///
    /// A request whose intent was made durable ahead of its turn waits for this, or more requests than may be under way at once could be
    /// without an outcome when the process is killed.
    pub fn appended(&self) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        let shared = self.handle.shared.clone();
        let receiver = {
            let mut queue = shared.lock();
            let (sender, receiver) = oneshot::channel();
            let queued = queue.queued;
            (queue.appended < queued).then(|| {
                queue.behind.push((queued, sender));
                receiver
            })
        };
        async move {
            match receiver {
                Some(receiver) => receiver.await.map_err(|_| shared.lock().why()),
                None => Ok(()),
            }
        }
    }

    /// Queues records that failed before any request.
    pub fn refused(&self, refused: Refused) -> Result<()> {
        self.push(&Frame::Refused(refused), None)
    }

    /// Appends and fsyncs everything, and ends the journal for all clones. Blocks. A second call gives the same answer.
    pub fn close(&self) -> Result<()> {
        self.handle.join();
        match &self.handle.shared.lock().ended {
            Some(Ended::Closed) => Ok(()),
            Some(Ended::Failed(kind, message)) => Err(Error::new(*kind, message.clone())),
            None => Err(Error::bug("the journal's thread has not ended")),
        }
    }

    fn push(&self, frame: &Frame, waiter: Option<oneshot::Sender<()>>) -> Result<()> {
        // Encoded here, so that the one thread has only to write.
        let bytes = frame::encode(frame)?;
        let mut queue = self.handle.shared.lock();
        if queue.closing || queue.ended.is_some() {
            return Err(queue.why());
        }
        queue.bytes.extend_from_slice(&bytes);
        queue.queued += bytes.len() as u64;
        queue.waiters.extend(waiter);
        self.handle.shared.wake.notify_one();
        Ok(())
    }
}

impl Handle {
    fn join(&self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take()
            && thread.join().is_err()
        {
            // Its guard has told everybody; there is nobody else to tell.
            tracing::error!("the journal's thread panicked");
        }
    }
}

impl Drop for Handle {
    /// What was queued is on disk when the last clone has gone, closed or not.
    fn drop(&mut self) {
        self.join();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Why nothing more can be written.
    fn why(&self) -> Error {
        match &self.ended {
            Some(Ended::Failed(kind, message)) => Error::new(*kind, message.clone()),
            _ => Error::bug("the journal is closed"),
        }
    }

    /// So many bytes more are in the log.
    fn has_appended(&mut self, bytes: u64) {
        self.appended += bytes;
        for (_, waiter) in self.behind.extract_if(.., |(queued, _)| *queued <= self.appended) {
            // One who no longer waits has given up.
            waiter.send(()).ok();
        }
    }

    fn end(&mut self, ended: Ended) {
        self.ended.get_or_insert(ended);
        // Dropping a sender tells its waiter; they then ask why.
        self.waiters.clear();
        self.behind.clear();
        self.bytes = Vec::new();
    }
}

struct Writer {
    shared: Arc<Shared>,
    log: Box<dyn AppendLog>,
    /// Those who wait for the present group. Here, and not on the stack, so that they learn of an end only once its reason is known.
    waiters: Vec<oneshot::Sender<()>>,
}

impl Writer {
    fn run(mut self) {
        // Whatever happens, even a panic in the log, nobody may wait for ever. Dropped before `self`, and so before the waiters.
        let guard = EndGuard(self.shared.clone());
        let ended = match self.write_groups() {
            Ok(()) => Ended::Closed,
            Err(error) => Ended::Failed(error.kind(), error.to_string()),
        };
        guard.0.lock().end(ended);
    }

    fn write_groups(&mut self) -> Result<()> {
        let mut unsynced = false;
        loop {
            let (bytes, closing) = self.next_group();
            if !bytes.is_empty() {
                self.log.append(&bytes)?;
                unsynced = true;
                self.shared.lock().has_appended(bytes.len() as u64);
            }
            // Outcomes alone need no fsync: losing one makes a record unknown, which is safe.
            if unsynced && (closing || !self.waiters.is_empty()) {
                self.log.sync()?;
                unsynced = false;
            }
            for waiter in self.waiters.drain(..) {
                // One who no longer waits has given up; the intent stays, and so its records are unknown.
                waiter.send(()).ok();
            }
            if closing {
                return Ok(());
            }
        }
    }

    /// Waits for something to do, and takes all of it.
    fn next_group(&mut self) -> (Vec<u8>, bool) {
        let mut queue = self.shared.lock();
        while queue.bytes.is_empty() && !queue.closing {
            queue = self.shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        self.waiters = std::mem::take(&mut queue.waiters);
        (std::mem::take(&mut queue.bytes), queue.closing)
    }
}

struct EndGuard(Arc<Shared>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.lock().end(Ended::Failed(Kind::Bug, "the journal's thread ended unexpectedly".to_owned()));
    }
}
