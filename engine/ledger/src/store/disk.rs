//! The steps on disk that durability hangs on, one function each, so that tests can watch their order and make each fail.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Files are private to the user: they hold identifiers and values.
pub(super) const FILE_MODE: u32 = 0o600;
/// Folders likewise.
pub(super) const FOLDER_MODE: u32 = 0o700;

/// Never through a link, and never waiting for the other end of a pipe.
fn flags() -> i32 {
    (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits() as i32
}

/// A new file for writing; an error if there is one.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    step("create", path)?;
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).custom_flags(flags()).open(path)
}

/// A new file for appending; an error if there is one.
pub(super) fn create_log(path: &Path) -> io::Result<File> {
    step("create", path)?;
    OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).custom_flags(flags()).open(path)
}

/// A file to be locked, made if it is not there.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).custom_flags(flags()).open(path)
}

/// An existing regular file, for reading; `None` if there is none.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    let file = match OpenOptions::new().read(true).custom_flags(flags()).open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.is_file() { Ok(Some(file)) } else { Err(io::Error::other("it is not a regular file")) }
}

/// One new folder; `false` if it was there.
pub(super) fn create_folder(path: &Path) -> io::Result<bool> {
    match std::fs::DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a file's content durable. After an error it must not be called again on the same file: the kernel may have
/// dropped the pages and would report success.
pub(super) fn sync_file(file: &File, path: &Path) -> io::Result<()> {
    step("sync file", path)?;
    file.sync_all()
}

/// Makes a log's content and length durable.
pub(super) fn sync_log(file: &File, path: &Path) -> io::Result<()> {
    step("sync log", path)?;
    file.sync_data()
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    step("sync folder", path)?;
    File::open(path)?.sync_all()
}

/// Gives a file its final name, if that is free.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    step("link", to)?;
    std::fs::hard_link(from, to)
}

/// Removes a name. What is not there need not be removed, and what stays behind is found when the store is next opened.
pub(super) fn unlink_quietly(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && !is_absent(&error)
    {
        tracing::warn!(path = %path.display(), %error, "could not remove a temporary file");
    }
}

/// Is it that there is no such file?
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "the one that tests use can fail")]
fn step(_what: &'static str, _path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(super) use watch::step;

/// A record of the steps of this thread, and the power to make one of them fail.
#[cfg(test)]
pub(super) mod watch {
    use std::cell::RefCell;
    use std::io;
    use std::path::Path;

    thread_local! {
        static STEPS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        static FAIL: RefCell<Option<&'static str>> = const { RefCell::new(None) };
    }

    pub(in crate::store) fn step(what: &'static str, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        STEPS.with_borrow_mut(|steps| steps.push(format!("{what} {name}")));
        if FAIL.take_if(what) { Err(io::Error::other("made to fail")) } else { Ok(()) }
    }

    trait TakeIf {
        fn take_if(&'static self, what: &str) -> bool;
    }

    impl TakeIf for std::thread::LocalKey<RefCell<Option<&'static str>>> {
        fn take_if(&'static self, what: &str) -> bool {
            self.with_borrow_mut(|fail| fail.take_if(|name| *name == what).is_some())
        }
    }

    /// The next step of that name fails, once.
    pub(in crate::store) fn fail_next(what: &'static str) {
        FAIL.set(Some(what));
    }

    /// The steps since the last call.
    pub(in crate::store) fn take() -> Vec<String> {
        STEPS.take()
    }
}
