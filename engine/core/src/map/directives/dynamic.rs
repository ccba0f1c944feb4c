//! `@path` and `@template` whose own text is worked out from the record.
//!
//! The first argument gives the text, and the second the root that its paths start from: the whole record, or the item. It is written
//! out to be looked into, so this costs as much as sending it. What is no text fails the record (`wrong_path`), for it is a mistake in
//! the data that would otherwise go unseen.
//!
//! The text is data: what a hostile one can cost is bounded by its length, and by the size of a value.

use outflow_contract::expr::{Path, TemplatePart};
use outflow_contract::limits::RECORD_DEPTH_MAX;

use super::super::bind::Bound;
use super::super::call::{Work, write_arg};
use super::super::json::{Piece, Trie, kind_of, unescaped, walk};
use super::super::output::Output;
use super::super::types::Told;
use super::super::write;
use super::template;

/// The longest path, in bytes.
const PATH_BYTES_MAX: usize = 4 << 10;
/// The longest template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 16 << 10;

/// `@path`.
#[derive(Debug)]
pub(crate) struct PathOf;

/// `@template`.
#[derive(Debug)]
pub(crate) struct TemplateOf;

/// The text that the first argument gives. `None` if it gives none, of which the record fails.
fn text<'a>(name: &str, bytes_max: usize, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> Option<String> {
    let start = out.buf.len();
    let written = write_arg(args, 0, i, out);
    out.rewrite(start, |json, out| {
        let content = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map(unescaped).filter(|_| written);
        let Some(content) = content else {
            let came = if written { kind_of(json) } else { "nothing at all" };
            out.fail("wrong_path", || format!("`{name}` takes text, and for this record it is worked out as {came}"));
            return None;
        };
        if content.len() > bytes_max {
            let bytes = content.len();
            out.fail("wrong_path", || format!("`{name}` takes text of at most {bytes_max} bytes, and for this record it has {bytes}"));
            return None;
        }
        Some(content.into_owned())
    })
}

/// The values at `paths` in `json`. `None` if it cannot be looked into, of which the record fails.
fn find<'t>(name: &str, paths: &[&Path], json: &'t str, out: &mut Output<'_>) -> Option<Vec<Option<Piece<'t>>>> {
    let (mut trie, mut slots) = (Trie::default(), 0);
    let places = paths.iter().map(|path| {
        // JSON has no more levels than that, so a longer path finds no more.
        let steps = path.segments.len().min(RECORD_DEPTH_MAX + 1);
        trie.add(&path.segments[..steps], &mut slots)
    });
    let places: Vec<usize> = places.collect();
    let mut found = vec![None; slots];
    match walk(json, &trie, &mut found) {
        Ok(()) => Some(places.into_iter().map(|slot| found.get(slot).copied().flatten()).collect()),
        Err(problem) => {
            out.fail_given(name, problem);
            None
        }
    }
}

impl Work for PathOf {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let Some(text) = text("@path", PATH_BYTES_MAX, args, i, out) else { return false };
        let path = Path::parse(&text);
        let start = out.buf.len();
        if !write_arg(args, 1, i, out) {
            return false;
        }
        out.rewrite(start, |json, out| {
            let found = find("@path", &[&path], json, out).and_then(|found| found.first().copied().flatten());
            found.map(|piece| piece.write(&mut out.buf)).is_some()
        })
    }

    fn told(&self, _args: &[Option<Told>]) -> Option<Told> {
        Some(Told::Any)
    }
}

impl Work for TemplateOf {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let Some(text) = text("@template", TEMPLATE_BYTES_MAX, args, i, out) else { return false };
        let parts = TemplatePart::parse(&text);
        let start = out.buf.len();
        if !write_arg(args, 1, i, out) {
            out.null();
        }
        let bytes_max = out.value_bytes_max();
        out.rewrite(start, |json, out| {
            let paths = parts.iter().filter_map(|part| if let TemplatePart::Value(path) = part { Some(path) } else { None });
            let Some(found) = find("@template", &paths.collect::<Vec<_>>(), json, out) else { return false };
            let mut found = found.into_iter();
            out.buf.push(b'"');
            for part in &parts {
                match part {
                    TemplatePart::Text(text) => write::escaped(&mut out.buf, text),
                    TemplatePart::Value(_) => found.next().flatten().into_iter().for_each(|piece| template::write_piece(piece, out)),
                }
                if out.buf.len() - start > bytes_max {
                    out.fail_grown("@template");
                    return false;
                }
            }
            out.buf.push(b'"');
            true
        })
    }

    fn told(&self, _args: &[Option<Told>]) -> Option<Told> {
        Some(Told::text())
    }
}
