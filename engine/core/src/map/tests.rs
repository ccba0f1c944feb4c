//! What a mapping makes of a record, case by case.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, DurationSecondArray, FixedSizeListArray,
    Float32Array, Float64Array, Int32Array, Int64Array, LargeListArray, LargeStringArray, ListArray, MapArray, NullArray, RecordBatch,
    RunArray, StringArray, StringViewArray, StructArray, Time32MillisecondArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Int8Type, Int32Type, Schema, SchemaRef};
use outflow_contract::Op;
use outflow_contract::expr::{Expr, Path, TemplatePart, Test};
use outflow_contract::limits::{Limits, RECORD_DEPTH_MAX};
use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};
use serde_json::{Value, json};

use super::{Mapped, Mapper, SentBy};

fn segments(text: &str) -> Path {
    Path { segments: text.split('.').filter(|segment| !segment.is_empty()).map(Into::into).collect() }
}

fn path(text: &str) -> Expr {
    Expr::Path(segments(text))
}

fn object(members: &[(&str, Expr)]) -> Expr {
    Expr::Object(members.iter().map(|(name, expr)| ((*name).to_owned(), expr.clone())).collect())
}

fn items(root: &str, shape: Expr) -> Expr {
    Expr::ArrayPath { root: segments(root), shape: Some(Box::new(shape)) }
}

fn case(upper: bool, value: Expr) -> Expr {
    Expr::Case { upper, value: Box::new(value) }
}

fn when(test: Test, then: &str, otherwise: Option<&str>) -> Expr {
    let constant = |text: &str| Box::new(Expr::Literal(json!(text)));
    Expr::If { test, then: Some(constant(then)), otherwise: otherwise.map(constant) }
}

/// A template in which `{path}` stands for a value.
fn template(text: &str) -> Expr {
    let mut parts = Vec::new();
    for piece in text.split('}') {
        let (before, value) = piece.split_once('{').map_or((piece, None), |(before, value)| (before, Some(value)));
        parts.push(TemplatePart::Text(before.to_owned()));
        parts.extend(value.map(|value| TemplatePart::Value(segments(value))));
    }
    Expr::Template(parts)
}

fn json_field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true).with_metadata([(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into())
}

/// A batch; a column whose name begins with `json:` is marked as JSON text.
fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields = columns.iter().map(|(name, array)| match name.strip_prefix("json:") {
        Some(name) => json_field(name, array.data_type().clone()),
        None => Field::new(*name, array.data_type().clone(), true),
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, array)| array).collect()).unwrap()
}

fn run_limited(expr: &Expr, batch: &RecordBatch, limits: &Limits) -> Mapped {
    let id = [batch.schema().field(0).name().clone()];
    let mapper = Mapper::compile(expr, None, &batch.schema(), &id, limits).unwrap();
    let rows: Vec<u32> = (0..batch.num_rows() as u32).collect();
    mapper.map(batch, &vec![Op::Added; batch.num_rows()], &SentBy::new("sync-1", jiff::Timestamp::UNIX_EPOCH), &rows).unwrap()
}

fn payloads(mapped: &Mapped) -> Vec<&str> {
    let starts = std::iter::once(0).chain(mapped.ends.iter().copied());
    starts.zip(&mapped.ends).map(|(start, &end)| std::str::from_utf8(&mapped.bytes[start..end]).unwrap()).collect()
}

/// The payloads of all records; none may fail.
fn run(expr: &Expr, batch: &RecordBatch) -> Vec<String> {
    let mapped = run_limited(expr, batch, &Limits::default());
    assert_eq!(mapped.failed, []);
    payloads(&mapped).into_iter().map(Into::into).collect()
}

/// What `$.v` gives for each value of a column.
fn values(array: ArrayRef) -> Vec<String> {
    run(&path("v"), &batch(vec![("v", array)]))
}

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn a_record_becomes_the_object_that_the_mapping_draws() {
    let batch = batch(vec![
        ("id", Arc::new(Int64Array::from(vec![7, 8]))),
        ("email", text(&[Some("Zoë@Example.COM"), None])),
        ("first", text(&[Some("Zoë \"Z\""), Some("")])),
        ("age", Arc::new(Int32Array::from(vec![Some(0), None]))),
    ]);
    let expr = object(&[
        ("userId", path("id")),
        ("email", case(false, path("email"))),
        ("hello", template("Hi {first}, id={id} age={age}!\n")),
        ("kind", Expr::Literal(json!({"a": [1, "x", null]}))),
        ("known", when(Test::Exists(Box::new(path("email"))), "yes", None)),
        ("adult", when(Test::NotBlank(Box::new(path("age"))), "yes", Some("no"))),
        ("list", Expr::Array(vec![path("age"), path("__op"), Expr::Literal(json!(1))])),
    ]);
    assert_eq!(
        run(&expr, &batch),
        [
            concat!(
                r#"{"userId":7,"email":"zoë@example.com","hello":"Hi Zoë \"Z\", id=7 age=0!\n","kind":{"a":[1,"x",null]},"#,
                r#""known":"yes","adult":"no","list":[0,"added",1]}"#
            ),
            r#"{"userId":8,"email":null,"hello":"Hi , id=8 age=!\n","kind":{"a":[1,"x",null]},"adult":"no","list":[null,"added",1]}"#,
        ]
    );
}

#[test]
fn missing_is_left_out_of_objects_and_null_in_arrays_while_null_stays() {
    let inner =
        StructArray::from(vec![(Arc::new(Field::new("m", DataType::Int32, true)), Arc::new(Int32Array::from(vec![None])) as ArrayRef)]);
    let batch = batch(vec![("id", Arc::new(NullArray::new(1))), ("s", Arc::new(inner))]);
    let expr = object(&[
        ("null", path("id")),
        ("member", path("s.m")),
        ("gone", path("s.gone")),
        ("nested", object(&[("gone", path("s.gone"))])),
        ("list", Expr::Array(vec![path("s.m"), path("s.gone")])),
        ("case", case(true, path("s.m"))),
        ("none", Expr::If { test: Test::Exists(Box::new(path("s.m"))), then: None, otherwise: None }),
        ("whole", path("s")),
    ]);
    assert_eq!(run(&expr, &batch), [r#"{"null":null,"nested":{},"list":[null,null],"whole":{}}"#]);
}

#[test]
fn the_root_is_the_record_with_its_reserved_names() {
    let batch = batch(vec![("id", Arc::new(UInt64Array::from(vec![u64::MAX]))), ("b", text(&[Some("x")]))]);
    let expr = object(&[
        ("op", path("__op")),
        ("sync", path("__sync_id")),
        ("id", path("__segment_id")),
        ("inside", path("__op.x")),
        ("all", path("")),
        ("text", template("{}")),
    ]);
    assert_eq!(
        run(&expr, &batch),
        [concat!(
            r#"{"op":"added","sync":"sync-1","id":18446744073709551615,"all":{"id":18446744073709551615,"b":"x"},"#,
            r#""text":"{\"id\":18446744073709551615,\"b\":\"x\"}"}"#
        )]
    );
}

#[test]
fn each_record_has_its_own_operation() {
    let batch = batch(vec![("id", Arc::new(Int64Array::from(vec![1, 2, 3])))]);
    let mapper = Mapper::compile(&path("__op"), None, &batch.schema(), &["id".into()], &Limits::default()).unwrap();
    let mapped = mapper.map(&batch, &Op::ALL, &SentBy::default(), &[2, 0]).unwrap();
    assert_eq!(payloads(&mapped), [r#""deleted""#, r#""added""#]);
    assert_eq!((mapped.rows, mapped.ids), (vec![2, 0], ["3", "1"].into_iter().collect()));
}

#[test]
fn several_identifier_columns_are_an_object_of_them_in_their_order() {
    let batch = batch(vec![("region", text(&[Some("EU"), None])), ("n", Arc::new(Int32Array::from(vec![5, 6])))]);
    let expr = object(&[("id", path("__segment_id")), ("n", path("__segment_id.n")), ("other", path("__segment_id.x"))]);
    let id = ["n".to_owned(), "region".to_owned()];
    let mapper = Mapper::compile(&expr, None, &batch.schema(), &id, &Limits::default()).unwrap();
    let mapped = mapper.map(&batch, &[Op::Added; 2], &SentBy::default(), &[0, 1]).unwrap();
    assert_eq!(payloads(&mapped), [r#"{"id":{"n":5,"region":"EU"},"n":5}"#, r#"{"id":{"n":6,"region":null},"n":6}"#]);
    assert_eq!(mapped.ids, [r#"{"n":5,"region":"EU"}"#, r#"{"n":6,"region":null}"#].into_iter().collect());
    assert_eq!(mapper.columns(), [0, 1]);
    let shaped = Mapper::compile(&items("__segment_id", path("n")), None, &batch.schema(), &id, &Limits::default()).unwrap();
    assert_eq!(payloads(&shaped.map(&batch, &[Op::Added; 2], &SentBy::default(), &[0, 1]).unwrap()), ["[5]", "[6]"]);
}

#[test]
fn scalars_of_every_type_have_their_exact_json_form() {
    assert_eq!(values(Arc::new(Int64Array::from(vec![i64::MIN, 9_007_199_254_740_993]))), ["-9223372036854775808", "9007199254740993"]);
    assert_eq!(values(Arc::new(Float64Array::from(vec![12.0, -0.0, f64::NAN, 1e21]))), ["12", "0", "null", "1e+21"]);
    assert_eq!(values(Arc::new(Float32Array::from(vec![0.1]))), ["0.1"]);
    assert_eq!(values(Arc::new(BooleanArray::from(vec![true, false]))), ["true", "false"]);
    let decimals = Decimal128Array::from(vec![123_456_789_012_345_678_901_234_567_890_i128, -5]).with_precision_and_scale(38, 2).unwrap();
    assert_eq!(values(Arc::new(decimals)), ["1234567890123456789012345678.90", "-0.05"]);
    assert_eq!(values(Arc::new(Date32Array::from(vec![19_875]))), ["\"2024-06-01\""]);
    let zoned = TimestampMillisecondArray::from(vec![1_717_237_230_456]).with_timezone("Europe/Oslo");
    assert_eq!(values(Arc::new(zoned)), ["\"2024-06-01T10:20:30.456Z\""]);
    assert_eq!(values(Arc::new(TimestampMicrosecondArray::from(vec![1_717_237_230_000_000]))), ["\"2024-06-01T10:20:30Z\""]);
    assert_eq!(values(Arc::new(Time32MillisecondArray::from(vec![37_230_456]))), ["\"10:20:30.456\""]);
    assert_eq!(values(Arc::new(DurationSecondArray::from(vec![61]))), ["\"PT1M1S\""]);
    assert_eq!(values(Arc::new(BinaryArray::from(vec![b"ab".as_slice()]))), ["\"YWI=\""]);
    assert_eq!(values(Arc::new(NullArray::new(1))), ["null"]);
}

#[test]
fn encodings_make_no_difference() {
    let plain = [Some("a"), None, Some("ü\n"), Some("ü\n"), Some("")];
    let keys = [Some("a"), None, Some("ü\n"), Some("ü\n"), Some("")];
    let runs = StringArray::from(vec![Some("a"), None, Some("ü\n"), Some("")]);
    let arrays: Vec<ArrayRef> = vec![
        text(&plain),
        Arc::new(LargeStringArray::from(plain.to_vec())),
        Arc::new(StringViewArray::from(plain.to_vec())),
        Arc::new(keys.into_iter().collect::<DictionaryArray<Int8Type>>()),
        Arc::new(RunArray::<Int32Type>::try_new(&Int32Array::from(vec![1, 2, 4, 5]), &runs).unwrap()),
    ];
    let expr = object(&[
        ("v", path("v")),
        ("up", case(true, path("v"))),
        ("t", template("<{v}>")),
        ("blank", when(Test::NotBlank(Box::new(path("v"))), "no", Some("yes"))),
        ("in", path("v.x")),
    ]);
    let expected = run(&expr, &batch(vec![("v", arrays[0].clone())]));
    assert_eq!(expected[0], r#"{"v":"a","up":"A","t":"<a>","blank":"no"}"#);
    assert_eq!(expected[1], r#"{"v":null,"up":null,"t":"<>","blank":"yes","in":null}"#);
    assert_eq!(expected[2], r#"{"v":"ü\n","up":"Ü\n","t":"<ü\n>","blank":"no"}"#);
    assert_eq!(expected[4], r#"{"v":"","up":"","t":"<>","blank":"yes","in":""}"#);
    for array in &arrays {
        assert_eq!(run(&expr, &batch(vec![("v", array.clone())])), expected, "{}", array.data_type());
        let sliced = array.slice(1, 4);
        assert_eq!(run(&expr, &batch(vec![("v", sliced)])), expected[1..], "slice of {}", array.data_type());
        // Inside a list too.
        let field = Arc::new(Field::new("item", array.data_type().clone(), true));
        let list = ListArray::new(field, OffsetBuffer::from_lengths([2, 3]), array.clone(), None);
        assert_eq!(values(Arc::new(list)), [r#"["a",null]"#, r#"["ü\n","ü\n",""]"#]);
    }
}

#[test]
fn a_step_into_a_falsy_scalar_gives_it_and_into_another_nothing() {
    let batch = batch(vec![
        ("id", Arc::new(Int64Array::from(vec![Some(0), Some(1), None]))),
        ("f", Arc::new(Float64Array::from(vec![Some(0.0), Some(0.5), None]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(false), Some(true), None]))),
        ("d", Arc::new(Date32Array::from(vec![Some(0), Some(1), None]))),
    ]);
    let expr = object(&[("i", path("id.x.y")), ("f", path("f.x")), ("b", path("b.0")), ("d", path("d.length"))]);
    assert_eq!(run(&expr, &batch), [r#"{"i":0,"f":0,"b":false}"#, "{}", r#"{"i":null,"f":null,"b":null,"d":null}"#]);
}

/// Three orders: two items, one of them null; none; null.
fn orders() -> ArrayRef {
    let tags = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let fields = Fields::from(vec![Field::new("sku", DataType::Utf8, true), Field::new("tags", tags.data_type().clone(), true)]);
    let nulls = NullBuffer::from(vec![true, false, true]);
    let item = StructArray::new(fields, vec![text(&[Some("A"), Some("hidden"), None]), Arc::new(tags)], Some(nulls));
    let field = Arc::new(Field::new("item", item.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths([3, 0, 0]);
    Arc::new(ListArray::new(field, offsets, Arc::new(item), Some(NullBuffer::from(vec![true, true, false]))))
}

#[test]
fn lists_are_walked_by_index_and_shaped_item_by_item() {
    let orders = batch(vec![("items", orders())]);
    let all = |expr: Expr| run(&object(&[("v", expr)]), &orders);
    assert_eq!(all(path("items")), [r#"{"v":[{"sku":"A","tags":[1,null]},null,{"tags":[]}]}"#, r#"{"v":[]}"#, r#"{"v":null}"#]);
    assert_eq!(all(path("items.0.sku")), [r#"{"v":"A"}"#, "{}", r#"{"v":null}"#]);
    assert_eq!(all(path("items.1.sku")), [r#"{"v":null}"#, "{}", r#"{"v":null}"#]);
    assert_eq!(all(path("items.2.sku")), ["{}", "{}", r#"{"v":null}"#]);
    assert_eq!(all(path("items.3")), ["{}", "{}", r#"{"v":null}"#]);
    assert_eq!(all(path("items.sku")), ["{}", "{}", r#"{"v":null}"#]);
    assert_eq!(all(path("items.length")), ["{}", "{}", r#"{"v":null}"#]);
    let shape = object(&[("s", path("sku")), ("first", path("tags.0")), ("t", items("tags", template("#{}")))]);
    assert_eq!(
        all(items("items", shape)),
        [r##"{"v":[{"s":"A","first":1,"t":["#1","#"]},{"s":null,"first":null,"t":null},{"t":[]}]}"##, r#"{"v":[]}"#, r#"{"v":null}"#]
    );
    assert_eq!(all(items("items", path("sku"))), [r#"{"v":["A",null,null]}"#, r#"{"v":[]}"#, r#"{"v":null}"#]);
    let whole = Expr::ArrayPath { root: segments("items"), shape: None };
    assert_eq!(all(whole), all(path("items")));
    assert_eq!(all(items("items", object(&[]))), all(path("items")));
}

#[test]
fn a_single_object_is_a_list_of_one_and_a_scalar_stays_itself() {
    let single = StructArray::new(
        Fields::from(vec![Field::new("sku", DataType::Utf8, true)]),
        vec![text(&[Some("S"), None])],
        Some(NullBuffer::from(vec![true, false])),
    );
    let batch = batch(vec![("id", text(&[Some("x"), None])), ("single", Arc::new(single))]);
    let expr = object(&[
        ("v", items("single", object(&[("s", path("sku"))]))),
        ("id", items("id", path("sku"))),
        ("record", items("", path("id"))),
        ("gone", items("single.gone", path("sku"))),
    ]);
    assert_eq!(run(&expr, &batch), [r#"{"v":[{"s":"S"}],"id":"x","record":["x"]}"#, r#"{"v":null,"id":null,"record":[null],"gone":null}"#]);
}

#[test]
fn lists_of_every_layout_are_arrays() {
    let values_of =
        |list: ArrayRef| run(&object(&[("v", path("v")), ("i", path("v.1")), ("s", items("v", path("")))]), &batch(vec![("v", list)]));
    let field = Arc::new(Field::new("item", DataType::Int32, true));
    let ints: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), Some(2), None, Some(4)]));
    let expected = [r#"{"v":[1,2],"i":2,"s":[1,2]}"#, r#"{"v":[null,4],"i":4,"s":[null,4]}"#];
    assert_eq!(values_of(Arc::new(LargeListArray::new(field.clone(), OffsetBuffer::from_lengths([2, 2]), ints.clone(), None))), expected);
    let fixed: ArrayRef = Arc::new(FixedSizeListArray::new(field.clone(), 2, ints.clone(), None));
    assert_eq!(values_of(fixed.clone()), expected);
    assert_eq!(values_of(fixed.slice(1, 1)), expected[1..]);
    let view = arrow::array::ListViewArray::new(field, vec![0, 2].into(), vec![2, 2].into(), ints, None);
    assert_eq!(values_of(Arc::new(view)), expected);
}

#[test]
fn maps_are_objects_that_keep_their_nulls() {
    let entries = StructArray::from(vec![
        (Arc::new(Field::new("keys", DataType::Utf8, false)), text(&[Some("a"), Some("b\""), Some("a")])),
        (Arc::new(Field::new("values", DataType::Int32, true)), Arc::new(Int32Array::from(vec![Some(1), None, Some(3)])) as ArrayRef),
    ]);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let map = MapArray::new(field, OffsetBuffer::from_lengths([2, 1]), entries, None, false);
    let batch = batch(vec![("v", Arc::new(map))]);
    let expr =
        object(&[("v", path("v")), ("a", path("v.a")), ("b", path("v.b\"")), ("in", path("v.b\".x")), ("one", items("v", path("a")))]);
    assert_eq!(run(&expr, &batch), [r#"{"v":{"a":1,"b\"":null},"a":1,"b":null,"in":null,"one":[1]}"#, r#"{"v":{"a":3},"a":3,"one":[3]}"#]);

    let entries = StructArray::from(vec![
        (Arc::new(Field::new("keys", DataType::Int32, false)), Arc::new(Int32Array::from(vec![7, 8])) as ArrayRef),
        (Arc::new(Field::new("values", DataType::Int32, true)), Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
    ]);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let map: ArrayRef = Arc::new(MapArray::new(field, OffsetBuffer::from_lengths([2]), entries, None, false));
    let batch = super::tests::batch(vec![("v", map)]);
    assert_eq!(run(&object(&[("v", path("v")), ("k", path("v.8"))]), &batch), [r#"{"v":{"7":1,"8":2},"k":2}"#]);
}

#[test]
fn json_text_is_json() {
    let batch = batch(vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        (
            "json:j",
            text(&[
                Some(
                    r#"{ "plan" : "Pro", "n": 12345678901234567890.10, "none": null, "items": [{"sku": "a", "t": [{"x":1}, 2]}, null, {}] }"#,
                ),
                Some("null"),
                None,
                Some(r#""text""#),
            ]),
        ),
        ("plain", text(&[Some("{\"a\":1}"), None, None, None])),
    ]);
    let expr = object(&[
        ("plan", case(true, path("j.plan"))),
        ("n", path("j.n")),
        ("none", path("j.none")),
        ("gone", path("j.gone")),
        ("sku", path("j.items.0.sku")),
        ("t", template("{j.plan}/{j.n}/{j.none}/{j.gone}/{j.items.2}/{j.items.0.t}")),
        ("items", items("j.items", object(&[("s", path("sku")), ("x", items("t", object(&[("y", path("x")), ("all", path(""))])))]))),
        ("one", items("j", object(&[("p", path("plan"))]))),
        ("plain", path("plain.a")),
        ("has", when(Test::Exists(Box::new(path("j.none"))), "yes", Some("no"))),
    ]);
    let mapped = run(&expr, &batch);
    assert_eq!(
        mapped[0],
        concat!(
            r#"{"plan":"PRO","n":12345678901234567890.10,"none":null,"sku":"a","t":"Pro/12345678901234567890.10///{}/[{\"x\":1},2]","#,
            r#""items":[{"s":"a","x":[{"y":1,"all":{"x":1}},{"all":2}]},{"s":null,"x":null},{}],"one":[{"p":"Pro"}],"has":"no"}"#
        )
    );
    let through_null = concat!(
        r#"{"plan":null,"n":null,"none":null,"gone":null,"sku":null,"t":"/////","#,
        r#""items":null,"one":null,"plain":null,"has":"no"}"#
    );
    assert_eq!(mapped[1..3], [through_null, through_null]);
    assert_eq!(mapped[3], r#"{"t":"/////","one":"text","plain":null,"has":"no"}"#);
    let whole = run(&path("j"), &batch);
    assert_eq!(whole[0], r#"{"plan":"Pro","n":12345678901234567890.10,"none":null,"items":[{"sku":"a","t":[{"x":1},2]},null,{}]}"#);
    assert_eq!(whole[1..], ["null", "null", "\"text\""]);
}

#[test]
fn json_text_inside_structs_and_lists_is_json_too() {
    let texts = text(&[Some("{ \"a\": 1 }"), Some("[2]"), None]);
    let inner = StructArray::new(Fields::from(vec![json_field("j", DataType::Utf8)]), vec![texts.clone()], None);
    let list = ListArray::new(Arc::new(json_field("item", DataType::Utf8)), OffsetBuffer::from_lengths([1, 1, 1]), texts, None);
    let batch = batch(vec![("s", Arc::new(inner)), ("l", Arc::new(list))]);
    let expr = object(&[
        ("s", path("s")),
        ("a", path("s.j.a")),
        ("l", path("l")),
        ("l0", path("l.0.0")),
        ("each", items("l", object(&[("a", path("a")), ("all", path(""))]))),
    ]);
    assert_eq!(
        run(&expr, &batch),
        [
            r#"{"s":{"j":{"a":1}},"a":1,"l":[{"a":1}],"each":[{"a":1,"all":{"a":1}}]}"#,
            r#"{"s":{"j":[2]},"l":[[2]],"l0":2,"each":[{"all":[2]}]}"#,
            r#"{"s":{},"l":[null],"l0":null,"each":[{"a":null,"all":null}]}"#,
        ]
    );
}

#[test]
fn only_text_changes_its_case() {
    let batch = batch(vec![
        ("id", Arc::new(TimestampMillisecondArray::from(vec![0]))),
        ("s", text(&[Some("straße İ\t\"q\"")])),
        ("greek", text(&[Some("ΟΔΟΣ")])),
        ("bin", Arc::new(BinaryArray::from(vec![b"abc".as_slice()]))),
    ]);
    let expr = object(&[
        ("time", case(false, path("id"))),
        ("up", case(true, path("s"))),
        ("down", case(false, path("s"))),
        ("greek", case(false, path("greek"))),
        ("bin", case(true, path("bin"))),
        ("object", case(true, object(&[("k", path("s"))]))),
        ("branch", case(true, when(Test::Exists(Box::new(path("s"))), "yes", None))),
        ("template", case(true, template("<{s}>"))),
        ("literal", case(true, Expr::Literal(json!("é\n")))),
        ("number", case(true, Expr::Literal(json!(1)))),
        ("op", case(true, path("__op"))),
        ("twice", case(true, case(false, path("greek")))),
    ]);
    let mapped: Value = serde_json::from_str(&run(&expr, &batch)[0]).unwrap();
    assert_eq!(
        mapped,
        json!({
            "time": "1970-01-01T00:00:00Z", "up": "STRASSE İ\t\"Q\"", "down": "straße i̇\t\"q\"", "greek": "οδος", "bin": "YWJj",
            "object": {"k": "straße İ\t\"q\""}, "branch": "YES", "template": "<STRASSE İ\t\"Q\">", "literal": "É\n", "number": 1, "op": "ADDED",
            "twice": "ΟΔΟΣ"
        })
    );
}

#[test]
fn existing_and_blank_are_told_apart() {
    let empty = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![]), Some(vec![Some(0)])]);
    let batch = batch(vec![
        ("id", Arc::new(Int64Array::from(vec![0, 1]))),
        ("s", text(&[Some(""), Some(" ")])),
        ("n", Arc::new(Float64Array::from(vec![f64::NAN, 1.0]))),
        ("b", Arc::new(BooleanArray::from(vec![false, true]))),
        ("l", Arc::new(empty)),
        ("none", Arc::new(NullArray::new(2))),
    ]);
    let columns = ["id", "s", "n", "b", "l", "none", "id.gone"];
    let ask = |test: fn(Box<Expr>) -> Test| {
        let members = columns.map(|name| (name, when(test(Box::new(path(name))), "T", Some("F"))));
        let answers = run(&object(&members), &batch).into_iter();
        answers
            .map(|answer| {
                serde_json::from_str::<Value>(&answer).unwrap().as_object().unwrap().values().map(|v| v.as_str().unwrap()).collect()
            })
            .collect::<Vec<String>>()
    };
    // `id.gone` steps into 0, which gives 0, and into 1, which gives nothing.
    assert_eq!(ask(Test::Exists), ["TTFTTFT", "TTTTTFF"]);
    assert_eq!(ask(Test::NotBlank), ["FFFFFFF", "TTTTTFF"]);
}

#[test]
fn a_record_over_a_limit_fails_alone() {
    let long = "x".repeat(40);
    let batch =
        batch(vec![("id", text(&[Some("a"), Some(&long), Some("c")])), ("bio", text(&[Some("short"), Some("short"), Some(&long)]))]);
    let limits = Limits { record_bytes: 62, value_bytes: 42, ..Limits::default() };
    let expr = object(&[("id", path("id")), ("bio", path("bio"))]);
    let mapped = run_limited(&expr, &batch, &limits);
    assert_eq!(mapped.rows, [0, 2]);
    assert_eq!((mapped.failed[0].row, mapped.failed[0].rejection.code.as_str()), (1, "record_too_large"));
    assert_eq!(mapped.failed[0].rejection.message, "the payload has 63 bytes, more than limits.record_bytes (62)");
    assert_eq!(payloads(&mapped)[1], format!(r#"{{"id":"c","bio":"{long}"}}"#));
    let narrow = Limits { value_bytes: 41, ..Limits::default() };
    for expr in [expr, template("{id}{bio}")] {
        let mapped = run_limited(&expr, &batch, &narrow);
        assert_eq!((mapped.rows.as_slice(), mapped.failed.len()), (&[0][..], 2));
        assert_eq!(mapped.failed[1].id, "\"c\"");
        assert_eq!(mapped.failed[1].rejection.code, "value_too_large");
        let told = &mapped.failed[1].rejection.message;
        assert_eq!(told, "column \"bio\" has a value of 42 bytes as JSON, more than limits.value_bytes (41)");
    }
    // Exactly at the limits all is well.
    let exact = Limits { record_bytes: 63, value_bytes: 42, ..Limits::default() };
    assert_eq!(run_limited(&object(&[("id", path("id")), ("bio", path("bio"))]), &batch, &exact).failed, []);
}

#[test]
fn text_that_is_no_json_fails_its_record_by_the_columns_name() {
    let deep = format!("{}1{}", "[".repeat(RECORD_DEPTH_MAX + 1), "]".repeat(RECORD_DEPTH_MAX + 1));
    let batch = batch(vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]))),
        ("json:attributes", text(&[Some("{oops"), Some("{\"a\":1}"), Some(""), Some(&deep), None])),
    ]);
    let whole = object(&[("a", path("attributes"))]);
    let walked = object(&[("a", path("attributes.a"))]);
    let asked = object(&[("a", when(Test::Exists(Box::new(path("attributes.a"))), "y", None))]);
    for expr in [whole, walked, asked] {
        let mapped = run_limited(&expr, &batch, &Limits::default());
        assert_eq!(mapped.rows, [1, 4]);
        let told: Vec<_> = mapped.failed.iter().map(|f| (f.row, f.rejection.code.as_str())).collect();
        assert_eq!(told, [(0, "invalid_json"), (2, "invalid_json"), (3, "too_deep")]);
        assert!(mapped.failed[0].rejection.message.starts_with("column \"attributes\" does not hold valid JSON (at byte 1)"));
    }
}

#[test]
fn a_mapping_that_gives_nothing_fails_its_record() {
    let batch = batch(vec![("id", Arc::new(Int64Array::from(vec![1, 0])))]);
    let mapped = run_limited(&path("id.x"), &batch, &Limits::default());
    assert_eq!(payloads(&mapped), ["0"]);
    assert_eq!((mapped.failed[0].row, mapped.failed[0].rejection.code.as_str()), (0, "empty_payload"));
}

#[test]
fn a_payload_never_holds_a_line_break() {
    let batch = batch(vec![("id", text(&[Some("a\r\nb")])), ("json:j", text(&[Some("{\n\"a\"\r\n:\t1}")]))]);
    let expr = object(&[("x\ny", path("id")), ("j", path("j")), ("t", template("\n{id}{j}"))]);
    assert_eq!(run(&expr, &batch), [r#"{"x\ny":"a\r\nb","j":{"a":1},"t":"\na\r\nb{\"a\":1}"}"#]);
}

#[test]
fn a_column_that_is_not_there_is_told_with_those_that_are() {
    let schema: SchemaRef =
        Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("email", DataType::Utf8, true)]));
    let compile = |expr: &Expr, id: &str| Mapper::compile(expr, None, &schema, &[id.to_owned()], &Limits::default());
    let error = compile(&path("emial"), "id").unwrap_err();
    assert_eq!(error.to_string(), "the mapping reads the column \"emial\", which the query does not return");
    assert_eq!(error.remedy_text(), Some("return it in the query, or use one of its columns: \"id\", \"email\""));
    assert!(compile(&path("email"), "key").is_err());
    assert!(compile(&template("{x}"), "id").is_err());
    assert!(compile(&items("x", path("y")), "id").is_err());
    assert_eq!(compile(&path("email"), "id").unwrap().columns(), [0, 1]);
    assert_eq!(compile(&Expr::Literal(json!(1)), "email").unwrap().columns(), [1]);
}

#[test]
fn a_batch_that_does_not_fit_is_an_error_and_no_panic() {
    let batch = batch(vec![("id", Arc::new(Int64Array::from(vec![1, 2])))]);
    let mapper = Mapper::compile(&path("id"), None, &batch.schema(), &["id".into()], &Limits::default()).unwrap();
    assert!(mapper.map(&batch, &[Op::Added], &SentBy::default(), &[0]).is_err());
    assert!(mapper.map(&batch, &[Op::Added; 2], &SentBy::default(), &[2]).is_err());
    let other = super::tests::batch(vec![("id", text(&[Some("1"), None]))]);
    assert!(mapper.map(&other, &[Op::Added; 2], &SentBy::default(), &[0]).is_err());
}

#[test]
fn a_mapper_is_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Mapper>();
}
