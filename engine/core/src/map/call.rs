//! The directives that work out a value from others: what they share.
//!
//! ```text
//! Function ── work(): once ──► dyn Work ── write(): once for a record ──► the arguments written to the buffer, looked at,
//!  (planner)                                                              and put right where they stand
//! ```
//!
//! A directive is a file in `directives/` with a [`Work`] in it, and a line in [`work`]. One whose arguments are all constants is
//! worked out once, when the mapping is compiled.

use std::fmt::Debug;

use outflow_contract::Result;
use outflow_contract::expr::{Expr, Function};

use super::bind::Bound;
use super::compile::Node;
use super::directives::{dynamic, exclude_null, flatten, json_text, liquid, merge, own, replace};
use super::output::Output;
use super::types::Told;

/// A directive, made ready for a mapping. It holds what is the same for every record.
pub(crate) trait Work: Debug + Send + Sync {
    /// Appends what the directive makes of its arguments, and returns true; or appends nothing and returns false if it is missing.
    ///
    /// A record that cannot be mapped is told by [`Output::fail`].
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool;

    /// The type of what it gives, by those of its arguments; `None` if it is never there or always null.
    fn told(&self, args: &[Option<Told>]) -> Option<Told>;

    /// Does it give the same for the same arguments, always?
    fn is_constant(&self) -> bool {
        true
    }
}

/// What does the work of `function` with arguments that are written so, at that place in the mapping.
fn work(function: &Function, args: &[Expr], place: &str) -> Result<Box<dyn Work>> {
    Ok(match function {
        Function::Replace { replacements, global, ignore_case } => Box::new(replace::Replace::new(replacements, *global, *ignore_case)),
        Function::Flatten { separator, omit_arrays } => {
            Box::new(flatten::Flatten { separator: separator.clone(), omit_arrays: *omit_arrays })
        }
        Function::JsonEncode => Box::new(json_text::Encode),
        Function::JsonDecode => Box::new(json_text::Decode),
        Function::Merge { first_wins } => Box::new(merge::Merge::new(*first_wins, args)),
        Function::ExcludeWhenNull => Box::new(exclude_null::ExcludeNull),
        Function::PathOf => Box::new(dynamic::PathOf),
        Function::TemplateOf => Box::new(dynamic::TemplateOf),
        Function::Liquid { text, .. } => Box::new(liquid::Liquid::new(text, place)?),
        Function::Own(own) => own::work(own, place)?,
    })
}

/// The directive over its arguments, as they are written and compiled: what it gives, if that is known already. `place` is the way to
/// it in the mapping.
pub(crate) fn compile(function: &Function, written: &[Expr], args: Vec<Node>, place: &str, value_bytes_max: usize) -> Result<Node> {
    let work = work(function, written, place)?;
    let constants = args.iter().map(|arg| match arg {
        Node::Literal(text) => Some(Bound::Literal(text)),
        Node::Missing => Some(Bound::Missing),
        _ => None,
    });
    if let Some(constants) = constants.collect::<Option<Vec<_>>>().filter(|_| work.is_constant()) {
        let mut out = Output::new(&[], value_bytes_max, 0);
        let there = work.write(&constants, 0, &mut out);
        // If it fails it fails every record, and each of them says so.
        if out.failure.is_none() {
            return Ok(if there { Node::Literal(out.buf) } else { Node::Missing });
        }
    }
    Ok(Node::Call { work, args })
}

/// Appends the argument's value; false if it is missing, as is an argument that was not given.
pub(crate) fn write_arg<'a>(args: &[Bound<'a>], at: usize, i: usize, out: &mut Output<'a>) -> bool {
    args.get(at).is_some_and(|arg| arg.write(i, out))
}
