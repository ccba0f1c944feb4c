//! Our own directives, said on values.

use outflow_contract::expr::{Algorithm, Dating, Encoding, Expr, Form, Function, Hashing, Lookup, Normal, Numeral, Own};
use proptest::prelude::*;
use serde_json::Value;
use sha2::Digest as _;

use super::{naive, odd_text};

/// The text of a scalar. Others fail the record, and are not generated.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

fn packed(text: &str) -> String {
    text.chars().filter(|c| !is_space(*c)).collect::<String>().to_lowercase()
}

fn normal(normal: Normal, text: &str) -> String {
    match normal {
        Normal::AsIs => text.to_owned(),
        Normal::Packed => packed(text),
        Normal::Ascii => text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase(),
        Normal::EmailCanonical => match packed(text).rsplit_once('@') {
            Some((local, domain)) => format!("{}@{domain}", local.split('+').next().unwrap().replace('.', "")),
            None => packed(text),
        },
        Normal::ZipShort => packed(text.split('-').next().unwrap()),
        other => unreachable!("{other:?} has tests of its own"),
    }
}

fn hash(options: &Hashing, text: &str) -> Option<Value> {
    let text = normal(options.normal, text);
    if text.is_empty() {
        return None;
    }
    let hash = match options.algorithm {
        Algorithm::Sha256 => hex::encode(sha2::Sha256::digest(text)),
        Algorithm::Sha512 => hex::encode(sha2::Sha512::digest(text)),
        Algorithm::Md5 => hex::encode(md5::Md5::digest(text)),
    };
    Some(hash.into())
}

/// What is neither missing, null nor blank; the last without which it would be null.
fn coalesce(args: &[Expr], blank: bool, root: &Value) -> Option<Value> {
    let values: Vec<Value> = args.iter().filter_map(|arg| naive(arg, root)).collect();
    let is_there = |value: &&Value| !(value.is_null() || blank && value.as_str().is_some_and(|text| text.chars().all(is_space)));
    values.iter().find(is_there).cloned().or_else(|| values.contains(&Value::Null).then_some(Value::Null))
}

pub(super) fn call(own: &Own, args: &[Expr], root: &Value) -> Option<Value> {
    let value = args.first().and_then(|arg| naive(arg, root));
    Some(match own {
        Own::Now { .. } => "1970-01-01T00:00:00Z".into(),
        Own::Coalesce { blank } => coalesce(args, *blank, root)?,
        Own::Join { by, .. } => {
            let values: Vec<Value> = args.iter().filter_map(|arg| naive(arg, root)).collect();
            let parts: Vec<String> = values.iter().filter(|value| !value.is_null()).map(text).filter(|text| !text.is_empty()).collect();
            if parts.is_empty() {
                return None;
            }
            parts.join(by).into()
        }
        Own::Lookup(Lookup { table, ignore_case }) => {
            let key = value.as_ref().map(text).map(|text| if *ignore_case { text.to_lowercase() } else { text });
            let found = table.iter().find(|(known, _)| value != Some(Value::Null) && Some(known) == key.as_ref());
            match (found, args.get(1)) {
                (Some((_, found)), _) => found.clone(),
                (None, Some(default)) => naive(default, root)?,
                (None, None) => value.filter(Value::is_null)?,
            }
        }
        Own::Trim { chars } => match value? {
            Value::String(text) => match chars {
                None => text.trim_matches(is_space).into(),
                Some(chars) => text.trim_matches(|c: char| chars.contains(c)).into(),
            },
            other => other,
        },
        _ if value.as_ref()?.is_null() => Value::Null,
        Own::Hash(options) => hash(options, &text(&value?))?,
        Own::Split { by, trim, at } => {
            let text = text(&value?);
            let parts: Vec<&str> = if text.is_empty() { Vec::new() } else { text.split(&**by).collect() };
            match at {
                Some(at) => {
                    let place = if *at < 0 { parts.len() as i64 + at } else { *at };
                    given(parts.get(usize::try_from(place).ok()?)?, *trim)?.into()
                }
                None => parts.iter().filter_map(|part| given(part, *trim)).collect::<Vec<_>>().into(),
            }
        }
        // Numbers alone are generated, and whole ones: they stay, and are seconds.
        Own::Number(_) => value?,
        Own::Date(_) => jiff::Timestamp::from_second(value?.as_i64()?).unwrap().to_string().into(),
    })
}

fn one(own: Own, arg: Expr) -> Expr {
    Expr::Call { function: Function::Own(own), args: vec![arg] }
}

/// A directive over what is drawn. Those that take scalars get the JSON text of it.
pub(super) fn directive(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let json = inner.clone().prop_map(|arg| Expr::Call { function: Function::JsonEncode, args: vec![arg] });
    let literal =
        prop_oneof![odd_text().prop_map(Value::from), (-3..20_i64).prop_map(Value::from), Just(Value::Bool(true)), Just(Value::Null)];
    let scalar = prop_oneof![json, literal.prop_map(Expr::Literal)].boxed();
    let whole = (-1_000_000_000..4_000_000_000_i64).prop_map(|number| Expr::Literal(number.into()));
    let number = Numeral { decimal: '.', group: String::new(), currency: false };
    let date = Dating { from: Form::Unix, to: Form::Iso, zone: None };
    let several = prop::collection::vec(inner.clone(), 1..4);
    prop_oneof![
        3 => (hashing(), scalar.clone()).prop_map(|(hashing, arg)| one(Own::Hash(hashing), arg)),
        2 => (any::<bool>(), several).prop_map(|(blank, args)| Expr::Call { function: Function::Own(Own::Coalesce { blank }), args }),
        2 => (prop::option::of("[a-z\" ]{1,3}"), inner.clone()).prop_map(|(chars, arg)| one(Own::Trim { chars }, arg)),
        2 => (lookup(), scalar.clone(), prop::option::of(inner)).prop_map(|(lookup, arg, default)| {
            let args = std::iter::once(arg).chain(default).collect();
            Expr::Call { function: Function::Own(Own::Lookup(lookup)), args }
        }),
        2 => ("[,.a\"]", any::<bool>(), prop::option::of(-3..4_i64), scalar.clone())
            .prop_map(|(by, trim, at, arg)| one(Own::Split { by, trim, at }, arg)),
        2 => ("[, \"]{0,2}", prop::collection::vec(scalar, 0..4))
            .prop_map(|(by, args)| Expr::Call { function: Function::Own(Own::Join { by, items: false }), args }),
        1 => whole.clone().prop_map(move |arg| one(Own::Number(number.clone()), arg)),
        1 => whole.prop_map(move |arg| one(Own::Date(date.clone()), arg)),
        1 => Just(Expr::Call { function: Function::Own(Own::Now { to: Form::Iso, zone: None }), args: Vec::new() }),
    ]
}

fn hashing() -> impl Strategy<Value = Hashing> {
    let normals = [Normal::AsIs, Normal::Packed, Normal::Ascii, Normal::EmailCanonical, Normal::ZipShort];
    let algorithms = [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Md5];
    (prop::sample::select(algorithms.to_vec()), prop::sample::select(normals.to_vec())).prop_map(|(algorithm, normal)| Hashing {
        algorithm,
        encoding: Encoding::Hex,
        normal,
        calling_code: None,
        rehash: true,
    })
}

fn lookup() -> impl Strategy<Value = Lookup> {
    let keys = ["", "a", "\"a\"", "1", "true", "null", "7"];
    let table = prop::collection::vec((prop::sample::select(keys.to_vec()), super::json_value()), 1..4);
    (table, any::<bool>()).prop_map(|(mut table, ignore_case)| {
        table.sort_by_key(|(key, _)| *key);
        table.dedup_by_key(|(key, _)| *key);
        Lookup { table: table.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(), ignore_case }
    })
}

/// A part of a text, unless nothing is left of it.
fn given(part: &str, trim: bool) -> Option<&str> {
    let part = if trim { part.trim_matches(is_space) } else { part };
    (!trim || !part.is_empty()).then_some(part)
}
