//! Parquet, through DataFusion's own scan: row groups and pages that a filter excludes are not read, nor are columns
//! that the query does not use, and large files are read in ranges by several partitions.
//!
//! Strings arrive as views. Forced types are the table's schema, to which the scan converts what the files hold.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::FutureExt;
use object_store::{ObjectMeta, ObjectStoreExt};
use outflow_contract::source::type_name;
use outflow_contract::{Error, Result};
use url::Url;

use super::failure::planning;
use super::paths::DataFile;
use super::scan::{bad_data, unreadable};

/// The smallest Parquet file: two magic numbers and the footer's length.
const FILE_BYTES_MIN: u64 = 12;

/// The columns of all files.
pub(super) async fn infer(state: &SessionState, table: &str, files: &[DataFile]) -> Result<Vec<FieldRef>> {
    let store = state.runtime_env().object_store(ObjectStoreUrl::local_filesystem()).map_err(planning)?;
    let mut fields: Vec<FieldRef> = Vec::new();
    for file in files {
        if file.bytes < FILE_BYTES_MIN {
            return Err(bad_data(table, &file.path, "too short to be a Parquet file"));
        }
        let location = object_store::path::Path::from_absolute_path(&file.path).map_err(|cause| Error::invalid(cause.to_string()))?;
        let meta: ObjectMeta = store.head(&location).await.map_err(|cause| unreadable(table, &file.path, cause.into()))?;
        // One by one, so that a damaged file is named. The reader panics at some of them.
        let format = format(state);
        let metas = [meta];
        let read = AssertUnwindSafe(format.infer_schema(state, &store, &metas)).catch_unwind().await;
        let schema = read.map_err(|_| bad_data(table, &file.path, "the footer makes no sense"))?;
        let schema = schema.map_err(|cause| bad_data(table, &file.path, &cause.strip_backtrace()))?;
        merge(table, file, &mut fields, &schema)?;
    }
    Ok(fields)
}

/// Adds the columns of one file: in the order of the first file, then as they appear.
fn merge(table: &str, file: &DataFile, fields: &mut Vec<FieldRef>, schema: &SchemaRef) -> Result<()> {
    for field in schema.fields() {
        match fields.iter().find(|known| known.name() == field.name()) {
            None => fields.push(Field::new(field.name(), field.data_type().clone(), true).into()),
            Some(known) if known.data_type() == field.data_type() => {}
            Some(known) => {
                let (here, before) = (type_name(field.data_type()), type_name(known.data_type()));
                let text = format!("the column `{}` is {here}, and {before} in other files of the table", field.name());
                return Err(bad_data(table, &file.path, &text).remedy("force one type for the column, or make two tables of the files"));
            }
        }
    }
    Ok(())
}

/// The table of `files` with the columns of `schema`.
pub(super) fn provider(state: &SessionState, files: &[DataFile], schema: &Schema) -> Result<Arc<dyn TableProvider>> {
    let url = |file: &DataFile| {
        let url =
            Url::from_file_path(&file.path).map_err(|()| Error::invalid(format!("{} is not an absolute path", file.path.display())))?;
        ListingTableUrl::try_new(url, None).map_err(planning)
    };
    let urls = files.iter().map(url).collect::<Result<Vec<_>>>()?;
    // Files are chosen already: their names may end in anything.
    let options = ListingOptions::new(Arc::new(format(state))).with_file_extension("");
    let schema: SchemaRef = Arc::new(Schema::new(schema.fields().clone()));
    let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options).with_schema(schema);
    Ok(Arc::new(ListingTable::try_new(config).map_err(planning)?))
}

fn format(state: &SessionState) -> ParquetFormat {
    ParquetFormat::default().with_options(state.default_table_options().parquet)
}
