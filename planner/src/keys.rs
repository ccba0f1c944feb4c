//! Every key that a project may hold: its name, what it takes, its default and what it means.
//!
//! One definition, two readers: `shape.rs` checks a project against these tables, `schema.rs` writes them as JSON
//! Schema. What only makes sense together (references, actions, exclusive keys) is checked in `validate/`.

/// A key of a mapping in the project file.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    /// The default in words, as the schema shows it.
    pub(crate) default: Option<&'static str>,
    pub(crate) description: &'static str,
}

/// What a key takes.
pub(crate) enum Kind {
    /// Text that is not empty.
    Text,
    /// A whole number within bounds.
    Integer { min: u64, max: u64 },
    /// A number from 0 to 1.
    Share,
    /// True or false.
    Boolean,
    /// A number and a unit: `30s`.
    Duration,
    /// A number of requests and a unit: `100/s`.
    Rate,
    /// A count, or a share of the selected records.
    Tolerance,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// One of these texts or a list of them.
    Days,
    /// A text or a list of texts.
    TextOrTexts,
    /// A mapping of these keys.
    Object(&'static [Key]),
    /// A mapping of names to mappings of these keys.
    Named(&'static Entry),
    /// A mapping of names to what a check of its own knows.
    Map,
    /// A list of anything.
    List,
    /// Anything: checked elsewhere.
    Any,
}

/// What one of a mapping of names is.
pub(crate) struct Entry {
    /// Its word in messages.
    pub(crate) noun: &'static str,
    pub(crate) keys: &'static [Key],
}

const fn key(name: &'static str, kind: Kind, description: &'static str) -> Key {
    Key { name, kind, required: false, default: None, description }
}

impl Key {
    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

const COUNT: Kind = Kind::Integer { min: 1, max: u64::MAX };

/// The top of `outflow.yml`.
pub(crate) static PROJECT: &[Key] = &[
    key("version", Kind::Integer { min: 1, max: 1 }, "The version of the project's format: always 1.").required(),
    key("state", Kind::Text, "The folder that Outflow keeps its state in. A relative path starts at the project's folder.")
        .default("./state"),
    key("sources", Kind::Named(&SOURCE), "Where records come from."),
    key("models", Kind::Named(&MODEL), "The queries whose records are delivered."),
    key("destinations", Kind::Named(&DESTINATION), "Where records go."),
    key("mappings", Kind::Named(&MAPPING), "Which records of a model become what at a destination."),
    key("alerts", Kind::List, "Who hears of failed syncs."),
    key("guards", Kind::Object(GUARDS), "When a sync stops before it sends anything; for every mapping that does not say otherwise."),
    key("limits", Kind::Object(LIMITS), "The limits of the project."),
    key("retention", Kind::Object(RETENTION), "How long history is kept."),
    key("targets", Kind::Map, "Trees that `--target NAME` lays over the rest of the project."),
];

pub(crate) static SOURCE: Entry = Entry {
    noun: "source",
    keys: &[
        key("type", Kind::Text, "The type of the source: `files`.").required(),
        key("tables", Kind::Map, "The tables of a `files` source, by the name that a query uses: a path, or a mapping with `path`."),
        key("max_concurrent_extractions", Kind::Integer { min: 1, max: 1024 }, "How many extractions may run at once.").default("1"),
        key("query_timeout", Kind::Duration, "Give up on a query after this long."),
    ],
};

pub(crate) static TABLE: &[Key] = &[
    key("path", Kind::Text, "A file, a folder, or a pattern with `*`, `?`, `[…]` or `**`. A relative path starts at the project's folder.")
        .required(),
    key("format", Kind::Choice(FORMATS), "The format of the files; told by the path's ending if left out."),
    key("columns", Kind::Map, "Columns whose type is forced: a SQL type, or `json`."),
    key(
        "delimiter",
        Kind::Text,
        "The character between the values of a CSV file, or `tab`; told by each file's ending and header line if left out.",
    ),
];

/// The formats of files, and the endings that tell them.
pub(crate) static FORMATS: &[&str] = &["parquet", "csv", "ndjson", "arrow"];

pub(crate) static MODEL: Entry = Entry {
    noun: "model",
    keys: &[
        key("source", Kind::Text, "The source that is asked.").required(),
        key("query", Kind::Text, "One SQL statement that reads, or the path of a `.sql` file that holds it."),
        key("table", Kind::Text, "A table instead of a query: all of its records."),
        key("dbt", Kind::Any, "A dbt model instead of a query. Not available in this version."),
        key("id", Kind::TextOrTexts, "The column, or columns, that identify a record.").required(),
        key("timestamp", Kind::Text, "The column that says when a record last changed."),
        key("description", Kind::Text, "For people."),
        key("tags", Kind::Texts, "For `--select tag:…`."),
        key("on_null_id", Kind::Choice(ON_BAD_ID), "What a null identifier does: its records are rejected, or the extraction fails.")
            .default("reject"),
        key(
            "on_duplicate_id",
            Kind::Choice(ON_BAD_ID),
            "What a duplicate identifier does: its records are rejected, or the extraction fails.",
        )
        .default("reject"),
        key("values", Kind::Choice(&["keep", "none"]), "Whether the last known values are kept. `none` is not available in this version.")
            .default("keep"),
    ],
};

static ON_BAD_ID: &[&str] = &["reject", "abort"];

pub(crate) static DESTINATION: Entry = Entry {
    noun: "destination",
    keys: &[
        key("type", Kind::Text, "The type of the destination.").required(),
        key("enabled", Kind::Boolean, "If not, nothing is sent, and the changes wait.").default("true"),
        key("gateway", Kind::Text, "A URL that all requests go to instead, path and query kept."),
        key("settings", Kind::Map, "The settings of its type."),
        key("rate_limit", Kind::Rate, "The most requests in a time, such as `100/s`; `/m` and `/h` too."),
        key("concurrency", Kind::Integer { min: 1, max: 1024 }, "How many requests may be under way at once.").default("8"),
        key("request_timeout", Kind::Duration, "How long an answer may take.").default("30s"),
        key(
            "request_lifetime",
            Kind::Duration,
            "How long a request whose answer was not read may still take effect; the timeout if left out.",
        ),
        key("tls", Kind::Object(TLS), "How the destination's certificate is checked."),
    ],
};

static TLS: &[Key] = &[key("ca_file", Kind::Text, "A PEM file of further certificate authorities.")];

pub(crate) static MAPPING: Entry = Entry {
    noun: "mapping",
    keys: &[
        key("model", Kind::Text, "The model whose records are sent.").required(),
        key("destination", Kind::Text, "The destination that they are sent to.").required(),
        key("action", Kind::Text, "What the destination does with them.").required(),
        key("mode", Kind::Text, "The mode of an action that has several."),
        key("records", Kind::Choice(RECORDS), "Which records are sent.").default("added_or_updated"),
        key("fields", Kind::Any, "What is sent of each record: the mapping itself. `$.email` is the column `email`."),
        key("schedule", Kind::Object(SCHEDULE), "When the mapping runs by itself."),
        key("enabled", Kind::Boolean, "If not, nothing is sent, and the changes wait.").default("true"),
        key("tags", Kind::Texts, "For `--select tag:…`."),
        key("guards", Kind::Object(GUARDS), "When a sync stops before it sends anything."),
        key("tolerate_failed", Kind::Tolerance, "How many failed records still are success: a count, or a share such as 0.01.")
            .default("0"),
    ],
};

/// Which records a mapping sends.
pub(crate) static RECORDS: &[&str] = &["added", "updated", "added_or_updated", "deleted", "all"];

pub(crate) static GUARDS: &[Key] = &[
    key("deleted_share", Kind::Share, "Stop if more than this share of the records known before are deleted.").default("0.5"),
    key("changed_share", Kind::Share, "Stop if more than this share of them changed.").default("1.0"),
    key("empty_result", Kind::Choice(&["stop", "allow"]), "What happens if a model that returned records before returns none.")
        .default("stop"),
    key("null_share", Kind::Share, "Stop if a column's share of nulls grows by more than this.").default("0.5"),
    key("min_records", Kind::Integer { min: 0, max: u64::MAX }, "Mappings of fewer records than this are not guarded.").default("100"),
];

pub(crate) static LIMITS: &[Key] = &[
    key("records", COUNT, "Records extracted in one sync.").default("30000000"),
    key("columns", COUNT, "Columns of a model.").default("512"),
    key("column_name", COUNT, "Characters of a column's name.").default("128"),
    key("query_length", COUNT, "Characters of a model's SQL.").default("131072"),
    key("id_column_name", COUNT, "Characters of an identifier column's name.").default("191"),
    key("timestamp_column_name", COUNT, "Characters of the timestamp column's name.").default("191"),
    key("record_bytes", COUNT, "Bytes of a record as JSON.").default("524288"),
    key("value_bytes", COUNT, "Bytes of one value as JSON.").default("131072"),
    key("interval_min", Kind::Duration, "The shortest time between two syncs of a schedule.").default("15m"),
    key("memory_bytes", COUNT, "Bytes that a run may hold while it extracts and compares; the rest goes to disk. `--memory` overrides it."),
    key("monthly_records", COUNT, "Records processed per destination and calendar month; no limit if left out."),
];

pub(crate) static RETENTION: &[Key] = &[
    key("versions", Kind::Duration, "How long a model's versions are kept.").default("30d"),
    key("syncs", Kind::Duration, "How long the history of syncs is kept.").default("90d"),
];

pub(crate) static SCHEDULE: &[Key] = &[
    key("every", Kind::Duration, "The time between two syncs, such as `1h`."),
    key("days", Kind::Days, "The days of the week on which the mapping runs."),
    key("at", Kind::Text, "The time of those days, such as \"09:00\".").default("00:00"),
    key("cron", Kind::Text, "A cron line of five fields: minute, hour, day of the month, month, day of the week."),
    key("timezone", Kind::Text, "The time zone of `at` and `cron`, such as Europe/Oslo.").default("UTC"),
];

/// Monday is 0.
pub(crate) static DAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
