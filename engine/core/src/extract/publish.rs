//! The end of an extraction: from what the workers found to a committed version.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use outflow_contract::clock::Clock;
use outflow_contract::plan::OnBadId;
use outflow_contract::report::records;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Counts, Entry, Error, Key, Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::changes::{EntryBuilder, assemble};
use outflow_ledger::commit::{Dropped, ExtractionInfo, HashFile, ModelCommit, ValueFile, VersionInfo, encode_schema};
use outflow_ledger::paths;

use super::duplicates::{self, Removed};
use super::segments::in_order;
use super::writer::{Output, Part};
use super::{Extracted, Extraction, Gathered};
use crate::diff::{Comparison, HASH_FORMAT, Reason, Tally};
use crate::scratch::ByPlace;
use crate::snapshot::{Columns, HashFileWriter, Indexed, hashes};
use crate::time::rfc3339;

/// Deleted records that are laid out at once.
const DELETED_AT_ONCE: usize = 64 << 10;

/// A new salt for a model's hashes.
pub(super) fn new_salt(clock: &dyn Clock) -> u128 {
    (u128::from(clock.random()) << 64) | u128::from(clock.random())
}

/// The key of a model's hashes.
pub(crate) fn hash_key(salt: u128) -> [u8; 32] {
    blake3::derive_key("outflow 2026 record hash", &salt.to_be_bytes())
}

/// Everything that is needed to publish, owned, so that it can move to a thread that may block.
pub(super) struct Publication {
    store: Arc<dyn StateStore>,
    diff: Arc<Comparison>,
    model: String,
    id: Vec<String>,
    on_duplicate_id: OnBadId,
    query_hash: String,
    head: Option<ModelCommit>,
    salt: u128,
    workers: usize,
    nonce: u64,
    commit_nonce: u64,
    now: String,
    notices: Vec<String>,
}

impl Publication {
    pub(super) fn new(
        extraction: &Extraction<'_>,
        head: Option<ModelCommit>,
        diff: Arc<Comparison>,
        salt: u128,
        notices: Vec<String>,
    ) -> Self {
        Self {
            store: Arc::clone(&extraction.store),
            diff,
            model: extraction.model.name.clone(),
            id: extraction.model.id.clone(),
            on_duplicate_id: extraction.model.on_duplicate_id,
            query_hash: blake3::hash(extraction.model.sql.as_bytes()).to_hex().to_string(),
            head,
            salt,
            workers: extraction.workers.max(1),
            nonce: extraction.clock.random(),
            commit_nonce: extraction.clock.random(),
            now: rfc3339(extraction.clock.wall()),
            notices,
        }
    }

    /// The files that what is known has its values in.
    pub(super) fn known_files(&self) -> &[ValueFile] {
        self.head.as_ref().map_or(&[], |head| &head.files)
    }

    /// The number of the `i`th file of this extraction.
    fn file(&self, i: usize) -> u32 {
        self.head.as_ref().map_or(0, |head| head.next_file) + i as u32
    }

    /// A part to be written. Its path was never used before: what an interrupted extraction left there has another nonce.
    pub(super) fn output(&self, i: usize, what: &str) -> Output {
        Output::new(self.file(i), self.path(&format!("{what}-{:016x}-{i}.parquet", self.nonce)))
    }

    /// The number of the file of deleted records: the one after those of the workers.
    fn deletes_file(&self) -> usize {
        2 * self.workers
    }

    fn path(&self, name: &str) -> String {
        paths::version_file(&self.model, self.diff.version, name)
    }

    pub(super) fn publish(mut self, mut gathered: Gathered) -> Result<Extracted> {
        let mut notices = std::mem::take(&mut self.notices);
        let (duplicates, removed) = self.without_duplicates(&mut gathered)?;
        let null_ids = self.null_ids(&gathered.tally, &mut notices);
        let deleted = self.write_deletes(&std::mem::take(&mut gathered.deleted))?;
        gathered.parts.extend(deleted);
        let mut head = self.next_commit(&gathered, null_ids)?;
        // What has changed, and what is only known by other columns from now on.
        let renewed = gathered.parts.iter().filter(|part| part.snapshot).map(|part| part.info.rows);
        let changes = gathered.tally.counts.total() + renewed.sum::<u64>();
        let rebased = self.diff.rebase.is_some();
        if rebased || changes > 0 {
            let anew = rebased || self.head.as_ref().is_none_or(|head| hashes::wants_new_base(head, changes));
            let file = self.write_hashes(head.version, &gathered, &duplicates, &removed, anew)?;
            if anew {
                head.hashes.clear();
            }
            head.hashes.push(file);
        }
        if self.head.as_ref().is_none_or(|old| !same_state(old, &head)) {
            let owner = format!("model `{}`", self.model);
            Chain::of_model(&self.model).commit(self.store.as_ref(), &head, self.commit_nonce, &owner)?;
        } else if let Some(old) = self.head {
            head = old;
        }
        let Tally { extracted, counts, unchanged, rejections, .. } = gathered.tally;
        Ok(Extracted { head, extracted, counts, unchanged, rejected: rejections.into_report(), notices })
    }

    fn without_duplicates(&self, gathered: &mut Gathered) -> Result<(HashSet<Key>, Removed)> {
        let keys = duplicates::find(gathered, self.workers)?;
        if keys.is_empty() {
            return Ok((keys, Removed::default()));
        }
        if self.on_duplicate_id == OnBadId::Abort {
            return Err(Error::new(Kind::Refused, format!("{} identifiers of model `{}` occur more than once", keys.len(), self.model))
                .remedy("mend the query, or let `on_duplicate_id: reject` leave their records out"));
        }
        let path = |file: u32| self.path(&format!("changes-{:016x}-unique-{file}.parquet", self.nonce));
        let removed = duplicates::remove(self.store.as_ref(), gathered, &keys, path)?;
        Ok((keys, removed))
    }

    /// The number of null identifiers that the next extraction is to be compared with.
    fn null_ids(&self, tally: &Tally, notices: &mut Vec<String>) -> u64 {
        let nulls = tally.rejections.get(Reason::NullId);
        if tally.kept_back == 0 {
            return nulls;
        }
        let before = self.diff.null_ids;
        notices.push(format!(
            "{} no longer returned, but {} with a null identifier ({before} last time) may be the same: nothing counts as deleted",
            records(tally.kept_back),
            records(nulls)
        ));
        // The next extraction compares with the same number: these records are still not known to be gone.
        before
    }

    /// The change set of deleted records: it says where their last values are, which is for those to read who need them.
    /// In the order of those places, a pile of them at a time.
    fn write_deletes(&self, deleted: &[ByPlace<Indexed>]) -> Result<Option<Part>> {
        let mut output = Output::new(self.file(self.deletes_file()), self.path(&format!("deleted-{:016x}.parquet", self.nonce)));
        ByPlace::each(deleted, |deleted| {
            for deleted in deleted.chunks(DELETED_AT_ONCE) {
                let mut entries = EntryBuilder::new();
                for record in deleted {
                    entries.push(&Entry::new(record.key, Before::Known(record.row), None, self.diff.version), Some(record.at));
                }
                let options = RecordBatchOptions::new().with_row_count(Some(deleted.len()));
                let no_values = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options);
                let no_values = no_values.map_err(|e| Error::bug("could not lay out deleted records").caused_by(e))?;
                output.write(self.store.as_ref(), &assemble(entries.finish(), &no_values)?)?;
            }
            Ok(())
        })?;
        output.finish(false)
    }

    /// What the new version lays over the snapshot's hashes; or, `anew`, the whole snapshot at that version.
    fn write_hashes(
        &self,
        version: u64,
        gathered: &Gathered,
        duplicates: &HashSet<Key>,
        removed: &Removed,
        anew: bool,
    ) -> Result<HashFile> {
        let path = paths::snapshot_file(&self.model, version, &format!("hashes-{:016x}", self.nonce));
        let mut writer = HashFileWriter::begin(self.store.as_ref(), &path)?;
        let of_segment = |segment: usize| {
            let fresh = gathered.changed(segment)?.into_iter().filter(|entry| !duplicates.contains(&entry.key));
            let fresh = fresh.map(|entry| Indexed { at: removed.moved(entry.at), ..entry });
            if !anew {
                return Ok(fresh.collect());
            }
            let mut merged = self.diff.snapshot.segment(segment, Columns::All)?;
            merged.lay_over(fresh);
            let mut records = Vec::with_capacity(merged.records_at_most());
            merged.each(|_, place| records.push(merged.get(place)));
            Ok(records)
        };
        in_order(self.workers, of_segment, |records: Vec<Indexed>| records.into_iter().try_for_each(|record| writer.push(record)))?;
        writer.finish(version)
    }

    fn next_commit(&self, gathered: &Gathered, null_ids: u64) -> Result<ModelCommit> {
        let tally = &gathered.tally;
        let counts: Counts = tally.counts;
        let mut next = self.head.clone().unwrap_or_else(|| ModelCommit {
            number: 0,
            version: 0,
            at: String::new(),
            schema: None,
            id: self.id.clone(),
            salt: self.salt,
            hash_format: HASH_FORMAT,
            query_hash: String::new(),
            files: Vec::new(),
            hashes: Vec::new(),
            versions: Vec::new(),
            dropped: Dropped::default(),
            next_file: 0,
            extraction: ExtractionInfo::default(),
        });
        next.number += 1;
        next.at.clone_from(&self.now);
        next.schema = Some(encode_schema(&self.diff.schema)?);
        next.query_hash.clone_from(&self.query_hash);
        let columns = self.diff.schema.fields().iter().zip(&tally.nulls);
        next.extraction = ExtractionInfo {
            extracted: tally.extracted,
            rejected: tally.rejections.total(),
            null_ids,
            records: (next.extraction.records + counts.added).saturating_sub(counts.deleted),
            nulls: columns.filter(|(_, nulls)| **nulls > 0).map(|(field, nulls)| (field.name().clone(), *nulls)).collect(),
            at: self.now.clone(),
        };
        next.files.extend(gathered.parts.iter().map(|part| self.value_file(part)));
        next.next_file = gathered.parts.iter().map(|part| part.file + 1).fold(next.next_file, u32::max);
        if counts.total() > 0 {
            next.version = self.diff.version;
            let files = gathered.parts.iter().filter(|part| !part.snapshot).map(|part| part.file).collect();
            let id = Some(format!("{:016x}", self.commit_nonce));
            next.versions.push(VersionInfo { version: next.version, at: self.now.clone(), counts, files, id });
        }
        Ok(next)
    }

    fn value_file(&self, part: &Part) -> ValueFile {
        let info = &part.info;
        ValueFile {
            id: part.file,
            path: info.path.clone(),
            version: self.diff.version,
            retired: None,
            rows: info.rows,
            bytes: info.bytes,
            blake3: info.blake3.clone(),
        }
    }
}

/// Would the new commit say anything that the old one does not?
fn same_state(old: &ModelCommit, new: &ModelCommit) -> bool {
    old.version == new.version
        && old.schema == new.schema
        && old.hashes == new.hashes
        && old.query_hash == new.query_hash
        && old.extraction.null_ids == new.extraction.null_ids
}
