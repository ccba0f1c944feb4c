//! Records of a fixed size that are written in one order and read back in another: pile by pile.
//!
//! ```text
//! pushed    c a b a c │ b b a c a │ a c        as they come
//! the file  a a b c c │ a a b b c │            a block at a time, each by pile; where piles end is held in memory
//! read      a: a a, a a, a                     from each block its part, and what was not written yet
//! ```
//!
//! Memory: one block, and four bytes for each block and pile. One open file. Little that comes is never written.

use std::marker::PhantomData;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use outflow_contract::Result;

use super::{Folder, Temporary, unread, unwritten};

/// A record of a fixed size.
pub trait Stored: Sized {
    /// Its size.
    const BYTES: usize;
    /// Appends it, in so many bytes.
    fn store(&self, into: &mut Vec<u8>);
    /// Out of so many bytes.
    fn load(bytes: &[u8]) -> Self;
}

/// The whole numbers of 64 bits, one after another, that a stored record consists of; 0 beyond its end.
pub fn numbers(bytes: &[u8]) -> impl FnMut() -> u64 + '_ {
    let mut words = bytes.as_chunks::<8>().0.iter();
    move || words.next().map_or(0, |word| u64::from_le_bytes(*word))
}

/// Appends whole numbers of 64 bits: see [`numbers`].
pub fn put(into: &mut Vec<u8>, numbers: &[u64]) {
    for number in numbers {
        into.extend_from_slice(&number.to_le_bytes());
    }
}

/// Records by pile.
pub struct Piles<T> {
    folder: Arc<Folder>,
    name: &'static str,
    /// How many piles.
    count: usize,
    /// What was not written yet, and to which piles it belongs; once it is in their order, where they end.
    bytes: Vec<u8>,
    of: Vec<u16>,
    ends: Option<Box<[u32]>>,
    file: Option<Temporary>,
    blocks: Vec<Block>,
    written: u64,
    records: u64,
    records_of: PhantomData<fn() -> T>,
}

struct Block {
    offset: u64,
    /// For each pile the number of records up to its end.
    ends: Box<[u32]>,
}

impl<T: Stored> Piles<T> {
    /// So many, all empty. `name` is that of the file, if there will be one.
    pub fn new(folder: &Arc<Folder>, name: &'static str, piles: usize) -> Self {
        Self {
            folder: Arc::clone(folder),
            name,
            count: piles.clamp(1, 1 << 16),
            bytes: Vec::new(),
            of: Vec::new(),
            ends: None,
            file: None,
            blocks: Vec::new(),
            written: 0,
            records: 0,
            records_of: PhantomData,
        }
    }

    /// How many piles.
    pub fn piles(&self) -> usize {
        self.count
    }

    /// How many records.
    pub fn len(&self) -> u64 {
        self.records
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Puts a record on a pile; there is no other beyond the last.
    pub fn push(&mut self, pile: usize, record: &T) -> Result<()> {
        record.store(&mut self.bytes);
        self.of.push(pile.min(self.count - 1) as u16);
        self.ends = None;
        self.records += 1;
        if self.bytes.len() < self.folder.block_bytes() { Ok(()) } else { self.write() }
    }

    /// Writes a block.
    fn write(&mut self) -> Result<()> {
        self.settle();
        let Some(ends) = self.ends.take() else { return Ok(()) };
        let to = match &mut self.file {
            Some(file) => file,
            none => none.insert(Temporary::create(self.folder.file(self.name))?),
        };
        to.file.write_all_at(&self.bytes, self.written).map_err(|error| unwritten(&to.path, error))?;
        self.blocks.push(Block { offset: self.written, ends });
        self.written += self.bytes.len() as u64;
        self.bytes.clear();
        self.of.clear();
        Ok(())
    }

    /// Brings what was not written yet into the order of piles: reading goes without it, and is faster after it.
    pub fn settle(&mut self) {
        if self.ends.is_some() {
            return;
        }
        let mut ends = vec![0u32; self.count].into_boxed_slice();
        self.of.iter().for_each(|&pile| ends[usize::from(pile)] += 1);
        let mut sum = 0;
        for end in &mut *ends {
            sum += *end;
            // Where the pile begins, until its records have moved there.
            *end = sum - *end;
        }
        let mut sorted = vec![0; self.bytes.len()];
        for (record, &pile) in self.bytes.chunks_exact(T::BYTES).zip(&self.of) {
            let place = &mut ends[usize::from(pile)];
            let from = *place as usize * T::BYTES;
            sorted[from..from + T::BYTES].copy_from_slice(record);
            *place += 1;
        }
        self.of.sort_unstable();
        self.bytes = sorted;
        self.ends = Some(ends);
    }

    /// Appends the records of a pile, in the order in which they came.
    pub fn read(&self, pile: usize, into: &mut Vec<T>) -> Result<()> {
        if pile >= self.count {
            return Ok(());
        }
        if let Some(Temporary { file, path }) = &self.file {
            let mut buffer = Vec::new();
            for block in &self.blocks {
                let records = part(&block.ends, pile);
                buffer.resize(records.len() * T::BYTES, 0);
                let offset = block.offset + (records.start * T::BYTES) as u64;
                file.read_exact_at(&mut buffer, offset).map_err(|error| unread(path, error))?;
                into.extend(buffer.chunks_exact(T::BYTES).map(T::load));
            }
        }
        if let Some(ends) = &self.ends {
            let records = part(ends, pile);
            into.extend(self.bytes[records.start * T::BYTES..records.end * T::BYTES].chunks_exact(T::BYTES).map(T::load));
        } else {
            let unwritten = self.bytes.chunks_exact(T::BYTES).zip(&self.of);
            into.extend(unwritten.filter(|(_, of)| usize::from(**of) == pile).map(|(record, _)| T::load(record)));
        }
        Ok(())
    }
}

/// Which records of a block are of a pile.
fn part(ends: &[u32], pile: usize) -> Range<usize> {
    let from = if pile == 0 { 0 } else { ends[pile - 1] };
    from as usize..ends[pile] as usize
}

#[cfg(test)]
mod tests {
    use outflow_ledger::store::MemoryStore;

    use super::super::BLOCK_BYTES_MAX;
    use super::*;

    impl Stored for u64 {
        const BYTES: usize = 8;

        fn store(&self, into: &mut Vec<u8>) {
            into.extend_from_slice(&self.to_le_bytes());
        }

        fn load(bytes: &[u8]) -> Self {
            numbers(bytes)()
        }
    }

    const BLOCK_RECORDS: u64 = BLOCK_BYTES_MAX as u64 / 8;

    #[test]
    fn every_pile_comes_back_in_the_order_in_which_its_records_came() {
        let folder = Folder::new(&MemoryStore::new(), None).unwrap();
        for (records, piles) in [(0, 3), (10, 3), (BLOCK_RECORDS, 256), (1_000_000, 1), (1_000_000, 256), (600_000, 1 << 16)] {
            let mut kept = Piles::new(&folder, "numbers", piles);
            let pile_of = |i: u64| (i * i % 1_000_003) as usize % piles;
            (0..records).for_each(|i| kept.push(pile_of(i), &i).unwrap());
            assert_eq!(kept.len(), records);
            if records.is_multiple_of(3) {
                kept.settle();
            }
            let mut seen = 0;
            for pile in (0..piles).step_by(1 + piles / 300) {
                let mut read = Vec::new();
                kept.read(pile, &mut read).unwrap();
                assert!(read.is_sorted() && read.iter().all(|&i| pile_of(i) == pile), "{records} in {piles}");
                seen += read.len() as u64;
            }
            assert!(seen == records || piles > 300, "{records} in {piles}");
        }
    }

    #[test]
    fn a_file_is_there_from_the_first_block_on_until_its_piles_are_dropped() {
        let folder = Folder::new(&MemoryStore::new(), None).unwrap();
        let files = || std::fs::read_dir(folder.scratch.path()).unwrap().count();
        let mut kept = Piles::new(&folder, "numbers", 4);
        (1..BLOCK_RECORDS).for_each(|i| kept.push(1, &i).unwrap());
        assert_eq!(files(), 0);
        kept.push(1, &7).unwrap();
        assert_eq!(files(), 1);
        drop(kept);
        assert_eq!(files(), 0);
    }

    #[test]
    fn a_full_disk_is_an_error_that_says_so() {
        let folder = Folder::new(&MemoryStore::new(), None).unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.scratch.path().join("numbers-0")).unwrap();
        let mut kept = Piles::new(&folder, "numbers", 4);
        let error = (0..BLOCK_RECORDS).find_map(|i| kept.push(1, &i).err()).unwrap();
        assert!(error.to_string().contains("numbers-0") && error.remedy_text().unwrap().contains("make room"), "{error}");
    }
}
