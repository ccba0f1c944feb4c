//! The keys that an extraction found new or changed, on disk by key range until the extraction has ended.
//!
//! Each worker appends fixed-size entries to one of [`PARTITIONS`] files, chosen by the top bits of the key. Afterwards a
//! partition at a time is read, sorted, and searched for keys that came more than once. Memory: one partition.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use outflow_contract::{Error, Key, Result, RowHash};
use outflow_ledger::changes::Locator;

use crate::snapshot::Indexed;

/// 30 million entries make partitions of 20 MB.
pub const PARTITIONS: usize = 64;
const PARTITION_BITS: u32 = PARTITIONS.ilog2();
const ENTRY_BYTES: usize = 44;
const BUFFER_BYTES: usize = 1024 * ENTRY_BYTES;

/// One worker's entries.
pub struct Spill {
    folder: PathBuf,
    worker: usize,
    buffers: Vec<Vec<u8>>,
    files: Vec<Option<File>>,
    entries: u64,
}

impl Spill {
    /// An empty spill of `worker` in `folder`, which exists.
    pub fn new(folder: &Path, worker: usize) -> Self {
        let files = (0..PARTITIONS).map(|_| None).collect();
        Self { folder: folder.to_owned(), worker, buffers: vec![Vec::new(); PARTITIONS], files, entries: 0 }
    }

    /// Keeps an entry.
    pub fn push(&mut self, entry: Indexed) -> Result<()> {
        let (key_high, key_low) = entry.key.halves();
        let (row_high, row_low) = entry.row.halves();
        let partition = (key_high >> (64 - PARTITION_BITS)) as usize;
        let buffer = &mut self.buffers[partition];
        for word in [key_high, key_low, row_high, row_low, entry.at.0] {
            buffer.extend_from_slice(&word.to_le_bytes());
        }
        buffer.extend_from_slice(&entry.version.to_le_bytes());
        self.entries += 1;
        if buffer.len() >= BUFFER_BYTES { self.flush(partition) } else { Ok(()) }
    }

    fn path(&self, partition: usize) -> PathBuf {
        self.folder.join(format!("keys-{}-{partition}", self.worker))
    }

    fn flush(&mut self, partition: usize) -> Result<()> {
        let path = self.path(partition);
        let failed = |e| Error::io(format!("could not write {}", path.display()), e);
        let file = match &mut self.files[partition] {
            Some(file) => file,
            none => none.insert(OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?),
        };
        file.write_all(&self.buffers[partition]).map_err(failed)?;
        self.buffers[partition].clear();
        Ok(())
    }

    /// How many entries.
    pub fn len(&self) -> u64 {
        self.entries
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Appends the entries of `partition`, in no order.
    fn read(&self, partition: usize, into: &mut Vec<Indexed>) -> Result<()> {
        if self.files[partition].is_some() {
            let path = self.path(partition);
            let mut bytes = Vec::new();
            let read = File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes));
            read.map_err(|e| Error::io(format!("could not read {}", path.display()), e))?;
            into.extend(bytes.chunks_exact(ENTRY_BYTES).map(entry));
        }
        into.extend(self.buffers[partition].chunks_exact(ENTRY_BYTES).map(entry));
        Ok(())
    }
}

fn entry(bytes: &[u8]) -> Indexed {
    let mut words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
    let mut next = || words.next().unwrap_or_default();
    let (key, row) = (Key::from_halves(next(), next()), RowHash::from_halves(next(), next()));
    let at = Locator(next());
    let version = bytes.last_chunk::<4>().map_or(0, |last| u32::from_le_bytes(*last));
    Indexed { key, row, at, version }
}

/// The entries of `partition` from every worker, sorted by key and then by place.
pub fn read_partition(spills: &[Spill], partition: usize) -> Result<Vec<Indexed>> {
    let mut entries = Vec::new();
    for spill in spills {
        spill.read(partition, &mut entries)?;
    }
    entries.sort_unstable_by_key(|entry| (entry.key, entry.at.0));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_workers_spill_comes_back_sorted_by_partition() {
        let folder = tempfile::tempdir().unwrap();
        let mut spills = [Spill::new(folder.path(), 0), Spill::new(folder.path(), 1)];
        let key = |i: u128| Key(i.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        for i in 0..200_000u128 {
            let entry = Indexed { key: key(i), row: RowHash(i), at: Locator(i as u64), version: 3 };
            spills[(i % 2) as usize].push(entry).unwrap();
        }
        let mut all = Vec::new();
        for partition in 0..PARTITIONS {
            let entries = read_partition(&spills, partition).unwrap();
            assert!(entries.is_sorted_by_key(|entry| entry.key));
            all.extend(entries);
        }
        assert_eq!(all.len(), 200_000);
        assert!(all.is_sorted_by_key(|entry| entry.key), "partitions follow one another");
        assert!(all.iter().all(|entry| entry.key == key(entry.row.0) && u128::from(entry.at.0) == entry.row.0 && entry.version == 3));
    }
}
