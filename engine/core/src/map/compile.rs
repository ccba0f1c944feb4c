//! From an expression to nodes: names become columns and routes, constants become JSON text, JSON paths become slots.
//!
//! Everything that depends only on the schema is decided here, so that nothing of it is asked again for a record.

use arrow::datatypes::{DataType, Schema, SchemaRef};
use outflow_contract::expr::{Expr, Function, OP, Own, Path, RESERVED_ROOTS, SEGMENT_ID, SYNC_ID, TemplatePart, Test};
use outflow_contract::limits::Limits;
use outflow_contract::{Error, Result};
use serde_json::Value;

use super::call::{self, Work};
use super::coerce::Wanted;
use super::directives::{case, date};
use super::json::Trie;
use super::output::JsonSource;
use super::route::{End, Route, Step, Typed};
use super::value::key_prefix;
use super::write;

/// The most nodes of a mapping: a transform inside another can double what is in it each time.
const NODES_MAX: usize = 100_000;
/// How many column names an error lists.
const NAMES_SHOWN_MAX: usize = 12;

/// A compiled expression.
#[derive(Debug)]
pub(crate) enum Node {
    /// JSON text as it stands.
    Literal(Vec<u8>),
    /// Always missing.
    Missing,
    /// Members, each with its prefix (`,"name":`).
    Object(Vec<(Vec<u8>, Node)>),
    Array(Vec<Node>),
    Op,
    /// The record's id, where a destination deduplicates by it.
    RecordId,
    SyncId,
    /// When the sync began, in a form.
    Now(date::Writer),
    Value(Place),
    Json(JsonPlace),
    Template(Vec<Part>),
    If {
        test: Asked,
        then: Option<Box<Node>>,
        otherwise: Option<Box<Node>>,
    },
    Case {
        upper: bool,
        value: Box<Node>,
    },
    /// A declared field: the value in its kind.
    Typed {
        wanted: Box<Wanted>,
        value: Box<Node>,
    },
    /// `@arrayPath` over a list, or over an object as if it were a list of one.
    Items {
        place: Place,
        shape: Box<Node>,
    },
    /// The same over JSON text, which tells only at run time what it is.
    JsonItems {
        json: JsonPlace,
        depth: usize,
        shape: Box<Node>,
    },
    /// A value worked out from others.
    Call {
        work: Box<dyn Work>,
        args: Vec<Node>,
    },
    /// A mapping of a value that is written out to be read again.
    Transform {
        apply: Box<Node>,
        mapping: Box<Node>,
        /// Those of the mapping.
        sources: Vec<JsonSource>,
    },
}

/// The question of an `@if`.
#[derive(Debug)]
pub(crate) enum Asked {
    Exists(Box<Node>),
    NotBlank(Box<Node>),
}

/// A piece of a template.
#[derive(Debug)]
pub(crate) enum Part {
    /// Text, already escaped.
    Text(Vec<u8>),
    Value(Node),
}

/// A value in Arrow arrays.
#[derive(Debug)]
pub(crate) struct Place {
    /// The column's index; of no meaning where the root is an item.
    pub(crate) column: usize,
    pub(crate) route: Route,
    /// The type at the route's end.
    pub(crate) data_type: DataType,
    /// Text at the route's end is JSON.
    pub(crate) json: bool,
    /// For messages: the column, or the list with `[]` and what lies in it.
    pub(crate) name: String,
}

/// A value in JSON text.
#[derive(Debug)]
pub(crate) struct JsonPlace {
    pub(crate) from: JsonFrom,
    /// Which of the mapper's sources.
    pub(crate) source: usize,
    /// Which of the source's values.
    pub(crate) slot: usize,
}

/// Where JSON text comes from.
#[derive(Debug)]
pub(crate) enum JsonFrom {
    /// From Arrow arrays.
    Arrow(Place),
    /// It is the item under way of the JSON list at this depth.
    Item(usize),
}

/// What the root of a path is.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'s> {
    /// The record.
    Record,
    /// An item in Arrow arrays.
    Item { typed: Typed<'s>, name: &'s str, id: usize },
    /// An item of JSON text.
    Json { depth: usize, name: &'s str, id: usize },
    /// What an expression gives, which starts from another scope.
    Applied { apply: &'s Expr, outer: &'s Scope<'s> },
}

impl Scope<'_> {
    /// How many JSON lists are under way.
    fn lists(self) -> usize {
        match self {
            Self::Record | Self::Item { .. } => 0,
            Self::Json { depth, .. } => depth + 1,
            Self::Applied { outer, .. } => outer.lists(),
        }
    }
}

/// A JSON source is one place: the scope, the column and the way to it.
type SourceKey = (usize, usize, Vec<Step>);

/// The JSON sources outside a transform's text.
pub(crate) struct Outside(Vec<JsonSource>, Vec<SourceKey>);

/// What compiling gathers.
pub(crate) struct Compiler<'s> {
    schema: &'s SchemaRef,
    id: &'s [String],
    limits: &'s Limits,
    sources: Vec<JsonSource>,
    source_keys: Vec<SourceKey>,
    scopes: usize,
    nodes: usize,
    columns: Vec<usize>,
    /// The way in the mapping to what is compiled, for messages.
    place: Vec<String>,
}

impl<'s> Compiler<'s> {
    pub(crate) fn new(schema: &'s SchemaRef, id: &'s [String], limits: &'s Limits) -> Self {
        Self {
            schema,
            id,
            limits,
            sources: Vec::new(),
            source_keys: Vec::new(),
            scopes: 0,
            nodes: 0,
            columns: Vec::new(),
            place: Vec::new(),
        }
    }

    /// Compiles the payload.
    pub(crate) fn root(&mut self, expr: &Expr) -> Result<Node> {
        self.node(expr, Scope::Record)
    }

    /// Compiles the identifier: the column's value, or an object of columns where there are several.
    pub(crate) fn identifier(&mut self) -> Result<Node> {
        self.path(&Path { segments: vec![SEGMENT_ID.to_owned()] }, Scope::Record)
    }

    /// The JSON sources, and the columns that are read, sorted.
    pub(crate) fn finish(mut self) -> (Vec<JsonSource>, Vec<usize>) {
        self.columns.sort_unstable();
        self.columns.dedup();
        (self.sources, self.columns)
    }

    /// Goes into a text that has JSON sources of its own.
    pub(crate) fn enter(&mut self) -> Outside {
        Outside(std::mem::take(&mut self.sources), std::mem::take(&mut self.source_keys))
    }

    /// Leaves it. Returns its sources.
    pub(crate) fn leave(&mut self, outside: Outside) -> Vec<JsonSource> {
        self.source_keys = outside.1;
        std::mem::replace(&mut self.sources, outside.0)
    }

    pub(crate) fn node(&mut self, expr: &Expr, scope: Scope<'_>) -> Result<Node> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!("the mapping comes to more than {NODES_MAX} parts, counting those that `@transform` makes of it");
            return Err(Error::invalid(message).remedy("use fewer transforms inside one another"));
        }
        Ok(match expr {
            Expr::Literal(value) => literal(value),
            Expr::Object(members) => {
                let members = members.iter().map(|(name, expr)| {
                    self.place.push(name.clone());
                    let node = self.node(expr, scope);
                    self.place.pop();
                    Ok((key_prefix(name), node?))
                });
                Node::Object(members.collect::<Result<_>>()?)
            }
            Expr::Array(items) => Node::Array(items.iter().map(|item| self.node(item, scope)).collect::<Result<_>>()?),
            Expr::Path(path) => self.path(path, scope)?,
            Expr::Template(parts) => {
                let parts = parts.iter().map(|part| {
                    Ok(match part {
                        TemplatePart::Text(text) => {
                            let mut escaped = Vec::new();
                            write::escaped(&mut escaped, text);
                            Part::Text(escaped)
                        }
                        TemplatePart::Value(path) => Part::Value(self.path(path, scope)?),
                    })
                });
                Node::Template(parts.collect::<Result<_>>()?)
            }
            Expr::If { test, then, otherwise } => {
                let test = self.asked(test, scope)?;
                Node::If { test, then: self.branch(then.as_deref(), scope)?, otherwise: self.branch(otherwise.as_deref(), scope)? }
            }
            Expr::Case { upper, value } => case::compile(*upper, self.node(value, scope)?),
            Expr::ArrayPath { root, shape } => match shape.as_deref() {
                // An empty shape asks for the items whole, too.
                None => self.path(root, scope)?,
                Some(Expr::Object(members)) if members.is_empty() => self.path(root, scope)?,
                Some(shape) => self.array_path(root, shape, scope)?,
            },
            Expr::Transform { apply, mapping } => self.transform(apply, mapping, scope)?,
            Expr::Call { function: Function::Own(Own::Now { to, zone }), .. } => Node::Now(date::Writer::new(to, zone.as_deref())?),
            Expr::Call { function, args } => {
                let optional = if let Function::Liquid { optional, .. } = function { optional.as_slice() } else { &[] };
                let nodes = args.iter().enumerate().map(|(at, arg)| match arg {
                    Expr::Path(path) if optional.contains(&at) && self.lacks(path, scope) => Ok(Node::Missing),
                    arg => self.node(arg, scope),
                });
                let nodes = nodes.collect::<Result<_>>()?;
                call::compile(function, args, nodes, &self.place.join("."), self.limits.value_bytes)?
            }
        })
    }

    pub(crate) fn asked(&mut self, test: &Test, scope: Scope<'_>) -> Result<Asked> {
        Ok(match test {
            Test::Exists(asked) => Asked::Exists(Box::new(self.node(asked, scope)?)),
            Test::NotBlank(asked) => Asked::NotBlank(Box::new(self.node(asked, scope)?)),
        })
    }

    fn branch(&mut self, expr: Option<&Expr>, scope: Scope<'_>) -> Result<Option<Box<Node>>> {
        expr.map(|expr| Ok(Box::new(self.node(expr, scope)?))).transpose()
    }

    pub(crate) fn path(&mut self, path: &Path, scope: Scope<'_>) -> Result<Node> {
        match scope {
            Scope::Record => self.record_path(&path.segments),
            Scope::Item { typed, name, id } => Ok(self.value(typed, 0, &path.segments, name, id)),
            Scope::Json { depth, name, id } => Ok(Node::Json(self.json_item(depth, &path.segments, name, id))),
            Scope::Applied { apply, outer } => self.applied(apply, &path.segments, *outer),
        }
    }

    /// Does the path start from a column that is not there?
    fn lacks(&self, path: &Path, scope: Scope<'_>) -> bool {
        let is_column = |root: &&str| !RESERVED_ROOTS.contains(root);
        matches!(scope, Scope::Record) && path.root().filter(is_column).is_some_and(|root| self.schema.column_with_name(root).is_none())
    }

    fn record_path(&mut self, segments: &[String]) -> Result<Node> {
        let Some((first, rest)) = segments.split_first() else {
            let schema = self.schema;
            let members = schema.fields().iter().map(|field| Ok((key_prefix(field.name()), self.column(field.name(), &[])?)));
            return Ok(Node::Object(members.collect::<Result<_>>()?));
        };
        match (first.as_str(), rest) {
            (OP, []) => Ok(Node::Op),
            (SYNC_ID, []) => Ok(Node::SyncId),
            // Text that is never empty has nothing inside it.
            (OP | SYNC_ID, _) => Ok(Node::Missing),
            (SEGMENT_ID, _) => self.identifier_path(rest),
            _ => self.column(first, rest),
        }
    }

    fn identifier_path(&mut self, rest: &[String]) -> Result<Node> {
        let id = self.id;
        match (id, rest) {
            ([one], _) => self.column(one, rest),
            (several, []) => {
                let members = several.iter().map(|name| Ok((key_prefix(name), self.column(name, &[])?)));
                Ok(Node::Object(members.collect::<Result<_>>()?))
            }
            (several, [name, further @ ..]) if several.contains(name) => self.column(name, further),
            _ => Ok(Node::Missing),
        }
    }

    fn column(&mut self, name: &str, rest: &[String]) -> Result<Node> {
        let Some((index, field)) = self.schema.column_with_name(name) else { return Err(no_column(name, self.schema)) };
        let typed = Typed::from(field);
        typed.check(name)?;
        self.columns.push(index);
        Ok(self.value(typed, index, rest, name, 0))
    }

    /// The value at `segments` of something of that type.
    fn value(&mut self, typed: Typed<'_>, column: usize, segments: &[String], name: &str, scope: usize) -> Node {
        let (mut route, at) = Route::find(typed, segments);
        let end = std::mem::replace(&mut route.end, End::Nothing);
        let End::Json(inside) = end else {
            route.end = end;
            return Node::Value(Place { column, route, data_type: at.data_type.clone(), json: at.json, name: name.to_owned() });
        };
        route.end = End::Json(Vec::new());
        let (source, slot) = self.slot((scope, column, route.steps.clone()), &inside, name);
        let place = Place { column, route, data_type: at.data_type.clone(), json: true, name: name.to_owned() };
        Node::Json(JsonPlace { from: JsonFrom::Arrow(place), source, slot })
    }

    fn json_item(&mut self, depth: usize, segments: &[String], name: &str, scope: usize) -> JsonPlace {
        let (source, slot) = self.slot((scope, 0, Vec::new()), segments, name);
        JsonPlace { from: JsonFrom::Item(depth), source, slot }
    }

    /// The source of that key, made if need be, and the slot of a path in it.
    fn slot(&mut self, key: SourceKey, segments: &[String], name: &str) -> (usize, usize) {
        let place = self.source_keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.source_keys.push(key);
            self.sources.push(JsonSource { name: name.to_owned(), trie: Trie::default(), slots: 0 });
            self.sources.len() - 1
        });
        let source = &mut self.sources[place];
        (place, source.trie.add(segments, &mut source.slots))
    }

    fn array_path(&mut self, root: &Path, shape: &Expr, scope: Scope<'_>) -> Result<Node> {
        if let (Scope::Record, []) = (scope, root.segments.as_slice()) {
            // The record is a single object, and the item of a list of one.
            return Ok(Node::Array(vec![self.node(shape, scope)?]));
        }
        let at = self.path(root, scope)?;
        self.scopes += 1;
        let id = self.scopes;
        match at {
            Node::Value(place) if matches!(place.route.end, End::List | End::Object) => {
                let typed = Typed { data_type: &place.data_type, json: place.json };
                let name = format!("{}[]", place.name);
                let item = Scope::Item { typed: typed.items().unwrap_or(typed), name: &name, id };
                let shape = Box::new(self.node(shape, item)?);
                Ok(Node::Items { place, shape })
            }
            Node::Json(json) => {
                let depth = scope.lists();
                let name = self.sources[json.source].name.clone();
                let shape = Box::new(self.node(shape, Scope::Json { depth, name: &name, id })?);
                Ok(Node::JsonItems { json, depth, shape })
            }
            scalar @ (Node::Value(_) | Node::Op | Node::SyncId | Node::Now(_) | Node::Template(_) | Node::Missing) => Ok(scalar),
            // Whether it is a list is only known when it is written out.
            worked => self.over_text(worked, &Expr::ArrayPath { root: Path::whole(), shape: Some(Box::new(shape.clone())) }),
        }
    }
}

/// A constant's JSON text. Numbers keep the digits they were written with.
pub(crate) fn literal(value: &Value) -> Node {
    Node::Literal(value.to_string().into_bytes())
}

fn no_column(name: &str, schema: &Schema) -> Error {
    let mut names: Vec<String> = schema.fields().iter().take(NAMES_SHOWN_MAX).map(|field| format!("\"{}\"", field.name())).collect();
    if schema.fields().len() > NAMES_SHOWN_MAX {
        names.push("…".to_owned());
    }
    Error::invalid(format!("the mapping reads the column \"{name}\", which the query does not return"))
        .remedy(format!("return it in the query, or use one of its columns: {}", names.join(", ")))
}
