//! Seam: where records come from.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{BoxStream, select_all};

use crate::Result;

/// The name of the Arrow extension type (field metadata `ARROW:extension:name`) that marks a text column as JSON.
pub const JSON_EXTENSION: &str = "arrow.json";
/// The metadata key of an extension type's name.
pub const EXTENSION_NAME: &str = "ARROW:extension:name";

/// Is this field JSON text? Then the mapper walks into it, and the diff compares it by content.
pub fn is_json(field: &arrow::datatypes::Field) -> bool {
    field.metadata().get(EXTENSION_NAME).is_some_and(|name| name == JSON_EXTENSION)
}

/// The name of a type in front of people, as SQL has it where it can: `bigint`, `text`, `decimal(18,2)`.
pub fn type_name(kind: &DataType) -> String {
    let name = match kind {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "int",
        DataType::Int64 => "bigint",
        DataType::UInt8 => "tinyint unsigned",
        DataType::UInt16 => "smallint unsigned",
        DataType::UInt32 => "int unsigned",
        DataType::UInt64 => "bigint unsigned",
        DataType::Float16 | DataType::Float32 => "real",
        DataType::Float64 => "double",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "bytea",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamptz",
        DataType::Duration(_) | DataType::Interval(_) => "interval",
        DataType::Struct(_) => "struct",
        DataType::Map(_, _) => "map",
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => return format!("decimal({digits},{scale})"),
        DataType::Dictionary(_, value) => return type_name(value),
        DataType::RunEndEncoded(_, value) => return type_name(value.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => return format!("list<{}>", type_name(item.data_type())),
        other @ DataType::Union(_, _) => return other.to_string().to_lowercase(),
    };
    name.to_owned()
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

/// The records of a query: their schema, and batches of it until all partitions have ended.
pub struct RecordStream {
    /// The schema of every batch.
    pub schema: SchemaRef,
    /// The batches, in as many streams as can be read at once. Each does its work where it is polled; all of them have to be.
    pub partitions: Vec<BoxStream<'static, Result<RecordBatch>>>,
}

impl RecordStream {
    /// A stream that is read by one reader at a time.
    pub fn single(schema: SchemaRef, batches: BoxStream<'static, Result<RecordBatch>>) -> Self {
        Self { schema, partitions: vec![batches] }
    }

    /// All partitions as one stream, which yields nothing more after an error.
    pub fn into_batches(self) -> BoxStream<'static, Result<RecordBatch>> {
        let all = select_all(self.partitions);
        let until_error = all.scan(false, |failed, batch| {
            let batch = (!*failed).then_some(batch);
            *failed |= matches!(batch, Some(Err(_)));
            std::future::ready(batch)
        });
        until_error.boxed()
    }
}

/// Where records come from.
///
/// Guarantees of an implementation:
/// - It only reads.
/// - A stream whose partitions all end without an error is complete. After an error a partition yields nothing more.
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
