//! What a commit says. One for each model and mapping at a time is the head, and only what a commit names exists for good.
//!
//! A model is a log of versions; a mapping's state is a cursor into that log and the change set `pending`. Commits are immutable and make
//! a gapless chain ([`crate::chain`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use outflow_contract::{Counts, Entry, Error, Op, Result, Selection};
use serde::{Deserialize, Serialize};

use crate::changes::PartInfo;

/// The state of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCommit {
    /// Its place in the chain, from 1.
    pub number: u64,
    /// The newest version of the model, from 1; 0 if there is none.
    pub version: u64,
    /// When, RFC 3339.
    pub at: String,
    /// The columns: see [`encode_schema`].
    pub schema: Option<String>,
    /// The identifier's columns.
    pub id: Vec<String>,
    /// What the hashes are keyed with.
    #[serde(with = "hex128")]
    pub salt: u128,
    /// The version of the hashes.
    pub hash_format: u32,
    /// The hash of the query's text.
    pub query_hash: String,
    /// The files that hold values: of the snapshot, and of the versions after it.
    pub files: Vec<ValueFile>,
    /// The hash snapshot: a base, and what later versions laid over it, oldest first.
    pub hashes: Vec<HashFile>,
    /// The versions that are kept, oldest first.
    pub versions: Vec<VersionInfo>,
    /// What went before them.
    pub dropped: Dropped,
    /// The number of the next value file: never that of an earlier one, which something may still name.
    pub next_file: u32,
    /// The extraction that made this commit.
    pub extraction: ExtractionInfo,
}

/// A file of records with their values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueFile {
    /// Its number, never used again in this model: the file half of a [`crate::changes::Locator`].
    pub id: u32,
    /// Where it lies.
    pub path: String,
    /// The version that wrote it.
    pub version: u64,
    /// The version from which on the snapshot no longer names it; up to that one, versions may. `None` while the snapshot does.
    pub retired: Option<u64>,
    /// Records in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The hash of its bytes, hexadecimal.
    pub blake3: String,
}

/// What tells a version from every other: a number that nobody else draws, in hexadecimal.
pub type VersionId = String;

/// The versions that retention has dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    /// The last of them; 0 if there are none.
    pub through: u64,
    /// Its [`VersionInfo::id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<VersionId>,
}

/// A file of key and row hashes, by key: all records of a model, or those that a version changed. The next extraction is compared with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashFile {
    /// Where it lies.
    pub path: String,
    /// The version up to which it tells.
    pub version: u64,
    /// Records in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The hash of its bytes, hexadecimal.
    pub blake3: String,
}

/// One version of a model: a change set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionInfo {
    /// Its number.
    pub version: u64,
    /// When, RFC 3339.
    pub at: String,
    /// What changed.
    pub counts: Counts,
    /// The parts of its change set, in order: numbers of `files`.
    pub files: Vec<u32>,
    /// Tells it from every other version, of the same number too; versions of before there were ids have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<VersionId>,
}

/// What an extraction saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtractionInfo {
    /// Records returned.
    pub extracted: u64,
    /// Records rejected.
    pub rejected: u64,
    /// Records without an identifier among them.
    pub null_ids: u64,
    /// Records that the model has since.
    pub records: u64,
    /// How many of those returned are null in each column; columns without any are left out.
    pub nulls: BTreeMap<String, u64>,
    /// When, RFC 3339.
    pub at: String,
}

impl ModelCommit {
    /// What a mapping that seals this version sees of it.
    pub fn sighting(&self) -> Sighting {
        let ExtractionInfo { extracted, records, ref nulls, .. } = self.extraction;
        Sighting { version: self.version, extracted, records, nulls: nulls.clone(), footing: Some(self.footing(self.version)) }
    }

    /// What a mapping stands on whose cursor is `version` of it.
    pub fn footing(&self, version: u64) -> Footing {
        Footing { commit: self.number, version_id: self.version_id(version).cloned() }
    }

    /// The id of a version that a mapping may have delivered last; `None` if it has none, or is not there.
    pub fn version_id(&self, version: u64) -> Option<&VersionId> {
        if version == self.dropped.through {
            return self.dropped.id.as_ref();
        }
        self.versions.iter().find(|info| info.version == version)?.id.as_ref()
    }
}

/// What a mapping's state stands on: the number of a version alone would be that of another one, too, if commits of its model were taken away,
/// and their numbers used again ([`crate::footing`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Footing {
    /// The newest commit of its model that it knows of.
    pub commit: u64,
    /// The id of the version that is its cursor; `None` if there is no cursor, or that version has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<VersionId>,
}

/// What a mapping saw of its model: what the guards of its next sync compare with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    /// The version.
    pub version: u64,
    /// Records that the query returned.
    pub extracted: u64,
    /// Records that the model had.
    pub records: u64,
    /// How many of those returned were null in each column; columns without any are left out.
    pub nulls: BTreeMap<String, u64>,
    /// Which version that is; `None` in states of before there were ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footing: Option<Footing>,
}

/// The state of a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingCommit {
    /// Its place in the chain, from 1.
    pub number: u64,
    /// When, RFC 3339.
    pub at: String,
    /// The name under which its state began: what ids are made with (rules 21 and 22).
    pub origin: String,
    /// Its model.
    pub model: String,
    /// Its destination.
    pub destination: String,
    /// The account there.
    pub account: String,
    /// What it sends.
    pub selection: Selection,
    /// The identifier's columns of the model.
    pub id: Vec<String>,
    /// The model version up to which everything is delivered or in `pending`; `None` before the first sync.
    pub cursor: Option<u64>,
    /// Which version that is; `None` in states of before there were ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footing: Option<Footing>,
    /// What its last sync saw of the model, which is behind the cursor where retention has moved that; `None` before the first.
    pub saw: Option<Sighting>,
    /// The records whose last state the destination has not acknowledged.
    pub pending: Vec<PendingFile>,
    /// Those that failed last, with samples, for people: `failures.parquet` of the run that left them.
    pub failures: Option<String>,
    /// Until when a request whose answer was never read may take effect: milliseconds since the Unix epoch (rule 11).
    pub deadline_ms: Option<u64>,
    /// Raised by each reset, replay and backfill (rule 22).
    pub generation: u64,
    /// A reset is waiting for its sync (rule 15).
    pub resend: bool,
    /// `pending` holds records that were sent ahead of their sync, too: nothing is to be done for those.
    pub ahead: bool,
    /// Nothing is sent until it is resumed; why not.
    pub paused: Option<String>,
    /// The mapping that goes on with this state; an empty name if none does. Nothing is committed after it.
    pub ended: Option<String>,
    /// The last run that this chain has folded. Runs after it with a plan are open, and recovered before anything else.
    pub closed_through: u64,
    /// The sync that made this commit, if one did.
    pub sync_id: Option<String>,
    /// It was carried over from that mapping at that commit of its, and nothing has happened to it since.
    pub carried: Option<(String, u64)>,
    /// The hash of the fields that it was last synced with, as they were written; empty before its first sync.
    pub fields: String,
}

impl MappingCommit {
    /// Nothing hangs on it: the mapping has ended, or nothing was ever delivered, nor is known to be pending.
    pub fn is_blank(&self) -> bool {
        let untouched = self.cursor.is_none() && self.pending.is_empty() && self.generation == 0;
        self.ended.is_some() || untouched
    }

    /// The state of a mapping before its first commit: number 0, nothing delivered, nothing pending.
    pub fn nothing(mapping: &str, model: &str, destination: &str, account: String, selection: Selection, id: Vec<String>) -> Self {
        Self {
            number: 0,
            at: String::new(),
            origin: mapping.to_owned(),
            model: model.to_owned(),
            destination: destination.to_owned(),
            account,
            selection,
            id,
            cursor: None,
            footing: None,
            saw: None,
            pending: Vec::new(),
            failures: None,
            deadline_ms: None,
            generation: 0,
            resend: false,
            ahead: false,
            paused: None,
            ended: None,
            closed_through: 0,
            sync_id: None,
            carried: None,
            fields: String::new(),
        }
    }
}

/// A part of the change set `pending`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingFile {
    /// Where it lies.
    pub path: String,
    /// Records in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The hash of its bytes, hexadecimal.
    pub blake3: String,
    /// By operation.
    pub counts: Counts,
    /// Those of them that are set aside.
    pub set_aside: Counts,
}

impl PendingFile {
    /// A part that was written, with its records by operation.
    pub fn of(info: PartInfo, counted: PendingCounts) -> Self {
        let PendingCounts { all, set_aside, .. } = counted;
        Self { path: info.path, rows: info.rows, bytes: info.bytes, blake3: info.blake3, counts: all, set_aside }
    }
}

/// Pending records by operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingCounts {
    /// Those that wait.
    pub all: Counts,
    /// Those of them that are set aside.
    pub set_aside: Counts,
    /// There are records, too, that were sent ahead of their sync, and of which nothing is to be done.
    pub ahead: bool,
}

impl PendingCounts {
    /// Counts one more.
    pub fn add(&mut self, entry: &Entry) {
        if entry.is_settled() {
            self.ahead = true;
            return;
        }
        self.all.add(entry.op(), 1);
        if entry.failed.set_aside {
            self.set_aside.add(entry.op(), 1);
        }
    }
}

impl MappingCommit {
    /// Its pending records, by operation.
    pub fn waiting(&self) -> PendingCounts {
        let mut sum = PendingCounts { ahead: self.ahead, ..PendingCounts::default() };
        for (file, op) in self.pending.iter().flat_map(|file| Op::ALL.map(|op| (file, op))) {
            sum.all.add(op, file.counts.get(op));
            sum.set_aside.add(op, file.set_aside.get(op));
        }
        sum
    }
}

/// A schema as text: an Arrow IPC stream of no batches, in base64.
pub fn encode_schema(schema: &Schema) -> Result<String> {
    let fault = |error: arrow::error::ArrowError| Error::bug("could not encode a schema").caused_by(error);
    let mut writer = StreamWriter::try_new(Vec::new(), schema).map_err(fault)?;
    writer.finish().map_err(fault)?;
    Ok(BASE64.encode(writer.into_inner().map_err(fault)?))
}

/// The inverse of [`encode_schema`]; an error of kind `Corrupt` for any other text.
pub fn decode_schema(text: &str) -> Result<SchemaRef> {
    let damaged = || Error::corrupt("the schema of a model's commit is damaged").remedy("restore the state from a backup");
    let bytes = BASE64.decode(text).map_err(|error| damaged().caused_by(error))?;
    let reader = StreamReader::try_new(bytes.as_slice(), None).map_err(|error| damaged().caused_by(error))?;
    Ok(Arc::new(reader.schema().as_ref().clone()))
}

/// 32 hexadecimal digits.
mod hex128 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{value:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, TimeUnit};

    use super::*;

    #[test]
    fn a_schema_survives_as_text() {
        let zone = DataType::Timestamp(TimeUnit::Microsecond, Some("Europe/Paris".into()));
        let tag = [("k".to_owned(), "v".to_owned())].into();
        let items = DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true)));
        let fields = vec![
            Field::new("Ü", DataType::Decimal128(12, 2), false).with_metadata(tag),
            Field::new("at", zone, true),
            Field::new("items", items, true),
        ];
        let schema = Schema::new(fields);
        assert_eq!(*decode_schema(&encode_schema(&schema).unwrap()).unwrap(), schema);
        assert_eq!(*decode_schema(&encode_schema(&Schema::empty()).unwrap()).unwrap(), Schema::empty());
    }

    #[test]
    fn a_commit_of_before_versions_had_ids_can_be_read() {
        let commit = MappingCommit::nothing("m", "users", "d", String::new(), Selection::All, Vec::new());
        let commit = MappingCommit { cursor: Some(3), saw: Some(Sighting { version: 3, ..Sighting::default() }), ..commit };
        let written = serde_json::to_string(&commit).unwrap();
        assert!(!written.contains("footing"), "{written}");
        assert_eq!(serde_json::from_str::<MappingCommit>(&written).unwrap(), commit);
        assert_eq!(serde_json::from_str::<Dropped>(r#"{"through":2}"#).unwrap(), Dropped { through: 2, id: None });
        let info = r#"{"version":3,"at":"","counts":{"added":1,"updated":0,"deleted":0},"files":[]}"#;
        assert_eq!(serde_json::from_str::<VersionInfo>(info).unwrap().id, None);
    }

    #[test]
    fn a_damaged_schema_is_an_error_and_not_a_panic() {
        let text = encode_schema(&Schema::new(vec![Field::new("a", DataType::Int64, true)])).unwrap();
        let bytes = BASE64.decode(&text).unwrap();
        for cut in 0..bytes.len().saturating_sub(8) {
            // A cut inside the end marker leaves the schema whole.
            assert!(decode_schema(&BASE64.encode(&bytes[..cut])).is_err(), "{cut}");
        }
        assert!(decode_schema("no base64").is_err());
    }
}
