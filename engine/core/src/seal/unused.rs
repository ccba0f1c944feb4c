//! Updates that change no column of the mapping. The state before is read by place, only its mapped columns, and hashed;
//! the state after likewise; equal hashes mean that the payload cannot have changed.

use crate::snapshot::PartReader;
use outflow_contract::{Before, Op, Result, RowHash};
use outflow_ledger::changes::{EntryReader, Locator, values_of};
use outflow_ledger::runs::{SealedPart, Seen};

use super::{Sealing, mapped_columns, project};
use crate::diff::{Lanes, RecordHasher};
use crate::extract::hash_key;
use crate::snapshot::values::{complete, fetch};

/// An update whose state before is known.
struct Update {
    position: u32,
    before_at: Locator,
    before: Option<RowHash>,
}

/// The positions of such updates.
pub(super) fn positions(sealing: &Sealing<'_>, parts: &[SealedPart]) -> Result<Seen> {
    let schema = sealing.schema()?;
    let Some(names) = mapped_columns(sealing.mapping, &schema) else { return Ok(Seen::new()) };
    let mut updates = updates(sealing, parts)?;
    if updates.is_empty() {
        return Ok(Seen::new());
    }
    let mapped = project(&schema, &names);
    let hasher = RecordHasher::projected(&hash_key(sealing.head.salt), &mapped, &names)?;
    let (mut keys, mut rows) = (Lanes::default(), Lanes::default());

    updates.sort_unstable_by_key(|update| update.before_at.0);
    let places: Vec<Locator> = updates.iter().map(|update| update.before_at).collect();
    let mut next = 0;
    fetch(sealing.store, &sealing.head.files, &places, &mapped, |found| {
        hasher.hash(&found.values, &mut keys, &mut rows)?;
        for i in 0..found.places.len() {
            updates[next + i].before = Some(rows.row(i));
        }
        next += found.places.len();
        Ok(())
    })?;

    updates.sort_unstable_by_key(|update| update.position);
    let mut unused = Seen::new();
    let mut updates = updates.into_iter().peekable();
    let mut position = 0u32;
    for part in parts {
        for batch in PartReader::open(sealing.store, &part.path)?.values(&names).read()? {
            let values = complete(&values_of(&batch?)?, &mapped)?;
            let end = position + values.num_rows() as u32;
            if updates.peek().is_some_and(|update| update.position < end) {
                hasher.hash(&values, &mut keys, &mut rows)?;
            }
            while let Some(update) = updates.next_if(|update| update.position < end) {
                if update.before == Some(rows.row((update.position - position) as usize)) {
                    unused.insert(update.position);
                }
            }
            position = end;
        }
    }
    Ok(unused)
}

fn updates(sealing: &Sealing<'_>, parts: &[SealedPart]) -> Result<Vec<Update>> {
    let kept: std::collections::HashSet<u32> = sealing.head.files.iter().map(|file| file.id).collect();
    let mut updates = Vec::new();
    let mut position = 0u32;
    for part in parts {
        for batch in PartReader::open(sealing.store, &part.path)?.narrow().read()? {
            let batch = batch?;
            let entries = EntryReader::new(&batch)?;
            for i in 0..entries.len() {
                let (entry, before_at) = entries.get(i);
                // Values that are no longer kept cannot be compared: such an update is sent.
                let before_at = before_at.filter(|at| kept.contains(&at.file()));
                if let (Op::Updated, Before::Known(_), Some(before_at)) = (entry.op(), entry.before, before_at) {
                    updates.push(Update { position: position + i as u32, before_at, before: None });
                }
            }
            position += entries.len() as u32;
        }
    }
    Ok(updates)
}
