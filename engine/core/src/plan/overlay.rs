//! A store that is written to without being changed: what is written lies over it, in a folder that goes away.

use std::sync::Arc;

use bytes::Bytes;
use outflow_contract::state_store::{AppendLog, Create, Lock, ObjectReader, ObjectWriter, Scratch, StateStore};
use outflow_contract::{Kind, Result};
use outflow_ledger::store::LocalStore;

/// A store over another one.
pub struct Overlay {
    base: Arc<dyn StateStore>,
    top: LocalStore,
    /// Where the top is; removed in the end.
    _scratch: Scratch,
}

impl Overlay {
    /// An empty layer over `base`.
    pub fn new(base: Arc<dyn StateStore>) -> Result<Self> {
        let scratch = base.scratch()?;
        let top = LocalStore::open(&scratch.path().join("overlay"))?;
        Ok(Self { base, top, _scratch: scratch })
    }
}

impl StateStore for Overlay {
    fn create(&self, path: &str, body: Bytes) -> Result<Create> {
        match self.base.read(path)? {
            Some(there) if there == body => Ok(Create::Ours),
            Some(there) => Ok(Create::Theirs(there)),
            None => self.top.create(path, body),
        }
    }

    fn read(&self, path: &str) -> Result<Option<Bytes>> {
        match self.top.read(path)? {
            Some(body) => Ok(Some(body)),
            None => self.base.read(path),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let mut paths = self.base.list(prefix)?;
        paths.extend(self.top.list(prefix)?);
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.top.delete(path)
    }

    fn writer(&self, path: &str) -> Result<Box<dyn ObjectWriter>> {
        self.top.writer(path)
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ObjectReader>> {
        match self.top.open(path) {
            Err(error) if error.kind() == Kind::NotFound => self.base.open(path),
            opened => opened,
        }
    }

    fn append(&self, path: &str) -> Result<Box<dyn AppendLog>> {
        self.top.append(path)
    }

    fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        self.base.try_lock(name)
    }

    fn scratch(&self) -> Result<Scratch> {
        self.base.scratch()
    }

    fn location(&self) -> String {
        self.base.location()
    }
}
