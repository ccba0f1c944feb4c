//! `@case`: text in upper or lower case, by all of Unicode's rules (`ß` becomes `SS`) and no language's own.
//!
//! Only text changes. What merely looks like text in JSON (timestamps, base64) stays as it is, so the directive is pushed
//! down to the nodes that yield text, and vanishes over all others.

use super::super::bind::Bound;
use super::super::compile::Node;
use super::super::json::unescaped;
use super::super::output::Output;
use super::super::route::End;
use super::super::write;

/// The directive over a compiled value.
pub(crate) fn compile(upper: bool, value: Node) -> Node {
    let changes = match &value {
        Node::Value(place) => place.route.end == End::Text,
        // A constant is changed as any other text is: it is rare, and not worth a rule of its own.
        Node::Literal(_)
        | Node::Op
        | Node::RecordId
        | Node::SyncId
        | Node::Now(_)
        | Node::Json(_)
        | Node::JsonItems { .. }
        | Node::Template(_)
        | Node::Case { .. }
        | Node::Call { .. }
        | Node::Transform { .. } => true,
        Node::Missing | Node::Object(_) | Node::Array(_) | Node::Items { .. } | Node::If { .. } | Node::Typed { .. } => false,
    };
    match value {
        Node::If { test, then, otherwise } => {
            let branch = |node: Option<Box<Node>>| node.map(|node| Box::new(compile(upper, *node)));
            Node::If { test, then: branch(then), otherwise: branch(otherwise) }
        }
        value if changes => Node::Case { upper, value: Box::new(value) },
        value => value,
    }
}

/// Appends the value with its case changed, if it is a string.
pub(crate) fn write<'a>(upper: bool, value: &Bound<'a>, i: usize, out: &mut Output<'a>) -> bool {
    let start = out.buf.len();
    if !value.write(i, out) {
        return false;
    }
    let text = &mut out.buf[start..];
    if text.first() != Some(&b'"') {
        return true;
    }
    // Nearly always there is nothing but ASCII without escapes, and the bytes can be changed where they stand.
    if text.is_ascii() && !text.contains(&b'\\') {
        if upper {
            text.make_ascii_uppercase();
        } else {
            text.make_ascii_lowercase();
        }
        return true;
    }
    let raw = std::str::from_utf8(&text[1..text.len() - 1]).unwrap_or_default();
    let plain = unescaped(raw);
    let changed = if upper { plain.to_uppercase() } else { plain.to_lowercase() };
    out.buf.truncate(start);
    write::string(&mut out.buf, &changed);
    true
}
