//! The settings of a destination against its descriptor: unknown, missing, of a wrong kind, not among the choices.
//! Defaults are filled in, literal secrets are warned of, and every secret joins the project's redactor.

use outflow_contract::destination::{Field, FieldKind};
use serde_json::{Map, Value};

use super::range;
use crate::keys;
use crate::nearest::{list, nearest};
use crate::problem::{Log, Span};
use crate::tree::{Data, Member, Node};

/// Where an object of settings stands.
pub(super) struct Place {
    /// Such as "destination `crm`".
    pub(super) owner: String,
    /// Such as `batch.`; empty at the top.
    pub(super) path: String,
    /// What to show if something is missing.
    pub(super) span: Span,
}

/// Checks an object of settings, and returns it with its defaults.
pub(super) fn object(members: &[Member], fields: &[Field], place: &Place, log: &mut Log) -> Map<String, Value> {
    let mut meant = Vec::new();
    for member in members.iter().filter(|member| fields.iter().all(|field| field.name != member.key)) {
        meant.extend(unknown(member, fields, place, log));
    }
    let mut settings = Map::new();
    for field in fields {
        let given = members.iter().find(|member| member.key == field.name).filter(|member| !member.value.is_null());
        match (given, &field.default) {
            (Some(member), _) => {
                if let Some(value) = value(&member.value, member.key_span, field, place, log) {
                    settings.insert(field.name.clone(), value);
                }
            }
            (None, Some(default)) => drop(settings.insert(field.name.clone(), default.clone())),
            (None, None) if field.required && !meant.contains(&field.name.as_str()) => {
                log.error(place.span, format!("{} has no setting `{}{}`", place.owner, place.path, field.name))
                    .label(format!("`{}` is missing", field.name))
                    .help(format!("add `{}: …`. {}", field.name, field.description));
            }
            (None, None) => {}
        }
    }
    settings
}

/// Reports an unknown setting, and returns the one that was meant.
fn unknown<'a>(member: &Member, fields: &'a [Field], place: &Place, log: &mut Log) -> Option<&'a str> {
    // What it holds may be a secret under a misspelt name.
    mask_texts(&member.value, log);
    let names = || fields.iter().map(|field| field.name.as_str());
    let meant = nearest(&member.key, names());
    let above = place.path.is_empty() && keys::DESTINATION.keys.iter().any(|key| key.name == member.key);
    let help = if above && meant.is_none() {
        format!("`{}` belongs one level up, beside `settings`", member.key)
    } else if fields.is_empty() {
        "there are no settings here".to_owned()
    } else {
        format!("settings: {}", list(names()))
    };
    log.error(member.key_span, format!("{} has no setting `{}{}`", place.owner, place.path, member.key))
        .label("unknown setting")
        .meant(meant)
        .help(help);
    meant
}

fn value(node: &Node, key_span: Span, field: &Field, place: &Place, log: &mut Log) -> Option<Value> {
    if field.secret {
        secret(node, field, place, log);
    }
    if !field.multiple {
        return single(node, key_span, field, place, log);
    }
    match node.as_list() {
        Some(items) => {
            let values: Vec<Option<Value>> = items.iter().map(|item| single(item, item.span, field, place, log)).collect();
            values.into_iter().collect::<Option<Vec<Value>>>().map(Value::Array)
        }
        None => wrong(node, field, "a list", place, log),
    }
}

fn single(node: &Node, key_span: Span, field: &Field, place: &Place, log: &mut Log) -> Option<Value> {
    let number = |node: &Node| node.as_number().is_some();
    let fits = match field.kind {
        FieldKind::String => node.as_text().is_some(),
        FieldKind::Number => number(node),
        FieldKind::Integer => node.as_number().is_some_and(|number| number.as_i64().is_some() || number.as_u64().is_some()),
        FieldKind::Boolean => node.as_bool().is_some(),
        FieldKind::Datetime => node.as_text().is_some() || number(node),
        FieldKind::Object => node.as_map().is_some(),
        FieldKind::StringOrObject => node.as_text().is_some() || node.as_map().is_some(),
    };
    if !fits {
        return wrong(node, field, kind_words(field.kind), place, log);
    }
    if let (Some(text), false) = (node.as_str(), field.choices.is_empty())
        && !field.choices.iter().any(|choice| choice == text)
    {
        let choices = || field.choices.iter().map(String::as_str);
        let shown = if field.secret { "this".to_owned() } else { node.shown() };
        log.error(node.span, format!("setting `{}{}` of {} cannot be {shown}", place.path, field.name, place.owner))
            .meant(nearest(text, choices()))
            .help(format!("it is one of {}", list(choices())));
        return None;
    }
    if let Some(wanted) = range::wanted(node, field) {
        let shown = if field.secret { "this".to_owned() } else { node.shown() };
        log.error(node.span, format!("setting `{}{}` of {} cannot be {shown}", place.path, field.name, place.owner))
            .label(format!("it takes {wanted}"))
            .help(field.description.clone());
        return None;
    }
    match node.as_map() {
        Some(members) if !field.properties.is_empty() => {
            let inside = Place { owner: place.owner.clone(), path: format!("{}{}.", place.path, field.name), span: key_span };
            Some(Value::Object(object(members, &field.properties, &inside, log)))
        }
        _ => Some(node.to_json()),
    }
}

/// The kind of a field in words.
pub(super) fn kind_words(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::String => "text",
        FieldKind::Number => "a number",
        FieldKind::Integer => "a whole number",
        FieldKind::Boolean => "true or false",
        FieldKind::Datetime => "a moment, as text or number",
        FieldKind::Object => "a mapping",
        FieldKind::StringOrObject => "text or a mapping",
    }
}

fn wrong(node: &Node, field: &Field, expected: &str, place: &Place, log: &mut Log) -> Option<Value> {
    let message = format!("setting `{}{}` of {} must be {expected}, and this is {}", place.path, field.name, place.owner, node.kind_name());
    let interpolated = node.as_text().is_some_and(crate::tree::Text::is_interpolated);
    if field.secret {
        log.mask(node.span);
    }
    let draft = log.error(node.span, message);
    if interpolated {
        draft.help("what `${…}` brings is always text: write the value itself");
    } else if expected == "text" && (node.as_number().is_some() || node.as_bool().is_some()) {
        draft.help("put it between quotes");
    } else {
        draft.help(field.description.clone());
    }
    None
}

/// Warns of a secret that stands in the file, and remembers every secret for redaction.
fn secret(node: &Node, field: &Field, place: &Place, log: &mut Log) {
    match &node.data {
        Data::Text(text) if !text.value.is_empty() => {
            log.redactor.add(&text.value);
            if !text.is_interpolated() {
                log.mask(node.span);
                log.warn(
                    node.span,
                    format!("setting `{}{}` of {} is a secret, and it stands in the project file", place.path, field.name, place.owner),
                )
                .label("written out here")
                .help("move it to the environment, and write `${env:NAME}` here; or to a file, and write `${file:PATH}`");
            }
        }
        Data::List(items) => items.iter().for_each(|item| secret(item, field, place, log)),
        Data::Map(members) => members.iter().for_each(|member| secret(&member.value, field, place, log)),
        _ => {}
    }
}

/// Hides what may be secret in the URLs below `node`: a password before the host, and the query.
pub(super) fn mask_urls(node: &Node, log: &mut Log) {
    match &node.data {
        Data::Text(text) if !text.is_interpolated() => {
            let raw = log.files.slice(node.span);
            let Some(host) = raw.find("://").map(|at| at + 3) else { return };
            let end = raw.find('\n').unwrap_or(raw.len());
            let rest = raw.get(host..end).unwrap_or("");
            let path = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let secrets = rest[..path].rfind('@').map(|at| node.span.part(host, at));
            let query = rest.find('?').map(|at| node.span.part(host + at + 1, rest.len() - at - 1));
            secrets.into_iter().chain(query).for_each(|span| log.mask(span));
        }
        Data::List(items) => items.iter().for_each(|item| mask_urls(item, log)),
        Data::Map(members) => members.iter().for_each(|member| mask_urls(&member.value, log)),
        _ => {}
    }
}

/// Hides every text below `node` in excerpts, and from messages if it is long enough to be a secret.
pub(super) fn mask_texts(node: &Node, log: &mut Log) {
    match &node.data {
        Data::Text(text) if !text.is_interpolated() => log.mask(node.span),
        Data::List(items) => items.iter().for_each(|item| mask_texts(item, log)),
        Data::Map(members) => members.iter().for_each(|member| mask_texts(&member.value, log)),
        _ => {}
    }
}
