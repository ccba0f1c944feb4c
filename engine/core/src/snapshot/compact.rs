//! The records of old value files that still count, copied into a new one: then the old files can go.
//!
//! ```text
//! file 3   a · · · b · ·  ─┐                a snapshot names a, b, c; pending records name d
//! file 5   · · c · · · ·  ─┼─►  file 9   a b c d
//! file 6   · d · · · · ·  ─┘
//! ```
//!
//! In the order of their places, so that each file is read once, from front to back, and where each record has gone follows from its
//! rank: 8 bytes for each record that is copied, and a batch of values at a time. Copies have the columns that they were written with: one
//! that came later is not null in them, but not there.

use std::collections::HashSet;

use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Entry, Error, Result};
use outflow_ledger::changes::{EntryBuilder, EntryReader, Locator, assemble, values_of};
use outflow_ledger::commit::{ModelCommit, ValueFile};

use super::{PartReader, PartsWriter, hashes};

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
    /// Ascending.
    from: Vec<Locator>,
    /// The new files; their rows, one file after another, are those of `from`.
    pub(crate) files: Vec<ValueFile>,
}

impl Compaction<'_> {
    /// Copies every record of the files that are to be left which the snapshot or a pending record names.
    pub(crate) fn copy(mut self) -> Result<Moved> {
        let mut places = std::mem::take(&mut self.pending);
        hashes::for_each(self.store, self.head, |record| {
            if self.leaving.contains(&record.at.file()) {
                places.push(record.at);
            }
            Ok(())
        })?;
        places.sort_unstable();
        places.dedup();
        let mut writer = PartsWriter::new(self.store, self.path);
        for group in places.chunk_by(|a, b| a.file() == b.file()) {
            self.copy_file(group, &mut writer)?;
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
        Ok(Moved { files: writer.finish()?.into_iter().zip(0..).map(file).collect(), from: places })
    }

    /// The records at `places`, all in one file.
    fn copy_file(&self, places: &[Locator], writer: &mut PartsWriter<'_>) -> Result<()> {
        let Some(first) = places.first() else { return Ok(()) };
        let file = self.head.files.iter().find(|file| file.id == first.file());
        let file = file.ok_or_else(|| Error::corrupt(format!("the commit of a model does not list its file {}", first.file())))?;
        let rows: Vec<u32> = places.iter().map(|place| place.row()).collect();
        let mut copied = 0;
        for batch in PartReader::open(self.store, &file.path)?.select(&rows).read()? {
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
        if copied == places.len() { Ok(()) } else { Err(Error::corrupt(format!("{} holds fewer records than its commit says", file.path))) }
    }
}

impl Moved {
    /// How many records.
    pub(crate) fn records(&self) -> u64 {
        self.from.len() as u64
    }

    /// Where the record at `place` is now.
    pub(crate) fn place(&self, place: Locator) -> Locator {
        let Ok(rank) = self.from.binary_search(&place) else { return place };
        let mut row = rank as u64;
        for file in &self.files {
            if row < file.rows {
                return Locator::new(file.id, row as u32);
            }
            row -= file.rows;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::tests::{Bench, Rows};

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
