//! `@merge`: one object of the members of several.
//!
//! As in the reference: only the first level is merged; null and what is missing add nothing; a list adds its items by index, a text
//! its characters; and a member that an object draws but that is missing takes away those that count less.

use std::ops::Range;

use outflow_contract::expr::Expr;

use super::super::bind::Bound;
use super::super::call::Work;
use super::super::json::{Piece, unescaped};
use super::super::members::Members;
use super::super::output::Output;
use super::super::scan::Problem;
use super::super::types::{self, Told};
use super::super::write;

/// The directive.
#[derive(Debug)]
pub(crate) struct Merge {
    /// Of equal keys the first counts.
    first_wins: bool,
    /// Which arguments are objects that the mapping itself draws there: of those alone it is known that members are missing.
    drawn: Vec<bool>,
}

impl Merge {
    pub(crate) fn new(first_wins: bool, args: &[Expr]) -> Self {
        Self { first_wins, drawn: args.iter().map(|arg| matches!(arg, Expr::Object(_))).collect() }
    }
}

/// What an argument gives, by where it was written.
enum Given<'a> {
    Whole(Range<usize>),
    /// The members of an object that the mapping draws, each with the prefix `,"name":`; those that are missing among them.
    Drawn(Vec<(&'a [u8], Option<Range<usize>>)>),
}

/// Writes an argument. `start` is where the first of them begins.
fn given<'a>(arg: &Bound<'a>, drawn: bool, i: usize, start: usize, out: &mut Output<'a>) -> Option<Given<'a>> {
    let mut range = |value: &Bound<'a>| {
        let from = out.buf.len();
        value.write(i, out).then(|| from - start..out.buf.len() - start)
    };
    match arg {
        Bound::Object(members) if drawn => Some(Given::Drawn(members.iter().map(|(prefix, member)| (*prefix, range(member))).collect())),
        other => range(other).map(Given::Whole),
    }
}

/// Sets the members that `piece` has as an object. `chars` holds the characters of texts, as JSON.
fn add<'t>(piece: Piece<'t>, chars: &'t str, merged: &mut Members<'t>) {
    match piece.text().as_bytes() {
        [b'{', ..] => Members::of(piece).into_iter().for_each(|(key, value)| merged.set(key, Some(value))),
        [b'[', ..] => piece.items().enumerate().for_each(|(at, item)| merged.set(at.to_string().into(), Some(item))),
        [b'"', ..] => {
            for (at, item) in Piece::parse(chars).into_iter().flat_map(Piece::items).enumerate() {
                merged.set(at.to_string().into(), Some(item));
            }
        }
        _ => {}
    }
}

/// The characters of a JSON text as a JSON list; nothing of any other value.
fn characters(json: &str) -> String {
    let mut list = Vec::new();
    if json.starts_with('"') {
        list.push(b'[');
        for (at, character) in unescaped(&json[1..json.len() - 1]).chars().enumerate() {
            if at > 0 {
                list.push(b',');
            }
            write::string(&mut list, character.encode_utf8(&mut [0; 4]));
        }
        list.push(b']');
    }
    String::from_utf8(list).unwrap_or_default()
}

impl Work for Merge {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        let mut given: Vec<Given<'a>> = args.iter().zip(&self.drawn).filter_map(|(arg, drawn)| given(arg, *drawn, i, start, out)).collect();
        if self.first_wins {
            given.reverse();
        }
        let merged = out.rewrite(start, |json, out| {
            let text = |range: &Range<usize>| json.get(range.clone()).unwrap_or_default();
            let spread: Vec<String> =
                given.iter().map(|given| if let Given::Whole(range) = given { characters(text(range)) } else { String::new() }).collect();
            let mut merged = Members::default();
            for (given, chars) in given.iter().zip(&spread) {
                match given {
                    Given::Whole(range) => add(Piece::parse(text(range))?, chars, &mut merged),
                    Given::Drawn(members) => {
                        for (prefix, range) in members {
                            let value = range.as_ref().map(|range| Piece::parse(text(range))).transpose()?;
                            merged.set(types::name(prefix).into(), value);
                        }
                    }
                }
            }
            merged.write(&mut out.buf);
            Ok::<(), Problem>(())
        });
        merged.map_err(|problem| out.fail_given("@merge", problem)).is_ok()
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        let mut args: Vec<Option<Told>> = args.to_vec();
        if self.first_wins {
            args.reverse();
        }
        Some(Told::merged(&args))
    }
}
