//! Segments of the snapshot into tables.

use outflow_contract::{Error, Result};

use super::table::Table;
use super::{Compared, Comparison, Round};
use crate::snapshot::{Columns, segment_of};

impl Comparison {
    /// The tables of a round's segments. Shared out among threads.
    pub(super) fn tables(&self, round: &Round) -> Result<Vec<Table>> {
        let threads = self.threads.max(1);
        let of = |lane: usize| -> Result<Vec<(usize, Table)>> {
            let mut buffer = Vec::new();
            let segments = round.segments.clone().skip(lane).step_by(threads);
            segments.map(|segment| Ok((segment, self.table(segment, &mut buffer)?))).collect()
        };
        let mut tables = std::thread::scope(|scope| {
            let of = &of;
            let others: Vec<_> = (1..threads).map(|lane| scope.spawn(move || of(lane))).collect();
            let mut tables = of(0)?;
            for other in others {
                tables.extend(other.join().map_err(|_| Error::bug("a thread of the diff stopped"))??);
            }
            Ok::<_, Error>(tables)
        })?;
        tables.sort_unstable_by_key(|(segment, _)| *segment);
        Ok(tables.into_iter().map(|(_, table)| table).collect())
    }

    fn table(&self, segment: usize, buffer: &mut Vec<u8>) -> Result<Table> {
        if self.snapshot.is_empty() {
            return Ok(Table::default());
        }
        let merged = self.snapshot.segment_in(segment, Columns::Upper, std::mem::take(buffer))?;
        let table = match &self.rebase {
            None => Table::of(&merged),
            Some(rebase) => {
                let (mut table, mut next) = (Table::with_room(merged.records_at_most()), 0);
                let (mut compared, mut hashes) = (Vec::new(), vec![0; merged.records_at_most()]);
                rebase.hashes.read(segment, &mut compared)?;
                for Compared { record, high } in compared {
                    if let Some(hash) = hashes.get_mut(record as usize) {
                        *hash = high;
                    }
                }
                let mut hashes = hashes.into_iter();
                merged.each(|key_high, _| next = table.put(next, key_high, hashes.next().unwrap_or_default()));
                table
            }
        };
        *buffer = merged.into_buffer();
        Ok(table)
    }
}

impl Round {
    /// In which round a key's turn is.
    pub(super) fn round_of(&self, key_high: u64) -> usize {
        self.turns[segment_of(key_high)].into()
    }
}
