//! A validated project, as the planner hands it to the engine: every reference resolves, every name is legal,
//! every secret is in its place, every path is absolute.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::Selection;
use crate::destination::Field;
use crate::expr::{Columns, Expr};
use crate::limits::Limits;
use crate::secret::Redactor;

/// A project with its target laid over it.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder of `outflow.yml`.
    pub root: PathBuf,
    /// The folder's name.
    pub name: String,
    /// `--target`, if one was chosen.
    pub target: Option<String>,
    /// The folder of the state.
    pub state: PathBuf,
    /// In the order written, as all lists here.
    pub sources: Vec<SourceConfig>,
    /// The models.
    pub models: Vec<Model>,
    /// The destinations.
    pub destinations: Vec<DestinationConfig>,
    /// The mappings.
    pub mappings: Vec<Mapping>,
    /// The limits.
    pub limits: Limits,
    /// How long history is kept.
    pub retention: Retention,
    /// Every secret of the project.
    pub redactor: Redactor,
}

impl Project {
    /// The source of that name.
    pub fn source(&self, name: &str) -> Option<&SourceConfig> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// The model of that name.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The destination of that name.
    pub fn destination(&self, name: &str) -> Option<&DestinationConfig> {
        self.destinations.iter().find(|destination| destination.name == name)
    }

    /// The mapping of that name.
    pub fn mapping(&self, name: &str) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| mapping.name == name)
    }
}

/// `retention:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long a model's versions are kept.
    pub versions: Duration,
    /// How long the history of syncs is kept.
    pub syncs: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self { versions: Duration::from_secs(30 * DAY), syncs: Duration::from_secs(90 * DAY) }
    }
}

/// One entry of `sources:`.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Its name.
    pub name: String,
    /// Its type with the settings of that type.
    pub kind: SourceKind,
    /// Extractions at once.
    pub max_concurrent_extractions: usize,
    /// Give up on a query after this long.
    pub query_timeout: Option<Duration>,
}

/// The type of a source, with its settings.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// Files, queried through DataFusion.
    Files {
        /// The tables that a query may name.
        tables: Vec<FileTable>,
    },
}

impl SourceKind {
    /// `type:` in a project.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Files { .. } => "files",
        }
    }
}

/// A table of files.
#[derive(Clone, Debug)]
pub struct FileTable {
    /// The name in SQL.
    pub name: String,
    /// An absolute path, with `*`, `?`, `[…]` or `**` where it names several files; or a folder.
    pub path: String,
    /// The format: given, or told by the path's ending.
    pub format: FileFormat,
    /// Columns whose type is forced, by name.
    pub columns: Vec<(String, ColumnType)>,
    /// What stands between the values of a CSV file; told by each file's ending and header line if `None`.
    pub delimiter: Option<u8>,
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Delimited values with a header line.
    Csv,
    /// One JSON object on each line.
    Ndjson,
    /// Arrow IPC, file or stream.
    Arrow,
}

impl FileFormat {
    /// `format:` in a project.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Arrow => "arrow",
        }
    }
}

/// A forced column type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Any JSON value as it stands in the file.
    Json,
    /// A SQL type, as DataFusion's `CAST` takes it: `VARCHAR`, `DECIMAL(12, 2)`, `TIMESTAMP`.
    Sql(String),
}

/// One entry of `models:`.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// The name of its source.
    pub source: String,
    /// The SQL, one statement that only reads, without a trailing semicolon.
    pub sql: String,
    /// The identifier's columns, at least one.
    pub id: Vec<String>,
    /// The timestamp column.
    pub timestamp: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// For selecting.
    pub tags: Vec<String>,
    /// What a null identifier does.
    pub on_null_id: OnBadId,
    /// What a duplicate identifier does.
    pub on_duplicate_id: OnBadId,
}

/// What a null or duplicate identifier does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadId {
    /// Its records are rejected and reported; the rest go on.
    #[default]
    Reject,
    /// The extraction fails.
    Abort,
}

/// One entry of `destinations:`.
#[derive(Clone, Debug)]
pub struct DestinationConfig {
    /// Its name.
    pub name: String,
    /// The name of its connector: `type:`.
    pub kind: String,
    /// If not, nothing is sent, and the changes wait.
    pub enabled: bool,
    /// All requests go there instead, path and query kept.
    pub gateway: Option<String>,
    /// Its settings with defaults filled in, secrets included: never printed.
    pub settings: Settings,
    /// Requests (not records) each second, at the most.
    pub rate_limit: Option<RateLimit>,
    /// Requests under way at once.
    pub concurrency: usize,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// How long a request whose answer was not read may still take effect.
    pub request_lifetime: Duration,
    /// A file of further certificate authorities, PEM.
    pub ca_file: Option<PathBuf>,
    /// The project's folder, which relative paths in the settings start from.
    pub root: PathBuf,
}

/// So many requests in such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many.
    pub requests: u32,
    /// In how long.
    pub per: Duration,
}

/// The settings of a destination, or the constant fields of a mapping. `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Settings(pub serde_json::Map<String, Value>);

impl Settings {
    /// A setting, if it is there.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text setting, if it is there.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// One entry of `mappings:`.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Its name.
    pub name: String,
    /// The name of its model.
    pub model: String,
    /// The name of its destination.
    pub destination: String,
    /// The action.
    pub action: String,
    /// The fields of the action, if it declares any: the kinds that the payload's members are turned to.
    pub declared: Option<Vec<Field>>,
    /// Those of them that are the same for every record, with their values; not part of `fields`.
    pub constants: Settings,
    /// Which records are sent.
    pub selection: Selection,
    /// What is sent of each.
    pub fields: Expr,
    /// The same as written, for the sealed plan and for people.
    pub fields_written: Value,
    /// If not, nothing is sent, and the changes wait.
    pub enabled: bool,
    /// For selecting.
    pub tags: Vec<String>,
    /// Failed records that still are success.
    pub tolerate_failed: Tolerance,
    /// When to stop before the first byte.
    pub guards: Guards,
    /// When to run.
    pub schedule: Option<Schedule>,
}

impl Mapping {
    /// The columns that the payload depends on.
    pub fn columns(&self) -> Columns {
        self.fields.columns()
    }
}

/// `tolerate_failed`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// So many records.
    Count(u64),
    /// This share of the selected records, 0 to 1.
    Share(f64),
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::Count(0)
    }
}

/// `guards:`: from the second sync on, and only with enough records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guards {
    /// Stop if more than this share of the records known before are deleted.
    pub deleted_share: f64,
    /// Stop if more than this share of them changed.
    pub changed_share: f64,
    /// May a model that returned records before return none?
    pub empty_result: bool,
    /// Stop if a column's share of nulls grows by more than this.
    pub null_share: f64,
    /// Mappings of fewer records than this are not guarded.
    pub min_records: u64,
}

impl Default for Guards {
    fn default() -> Self {
        Self { deleted_share: 0.5, changed_share: 1.0, empty_result: false, null_share: 0.5, min_records: 100 }
    }
}

/// When a mapping runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At once, and then by the clock.
    Every(Duration),
    /// On these days, at this time.
    Days {
        /// 0 is Monday.
        days: Vec<u8>,
        /// Minutes after midnight.
        at_minutes: u16,
        /// An IANA name.
        timezone: String,
    },
    /// A cron line of five fields.
    Cron {
        /// The line.
        line: String,
        /// An IANA name.
        timezone: String,
    },
}
