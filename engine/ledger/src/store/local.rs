//! State on local disk.
//!
//! ```text
//!   write tmp/… ─► fsync it ─► link(2) to its name ─► fsync the folder ─► unlink tmp/…
//!                    │               └ taken: read back, ours or theirs      (the object exists from the link on,
//!                    └ failed: the object does not exist                      and durably from the folder's fsync on)
//! ```
//!
//! - Everything is below one root, private to the user. Names are only given by `link`, which is atomic and exclusive.
//! - A folder is fsynced, with all that lead to it, before the first object in it is reported durable: once for each process,
//!   since an earlier one may have been killed between making a folder and fsyncing it.
//! - A failed fsync is never repeated on the same file: the object is taken away and the caller is told.
//! - Temporary files lie in a folder that belongs to this process by a lock, so that what a dead one left can be told from
//!   what a living one uses, across containers too, where process ids mean nothing.
//!
//! Non-goals: file systems without hard links or `flock`; several machines on one folder.

mod reading;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use outflow_contract::state_store::{AppendLog, Create, Lock, ObjectReader, ObjectWriter, Scratch, StateStore};
use outflow_contract::{Error, Kind, Result};
use rustix::fs::{FlockOperation, flock};

use super::{RESERVED, check_name, check_path, disk, health};

/// How much of a large object is gathered before it is written.
const WRITE_BUFFER_BYTES: usize = 1 << 20;
/// How much of somebody else's large object is handed back.
const THEIRS_BYTES_MAX: usize = 1 << 20;
/// How often a name is tried again when its folder was tidied away under it.
const LINK_ATTEMPTS_MAX: usize = 3;

/// A `StateStore` in a folder on local disk. Cheap to share by reference; one for each process and root is enough.
pub struct LocalStore {
    disk: Arc<Disk>,
}

/// What the store shares with its writers and logs.
struct Disk {
    root: PathBuf,
    temporary: PathBuf,
    next: AtomicU64,
    durable_folders: Mutex<HashSet<PathBuf>>,
    /// Nothing may be written, and `temporary` lies elsewhere.
    read_only: bool,
    /// Marks `temporary` as in use; also removes it at the end.
    _lease: Lease,
}

impl LocalStore {
    /// Opens the store at `root`, which is made if it is not there, and removes what dead processes have left in it.
    pub fn open(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).map_err(|error| failed("open", root, error))?;
        let what = if root.exists() { "use the state in" } else { "make a folder for the state," };
        health::is_ones_own(&root)?;
        make_root(&root).map_err(|error| failed(what, &root, error))?;
        let folder = root.join("tmp");
        Self::at(root, &folder, false)
    }

    /// The store at `root`, with its temporary files in `folder`.
    fn at(root: PathBuf, folder: &Path, read_only: bool) -> Result<Self> {
        sweep(folder).map_err(|error| failed("tidy", folder, error))?;
        let (lease, temporary) = Lease::take(folder).map_err(|error| failed("write to", folder, error))?;
        let durable_folders = Mutex::new(HashSet::from([root.clone()]));
        Ok(Self { disk: Arc::new(Disk { root, temporary, next: AtomicU64::new(0), durable_folders, read_only, _lease: lease }) })
    }
}

impl StateStore for LocalStore {
    fn create(&self, path: &str, body: Bytes) -> Result<Create> {
        let disk = &self.disk;
        let target = disk.place(path)?;
        let temporary = disk.temporary_file();
        let written = disk::create_new(&temporary).and_then(|mut file| {
            file.write_all(&body)?;
            disk::sync_file(&file, &temporary)
        });
        let result = match written {
            Ok(()) => disk.publish(&temporary, &target),
            Err(error) => Err(failed_on_disk("write", &target, error)),
        };
        disk::unlink_quietly(&temporary);
        result
    }

    fn read(&self, path: &str) -> Result<Option<Bytes>> {
        check_path(path)?;
        let target = self.disk.root.join(path);
        let Some(mut file) = disk::open(&target).map_err(|error| failed("read", &target, error))? else { return Ok(None) };
        let mut body = Vec::new();
        file.read_to_end(&mut body).map_err(|error| failed("read", &target, error))?;
        Ok(Some(Bytes::from(body)))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let folder = if prefix.is_empty() {
            self.disk.root.clone()
        } else {
            check_path(prefix)?;
            self.disk.root.join(prefix)
        };
        if !self.disk.read_only && folder.is_dir() && !self.disk.is_durable(&folder) {
            // What is listed is acted upon, so it must not vanish any more: whoever made it may have died before its fsync.
            self.disk.sync_names(&folder).map_err(|error| failed("list", &folder, error))?;
        }
        let mut paths = Vec::new();
        walk(&folder, prefix, &mut paths).map_err(|error| failed("list", &folder, error))?;
        paths.sort_unstable();
        Ok(paths)
    }

    fn delete(&self, path: &str) -> Result<()> {
        check_path(path)?;
        let target = self.disk.root.join(path);
        if self.disk.read_only {
            return Err(reading::refused(&target));
        }
        match std::fs::remove_file(&target) {
            Ok(()) => {
                self.disk.sync_deletion(&target).map_err(|error| failed("delete", &target, error))?;
                self.disk.drop_empty_folders(&target);
            }
            Err(error) if disk::is_absent(&error) => {}
            Err(error) => return Err(failed("delete", &target, error)),
        }
        Ok(())
    }

    fn writer(&self, path: &str) -> Result<Box<dyn ObjectWriter>> {
        let target = self.disk.place(path)?;
        let temporary = self.disk.temporary_file();
        let file = disk::create_new(&temporary).map_err(|error| failed("write", &target, error))?;
        let file = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
        Ok(Box::new(LocalWriter { disk: self.disk.clone(), file, temporary, target }))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ObjectReader>> {
        check_path(path)?;
        let target = self.disk.root.join(path);
        let file = disk::open(&target).map_err(|error| failed("open", &target, error))?;
        let file = file.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no {}", target.display())))?;
        let size = file.metadata().map_err(|error| failed("open", &target, error))?.len();
        Ok(Arc::new(LocalReader { file, size }))
    }

    fn append(&self, path: &str) -> Result<Box<dyn AppendLog>> {
        let target = self.disk.place(path)?;
        let file = disk::create_log(&target).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::new(Kind::Busy, format!("{} is already being written", target.display())),
            _ => failed("begin", &target, error),
        })?;
        Ok(Box::new(LocalLog { disk: self.disk.clone(), file, target, named: false, broken: false }))
    }

    fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        check_name(name)?;
        let folder = self.disk.root.join("locks");
        let path = folder.join(format!("{name}.lock"));
        if self.disk.read_only {
            return reading::try_lock(&path);
        }
        let file = disk::create_folder(&folder).and_then(|_| disk::open_lock(&path)).map_err(|error| failed("lock", &path, error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock::new(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(failed("lock", &path, io::Error::from(error)).remedy("keep the state on a file system that supports locks")),
        }
    }

    fn scratch(&self) -> Result<Scratch> {
        let path = self.disk.temporary.join(format!("scratch-{}", self.disk.number()));
        match disk::create_folder(&path) {
            Ok(true) => Ok(Scratch::new(path)),
            Ok(false) => Err(Error::bug(format!("{} exists already", path.display()))),
            Err(error) => Err(failed("make", &path, error)),
        }
    }

    fn set_aside(&self, from: &str, to: &str) -> Result<()> {
        check_path(from)?;
        let (source, target) = (self.disk.root.join(from), self.disk.place(to)?);
        let moved =
            std::fs::rename(&source, &target).and_then(|()| self.disk.sync_name(&target)).and_then(|()| self.disk.sync_name(&source));
        moved.map_err(|error| failed("set aside", &source, error))
    }

    fn location(&self) -> String {
        self.disk.root.display().to_string()
    }
}

impl Disk {
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn temporary_file(&self) -> PathBuf {
        self.temporary.join(format!("object-{}", self.number()))
    }

    /// The place of `path`, with its folders made.
    fn place(&self, path: &str) -> Result<PathBuf> {
        check_path(path)?;
        let target = self.root.join(path);
        if self.read_only {
            return Err(reading::refused(&target));
        }
        self.make_folders(&target).map_err(|error| failed("make the folder of", &target, error))?;
        Ok(target)
    }

    /// Makes every folder between the root and `target`. They become durable with their first object.
    fn make_folders(&self, target: &Path) -> io::Result<()> {
        let folder = target.parent().unwrap_or(&self.root);
        if folder.is_dir() {
            return Ok(());
        }
        self.make_folders(folder)?;
        if disk::create_folder(folder)? {
            // Perhaps made again after a tidying: what was known about it is void.
            self.durable_folders.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
        }
        Ok(())
    }

    /// Makes the names in `folder` durable, and its own, and so on up to a folder of which this is known.
    fn sync_names(&self, folder: &Path) -> io::Result<()> {
        let mut synced = Vec::new();
        for path in folder.ancestors().take_while(|path| path.starts_with(&self.root)) {
            disk::sync_folder(path)?;
            if self.is_durable(path) {
                break;
            }
            synced.push(path.to_owned());
        }
        self.durable_folders.lock().unwrap_or_else(PoisonError::into_inner).extend(synced);
        Ok(())
    }

    /// Has this process made the name of `folder` durable?
    fn is_durable(&self, folder: &Path) -> bool {
        self.durable_folders.lock().unwrap_or_else(PoisonError::into_inner).contains(folder)
    }

    /// Makes the name `target` durable after it was given.
    fn sync_name(&self, target: &Path) -> io::Result<()> {
        self.sync_names(target.parent().unwrap_or(&self.root))
    }

    /// Gives a complete and durable temporary file its name.
    fn publish(&self, temporary: &Path, target: &Path) -> Result<Create> {
        let mut attempt = 1;
        loop {
            match disk::link(temporary, target) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return self.compare(temporary, target),
                Err(error) if disk::is_absent(&error) && attempt < LINK_ATTEMPTS_MAX => {
                    attempt += 1;
                    self.make_folders(target).map_err(|error| failed("make the folder of", target, error))?;
                }
                Err(error) if lacks_links(&error) => {
                    return Err(failed("name", target, error).remedy("keep the state on a file system that supports hard links"));
                }
                Err(error) => return Err(failed_on_disk("name", target, error)),
            }
        }
        self.sync_name(target).map_err(|error| {
            disk::unlink_quietly(target);
            failed_on_disk("make durable", target, error)
        })?;
        Ok(Create::Created)
    }

    /// The name is taken: by an earlier attempt of ours, or by somebody else?
    fn compare(&self, temporary: &Path, target: &Path) -> Result<Create> {
        let read = |path: &Path| disk::open(path).and_then(|file| file.ok_or_else(|| io::ErrorKind::NotFound.into()));
        let compared = read(temporary).and_then(|ours| {
            let mut theirs = read(target)?;
            if same_content(&ours, &theirs)? {
                return Ok(None);
            }
            let mut bytes = Vec::new();
            theirs.rewind()?;
            theirs.take(THEIRS_BYTES_MAX as u64).read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        });
        match compared {
            Ok(Some(bytes)) => Ok(Create::Theirs(Bytes::from(bytes))),
            // Our earlier attempt may have died before the folder's fsync.
            Ok(None) => self.sync_name(target).map(|()| Create::Ours).map_err(|error| failed("make durable", target, error)),
            Err(error) => Err(failed("read back", target, error)),
        }
    }

    /// Makes it durable that `target` is gone: what is deleted next must not be gone alone.
    fn sync_deletion(&self, target: &Path) -> io::Result<()> {
        match disk::sync_folder(target.parent().unwrap_or(&self.root)) {
            Err(error) if !disk::is_absent(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes folders that a deletion has left empty, up to the root.
    fn drop_empty_folders(&self, target: &Path) {
        let mut folder = target.parent();
        while let Some(path) = folder.filter(|path| path.starts_with(&self.root) && **path != *self.root) {
            if std::fs::remove_dir(path).is_err() {
                break;
            }
            self.durable_folders.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
            folder = path.parent();
        }
    }
}

/// Equal content? Read in pieces, since objects may be large.
fn same_content(a: &File, b: &File) -> io::Result<bool> {
    let size = a.metadata()?.len();
    if size != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; WRITE_BUFFER_BYTES], vec![0; WRITE_BUFFER_BYTES]);
    let mut offset = 0;
    while offset < size {
        let length = usize::try_from(size - offset).unwrap_or(usize::MAX).min(WRITE_BUFFER_BYTES);
        a.read_exact_at(&mut left[..length], offset)?;
        b.read_exact_at(&mut right[..length], offset)?;
        if left[..length] != right[..length] {
            return Ok(false);
        }
        offset += length as u64;
    }
    Ok(true)
}

/// Makes the root, private and durable.
fn make_root(root: &Path) -> io::Result<()> {
    make_ancestors(root)?;
    if root.metadata()?.permissions().mode() & 0o777 != disk::FOLDER_MODE {
        std::fs::set_permissions(root, std::fs::Permissions::from_mode(disk::FOLDER_MODE))?;
    }
    disk::create_folder(&root.join("tmp")).map(drop)
}

/// Makes a folder and what leads to it; each new name is durable on return.
fn make_ancestors(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    make_ancestors(parent)?;
    disk::create_folder(folder)?;
    disk::sync_folder(parent)
}

fn walk(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if disk::is_absent(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && !(prefix.is_empty() && RESERVED.contains(&name.as_str())) {
            walk(&entry.path(), &path, paths)?;
        } else if kind.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => "run as a user who may write there, or choose a folder of your own as `state:` in outflow.yml",
        io::ErrorKind::ReadOnlyFilesystem => "its disk is mounted read-only: choose a folder on another one as `state:` in outflow.yml",
        io::ErrorKind::StorageFull => "no space is left on the disk of the state: free some, then run again",
        io::ErrorKind::FileTooLarge => "a limit on the size of files (ulimit -f) is in the way: raise it, then run again",
        io::ErrorKind::QuotaExceeded => "the disk quota is used up: free some space, then run again",
        io::ErrorKind::NotADirectory => "a part of the path is a file: choose another folder as `state:` in outflow.yml",
        _ => return Error::io(format!("could not {what} {}", path.display()), error),
    };
    Error::io(format!("could not {what} {}", path.display()), error).remedy(remedy)
}

/// The same where nothing but the disk can be the reason of what is not known by its name.
fn failed_on_disk(what: &str, path: &Path, error: io::Error) -> Error {
    let error = failed(what, path, error);
    if error.remedy_text().is_some() { error } else { error.remedy("check the disk: it could not store what was written; then run again") }
}

/// Is this a file system without hard links?
fn lacks_links(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let known = [Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS, Errno::MLINK];
    known.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// The right to a folder of temporary files, told to other processes by a lock on the file beside it.
struct Lease {
    lock_path: PathBuf,
    folder: PathBuf,
    _lock: File,
}

impl Lease {
    /// Takes the first free name. The loop ends: each round either succeeds or meets a name in use.
    fn take(folder: &Path) -> io::Result<(Self, PathBuf)> {
        let process = std::process::id();
        let mut number = 0_u64;
        loop {
            let name = format!("{process}-{number}");
            let lock_path = folder.join(format!("{name}.lock"));
            let lock = disk::open_lock(&lock_path)?;
            let free = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
            // A sweeper may have removed the file between our opening and our locking it.
            if free && lock_path.try_exists()? && rustix::fs::fstat(&lock)?.st_nlink > 0 {
                let path = folder.join(name);
                if !disk::create_folder(&path)? {
                    // Left by a dead process of the same number.
                    std::fs::remove_dir_all(&path)?;
                    disk::create_folder(&path)?;
                }
                return Ok((Self { lock_path, folder: path.clone(), _lock: lock }, path));
            }
            number += 1;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(std::fs::remove_dir(&self.folder));
        if !self.folder.exists() {
            disk::unlink_quietly(&self.lock_path);
        }
    }
}

/// Removes the temporary files of processes that are gone.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        let Ok(lock) = disk::open_lock(&path) else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            drop(std::fs::remove_dir_all(path.with_extension("")));
            disk::unlink_quietly(&path);
        }
    }
    Ok(())
}

/// A large object on its way. The temporary file goes with it, whatever happens.
struct LocalWriter {
    disk: Arc<Disk>,
    file: BufWriter<File>,
    temporary: PathBuf,
    target: PathBuf,
}

impl LocalWriter {
    /// With the file's place and what to do: what writes through this, such as an encoder, knows neither. [`Error::io`] takes it out again.
    fn told(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), failed_on_disk("write", &self.target, error))
    }
}

impl Write for LocalWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| self.told(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| self.told(error))
    }
}

impl ObjectWriter for LocalWriter {
    fn finish(mut self: Box<Self>) -> Result<Create> {
        let written = self.file.flush().and_then(|()| disk::sync_file(self.file.get_ref(), &self.temporary));
        written.map_err(|error| failed_on_disk("write", &self.target, error))?;
        self.disk.publish(&self.temporary, &self.target)
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        disk::unlink_quietly(&self.temporary);
    }
}

struct LocalReader {
    file: File,
    size: u64,
}

impl ObjectReader for LocalReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        // Checked before anything is allocated: a damaged footer may ask for anything.
        if offset.checked_add(length as u64).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(Bytes::from(bytes))
    }

    fn read_into(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

/// An append-only log. After one error it refuses everything, since what is on disk is no longer known.
struct LocalLog {
    disk: Arc<Disk>,
    file: File,
    target: PathBuf,
    /// Its name in the folder is durable; done with the first sync.
    named: bool,
    broken: bool,
}

impl LocalLog {
    fn guarded(&mut self, what: &str, act: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<()> {
        if self.broken {
            return Err(Error::new(Kind::Io, format!("{} cannot be used after an error", self.target.display())));
        }
        act(self).map_err(|error| {
            self.broken = true;
            failed_on_disk(what, &self.target, error)
        })
    }
}

impl AppendLog for LocalLog {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.guarded("append to", |log| log.file.write_all(bytes))
    }

    fn sync(&mut self) -> Result<()> {
        self.guarded("make durable", |log| {
            disk::sync_log(&log.file, &log.target)?;
            if !log.named {
                log.disk.sync_name(&log.target)?;
                log.named = true;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
