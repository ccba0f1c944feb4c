//! Every default limit, with its unit in the name and its reason beside it. What a project may set is in [`Limits`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest answer that is read, after decompression. A longer one proves nothing, and is cut off.
pub const RESPONSE_BYTES_MAX: usize = 16 << 20;
/// How much of an answer or a payload is kept as a sample.
pub const SAMPLE_BYTES_MAX: usize = 2048;
/// So many reasons of failed records are told apart in a sync; the codes of some destinations come out of data.
pub const REASONS_MAX: usize = 50;
/// How many samples of failed records a sync keeps for each reason.
pub const SAMPLES_PER_REASON: usize = 5;
/// How many examples of rejected records an extraction reports for each reason.
pub const EXAMPLES_MAX: usize = 5;
/// How often one request is tried before its records wait for the next sync.
pub const REQUEST_ATTEMPTS_MAX: u32 = 5;
/// The longest wait at a time that a destination gets that asks for one with `Retry-After`.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);
/// What a destination asks for beyond this is no time at all: a day is as long as the windows of quotas are.
pub const ASKED_MAX: Duration = Duration::from_hours(24);
/// A destination that takes nothing for so long, and asks for patience all the while, gets the rest in the next sync.
pub const THROTTLED_MAX: Duration = Duration::from_mins(15);
/// After so many failed requests in a row, nothing is sent for a while: as many as one request has attempts, so that one bad
/// request alone keeps nobody back.
pub const BREAKER_FAILURES_MAX: u32 = REQUEST_ATTEMPTS_MAX;
/// For how long at first; it doubles each time.
pub const BREAKER_FIRST: Duration = Duration::from_secs(2);
/// After so many further ones that failed, each alone, the destination is out of order.
pub const BREAKER_TRIES_MAX: u32 = 2;
/// For so long nothing is sent to a destination that is out of order: longer than the other syncs of a run take to begin.
pub const BREAKER_DOWN: Duration = Duration::from_mins(5);
/// How often an access token is asked for before the sync goes without, that is, not at all.
pub const TOKEN_ATTEMPTS_MAX: u32 = 3;
/// An access token that does not say how long it is good for is replaced after this long.
pub const TOKEN_LIFETIME_DEFAULT: Duration = Duration::from_hours(1);
/// One that says it is good for longer is replaced after this long all the same.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_hours(24);
/// The first wait of the backoff; it doubles from there, with full jitter.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// The longest wait of the backoff.
pub const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A project file larger than this is refused unread.
pub const PROJECT_FILE_BYTES_MAX: u64 = 8 << 20;
/// Deeper nesting in a project file is refused.
pub const PROJECT_DEPTH_MAX: usize = 64;
/// Deeper values in a record are refused.
pub const RECORD_DEPTH_MAX: usize = 64;

/// The limits of a project (`limits:`). The defaults are those of product.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Records extracted in one sync.
    pub records: u64,
    /// Columns of a model.
    pub columns: usize,
    /// Characters of a column's name.
    pub column_name: usize,
    /// Characters of a model's SQL.
    pub query_length: usize,
    /// Characters of an identifier column's name.
    pub id_column_name: usize,
    /// Characters of the timestamp column's name.
    pub timestamp_column_name: usize,
    /// Bytes of a record as JSON.
    pub record_bytes: usize,
    /// Bytes of one value as JSON.
    pub value_bytes: usize,
    /// Seconds between two syncs of a schedule.
    pub interval_min_seconds: u64,
    /// Bytes that the process may hold while it extracts and compares; no limit if `None`. What does not fit goes to disk.
    pub memory_bytes: Option<usize>,
    /// Records processed per destination and calendar month, successful and failed alike.
    pub monthly_records: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            records: 30_000_000,
            columns: 512,
            column_name: 128,
            query_length: 131_072,
            id_column_name: 191,
            timestamp_column_name: 191,
            record_bytes: 512 << 10,
            value_bytes: 128 << 10,
            interval_min_seconds: 15 * 60,
            memory_bytes: None,
            monthly_records: None,
        }
    }
}
