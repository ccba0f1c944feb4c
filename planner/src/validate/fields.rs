//! `fields`: the payload of a mapping, against the fields of its action.
//!
//! What is the same for every record (`Field::constant`) is taken out of the payload; what is a secret among it is written down
//! nowhere. Constants are checked for their kind here, what comes from records when they are mapped.

use outflow_contract::destination::{Action, Field, FieldKind};
use outflow_contract::expr::Expr;
use outflow_contract::plan::Settings;
use outflow_contract::requirement::Known;
use serde_json::{Map, Value};

use super::{range, settings};
use crate::mapping::{self, ColumnUse, Timestamp, Uses};
use crate::nearest::{list, nearest};
use crate::problem::{Log, Span};
use crate::tree::{Data, Member, Node};
use crate::yaml;

/// What a mapping sends of each record.
pub(super) struct Payload {
    pub(super) fields: Expr,
    /// The constant fields.
    pub(super) constants: Settings,
    /// All of it as written, without its secrets.
    pub(super) written: Value,
}

/// The payload of a mapping. What it reads is added to `uses`.
pub(super) fn payload(
    owner_member: &Member,
    action: Option<&Action>,
    owner: &str,
    timestamp: Timestamp<'_>,
    uses: &mut Uses,
    log: &mut Log,
) -> Option<Payload> {
    let member = owner_member.value.member("fields").filter(|member| !member.value.is_null());
    let written = member.map_or(Value::Null, |member| member.value.written_json());
    let Some(declared) = action.and_then(|action| action.fields.as_ref()) else {
        let fields = member.map(|member| mapping::parse(&member.value, timestamp, uses, log));
        if let Some((member, help)) = member.and_then(|member| Some((member, yaml::spaced(member.value.as_str()?)?))) {
            log.warn(member.value.span, format!("`fields` of {owner} is one text, the same for every record")).help(help);
        }
        if member.is_none() && action.is_some() {
            log.error(owner_member.key_span, format!("{owner} has no `fields`"))
                .label("`fields` is missing")
                .help("write what is sent of each record, such as `fields: { email: $.email }`; `fields: $.` sends every column");
        }
        return action.and(fields).map(|fields| Payload { fields, constants: Settings::default(), written });
    };
    let action = action?;
    let place = member.map_or(owner_member.key_span, |member| member.key_span);
    let Some(given) = member.map_or(Some(&[][..]), |member| object_members(&member.value)) else {
        let fields = list(declared.iter().map(|field| field.name.as_str()));
        let spaced = member.and_then(|member| yaml::spaced(member.value.as_str()?));
        let help = spaced.unwrap_or_else(|| format!("write `fields: {{ NAME: … }}`; fields: {fields}"));
        log.error(place, format!("`fields` of {owner} must name the fields of action `{}`", action.name)).help(help);
        return None;
    };
    let owner = Owner { name: owner, action: &action.name, path: String::new(), span: place };
    check(given, declared, &owner, log);
    let mut reader = Reading { timestamp, uses, log };
    let fields = reader.members(given, declared, place);
    Some(Payload { fields, constants: constants(given, declared, &owner, reader.log), written: without_secrets(written, declared) })
}

struct Reading<'a, 'l> {
    timestamp: Timestamp<'a>,
    uses: &'l mut Uses,
    log: &'l mut Log,
}

impl Reading<'_, '_> {
    /// The members that each record has its own values of, defaults included.
    fn members(&mut self, given: &[Member], declared: &[Field], place: Span) -> Expr {
        let is_constant = |name: &str| declared.iter().any(|field| field.constant && field.name == name);
        let own = given.iter().filter(|member| !is_constant(&member.key)).cloned().collect();
        let own = Node { span: place, data: Data::Map(own) };
        let mut members = match mapping::parse(&own, self.timestamp, self.uses, self.log) {
            Expr::Object(members) => members,
            // A directive over all of them is one over each.
            Expr::Transform { apply, mapping } => match *mapping {
                Expr::Object(members) => members
                    .into_iter()
                    .map(|(key, value)| (key, Expr::Transform { apply: apply.clone(), mapping: Box::new(value) }))
                    .collect(),
                _ => Vec::new(),
            },
            // A constant payload: its members are constants, too.
            Expr::Literal(Value::Object(members)) => members.into_iter().map(|(key, value)| (key, Expr::Literal(value))).collect(),
            _ => Vec::new(),
        };
        // Nothing is said of a default that asks for a timestamp where there is none.
        let timestamp = if let Timestamp::Absent(_) = self.timestamp { Timestamp::Missing } else { self.timestamp };
        for field in declared.iter().filter(|field| !field.constant && given.iter().all(|member| member.key != field.name)) {
            let Some(default) = &field.default else { continue };
            let wrapped = Node::from_json(&serde_json::json!({ field.name.as_str(): default }), place);
            let mut default_uses = Uses::default();
            match mapping::parse(&wrapped, timestamp, &mut default_uses, self.log) {
                Expr::Object(more) => members.extend(more),
                Expr::Literal(Value::Object(more)) => members.extend(more.into_iter().map(|(key, value)| (key, Expr::Literal(value)))),
                _ => {}
            }
            // A default whose column is not there stays out, unless the field is required.
            if field.required {
                let columns = default_uses.columns.into_iter();
                self.uses.columns.extend(columns.map(|one| ColumnUse { default_of: Some(field.name.clone()), ..one }));
            }
        }
        Expr::Object(members)
    }
}

/// The members of an object that is no directive.
fn object_members(node: &Node) -> Option<&[Member]> {
    match &node.data {
        Data::Map(members) if members.iter().all(|member| !member.key.starts_with('@')) => Some(members),
        _ => None,
    }
}

/// Is it worked out from the record?
fn is_dynamic(node: &Node) -> bool {
    match &node.data {
        Data::Text(text) => text.value.starts_with("$.") && !text.is_interpolated(),
        Data::Map(_) => object_members(node).is_none(),
        _ => false,
    }
}

struct Owner<'a> {
    name: &'a str,
    action: &'a str,
    path: String,
    span: Span,
}

fn check(members: &[Member], fields: &[Field], owner: &Owner<'_>, log: &mut Log) {
    let mut meant = Vec::new();
    // A directive over all fields is none of them.
    for member in members.iter().filter(|member| !owner.path.is_empty() || member.key != mapping::ROOT_DIRECTIVE) {
        match fields.iter().find(|field| field.name == member.key) {
            // Constants have rules of their own.
            Some(field) if field.constant => {}
            Some(field) => value(member, field, owner, log),
            None => meant.extend(unknown(member, fields, owner, log)),
        }
    }
    let known = |name: &str| known(members.iter().find(|member| member.key == name), fields.iter().find(|field| field.name == name));
    for field in fields.iter().filter(|field| field.default.is_none()) {
        let required_if = field.required_if.as_ref().filter(|required_if| required_if.holds(&known) == Some(true));
        let given = |member: &Member| member.key == field.name && (field.allow_null || !member.value.is_null());
        let is_needed = field.required || required_if.is_some();
        if is_needed && !members.iter().any(given) && !meant.contains(&field.name.as_str()) {
            let value = if field.constant { "…" } else { "$.COLUMN" };
            let when = required_if.filter(|_| !field.required).map_or_else(String::new, |when| format!(" where {}", when.words()));
            log.error(
                owner.span,
                format!(
                    "{} does not map the field `{}{}`, which action `{}` requires{when}",
                    owner.name, owner.path, field.name, owner.action
                ),
            )
            .label(format!("`{}` is missing", field.name))
            .help(format!("add `{}: {value}`. {}", field.name, field.description))
            .gap();
        }
    }
}

/// What a mapping itself tells of a field.
fn known(member: Option<&Member>, field: Option<&Field>) -> Known {
    let scalar = |node: &Node| matches!(node.data, Data::Text(_) | Data::Number(_) | Data::Bool(_)) && !is_dynamic(node);
    match (member, field.and_then(|field| field.default.as_ref())) {
        (Some(member), _) if member.value.is_null() => Known::Missing,
        (Some(member), _) if scalar(&member.value) => Known::Value(member.value.to_json()),
        (None, None) => Known::Missing,
        _ => Known::Nothing,
    }
}

/// Reports an unknown field, and returns the one that was meant.
fn unknown<'f>(member: &Member, fields: &'f [Field], owner: &Owner<'_>, log: &mut Log) -> Option<&'f str> {
    if fields.iter().any(|field| field.secret) {
        // What it holds may be a secret under a misspelt name.
        settings::mask_texts(&member.value, log);
    }
    let names = || fields.iter().map(|field| field.name.as_str());
    let meant = nearest(&member.key, names());
    log.error(
        member.key_span,
        format!("{} maps to field `{}{}`, which action `{}` does not have", owner.name, owner.path, member.key, owner.action),
    )
    .label("unknown field")
    .meant(meant)
    .help(format!("fields: {}", list(names())));
    meant
}

/// A value of a field: what is constant in it is checked at once.
fn value(member: &Member, field: &Field, owner: &Owner<'_>, log: &mut Log) {
    let items = member.value.as_list().filter(|_| field.multiple);
    for node in items.unwrap_or(std::slice::from_ref(&member.value)) {
        if is_dynamic(node) || node.is_null() {
            continue;
        }
        if !takes(field.kind, node) {
            wrong(node, field, owner, log);
            continue;
        }
        choice(node, field, owner, log);
        limits(node, field, owner, log);
        if let (Some(inner), false) = (object_members(node), field.properties.is_empty()) {
            let inside = Owner { path: format!("{}{}.", owner.path, field.name), span: member.key_span, ..*owner };
            let declared = |member: &&Member| !field.open || field.properties.iter().any(|property| property.name == member.key);
            let inner: Vec<Member> = inner.iter().filter(declared).cloned().collect();
            check(&inner, &field.properties, &inside, log);
        }
    }
}

/// Can this constant be turned to the kind? As the mapper turns values, save that a moment's text is not read.
fn takes(kind: FieldKind, node: &Node) -> bool {
    let number = |node: &Node| node.as_number().and_then(serde_json::Number::as_f64);
    let in_text = |node: &Node| node.as_str().and_then(|text| if text.trim().is_empty() { Some(0.0) } else { text.trim().parse().ok() });
    let numeric = |node: &Node| number(node).or(in_text(node)).or(node.as_bool().map(f64::from)).filter(|number| number.is_finite());
    match (kind, &node.data) {
        (FieldKind::Object, data) => matches!(data, Data::Map(_)),
        // A list of one is that one.
        (_, Data::List(items)) => matches!(items.as_slice(), [one] if is_dynamic(one) || (one.as_list().is_none() && takes(kind, one))),
        (_, Data::Map(_)) => kind == FieldKind::StringOrObject,
        (FieldKind::String | FieldKind::StringOrObject, _) => true,
        (FieldKind::Number, _) => numeric(node).is_some(),
        (FieldKind::Integer, _) => numeric(node).is_some_and(|number| number.fract() == 0.0),
        (FieldKind::Boolean, Data::Text(text)) => matches!(text.value.as_str(), "true" | "false" | ""),
        (FieldKind::Boolean, _) => node.as_bool().is_some() || number(node).is_some_and(|number| [0.0, 1.0].contains(&number)),
        (FieldKind::Datetime, Data::Text(text)) => text.value.bytes().any(|byte| byte.is_ascii_digit()),
        (FieldKind::Datetime, _) => number(node).is_some(),
    }
}

fn wrong(node: &Node, field: &Field, owner: &Owner<'_>, log: &mut Log) {
    let came = match &node.data {
        Data::Text(_) | Data::Number(_) => node.shown(),
        _ => node.kind_name().to_owned(),
    };
    let wanted = settings::kind_words(field.kind);
    log.error(node.span, format!("field `{}{}` of {} takes {wanted}, and this is {came}", owner.path, field.name, owner.name))
        .label(format!("not {wanted}"))
        .help(field.description.clone());
}

/// A constant is checked against the choices at once.
fn choice(node: &Node, field: &Field, owner: &Owner<'_>, log: &mut Log) {
    let Some(text) = node.as_str() else { return };
    if !field.choices.is_empty() && !field.choices.iter().any(|choice| choice == text) {
        let choices = || field.choices.iter().map(String::as_str);
        let shown = if field.secret { "this".to_owned() } else { node.shown() };
        log.error(node.span, format!("field `{}{}` of {} cannot be {shown}", owner.path, field.name, owner.name))
            .meant(nearest(text, choices()))
            .help(format!("it is one of {}", list(choices())));
    }
}

/// A constant is checked at once for the form that is asked of it, and for its limits.
fn limits(node: &Node, field: &Field, owner: &Owner<'_>, log: &mut Log) {
    let Some(wanted) = range::wanted(node, field) else { return };
    let shown = if field.secret { "this".to_owned() } else { node.shown() };
    log.error(node.span, format!("field `{}{}` of {} cannot be {shown}", owner.path, field.name, owner.name))
        .label(format!("it takes {wanted}"))
        .help(field.description.clone());
}

/// The fields that are the same for every record, as plain values of their kind.
fn constants(given: &[Member], declared: &[Field], owner: &Owner<'_>, log: &mut Log) -> Settings {
    let mut constants = Map::new();
    for field in declared.iter().filter(|field| field.constant) {
        let member = given.iter().find(|member| member.key == field.name && !member.value.is_null());
        let value = match member {
            Some(member) => constant(&member.value, field, owner, log),
            None => field.default.clone(),
        };
        constants.extend(value.map(|value| (field.name.clone(), value)));
    }
    Settings(constants)
}

fn constant(node: &Node, field: &Field, owner: &Owner<'_>, log: &mut Log) -> Option<Value> {
    let scalar = matches!(node.data, Data::Text(_) | Data::Number(_) | Data::Bool(_));
    if !scalar || is_dynamic(node) {
        if field.secret {
            settings::mask_texts(node, log);
        }
        let came = if is_dynamic(node) { "worked out from each" } else { node.kind_name() };
        log.error(node.span, format!("field `{}` of {} is the same for every record, and this is {came}", field.name, owner.name))
            .label("not a plain value")
            .help("write the value itself, or `${env:NAME}`");
        return None;
    }
    if field.secret {
        secret(node, field, owner, log);
    }
    if !takes(field.kind, node) {
        let wanted = settings::kind_words(field.kind);
        log.error(node.span, format!("field `{}` of {} takes {wanted}, and this is {}", field.name, owner.name, node.kind_name()))
            .help(field.description.clone());
        return None;
    }
    choice(node, field, owner, log);
    limits(node, field, owner, log);
    let text = matches!(field.kind, FieldKind::String | FieldKind::StringOrObject);
    Some(match node.to_json() {
        value @ (Value::Number(_) | Value::Bool(_)) if text => Value::String(value.to_string()),
        value => value,
    })
}

/// Warns of a secret that stands in the file, and remembers it for redaction.
fn secret(node: &Node, field: &Field, owner: &Owner<'_>, log: &mut Log) {
    let text = node.as_text();
    let value = text.map_or_else(|| node.to_json().to_string(), |text| text.value.clone());
    if value.is_empty() {
        return;
    }
    log.redactor.add(&value);
    if text.is_none_or(|text| !text.is_interpolated()) {
        log.mask(node.span);
        log.warn(node.span, format!("field `{}` of {} is a secret, and it stands in the project file", field.name, owner.name))
            .label("written out here")
            .help("move it to the environment, and write `${env:NAME}` here; or to a file, and write `${file:PATH}`");
    }
}

/// What was written, for the sealed plan and for people.
fn without_secrets(mut written: Value, declared: &[Field]) -> Value {
    if let Value::Object(members) = &mut written {
        members.retain(|name, _| declared.iter().all(|field| !(field.constant && field.secret && field.name == *name)));
    }
    written
}
