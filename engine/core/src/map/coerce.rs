//! Declared fields: the written JSON of a value is turned to the kind that its field holds, on bytes, where it stands.
//!
//! | field | takes besides its own kind |
//! |---|---|
//! | text | numbers, with all their digits, and true and false |
//! | number | text that is a number (blank text is 0), true and false as 1 and 0 |
//! | whole number | the same, without a fraction |
//! | true or false | `"true"`, `"false"`, 1, 0 |
//! | moment | text that can be read as one, and numbers: both as they are |
//! | object | nothing; with declared members, and unless it is open, the others are dropped, and these are turned to their kinds |
//! | several | one value, as a list of one |
//!
//! A list of one scalar is that scalar. Null is as good as missing unless the field allows it; so is `""` unless the field holds
//! text or a moment. A value that cannot be turned makes its record fail (`wrong_type`), and so does one that is missing where it
//! is required, of every record or of such a one (`missing_field`), is none of the choices (`wrong_choice`), has not the form that is asked for (`wrong_format`), or is too
//! small or too large (`out_of_range`).
//!
//! Nearly every value is of its kind already, which its first byte tells; nothing is copied then. The members of an object that the
//! mapping draws are turned one by one as they are written, and constants once, when the mapping is compiled.

use outflow_contract::destination::{Field, FieldKind, Format, RequiredIf};
use outflow_contract::outcome::Rejection;
use outflow_contract::{Error, Result};

mod demands;
mod kinds;

pub(crate) use demands::{demands, unmet};
use kinds::quoted;

use super::bind::Bound;
use super::compile::Node;
use super::json::{Piece, kind_of, unescaped};
use super::moment::is_moment;
use super::output::Output;
use super::scan::{Problem, Scanner};
use super::value::{Written, key_prefix};

/// A declared field.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    name: String,
    /// `,"name":`.
    prefix: Vec<u8>,
    /// From the payload's root, for messages: `location.latitude`.
    path: String,
    kind: FieldKind,
    multiple: bool,
    required: bool,
    required_if: Option<RequiredIf>,
    allow_null: bool,
    choices: Vec<String>,
    format: Option<Format>,
    /// Of a number, or of the characters of a text.
    minimum: Option<f64>,
    maximum: Option<f64>,
    members: Vec<Wanted>,
    /// Other members go along.
    open: bool,
}

/// The payload `node` with its members turned to the kinds of `fields`.
pub(crate) fn payload(fields: &[Field], node: Node) -> Result<Node> {
    match node {
        Node::Object(members) => Ok(object(&all(fields, ""), false, members)),
        _ => Err(Error::bug("the payload of an action with fields is no object of them")),
    }
}

fn all(fields: &[Field], parent: &str) -> Vec<Wanted> {
    // Constants go to the destination's settings, and are no part of any payload.
    fields.iter().filter(|field| !field.constant).map(|field| Wanted::new(field, parent)).collect()
}

/// Members that the mapping draws. Those that are not declared are dropped, unless the object is open.
fn object(fields: &[Wanted], open: bool, members: Vec<(Vec<u8>, Node)>) -> Node {
    let mut drawn: Vec<(Vec<u8>, Node)> = Vec::with_capacity(members.len());
    for (prefix, value) in members {
        if let Some(field) = fields.iter().find(|field| field.prefix == prefix) {
            drawn.push((prefix, field.over(value)));
        } else if open {
            drawn.push((prefix, value));
        }
    }
    for field in fields.iter().filter(|field| field.required) {
        if drawn.iter().all(|(other, _)| *other != field.prefix) {
            drawn.push((field.prefix.clone(), field.over(Node::Missing)));
        }
    }
    Node::Object(drawn)
}

/// Appends the value turned to its kind. False if it is missing, or fails the record.
pub(crate) fn write<'a>(wanted: &Wanted, value: &Bound<'a>, i: usize, out: &mut Output<'a>) -> bool {
    let start = out.buf.len();
    if value.write(i, out) {
        if !wanted.allow_null && out.buf[start..] == *b"null" {
            out.buf.truncate(start);
            return wanted.is_missing(out);
        }
        if wanted.fits(&out.buf[start..]) {
            return true;
        }
        match wanted.turn(out, start) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(Rejection { code, message }) => {
                out.fail(&code, || message);
                return false;
            }
        }
    }
    wanted.is_missing(out)
}

impl Wanted {
    /// What the field holds.
    pub(crate) fn kind(&self) -> FieldKind {
        self.kind
    }

    /// Its name, from the payload's root.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What it takes, in words.
    pub(crate) fn noun(&self) -> &'static str {
        match self.kind {
            FieldKind::String => "text",
            FieldKind::Number => "a number",
            FieldKind::Integer => "a whole number",
            FieldKind::Boolean => "true or false",
            FieldKind::Datetime => "a moment",
            FieldKind::Object => "an object",
            FieldKind::StringOrObject => "text or an object",
        }
    }

    /// It is a list of them.
    pub(crate) fn is_multiple(&self) -> bool {
        self.multiple
    }

    fn new(field: &Field, parent: &str) -> Self {
        let path = format!("{parent}{}", field.name);
        Self {
            name: field.name.clone(),
            prefix: key_prefix(&field.name),
            kind: field.kind,
            multiple: field.multiple,
            required: field.required,
            required_if: field.required_if.clone().filter(|_| !field.required),
            allow_null: field.allow_null,
            choices: field.choices.clone(),
            format: field.format,
            minimum: field.limits().0,
            maximum: field.limits().1,
            members: if field.untouched { Vec::new() } else { all(&field.properties, &format!("{path}.")) },
            open: field.open,
            path,
        }
    }

    /// `value`, turned to this kind whenever it is written; at once if it is a constant.
    fn over(&self, value: Node) -> Node {
        match value {
            Node::Object(members) if self.draws() => object(&self.members, self.open, members),
            Node::Literal(text) => {
                let mut turned = Vec::with_capacity(text.len());
                let known = std::str::from_utf8(&text).ok().map(|text| self.convert(text, &mut turned));
                match known {
                    Some(Ok(true)) => Node::Literal(turned),
                    Some(Ok(false)) if !self.required => Node::Missing,
                    // It fails every record, and each of them says so.
                    _ => self.typed(Node::Literal(text)),
                }
            }
            value => self.typed(value),
        }
    }

    /// Can an object be turned member by member, as it is drawn? Not where one member depends on another.
    fn draws(&self) -> bool {
        let independent = self.members.iter().all(|member| member.required_if.is_none());
        independent && !self.members.is_empty() && !self.multiple && self.takes_objects()
    }

    fn typed(&self, value: Node) -> Node {
        Node::Typed { wanted: Box::new(self.clone()), value: Box::new(value) }
    }

    fn takes_objects(&self) -> bool {
        matches!(self.kind, FieldKind::Object | FieldKind::StringOrObject)
    }

    fn is_text(&self) -> bool {
        matches!(self.kind, FieldKind::String | FieldKind::Datetime | FieldKind::StringOrObject)
    }

    /// Is this JSON what the field wants, as it stands? May say no where a closer look says yes.
    fn fits(&self, json: &[u8]) -> bool {
        if self.multiple || self.is_checked() {
            return false;
        }
        match (self.kind, json) {
            (FieldKind::String | FieldKind::StringOrObject, [b'"', ..])
            | (FieldKind::Number | FieldKind::Datetime, [b'-' | b'0'..=b'9', ..])
            | (FieldKind::Boolean, [b't' | b'f', ..]) => true,
            (FieldKind::Integer, [b'-', digits @ ..] | digits) => digits.iter().all(u8::is_ascii_digit),
            (FieldKind::Datetime, [b'"', text @ .., b'"']) => std::str::from_utf8(text).is_ok_and(is_moment),
            (FieldKind::Object | FieldKind::StringOrObject, [b'{', ..]) => self.members.is_empty(),
            _ => false,
        }
    }

    /// Does it want what is so, whatever the value?
    pub(crate) fn fits_all(&self, written: Written) -> bool {
        if self.multiple || self.is_checked() {
            return false;
        }
        match self.kind {
            FieldKind::String | FieldKind::StringOrObject => matches!(written, Written::Text | Written::Moment),
            FieldKind::Number => matches!(written, Written::Number | Written::Whole),
            FieldKind::Integer => written == Written::Whole,
            FieldKind::Boolean => written == Written::Boolean,
            FieldKind::Datetime => matches!(written, Written::Moment | Written::Number | Written::Whole),
            FieldKind::Object => false,
        }
    }

    /// There is no value. False; the record fails if the field is required.
    fn is_missing(&self, out: &mut Output<'_>) -> bool {
        if self.required {
            out.fail("missing_field", || self.missing().message);
        }
        false
    }

    /// Turns the value that ends the buffer. Ok(false): it is as good as missing, and gone.
    #[cold]
    fn turn(&self, out: &mut Output<'_>, start: usize) -> Result<bool, Rejection> {
        out.rewrite(start, |json, out| self.convert(json, &mut out.buf))
    }

    /// Appends `text`, a JSON value, turned to this kind. Ok(false): it is as good as missing, and nothing is appended.
    fn convert(&self, text: &str, buf: &mut Vec<u8>) -> Result<bool, Rejection> {
        if text == "null" {
            if self.allow_null {
                buf.extend_from_slice(b"null");
            }
            return Ok(self.allow_null);
        }
        if text == "\"\"" && (self.multiple || !self.is_text()) {
            return Ok(false);
        }
        if !self.multiple {
            return self.single(text, buf).map(|()| true);
        }
        buf.push(b'[');
        if text.starts_with('[') {
            let start = buf.len();
            for item in self.items(text)? {
                if item.text() == "null" || (item.text() == "\"\"" && !self.is_text()) {
                    continue;
                }
                if buf.len() > start {
                    buf.push(b',');
                }
                self.single(item.text(), buf)?;
            }
        } else {
            self.single(text, buf)?;
        }
        buf.push(b']');
        Ok(true)
    }

    fn items<'t>(&self, text: &'t str) -> Result<impl Iterator<Item = Piece<'t>>, Rejection> {
        Piece::parse(text).map(Piece::items).map_err(|_| self.wrong(kind_of(text)))
    }

    /// One value that is neither null nor as good as missing.
    fn single(&self, text: &str, buf: &mut Vec<u8>) -> Result<(), Rejection> {
        let start = buf.len();
        let is_object = text.starts_with('{');
        if text.starts_with('[') {
            let mut items = self.items(text)?;
            return match (items.next(), items.next()) {
                (Some(one), None) if !one.text().starts_with(['[', '{', 'n']) => self.single(one.text(), buf),
                _ => Err(self.wrong("a list")),
            };
        }
        match self.kind {
            _ if is_object && self.takes_objects() => self.object(text, buf)?,
            FieldKind::String | FieldKind::StringOrObject if !is_object => quoted(text, buf),
            FieldKind::Number => buf.extend_from_slice(self.number(text)?.as_bytes()),
            FieldKind::Integer => self.integer(text, buf)?,
            FieldKind::Boolean => buf.extend_from_slice(self.boolean(text)?.as_bytes()),
            FieldKind::Datetime => {
                self.moment(text)?;
                buf.extend_from_slice(text.as_bytes());
            }
            _ => return Err(self.wrong(kind_of(text))),
        }
        self.check(&buf[start..])
    }

    fn object(&self, text: &str, buf: &mut Vec<u8>) -> Result<(), Rejection> {
        if self.members.is_empty() {
            buf.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        let mut found = vec![false; self.members.len()];
        buf.push(b'{');
        let start = buf.len();
        let walked = walk(text, |key, value| {
            let (name, before) = (unescaped(key), buf.len());
            let Some(at) = self.members.iter().position(|member| *member.name == *name) else {
                if self.open {
                    let comma = if before == start { "" } else { "," };
                    buf.extend_from_slice(format!("{comma}\"{key}\":{value}").as_bytes());
                }
                return Ok(());
            };
            let member = &self.members[at];
            buf.extend_from_slice(&member.prefix[usize::from(before == start)..]);
            if member.convert(value, buf)? {
                found[at] = true;
            } else {
                buf.truncate(before);
            }
            Ok(())
        });
        walked.map_err(|_| self.wrong(kind_of(text)))??;
        buf.push(b'}');
        let missing = self.members.iter().zip(&found).find(|(member, found)| member.required && !**found);
        if let Some((member, _)) = missing {
            return Err(member.missing());
        }
        let written = std::str::from_utf8(&buf[start - 1..]).unwrap_or_default();
        unmet(&self.members, written).map_or(Ok(()), Err)
    }

    #[cold]
    fn wrong(&self, came: &str) -> Rejection {
        Rejection { code: "wrong_type".to_owned(), message: format!("field `{}` takes {}, and this is {came}", self.path, self.noun()) }
    }

    #[cold]
    fn missing(&self) -> Rejection {
        Rejection {
            code: "missing_field".to_owned(),
            message: format!("field `{}` is required, and this record has no value for it", self.path),
        }
    }
}

/// Goes over the members of an object: the outer error says that it is none, the inner one is that of `each`.
fn walk<'t>(text: &'t str, mut each: impl FnMut(&'t str, &'t str) -> Result<(), Rejection>) -> Result<Result<(), Rejection>, Problem> {
    let mut scanner = Scanner::new(text);
    scanner.open()?;
    scanner.space();
    while !scanner.take(b'}') {
        let key = scanner.key()?;
        let start = scanner.at;
        scanner.skip()?;
        if let Err(rejection) = each(key, scanner.since(start)) {
            return Ok(Err(rejection));
        }
        scanner.space();
        if scanner.take(b',') {
            scanner.space();
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests;
