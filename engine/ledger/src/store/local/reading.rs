//! A state that this user may read and not write, for commands that only look at it: what they need besides lies in the system's folder
//! of temporary files, and nothing of the state is changed, its rights included.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use outflow_contract::state_store::Lock;
use outflow_contract::{Error, Kind, Result};
use rustix::fs::{Access, FlockOperation, OFlags, access, flock};

use super::{LocalStore, disk, failed};

impl LocalStore {
    /// Opens the store at `root` to look at it: as [`LocalStore::open`] does where that is possible, and to be read alone otherwise.
    pub fn open_to_read(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).map_err(|error| failed("open", root, error))?;
        if may_write(&root) {
            return Self::open(&root);
        }
        let folder = own_folder().map_err(|error| failed("write to", &std::env::temp_dir(), error))?;
        Self::at(root, &folder, true)
    }
}

/// May this user write to the state, or make it? A folder that somebody has closed for writing is not opened up again.
fn may_write(root: &Path) -> bool {
    let is_open = |folder: &Path| access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    let there = root.ancestors().find(|folder| folder.exists());
    let temporary = root.join("tmp");
    there.is_some_and(is_open) && (!temporary.exists() || is_open(&temporary))
}

/// A folder of this user alone among the temporary files of the system.
fn own_folder() -> io::Result<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let folder = std::env::temp_dir().join(format!("outflow-{user}"));
    disk::create_folder(&folder)?;
    // Anybody may have made it, or a link of that name.
    let found = folder.symlink_metadata()?;
    if found.is_dir() && found.uid() == user && found.mode() & 0o777 == disk::FOLDER_MODE {
        return Ok(folder);
    }
    Err(io::Error::other(format!("{} is not a private folder of this user: remove it", folder.display())))
}

/// What is said where something would be written all the same.
pub(super) fn refused(path: &Path) -> Error {
    Error::new(Kind::Io, format!("could not write {}: the state was opened to be read alone", path.display()))
        .remedy("run as a user who may write there")
}

/// The lock in `path`, as far as it can be taken without writing: `None` if somebody holds it. Where there is no such file, nobody does.
pub(super) fn try_lock(path: &Path) -> Result<Option<Lock>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file: File = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if disk::is_absent(&error) => return Ok(Some(Lock::new(()))),
        Err(error) => return Err(failed("lock", path, error)),
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock::new(file))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(failed("lock", path, io::Error::from(error))),
    }
}
