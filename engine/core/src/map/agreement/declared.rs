//! Declared fields: what is decided for a batch at once gives the same as what is decided for a record.

use outflow_contract::destination::{Field, FieldKind};
use outflow_contract::expr::{Expr, TemplatePart};
use proptest::prelude::*;

use super::{Limits, Mapper, Op, Path, SentBy, arrow, by_record, record};

const COLUMNS: &[&str] =
    &["id", "number", "flag", "name", "city", "price", "plan", "seen", "profile", "items", "attributes", "profile.sku"];

fn field() -> impl Strategy<Value = Field> {
    use FieldKind::{Boolean, Datetime, Integer, Number, Object, String, StringOrObject};
    let kind = prop::sample::select(vec![String, Number, Integer, Boolean, Datetime, Object, StringOrObject]);
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    (kind, flags).prop_map(|(kind, (required, multiple, allow_null))| Field { required, multiple, allow_null, ..Field::new("", kind, "") })
}

/// A value of a payload: a column, a column in other letters, or a template over it.
fn value() -> impl Strategy<Value = Expr> {
    (prop::sample::select(COLUMNS), 0..4).prop_map(|(column, form)| {
        let path = Path::parse(column);
        match form {
            0 => Expr::Case { upper: true, value: Box::new(Expr::Path(path)) },
            1 => Expr::Template(vec![TemplatePart::Text("a \"".to_owned()), TemplatePart::Value(path)]),
            _ => Expr::Path(path),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_field_is_turned_to_its_kind_whatever_the_neighbours_hold(
        drawn in prop::collection::vec((field(), value()), 1..6),
        records in prop::collection::vec(record(), 2..6),
    ) {
        let named = |i: usize| format!("f{i}");
        let fields: Vec<Field> = drawn.iter().enumerate().map(|(i, (field, _))| Field { name: named(i), ..field.clone() }).collect();
        let expr = Expr::Object(drawn.into_iter().enumerate().map(|(i, (_, value))| (named(i), value)).collect());
        let batch = arrow(&records);
        let mapper = Mapper::compile(&expr, Some(&fields), &batch.schema(), &["id".to_owned()], &Limits::default()).unwrap();
        let ops = vec![Op::Added; records.len()];
        let rows: Vec<u32> = (0..records.len() as u32).collect();
        let whole = mapper.map(&batch, &ops, &SentBy::default(), &rows).unwrap();
        let payloads = by_record(&whole, records.len());
        for (i, payload) in payloads.iter().enumerate() {
            // A null beside it, and nothing but itself.
            let alone = mapper.map(&batch.slice(i, 1), &ops[..1], &SentBy::default(), &[0]).unwrap();
            prop_assert_eq!(payload, &by_record(&alone, 1)[0]);
            let why = whole.failed.iter().find(|failed| failed.row == i as u32).map(|failed| &failed.rejection);
            prop_assert_eq!(why, alone.failed.first().map(|failed| &failed.rejection));
        }
    }
}
