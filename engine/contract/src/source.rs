//! Seam: where records come from.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::Result;

/// The name of the Arrow extension type (field metadata `ARROW:extension:name`) that marks a text column as JSON.
pub const JSON_EXTENSION: &str = "arrow.json";
/// The metadata key of an extension type's name.
pub const EXTENSION_NAME: &str = "ARROW:extension:name";

/// Is this field JSON text? Then the mapper walks into it, and the diff compares it by content.
pub fn is_json(field: &arrow::datatypes::Field) -> bool {
    field.metadata().get(EXTENSION_NAME).is_some_and(|name| name == JSON_EXTENSION)
}

/// One read-only query.
#[derive(Clone, Debug)]
pub struct Query {
    /// The SQL, already checked to be one statement that only reads.
    pub sql: String,
    /// Give up after this long.
    pub timeout: Option<Duration>,
}

/// What a source says of itself.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The product and its version.
    pub version: String,
    /// Facts worth showing, such as how many files a table has.
    pub details: Vec<(String, String)>,
}

/// The records of a query: their schema, and batches of it until the stream ends.
pub struct RecordStream {
    /// The schema of every batch.
    pub schema: SchemaRef,
    /// The batches.
    pub batches: BoxStream<'static, Result<RecordBatch>>,
}

/// Where records come from.
///
/// Guarantees of an implementation:
/// - It only reads.
/// - A stream that ends without an error is complete. After an error it yields nothing more.
/// - It holds a few batches in memory, whatever the size of the result.
/// - Errors say whose fault it is and whether a retry can help.
#[async_trait]
pub trait Source: Send + Sync {
    /// Connects, and says what is there.
    async fn probe(&self) -> Result<Probe>;
    /// The schema that `query` returns, without running it where that is possible.
    async fn schema(&self, query: &Query) -> Result<SchemaRef>;
    /// Runs `query`.
    async fn stream(&self, query: &Query) -> Result<RecordStream>;
}
