//! Previews that are kept, in the project's `target/previews`: private files, none of which matters. What is damaged, too large or
//! cannot be written counts as not kept.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use outflow_engine::preview::Preview;
use serde::{Deserialize, Serialize};

/// A larger preview is not kept.
const BYTES_MAX: u64 = 16 << 20;
/// The oldest ones beyond so many are removed.
const FILES_MAX: usize = 100;

#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    preview: Preview,
}

/// The preview of that key, if one was kept.
pub(crate) fn read(root: &Path, key: &str) -> Option<Preview> {
    let mut bytes = Vec::new();
    File::open(path(root, key)).ok()?.take(BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    let kept: Kept = serde_json::from_slice(&bytes).ok()?;
    let columns = kept.preview.columns.len();
    let whole = kept.key == key && kept.preview.records.iter().all(|record| record.len() == columns);
    whole.then_some(kept.preview)
}

/// Keeps a preview, if that is possible.
pub(crate) fn keep(root: &Path, key: &str, preview: &Preview) {
    let kept = Kept { key: key.to_owned(), preview: preview.clone() };
    let written = serde_json::to_vec(&kept).map_err(std::io::Error::from).and_then(|bytes| write(&path(root, key), &bytes));
    match written {
        Ok(()) => prune(&folder(root)),
        Err(error) => tracing::info!("the preview was not kept: {error}"),
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.len() as u64 > BYTES_MAX {
        return Err(std::io::Error::other("it is too large"));
    }
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // Best effort: the failure above is the one to tell.
        drop(std::fs::remove_file(&temporary));
    }
    written
}

/// Removes the oldest files beyond [`FILES_MAX`].
fn prune(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<(SystemTime, PathBuf)> =
        entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
    files.sort();
    for (_, path) in files.iter().take(files.len().saturating_sub(FILES_MAX)) {
        // Another process may have removed it.
        drop(std::fs::remove_file(path));
    }
}

fn folder(root: &Path) -> PathBuf {
    root.join("target").join("previews")
}

fn path(root: &Path, key: &str) -> PathBuf {
    folder(root).join(format!("{key}.json"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use outflow_engine::preview::PreviewColumn;

    use super::*;

    fn preview() -> Preview {
        Preview {
            model: "people".to_owned(),
            source: "warehouse".to_owned(),
            columns: vec![PreviewColumn { name: "id".to_owned(), kind: "bigint".to_owned(), number: true }],
            records: vec![vec![1.into()]],
            taken_at: "2026-03-01T12:30:00.250Z".to_owned(),
        }
    }

    #[test]
    fn a_preview_is_kept_in_a_private_file() {
        let root = tempfile::tempdir().unwrap();
        keep(root.path(), "k", &preview());
        assert_eq!(read(root.path(), "k"), Some(preview()));
        assert_eq!(read(root.path(), "other"), None);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path(root.path(), "k")), mode(&folder(root.path()))), (0o600, 0o700));
    }

    #[test]
    fn what_is_damaged_counts_as_not_kept() {
        let root = tempfile::tempdir().unwrap();
        keep(root.path(), "k", &preview());
        let written = std::fs::read_to_string(path(root.path(), "k")).unwrap();
        for damage in [&written[..written.len() / 2], "", "{}", &written.replace("[[1]]", "[[1,2]]"), &written.replace("\"k\"", "\"l\"")] {
            std::fs::write(path(root.path(), "k"), damage).unwrap();
            assert_eq!(read(root.path(), "k"), None, "{damage}");
        }
        std::fs::write(root.path().join("file"), "").unwrap();
        keep(&root.path().join("file"), "k", &preview());
    }

    #[test]
    fn old_previews_make_room() {
        let root = tempfile::tempdir().unwrap();
        for n in 0..FILES_MAX + 3 {
            keep(root.path(), &format!("k{n}"), &preview());
        }
        assert_eq!(std::fs::read_dir(folder(root.path())).unwrap().count(), FILES_MAX);
        assert!(read(root.path(), &format!("k{}", FILES_MAX + 2)).is_some());
    }
}
