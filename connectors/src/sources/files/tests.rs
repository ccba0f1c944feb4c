//! The files source as a whole: real files, real queries.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, DictionaryArray, Int64Array, RecordBatch, StringArray, StructArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use futures::StreamExt;
use outflow_contract::plan::{ColumnType, FileFormat, FileTable};
use outflow_contract::source::{Query, Source, is_json};
use outflow_contract::{Blame, Error, Kind};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use super::{FilesOptions, FilesSource};
use crate::conformance;

struct Shop {
    folder: TempDir,
    tables: Vec<FileTable>,
    options: FilesOptions,
}

impl Shop {
    fn new() -> Self {
        let options = FilesOptions { target_partitions: 2, ..FilesOptions::default() };
        Self { folder: TempDir::new().unwrap(), tables: Vec::new(), options }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    fn table(mut self, name: &str, path: &str, columns: &[(&str, &str)]) -> Self {
        let ending = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or("parquet");
        let format = match ending {
            "csv" | "tsv" => FileFormat::Csv,
            "ndjson" | "json" => FileFormat::Ndjson,
            "arrow" => FileFormat::Arrow,
            _ => FileFormat::Parquet,
        };
        let kind = |kind: &str| if kind == "json" { ColumnType::Json } else { ColumnType::Sql(kind.to_owned()) };
        let columns = columns.iter().map(|(name, sql)| ((*name).to_owned(), kind(sql))).collect();
        let path = self.path(path).to_str().unwrap().to_owned();
        self.tables.push(FileTable { name: name.to_owned(), path, format, columns, delimiter: None });
        self
    }

    fn source(&self) -> FilesSource {
        FilesSource::new(self.tables.clone(), self.options.clone())
    }

    async fn try_query(&self, sql: &str) -> Result<RecordBatch, Error> {
        let stream = self.source().stream(&query(sql)).await?;
        let (schema, mut stream, mut batches) = (stream.schema.clone(), stream.into_batches(), Vec::new());
        while let Some(batch) = stream.next().await {
            batches.push(batch?);
        }
        Ok(concat_batches(&schema, &batches).unwrap())
    }

    async fn query(&self, sql: &str) -> RecordBatch {
        self.try_query(sql).await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    async fn text(&self, sql: &str) -> String {
        rendered(&self.query(sql).await)
    }

    async fn error(&self, sql: &str) -> Error {
        self.try_query(sql).await.expect_err("an error")
    }
}

fn query(sql: &str) -> Query {
    Query { sql: sql.to_owned(), timeout: Some(Duration::from_mins(1)) }
}

/// Records as `a|b`, sorted, nulls as `∅`.
fn rendered(batch: &RecordBatch) -> String {
    let options = arrow::util::display::FormatOptions::default().with_null("∅");
    let columns: Vec<_> = batch.columns().iter().map(|c| arrow::util::display::ArrayFormatter::try_new(c, &options).unwrap()).collect();
    let mut lines: Vec<String> =
        (0..batch.num_rows()).map(|i| columns.iter().map(|c| c.value(i).to_string()).collect::<Vec<_>>().join("|")).collect();
    lines.sort();
    lines.join("\n")
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn customers(ids: std::ops::Range<i64>) -> RecordBatch {
    let names: ArrayRef = Arc::new(ids.clone().map(|i| (i % 5 != 0).then(|| format!("name {i}"))).collect::<StringArray>());
    let prefs: ArrayRef = Arc::new(StringArray::from_iter_values(ids.clone().map(|i| format!("{{\"n\": {i}}}"))));
    let kind: DictionaryArray<Int32Type> = ids.clone().map(|i| if i % 2 == 0 { "even" } else { "odd" }).collect();
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
    RecordBatch::try_from_iter([("id", id.clone()), ("name", names), ("prefs", prefs), ("kind", Arc::new(kind)), ("UserId", id)]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_strings_arrive_as_views_and_marks_survive_the_query() {
    let shop = Shop::new().table("c", "c.parquet", &[("prefs", "json")]);
    shop.write("c.parquet", parquet(&customers(1..21)));
    let all = shop.query("SELECT * FROM c").await;
    assert_eq!(all.num_rows(), 20);
    assert_eq!(all.schema().field_with_name("name").unwrap().data_type(), &DataType::Utf8View);
    for (sql, column) in [
        ("SELECT * FROM c", "prefs"),
        ("SELECT prefs FROM c", "prefs"),
        ("SELECT id, prefs AS p FROM c WHERE id > 3", "p"),
        ("SELECT x.p FROM (SELECT id, prefs AS p FROM c) x", "p"),
        ("SELECT a.id, b.prefs FROM c a JOIN c b ON a.id = b.id", "prefs"),
        ("SELECT a.id, b.prefs FROM c a LEFT JOIN c b ON a.id = b.id + 1", "prefs"),
        ("WITH x AS (SELECT * FROM c) SELECT prefs, id FROM x ORDER BY id LIMIT 5", "prefs"),
        ("SELECT prefs, count(*) AS n FROM c GROUP BY prefs", "prefs"),
        ("SELECT DISTINCT prefs FROM c", "prefs"),
        ("SELECT prefs FROM c UNION ALL SELECT prefs FROM c", "prefs"),
    ] {
        let batch = shop.query(sql).await;
        assert!(is_json(batch.schema().field_with_name(column).unwrap()), "{sql}: {:?}", batch.schema());
        assert!(batch.num_rows() > 0, "{sql}");
        let schema = shop.source().schema(&query(sql)).await.unwrap();
        assert!(is_json(schema.field_with_name(column).unwrap()), "{sql}");
    }
    let other = shop.query("SELECT name, upper(prefs) AS u FROM c").await;
    assert!(other.schema().fields().iter().all(|field| !is_json(field)), "{:?}", other.schema());
}

#[tokio::test(flavor = "multi_thread")]
async fn forced_types_convert_parquet_columns_and_name_what_cannot_be() {
    let shop = Shop::new().table("c", "c.parquet", &[("id", "VARCHAR"), ("UserId", "DECIMAL(12, 2)")]).table(
        "bad",
        "c.parquet",
        &[("name", "BIGINT")],
    );
    shop.write("c.parquet", parquet(&customers(1..4)));
    let batch = shop.query("SELECT id, \"UserId\" FROM c").await;
    assert_eq!(batch.schema().field(0).data_type(), &DataType::Utf8View);
    assert_eq!(batch.schema().field(1).data_type(), &DataType::Decimal128(12, 2));
    assert_eq!(rendered(&batch), "1|1.00\n2|2.00\n3|3.00");
    let error = shop.error("SELECT name FROM bad").await;
    assert!(error.to_string().contains("name 1"), "{error:?}");
    assert_eq!(error.blamed(), Blame::Source);
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_columns_are_found_by_name_in_every_file() {
    let shop = Shop::new().table("t", "in/*.csv", &[("zip", "VARCHAR"), ("at", "TIMESTAMP WITH TIME ZONE"), ("total", "DECIMAL(12,2)")]);
    shop.write("in/a.csv", "\u{feff}id,zip,total,at,note\n1,0123,12.5,2024-03-01T10:00:00+01:00,\"two\nlines, \"\"quoted\"\"\"\n2,,,,\n");
    shop.write("in/b.csv", "at,id,total,zip\r\n2024-03-01 10:00:00Z,3,7,99\r\n");
    shop.write("in/.hidden.csv", "nothing of this kind");
    let batch = shop.query("SELECT id, zip, total, at, note FROM t").await;
    assert_eq!(batch.schema().field(0).data_type(), &DataType::Int64);
    assert_eq!(batch.schema().field(2).data_type(), &DataType::Decimal128(12, 2));
    assert_eq!(rendered(&batch), "1|0123|12.50|2024-03-01T09:00:00Z|two\nlines, \"quoted\"\n2|∅|∅|∅|∅\n3|99|7.00|2024-03-01T10:00:00Z|∅");
    assert_eq!(shop.text("SELECT count(*) FROM t").await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_values_that_do_not_fit_are_named_with_record_and_column() {
    let shop = Shop::new().table("t", "t.csv", &[("total", "DECIMAL(12,2)")]).table("u", "t.csv", &[("toal", "BIGINT")]);
    shop.write("t.csv", "id,total\n1,12.5\n2,twelve\n");
    let error = shop.error("SELECT * FROM t").await;
    assert_eq!(error.blamed(), Blame::Source);
    let text = format!("{error:?}");
    assert!(text.contains("column `total`") && text.contains("record 2: `twelve` is not of type decimal(12,2)"), "{text}");
    assert_eq!(shop.text("SELECT id FROM t").await, "1\n2");
    let error = shop.error("SELECT * FROM u").await;
    assert_eq!(error.remedy_text(), Some("did you mean `total`?"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ndjson_json_columns_hold_any_value_as_it_stands_in_the_file() {
    let shop = Shop::new().table(
        "e",
        "e.ndjson",
        &[("body", "json"), ("n", "DECIMAL(38, 4)"), ("at", "TIMESTAMP WITH TIME ZONE"), ("later", "json")],
    );
    let lines = [
        r#"{"id":1,"body":{"b": 1.10,  "a":[1,2]},"n":12345678901234567890.1234,"at":"2024-03-01T10:00:00.123456+01:00"}"#,
        "",
        r#"{"id":2,"body":"te\u0078t","n":"7","tags":["x"]}"#,
        r#"{"id":3,"body":null,"n":null}"#,
        r#"{"id":4,"body":12345678901234567890}"#,
        r#"{"id":5}"#,
    ];
    shop.write("e.ndjson", lines.join("\n"));
    let batch = shop.query("SELECT id, body, n, at, tags, later FROM e").await;
    assert!(is_json(batch.schema().field(1)));
    assert_eq!(
        rendered(&batch),
        [
            r#"1|{"b": 1.10,  "a":[1,2]}|12345678901234567890.1234|2024-03-01T09:00:00.123456Z|∅|∅"#,
            r#"2|"te\u0078t"|7.0000|∅|[x]|∅"#,
            "3|null|∅|∅|∅|∅",
            "4|12345678901234567890|∅|∅|∅|∅",
            "5|∅|∅|∅|∅|∅",
        ]
        .join("\n")
    );
    assert_eq!(shop.text("SELECT body FROM e WHERE id = 3").await, "null");
    assert_eq!(shop.text("SELECT count(*), count(body) FROM e").await, "5|4");
}

#[tokio::test(flavor = "multi_thread")]
async fn ndjson_types_are_told_and_integers_keep_their_digits() {
    let shop = Shop::new().table("e", "e.ndjson", &[]).table("mixed", "m.ndjson", &[]);
    shop.write("e.ndjson", "{\"a\":1,\"b\":true,\"c\":{\"d\":[1.5]},\"big\":18446744073709551615}\n{\"a\":2,\"s\":\"é\",\"big\":1}\n");
    assert_eq!(shop.text("SELECT a, b, c['d'][1] AS d, big, s FROM e").await, "1|true|1.5|18446744073709551615|∅\n2|∅|∅|1|é");
    shop.write("m.ndjson", "{\"a\":1}\n{\"a\":{\"b\":1}}\n");
    let error = shop.error("SELECT a FROM mixed").await;
    assert!(error.to_string().contains("`a`"), "{error:?}");
    assert_eq!(error.remedy_text(), Some("force the type `json` for it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ndjson_complaints_name_the_line() {
    for (content, wanted) in [
        ("{\"a\":1}\n{\"a\":2}{\"a\":3}\n", "line 2"),
        ("{\"a\":1}\n\n[1]\n", "line 3"),
        ("{\"a\":1}\n{\"a\":", "line 2"),
        ("{\"a\":1}\n\"text\"\n", "line 2"),
    ] {
        let shop = Shop::new().table("e", "e.ndjson", &[]);
        shop.write("e.ndjson", content);
        let error = shop.error("SELECT a FROM e").await;
        assert!(error.to_string().contains(wanted), "{content}: {error:?}");
        assert_eq!(error.blamed(), Blame::Source);
    }
    // Far down, past many batches.
    let shop = Shop::new().table("e", "e.ndjson", &[]);
    let good = "{\"a\":1}\n".repeat(60_000);
    shop.write("e.ndjson", format!("{good}{{\"a\":2}}{{\"a\":3}}\n"));
    let error = shop.error("SELECT a FROM e").await;
    assert!(error.to_string().contains("line 60001"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn arrow_files_and_streams_are_both_read_with_dictionaries_kept() {
    let shop = Shop::new().table("a", "*.arrow", &[("prefs", "json")]);
    let batch = customers(0..10_000);
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    shop.write("a.arrow", &bytes);
    let batch = customers(10_000..10_010);
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    shop.write("b.arrow", &bytes);
    let all = shop.query("SELECT * FROM a").await;
    assert_eq!(all.num_rows(), 10_010);
    assert!(matches!(all.schema().field_with_name("kind").unwrap().data_type(), DataType::Dictionary(..)));
    assert!(is_json(all.schema().field_with_name("prefs").unwrap()));
    assert_eq!(shop.text("SELECT sum(id), count(*) FROM a").await, format!("{}|10010", (0..10_010).sum::<i64>()));
    shop.write("b.arrow", &bytes[..bytes.len() / 2]);
    let error = shop.error("SELECT * FROM a").await;
    assert!(error.to_string().contains("b.arrow"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_files_patterns_and_folders() {
    let shop = Shop::new().table("folder", "data", &[]).table("deep", "data/**/*.parquet", &[]).table("flat", "data/?.parquet", &[]).table(
        "odd",
        "data/we[i]rd %20 é.parquet",
        &[],
    );
    shop.write("data/a.parquet", parquet(&customers(0..2)));
    shop.write("data/sub/b.parquet", parquet(&customers(2..5)));
    shop.write("data/we[i]rd %20 é.parquet", parquet(&customers(5..9)));
    shop.write("data/_SUCCESS", "");
    shop.write("data/readme.txt", "no table");
    let counted = "SELECT count(*) FROM ";
    assert_eq!(shop.text(&format!("{counted}folder")).await, "9");
    assert_eq!(shop.text(&format!("{counted}deep")).await, "9");
    assert_eq!(shop.text(&format!("{counted}flat")).await, "2");
    assert_eq!(shop.text(&format!("{counted}odd")).await, "4");
    let probe = shop.source().probe().await.unwrap();
    assert_eq!(probe.version, "DataFusion 55.2.0");
    assert!(probe.details[0].1.starts_with("3 files, ") && probe.details[0].1.contains("`UserId`"), "{:?}", probe.details);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_names_nothing_is_an_error_with_a_suggestion() {
    let shop = Shop::new()
        .table("file", "data/customer.parquet", &[])
        .table("pattern", "data/x*.parquet", &[])
        .table("folder", "data/empty", &[])
        .table("nowhere", "daat/*.parquet", &[]);
    shop.write("data/customers.parquet", parquet(&customers(0..2)));
    std::fs::create_dir(shop.path("data/empty")).unwrap();
    for (table, said, remedy) in [
        ("file", "there is no file", "did you mean"),
        ("pattern", "no file matches", "correct"),
        ("folder", "no parquet file in the folder", ".parquet"),
        ("nowhere", "there is no folder", "did you mean"),
    ] {
        let error = shop.error(&format!("SELECT * FROM {table}")).await;
        assert_eq!(error.kind(), Kind::NotFound, "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&format!("table `{table}`")) && text.contains(said), "{text}");
        assert!(text.contains(shop.folder.path().to_str().unwrap()), "{text}");
        assert!(error.remedy_text().unwrap().contains(remedy), "{error:?}");
    }
    // Only tables that a query names are opened.
    assert_eq!(shop.text("SELECT 1").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_the_query_are_told_in_one_line_with_a_remedy() {
    let shop = Shop::new().table("customers", "c.parquet", &[]);
    shop.write("c.parquet", parquet(&customers(0..2)));
    for (sql, said, remedy) in [
        ("SELECT nmae FROM customers", "the column `nmae`", "did you mean `name`?"),
        ("SELECT UserId FROM customers", "the column `userid`", "\"UserId\""),
        ("SELECT id FROM custmers", "`custmers`", "did you mean `customers`?"),
        ("SELECT id FROM other.customers", "`other.customers`", "customers"),
        ("SELECT id FROM customers WHERE", "the SQL cannot be read", "correct"),
        ("SELECT id FROM customers; SELECT 1", "", ""),
        ("SELECT a.id, b.id FROM customers a JOIN customers b ON a.id = b.id", "two columns named `id`", "AS"),
        ("SELECT id FROM customers a JOIN customers b ON a.id = b.id", "more than one table", "table's name"),
        ("SELECT nofunction(id) FROM customers", "nofunction", ""),
        ("SELECT * FROM 'c.parquet'", "", ""),
        ("SELECT CAST(name AS BIGINT) FROM customers", "cannot be converted", "TRY_CAST"),
    ] {
        let error = shop.error(sql).await;
        let text = error.to_string();
        assert!(text.contains(said) && error.remedy_text().unwrap_or_default().contains(remedy), "{sql}: {error:?}");
        assert!(!text.contains('\n') && !text.contains("DataFusion error") && !text.contains("backtrace"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_only_reads_and_only_its_tables() {
    let shop = Shop::new().table("t", "t.csv", &[]);
    shop.write("t.csv", "id\n1\n");
    let out = shop.path("out.csv");
    for sql in [
        format!("COPY t TO '{}'", out.display()),
        "CREATE TABLE x AS SELECT * FROM t".to_owned(),
        format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{}'", shop.path("t.csv").display()),
        "INSERT INTO t VALUES (2)".to_owned(),
        "DELETE FROM t".to_owned(),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "EXPLAIN SELECT * FROM t".to_owned(),
        "DROP TABLE t".to_owned(),
        "SELECT * FROM information_schema.tables".to_owned(),
        "SHOW TABLES".to_owned(),
        format!("SELECT * FROM '{}'", shop.path("t.csv").display()),
    ] {
        let error = shop.error(&sql).await;
        assert_eq!(error.blamed(), Blame::Operator, "{sql}: {error:?}");
    }
    assert!(!out.exists());
    assert_eq!(std::fs::read_to_string(shop.path("t.csv")).unwrap(), "id\n1\n");
    assert_eq!(shop.text("SELECT id FROM t; -- the end").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_that_people_expect_are_there() {
    let shop = Shop::new().table("o", "o.csv", &[("total", "DECIMAL(12,2)")]);
    shop.write("o.csv", "id,customer_id,total,name\n1,1,10.50,Ann\n2,1,0.25,Ann\n3,2,7.00,Bo\n");
    let one = |sql: &str| format!("SELECT {sql} FROM o WHERE id = 1");
    assert_eq!(shop.text("SELECT customer_id, count(*) AS n, sum(total) AS s FROM o GROUP BY customer_id").await, "1|2|10.75\n2|1|7.00");
    let sql = "SELECT id, row_number() OVER (PARTITION BY customer_id ORDER BY id DESC) AS n, lag(id) OVER (ORDER BY id) AS l FROM o";
    assert_eq!(shop.text(sql).await, "1|2|∅\n2|1|1\n3|1|2");
    let nested = shop
        .query("SELECT customer_id, array_agg(named_struct('id', id, 'total', total) ORDER BY id) AS items FROM o GROUP BY customer_id")
        .await;
    let items = nested.column(1).as_list::<i32>().values().clone();
    assert!(items.as_any().is::<StructArray>());
    for sql in [
        "md5(name)",
        "sha256(name)",
        "encode(sha256(name), 'hex')",
        "regexp_replace(name, 'A', 'B')",
        "regexp_like(name, 'A.*')",
        "date_trunc('month', now())",
        "to_timestamp('2024-01-01T00:00:00Z')",
        "initcap(name)",
        "split_part(name, 'n', 1)",
        "concat_ws('-', name, id)",
        "round(2.345, 2)",
        "abs(-1)",
        "make_array(1, 2)",
        "array_to_string(make_array(1, 2), ',')",
        "coalesce(null, name)",
        "extract(year FROM now())",
        "char_length(name)",
        "lpad(name, 5)",
        "levenshtein(name, 'x')",
        "to_char(now(), '%Y')",
        "struct(id, name)",
        "CASE WHEN id = 1 THEN 'x' END",
        "arrow_typeof(id)",
        "greatest(1, 2)",
        "uuid()",
        "approx_distinct(id) OVER ()",
        "string_agg(name, ',') OVER ()",
        "map(make_array('a'), make_array(1))",
        "date_part('epoch', now())",
        "substr(name, 2)",
        "name ILIKE 'a%'",
        "now() - INTERVAL '1 day'",
        "current_date",
        "nullif(name, 'x')",
        "(SELECT max(id) FROM o)",
        "date_bin(INTERVAL '1 hour', now())",
    ] {
        shop.query(&one(sql)).await;
    }
    assert_eq!(shop.text("SELECT name FROM o GROUP BY ALL HAVING count(*) > 1 UNION SELECT 'z' EXCEPT SELECT 'q'").await, "Ann\nz");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_result_does_not_depend_on_the_number_of_partitions() {
    let sql = "SELECT kind, count(*) AS n, sum(id) AS s, min(name) AS m FROM t GROUP BY kind";
    let mut seen = Vec::new();
    for partitions in [1, 2, 3, 16] {
        for limited in [false, true] {
            let mut shop = Shop::new().table("t", "t/*.parquet", &[]);
            shop.options.target_partitions = partitions;
            shop.options.memory_limit_bytes = limited.then_some(64 << 20);
            shop.options.spill_dir = Some(shop.path("spill"));
            std::fs::create_dir(shop.path("spill")).unwrap();
            for (i, at) in (0..30_000).step_by(10_000).enumerate() {
                shop.write(&format!("t/{i}.parquet"), parquet(&customers(at..at + 10_000)));
            }
            seen.push(shop.text(sql).await);
            seen.push(shop.text("SELECT a.id AS x, b.id AS y FROM t a JOIN t b ON a.id = b.id + 29995").await);
        }
    }
    assert!(seen.chunks(2).all(|pair| pair == &seen[..2]), "{seen:?}");
    assert_eq!(seen[1], "29995|0\n29996|1\n29997|2\n29998|3\n29999|4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_csv_file_is_whole_however_its_values_are_broken_over_lines() {
    let mut shop = Shop::new().table("t", "t.csv", &[]);
    shop.options.target_partitions = 4;
    let mut content = String::from("id,note\n");
    for i in 0..300_000 {
        writeln!(content, "{i},\"line one\nline {i}, \"\"two\"\" and some more text to make it long\"").unwrap();
    }
    assert!(content.len() > 15 << 20);
    shop.write("t.csv", content);
    assert_eq!(
        shop.text("SELECT count(*), sum(id), count(DISTINCT note) FROM t").await,
        format!("300000|{}|300000", (0..300_000_i64).sum::<i64>())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_is_told_without_running_the_query() {
    let shop = Shop::new().table("t", "t.csv", &[]);
    shop.write("t.csv", "id,name\n1,x\n");
    let schema = shop.source().schema(&query("SELECT CAST(name AS BIGINT) AS n, id FROM t")).await.unwrap();
    let wanted = Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("id", DataType::Int64, true)]);
    assert_eq!(schema.as_ref(), &wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_given_up_after_its_time() {
    let shop = Shop::new();
    let sql = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.value * b.value % 7 = 3";
    let slow = Query { sql: sql.to_owned(), timeout: Some(Duration::from_millis(300)) };
    let text = match shop.source().stream(&slow).await {
        Err(error) => error.to_string(),
        Ok(stream) => stream.into_batches().next().await.unwrap().expect_err("too slow").to_string(),
    };
    assert!(text.contains("longer than its 0.3 s"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chain_of_conditions_does_not_overflow_the_stack() {
    let shop = Shop::new().table("t", "t.csv", &[]);
    shop.write("t.csv", "id\n1\n2\n");
    let chain: Vec<String> = (0..200).map(|i| format!("id = {i}")).collect();
    assert_eq!(shop.text(&format!("SELECT id FROM t WHERE {}", chain.join(" OR "))).await, "1\n2");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_conforms() {
    let shop = Shop::new().table("p", "p.parquet", &[("prefs", "json")]).table("c", "c.csv", &[]).table("n", "n.ndjson", &[("b", "json")]);
    shop.write("p.parquet", parquet(&customers(0..20_000)));
    shop.write("c.csv", (0..20_000).fold("id,x\n".to_owned(), |text, i| format!("{text}{i},y\n")));
    shop.write("n.ndjson", (0..20_000).fold(String::new(), |text, i| format!("{text}{{\"id\":{i},\"b\":[{i}]}}\n")));
    for (sql, records) in [
        ("SELECT * FROM p", 20_000),
        ("SELECT id FROM c WHERE id % 2 = 0", 10_000),
        ("SELECT * FROM n", 20_000),
        ("SELECT p.id, x, b FROM p JOIN c ON p.id = c.id JOIN n ON n.id = c.id", 20_000),
        ("SELECT * FROM c WHERE id < 0", 0),
        ("SELECT * FROM n LIMIT 7", 7),
    ] {
        assert_eq!(conformance::source::complete(&shop.source(), &query(sql), records).await, Vec::<String>::new(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_an_error_and_never_a_short_result() {
    let good = parquet(&customers(0..50_000));
    let mut flipped = good.clone();
    for at in (1000..good.len() - 5000).step_by(499) {
        flipped[at] ^= 0x5a;
    }
    let csv_good = (0..30_000).fold("id,name\n".to_owned(), |text, i| format!("{text}{i},n{i}\n"));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("t.parquet", good[..good.len() / 2].to_vec(), "t.parquet"),
        ("t.parquet", Vec::new(), "too short"),
        ("t.parquet", b"PAR1 this is no Parquet file PAR1".to_vec(), "t.parquet"),
        ("t.parquet", flipped, ""),
        ("t.csv", format!("{csv_good}1,\"never closed\n2,x\n").into_bytes(), "the quote that opens on line 30002 is never closed"),
        ("t.csv", format!("{csv_good}1,2,3\n").into_bytes(), "t.csv"),
        ("t.csv", format!("{csv_good}1\n").into_bytes(), "t.csv"),
        ("t.csv", [csv_good.as_bytes(), b"1,\xff\xfe\n"].concat(), "UTF-8"),
        ("t.csv", b"id,id\n1,2\n".to_vec(), "names `id` twice"),
        ("t.csv", Vec::new(), "no header line"),
        ("t.ndjson", "{\"id\":1,\"name\":\"x\"}\n{\"id\":2,\"na".into(), "line 2"),
        ("t.ndjson", b"{\"id\":1,\"name\":\"\xff\"}\n".to_vec(), "line 1"),
        ("t.ndjson", Vec::new(), "no record"),
        ("t.arrow", b"ARROW1 and nothing else".to_vec(), "t.arrow"),
        ("t.arrow", b"not arrow".to_vec(), "t.arrow"),
        ("t.arrow", Vec::new(), "empty"),
    ];
    for (name, content, wanted) in cases {
        let shop = Shop::new().table("t", name, &[]);
        shop.write(name, &content);
        let said = conformance::source::broken(&shop.source(), &query("SELECT * FROM t")).await;
        let said = said.unwrap_or_else(|violated| panic!("{name}, {wanted}: {violated}"));
        assert!(said.contains(wanted), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_one_of_many_files_is_not_lost() {
    let shop = Shop::new().table("t", "*.csv", &[("id", "BIGINT")]).table("p", "*.parquet", &[]);
    for i in 0..8 {
        shop.write(&format!("{i}.csv"), (0..5000).fold("id\n".to_owned(), |text, n| format!("{text}{n}\n")));
        shop.write(&format!("{i}.parquet"), parquet(&customers(0..5000)));
    }
    shop.write("5.csv", format!("id\n{}x\n", "1\n".repeat(20_000)));
    let said = conformance::source::broken(&shop.source(), &query("SELECT id FROM t")).await.unwrap();
    assert!(said.contains("5.csv") && said.contains("record 20001"), "{said}");
    let bytes = std::fs::read(shop.path("3.parquet")).unwrap();
    shop.write("3.parquet", [&bytes[..400], &bytes[800..]].concat());
    conformance::source::broken(&shop.source(), &query("SELECT * FROM p")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_are_none_are_refused() {
    for sql in ["NOTATYPE", "INT) + (1", "BIGINT); DROP TABLE t", ""] {
        let shop = Shop::new().table("t", "t.csv", &[("id", sql)]);
        shop.write("t.csv", "id\n1\n");
        let error = shop.error("SELECT id FROM t").await;
        assert!(error.to_string().contains("is not a column type"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wide_scan_stays_a_stream() {
    let shop = Shop::new().table("t", "t.parquet", &[]);
    shop.write("t.parquet", parquet(&customers(0..200_000)));
    let mut stream = shop.source().stream(&query("SELECT * FROM t")).await.unwrap().into_batches();
    let mut records = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch.unwrap();
        assert!(batch.num_rows() <= super::BATCH_RECORDS);
        records += batch.num_rows();
        assert!(batch.column(0).as_primitive::<Int64Type>().len() == batch.num_rows());
    }
    assert_eq!(records, 200_000);
}

#[tokio::test]
async fn a_value_far_down_a_file_is_told_like_one_at_its_start() {
    let (mut lines, mut csv) = (String::new(), String::from("id,code\n"));
    for id in 0..120_000 {
        let (price, more) = if id == 119_000 { ("1.5", r#","late":true"#) } else { ("1", "") };
        writeln!(lines, r#"{{"id":{id},"price":{price}{more}}}"#).unwrap();
        writeln!(csv, "{id},{}", if id == 119_000 { "007" } else { "7" }).unwrap();
    }
    let shop = Shop::new();
    shop.write("e.ndjson", lines).write("c.csv", csv);
    let shop = shop.table("e", "e.ndjson", &[]).table("c", "c.csv", &[]);
    let batch = shop.query("SELECT price, late FROM e WHERE id = 119000").await;
    assert_eq!(batch.column(0).as_primitive::<arrow::datatypes::Float64Type>().value(0).to_string(), "1.5");
    assert!(batch.column(1).as_boolean().value(0));
    let batch = shop.query("SELECT CAST(code AS VARCHAR) FROM c WHERE id = 119000").await;
    assert_eq!(arrow::compute::cast(batch.column(0), &DataType::Utf8).unwrap().as_string::<i32>().value(0), "007");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_line_the_ending_or_the_table_tells_what_stands_between_the_values() {
    let mut shop = Shop::new().table("excel", "excel.csv", &[]).table("tabs", "tabs.csv", &[]).table("tsv", "t.tsv", &[]);
    shop = shop.table("pipes", "pipes.csv", &[]).table("commas", "commas.csv", &[]);
    shop.tables.iter_mut().find(|table| table.name == "pipes").unwrap().delimiter = Some(b'|');
    shop.write("excel.csv", "\u{feff}id;total;note\r\n1;\"1.234,50\";\"a;\"\"b\"\"\"\r\n2;2,5;\r\n");
    shop.write("tabs.csv", "id\tnote\n1\ta;b\n").write("t.tsv", "a,b\tc\n1\t2\n").write("pipes.csv", "a,b|c\n1|2\n");
    shop.write("commas.csv", "a,b;c\n1,2\n");
    assert_eq!(shop.text("SELECT id, total, note FROM excel").await, "1|1.234,50|a;\"b\"\n2|2,5|∅");
    assert_eq!(shop.text("SELECT id, note FROM tabs").await, "1|a;b");
    assert_eq!(shop.text("SELECT \"a,b\", c FROM tsv").await, "1|2");
    assert_eq!(shop.text("SELECT \"a,b\", c FROM pipes").await, "1|2");
    assert_eq!(shop.text("SELECT a, \"b;c\" FROM commas").await, "1|2");
    shop.write("excel.csv", "id;a\n1;\"x\n");
    assert!(shop.error("SELECT * FROM excel").await.to_string().contains("the quote that opens on line 2"));
    shop.write("excel.csv", "id|a\n1;x,2\n");
    let error = shop.error("SELECT * FROM excel").await;
    assert!(error.remedy_text().unwrap().contains("a comma; if another character divides the values, set `delimiter`"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_array_is_read_as_its_objects() {
    let shop = Shop::new().table("e", "e.json", &[("j", "json")]).table("lines", "l.json", &[]).table("many", "m.json", &[]);
    shop.write("e.json", "\u{feff}\n[\n  {\"id\": 1, \"j\": {\n\"k\": \"]},[{\\\"\"}},\n  {\"j\": [\r\n1, 2]\n, \"id\": 2}\n]\n");
    assert_eq!(shop.text("SELECT id, j FROM e").await, "1|{ \"k\": \"]},[{\\\"\"}\n2|[  1, 2]");
    shop.write("l.json", "{\"id\":1}\n{\"id\":2}\n");
    assert_eq!(shop.text("SELECT id FROM lines").await, "1\n2");
    let objects: Vec<String> = (0..30_000).map(|i| format!("{{\"id\":{i},\"name\":\"name {i}\"}}")).collect();
    shop.write("m.json", format!("[{}]", objects.join(",")));
    assert_eq!(shop.text("SELECT count(*), sum(id), count(DISTINCT name) FROM many").await, "30000|449985000|30000");
    for (content, said, remedy) in [
        (format!("[{}", objects.join(",\n")), "line 30000: the file ends inside its JSON array", "correct the file"),
        (format!("[{},\n7]", objects.join(",")), "line 2: the file is a JSON array, and this in it is not", "jq -c '.[]'"),
        (format!("[{}]\n[]", objects.join(",")), "something comes after it", "jq"),
        ("[{\"id\": 1},\n{\"id\": x}]".to_owned(), "line 2", "correct"),
        ("[]".to_owned(), "no record", "columns"),
        ("{\n  \"id\": 1\n}\n".to_owned(), "line 1", "jq -c ."),
    ] {
        shop.write("m.json", content);
        let error = shop.error("SELECT * FROM many").await;
        assert!(error.to_string().contains(said) && error.remedy_text().unwrap().contains(remedy), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_utf_8_text_is_named_with_what_to_do() {
    let utf_16: Vec<u8> = "id,name\n1,x\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for name in ["t.csv", "t.ndjson"] {
        let shop = Shop::new().table("t", name, &[]);
        for (content, said, remedy) in [
            ([b"\xFF\xFE".to_vec(), utf_16.clone()].concat(), "UTF-16", "iconv"),
            (utf_16.clone(), "UTF-16", "iconv"),
            (b"PK\x03\x04rest".to_vec(), "workbook", "CSV UTF-8"),
            (b"\x1F\x8Brest".to_vec(), "gzip", "unpack"),
            (parquet(&customers(0..2)), "Parquet", "format: parquet"),
        ] {
            shop.write(name, content);
            let error = shop.error("SELECT * FROM t").await;
            assert!(error.to_string().contains(said) && error.remedy_text().unwrap().contains(remedy), "{error:?}");
            assert_eq!(error.blamed(), Blame::Source);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_was_told_from_values_and_does_not_fit_can_be_forced() {
    let shop = Shop::new().table("sales", "s.csv", &[]).table("forced", "s.csv", &[("Revenue", "VARCHAR")]);
    let sql = |table: &str| format!("SELECT id, replace(\"Revenue\", '.', '') AS r FROM {table}");
    shop.write("s.csv", "id,Revenue,E-mail\n1,\"1.234,50\",true\n");
    assert_eq!(shop.text(&sql("sales")).await, "1|1234,50");
    shop.write("s.csv", "id,Revenue,E-mail\n1,1,true\n");
    assert_eq!(shop.text(&sql("forced")).await, "1|1");
    let error = shop.error(&sql("sales")).await;
    let text = error.to_string();
    assert!(text.contains("bigint") && !text.contains("Int64"), "{text}");
    for (sql, remedy) in [
        (sql("sales"), "on the table `sales` with `columns: { Revenue: VARCHAR }`"),
        ("SELECT id FROM sales WHERE \"Revenue\" LIKE '%,5'".to_owned(), "columns: { Revenue: VARCHAR }"),
        (
            "SELECT s.id FROM forced AS f JOIN sales AS s ON f.id = s.id WHERE s.\"Revenue\" = 'x'".to_owned(),
            "`sales` with `columns: { Revenue",
        ),
        ("SELECT id, substr(\"E-mail\", 1) AS e FROM sales".to_owned(), "columns: { \"E-mail\": VARCHAR }"),
    ] {
        let error = shop.error(&sql).await;
        assert!(error.remedy_text().unwrap().contains(remedy), "{sql}: {error:?}");
    }
    // Nothing of the kind where the type is none of the query's trouble.
    for sql in ["SELECT nofunction(id) FROM sales", "SELECT sum(\"E-mail\") FROM sales"] {
        let error = shop.error(sql).await;
        assert!(!error.remedy_text().unwrap_or_default().contains("columns:"), "{error:?}");
    }
}
