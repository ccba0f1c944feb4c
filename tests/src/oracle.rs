//! What a destination holds after the requests that it took: the other side of `apply(S, diff(S, M)) == M`.

use std::collections::BTreeMap;

use serde_json::Value;

/// The records of a destination, by identifier.
#[derive(Clone, Debug)]
pub struct Oracle {
    id: String,
    op: String,
    records: BTreeMap<String, Value>,
    upserts: u64,
    deletes: u64,
}

impl Oracle {
    /// An empty destination. Payloads carry their identifier in the member `id`; those with the text `deleted` in the
    /// member `op` are deletes, all others upserts.
    pub fn new(id: &str, op: &str) -> Self {
        Self { id: id.to_owned(), op: op.to_owned(), records: BTreeMap::new(), upserts: 0, deletes: 0 }
    }

    /// The identifier of a payload: text as it is, anything else as JSON. `None` if it has none.
    pub fn id_of(&self, payload: &Value) -> Option<String> {
        match payload.get(&self.id)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// Takes a payload in. One without an identifier is refused, and changes nothing.
    pub fn apply(&mut self, payload: Value) -> Result<(), String> {
        let id = self.id_of(&payload).ok_or_else(|| format!("no `{}` in {payload}", self.id))?;
        if payload.get(&self.op).and_then(Value::as_str) == Some("deleted") {
            self.records.remove(&id);
            self.deletes += 1;
        } else {
            self.records.insert(id, payload);
            self.upserts += 1;
        }
        Ok(())
    }

    /// What the destination holds.
    pub fn records(&self) -> &BTreeMap<String, Value> {
        &self.records
    }

    /// Upserts taken in, repeated ones included.
    pub fn upserts(&self) -> u64 {
        self.upserts
    }

    /// Deletes taken in, repeated ones included.
    pub fn deletes(&self) -> u64 {
        self.deletes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_holds_what_was_upserted_and_not_deleted() {
        let mut oracle = Oracle::new("key", "op");
        for payload in [json!({"key": 1, "a": 1}), json!({"key": "b"}), json!({"key": 1, "a": 2}), json!({"key": "b", "op": "deleted"})] {
            oracle.apply(payload).unwrap();
        }
        assert_eq!(oracle.records().iter().collect::<Vec<_>>(), [(&"1".to_owned(), &json!({"key": 1, "a": 2}))]);
        assert_eq!((oracle.upserts(), oracle.deletes()), (3, 1));
        assert!(oracle.apply(json!({"key": null})).is_err() && oracle.apply(json!([1])).is_err());
    }
}
