//! Liquid templates of mappings, within limits.
//!
//! ```text
//! text ── Template::parse: once ──► nodes, and the paths that it reads ── render: once for a record ──► text
//!          (lexer, cursor, parse, names)                                   (render, filters, value)
//! ```
//!
//! The language is that of liquidjs as the reference runs it: its tags and filters without those that the reference disables, its ways
//! with numbers, truth and dates. No crate has these: those that there are follow Ruby's Liquid, demand that every variable is there and
//! every value of the right type, and do not say what a template reads.
//!
//! What is otherwise on purpose: an unknown filter is an error, objects are printed as their JSON text, whole numbers keep all their
//! digits, nothing can be read but data (no `.length`), and `now` is when the sync began.
//!
//! Invariants: what is rendered depends on the template, the record and the sync's start alone. Nothing panics or runs for long, whatever
//! the text and the record: there are no loops, and all that is looked through and made counts against a budget.
//!
//! Not here: where values come from (`engine/core/src/map`).

mod ast;
mod budget;
mod chars;
mod cursor;
mod filters;
mod json;
mod lexer;
mod literal;
mod names;
mod number;
mod parse;
mod problem;
mod render;
mod value;

#[cfg(test)]
mod tests;

pub use names::Read;
pub use problem::{Failure, Problem};
pub use render::Record;
pub use value::Value;

use ast::Node;
use render::Machine;

/// The longest template, as UTF-16 counts: the reference's limit.
pub const TEMPLATE_UNITS_MAX: usize = 1000;
/// The most bytes that a template may look through and make for a record: the reference's limit on its memory.
pub const WORK_BYTES_MAX: usize = 100_000_000;

/// A template, parsed. Shared by threads.
#[derive(Debug)]
pub struct Template {
    nodes: Vec<Node>,
    reads: Vec<Read>,
    may_ask_for_now: bool,
}

impl Template {
    /// The template that `text` writes.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let units = chars::units(text);
        if units > TEMPLATE_UNITS_MAX {
            let message = format!("a template has at most {TEMPLATE_UNITS_MAX} characters, and this has {units}");
            return Err(Problem::new(0, message).help("work a part of it out in the model's query, or divide it between fields"));
        }
        let (nodes, names) = parse::parse(text).map_err(|problem| problem.placed(text))?;
        Ok(Self { nodes, reads: names.reads, may_ask_for_now: names.has_moments })
    }

    /// What it reads of the record.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// Has it filters of moments, which may be given `now`?
    pub fn may_ask_for_now(&self) -> bool {
        self.may_ask_for_now
    }

    /// Its text, if it is nothing but that.
    pub fn as_text(&self) -> Option<&str> {
        match self.nodes.as_slice() {
            [] => Some(""),
            [Node::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text for a record, of so many bytes at the most.
    pub fn render(&self, record: &mut dyn Record, text_bytes_max: usize) -> Result<String, Failure> {
        let mut text = String::new();
        Machine::new(record, text_bytes_max, WORK_BYTES_MAX).nodes(&self.nodes, &mut text)?;
        Ok(text)
    }
}
