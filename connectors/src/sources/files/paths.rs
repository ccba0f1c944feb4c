//! From the path that an operator wrote to the files that it names.
//!
//! Files come sorted, so that a source is read the same way each time. Hidden ones (`.crc`, `_SUCCESS`) are left out of
//! folders and patterns. Links are followed: paths of the operator are trusted.

use std::fs;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use outflow_contract::plan::{FileFormat, FileTable};
use outflow_contract::{Error, Kind, Result};

/// Deeper folders are not entered: a link may lead in a circle.
const DEPTH_MAX: usize = 32;
/// How alike a name must be to be suggested, from 0 to 1.
const LIKENESS_MIN: f64 = 0.7;

/// One file of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DataFile {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its size in bytes.
    pub(super) bytes: u64,
}

/// The files of `table`, at least one, sorted by path.
pub(super) fn files(table: &FileTable) -> Result<Vec<DataFile>> {
    if let Some((scheme, _)) = table.path.split_once("://") {
        return Err(Error::invalid(format!("table `{}` is at {scheme}://, which this version does not read", table.name))
            .remedy("use a local path"));
    }
    let path = Path::new(&table.path);
    let found = match fs::metadata(path) {
        // A file whose name happens to hold a `[` is meant before a pattern is.
        Ok(meta) if meta.is_file() => vec![DataFile { path: path.to_owned(), bytes: meta.len() }],
        Ok(_) => in_folder(table, path)?,
        Err(_) if is_pattern(&table.path) => by_pattern(table)?,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Err(missing_file(table, path)),
        Err(cause) => return Err(unreadable(table, path, cause)),
    };
    Ok(found)
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

fn endings(format: FileFormat) -> &'static [&'static str] {
    match format {
        FileFormat::Parquet => &["parquet", "parq", "pq"],
        FileFormat::Csv => &["csv", "tsv"],
        FileFormat::Ndjson => &["ndjson", "jsonl", "json"],
        FileFormat::Arrow => &["arrow", "arrows", "feather", "ipc"],
    }
}

fn in_folder(table: &FileTable, folder: &Path) -> Result<Vec<DataFile>> {
    let endings = endings(table.format);
    let wanted = |path: &Path| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        endings.contains(&ending.to_ascii_lowercase().as_str())
    };
    let files = walk(table, folder, &wanted)?;
    if files.is_empty() {
        let message = format!("table `{}`: no {} file in the folder {}", table.name, table.format.name(), folder.display());
        let remedy = format!(
            "files ending in .{} are read, in folders below it too; a pattern such as {}/* takes any",
            endings.join(", ."),
            table.path
        );
        return Err(Error::new(Kind::NotFound, message).remedy(remedy));
    }
    Ok(files)
}

fn by_pattern(table: &FileTable) -> Result<Vec<DataFile>> {
    let matcher = matcher(table)?;
    let base = literal_base(&table.path);
    if !base.is_dir() {
        let message = format!("table `{}`: nothing matches {}, for there is no folder {}", table.name, table.path, base.display());
        return Err(with_near_name(Error::new(Kind::NotFound, message), &base, "create it, or correct the table's path"));
    }
    let files = walk(table, &base, &|path| matcher.is_match(path))?;
    if files.is_empty() {
        let message = format!("table `{}`: no file matches {}", table.name, table.path);
        return Err(with_near_name(Error::new(Kind::NotFound, message), Path::new(&table.path), "correct the table's path"));
    }
    Ok(files)
}

fn matcher(table: &FileTable) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(&table.path).literal_separator(true).backslash_escape(true).build();
    let glob =
        glob.map_err(|cause| Error::invalid(format!("table `{}`: {} is not a legal pattern", table.name, table.path)).caused_by(cause))?;
    Ok(glob.compile_matcher())
}

/// The folder that a pattern starts from: everything before the first part with a wildcard.
fn literal_base(pattern: &str) -> PathBuf {
    let mut base = PathBuf::new();
    for part in Path::new(pattern).components() {
        if part.as_os_str().to_str().is_none_or(is_pattern) {
            break;
        }
        base.push(part);
    }
    base
}

/// Every file below `folder` that is `wanted`, sorted.
fn walk(table: &FileTable, folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<DataFile>> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0_usize)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|cause| unreadable(table, &folder, cause))?;
        for entry in entries {
            let path = entry.map_err(|cause| unreadable(table, &folder, cause))?.path();
            if is_hidden(&path) {
                continue;
            }
            // A dangling link, or a file that was removed meanwhile.
            let Ok(meta) = fs::metadata(&path) else { continue };
            if meta.is_dir() && depth < DEPTH_MAX {
                folders.push((path, depth + 1));
            } else if meta.is_file() && wanted(&path) {
                found.push(DataFile { path, bytes: meta.len() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".") || name.as_encoded_bytes().starts_with(b"_"))
}

fn missing_file(table: &FileTable, path: &Path) -> Error {
    let error = Error::new(Kind::NotFound, format!("table `{}`: there is no file {}", table.name, path.display()));
    with_near_name(error, path, "create it, or correct the table's path")
}

fn unreadable(table: &FileTable, path: &Path, cause: std::io::Error) -> Error {
    Error::io(format!("table `{}`: cannot read {}", table.name, path.display()), cause).remedy("check its permissions")
}

/// Adds the most similar name that stands where `path` was looked for, if there is one.
fn with_near_name(error: Error, path: &Path, otherwise: &str) -> Error {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return error.remedy(otherwise) };
    let Ok(entries) = fs::read_dir(folder) else {
        return error.remedy(format!("the folder {} does not exist either; {otherwise}", folder.display()));
    };
    let name = name.to_string_lossy();
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    match nearest(&name, names) {
        Some(near) => error.remedy(format!("did you mean {}?", folder.join(near).display())),
        None => error.remedy(otherwise),
    }
}

/// The name most like `name`, if any is like it at all.
pub(super) fn nearest(name: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let wanted = name.to_lowercase();
    names
        .into_iter()
        .map(|other| (strsim::normalized_damerau_levenshtein(&wanted, &other.to_lowercase()), other))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}
