//! preview: the first records of a model, with values as they would look in payloads.
//!
//! It streams the model's query and lets go of it once it has enough; what the source has not begun is never asked for. A preview
//! touches no state and takes no lock. Whether it is kept, and where, is the caller's business: [`Engine::preview_key`] says what it
//! depends on.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use futures::StreamExt;
use outflow_contract::expr::{Expr, Path};
use outflow_contract::limits::Limits;
use outflow_contract::plan::Model;
use outflow_contract::secret::Redactor;
use outflow_contract::source::{Query, is_json, type_name};
use outflow_contract::{Error, Kind, Op, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::map::{Mapper, SentBy};
use crate::run::Engine;
use crate::time::rfc3339;

/// What a column is called while its values are read, so that no name is in the way.
const VALUE: &str = "value";
/// The form of a preview: another one has other keys.
const FORM: u8 = 1;

/// The first records of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// The model.
    pub model: String,
    /// Its source.
    pub source: String,
    /// The columns of its query.
    pub columns: Vec<PreviewColumn>,
    /// The values of each record, in the order of the columns.
    pub records: Vec<Vec<Value>>,
    /// When the source was asked, as RFC 3339.
    pub taken_at: String,
}

/// A column of a preview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewColumn {
    /// Its name.
    pub name: String,
    /// Its type, as SQL names it.
    #[serde(rename = "type")]
    pub kind: String,
    /// It holds numbers.
    pub number: bool,
}

impl Preview {
    /// Takes the secrets of `redactor` out of every text.
    pub fn redact(&mut self, redactor: &Redactor) {
        self.records.iter_mut().flatten().for_each(|value| redact(value, redactor));
    }
}

/// Takes the secrets of `redactor` out of every text in `value`, names of members included, and out of its numbers.
pub fn redact(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => *text = redactor.clean(text),
        Value::Number(number) => {
            let shown = number.to_string();
            let clean = redactor.clean(&shown);
            if clean != shown {
                *value = clean.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, redactor)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| redact(member, redactor));
            if members.keys().any(|name| redactor.clean(name) != *name) {
                *members = std::mem::take(members).into_iter().map(|(name, member)| (redactor.clean(&name), member)).collect();
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

impl Engine {
    /// The first `limit` records of a model, in the order in which the source returns them.
    pub async fn preview(&self, model: &str, limit: usize) -> Result<Preview> {
        let model = self.previewed(model)?;
        let source = self.sources.get(&model.source);
        let source = source.ok_or_else(|| Error::bug(format!("the source `{}` was not opened", model.source)))?;
        let timeout = self.project.source(&model.source).and_then(|source| source.query_timeout);
        let here = |error: Error| error.with("model", &model.name).with("source", &model.source);
        let stream = source.stream(&Query { sql: model.sql.clone(), timeout }).await.map_err(here)?;
        let columns: Vec<Column> = stream.schema.fields().iter().map(|field| Column::new(field)).collect();
        let mut records = Vec::new();
        let mut batches = stream.into_batches();
        while records.len() < limit {
            let Some(batch) = batches.next().await else { break };
            let batch = batch.map_err(here)?;
            append(&columns, &batch.slice(0, batch.num_rows().min(limit - records.len())), &mut records)?;
        }
        // The query ends here, wherever it is.
        drop(batches);
        let mut preview = Preview {
            model: model.name.clone(),
            source: model.source.clone(),
            columns: columns.into_iter().map(|column| column.shown).collect(),
            records,
            taken_at: rfc3339(self.clock.wall()),
        };
        preview.redact(&self.project.redactor);
        Ok(preview)
    }

    /// What a preview depends on, as a name: the source with its settings and the state of its `data`, the query, and the limit.
    /// Secrets are no part of it.
    pub fn preview_key(&self, model: &str, limit: usize, data: &str) -> Result<String> {
        let model = self.previewed(model)?;
        let source = self.project.source(&model.source).map(|source| format!("{source:?}")).unwrap_or_default();
        let mut hasher = blake3::Hasher::new();
        for part in [&[FORM][..], model.source.as_bytes(), source.as_bytes(), data.as_bytes(), model.sql.as_bytes(), &limit.to_le_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Ok(hasher.finalize().to_hex()[..32].to_owned())
    }

    fn previewed(&self, name: &str) -> Result<&Model> {
        self.project.model(name).ok_or_else(|| Error::new(Kind::NotFound, format!("there is no model `{name}`")))
    }
}

/// Adds the records of `batch`.
fn append(columns: &[Column], batch: &RecordBatch, records: &mut Vec<Vec<Value>>) -> Result<()> {
    let first = records.len();
    records.resize_with(first + batch.num_rows(), || Vec::with_capacity(columns.len()));
    for (column, array) in columns.iter().zip(batch.columns()) {
        for (record, value) in records[first..].iter_mut().zip(column.values(array)?) {
            record.push(value);
        }
    }
    Ok(())
}

/// Reads the values of one column.
pub(crate) struct Column {
    pub(crate) shown: PreviewColumn,
    schema: SchemaRef,
    /// `None` for a type that has no JSON form.
    mapper: Option<Mapper>,
}

impl Column {
    pub(crate) fn new(field: &Field) -> Self {
        let shown = PreviewColumn {
            name: field.name().clone(),
            kind: if is_json(field) { "json".to_owned() } else { type_name(field.data_type()) },
            number: is_number(field.data_type()),
        };
        let schema = SchemaRef::new(Schema::new(vec![field.clone().with_name(VALUE).with_nullable(true)]));
        let expr = Expr::Path(Path { segments: vec![VALUE.to_owned()] });
        let limits = Limits { record_bytes: usize::MAX, value_bytes: usize::MAX, ..Limits::default() };
        let mapper = Mapper::compile(&expr, None, &schema, &[VALUE.to_owned()], &limits).ok();
        Self { shown, schema, mapper }
    }

    /// As they would look in a payload; what no payload can hold, as Arrow shows it.
    pub(crate) fn values(&self, array: &ArrayRef) -> Result<Vec<Value>> {
        let records = array.len();
        let mut values: Vec<Option<Value>> = vec![None; records];
        if let Some(mapper) = &self.mapper {
            let batch = RecordBatch::try_new(SchemaRef::clone(&self.schema), vec![ArrayRef::clone(array)])
                .map_err(|cause| Error::bug("the source returned a batch of another schema").caused_by(cause))?;
            let rows: Vec<u32> = (0..records as u32).collect();
            let mapped = mapper.map(&batch, &vec![Op::Added; records], &SentBy::default(), &rows)?;
            let mut start = 0;
            for (&row, &end) in mapped.rows.iter().zip(&mapped.ends) {
                values[row as usize] = serde_json::from_slice(&mapped.bytes[start..end]).ok();
                start = end;
            }
        }
        let otherwise = |row: usize| {
            let text = || array_value_to_string(array, row).unwrap_or_else(|error| error.to_string());
            if array.is_null(row) { Value::Null } else { Value::from(text()) }
        };
        Ok(values.into_iter().enumerate().map(|(row, value)| value.unwrap_or_else(|| otherwise(row))).collect())
    }
}

fn is_number(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => is_number(value),
        DataType::RunEndEncoded(_, value) => is_number(value.data_type()),
        kind => kind.is_numeric(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use arrow::array::{Decimal128Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use async_trait::async_trait;
    use futures::stream;
    use outflow_contract::plan::{OnBadId, Project, Retention, SourceConfig, SourceKind};
    use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION, Probe, RecordStream, Source};
    use outflow_ledger::store::MemoryStore;
    use serde_json::json;

    use super::*;
    use crate::cancel::Cancel;
    use crate::clock::SystemClock;
    use crate::deliver::transport::{ProxyEnv, StorageEnv};
    use crate::run::Silent;

    /// Returns one batch for ever, and counts.
    struct Endless {
        batch: RecordBatch,
        asked: Arc<AtomicUsize>,
    }

    #[async_trait]
    impl Source for Endless {
        async fn probe(&self) -> Result<Probe> {
            Err(Error::bug("not asked for"))
        }
        async fn schema(&self, _: &Query) -> Result<SchemaRef> {
            Ok(self.batch.schema())
        }
        async fn stream(&self, _: &Query) -> Result<RecordStream> {
            let (batch, asked) = (self.batch.clone(), Arc::clone(&self.asked));
            let batches = stream::repeat_with(move || {
                asked.fetch_add(1, Ordering::Relaxed);
                Ok(batch.clone())
            });
            Ok(RecordStream::single(self.batch.schema(), batches.boxed()))
        }
    }

    fn batch() -> RecordBatch {
        let json = HashMap::from([(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())]);
        let fields = vec![
            Field::new("__segment_id", DataType::Int64, true),
            Field::new("name", DataType::Utf8, true),
            Field::new("total", DataType::Decimal128(30, 2), true),
            Field::new("at", DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("+00:00".into())), true),
            Field::new("extra", DataType::Utf8, true).with_metadata(json),
            Field::new("share", DataType::Float64, true),
        ];
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), None])),
            Arc::new(StringArray::from(vec![Some(""), None])),
            Arc::new(Decimal128Array::from(vec![Some(1_230), None]).with_precision_and_scale(30, 2).unwrap()),
            Arc::new(TimestampMicrosecondArray::from(vec![Some(0), None]).with_timezone("+00:00")),
            Arc::new(StringArray::from(vec![Some("{\"a\": [1, s3cret]}"), Some("{\"a\": [1, \"s3cret\"]}")])),
            Arc::new(Float64Array::from(vec![Some(0.5), None])),
        ];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    fn engine(sql: &str) -> (Engine, Arc<AtomicUsize>) {
        let model = Model {
            name: "people".to_owned(),
            source: "warehouse".to_owned(),
            sql: sql.to_owned(),
            id: vec!["id".to_owned()],
            timestamp: None,
            description: None,
            tags: Vec::new(),
            on_null_id: OnBadId::Reject,
            on_duplicate_id: OnBadId::Reject,
        };
        let source = SourceConfig {
            name: "warehouse".to_owned(),
            kind: SourceKind::Files { tables: Vec::new() },
            max_concurrent_extractions: 1,
            query_timeout: None,
        };
        let redactor = Redactor::default();
        redactor.add("s3cret");
        let project = Project {
            root: "/shop".into(),
            name: "shop".to_owned(),
            target: None,
            state: "/shop/state".into(),
            sources: vec![source],
            models: vec![model],
            destinations: Vec::new(),
            mappings: Vec::new(),
            limits: Limits::default(),
            retention: Retention::default(),
            redactor,
        };
        let asked = Arc::new(AtomicUsize::new(0));
        let source: Arc<dyn Source> = Arc::new(Endless { batch: batch(), asked: Arc::clone(&asked) });
        let engine = Engine {
            project: Arc::new(project),
            store: Arc::new(MemoryStore::default()),
            clock: Arc::new(SystemClock::new()),
            sources: BTreeMap::from([("warehouse".to_owned(), source)]),
            destinations: BTreeMap::new(),
            proxy: ProxyEnv::default(),
            storage: StorageEnv::default(),
            carrier: None,
            workers: 1,
            links: crate::deliver::link::Links::default(),
            cancel: Cancel::default(),
            observer: Arc::new(Silent),
        };
        (engine, asked)
    }

    #[tokio::test]
    async fn a_preview_reads_no_more_than_it_shows() {
        let (engine, asked) = engine("SELECT 1");
        let preview = engine.preview("people", 3).await.unwrap();
        assert_eq!((preview.records.len(), asked.load(Ordering::Relaxed)), (3, 2));
        assert_eq!(engine.preview("poeple", 3).await.unwrap_err().kind(), Kind::NotFound);
    }

    #[tokio::test]
    async fn values_look_as_in_payloads_and_secrets_do_not_show() {
        let (engine, _) = engine("SELECT 1");
        let preview = engine.preview("people", 2).await.unwrap();
        let kinds: Vec<&str> = preview.columns.iter().map(|column| column.kind.as_str()).collect();
        assert_eq!(kinds, ["bigint", "text", "decimal(30,2)", "timestamptz", "json", "double"]);
        assert_eq!(preview.columns.iter().filter(|column| column.number).count(), 3);
        let lines: Vec<String> = preview.records.iter().map(|record| Value::from(record.clone()).to_string()).collect();
        // The JSON text of the first record is none: it is shown as it stands.
        assert_eq!(lines[0], r#"[9007199254740993,"",12.30,"1970-01-01T00:00:00Z","{\"a\": [1, ***]}",0.5]"#);
        assert_eq!(lines[1], r#"[null,null,null,null,{"a":[1,"***"]},null]"#);
        let written = serde_json::to_string(&preview).unwrap();
        assert_eq!(serde_json::from_str::<Preview>(&written).unwrap(), preview);
    }

    #[test]
    fn a_preview_is_known_by_its_query_and_its_limit() {
        let key = |sql: &str, limit| engine(sql).0.preview_key("people", limit, "").unwrap();
        assert_eq!(key("SELECT 1", 10), key("SELECT 1", 10));
        assert_ne!(key("SELECT 1", 10), key("SELECT 1", 11));
        assert_ne!(key("SELECT 1", 10), key("SELECT 2", 10));
        assert_eq!(key("SELECT 1", 10).len(), 32);
    }

    #[test]
    fn types_are_named_as_in_sql() {
        let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true)));
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Int64));
        assert_eq!([type_name(&list), type_name(&dictionary)], ["list<text>", "bigint"]);
        assert!(is_number(&dictionary) && !is_number(&list));
        assert_eq!(json!(type_name(&DataType::Date32)), "date");
    }
}
