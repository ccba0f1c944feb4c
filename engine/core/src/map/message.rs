//! A destination's message, woven into the mapping: instead of being written as an object of fields, read again and written as a message,
//! the fields are written where the message has them.
//!
//! ```text
//! mapping   { user_id: $.id, traits: { plan: $.plan } }
//! message   { "type": "identify", "userId": filled(user_id), "traits": object(traits) or {} }
//! together  { "type": "identify", "userId": filled($.id), "traits": { plan: $.plan } }
//! ```
//!
//! What a message refuses is refused here in the same words. Where a record has several faults, the first in the order of the message is
//! told.

use std::collections::{HashMap, HashSet};

use outflow_contract::outcome::Rejection;
use outflow_contract::template::{Member, Template};

use super::bind::Bound;
use super::call::{Work, write_arg};
use super::compile::Node;
use super::json::unescaped;
use super::output::Output;
use super::types::{self, Told};
use super::value::key_prefix;

/// The fields of a mapping, each to be taken once.
struct Fields(HashMap<String, Node>);

/// The message with these fields in it; the fields as they are if they are no object, or some are not in the message, or twice.
pub(super) fn weave(template: &Template, fields: Node) -> Result<Node, Box<Node>> {
    let Node::Object(members) = fields else { return Err(Box::new(fields)) };
    let names: Vec<String> = members.iter().map(|(prefix, _)| types::name(prefix)).collect();
    let taken = template.fields();
    let (known, wanted): (HashSet<&str>, HashSet<&str>) = (names.iter().map(String::as_str).collect(), taken.iter().copied().collect());
    if known.len() < names.len() || wanted.len() < taken.len() || !known.is_subset(&wanted) {
        return Err(Box::new(Node::Object(members)));
    }
    Ok(Fields(names.into_iter().zip(members.into_iter().map(|(_, node)| node)).collect()).node(template))
}

impl Fields {
    fn node(&mut self, template: &Template) -> Node {
        match template {
            Template::Constant(json) => Node::Literal(json.clone().into_bytes()),
            Template::RecordId => Node::RecordId,
            Template::Field(name) => over(Present, self.take(name)),
            Template::Filled(name) => over(Filled, self.take(name)),
            Template::Object(name) => match self.take(name) {
                object @ Node::Object(_) => object,
                other => over(AsObject { field: name }, other),
            },
            Template::First(several) => first(several.iter().map(|one| self.node(one)).collect()),
            Template::Needed(one, why) => call(Needed { why: why.clone() }, vec![self.node(one)]),
            Template::Members(members) => {
                let members = members.iter().map(|member| match member {
                    Member::One(name, one) => (key_prefix(name), self.node(one)),
                    Member::Any(several, why) => {
                        let names = several.iter().map(|(name, _)| key_prefix(name)).collect();
                        let args = several.iter().map(|(_, one)| self.node(one)).collect();
                        // A comma without a name: the names are among the values.
                        (b",".to_vec(), call(AnyOf { names, why: why.clone() }, args))
                    }
                });
                Node::Object(members.collect())
            }
        }
    }

    fn take(&mut self, name: &str) -> Node {
        self.0.remove(name).unwrap_or(Node::Missing)
    }
}

fn call(work: impl Work + 'static, args: Vec<Node>) -> Node {
    Node::Call { work: Box::new(work), args }
}

/// Over what is missing there is nothing to do.
fn over(work: impl Work + 'static, value: Node) -> Node {
    if matches!(value, Node::Missing) { value } else { call(work, vec![value]) }
}

/// The first that there is. What is drawn or constant always is, and nothing after it counts.
fn first(several: Vec<Node>) -> Node {
    let mut some: Vec<Node> = several.into_iter().filter(|node| !matches!(node, Node::Missing)).collect();
    match some.first() {
        None => Node::Missing,
        Some(Node::Object(_) | Node::Literal(_) | Node::RecordId) => some.swap_remove(0),
        Some(_) => call(First, some),
    }
}

/// Appends the argument's value, unless it is null.
fn write_present<'a>(args: &[Bound<'a>], at: usize, i: usize, out: &mut Output<'a>) -> bool {
    let start = out.buf.len();
    let present = write_arg(args, at, i, out) && out.buf[start..] != *b"null";
    if !present {
        out.buf.truncate(start);
    }
    present
}

fn refuse(out: &mut Output<'_>, why: &Rejection) -> bool {
    out.fail(&why.code, || why.message.clone());
    false
}

#[derive(Debug)]
struct Present;

impl Work for Present {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        write_present(args, 0, i, out)
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.first()?.clone()
    }
}

#[derive(Debug)]
struct Filled;

impl Work for Filled {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        let filled = write_present(args, 0, i, out) && !is_blank(&out.buf[start..]);
        if !filled {
            out.buf.truncate(start);
        }
        filled
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.first()?.clone()
    }
}

/// Is this JSON text of nothing but whitespace?
fn is_blank(json: &[u8]) -> bool {
    match json {
        // Nearly always the first character tells.
        [b'"', b'!' | b'#'..=b'[' | b']'..=b'~', ..] => false,
        [b'"', content @ .., b'"'] => unescaped(std::str::from_utf8(content).unwrap_or_default()).trim().is_empty(),
        _ => false,
    }
}

#[derive(Debug)]
struct AsObject {
    field: &'static str,
}

impl Work for AsObject {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        if !write_present(args, 0, i, out) {
            return false;
        }
        if out.buf[start..].starts_with(b"{") {
            return true;
        }
        out.buf.truncate(start);
        out.fail("wrong_type", || format!("field `{}` is no object", self.field));
        false
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.first()?.clone()
    }
}

#[derive(Debug)]
struct First;

impl Work for First {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        (0..args.len()).any(|at| write_arg(args, at, i, out))
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.iter().cloned().fold(None, Told::either)
    }
}

#[derive(Debug)]
struct Needed {
    why: Rejection,
}

impl Work for Needed {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        write_arg(args, 0, i, out) || refuse(out, &self.why)
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.first()?.clone()
    }
}

/// Members with their names, without braces.
#[derive(Debug)]
struct AnyOf {
    /// `,"name":`, each.
    names: Vec<Vec<u8>>,
    why: Rejection,
}

impl Work for AnyOf {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        for (at, name) in self.names.iter().enumerate() {
            let before = out.buf.len();
            out.buf.extend_from_slice(&name[usize::from(before == start)..]);
            if !write_arg(args, at, i, out) {
                out.buf.truncate(before);
            }
        }
        out.buf.len() > start || refuse(out, &self.why)
    }

    fn told(&self, _args: &[Option<Told>]) -> Option<Told> {
        Some(Told::Any)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use outflow_contract::expr::{Expr, Path};
    use outflow_contract::limits::Limits;
    use outflow_contract::template::Message;
    use outflow_contract::{Op, RecordId};

    use super::super::{Mapper, SentBy};
    use super::*;

    fn rejection(code: &str) -> Rejection {
        Rejection { code: code.to_owned(), message: String::new() }
    }

    fn message() -> Message {
        let who = vec![("userId", Template::Filled("user")), ("anonymousId", Template::Filled("anonymous"))];
        let members = vec![
            Template::Constant("\"identify\"".to_owned()).named("type"),
            Member::Any(who, rejection("nobody")),
            Template::Filled("name").or_refused(rejection("nameless")).named("name"),
            Template::Filled("message").or(Template::RecordId).named("messageId"),
            Template::Members(vec![Template::Field("plan").named("plan")]).named("context"),
            Template::Object("traits").or(Template::Constant("{}".to_owned())).named("traits"),
        ];
        Message { template: Template::Members(members), bytes_max: 200, too_large: |_| rejection("too_large") }
    }

    /// The messages of three records whose fields are the columns `a`, `b` and so on, or why there are none.
    fn written(fields: &[(&str, Expr)]) -> Vec<Result<String, String>> {
        let texts = |texts: [Option<&str>; 3]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
        let columns: [(&str, ArrayRef); 4] = [
            ("id", Arc::new(Int64Array::from(vec![7, 8, 9]))),
            ("a", texts([Some("x"), Some(" \t"), None])),
            ("b", texts([Some("y"), Some("z"), Some("")])),
            ("c", texts([None, Some("\u{a0}é\""), Some("last")])),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
        let expr = Expr::Object(fields.iter().map(|(name, expr)| ((*name).to_owned(), expr.clone())).collect());
        let mapper = Mapper::compile_as(Some(message()), &expr, None, &batch.schema(), &["id".to_owned()], &Limits::default()).unwrap();
        assert!(mapper.writes_messages());
        let ids = [RecordId(1), RecordId(u128::MAX), RecordId(0xabc)];
        let mapped = mapper.map_with_ids(&batch, &[Op::Added; 3], &ids, &SentBy::default(), &[0, 1, 2]).unwrap();
        let mut all = vec![Err(String::new()); 3];
        let mut start = 0;
        for (row, end) in mapped.rows.iter().zip(&mapped.ends) {
            all[*row as usize] = Ok(String::from_utf8(mapped.bytes[start..*end].to_vec()).unwrap());
            start = *end;
        }
        mapped.failed.into_iter().for_each(|failed| all[failed.row as usize] = Err(failed.rejection.code));
        all
    }

    fn path(column: &str) -> Expr {
        Expr::Path(Path::parse(column))
    }

    #[test]
    fn fields_are_written_where_the_message_has_them_and_what_is_blank_is_left_out() {
        let traits = Expr::Object(vec![("c".to_owned(), path("c"))]);
        let all = written(&[("traits", traits), ("plan", path("c")), ("name", path("id")), ("user", path("a")), ("anonymous", path("b"))]);
        let (first, second) = ("0".repeat(31) + "1", "f".repeat(32));
        let expected = [
            Ok(format!(
                r#"{{"type":"identify","userId":"x","anonymousId":"y","name":7,"messageId":"{first}","context":{{}},"traits":{{"c":null}}}}"#
            )),
            Ok(format!(
                r#"{{"type":"identify","anonymousId":"z","name":8,"messageId":"{second}","context":{{"plan":"{c}"}},"traits":{{"c":"{c}"}}}}"#,
                c = "\u{a0}é\\\"",
            )),
            Err("nobody".to_owned()),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn what_a_message_needs_refuses_the_records_without_it() {
        let with = |name: &str, message: &str| written(&[("user", path("id")), ("name", path(name)), ("message", path(message))]);
        let codes = |all: Vec<Result<String, String>>| all.into_iter().map(Result::err).collect::<Vec<_>>();
        assert_eq!(codes(with("c", "a")), [Some("nameless".to_owned()), None, None]);
        assert_eq!(
            with("b", "a")[0].as_ref().unwrap(),
            r#"{"type":"identify","userId":7,"name":"y","messageId":"x","context":{},"traits":{}}"#
        );
        let long = Expr::Literal("x".repeat(200).into());
        assert_eq!(codes(written(&[("user", path("id")), ("name", long)])), vec![Some("too_large".to_owned()); 3]);
        let wrong = [("user", path("id")), ("name", path("id")), ("traits", path("b"))];
        assert_eq!(codes(written(&wrong)), vec![Some("wrong_type".to_owned()); 3]);
        assert_eq!(codes(written(&[("name", path("id"))])), vec![Some("nobody".to_owned()); 3]);
    }

    #[test]
    fn fields_that_the_message_does_not_have_are_left_to_the_destination() {
        let template = message().template;
        let fields = |names: &[&str]| Node::Object(names.iter().map(|name| (key_prefix(name), Node::Op)).collect());
        assert!(weave(&template, fields(&["user", "name"])).is_ok());
        assert!(weave(&template, fields(&["user", "other"])).is_err());
        assert!(weave(&template, fields(&["user", "user"])).is_err());
        assert!(weave(&template, Node::Op).is_err());
        let twice = Template::First(vec![Template::Field("user"), Template::Filled("user")]);
        assert!(weave(&twice, fields(&["user"])).is_err());
    }
}
