//! Seam: where state is kept.
//!
//! The functions block: they are called from threads that may. That keeps the store, and the simulated one of the
//! crash sweep, free of a runtime; a store in the cloud drives its own.

use std::any::Any;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::Result;

/// What became of an exclusive create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Create {
    /// It did not exist, and now it does, durably.
    Created,
    /// It exists with exactly these bytes: an earlier attempt of ours got through.
    Ours,
    /// It exists with other bytes, which are these.
    Theirs(Bytes),
    /// It cannot be told. Nothing may be deleted or assumed.
    Unknown,
}

/// Where state is kept. Paths are relative, of the form `models/users/commits/7.json`; `..` and absolute ones are refused.
///
/// Guarantees of an implementation:
/// - `create` and `Writer::finish` are atomic (the whole object, or none), exclusive (one winner for a path) and
///   durable when they return. Bodies carry a nonce, so that equal bytes mean the same writer.
/// - `read` after a `create` that returned sees it; `list` too.
/// - Objects are private to the user.
/// - A lock excludes every other process and every other holder in this one, until it is dropped or the process ends.
pub trait StateStore: Send + Sync {
    /// Creates `path` with `body` if it does not exist.
    fn create(&self, path: &str, body: Bytes) -> Result<Create>;
    /// The whole object, or `None` if there is none.
    fn read(&self, path: &str) -> Result<Option<Bytes>>;
    /// The paths below `prefix` (a folder, without the slash), sorted. Empty if there is none.
    fn list(&self, prefix: &str) -> Result<Vec<String>>;
    /// Deletes `path`, durably; no error if it is not there.
    fn delete(&self, path: &str) -> Result<()>;
    /// Begins a large object; nothing is visible at `path` before `finish`.
    fn writer(&self, path: &str) -> Result<Box<dyn ObjectWriter>>;
    /// Opens a large object for reading at any place. An error of kind `NotFound` if there is none.
    fn open(&self, path: &str) -> Result<Arc<dyn ObjectReader>>;
    /// Begins an append-only log at `path`, which must not exist.
    fn append(&self, path: &str) -> Result<Box<dyn AppendLog>>;
    /// Takes the lock `name`, or returns `None` if somebody holds it.
    fn try_lock(&self, name: &str) -> Result<Option<Lock>>;
    /// A folder for files that need not outlive the process, on the same disk.
    fn scratch(&self) -> Result<Scratch>;
    /// Moves everything below the folder `from` below the folder `to`, where nothing is: out of the way, and not lost.
    fn set_aside(&self, from: &str, to: &str) -> Result<()> {
        for path in self.list(from)? {
            let body = self.read(&path)?.unwrap_or_default();
            self.create(&format!("{to}{}", path.strip_prefix(from).unwrap_or(&path)), body)?;
            self.delete(&path)?;
        }
        Ok(())
    }
    /// Where the state is, for people.
    fn location(&self) -> String;
}

/// A large object on its way.
pub trait ObjectWriter: io::Write + Send {
    /// Makes it durable and visible, if its path is still free. Dropping it instead leaves nothing behind.
    fn finish(self: Box<Self>) -> Result<Create>;
}

/// A large object, read at any place.
pub trait ObjectReader: Send + Sync {
    /// Its size in bytes.
    fn size(&self) -> u64;
    /// The bytes from `offset` on; an error if there are fewer than `length`.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes>;
    /// The same into a buffer, which is filled whole.
    fn read_into(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        buffer.copy_from_slice(&self.read_at(offset, buffer.len())?);
        Ok(())
    }
}

/// An append-only log: the journal of a run.
pub trait AppendLog: Send {
    /// Appends bytes; after this a killed process has not lost them, a machine without power may have.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;
    /// Makes all that was appended durable. After an error the log must not be used again.
    fn sync(&mut self) -> Result<()>;
}

/// A held lock; dropping it lets it go.
pub struct Lock(#[allow(dead_code, reason = "held for its drop")] Box<dyn Any + Send + Sync>);

impl Lock {
    /// A lock that lasts as long as `guard`.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

/// A folder that is removed when it is dropped.
pub struct Scratch {
    path: std::path::PathBuf,
}

impl Scratch {
    /// Takes over `path`, which exists.
    pub fn new(path: std::path::PathBuf) -> Self {
        Self { path }
    }

    /// The folder.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover folder is harmless: the next run removes it.
        drop(std::fs::remove_dir_all(&self.path));
    }
}
