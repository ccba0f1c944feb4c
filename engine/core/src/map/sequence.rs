//! Objects, lists and templates, woven into one run of constant text and values.
//!
//! ```text
//! { userId: $.id, traits: { name: "{{first}} {{last}}", plan: pro } }
//!
//! {"userId":   id    ,"traits":{"name":"   first   ␠   last   ","plan":"pro"}}
//! ──constant── ───── ─────constant──────── ──────── ─ ──────── ────constant────
//! ```
//!
//! All that stands between two values is one text, which is copied at once: commas, names, braces, quotes, constants. A value that may
//! be missing takes its comma and name along; only where nothing before it in its object is certain does it ask whether it is the first.
//!
//! What is known of the whole batch is not asked for each of its records: that a column has no nulls, and no text to escape.

use arrow::buffer::NullBuffer;
use arrow::datatypes::TimeUnit;
use outflow_contract::Op;

use super::bind::{Bound, Leaf};
use super::block::Constant;
use super::directives::condition::Choice;
use super::directives::template::{self, BoundPart};
use super::output::Output;
use super::temporal;
use super::text::{Found, Texts};
use super::value::{Column, Written};

/// Constant text, and what comes after it.
pub(crate) struct Step<'a> {
    lead: Constant,
    act: Act<'a>,
}

enum Act<'a> {
    Nothing,
    /// Text, without quotes; nothing where it is null.
    Text(Text<'a>),
    /// Text without nulls and all of it ASCII, in upper or lower case, without quotes.
    Case(bool, Text<'a>),
    /// Moments without nulls, without quotes.
    Moment(&'a [i64], TimeUnit),
    /// The operation, without quotes.
    Op(&'a [Op]),
    /// A column without nulls.
    Column(Column<'a>, &'a str),
    /// Another value; null if it is missing, as an item of a list is then.
    Value(Bound<'a>),
    /// A part of a template.
    Part(Bound<'a>),
    /// A member that may be missing.
    Member(Box<Member<'a>>),
    /// A comma, unless what follows is the first in its object.
    Comma,
}

struct Text<'a> {
    texts: Texts<'a>,
    found: Found,
    nulls: Option<&'a NullBuffer>,
    name: &'a str,
}

struct Member<'a> {
    /// With a comma, unless it is known to be the first.
    prefix: Constant,
    /// The same without one, where it may be the first.
    bare: Option<Constant>,
    value: Bound<'a>,
}

/// What the objects, lists and templates of `bound` come to. `survey`: a look at whole columns pays.
pub(crate) fn weave(bound: Bound<'_>, survey: bool) -> Bound<'_> {
    match settled(bound) {
        drawn @ (Bound::Object(_) | Bound::Array(_) | Bound::Template(_)) => {
            let mut weaver = Weaver { steps: Vec::new(), text: Vec::new(), survey };
            weaver.value(drawn);
            if !weaver.text.is_empty() {
                weaver.act(Act::Nothing);
            }
            Bound::Sequence(weaver.steps)
        }
        Bound::If(choice) => {
            let Choice { not_blank, asked, then, otherwise } = *choice;
            let branch = |branch: Option<_>| branch.map(|branch| weave(branch, survey));
            Bound::If(Box::new(Choice { not_blank, asked, then: branch(then), otherwise: branch(otherwise) }))
        }
        Bound::Typed(wanted, value) => Bound::Typed(wanted, Box::new(weave(*value, survey))),
        other => other,
    }
}

/// Without a declared kind that all values of the batch have as they are.
fn settled(bound: Bound<'_>) -> Bound<'_> {
    let Bound::Typed(wanted, value) = bound else { return bound };
    let fits = match value.as_ref() {
        Bound::Value(leaf) if leaf.is_direct() => {
            let (column, _) = leaf.column();
            !column.has_nulls() && column.written().is_some_and(|written| wanted.fits_all(written))
        }
        Bound::Template(_) => wanted.fits_all(Written::Text),
        _ => false,
    };
    if fits { *value } else { Bound::Typed(wanted, value) }
}

/// Is there always a value?
fn is_certain(bound: &Bound<'_>) -> bool {
    match bound {
        Bound::Literal(_)
        | Bound::Same(_)
        | Bound::Object(_)
        | Bound::Array(_)
        | Bound::Template(_)
        | Bound::Op(_)
        | Bound::RecordId(_)
        | Bound::Sequence(_) => true,
        Bound::Value(leaf) => leaf.is_direct(),
        Bound::Case(_, value) => is_certain(value),
        Bound::If(choice) => [&choice.then, &choice.otherwise].into_iter().all(|branch| branch.as_ref().is_some_and(is_certain)),
        Bound::Missing
        | Bound::Json(_)
        | Bound::Typed(..)
        | Bound::Items(_)
        | Bound::JsonItems(_)
        | Bound::Call(..)
        | Bound::Transform(_) => false,
    }
}

/// What is known of the members that come before another in an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// There are none.
    None,
    /// There may be some.
    Perhaps,
    /// There is one.
    Some,
}

struct Weaver<'a> {
    steps: Vec<Step<'a>>,
    /// The text since the last of them.
    text: Vec<u8>,
    survey: bool,
}

impl<'a> Weaver<'a> {
    fn act(&mut self, act: Act<'a>) {
        self.steps.push(Step { lead: Constant::new(&std::mem::take(&mut self.text)), act });
    }

    /// A value between quotes.
    fn quoted(&mut self, act: Act<'a>) {
        self.text.push(b'"');
        self.act(act);
        self.text.push(b'"');
    }

    /// What is never missing.
    fn value(&mut self, value: Bound<'a>) {
        match value {
            Bound::Literal(text) => self.text.extend_from_slice(text),
            Bound::Same(json) => self.text.extend_from_slice(&json),
            Bound::Object(members) => self.object(members),
            Bound::Array(items) => self.list(items),
            Bound::Template(parts) => self.template(parts),
            Bound::Op(ops) => self.quoted(Act::Op(ops)),
            Bound::Value(leaf) if leaf.is_direct() && !leaf.column().0.has_nulls() => self.column(leaf),
            Bound::Case(upper, value) => match self.ascii(&value) {
                Some(text) => self.quoted(Act::Case(upper, text)),
                None => self.act(Act::Value(Bound::Case(upper, value))),
            },
            other => {
                let value = weave(other, self.survey);
                self.act(Act::Value(value));
            }
        }
    }

    /// A column without nulls.
    fn column(&mut self, leaf: Leaf<'a>) {
        let (column, name) = leaf.into_column();
        if let Some(texts) = column.texts() {
            let text = self.surveyed(texts, None, name);
            self.quoted(Act::Text(text));
        } else if let Some((values, unit)) = column.moments() {
            self.quoted(Act::Moment(values, unit));
        } else {
            self.act(Act::Column(column, name));
        }
    }

    fn surveyed(&self, texts: Texts<'a>, nulls: Option<&'a NullBuffer>, name: &'a str) -> Text<'a> {
        let found = if self.survey { texts.survey() } else { Found::Any };
        Text { texts, found, nulls, name }
    }

    /// The text, if it has no nulls and is all ASCII.
    fn ascii(&self, value: &Bound<'a>) -> Option<Text<'a>> {
        let Bound::Value(leaf) = value else { return None };
        let (column, name) = leaf.column();
        let texts = column.texts().filter(|_| leaf.is_direct() && !column.has_nulls())?;
        Some(self.surveyed(texts, None, name)).filter(|text| text.found == Found::Ascii)
    }

    fn list(&mut self, items: Vec<Bound<'a>>) {
        self.text.push(b'[');
        for (at, item) in items.into_iter().map(settled).enumerate() {
            if at > 0 {
                self.text.push(b',');
            }
            if is_certain(&item) {
                self.value(item);
            } else {
                let item = weave(item, self.survey);
                self.act(Act::Value(item));
            }
        }
        self.text.push(b']');
    }

    fn template(&mut self, parts: Vec<BoundPart<'a>>) {
        self.text.push(b'"');
        for part in parts {
            match part {
                BoundPart::Text(text) => self.text.extend_from_slice(text),
                BoundPart::Value(value) => self.part(value),
            }
        }
        self.text.push(b'"');
    }

    fn part(&mut self, value: Bound<'a>) {
        if let Bound::Value(leaf) = &value
            && leaf.is_direct()
        {
            let (column, name) = leaf.column();
            if let Some(texts) = column.texts() {
                let text = self.surveyed(texts, column.nulls(), name);
                return self.act(Act::Text(text));
            }
        }
        self.act(Act::Part(value));
    }

    fn object(&mut self, members: Vec<(&'a [u8], Bound<'a>)>) {
        self.text.push(b'{');
        let mut before = Before::None;
        for (prefix, member) in members {
            let (member, bare) = (settled(member), &prefix[1..]);
            if is_certain(&member) {
                if before == Before::Perhaps {
                    self.act(Act::Comma);
                }
                self.text.extend_from_slice(if before == Before::Some { prefix } else { bare });
                self.value(member);
                before = Before::Some;
            } else if !matches!(member, Bound::Missing) {
                let value = weave(member, self.survey);
                self.act(Act::Member(Box::new(Member {
                    prefix: Constant::new(if before == Before::None { bare } else { prefix }),
                    bare: (before == Before::Perhaps).then(|| Constant::new(bare)),
                    value,
                })));
                if before == Before::None {
                    before = Before::Perhaps;
                }
            }
        }
        self.text.push(b'}');
    }
}

/// Appends the values at index `i`.
pub(crate) fn write<'a>(steps: &[Step<'a>], i: usize, out: &mut Output<'a>) {
    for Step { lead, act } in steps {
        lead.write(&mut out.buf);
        match act {
            Act::Nothing => {}
            Act::Text(text) => text.write(i, out),
            Act::Case(upper, text) => {
                let start = out.buf.len();
                text.texts.write_case(i, *upper, &mut out.buf);
                text.limit(start, out);
            }
            Act::Moment(values, unit) => temporal::timestamp_text(&mut out.buf, values[i], *unit),
            Act::Op(ops) => out.buf.extend_from_slice(ops[i].as_str().as_bytes()),
            Act::Column(column, name) => {
                let start = out.buf.len();
                column.write_present(i, out);
                let bytes = out.buf.len() - start;
                out.limit_value(name, bytes);
            }
            Act::Value(value) => {
                if !value.write(i, out) {
                    out.null();
                }
            }
            Act::Part(value) => template::write_part(value, i, out),
            Act::Member(member) => member.write(i, out),
            Act::Comma => {
                if !is_first(&out.buf) {
                    out.buf.push(b',');
                }
            }
        }
    }
}

/// Does what follows stand first in its object? No value ends so.
fn is_first(buf: &[u8]) -> bool {
    buf.last() == Some(&b'{')
}

impl<'a> Text<'a> {
    #[inline]
    fn write(&self, i: usize, out: &mut Output<'a>) {
        if self.nulls.is_some_and(|nulls| nulls.is_null(i)) {
            return;
        }
        let start = out.buf.len();
        self.texts.write(i, self.found, &mut out.buf);
        self.limit(start, out);
    }

    /// Checks the size of what was just written, with its quotes.
    #[inline]
    fn limit(&self, start: usize, out: &mut Output<'a>) {
        let bytes = out.buf.len() - start + 2;
        out.limit_value(self.name, bytes);
    }
}

impl<'a> Member<'a> {
    fn write(&self, i: usize, out: &mut Output<'a>) {
        let before = out.buf.len();
        let prefix = self.bare.as_ref().filter(|_| is_first(&out.buf)).unwrap_or(&self.prefix);
        prefix.write(&mut out.buf);
        if !self.value.write(i, out) {
            out.buf.truncate(before);
        }
    }
}
