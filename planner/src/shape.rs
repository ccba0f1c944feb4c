//! Checks the shape of a project against the tables of `keys.rs`: unknown keys, missing keys, wrong kinds of values.
//!
//! What passes here can be read without another look; what does not has been reported, so that later checks pass over
//! it in silence.

use crate::keys::{DAYS, Entry, Key, Kind};
use crate::nearest::{list, nearest};
use crate::problem::{Log, Span};
use crate::scalar;
use crate::tree::{Member, Node};
use crate::yaml;

/// Where a mapping of keys stands, for messages.
#[derive(Clone)]
pub(crate) struct Place {
    /// Such as "mapping `users_to_crm`".
    pub(crate) name: String,
    /// What to show if something is missing from it.
    pub(crate) span: Span,
    /// A part of a project, such as a target: nothing is required of it.
    pub(crate) partial: bool,
}

impl Place {
    pub(crate) fn new(name: impl Into<String>, span: Span) -> Self {
        Self { name: name.into(), span, partial: false }
    }

    fn inside(&self, name: impl Into<String>, span: Span) -> Self {
        Self { partial: self.partial, ..Self::new(name, span) }
    }
}

/// Checks a mapping of keys.
pub(crate) fn check(node: &Node, keys: &[Key], place: &Place, log: &mut Log) {
    let Some(members) = node.as_map() else {
        if !node.is_null() {
            let draft = log.error(node.span, format!("{} must be a mapping, and this is {}", place.name, node.kind_name()));
            if let Some(help) = node.as_str().and_then(yaml::spaced) {
                draft.help(help);
            }
            return;
        }
        missing(node, keys, &[], place, log);
        return;
    };
    let mut meant = Vec::new();
    for member in members {
        match keys.iter().find(|key| key.name == member.key) {
            Some(key) => value(member, key, place, log),
            None => meant.extend(unknown(member, keys, place, log)),
        }
    }
    missing(node, keys, &meant, place, log);
}

/// Reports an unknown key, and returns the one that was meant.
fn unknown<'a>(member: &Member, keys: &'a [Key], place: &Place, log: &mut Log) -> Option<&'a str> {
    let names = || keys.iter().map(|key| key.name);
    let meant = nearest(&member.key, names());
    log.error(member.key_span, format!("{} has no key `{}`", place.name, member.key))
        .label("unknown key")
        .meant(meant)
        .help(format!("its keys are {}", list_all(names())));
    meant
}

/// All of the names: a list of keys is of no use without the last of them.
fn list_all(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// Reports what is required and not there, unless it is there under a name that was nearly right.
fn missing(node: &Node, keys: &[Key], meant: &[&str], place: &Place, log: &mut Log) {
    if place.partial {
        return;
    }
    for key in keys.iter().filter(|key| key.required && node.get(key.name).is_none() && !meant.contains(&key.name)) {
        log.error(place.span, format!("{} has no `{}`", place.name, key.name))
            .label(format!("`{}` is missing", key.name))
            .help(format!("add `{}: …`. {}", key.name, key.description));
    }
}

fn value(member: &Member, key: &Key, place: &Place, log: &mut Log) {
    let node = &member.value;
    if node.is_null() {
        return;
    }
    let wrong = |log: &mut Log, expected: &str| {
        let shown = if node.as_map().is_some() || node.as_list().is_some() { String::new() } else { format!(" {}", node.shown()) };
        let message = format!("`{}` of {} must be {expected}, and this is {}{shown}", key.name, place.name, node.kind_name());
        let draft = log.error(node.span, message);
        if let (Some(number), "text") = (node.as_number(), expected) {
            draft.help(format!("put it between quotes: \"{number}\""));
        } else if let (Some(text), Kind::Integer { .. } | Kind::Share) = (node.as_text(), &key.kind)
            && !text.is_interpolated()
            && text.value.parse::<f64>().is_ok()
        {
            draft.help(format!("leave out the quotes: {}", text.value));
        } else if let Some(help) = node.as_str().and_then(yaml::spaced) {
            draft.help(help);
        }
    };
    match &key.kind {
        Kind::Text => match node.as_str() {
            None => wrong(log, "text"),
            Some("") => drop(log.error(node.span, format!("`{}` of {} is empty", key.name, place.name)).label("give it a value")),
            Some(_) => {}
        },
        Kind::Integer { min, max } => match node.as_count() {
            Some(count) if (*min..=*max).contains(&count) => {}
            _ => wrong(log, &range(*min, *max)),
        },
        Kind::Share => {
            if !node.as_number().and_then(serde_json::Number::as_f64).is_some_and(|share| (0.0..=1.0).contains(&share)) {
                wrong(log, "a share from 0 to 1");
            }
        }
        Kind::Boolean if node.as_bool().is_none() => wrong(log, "true or false"),
        Kind::Duration => unit(node, key, place, scalar::duration, log),
        Kind::Rate => unit(node, key, place, scalar::rate, log),
        Kind::Tolerance => {
            if let Err(help) = scalar::tolerance(node.as_number(), node.as_str()) {
                log.error(node.span, format!("`{}` of {} is neither a count nor a share: {}", key.name, place.name, node.shown()))
                    .help(help);
            }
        }
        Kind::Choice(choices) => choice(node, key.name, choices, place, log),
        Kind::Texts | Kind::TextOrTexts => texts(node, key, place, log),
        Kind::Days => match node.as_list() {
            Some(items) => items.iter().for_each(|item| choice(item, key.name, DAYS, place, log)),
            None => choice(node, key.name, DAYS, place, log),
        },
        Kind::Object(keys) => check(node, keys, &place.inside(format!("`{}` of {}", key.name, place.name), member.key_span), log),
        Kind::Named(entry) => named(node, key.name, entry, place, log),
        Kind::Map if node.as_map().is_none() => wrong(log, "a mapping"),
        Kind::List if node.as_list().is_none() => wrong(log, "a list"),
        Kind::Any | Kind::Boolean | Kind::Map | Kind::List => {}
    }
}

fn range(min: u64, max: u64) -> String {
    match (min, max) {
        (min, max) if min == max => min.to_string(),
        (0, u64::MAX) => "a whole number".to_owned(),
        (min, u64::MAX) => format!("a whole number of at least {min}"),
        (min, max) => format!("a whole number from {min} to {max}"),
    }
}

fn unit<T>(node: &Node, key: &Key, place: &Place, parse: fn(&str) -> Result<T, String>, log: &mut Log) {
    let text = node.as_str().map(str::to_owned).or_else(|| node.as_number().map(ToString::to_string));
    let Err(help) = text.map_or(Err("write it as text".to_owned()), |text| parse(&text).map(drop)) else { return };
    let what = if matches!(key.kind, Kind::Rate) { "rate" } else { "duration" };
    log.error(node.span, format!("`{}` of {} is not a {what}: {}", key.name, place.name, node.shown())).help(help);
}

fn choice(node: &Node, name: &str, choices: &[&'static str], place: &Place, log: &mut Log) {
    let text = node.as_str();
    if text.is_some_and(|text| choices.contains(&text)) {
        return;
    }
    log.error(node.span, format!("`{name}` of {} cannot be {}", place.name, node.shown()))
        .meant(text.and_then(|text| nearest(text, choices.iter().copied())))
        .help(format!("it is one of {}", list(choices.iter().copied())));
}

fn texts(node: &Node, key: &Key, place: &Place, log: &mut Log) {
    let one = matches!(key.kind, Kind::TextOrTexts);
    let items = match node.as_list() {
        Some(items) => items,
        None if one => std::slice::from_ref(node),
        None => {
            let message = format!("`{}` of {} must be a list of texts, and this is {}", key.name, place.name, node.kind_name());
            log.error(node.span, message).help(format!("write `{}: [a, b]`", key.name));
            return;
        }
    };
    if one && items.is_empty() {
        log.error(node.span, format!("`{}` of {} is an empty list", key.name, place.name)).help("name at least one");
    }
    for item in items.iter().filter(|item| item.as_str().is_none_or(str::is_empty)) {
        log.error(item.span, format!("`{}` of {} holds {}, and should hold text", key.name, place.name, item.kind_name()));
    }
}

fn named(node: &Node, name: &str, entry: &Entry, place: &Place, log: &mut Log) {
    let Some(members) = node.as_map() else {
        let message = format!("`{name}` must be a mapping of names, and this is {}", node.kind_name());
        log.error(node.span, message).help(format!("write `{name}: {{ some_name: {{ … }} }}`"));
        return;
    };
    for member in members {
        let inside = place.inside(format!("{} `{}`", entry.noun, member.key), member.key_span);
        // Only what this version can run is checked further: keys of other types are not known.
        if entry.noun == "source" && member.value.text("type").is_some_and(|kind| kind != "files") {
            continue;
        }
        check(&member.value, entry.keys, &inside, log);
    }
}
