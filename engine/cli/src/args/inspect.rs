//! The arguments of the commands that look at things without running anything.

use clap::Args;
use outflow_planner::suggest::CONFIDENCE_MIN;

/// `outflow preview`
#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// The model.
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    /// So many records.
    #[arg(long, short = 'n', default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// Ask the source again, even if the same query was previewed before.
    #[arg(long)]
    pub(crate) refresh: bool,
}

/// `outflow diff`
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The model.
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    /// The version to begin with. Without it, the one before the newest.
    #[arg(value_name = "FROM")]
    pub(crate) from: Option<u64>,
    /// The version to end with. Without it, the newest.
    #[arg(value_name = "TO")]
    pub(crate) to: Option<u64>,
    /// At the most so many records of each operation (otherwise 5); with --versions so many versions (otherwise 20).
    #[arg(long, short = 'n', value_name = "NUMBER")]
    pub(crate) limit: Option<u64>,
    /// Every record that differs; with --versions every version.
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    /// List the versions that there are, newest first.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub(crate) versions: bool,
}

/// `outflow test`
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// A source, a destination or a mapping. Where a name is several of them: `source:NAME`, `destination:NAME`, `mapping:NAME`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Of a mapping: the record with this identifier, as text or JSON; an object if it has several columns. Otherwise the first one.
    #[arg(long, value_name = "ID")]
    pub(crate) record: Option<String>,
    /// Of a mapping: really send this one record. It counts as delivered, and is not sent again until it changes.
    #[arg(long)]
    pub(crate) send: bool,
    /// With --send: wait while another run holds the lock.
    #[arg(long, requires = "send")]
    pub(crate) wait: bool,
}

/// `outflow suggest`
#[derive(Debug, Args)]
pub(crate) struct SuggestArgs {
    /// The mapping.
    #[arg(value_name = "MAPPING")]
    pub(crate) mapping: String,
    /// Leave out what is less sure, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = CONFIDENCE_MIN, value_parser = share)]
    pub(crate) min_confidence: f64,
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "give a number from 0 to 1, such as 0.5".to_owned())
}

/// `outflow catalog`
#[derive(Debug, Args)]
pub(crate) struct CatalogArgs {
    /// A type of destination: its settings and actions.
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: Option<String>,
    /// One of its actions: its fields.
    #[arg(value_name = "ACTION")]
    pub(crate) action: Option<String>,
}
