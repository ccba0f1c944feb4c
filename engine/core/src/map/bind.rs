//! Nodes bound to the arrays of one batch: what writes the records.
//!
//! A bound node is asked for one index after another, and either appends a value to the output or is missing and appends
//! nothing. Inside a list the index is the item's, in the array of all items: the shape is bound to that array once, and
//! the lists' offsets say which of its values belong to a record.

use arrow::array::{Array, RecordBatch};
use jiff::Timestamp;
use outflow_contract::{Error, Op, RecordId, Result};

use super::call::Work;
use super::coerce::{self, Wanted};
use super::compile::{Asked, JsonFrom, JsonPlace, Node, Part, Place};
use super::directives::array_path::{Items, JsonItems};
use super::directives::condition::Choice;
use super::directives::template::BoundPart;
use super::directives::transform::Transform;
use super::directives::{array_path, case, condition, template, transform};
use super::json::Piece;
use super::layout::Ranges;
use super::output::Output;
use super::route::{End, Reached, Way};
use super::sequence::{self, Step};
use super::size;
use super::value::Column;
use super::write;

/// The batch, and what is the same for it all.
pub(crate) struct Input<'a> {
    pub(crate) batch: &'a RecordBatch,
    /// The operation of each record of the batch.
    pub(crate) ops: &'a [Op],
    /// The id of each, where somebody asks for it.
    pub(crate) record_ids: &'a [RecordId],
    /// The sync's id, as JSON.
    pub(crate) sync_id: &'a [u8],
    /// When the sync began.
    pub(crate) now: Timestamp,
    /// So many of its records are mapped that a look at the whole of a column pays.
    pub(crate) all: bool,
}

/// Where paths start.
#[derive(Clone, Copy)]
pub(crate) enum Root<'a> {
    Record,
    /// The items of this array.
    Items(&'a dyn Array),
    /// JSON text, which the output holds.
    Json,
}

/// A node, bound to a batch.
pub(crate) enum Bound<'a> {
    Literal(&'a [u8]),
    /// JSON that is the same for the whole batch.
    Same(Vec<u8>),
    Missing,
    Object(Vec<(&'a [u8], Bound<'a>)>),
    Array(Vec<Bound<'a>>),
    Op(&'a [Op]),
    RecordId(&'a [RecordId]),
    Value(Leaf<'a>),
    Json(JsonLeaf<'a>),
    Template(Vec<BoundPart<'a>>),
    If(Box<Choice<'a>>),
    Case(bool, Box<Bound<'a>>),
    Typed(&'a Wanted, Box<Bound<'a>>),
    Items(Box<Items<'a>>),
    JsonItems(Box<JsonItems<'a>>),
    Call(&'a dyn Work, Vec<Bound<'a>>),
    Transform(Box<Transform<'a>>),
    /// An object, a list or a template, woven.
    Sequence(Vec<Step<'a>>),
}

impl<'a> Bound<'a> {
    /// Binds `node`, whose paths start from `root`.
    pub(crate) fn bind(node: &'a Node, root: Root<'a>, input: &Input<'a>) -> Result<Self> {
        let boxed = |node: &'a Node| Self::bind(node, root, input).map(Box::new);
        let branch = |node: Option<&'a Node>| node.map(|node| Self::bind(node, root, input)).transpose();
        Ok(match node {
            Node::Literal(text) => Self::Literal(text),
            Node::Missing => Self::Missing,
            Node::Object(members) => {
                let members = members.iter().map(|(prefix, node)| Ok((prefix.as_slice(), Self::bind(node, root, input)?)));
                Self::Object(members.collect::<Result<_>>()?)
            }
            Node::Array(items) => Self::Array(items.iter().map(|node| Self::bind(node, root, input)).collect::<Result<_>>()?),
            Node::Op => Self::Op(input.ops),
            Node::RecordId => Self::RecordId(input.record_ids),
            Node::SyncId => Self::Literal(input.sync_id),
            Node::Now(writer) => {
                let mut json = Vec::new();
                writer.write(input.now, &mut json).ok_or_else(|| Error::invalid("`@now` cannot be written in this form"))?;
                Self::Same(json)
            }
            Node::Value(place) => Self::Value(Leaf::bind(place, root, input)?),
            Node::Json(json) => Self::Json(JsonLeaf::bind(json, root, input)?),
            Node::Template(parts) => {
                let parts = parts.iter().map(|part| {
                    Ok(match part {
                        Part::Text(text) => BoundPart::Text(text),
                        Part::Value(node) => BoundPart::Value(Self::bind(node, root, input)?),
                    })
                });
                Self::Template(parts.collect::<Result<_>>()?)
            }
            Node::If { test, then, otherwise } => {
                let (Asked::Exists(asked) | Asked::NotBlank(asked)) = test;
                Self::If(Box::new(Choice {
                    not_blank: matches!(test, Asked::NotBlank(_)),
                    asked: Self::bind(asked, root, input)?,
                    then: branch(then.as_deref())?,
                    otherwise: branch(otherwise.as_deref())?,
                }))
            }
            Node::Case { upper, value } => Self::Case(*upper, boxed(value)?),
            Node::Typed { wanted, value } => Self::Typed(wanted, boxed(value)?),
            Node::Items { place, shape } => {
                let (way, array) = way(place, root, input)?;
                let (ranges, items) = match place.route.end {
                    End::List => Ranges::of(array).map_or((None, array), |(ranges, items)| (Some(ranges), items)),
                    _ => (None, array),
                };
                let shape = sequence::weave(Self::bind(shape, Root::Items(items), input)?, input.all);
                let nulls = array.nulls();
                Self::Items(Box::new(Items { way, nulls, null_is_missing: place.route.null_is_missing, ranges, shape, name: &place.name }))
            }
            Node::JsonItems { json, depth, shape } => {
                let json = JsonLeaf::bind(json, root, input)?;
                let shape = Self::bind(shape, Root::Json, input)?;
                Self::JsonItems(Box::new(JsonItems { json, depth: *depth, shape }))
            }
            Node::Transform { apply, mapping, sources } => {
                let (apply, mapping) = (Self::bind(apply, root, input)?, Self::bind(mapping, Root::Json, input)?);
                Self::Transform(Box::new(Transform { apply, mapping, sources }))
            }
            Node::Call { work, args } => {
                Self::Call(work.as_ref(), args.iter().map(|node| Self::bind(node, root, input)).collect::<Result<_>>()?)
            }
        })
    }

    /// Appends the value at index `i` as JSON, and returns true; or returns false if it is missing.
    pub(crate) fn write(&self, i: usize, out: &mut Output<'a>) -> bool {
        match self {
            Self::Value(leaf) => return leaf.write(i, out),
            Self::Literal(text) => out.buf.extend_from_slice(text),
            Self::Same(json) => out.buf.extend_from_slice(json),
            Self::Missing => return false,
            Self::Object(members) => write_object(members, i, out),
            Self::Array(items) => write_array(items, i, out),
            Self::Op(ops) => {
                out.buf.push(b'"');
                out.buf.extend_from_slice(ops[i].as_str().as_bytes());
                out.buf.push(b'"');
            }
            Self::RecordId(ids) => write::hexadecimal(&mut out.buf, &ids[i].0.to_be_bytes()),
            Self::Json(leaf) => return leaf.write(i, out),
            Self::Template(parts) => template::write(parts, i, out),
            Self::If(choice) => return condition::write(choice, i, out),
            Self::Case(upper, value) => return case::write(*upper, value, i, out),
            Self::Typed(wanted, value) => return coerce::write(wanted, value, i, out),
            Self::Items(items) => return array_path::write(items, i, out),
            Self::JsonItems(items) => return array_path::write_json(items, i, out),
            Self::Call(work, args) => return work.write(args, i, out),
            Self::Transform(transform) => return transform::write(transform, i, out),
            Self::Sequence(steps) => sequence::write(steps, i, out),
        }
        true
    }
}

fn write_object<'a>(members: &[(&'a [u8], Bound<'a>)], i: usize, out: &mut Output<'a>) {
    out.buf.push(b'{');
    let start = out.buf.len();
    for (prefix, member) in members {
        let before = out.buf.len();
        out.buf.extend_from_slice(&prefix[usize::from(before == start)..]);
        if !member.write(i, out) {
            out.buf.truncate(before);
        }
    }
    out.buf.push(b'}');
}

fn write_array<'a>(items: &[Bound<'a>], i: usize, out: &mut Output<'a>) {
    out.buf.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.buf.push(b',');
        }
        if !item.write(i, out) {
            out.null();
        }
    }
    out.buf.push(b']');
}

/// The way of a place, and the array at its end.
fn way<'a>(place: &'a Place, root: Root<'a>, input: &Input<'a>) -> Result<(Way<'a>, &'a dyn Array)> {
    let array = match root {
        Root::Items(items) => items,
        Root::Record | Root::Json => &**input.batch.column(place.column),
    };
    Way::bind(array, &place.route)
}

/// A value in Arrow arrays, bound.
pub(crate) struct Leaf<'a> {
    way: Way<'a>,
    column: Column<'a>,
    end: &'a End,
    null_is_missing: bool,
    name: &'a str,
}

impl<'a> Leaf<'a> {
    fn bind(place: &'a Place, root: Root<'a>, input: &Input<'a>) -> Result<Self> {
        let (way, array) = way(place, root, input)?;
        let column = Column::bind(array, place.json, &place.name)?;
        Ok(Self { way, column, end: &place.route.end, null_is_missing: place.route.null_is_missing, name: &place.name })
    }

    /// Where the value is: [`Reached::At`] only if there is one and it is not null.
    pub(crate) fn reach(&self, i: usize, out: &mut Output<'a>) -> Reached {
        let reached = self.way.reach(i, out);
        let Reached::At(i) = reached else { return reached };
        if self.column.is_null(i) {
            return if self.null_is_missing { Reached::Missing } else { Reached::Null };
        }
        match self.end {
            End::Nothing => Reached::Missing,
            End::Beyond if !self.column.is_falsy(i, out) => Reached::Missing,
            _ => Reached::At(i),
        }
    }

    /// The plain text there, if it is such; its size is checked.
    pub(crate) fn text(&self, i: usize, out: &mut Output<'a>) -> Option<&'a str> {
        let text = self.column.text(i)?;
        out.limit_value(self.name, text.len() + 2);
        Some(text)
    }

    /// Is the value there `0`, `false` or `""`? Only for an index that [`Self::reach`] gave.
    pub(crate) fn is_falsy(&self, i: usize, out: &mut Output<'a>) -> bool {
        matches!(self.end, End::Text | End::Scalar | End::Beyond) && self.column.is_falsy(i, out)
    }

    /// Is the value there anything but `null` as JSON? `None` if that is only seen when it is written. Only for an index that
    /// [`Self::reach`] gave.
    pub(crate) fn is_there(&self, i: usize, out: &Output<'a>) -> Option<bool> {
        // A value that is too large fails its record, which is seen when it is written.
        if out.value_bytes_max() < size::SCALAR_BYTES_MAX { None } else { self.column.is_there(i) }
    }

    /// Is the value at every index that of the column there, or null?
    pub(crate) fn is_direct(&self) -> bool {
        self.way.is_none() && !self.null_is_missing && !matches!(self.end, End::Nothing | End::Beyond)
    }

    /// The column at its end, with the name that messages give it.
    pub(crate) fn column(&self) -> (&Column<'a>, &'a str) {
        (&self.column, self.name)
    }

    /// The same for good.
    pub(crate) fn into_column(self) -> (Column<'a>, &'a str) {
        (self.column, self.name)
    }

    /// Is it plain text?
    pub(crate) fn is_text(&self) -> bool {
        *self.end == End::Text
    }

    /// Appends the value at an index that [`Self::reach`] gave.
    pub(crate) fn write_at(&self, i: usize, out: &mut Output<'a>) {
        let start = out.buf.len();
        self.column.write(i, out);
        let bytes = out.buf.len() - start;
        out.limit_value(self.name, bytes);
    }

    fn write(&self, i: usize, out: &mut Output<'a>) -> bool {
        match self.reach(i, out) {
            Reached::At(i) => self.write_at(i, out),
            Reached::Null => out.null(),
            Reached::Missing => return false,
        }
        true
    }
}

/// What a path finds in JSON text.
#[derive(Clone, Copy)]
pub(crate) enum Found<'a> {
    /// A JSON value, `null` among them.
    Piece(Piece<'a>),
    /// Null, where there was no text to look into.
    Null,
    Missing,
}

/// A value in JSON text, bound.
pub(crate) struct JsonLeaf<'a> {
    text: JsonText<'a>,
    source: usize,
    slot: usize,
}

enum JsonText<'a> {
    Column { way: Way<'a>, column: Column<'a>, null_is_missing: bool, name: &'a str },
    Item(usize),
}

impl<'a> JsonLeaf<'a> {
    fn bind(json: &'a JsonPlace, root: Root<'a>, input: &Input<'a>) -> Result<Self> {
        let text = match &json.from {
            JsonFrom::Item(depth) => JsonText::Item(*depth),
            JsonFrom::Arrow(place) => {
                let (way, array) = way(place, root, input)?;
                // As plain text: it is the walk that reads it as JSON.
                let column = Column::bind(array, false, &place.name)?;
                JsonText::Column { way, column, null_is_missing: place.route.null_is_missing, name: &place.name }
            }
        };
        Ok(Self { text, source: json.source, slot: json.slot })
    }

    /// Finds the value. Text that is no JSON makes the record fail.
    pub(crate) fn find(&self, i: usize, out: &mut Output<'a>) -> Found<'a> {
        let text = match &self.text {
            JsonText::Item(depth) => out.items.get(*depth).map(|item| item.text()),
            JsonText::Column { way, column, null_is_missing, name } => {
                let null = if *null_is_missing { Found::Missing } else { Found::Null };
                match way.reach(i, out) {
                    Reached::Null => return Found::Null,
                    Reached::Missing => return Found::Missing,
                    Reached::At(i) if column.is_null(i) => return null,
                    Reached::At(i) => {
                        let text = column.text(i);
                        out.limit_value(name, text.map_or(0, str::len));
                        text
                    }
                }
            }
        };
        text.and_then(|text| out.find(self.source, self.slot, text)).map_or(Found::Missing, Found::Piece)
    }

    fn write(&self, i: usize, out: &mut Output<'a>) -> bool {
        match self.find(i, out) {
            Found::Piece(piece) => piece.write(&mut out.buf),
            Found::Null => out.null(),
            Found::Missing => return false,
        }
        true
    }
}
