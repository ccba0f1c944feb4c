//! State in memory: every promise of a state store but that it outlives the process. For tests and dry runs.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use outflow_contract::state_store::{AppendLog, Create, Lock, ObjectReader, ObjectWriter, Scratch, StateStore};
use outflow_contract::{Error, Kind, Result};

use super::{check_name, check_path};

/// A `StateStore` in memory. Clones are the same store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    locks: HashSet<String>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for MemoryStore {
    fn create(&self, path: &str, body: Bytes) -> Result<Create> {
        check_path(path)?;
        let mut state = self.state();
        Ok(match state.objects.get(path) {
            None => {
                state.objects.insert(path.to_owned(), body);
                Create::Created
            }
            Some(found) if *found == body => Create::Ours,
            Some(found) => Create::Theirs(found.clone()),
        })
    }

    fn read(&self, path: &str) -> Result<Option<Bytes>> {
        check_path(path)?;
        Ok(self.state().objects.get(path).cloned())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        if prefix.is_empty() {
            return Ok(self.state().objects.keys().cloned().collect());
        }
        check_path(prefix)?;
        let below = format!("{prefix}/");
        Ok(self.state().objects.keys().filter(|path| path.starts_with(&below)).cloned().collect())
    }

    fn delete(&self, path: &str) -> Result<()> {
        check_path(path)?;
        self.state().objects.remove(path);
        Ok(())
    }

    fn writer(&self, path: &str) -> Result<Box<dyn ObjectWriter>> {
        check_path(path)?;
        Ok(Box::new(MemoryWriter { store: self.clone(), path: path.to_owned(), body: Vec::new() }))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ObjectReader>> {
        let body = self.read(path)?.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no {path}")))?;
        Ok(Arc::new(MemoryReader(body)))
    }

    fn append(&self, path: &str) -> Result<Box<dyn AppendLog>> {
        match self.create(path, Bytes::new())? {
            Create::Created => Ok(Box::new(MemoryLog { store: self.clone(), path: path.to_owned(), body: Vec::new() })),
            _ => Err(Error::new(Kind::Busy, format!("{path} is already being written"))),
        }
    }

    fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        check_name(name)?;
        if !self.state().locks.insert(name.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Lock::new(HeldLock { store: self.clone(), name: name.to_owned() })))
    }

    fn scratch(&self) -> Result<Scratch> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("outflow-{}-{number}", std::process::id()));
            match super::disk::create_folder(&path) {
                Ok(true) => return Ok(Scratch::new(path)),
                // Left by a dead process of the same number: not ours to remove, since it lies outside any state.
                Ok(false) => {}
                Err(error) => return Err(Error::io(format!("could not make {}", path.display()), error)),
            }
        }
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }
}

struct HeldLock {
    store: MemoryStore,
    name: String,
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        self.store.state().locks.remove(&self.name);
    }
}

struct MemoryWriter {
    store: MemoryStore,
    path: String,
    body: Vec<u8>,
}

impl Write for MemoryWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.body.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for MemoryWriter {
    fn finish(self: Box<Self>) -> Result<Create> {
        self.store.create(&self.path, Bytes::from(self.body))
    }
}

struct MemoryReader(Bytes);

impl ObjectReader for MemoryReader {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(length).filter(|&end| end <= self.0.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(self.0.slice(start..end))
    }
}

struct MemoryLog {
    store: MemoryStore,
    path: String,
    body: Vec<u8>,
}

impl AppendLog for MemoryLog {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.body.extend_from_slice(bytes);
        self.store.state().objects.insert(self.path.clone(), Bytes::copy_from_slice(&self.body));
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;

    #[test]
    fn it_keeps_the_promises_of_a_state_store() {
        conformance::all(&MemoryStore::new());
    }
}
