//! The records of old value files that still count, copied into a new one: then the old files can go.
//!
//! ```text
//! file 3   a · · · b · ·  ─┐                a snapshot names a, b, c; pending records name d
//! file 5   · · c · · · ·  ─┼─►  file 9   a b c d
//! file 6   · d · · · · ·  ─┘
//! ```
//!
//! In the order of their places, so that each file is read once, from front to back, and where each record has gone follows from its
//! rank among them: one and a half bits for each record of the files that are left, and a batch of values at a time. Copies have the columns that they were written with: one
//! that came later is not null in them, but not there.

use std::collections::HashSet;

use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Entry, Error, Result};
use outflow_ledger::changes::{EntryBuilder, EntryReader, Locator, assemble, values_of};
use outflow_ledger::commit::{ModelCommit, ValueFile};

use super::{PartReader, PartsWriter, hashes};

/// Rows of a file that are copied together.
const ROWS_AT_ONCE: usize = 1 << 20;

/// What is copied.
pub(crate) struct Compaction<'a> {
    pub(crate) store: &'a dyn StateStore,
    pub(crate) head: &'a ModelCommit,
    /// The files that are to be left.
    pub(crate) leaving: HashSet<u32>,
    /// Places in them that pending records name.
    pub(crate) pending: Vec<Locator>,
    /// The path of the `i`th new file.
    pub(crate) path: &'a dyn Fn(usize) -> String,
}

/// Where the records of left files are now.
#[derive(Default)]
pub(crate) struct Moved {
    from: Marks,
    /// The new files; their rows, one file after another, are those that are marked in `from`.
    pub(crate) files: Vec<ValueFile>,
}

impl Compaction<'_> {
    /// Copies every record of the files that are to be left which the snapshot or a pending record names.
    pub(crate) fn copy(mut self) -> Result<Moved> {
        let mut from = Marks::new(self.head.files.iter().filter(|file| self.leaving.contains(&file.id)));
        for place in std::mem::take(&mut self.pending) {
            from.mark(place)?;
        }
        hashes::for_each(self.store, self.head, |record| from.mark(record.at))?;
        from.count();
        let mut writer = PartsWriter::new(self.store, self.path);
        for marked in &from.files {
            self.copy_file(marked, &mut writer)?;
        }
        let file = |(info, i): (outflow_ledger::changes::PartInfo, u32)| ValueFile {
            id: self.head.next_file + i,
            path: info.path,
            version: self.head.version,
            retired: None,
            rows: info.rows,
            bytes: info.bytes,
            blake3: info.blake3,
        };
        Ok(Moved { files: writer.finish()?.into_iter().zip(0..).map(file).collect(), from })
    }

    /// The marked records of a file.
    fn copy_file(&self, marked: &Marked, writer: &mut PartsWriter<'_>) -> Result<()> {
        let mut rows = marked.rows();
        loop {
            let rows: Vec<u32> = rows.by_ref().take(ROWS_AT_ONCE).collect();
            if rows.is_empty() {
                return Ok(());
            }
            let mut copied = 0;
            for batch in PartReader::open(self.store, &marked.path)?.select(&rows).read()? {
                let batch = batch?;
                let entries = EntryReader::new(&batch)?;
                let mut states = EntryBuilder::new();
                for i in 0..entries.len() {
                    let entry = entries.get(i).0;
                    states.push(&Entry { before: Before::Absent, ..entry }, None);
                }
                copied += entries.len();
                writer.write(&assemble(states.finish(), &values_of(&batch)?)?)?;
            }
            if copied != rows.len() {
                return Err(fewer(&marked.path));
            }
        }
    }
}

impl Moved {
    /// How many records.
    pub(crate) fn records(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Where the record at `place` is now.
    pub(crate) fn place(&self, place: Locator) -> Locator {
        let Some(mut row) = self.from.rank(place) else { return place };
        for file in &self.files {
            if row < file.rows {
                return Locator::new(file.id, row as u32);
            }
            row -= file.rows;
        }
        place
    }
}

/// Some records of some files.
#[derive(Default)]
struct Marks {
    /// By their numbers.
    files: Vec<Marked>,
}

struct Marked {
    file: u32,
    path: String,
    rows: u64,
    /// The bit of each row.
    words: Vec<u64>,
    /// How many rows of the file are marked before each word, and of all files before this one.
    before: Vec<u32>,
    before_all: u64,
}

impl Marks {
    /// None yet, of these files.
    fn new<'a>(files: impl Iterator<Item = &'a ValueFile>) -> Self {
        let marked = |file: &ValueFile| Marked {
            file: file.id,
            path: file.path.clone(),
            rows: file.rows,
            words: vec![0; file.rows.div_ceil(64) as usize],
            before: Vec::new(),
            before_all: 0,
        };
        let mut files: Vec<Marked> = files.map(marked).collect();
        files.sort_unstable_by_key(|marked| marked.file);
        Self { files }
    }

    /// Marks the record at a place, if that is in one of the files.
    fn mark(&mut self, place: Locator) -> Result<()> {
        let Ok(found) = self.files.binary_search_by_key(&place.file(), |marked| marked.file) else { return Ok(()) };
        let marked = &mut self.files[found];
        if u64::from(place.row()) >= marked.rows {
            return Err(fewer(&marked.path));
        }
        marked.words[place.row() as usize / 64] |= 1 << (place.row() % 64);
        Ok(())
    }

    /// Once all are marked.
    fn count(&mut self) {
        let mut before_all = 0;
        for marked in &mut self.files {
            let mut sum = 0;
            marked.before_all = before_all;
            marked.before = Vec::with_capacity(marked.words.len());
            for word in &marked.words {
                marked.before.push(sum);
                sum += word.count_ones();
            }
            before_all += u64::from(sum);
        }
    }

    /// How many are marked before the record at a place; `None` if it is not marked itself.
    fn rank(&self, place: Locator) -> Option<u64> {
        let found = self.files.binary_search_by_key(&place.file(), |marked| marked.file).ok()?;
        let (marked, word, bit) = (&self.files[found], place.row() as usize / 64, 1 << (place.row() % 64));
        let (bits, before) = (*marked.words.get(word)?, *marked.before.get(word)?);
        (bits & bit != 0).then(|| marked.before_all + u64::from(before + (bits & (bit - 1)).count_ones()))
    }
}

impl Marked {
    fn rows(&self) -> impl Iterator<Item = u32> {
        let bits = |(word, bits): (u32, u64)| (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit);
        (0..).zip(self.words.iter().copied()).filter(|(_, bits)| *bits != 0).flat_map(bits)
    }
}

fn fewer(path: &str) -> Error {
    Error::corrupt(format!("{path} holds fewer records than its commit says"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::tests::{Bench, Rows};

    #[test]
    fn every_marked_record_has_the_number_of_those_before_it() {
        let file =
            |id: u32, rows: u64| ValueFile { id, path: format!("{id}"), version: 1, retired: None, rows, bytes: 0, blake3: String::new() };
        let mut marks = Marks::new([file(7, 1000), file(2, 65), file(3, 0)].iter());
        let marked: Vec<Locator> =
            [(2, 0), (2, 63), (2, 64), (7, 1), (7, 640), (7, 641), (7, 999)].map(|(f, r)| Locator::new(f, r)).to_vec();
        marked.iter().rev().chain(&marked[2..4]).for_each(|place| marks.mark(*place).unwrap());
        marks.mark(Locator::new(5, 9)).unwrap();
        marks.mark(Locator::new(2, 65)).unwrap_err();
        marks.count();
        assert!(marked.iter().enumerate().all(|(rank, place)| marks.rank(*place) == Some(rank as u64)));
        assert!([(1, 0), (2, 1), (2, 65), (3, 0), (7, 0), (7, 1000)].iter().all(|&(f, r)| marks.rank(Locator::new(f, r)).is_none()));
        let rows: Vec<Locator> = marks.files.iter().flat_map(|file| file.rows().map(|row| Locator::new(file.file, row))).collect();
        assert_eq!(rows, marked);
    }

    #[test]
    fn a_copy_has_the_columns_of_then() {
        let bench = Bench::new();
        let rows: Rows = (0..4).map(|id| (Some(id), id, Some("a note".to_owned()))).collect();
        bench.extract(&rows, 4, 1, false).unwrap();
        // A record that comes twice stays as it was known, without the note that the others now have.
        let twice = [rows.clone(), vec![rows[2].clone()]].concat();
        let head = bench.extract(&twice, 4, 1, true).unwrap().head;
        let leaving = head.files.iter().map(|file| file.id).collect();
        let path = |i: usize| format!("models/m/snapshots/9/copy-{i}");
        let compaction = Compaction { store: bench.store.as_ref(), head: &head, leaving, pending: Vec::new(), path: &path };
        let copies = compaction.copy().unwrap().files;
        let columns = |file: &ValueFile| PartReader::open(bench.store.as_ref(), &file.path).unwrap().value_columns().unwrap();
        let copies: Vec<_> = copies.iter().map(|file| (file.rows, columns(file))).collect();
        assert_eq!(copies, [(1, vec!["number".to_owned(), "id".to_owned()]), (3, ["number", "id", "note"].map(str::to_owned).to_vec())]);
    }
}
