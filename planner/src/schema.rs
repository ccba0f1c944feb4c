//! `outflow schema`: the JSON Schema (2020-12) of `outflow.yml`, so that editors complete it.
//!
//! It is written from the tables that the loader checks a project with (`keys.rs`) and from the descriptors of the
//! destinations, so it cannot say anything else than they do. References between names are beyond JSON Schema:
//! `outflow check` sees those.

use outflow_contract::destination::{Descriptor, Field, FieldKind};
use serde_json::{Map, Value, json};

use crate::keys::{self, DAYS, Entry, Key, Kind};
use crate::mapping::DIRECTIVES;
use crate::validate::SOURCE_TYPES;

const NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$";
/// Keys that the loader knows, to say that this version does not have them.
const LATER: [&str; 2] = ["dbt", "mode"];
/// Text that is filled in later, of which nothing can be said now.
const REFERENCE_PATTERN: &str = r"\$\{(env|file):";

/// The schema of a project whose destinations may be of these types.
pub fn schema(descriptors: &[Descriptor]) -> Value {
    let mut schema = Writer { descriptors, partial: false }.object(keys::PROJECT);
    let target = Writer { descriptors, partial: true }.object(keys::PROJECT);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Outflow project");
    schema["description"] = json!("A project of Outflow: which records go where, as what, and when.");
    schema["$defs"] = json!({ "target": target, "value": value(), "reference": { "type": "string", "pattern": REFERENCE_PATTERN } });
    schema
}

/// A value of the mapping language.
fn value() -> Value {
    let mut directives = Map::new();
    for directive in DIRECTIVES {
        directives.insert(directive.name.to_owned(), json!({ "description": directive.description }));
    }
    let names: Vec<&str> = DIRECTIVES.iter().map(|directive| directive.name.trim_start_matches('@')).collect();
    let names = names.join("|");
    json!({
        "description": "A value, `$.column`, or a directive such as { \"@template\": \"{{first}} {{last}}\" }.",
        "anyOf": [
            { "type": ["string", "number", "boolean", "null"] },
            { "type": "array", "items": { "$ref": "#/$defs/value" } },
            {
                "type": "object",
                "properties": directives,
                "propertyNames": { "pattern": format!("^([^@]|@({names})$|$)") },
                "additionalProperties": { "$ref": "#/$defs/value" },
            },
        ],
    })
}

struct Writer<'a> {
    descriptors: &'a [Descriptor],
    /// A part of a project: nothing is required.
    partial: bool,
}

impl Writer<'_> {
    /// A mapping of these keys and no others.
    fn object(&self, keys: &[Key]) -> Value {
        let properties: Map<String, Value> =
            keys.iter().filter(|key| !LATER.contains(&key.name)).map(|key| (key.name.to_owned(), self.key(key))).collect();
        let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        let required: Vec<&str> = keys.iter().filter(|key| key.required && !self.partial).map(|key| key.name).collect();
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    fn key(&self, key: &Key) -> Value {
        let mut schema = match key.name {
            "targets" => json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/target" } }),
            "tables" => json!({ "type": "object", "minProperties": 1, "additionalProperties": self.table() }),
            "columns" if matches!(key.kind, Kind::Map) => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            "fields" => json!({ "$ref": "#/$defs/value" }),
            "delimiter" => json!({ "type": "string", "pattern": format!(r"^(tab|\\t|[\t !#-/:-@\[-`{{-~])$|{REFERENCE_PATTERN}") }),
            "schedule" => self.one_of(&key.kind, &["every", "days", "cron"]),
            _ => self.kind(&key.kind),
        };
        schema["description"] = json!(key.description);
        if let Some(default) = key.default {
            let text = matches!(key.kind, Kind::Text | Kind::Choice(_) | Kind::Duration);
            schema["default"] = if text { json!(default) } else { serde_json::from_str(default).unwrap_or_else(|_| json!(default)) };
        }
        schema
    }

    fn kind(&self, kind: &Kind) -> Value {
        let pattern = |pattern: &str| json!({ "type": "string", "pattern": format!(r"{pattern}|{REFERENCE_PATTERN}") });
        match kind {
            Kind::Text => json!({ "type": "string", "minLength": 1 }),
            Kind::Integer { min, max } if *max == u64::MAX => json!({ "type": "integer", "minimum": min }),
            Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
            Kind::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            Kind::Boolean => json!({ "type": "boolean" }),
            Kind::Duration => pattern("^[0-9]+ *(ms|s|m|h|d)$"),
            Kind::Rate => pattern("^[1-9][0-9]* */ *(s|m|h)$"),
            Kind::Tolerance => json!({ "anyOf": [{ "type": "number", "minimum": 0 }, pattern(r"^[0-9]+(\.[0-9]+)? *%$")] }),
            Kind::Choice(choices) => choice(choices),
            Kind::Texts => texts(),
            Kind::TextOrTexts => json!({ "anyOf": [{ "type": "string", "minLength": 1 }, nonempty(texts())] }),
            Kind::Days => {
                json!({ "anyOf": [choice(DAYS), nonempty(json!({ "type": "array", "items": choice(DAYS), "uniqueItems": true }))] })
            }
            Kind::Object(keys) => self.object(keys),
            Kind::Named(entry) => self.named(entry),
            Kind::Map => json!({ "type": "object" }),
            Kind::List => json!({ "type": "array" }),
            Kind::Any => json!({}),
        }
    }

    fn named(&self, entry: &Entry) -> Value {
        let mut schema = self.object(entry.keys);
        match entry.noun {
            "source" => {
                schema["properties"]["type"]["enum"] = json!(SOURCE_TYPES);
                if !self.partial {
                    schema["required"] = json!(["type", "tables"]);
                }
            }
            "model" if !self.partial => schema["oneOf"] = json!([{ "required": ["query"] }, { "required": ["table"] }]),
            "destination" => {
                let names: Vec<&str> = self.descriptors.iter().map(|descriptor| descriptor.name.as_str()).collect();
                schema["properties"]["type"]["enum"] = json!(names);
                schema["allOf"] = self.descriptors.iter().map(|descriptor| self.settings(descriptor)).collect();
            }
            _ => {}
        }
        json!({ "type": "object", "propertyNames": { "pattern": NAME_PATTERN }, "additionalProperties": schema })
    }

    /// If it is of this type, then these are its settings.
    fn settings(&self, descriptor: &Descriptor) -> Value {
        let settings = self.fields(&descriptor.settings);
        let mut then = json!({ "properties": { "settings": settings } });
        if !self.partial && descriptor.settings.iter().any(|field| field.required && field.default.is_none()) {
            then["required"] = json!(["settings"]);
        }
        json!({ "if": { "properties": { "type": { "const": descriptor.name } }, "required": ["type"] }, "then": then })
    }

    fn fields(&self, fields: &[Field]) -> Value {
        let properties: Map<String, Value> = fields.iter().map(|field| (field.name.clone(), self.field(field))).collect();
        let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        let required = fields.iter().filter(|field| field.required && field.default.is_none() && !self.partial);
        let required: Vec<&str> = required.map(|field| field.name.as_str()).collect();
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    fn field(&self, field: &Field) -> Value {
        let object = || {
            let mut object = if field.properties.is_empty() { json!({ "type": "object" }) } else { self.fields(&field.properties) };
            if field.open {
                object["additionalProperties"] = json!(true);
            }
            object
        };
        let one = match field.kind {
            FieldKind::String => text(field),
            FieldKind::Number => number(field, "number"),
            FieldKind::Integer => number(field, "integer"),
            FieldKind::Boolean => json!({ "type": "boolean" }),
            FieldKind::Datetime => json!({ "type": ["string", "number"] }),
            FieldKind::Object => object(),
            FieldKind::StringOrObject => json!({ "anyOf": [text(field), object()] }),
        };
        let mut schema = if field.multiple { json!({ "type": "array", "items": one }) } else { one };
        schema["description"] = json!(field.description);
        if field.secret {
            schema["writeOnly"] = json!(true);
        }
        if let Some(default) = &field.default {
            schema["default"] = default.clone();
        }
        schema
    }

    fn table(&self) -> Value {
        json!({ "anyOf": [{ "type": "string", "minLength": 1 }, self.object(keys::TABLE)] })
    }

    fn one_of(&self, kind: &Kind, names: &[&str]) -> Value {
        let mut schema = self.kind(kind);
        if !self.partial {
            schema["oneOf"] = names.iter().map(|name| json!({ "required": [name] })).collect();
        }
        schema
    }
}

/// The text of a field, or one that is filled in later.
fn text(field: &Field) -> Value {
    if !field.choices.is_empty() {
        return choice(&field.choices.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let mut schema = json!({ "type": "string" });
    let (minimum, maximum) = field.limits();
    for (name, limit) in [("minLength", minimum), ("maxLength", maximum)] {
        // A length is a whole number.
        if let Some(limit) = limit {
            schema[name] = json!(limit as u64);
        }
    }
    if let Some(format) = field.format {
        schema["format"] = json!(format);
    }
    if schema.as_object().is_some_and(|schema| schema.len() == 1) {
        return schema;
    }
    json!({ "anyOf": [schema, { "$ref": "#/$defs/reference" }] })
}

/// The number of a field.
fn number(field: &Field, kind: &str) -> Value {
    let mut schema = json!({ "type": kind });
    let (minimum, maximum) = field.limits();
    for (name, limit) in [("minimum", minimum), ("maximum", maximum)] {
        if let Some(limit) = limit {
            schema[name] = json!(limit);
        }
    }
    schema
}

/// One of these texts, or one that is filled in later.
fn choice(choices: &[&str]) -> Value {
    json!({ "anyOf": [{ "enum": choices }, { "$ref": "#/$defs/reference" }] })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string", "minLength": 1 } })
}

fn nonempty(mut list: Value) -> Value {
    list["minItems"] = json!(1);
    list
}
