//! Projects to measure on: one source of files, one model, one destination, one mapping.

/// The one mapping.
pub(crate) const MAPPING: &str = "records_to_receiver";
/// The one table's file, in the project's folder.
pub(crate) const TABLE: &str = "data/records.parquet";

/// What differs from project to project.
#[derive(Clone, Debug)]
pub(crate) struct ProjectFile<'a> {
    /// The columns that the model selects.
    pub(crate) columns: &'a [&'a str],
    /// Those of the identifier.
    pub(crate) id: &'a [&'a str],
    /// The most records that the model may return.
    pub(crate) records_max: u64,
    /// `type:` and what belongs to it, indented by four.
    pub(crate) destination: String,
    /// The destination's action.
    pub(crate) action: &'a str,
    /// Which records are sent.
    pub(crate) records: &'a str,
    /// The mapping's fields, indented by six.
    pub(crate) fields: String,
}

impl ProjectFile<'_> {
    /// The text of `outflow.yml`.
    pub(crate) fn text(&self) -> String {
        format!(
            "version: 1
state: ./state
limits: {{ records: {} }}
sources:
  files:
    type: files
    tables: {{ records: {TABLE} }}
models:
  records:
    source: files
    query: SELECT {} FROM records
    id: [{}]
destinations:
  receiver:
    {}
mappings:
  {MAPPING}:
    model: records
    destination: receiver
    action: {}
    records: {}
    fields:
{}",
            self.records_max,
            self.columns.join(", "),
            self.id.join(", "),
            self.destination,
            self.action,
            self.records,
            self.fields,
        )
    }
}

/// Fields that hand every column on under its own name.
pub(crate) fn every_column(columns: &[&str]) -> String {
    columns.iter().fold(String::new(), |fields, column| fields + &format!("      {column}: $.{column}\n"))
}
