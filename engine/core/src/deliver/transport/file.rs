//! Files at the destination: whole or not at all.
//!
//! ```text
//! .name.tmp-1  ── write, fsync ──►  rename  ──►  name  ── fsync the folder ──►  Written
//! ```
//!
//! Until the rename nothing is visible, and a failure is `NotSent`; from there on it is `Unknown`. A file name is only
//! ever used for the same bytes, so that replacing an earlier attempt is harmless.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use outflow_contract::outcome::Answer;
use outflow_contract::{Blame, Error, Retry};

use super::Sent;

/// How many leftovers of killed attempts are stepped over before that is an error.
const LEFTOVERS_MAX: u32 = 16;

/// Writes a file on a thread that may block.
pub(super) async fn write(path: &Path, body: &Bytes) -> Sent {
    let (at, body) = (path.to_owned(), body.clone());
    match tokio::task::spawn_blocking(move || write_blocking(&at, &body)).await {
        Ok(sent) => sent,
        Err(stopped) => Sent::Unknown(Error::bug(format!("writing {} stopped", path.display())).caused_by(stopped)),
    }
}

/// Writes a file and removes it again, with every folder that was made for it.
pub(super) async fn rehearse(path: &Path, body: &Bytes) -> Sent {
    let (at, body) = (path.to_owned(), body.clone());
    let rehearsed = tokio::task::spawn_blocking(move || {
        let missing: Vec<PathBuf> = at.ancestors().skip(1).take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        let sent = write_blocking(&at, &body);
        let removed = match &sent {
            Sent::Answer(_) => fs::remove_file(&at),
            Sent::NotSent(_) | Sent::Unknown(_) => Ok(()),
        };
        for folder in &missing {
            // Best effort: somebody else may have put something there meanwhile.
            drop(fs::remove_dir(folder));
        }
        match removed {
            Ok(()) => sent,
            Err(error) => Sent::Unknown(failed("could not remove", &at, error)),
        }
    });
    match rehearsed.await {
        Ok(sent) => sent,
        Err(stopped) => Sent::Unknown(Error::bug(format!("writing {} stopped", path.display())).caused_by(stopped)),
    }
}

fn write_blocking(path: &Path, body: &[u8]) -> Sent {
    let Some((folder, name)) = path.parent().zip(path.file_name()) else {
        return Sent::NotSent(Error::invalid(format!("{} does not name a file", path.display())));
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let temporary = |number: u32| folder.join(format!(".{}.tmp-{number}", name.to_string_lossy()));
    if let Err(error) = create_folders(folder) {
        return Sent::NotSent(failed("could not create the folder", folder, error));
    }
    let (number, mut file) = match create(&temporary) {
        Ok(created) => created,
        Err(error) => return Sent::NotSent(failed("could not create a file in", folder, error)),
    };
    let written = file.write_all(body).and_then(|()| file.sync_all());
    drop(file);
    let renamed = written.map_err(|error| (true, error)).and_then(|()| {
        // A refusal by name is definite; of any other failure a file system in the network may have done the work.
        fs::rename(temporary(number), path).map_err(|error| (is_refusal(&error), error))
    });
    if let Err((nothing_visible, error)) = renamed {
        // Best effort: a leftover is stepped over, and removed after the next success.
        drop(fs::remove_file(temporary(number)));
        let error = failed("could not write", path, error);
        return if nothing_visible { Sent::NotSent(error) } else { Sent::Unknown(error) };
    }
    for leftover in 1..number {
        drop(fs::remove_file(temporary(leftover)));
    }
    match sync_folder(folder) {
        Ok(()) => Sent::Answer(Answer::Written),
        Err(error) => Sent::Unknown(failed("could not make durable", path, error)),
    }
}

/// Creates `folder` and what is missing above it, each of them durably.
fn create_folders(folder: &Path) -> io::Result<()> {
    let exists = |folder: &Path| folder.as_os_str().is_empty() || folder.is_dir();
    let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !exists(folder)).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            // Another request may create the same one; anything else of that name is in the way.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(ErrorKind::NotADirectory.into()),
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        sync_folder(folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// A new file under the first free temporary name. Never an existing one: another attempt may still be writing to it.
fn create(temporary: &impl Fn(u32) -> PathBuf) -> io::Result<(u32, File)> {
    let mut number = 1;
    loop {
        match OpenOptions::new().write(true).create_new(true).open(temporary(number)) {
            Ok(file) => return Ok((number, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && number < LEFTOVERS_MAX => number += 1,
            Err(error) => return Err(error),
        }
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The file system said no, and therefore did nothing.
fn is_refusal(error: &io::Error) -> bool {
    use ErrorKind::{
        CrossesDevices, DirectoryNotEmpty, FileTooLarge, InvalidFilename, IsADirectory, NotADirectory, NotFound, PermissionDenied,
        QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    matches!(
        error.kind(),
        CrossesDevices
            | DirectoryNotEmpty
            | FileTooLarge
            | InvalidFilename
            | IsADirectory
            | NotADirectory
            | NotFound
            | PermissionDenied
            | QuotaExceeded
            | ReadOnlyFilesystem
            | StorageFull
    )
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied => Some("give this account the right to write there, or choose another `path`"),
        ErrorKind::ReadOnlyFilesystem => Some("the disk is mounted read-only: choose another `path`"),
        ErrorKind::StorageFull => Some("no space is left on the disk: free some"),
        ErrorKind::FileTooLarge => Some("a limit on the size of files (ulimit -f) is in the way: raise it"),
        ErrorKind::QuotaExceeded => Some("the disk quota is used up: free some space"),
        ErrorKind::NotADirectory => Some("a part of the path is a file: choose another `path`"),
        ErrorKind::IsADirectory | ErrorKind::DirectoryNotEmpty => Some("a folder has that name: choose another `path`"),
        ErrorKind::AlreadyExists => Some("remove the files there whose names begin with `.` and end with `.tmp-` and a number"),
        _ => None,
    };
    let error = Error::io(format!("{what} {}", path.display()), error).blame(Blame::Machine);
    match remedy {
        // None of these passes by itself within a sync.
        Some(remedy) => error.retry(Retry::No).remedy(remedy),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use outflow_contract::Kind;

    use super::*;

    #[test]
    fn what_the_file_system_says_is_told_in_words() {
        for (kind, words) in [
            (ErrorKind::PermissionDenied, "the right to write"),
            (ErrorKind::StorageFull, "no space is left"),
            (ErrorKind::ReadOnlyFilesystem, "read-only"),
            (ErrorKind::QuotaExceeded, "quota"),
            (ErrorKind::FileTooLarge, "ulimit -f"),
        ] {
            let error = failed("could not write", Path::new("/out/1"), kind.into());
            assert!(error.remedy_text().unwrap().contains(words) && error.kind() == Kind::Io, "{error:?}");
            assert!(is_refusal(&kind.into()));
        }
        assert!(!is_refusal(&io::Error::other("the server of the network disk is gone")));
    }
}
