//! `@lookup`: what stands for a value in a table.
//!
//! Numbers, `true` and `false` are looked up as the text that they are in JSON. What is not in the table becomes the default, and so do
//! null and what is missing; without a default they become missing, but null stays null.

use std::borrow::Cow;
use std::collections::HashMap;

use outflow_contract::expr::Lookup as Options;

use super::super::bind::Bound;
use super::super::call::{Work, write_arg};
use super::super::output::Output;
use super::super::types::Told;
use super::scalar::Taker;

/// The directive.
#[derive(Debug)]
pub(crate) struct Lookup {
    taker: Taker,
    /// What is written.
    table: HashMap<String, Vec<u8>>,
    ignore_case: bool,
    told: Option<Told>,
}

impl Lookup {
    pub(crate) fn new(options: &Options, place: &str) -> Self {
        Self {
            taker: Taker::new("@lookup", "text or another scalar", place),
            table: options.table.iter().map(|(key, value)| (key.clone(), value.to_string().into_bytes())).collect(),
            ignore_case: options.ignore_case,
            told: options.table.iter().map(|(_, value)| Told::constant(value)).fold(None, Told::either),
        }
    }

    fn find(&self, text: &str) -> Option<&[u8]> {
        let changes = self.ignore_case && text.bytes().any(|byte| byte.is_ascii_uppercase() || byte >= 0x80);
        let key: Cow<'_, str> = if changes { text.to_lowercase().into() } else { text.into() };
        self.table.get(&*key).map(Vec::as_slice)
    }
}

impl Work for Lookup {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        let mut found = false;
        let there = self.taker.text(args, i, out, |text, _, out| {
            let value = self.find(text);
            out.buf.extend_from_slice(value.unwrap_or_default());
            found = value.is_some();
            found
        });
        if found || args.len() < 2 {
            return there;
        }
        out.buf.truncate(start);
        write_arg(args, 1, i, out)
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        Told::either(self.told.clone(), args.get(1).cloned().flatten())
    }
}
