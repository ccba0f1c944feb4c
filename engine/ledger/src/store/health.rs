//! Is the folder of a state one that keeps its promises? Rights, owner, space, and what the file system under it can do.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Kind, Result};
use rustix::fs::{FlockOperation, flock};

use super::{LocalStore, disk};
use crate::integrity::{Finding, Severity};

/// With less free space than this, nothing is begun.
const FREE_BYTES_MIN: u64 = 16 << 20;
/// Others have no rights here.
const OTHERS: u32 = 0o077;

/// Looks at the folder at `root`, before it is opened: opening sets its rights. Empty if there is none.
pub fn examine_folder(root: &Path) -> Vec<Finding> {
    let Ok(metadata) = root.metadata() else { return Vec::new() };
    let mut looking = Looking { user: rustix::process::geteuid().as_raw(), findings: Vec::new(), open: 0, foreign: 0, bytes: 0 };
    looking.look(root, &metadata);
    if let Err(error) = looking.walk(root) {
        looking.find(Severity::Error, root, &format!("it cannot be read: {error}"), MINE);
    }
    looking.more(root);
    looking.space(root);
    looking.findings
}

/// The state of another user is theirs: what this one wrote into it they could not read. Not so where the file system gives both the same owner.
pub(super) fn is_ones_own(root: &Path) -> Result<()> {
    let user = rustix::process::geteuid().as_raw();
    let own = |path: &Path| path.metadata().ok().map(|metadata| metadata.uid());
    let Some(owner) = own(root).filter(|&owner| owner != user) else { return Ok(()) };
    let trial = root.join(format!(".owner-{}", std::process::id()));
    let made = match disk::create_new(&trial) {
        Ok(_) => own(&trial),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
        // Whatever else is wrong is told by what comes next.
        Err(_) => return Ok(()),
    };
    if made.is_some() {
        disk::unlink_quietly(&trial);
    }
    if made == Some(owner) {
        return Ok(());
    }
    let root = root.display();
    Err(Error::new(Kind::Io, format!("the state in {root} belongs to user {owner}, and this is user {user}"))
        .remedy(format!("run as user {owner} (`sudo -u '#{owner}'`), or give it to this one: chown -R {user} {root}")))
}

const MINE: &str = "run as the user whose state this is, or give it to this one: chown -R";

struct Looking {
    user: u32,
    findings: Vec<Finding>,
    /// Files that others may look at; only the first is told one by one.
    open: u64,
    /// Files of other users, likewise.
    foreign: u64,
    bytes: u64,
}

impl Looking {
    fn find(&mut self, severity: Severity, path: &Path, message: &str, remedy: &str) {
        self.findings.push(Finding::new(severity, path.display().to_string(), message, remedy));
    }

    fn walk(&mut self, folder: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let metadata = match path.symlink_metadata() {
                Ok(metadata) => metadata,
                // Temporary files come and go.
                Err(error) if disk::is_absent(&error) => continue,
                Err(error) => return Err(error),
            };
            if metadata.is_symlink() {
                self.find(Severity::Error, &path, "it is a link, and links in a state are not followed", "put the file itself there");
                continue;
            }
            self.look(&path, &metadata);
            self.bytes += metadata.len();
            if metadata.is_dir() {
                self.walk(&path)?;
            }
        }
        Ok(())
    }

    fn look(&mut self, path: &Path, metadata: &Metadata) {
        if metadata.uid() != self.user {
            self.foreign += 1;
            if self.foreign == 1 {
                self.find(Severity::Error, path, &format!("it belongs to user {}, and this is user {}", metadata.uid(), self.user), MINE);
            }
        }
        let mode = metadata.permissions().mode();
        if mode & OTHERS != 0 {
            self.open += 1;
            if self.open == 1 {
                let message = format!("others have rights to it (mode {:04o}): it holds identifiers and values", mode & 0o7777);
                self.find(Severity::Warning, path, &message, "take them away: chmod -R go= with the folder of the state");
            }
        }
    }

    fn more(&mut self, root: &Path) {
        for (count, what) in [(self.foreign, "belong to other users"), (self.open, "can be looked at by others")] {
            if count > 1 {
                self.find(
                    Severity::Note,
                    root,
                    &format!("{count} files and folders in it {what}; the first is told"),
                    "the same as for that one",
                );
            }
        }
    }

    fn space(&mut self, root: &Path) {
        let Ok(disk) = rustix::fs::statvfs(root) else { return };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < FREE_BYTES_MIN {
            self.find(Severity::Error, root, &format!("only {free} bytes are free on its disk"), "free some space before the next run");
        } else if free < self.bytes {
            let message = format!("{free} bytes are free on its disk, less than the {} that it has itself", self.bytes);
            self.find(Severity::Warning, root, &message, "free some space: what is rewritten needs room beside what it replaces");
        }
    }
}

impl LocalStore {
    /// Tries in a folder of its own what the promises of a state stand on: exclusive create, hard links, fsync, and locks.
    pub fn probe(&self) -> Result<Vec<Finding>> {
        let scratch = self.scratch()?;
        let folder = scratch.path();
        let tries =
            [("exclusive create", creates(folder)), ("hard links", links(folder)), ("fsync", syncs(folder)), ("locks", locks(folder))];
        let mut findings = Vec::new();
        for (what, worked) in tries {
            let why = match worked {
                Ok(true) => continue,
                Ok(false) => "it does not do what it says".to_owned(),
                Err(error) => error.to_string(),
            };
            let message = format!("the file system has no working {what}: {why}");
            let remedy = "keep the state on another disk: a local one, formatted by Linux or macOS";
            findings.push(Finding::new(Severity::Error, self.location(), message, remedy));
        }
        Ok(findings)
    }
}

fn creates(folder: &Path) -> io::Result<bool> {
    let path = folder.join("create");
    disk::create_new(&path)?;
    Ok(disk::create_new(&path).is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists))
}

fn links(folder: &Path) -> io::Result<bool> {
    let (from, to) = (folder.join("from"), folder.join("to"));
    disk::create_new(&from)?;
    disk::link(&from, &to)?;
    let taken = disk::link(&from, &to).is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists);
    Ok(taken && to.metadata()?.nlink() == 2)
}

fn syncs(folder: &Path) -> io::Result<bool> {
    let path = folder.join("sync");
    disk::sync_file(&disk::create_new(&path)?, &path)?;
    disk::sync_folder(folder)?;
    Ok(true)
}

fn locks(folder: &Path) -> io::Result<bool> {
    let path = folder.join("lock");
    let (first, second): (File, File) = (disk::open_lock(&path)?, disk::open_lock(&path)?);
    flock(&first, FlockOperation::NonBlockingLockExclusive)?;
    let excluded = flock(&second, FlockOperation::NonBlockingLockExclusive) == Err(rustix::io::Errno::WOULDBLOCK);
    drop(first);
    flock(&second, FlockOperation::NonBlockingLockExclusive)?;
    Ok(excluded)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_folder_of_ones_own_on_a_good_disk_is_sound() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(&folder.path().join("state")).unwrap();
        store.create("models/a/x", bytes::Bytes::from_static(b"x")).unwrap();
        assert!(examine_folder(&folder.path().join("state")).is_empty());
        assert!(store.probe().unwrap().is_empty());
        assert!(examine_folder(&folder.path().join("none")).is_empty());
    }

    #[test]
    fn rights_of_others_and_links_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("state");
        let store = LocalStore::open(&root).unwrap();
        store.create("models/a/x", bytes::Bytes::from_static(b"x")).unwrap();
        std::fs::set_permissions(root.join("models/a/x"), Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("models/a/y")).unwrap();
        let findings = examine_folder(&root);
        let told: Vec<_> = findings.iter().map(|finding| (finding.severity, finding.path.rsplit('/').next().unwrap())).collect();
        assert!(told.contains(&(Severity::Warning, "x")) && told.contains(&(Severity::Error, "y")) && told.len() == 2, "{findings:?}");
    }
}
