//! Records by the places of their values, in piles that follow one another as the places do: each value file is then read once, from
//! front to back, however many records there are.

use std::sync::Arc;

use outflow_contract::Result;
use outflow_ledger::changes::Locator;
use outflow_ledger::commit::ValueFile;

use super::{Folder, Piles, Stored};

/// Places of one pile, as long as there are not more than [`PILES_MAX`] times as many: 13 MB of records.
const PILE_PLACES: u64 = 256 << 10;
const PILES_MAX: u64 = 1024;

/// A record that has a place.
pub trait Placed: Stored {
    /// Which.
    fn at(&self) -> Locator;
}

/// Records in any order, that are read in the order of their places.
pub struct ByPlace<T> {
    /// The numbers of the files, ascending, with the number of places before each and those in it.
    files: Vec<(u32, u64, u64)>,
    pile_places: u64,
    piles: Piles<T>,
}

impl<T: Placed> ByPlace<T> {
    /// Of records whose values are in these files.
    pub fn new(folder: &Arc<Folder>, name: &'static str, files: &[ValueFile]) -> Self {
        let mut files: Vec<(u32, u64, u64)> = files.iter().map(|file| (file.id, 0, file.rows)).collect();
        files.sort_unstable();
        let mut places = 0;
        for (_, before, rows) in &mut files {
            (*before, places) = (places, places + *rows);
        }
        let pile_places = places.div_ceil(PILES_MAX).max(PILE_PLACES);
        Self { files, pile_places, piles: Piles::new(folder, name, places.div_ceil(pile_places) as usize) }
    }

    fn pile_of(&self, at: Locator) -> usize {
        // The place of a file that is not there is as good as the end of the one before: whoever reads its values finds out.
        let file = self.files[..self.files.partition_point(|(id, ..)| *id <= at.file())].last();
        let place = file.map_or(0, |(_, before, rows)| before + u64::from(at.row()).min(rows.saturating_sub(1)));
        (place / self.pile_places) as usize
    }

    /// Keeps a record.
    pub fn push(&mut self, record: &T) -> Result<()> {
        self.piles.push(self.pile_of(record.at()), record)
    }

    /// Brings what was not written yet into order, so that reading is faster.
    pub fn settle(&mut self) {
        self.piles.settle();
    }

    /// How many.
    pub fn len(&self) -> u64 {
        self.piles.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.piles.is_empty()
    }

    /// Hands out what is kept by all of them, which are of the same files, in the order of places: a pile at a time, none of them empty.
    pub fn each(all: &[Self], mut each: impl FnMut(Vec<T>) -> Result<()>) -> Result<()> {
        for pile in 0..all.iter().map(|one| one.piles.piles()).max().unwrap_or(0) {
            let mut records = Vec::new();
            for one in all {
                one.piles.read(pile, &mut records)?;
            }
            if !records.is_empty() {
                records.sort_unstable_by_key(Placed::at);
                each(records)?;
            }
        }
        Ok(())
    }

    /// The same of this one.
    pub fn in_order(&self, each: impl FnMut(Vec<T>) -> Result<()>) -> Result<()> {
        Self::each(std::slice::from_ref(self), each)
    }
}

#[cfg(test)]
mod tests {
    use outflow_ledger::store::MemoryStore;

    use super::*;

    #[derive(Clone, Copy)]
    struct At(Locator);

    impl Stored for At {
        const BYTES: usize = 8;

        fn store(&self, into: &mut Vec<u8>) {
            into.extend_from_slice(&self.0.0.to_le_bytes());
        }

        fn load(bytes: &[u8]) -> Self {
            Self(Locator(super::super::numbers(bytes)()))
        }
    }

    impl Placed for At {
        fn at(&self) -> Locator {
            self.0
        }
    }

    fn file(id: u32, rows: u64) -> ValueFile {
        ValueFile { id, path: String::new(), version: 1, retired: None, rows, bytes: 0, blake3: String::new() }
    }

    #[test]
    fn records_come_back_in_the_order_of_their_places_whichever_kept_them() {
        let folder = Folder::new(&MemoryStore::new(), None).unwrap();
        let files = [file(9, 70_000), file(2, 600_000), file(4, 0), file(5, 1)];
        let mut kept = [ByPlace::new(&folder, "places", &files), ByPlace::new(&folder, "places", &files)];
        let mut places: Vec<Locator> = files.iter().flat_map(|file| (0..file.rows).map(|row| Locator::new(file.id, row as u32))).collect();
        for (i, at) in places.iter().rev().enumerate() {
            kept[i % 3 % 2].push(&At(*at)).unwrap();
        }
        places.sort_unstable();
        let mut read = Vec::new();
        let mut most = 0;
        ByPlace::each(&kept, |pile| {
            most = most.max(pile.len());
            read.extend(pile.iter().map(|record| record.0));
            Ok(())
        })
        .unwrap();
        assert_eq!((read, most as u64), (places, PILE_PLACES));
    }

    #[test]
    fn a_place_in_a_file_that_is_not_there_is_kept_all_the_same() {
        let folder = Folder::new(&MemoryStore::new(), None).unwrap();
        for files in [vec![], vec![file(3, 10)]] {
            let mut kept = ByPlace::new(&folder, "places", &files);
            for at in [Locator::new(1, 7), Locator::new(3, 900), Locator::new(8, 1)] {
                kept.push(&At(at)).unwrap();
            }
            let mut read = 0;
            kept.in_order(|pile| {
                read += pile.len();
                Ok(())
            })
            .unwrap();
            assert_eq!(read, 3);
        }
    }
}
