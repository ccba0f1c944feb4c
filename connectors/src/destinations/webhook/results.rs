//! The results rule: how a 2xx answer tells what became of each record.
//!
//! Nothing is acknowledged that the answer does not prove. An answer that cannot be read, or names a record that was not
//! in the request, or one record twice, proves nothing about any of them.

use std::collections::{BTreeMap, HashMap};

use outflow_contract::outcome::{Outcome, Records, Rejection};
use outflow_contract::{Error, Result};
use serde_json::Value;

use super::config::Members;
use super::path::JsonPath;
use crate::http_answer::{shortened, unknown};

/// The code of a refused record whose item has none.
const CODE: &str = "refused";
/// Longer codes do not group.
const CODE_CHARS_MAX: usize = 64;

/// The rule, checked.
#[derive(Debug)]
pub(super) struct Results {
    items: JsonPath,
    listed: Listed,
    names: Names,
    ok: Option<Proof>,
    code: Option<JsonPath>,
    message: Option<JsonPath>,
}

/// Which records an answer lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listed {
    /// Every one: one that is missing is unknown.
    All,
    /// Those that failed; the others are acknowledged by the 2xx. With `optional`, also where there is no list at all.
    Failed { optional: bool },
}

/// How an item names its record.
#[derive(Debug)]
enum Names {
    /// By its own place in the list.
    Place,
    /// By the record's place in the request, from 0.
    Index(JsonPath),
    /// By the record's identifier.
    Id(JsonPath),
}

/// What proves that a record was taken.
#[derive(Debug)]
struct Proof {
    field: JsonPath,
    values: Vec<String>,
}

impl Results {
    /// Reads the setting `results`.
    pub(super) fn new(value: &Value) -> Result<Self> {
        let known = ["items", "listed", "optional", "match", "index", "id", "ok", "code", "message"];
        let members = Members::new("results", value, &known)?;
        let path = |name: &str| members.text(name)?.map(|text| JsonPath::new(&format!("results.{name}"), text)).transpose();
        let optional = match members.get("optional") {
            None => false,
            Some(value) => value.as_bool().ok_or_else(|| Error::invalid("`results.optional` is neither true nor false"))?,
        };
        let listed = if members.choice("listed", &["all", "failed"])? == 1 { Listed::Failed { optional } } else { Listed::All };
        if optional && listed == Listed::All {
            return Err(
                Error::invalid("`results.optional` goes with `listed: failed` only").remedy("an answer that lists all records has a list")
            );
        }
        let ok = members.get("ok").map(Proof::new).transpose()?;
        if ok.is_none() && listed == Listed::All {
            return Err(
                Error::invalid("`results.ok` is missing").remedy("say what proves success, such as {field: $.status, values: [ok]}")
            );
        }
        let names = names(&members, path("index")?, path("id")?, listed)?;
        let items = path("items")?
            .ok_or_else(|| Error::invalid("`results.items` is missing").remedy("say where the list of results is, such as $.results"))?;
        Ok(Self { items, listed, names, ok, code: path("code")?, message: path("message")? })
    }

    /// One outcome for each record of a request that was answered with 2xx.
    pub(super) fn decode(&self, records: &Records, body: &[u8]) -> Vec<Outcome> {
        self.try_decode(records, body).unwrap_or_else(|reason| vec![unknown(&reason); records.len()])
    }

    /// The outcomes, or why the answer proves nothing.
    fn try_decode(&self, records: &Records, body: &[u8]) -> Result<Vec<Outcome>, String> {
        let answer: Value = serde_json::from_slice(body).map_err(|_| "the answer is not JSON".to_owned())?;
        let mut outcomes: Vec<Option<Outcome>> = vec![None; records.len()];
        let by_id = if matches!(self.names, Names::Id(_)) { by_id(records)? } else { HashMap::new() };
        for (place, item) in self.list(&answer)?.iter().enumerate() {
            let index = self.record(item, place, &by_id).filter(|&index| index < records.len());
            let index = index.ok_or_else(|| format!("item {place} of the answer names no record of the request"))?;
            if outcomes[index].replace(self.outcome(item)).is_some() {
                return Err(format!("item {place} of the answer names a record for the second time"));
            }
        }
        let rest = match self.listed {
            Listed::All => unknown("the answer does not list the record"),
            Listed::Failed { .. } => Outcome::Acked,
        };
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| rest.clone())).collect())
    }

    fn list<'a>(&self, answer: &'a Value) -> Result<&'a [Value], String> {
        match (self.items.find(answer), self.listed) {
            (Some(Value::Array(items)), _) => Ok(items),
            (Some(Value::Null), Listed::Failed { .. }) => Ok(&[]),
            // `{}` may leave the list out; a text or a number is another kind of answer altogether.
            (None, Listed::Failed { optional: true }) if answer.is_object() => Ok(&[]),
            _ => Err(format!("the answer has no list at {}", self.items.as_str())),
        }
    }

    fn record(&self, item: &Value, place: usize, by_id: &HashMap<String, usize>) -> Option<usize> {
        match &self.names {
            Names::Place => Some(place),
            Names::Index(path) => match path.find(item)? {
                Value::String(text) => text.parse().ok(),
                value => value.as_u64().and_then(|index| usize::try_from(index).ok()),
            },
            Names::Id(path) => by_id.get(&comparable(path.find(item)?)).copied(),
        }
    }

    fn outcome(&self, item: &Value) -> Outcome {
        if self.ok.as_ref().is_some_and(|ok| ok.holds(item)) {
            return Outcome::Acked;
        }
        let find =
            |path: &Option<JsonPath>| path.as_ref().and_then(|path| path.find(item)).filter(|value| !value.is_null()).map(comparable);
        let code =
            find(&self.code).map(|code| shortened(&code).chars().take(CODE_CHARS_MAX).collect()).filter(|code: &String| !code.is_empty());
        let message = find(&self.message).unwrap_or_else(|| item.to_string());
        Outcome::Rejected(Rejection { code: code.unwrap_or_else(|| CODE.to_owned()), message: shortened(&message) })
    }
}

fn names(members: &Members<'_>, index: Option<JsonPath>, id: Option<JsonPath>, listed: Listed) -> Result<Names> {
    let by_id = match members.get("match") {
        Some(_) => members.choice("match", &["index", "id"])? == 1,
        None => id.is_some(),
    };
    match (by_id, index, id) {
        (true, None, Some(id)) => Ok(Names::Id(id)),
        (true, _, None) => {
            Err(Error::invalid("`results.id` is missing").remedy("say where an item has the record's identifier, such as $.id"))
        }
        (false, Some(index), None) => Ok(Names::Index(index)),
        (false, None, None) if listed == Listed::All => Ok(Names::Place),
        (false, None, None) => {
            Err(Error::invalid("`results.index` is missing").remedy("a list of failed records alone has to name them: set `index` or `id`"))
        }
        _ => Err(Error::invalid("`results` has both `index` and `id`").remedy("items name their record by one of them")),
    }
}

impl Proof {
    /// Reads the setting `results.ok`.
    fn new(value: &Value) -> Result<Self> {
        if let Some(path) = value.as_str() {
            return Ok(Self { field: JsonPath::new("results.ok", path)?, values: vec!["true".to_owned()] });
        }
        let members = Members::new("results.ok", value, &["field", "values"])?;
        let field = JsonPath::new("results.ok.field", members.required("field")?)?;
        let values = match members.get("values") {
            Some(Value::Array(values)) if !values.is_empty() && values.iter().all(|v| !v.is_object() && !v.is_array()) => {
                values.iter().map(comparable).collect()
            }
            _ => {
                return Err(Error::invalid("`results.ok.values` is not a list of values")
                    .remedy("list the values that mean success, such as [ok, created]"));
            }
        };
        Ok(Self { field, values })
    }

    fn holds(&self, item: &Value) -> bool {
        self.field.find(item).is_some_and(|value| self.values.contains(&comparable(value)))
    }
}

/// The records of a request by identifier. Two that read the same cannot be told apart by the answer.
fn by_id(records: &Records) -> Result<HashMap<String, usize>, String> {
    let mut places = HashMap::with_capacity(records.len());
    for (i, id) in records.ids.iter().enumerate().take(records.len()) {
        let id = serde_json::from_str::<Value>(id).map_or_else(|_| id.to_owned(), |value| comparable(&value));
        if places.insert(id, i).is_some() {
            return Err("two records of the request have identifiers that read the same".to_owned());
        }
    }
    Ok(places)
}

/// A value as text, for comparing: receivers answer `"7"` for 7. Members of an object in the order of their names.
fn comparable(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            serde_json::to_string(&sorted).unwrap_or_default()
        }
        other => other.to_string(),
    }
}
