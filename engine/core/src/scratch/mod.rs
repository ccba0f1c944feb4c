//! scratch: what does not fit in memory, in files that are no part of the state.
//!
//! They lie in a folder of the state that belongs to this process (`tmp/…/scratch-N`). It is removed when its work ends, and after a
//! kill by the next process that opens the state. Nothing of it is made durable, and nothing of it is ever read by another process.
//!
//! | file | holds |
//! |---|---|
//! | `batches` | Arrow batches, to be read once |
//! | `piles` | records of a fixed size, written in one order and read back by pile |
//! | `entries` | how entries of change sets are such records |
//! | `places` | such piles by the places of values, so that values are read from front to back |

mod batches;
mod entries;
mod piles;
mod places;

use std::fs::File;
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use outflow_contract::state_store::{Scratch, StateStore};
use outflow_contract::{Error, Result};

pub use batches::{BatchFile, BatchWriter};
pub use piles::{Piles, Stored, numbers, put};
pub use places::{ByPlace, Placed};

/// How much is gathered before it is written, if nothing limits it.
const BLOCK_BYTES_MAX: usize = 3 << 20;
/// The share of a limit on memory that a block may take.
const BLOCK_SHARE: usize = 128;

/// The folder of one piece of work.
pub struct Folder {
    scratch: Scratch,
    block_bytes: usize,
    next: AtomicU64,
}

impl Folder {
    /// An empty one, on the disk of the state, for work in a process that may hold so many bytes, if there is a limit.
    pub fn new(store: &dyn StateStore, memory: Option<usize>) -> Result<Arc<Self>> {
        let block_bytes = memory.map_or(BLOCK_BYTES_MAX, |memory| (memory / BLOCK_SHARE).min(BLOCK_BYTES_MAX));
        Ok(Arc::new(Self { scratch: store.scratch()?, block_bytes, next: AtomicU64::new(0) }))
    }

    /// So much is gathered before it is written.
    fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// The path of a further file.
    pub fn file(&self, what: &str) -> PathBuf {
        self.scratch.path().join(format!("{what}-{}", self.next.fetch_add(1, Ordering::Relaxed)))
    }
}

/// A file that is removed when it is dropped, so that its room is free before its folder's work has ended.
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    fn create(path: PathBuf) -> Result<Self> {
        let opened = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = opened.map_err(|error| unwritten(&path, error))?;
        Ok(Self { file, path })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What is left goes with its folder.
        drop(std::fs::remove_file(&self.path));
    }
}

/// What to say when a file of the scratch folder cannot be written.
fn unwritten(path: &Path, error: IoError) -> Error {
    let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let error = Error::io(format!("could not write {}, where what does not fit in memory is kept", path.display()), error);
    if full {
        error.remedy("make room on the disk of the state, or allow more memory with `--memory`; nothing was changed")
    } else {
        error.remedy("check the disk of the state, then run again; nothing was changed")
    }
}

/// What to say when it cannot be read back.
fn unread(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::io(format!("could not read {} back", path.display()), error).remedy("check the disk of the state, then run again")
}
