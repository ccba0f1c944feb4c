//! Fields that only some records need: `event`, where `type` is `track`.

use serde::Serialize;
use serde_json::Value;

/// When a field must be there.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequiredIf {
    /// If all of this holds.
    All(Vec<Condition>),
    /// If any of this does.
    Any(Vec<Condition>),
}

/// What is asked of another field: of the same action, or of the same object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    /// The other field: not a constant one, which is no part of a record.
    pub field: String,
    /// What it must be.
    #[serde(flatten)]
    pub asked: Asked,
}

/// What another field must be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// This value; null: it must not be there.
    Is(Value),
    /// Anything else, not being there included; null: it must be there.
    IsNot(Value),
}

/// What is known of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// Its value.
    Value(Value),
    /// That it is not there.
    Missing,
    /// Nothing yet: it differs from record to record.
    Nothing,
}

impl Condition {
    /// The field is this value.
    pub fn is(field: &str, value: impl Into<Value>) -> Self {
        Self { field: field.to_owned(), asked: Asked::Is(value.into()) }
    }

    /// The field is not this value, or not there.
    pub fn is_not(field: &str, value: impl Into<Value>) -> Self {
        Self { field: field.to_owned(), asked: Asked::IsNot(value.into()) }
    }

    /// The field is not there.
    pub fn missing(field: &str) -> Self {
        Self::is(field, Value::Null)
    }

    /// The field is there.
    pub fn there(field: &str) -> Self {
        Self::is_not(field, Value::Null)
    }

    /// Does it hold? `None` if that is not known.
    fn holds(&self, known: &dyn Fn(&str) -> Known) -> Option<bool> {
        let (Asked::Is(asked) | Asked::IsNot(asked)) = &self.asked;
        let is = match known(&self.field) {
            Known::Nothing => return None,
            Known::Missing | Known::Value(Value::Null) => asked.is_null(),
            Known::Value(value) => value == *asked,
        };
        Some(is == matches!(self.asked, Asked::Is(_)))
    }

    fn words(&self) -> String {
        let field = &self.field;
        match &self.asked {
            Asked::Is(Value::Null) => format!("there is no `{field}`"),
            Asked::IsNot(Value::Null) => format!("there is a `{field}`"),
            Asked::Is(value) => format!("`{field}` is {value}"),
            Asked::IsNot(value) => format!("`{field}` is not {value}"),
        }
    }
}

impl RequiredIf {
    /// Its conditions.
    pub fn conditions(&self) -> &[Condition] {
        let (Self::All(conditions) | Self::Any(conditions)) = self;
        conditions
    }

    /// Must the field be there, by what is known of the others? `None` if that is not known.
    pub fn holds(&self, known: &dyn Fn(&str) -> Known) -> Option<bool> {
        // What settles it: one that does not hold where all must, one that does where any will do.
        let settling = matches!(self, Self::Any(_));
        let held: Vec<Option<bool>> = self.conditions().iter().map(|condition| condition.holds(known)).collect();
        if held.contains(&Some(settling)) {
            return Some(settling);
        }
        (!held.contains(&None)).then_some(!settling)
    }

    /// In words, to go on from "is required where".
    pub fn words(&self) -> String {
        let between = if matches!(self, Self::All(_)) { " and " } else { " or " };
        self.conditions().iter().map(Condition::words).collect::<Vec<_>>().join(between)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn known(name: &str) -> Known {
        match name {
            "type" => Known::Value(json!("track")),
            "null" => Known::Value(Value::Null),
            "later" => Known::Nothing,
            _ => Known::Missing,
        }
    }

    #[test]
    fn a_condition_asks_for_a_value_or_whether_there_is_one() {
        let holds = |condition: Condition| condition.holds(&known);
        assert_eq!(holds(Condition::is("type", "track")), Some(true));
        assert_eq!(holds(Condition::is("type", "page")), Some(false));
        assert_eq!(holds(Condition::is("gone", "page")), Some(false));
        assert_eq!(holds(Condition::is_not("type", "track")), Some(false));
        assert_eq!(holds(Condition::is_not("type", "page")), Some(true));
        assert_eq!(holds(Condition::is_not("gone", true)), Some(true), "what is not there is not true");
        for (field, there) in [("type", Some(true)), ("gone", Some(false)), ("null", Some(false)), ("later", None)] {
            assert_eq!(holds(Condition::there(field)), there, "{field}");
            assert_eq!(holds(Condition::missing(field)), there.map(|there| !there), "{field}");
        }
    }

    #[test]
    fn all_or_any_of_them_decide_as_soon_as_enough_is_known() {
        let (yes, no, later) = (Condition::there("type"), Condition::there("gone"), Condition::there("later"));
        let all = |conditions: &[&Condition]| RequiredIf::All(conditions.iter().map(|&one| one.clone()).collect()).holds(&known);
        let any = |conditions: &[&Condition]| RequiredIf::Any(conditions.iter().map(|&one| one.clone()).collect()).holds(&known);
        assert_eq!(
            [all(&[&yes, &yes]), all(&[&yes, &no]), all(&[&later, &no]), all(&[&later, &yes])],
            [Some(true), Some(false), Some(false), None]
        );
        assert_eq!(
            [any(&[&no, &no]), any(&[&no, &yes]), any(&[&later, &yes]), any(&[&later, &no])],
            [Some(false), Some(true), Some(true), None]
        );
    }

    #[test]
    fn it_is_said_in_words_and_written_as_data() {
        let required =
            RequiredIf::All(vec![Condition::is("type", "track"), Condition::missing("id"), Condition::is_not("broadcast", true)]);
        assert_eq!(required.words(), "`type` is \"track\" and there is no `id` and `broadcast` is not true");
        assert_eq!(RequiredIf::Any(vec![Condition::there("a"), Condition::there("b")]).words(), "there is a `a` or there is a `b`");
        let written = json!({ "all": [
            { "field": "type", "is": "track" }, { "field": "id", "is": null }, { "field": "broadcast", "is_not": true },
        ] });
        assert_eq!(serde_json::to_value(&required).unwrap(), written);
    }
}
