//! The identifiers of records, as JSON text.

use arrow::array::RecordBatch;
use outflow_contract::expr::{Expr, Path, SEGMENT_ID};
use outflow_contract::limits::Limits;
use outflow_contract::{Op, Result};
use serde_json::Value;

use super::{Mapper, SentBy};

/// The identifier of each record of `values`; `id` are its columns.
pub(crate) fn identifiers(values: &RecordBatch, id: &[String]) -> Result<Vec<String>> {
    let expr = Expr::Path(Path { segments: vec![SEGMENT_ID.to_owned()] });
    let mapper = Mapper::compile(&expr, None, values.schema_ref(), id, &Limits::default())?;
    let rows: Vec<u32> = (0..values.num_rows() as u32).collect();
    let mapped = mapper.map(values, &vec![Op::Added; rows.len()], &SentBy::default(), &rows)?;
    let mut ids = vec![String::new(); rows.len()];
    for (row, id) in mapped.rows.iter().zip(mapped.ids.iter()) {
        id.clone_into(&mut ids[*row as usize]);
    }
    Ok(ids)
}

/// Is `id`, which is JSON text, what somebody means by `wanted`: the same JSON, or the text itself?
pub(crate) fn is_same_id(id: &str, wanted: &str) -> bool {
    if id == wanted {
        return true;
    }
    match serde_json::from_str::<Value>(id) {
        Ok(Value::String(text)) => text == wanted,
        Ok(value @ Value::Object(_)) => serde_json::from_str::<Value>(wanted).is_ok_and(|wanted| wanted == value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_meant_by_its_text_or_its_json() {
        for (id, wanted) in [("17", "17"), ("\"a b\"", "a b"), ("\"17\"", "17"), ("{\"a\":1,\"b\":\"x\"}", "{\"b\": \"x\", \"a\": 1}")] {
            assert!(is_same_id(id, wanted), "{id} {wanted}");
        }
        for (id, wanted) in [("17", "7"), ("\"a\"", "A"), ("{\"a\":1}", "1"), ("null", "")] {
            assert!(!is_same_id(id, wanted), "{id} {wanted}");
        }
    }
}
