//! The simulated disk as a `StateStore`: what is visible and what is durable are two things, and every step can go wrong.
//!
//! | step | visible | durable |
//! |---|---|---|
//! | `create`, `finish` | with its name | once it returns: the name's folder is fsynced, content before that |
//! | `append` | each frame at once | with the next `sync`; so is the log's name |
//! | `delete` | gone | gone once it returns |
//! | `list` | | the names right in that folder, the first time that a process lists it |

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use outflow_contract::state_store::{AppendLog, Create, Lock, ObjectReader, ObjectWriter, Scratch, StateStore};
use outflow_contract::{Error, Kind, Result};
use outflow_ledger::object;
use outflow_ledger::store::MemoryStore;
use serde_json::value::RawValue;

use crate::fault::{Class, Fault};
use crate::world::{File, Process, World, panic_here};

/// The disk, as one process has it.
#[derive(Clone)]
pub(crate) struct SimStore {
    process: Process,
    /// Says which paths are none, and lends folders for temporary files.
    empty: MemoryStore,
}

impl SimStore {
    pub(crate) fn new(process: Process) -> Self {
        Self { process, empty: MemoryStore::new() }
    }

    fn check(&self, path: &str) -> Result<()> {
        self.empty.read(path).map(drop)
    }

    /// A step that reads.
    fn reading<T>(&self, what: &str, act: impl FnOnce(&mut World) -> T) -> Result<T> {
        let mut world = self.process.world()?;
        match world.step(Class::Read, what) {
            None => Ok(act(&mut world)),
            Some(Fault::Panic) => {
                drop(world);
                panic_here()
            }
            Some(fault) if fault.is_death() => Err(self.process.die(&mut world, fault)),
            Some(_) => Err(failed(what, "input/output error")),
        }
    }

    /// An object gets its name: visible first, durable after that.
    fn publish(&self, what: &str, path: &str, body: Bytes) -> Result<Create> {
        let mut world = self.process.world()?;
        let fault = world.step(Class::Create, what);
        match fault {
            Some(Fault::Panic) => {
                drop(world);
                panic_here()
            }
            Some(Fault::KillBefore | Fault::PowerBefore) => return Err(self.process.die(&mut world, fault.unwrap_or(Fault::KillBefore))),
            Some(Fault::Error) => return Err(failed(what, "input/output error")),
            Some(Fault::Full) => return Err(full(what)),
            Some(Fault::UnknownNot) => return Ok(Create::Unknown),
            Some(Fault::Theirs) => {
                let body = with_another_nonce(path, &body);
                world.files.insert(path.to_owned(), File { synced: body.len(), body, named: true });
            }
            _ => {}
        }
        let created = match world.files.get(path) {
            None => {
                world.files.insert(path.to_owned(), File { synced: body.len(), body, named: false });
                Create::Created
            }
            Some(found) if found.body == body => Create::Ours,
            Some(found) => Create::Theirs(found.body.clone()),
        };
        if fault == Some(Fault::KillMiddle) {
            return Err(self.process.die(&mut world, Fault::KillMiddle));
        }
        if !matches!(created, Create::Theirs(_)) {
            world.name_is_durable(path);
        }
        match fault {
            Some(Fault::KillAfter | Fault::PowerAfter) => Err(self.process.die(&mut world, fault.unwrap_or(Fault::KillAfter))),
            Some(Fault::Lost) => Err(failed(what, "input/output error")),
            Some(Fault::UnknownDone) => Ok(Create::Unknown),
            _ => Ok(created),
        }
    }
}

impl StateStore for SimStore {
    fn create(&self, path: &str, body: Bytes) -> Result<Create> {
        self.check(path)?;
        self.publish(&format!("create {path}"), path, body)
    }

    fn read(&self, path: &str) -> Result<Option<Bytes>> {
        self.check(path)?;
        self.reading(&format!("read {path}"), |world| world.files.get(path).map(|file| file.body.clone()))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        if !prefix.is_empty() {
            self.check(prefix)?;
        }
        let below = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        self.reading(&format!("list {prefix}"), |world| {
            let mut paths: Vec<String> = world.files.keys().filter(|path| path.starts_with(&below)).cloned().collect();
            if world.lists_lag && prefix.ends_with("/commits") {
                paths.pop();
            }
            if world.durable_folders.insert(prefix.to_owned()) {
                let is_right_there = |path: &str| path.strip_prefix(&below).is_some_and(|name| !name.contains('/'));
                world.deleted.retain(|(path, _)| !is_right_there(path));
                for path in paths.iter().filter(|path| is_right_there(path)) {
                    world.name_is_durable(path);
                }
            }
            paths
        })
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.check(path)?;
        let what = format!("delete {path}");
        let mut world = self.process.world()?;
        let fault = world.step(Class::Delete, &what);
        match fault {
            Some(Fault::Panic) => {
                drop(world);
                panic_here()
            }
            Some(fault @ (Fault::KillBefore | Fault::PowerBefore)) => return Err(self.process.die(&mut world, fault)),
            Some(Fault::Error | Fault::Broken) => return Err(failed(&what, "input/output error")),
            _ => {}
        }
        if let (Some(file), Some(Fault::KillMiddle)) = (world.files.remove(path).filter(|file| file.named), fault) {
            world.deleted.push((path.to_owned(), file));
        }
        match fault {
            Some(fault) => Err(self.process.die(&mut world, fault)),
            None => Ok(()),
        }
    }

    fn writer(&self, path: &str) -> Result<Box<dyn ObjectWriter>> {
        self.check(path)?;
        Ok(Box::new(SimWriter { store: self.clone(), path: path.to_owned(), body: Vec::new() }))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ObjectReader>> {
        self.check(path)?;
        let body = self.reading(&format!("open {path}"), |world| world.files.get(path).map(|file| file.body.clone()))?;
        let body = body.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no {path}")))?;
        Ok(Arc::new(SimReader { store: self.clone(), path: path.to_owned(), body }))
    }

    fn append(&self, path: &str) -> Result<Box<dyn AppendLog>> {
        self.check(path)?;
        let what = format!("begin {path}");
        let mut world = self.process.world()?;
        let fault = world.step(Class::Begin, &what);
        match fault {
            Some(Fault::Panic) => {
                drop(world);
                panic_here()
            }
            Some(fault @ Fault::KillBefore) => return Err(self.process.die(&mut world, fault)),
            Some(Fault::Error) => return Err(failed(&what, "input/output error")),
            Some(Fault::Full) => return Err(full(&what)),
            _ => {}
        }
        if world.files.contains_key(path) {
            return Err(Error::new(Kind::Busy, format!("{path} is already being written")));
        }
        world.files.insert(path.to_owned(), File { body: Bytes::new(), synced: 0, named: false });
        match fault {
            Some(fault) if fault.is_death() => Err(self.process.die(&mut world, fault)),
            Some(Fault::Lost) => Err(failed(&what, "input/output error")),
            _ => Ok(Box::new(SimLog { store: self.clone(), path: path.to_owned(), broken: false })),
        }
    }

    fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        drop(self.empty.try_lock(name)?);
        let what = format!("lock {}", name.split('-').next().unwrap_or_default());
        let mut world = self.process.world()?;
        match world.step(Class::Lock, &what) {
            Some(fault) if fault.is_death() => return Err(self.process.die(&mut world, fault)),
            Some(_) => return Err(failed(&what, "no locks available")),
            None => {}
        }
        if !world.locks.insert(name.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Lock::new(Held { process: self.process.clone(), name: name.to_owned() })))
    }

    fn scratch(&self) -> Result<Scratch> {
        drop(self.process.world()?);
        self.empty.scratch()
    }

    fn location(&self) -> String {
        "the simulated disk".to_owned()
    }
}

struct Held {
    process: Process,
    name: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        // The locks of a dead process went with it.
        if let Ok(mut world) = self.process.world() {
            world.locks.remove(&self.name);
        }
    }
}

struct SimWriter {
    store: SimStore,
    path: String,
    body: Vec<u8>,
}

impl Write for SimWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.body.is_empty() && !bytes.is_empty() {
            let process = &self.store.process;
            let mut world = process.world().map_err(io::Error::other)?;
            match world.step(Class::Write, &format!("write {}", self.path)) {
                None => {}
                Some(Fault::Panic) => {
                    drop(world);
                    panic_here()
                }
                Some(Fault::Full) => return Err(io::ErrorKind::StorageFull.into()),
                Some(fault) if fault.is_death() => return Err(io::Error::other(process.die(&mut world, fault))),
                Some(_) => return Err(io::Error::other("input/output error")),
            }
        }
        self.body.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for SimWriter {
    fn finish(self: Box<Self>) -> Result<Create> {
        let Self { store, path, body } = *self;
        store.publish(&format!("finish {path}"), &path, Bytes::from(body))
    }
}

struct SimReader {
    store: SimStore,
    path: String,
    body: Bytes,
}

impl ObjectReader for SimReader {
    fn size(&self) -> u64 {
        self.body.len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.store.reading(&format!("read_at {}", self.path), |_| ()).map_err(io::Error::other)?;
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(length).filter(|&end| end <= self.body.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(self.body.slice(start..end))
    }
}

/// A log. After one error it refuses everything.
struct SimLog {
    store: SimStore,
    path: String,
    broken: bool,
}

/// Length and checksum before the payload of a frame.
const FRAME_HEAD_BYTES: usize = 8;

/// The frames of an append: a step each, so that it does not matter which of them came together.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let length = bytes.first_chunk::<4>().map_or(bytes.len(), |length| u32::from_le_bytes(*length) as usize);
        let (frame, rest) = bytes.split_at(length.saturating_add(FRAME_HEAD_BYTES).min(bytes.len()));
        frames.push(frame);
        bytes = rest;
    }
    frames
}

impl SimLog {
    fn append_frame(&self, frame: &[u8]) -> Result<()> {
        let (process, what) = (&self.store.process, format!("append {}", self.path));
        let mut world = process.world()?;
        let fault = world.step(Class::Append, &what);
        match fault {
            Some(Fault::Panic) => {
                drop(world);
                panic_here()
            }
            Some(fault @ (Fault::KillBefore | Fault::PowerBefore)) => return Err(process.die(&mut world, fault)),
            Some(Fault::Error) => return Err(failed(&what, "input/output error")),
            _ => {}
        }
        let is_torn = matches!(fault, Some(Fault::KillMiddle | Fault::Torn | Fault::Full));
        let kept = if is_torn { world.random() as usize % frame.len() } else { frame.len() };
        if let Some(file) = world.files.get_mut(&self.path) {
            file.body = Bytes::from([&file.body, &frame[..kept]].concat());
        }
        match fault {
            Some(fault) if fault.is_death() => Err(process.die(&mut world, fault)),
            Some(Fault::Full) => Err(full(&what)),
            Some(_) => Err(failed(&what, "input/output error")),
            None => Ok(()),
        }
    }

    fn sync_all(&self) -> Result<()> {
        let (process, what) = (&self.store.process, format!("sync {}", self.path));
        let mut world = process.world()?;
        let fault = world.step(Class::Sync, &what);
        match fault {
            Some(Fault::Panic) => {
                drop(world);
                panic_here()
            }
            Some(fault @ (Fault::KillBefore | Fault::PowerBefore)) => return Err(process.die(&mut world, fault)),
            Some(Fault::SyncDropped) => {
                if let Some(file) = world.files.get_mut(&self.path) {
                    file.body = file.body.slice(..file.synced);
                }
                return Err(failed(&what, "input/output error"));
            }
            Some(Fault::SyncKept) => return Err(failed(&what, "input/output error")),
            _ => {}
        }
        if let Some(file) = world.files.get_mut(&self.path) {
            file.synced = file.body.len();
            file.named = true;
        }
        match fault {
            Some(fault) if fault.is_death() => Err(process.die(&mut world, fault)),
            Some(_) => Err(failed(&what, "input/output error")),
            None => Ok(()),
        }
    }

    fn unbroken<T>(&mut self, act: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        if self.broken {
            return Err(Error::new(Kind::Io, format!("{} cannot be used after an error", self.path)));
        }
        let done = act(self);
        self.broken = done.is_err();
        done
    }
}

impl AppendLog for SimLog {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.unbroken(|log| frames(bytes).into_iter().try_for_each(|frame| log.append_frame(frame)))
    }

    fn sync(&mut self) -> Result<()> {
        self.unbroken(Self::sync_all)
    }
}

/// The same object as somebody else writes it. What is none of the small ones has a nonce in its name: nobody else writes it.
fn with_another_nonce(path: &str, body: &Bytes) -> Bytes {
    let encoded = object::decode::<Box<RawValue>>(path, body).and_then(|inside| object::encode(&inside, u64::MAX));
    encoded.unwrap_or_else(|_| body.clone())
}

fn failed(what: &str, why: &str) -> Error {
    Error::io(format!("could not {what}"), io::Error::other(why.to_owned()))
}

fn full(what: &str) -> Error {
    Error::io(format!("could not {what}"), io::Error::from(io::ErrorKind::StorageFull))
}
