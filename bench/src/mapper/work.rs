//! What a measured process of ours does: the hidden verb `map-work`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::json::LineDelimitedWriter;
use outflow_contract::limits::Limits;
use outflow_contract::{Error, Op, Result};
use outflow_engine::map::{Mapper, SentBy};
use outflow_planner::Loaded;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::child::wait_for_sign;
use crate::data::{Data, Spec};
use crate::project::{ProjectFile, every_column};

/// Records of a batch, as the engine maps them.
const BATCH_RECORDS: u64 = 8192;
/// Payloads that are left to be compared.
const PAYLOADS: usize = 1000;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Task {
    /// The identify message.
    Identify,
    /// Every column under its own name.
    All,
    /// The same by `arrow-json`.
    ArrowJson,
    /// Five SHA-256 of what ad platforms match by.
    Hashes,
    /// The same normalising, hashing and hexadecimal by hand, and nothing else.
    Sha256,
    /// Nothing but every record as a line of a file.
    Records,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Records, each as often as it was mapped.
    pub records: u64,
}

/// How it is to be done.
#[derive(Clone, Debug)]
pub struct Work<'a> {
    /// What.
    pub task: Task,
    /// Threads, each with records of its own.
    pub threads: usize,
    /// Records in memory.
    pub records: u64,
    /// How often they are gone over.
    pub passes: u64,
    /// Where the first payloads go, or all records.
    pub payloads: &'a Path,
}

impl Task {
    /// Its name as an argument.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::All => "all",
            Self::ArrowJson => "arrow-json",
            Self::Hashes => "hashes",
            Self::Sha256 => "sha256",
            Self::Records => "records",
        }
    }

    /// The fields of its mapping, indented by six.
    fn fields(self, columns: &[&str]) -> String {
        match self {
            Self::Identify => IDENTIFY.to_owned(),
            Self::Hashes => HASHES.to_owned(),
            Self::All | Self::ArrowJson | Self::Sha256 | Self::Records => every_column(columns),
        }
    }
}

/// Ten fields, in the short form of a project.
const IDENTIFY: &str = r#"      userId: $.external_id
      anonymousId: $.id
      timestamp: $.updated_at
      email: $.email
      traits:
        email: { "@case": { operator: lower, value: $.email } }
        name: { "@template": "{{first_name}} {{last_name}}" }
        tier: { "@if": { exists: $.score, then: scored, else: new } }
        city: $.city
        visits: $.visits
        score: $.score
"#;

/// A message to an ad platform.
const HASHES: &str = r#"      em: { "@hash": { as: email, value: $.email } }
      fn: { "@hash": { as: first_name, value: $.first_name } }
      ln: { "@hash": { as: last_name, value: $.last_name } }
      ct: { "@hash": { as: city, value: $.city } }
      external_id: { "@hash": { as: external_id, value: $.external_id } }
"#;
const HASHED: [&str; 5] = ["email", "first_name", "last_name", "city", "external_id"];

/// The same in the form of the reference.
pub(super) fn identify_directives() -> Value {
    let path = |path: &str| json!({ "@path": path });
    json!({
        "userId": path("$.external_id"),
        "anonymousId": path("$.id"),
        "timestamp": path("$.updated_at"),
        "email": path("$.email"),
        "traits": {
            "email": { "@case": { "operator": "lower", "value": path("$.email") } },
            "name": { "@template": "{{first_name}} {{last_name}}" },
            "tier": { "@if": { "exists": path("$.score"), "then": "scored", "else": "new" } },
            "city": path("$.city"),
            "visits": path("$.visits"),
            "score": path("$.score"),
        },
    })
}

impl Work<'_> {
    /// Makes the records, waits for the sign, and goes over them.
    ///
    /// # Errors
    /// `Io` if the payloads cannot be written; `Refused` if a record cannot be mapped.
    pub fn run(&self) -> Result<Done> {
        let data = Data::new(&Spec { records: self.records, ..Spec::default() })?;
        let batches = (0..self.records).step_by(BATCH_RECORDS as usize);
        let batches = batches.map(|from| data.batch(from..(from + BATCH_RECORDS).min(self.records)));
        let batches: Vec<RecordBatch> = batches.collect::<Result<_>>()?;
        if self.task == Task::ArrowJson {
            wait_for_sign()?;
            return on_threads(self.threads, &batches, self.passes, write_lines);
        }
        if self.task == Task::Sha256 {
            wait_for_sign()?;
            return on_threads(self.threads, &batches, self.passes, hash);
        }
        let mapper = mapper(self.task, &data)?;
        self.leave_payloads(&mapper, &batches)?;
        wait_for_sign()?;
        on_threads(self.threads, &batches, self.passes, |batch| map(&mapper, batch).map(|bytes| bytes.len()))
    }

    fn leave_payloads(&self, mapper: &Mapper, batches: &[RecordBatch]) -> Result<()> {
        let failed = |error: std::io::Error| Error::io(format!("could not write {}", self.payloads.display()), error);
        let mut file = BufWriter::new(File::create(self.payloads).map_err(failed)?);
        let wanted = if self.task == Task::Records { usize::MAX } else { PAYLOADS };
        let mut left = wanted;
        for batch in batches {
            let (bytes, ends) = mapped(mapper, batch)?;
            let mut start = 0;
            for end in ends.into_iter().take(left) {
                file.write_all(&bytes[start..end]).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
                (start, left) = (end, left - 1);
            }
        }
        file.flush().map_err(failed)
    }
}

/// Each thread takes every so-manieth batch.
fn on_threads(threads: usize, batches: &[RecordBatch], passes: u64, work: impl Fn(&RecordBatch) -> Result<usize> + Sync) -> Result<Done> {
    let lane = |lane: usize| -> Result<u64> {
        let mut records = 0;
        for _ in 0..passes {
            for batch in batches.iter().skip(lane).step_by(threads) {
                std::hint::black_box(work(batch)?);
                records += batch.num_rows() as u64;
            }
        }
        Ok(records)
    };
    std::thread::scope(|scope| {
        let lane = &lane;
        let others: Vec<_> = (1..threads).map(|number| scope.spawn(move || lane(number))).collect();
        let mut records = lane(0)?;
        for other in others {
            records += other.join().map_err(|_| Error::bug("a thread that maps stopped"))??;
        }
        Ok(Done { records })
    })
}

fn mapper(task: Task, data: &Data) -> Result<Mapper> {
    let schema = data.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let loaded = load(&ProjectFile {
        columns: &columns,
        id: &["id"],
        records_max: data.places(),
        // Nothing is sent.
        destination: "type: webhook\n    settings: { url: \"http://127.0.0.1:9/records\" }".to_owned(),
        action: "send",
        records: "all",
        fields: task.fields(&columns),
    })?;
    let mapping = loaded.project.mappings.first().ok_or_else(|| Error::bug("a project without a mapping"))?;
    Mapper::compile(&mapping.fields, None, &schema, &["id".to_owned()], &Limits::default())
}

fn load(project: &ProjectFile<'_>) -> Result<Loaded> {
    let folder = tempfile::tempdir().map_err(|error| Error::io("could not make a temporary folder", error))?;
    let path = folder.path().join("outflow.yml");
    fs::write(&path, project.text()).map_err(|error| Error::io(format!("could not write {}", path.display()), error))?;
    let descriptors = outflow_connectors::descriptors();
    let options = outflow_planner::Options { root: folder.path(), target: None, env: &|_| None, descriptors: &descriptors };
    outflow_planner::load(&options).map_err(|problems| Error::bug(format!("the project of the benchmark has mistakes: {problems:?}")))
}

/// The payloads of a batch, one after another, and where each ends.
#[cfg(test)]
pub(super) fn payloads_of(task: Task, data: &Data, batch: &RecordBatch) -> Result<(Vec<u8>, Vec<usize>)> {
    mapped(&mapper(task, data)?, batch)
}

fn map(mapper: &Mapper, batch: &RecordBatch) -> Result<Vec<u8>> {
    mapped(mapper, batch).map(|(bytes, _)| bytes)
}

fn mapped(mapper: &Mapper, batch: &RecordBatch) -> Result<(Vec<u8>, Vec<usize>)> {
    let records = u32::try_from(batch.num_rows()).map_err(|_| Error::bug("a batch of too many records"))?;
    let rows: Vec<u32> = (0..records).collect();
    let ops = vec![Op::Added; batch.num_rows()];
    let mapped = mapper.map(batch, &ops, &SentBy::default(), &rows)?;
    match mapped.failed.first() {
        None => Ok((mapped.bytes, mapped.ends)),
        Some(failed) => Err(Error::bug(format!("a record was not mapped: {failed:?}"))),
    }
}

fn write_lines(batch: &RecordBatch) -> Result<usize> {
    let failed = |error: arrow::error::ArrowError| Error::bug("could not write a batch as lines").caused_by(error);
    let mut writer = LineDelimitedWriter::new(Vec::with_capacity(batch.get_array_memory_size() * 2));
    writer.write(batch).and_then(|()| writer.finish()).map_err(failed)?;
    Ok(writer.into_inner().len())
}

/// Without whitespace, lower case, hashed, in hexadecimal: one value after another, as whoever writes this by hand would.
fn hash(batch: &RecordBatch) -> Result<usize> {
    let (mut normal, mut out) = (String::new(), Vec::with_capacity(batch.num_rows() * HASHED.len() * 64));
    for name in HASHED {
        let column = batch.column_by_name(name).ok_or_else(|| Error::bug(format!("there is no column {name}")))?;
        for text in column.as_string::<i32>().iter().flatten() {
            normal.clear();
            if text.is_ascii() {
                normal.extend(text.chars().filter(|c| !c.is_ascii_whitespace()));
                normal.make_ascii_lowercase();
            } else {
                normal.extend(text.to_lowercase().chars().filter(|c| !c.is_whitespace()));
            }
            for byte in Sha256::digest(normal.as_bytes()) {
                out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
    }
    Ok(out.len())
}
