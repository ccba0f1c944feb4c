//! `compose(pending, versions after the cursor)` where it has to be worked out: by key, over the narrow columns, in ranges of
//! keys that fit in memory; then the values of what remains are copied from where they stand.

use crate::snapshot::PartReader;
use arrow::datatypes::SchemaRef;
use outflow_contract::{Before, Entry, Error, Key, Result};
use outflow_ledger::changes::{EntryBuilder, EntryReader, Locator, assemble, values_of};
use outflow_ledger::commit::PendingFile;
use outflow_ledger::compose::{Options, compose_key};
use outflow_ledger::paths;
use outflow_ledger::runs::SealedPart;

use super::{Sealing, sealed_part};
use crate::snapshot::values::{complete, fetch};
use crate::snapshot::{KeyIndex, PartsWriter, index_file};

/// Entries that are composed at once: some 150 MB.
const ENTRIES_AT_ONCE: u64 = 1 << 20;

/// A part to compose from.
struct Input {
    path: String,
    /// Its number among the model's files; none for pending records.
    file: Option<u32>,
    rows: u64,
    /// It is from before a column was added.
    lacks_columns: bool,
}

/// One entry of one part.
struct Item {
    entry: Entry,
    before_at: Option<Locator>,
    /// Ascends with time: pending first, then the versions in order.
    input: u32,
    row: u32,
}

/// What remains of a key.
struct Net {
    entry: Entry,
    before_at: Option<Locator>,
    input: u32,
    row: u32,
}

/// Writes the composition into the run's folder; after a reset only its deletes, for the whole snapshot is sent beside them.
pub(super) fn write(sealing: &Sealing<'_>, pending: &[PendingFile], ahead: &[u64], resend: bool) -> Result<Vec<SealedPart>> {
    let inputs = inputs(sealing, pending, ahead)?;
    let total: u64 = inputs.iter().map(|input| input.rows).sum();
    let ranges = total.div_ceil(ENTRIES_AT_ONCE).max(1);
    let options = Options { shared: sealing.shared, selection: sealing.mapping.selection, resend };
    let mut parts = Vec::new();
    for range in 0..ranges {
        let in_range = |key: Key| (u128::from(key.halves().0) * u128::from(ranges)) >> 64 == u128::from(range);
        let mut items = load(sealing, &inputs, |key| in_range(key) && sealing.only.is_none_or(|only| only == key))?;
        items.sort_unstable_by_key(|item| (item.entry.key, item.input, item.row));
        let mut nets: Vec<Net> =
            items.chunk_by(|a, b| a.entry.key == b.entry.key).filter_map(|key| net(key, &inputs, pending.len(), options)).collect();
        nets.retain(|net| !resend || net.entry.after.is_none());
        nets.sort_unstable_by_key(|net| (net.input, net.row));
        parts.extend(copy(sealing, &inputs, &nets, range)?);
    }
    Ok(parts)
}

fn inputs(sealing: &Sealing<'_>, pending: &[PendingFile], ahead: &[u64]) -> Result<Vec<Input>> {
    let input = |part: SealedPart, file: Option<u32>| -> Result<Input> {
        let lacks_columns = sealing.lack_columns(std::slice::from_ref(&part))?;
        Ok(Input { path: part.path, file, rows: part.rows, lacks_columns })
    };
    let mut inputs = Vec::new();
    for p in pending {
        inputs.push(input(SealedPart { path: p.path.clone(), rows: p.rows, blake3: p.blake3.clone() }, None)?);
    }
    for version in sealing.head.versions.iter().filter(|version| ahead.contains(&version.version)) {
        for &id in &version.files {
            inputs.push(input(sealing.file_part(id)?, Some(id))?);
        }
    }
    Ok(inputs)
}

fn load(sealing: &Sealing<'_>, inputs: &[Input], wanted: impl Fn(Key) -> bool) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        let mut row = 0u32;
        for batch in PartReader::open(sealing.store, &input.path)?.narrow().read()? {
            let batch = batch?;
            let entries = EntryReader::new(&batch)?;
            for i in 0..entries.len() {
                let (entry, before_at) = entries.get(i);
                if wanted(entry.key) {
                    items.push(Item { entry, before_at, input: number as u32, row: row + i as u32 });
                }
            }
            row += entries.len() as u32;
        }
    }
    Ok(items)
}

/// Composes the entries of one key, in order of time.
fn net(items: &[Item], inputs: &[Input], pending: usize, options: Options) -> Option<Net> {
    let (first, last) = (items.first()?, items.last()?);
    let from_pending = (first.input as usize) < pending;
    let pending = from_pending.then_some(first.entry);
    let steps: Vec<Entry> = items[usize::from(from_pending)..].iter().map(|item| item.entry).collect();
    let entry = compose_key(pending, &steps, &options)?;
    // Where the values of its state before are: those of the first entry, or of a step that was seen on the way.
    let before_at = match entry.before {
        Before::Known(_) if first.entry.before == entry.before => first.before_at,
        Before::Known(row) => items.iter().rev().find(|item| item.entry.after == Some(row)).and_then(|item| {
            let file = inputs[item.input as usize].file?;
            Some(Locator::new(file, item.row))
        }),
        _ => None,
    };
    Some(Net { entry, before_at, input: last.input, row: last.row })
}

/// Writes the net entries with their values, which stand in the inputs in this order.
fn copy(sealing: &Sealing<'_>, inputs: &[Input], nets: &[Net], range: u64) -> Result<Vec<SealedPart>> {
    let schema = sealing.schema()?;
    let path = |i: usize| paths::run_file(&sealing.mapping.name, sealing.epoch, &format!("changes-{range:04}-{i:03}.parquet"));
    let mut writer = PartsWriter::new(sealing.store, path);
    let mut index: Option<KeyIndex> = None;
    for group in nets.chunk_by(|a, b| a.input == b.input) {
        let Some(first) = group.first() else { continue };
        let input = &inputs[first.input as usize];
        if !input.lacks_columns {
            copy_from(sealing, &input.path, group.iter(), &schema, &mut writer)?;
            continue;
        }
        // From before a column was added: the newest values of what is still there are in the snapshot.
        if index.is_none() {
            index = Some(index_file::load(sealing.store, sealing.head)?);
        }
        let now = |net: &Net| {
            index.as_ref().filter(|_| net.entry.after.is_some()).and_then(|index| Some(index.get(index.rank(net.entry.key)?).at))
        };
        let mut present: Vec<(Locator, &Net)> = group.iter().filter_map(|net| Some((now(net)?, net))).collect();
        present.sort_unstable_by_key(|(at, _)| at.0);
        copy_present(sealing, &present, &schema, &mut writer)?;
        copy_from(sealing, &input.path, group.iter().filter(|net| now(net).is_none()), &schema, &mut writer)?;
    }
    Ok(writer.finish()?.into_iter().map(sealed_part).collect())
}

/// Copies entries with the values that stand in the part at `path`.
fn copy_from<'a>(
    sealing: &Sealing<'_>,
    path: &str,
    nets: impl Iterator<Item = &'a Net> + Clone,
    schema: &SchemaRef,
    writer: &mut PartsWriter<'_>,
) -> Result<()> {
    let rows: Vec<u32> = nets.clone().map(|net| net.row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let mut nets = nets;
    for batch in PartReader::open(sealing.store, path)?.select(&rows).read()? {
        let values = complete(&values_of(&batch?)?, schema)?;
        let mut entries = EntryBuilder::new();
        for net in nets.by_ref().take(values.num_rows()) {
            entries.push(&net.entry, net.before_at);
        }
        writer.write(&assemble(entries.finish(), &values)?)?;
    }
    if nets.next().is_some() {
        return Err(Error::corrupt(format!("{path} holds fewer records than its commit says")));
    }
    Ok(())
}

/// Copies entries with the values that the snapshot has of them.
fn copy_present(sealing: &Sealing<'_>, present: &[(Locator, &Net)], schema: &SchemaRef, writer: &mut PartsWriter<'_>) -> Result<()> {
    let places: Vec<Locator> = present.iter().map(|(at, _)| *at).collect();
    let mut next = present.iter();
    fetch(sealing.store, &sealing.head.files, &places, schema, |found| {
        let mut entries = EntryBuilder::new();
        for (_, net) in next.by_ref().take(found.places.len()) {
            entries.push(&net.entry, net.before_at);
        }
        writer.write(&assemble(entries.finish(), &found.values)?).map(|_| ())
    })
}
