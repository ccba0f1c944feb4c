//! Where payloads are written, and what the nodes share while one record is mapped.

use outflow_contract::limits::RECORD_DEPTH_MAX;
use outflow_contract::outcome::Rejection;

use super::json::{Piece, Trie, walk};
use super::scan::Problem;

/// The paths that a mapping reads from the JSON text of one place.
#[derive(Debug)]
pub(crate) struct JsonSource {
    /// The place, for messages.
    pub(crate) name: String,
    /// The paths.
    pub(crate) trie: Trie,
    /// How many values they find.
    pub(crate) slots: usize,
}

/// The values found in the text that was walked last.
struct Walked<'a> {
    /// The text, by address and length: equal only for the very same bytes, for all texts outlive the buffer.
    text: (usize, usize),
    found: Vec<Option<Piece<'a>>>,
    problem: Option<Problem>,
}

/// One output buffer, with the state of the record under way.
pub(crate) struct Output<'a> {
    /// The payloads.
    pub(crate) buf: Vec<u8>,
    /// For text that is written twice; empty between uses.
    pub(crate) scratch: Vec<u8>,
    /// Why the record under way fails, if it does: the first reason counts.
    pub(crate) failure: Option<Rejection>,
    /// The items of JSON lists that are under way, outermost first.
    pub(crate) items: Vec<Piece<'a>>,
    value_bytes_max: usize,
    sources: &'a [JsonSource],
    walked: Vec<Walked<'a>>,
}

impl<'a> Output<'a> {
    /// An empty buffer of that capacity.
    pub(crate) fn new(sources: &'a [JsonSource], value_bytes_max: usize, capacity: usize) -> Self {
        let nothing = |source: &JsonSource| Walked { text: (0, 0), found: vec![None; source.slots], problem: None };
        let walked = sources.iter().map(nothing).collect();
        let buf = Vec::with_capacity(capacity);
        Self { buf, scratch: Vec::new(), failure: None, items: Vec::new(), value_bytes_max, sources, walked }
    }

    /// Appends `null`.
    pub(crate) fn null(&mut self) {
        self.buf.extend_from_slice(b"null");
    }

    /// The record under way fails, unless it already does.
    pub(crate) fn fail(&mut self, code: &str, message: impl FnOnce() -> String) {
        if self.failure.is_none() {
            self.failure = Some(Rejection { code: code.to_owned(), message: message() });
        }
    }

    /// The record under way fails: the JSON text of the column `name` cannot be used.
    pub(crate) fn fail_json(&mut self, name: &str, problem: Problem) {
        match problem {
            Problem::Invalid(at) => self.fail("invalid_json", || {
                format!("column \"{name}\" does not hold valid JSON (at byte {at}): mend it in the query, or take the column as plain text")
            }),
            Problem::TooDeep => self.fail("too_deep", || format!("column \"{name}\" nests deeper than {RECORD_DEPTH_MAX} levels")),
        }
    }

    /// The record under way fails: the directive `name` cannot use what it is given.
    pub(crate) fn fail_given(&mut self, name: &str, problem: Problem) {
        match problem {
            Problem::Invalid(at) => self.fail("invalid_json", || format!("`{name}` is given what is no valid JSON (at byte {at})")),
            Problem::TooDeep => {
                self.fail("too_deep", || format!("`{name}` is given a value that nests deeper than {RECORD_DEPTH_MAX} levels"));
            }
        }
    }

    /// The record under way fails: the directive `name` makes too much of what it is given.
    pub(crate) fn fail_grown(&mut self, name: &str) {
        let max = self.value_bytes_max;
        self.fail("value_too_large", || format!("`{name}` makes a value of more bytes than limits.value_bytes ({max})"));
    }

    /// Writes to the same buffer what starts from `root`, a JSON text of its own with the sources of its own. `None`: it is missing.
    pub(crate) fn within<'t>(
        &mut self,
        sources: &'t [JsonSource],
        root: Option<Piece<'t>>,
        write: impl FnOnce(&mut Output<'t>) -> bool,
    ) -> bool {
        let mut inner = Output::new(sources, self.value_bytes_max, 0);
        inner.buf = std::mem::take(&mut self.buf);
        inner.failure = self.failure.take();
        inner.items.extend(root);
        let written = write(&mut inner);
        self.buf = inner.buf;
        self.failure = inner.failure;
        written
    }

    /// Takes back the value that ends the buffer from `start` on, and hands its JSON text to `rewrite`, which appends another, or none.
    pub(crate) fn rewrite<R>(&mut self, start: usize, rewrite: impl FnOnce(&str, &mut Self) -> R) -> R {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        text.extend_from_slice(&self.buf[start..]);
        self.buf.truncate(start);
        // Everything that is written is text.
        let result = rewrite(std::str::from_utf8(&text).unwrap_or_default(), self);
        self.scratch = text;
        self.scratch.clear();
        result
    }

    /// The limit on a value, in bytes of JSON.
    pub(crate) fn value_bytes_max(&self) -> usize {
        self.value_bytes_max
    }

    /// Checks the size of a value of the column `name`, in bytes of JSON.
    #[inline]
    pub(crate) fn limit_value(&mut self, name: &str, bytes: usize) {
        if bytes > self.value_bytes_max {
            self.fail_value(name, bytes);
        }
    }

    #[cold]
    fn fail_value(&mut self, name: &str, bytes: usize) {
        let max = self.value_bytes_max;
        self.fail("value_too_large", || {
            format!("column \"{name}\" has a value of {bytes} bytes as JSON, more than limits.value_bytes ({max})")
        });
    }

    /// The value in `slot` of a source, whose text is `text` in this record. Each text is read once, however many values are
    /// taken from it one after another. `None` if it is missing, or the text is no JSON: then the record fails.
    pub(crate) fn find(&mut self, source: usize, slot: usize, text: &'a str) -> Option<Piece<'a>> {
        let (walked, source) = (self.walked.get_mut(source)?, self.sources.get(source)?);
        let identity = (text.as_ptr() as usize, text.len());
        if walked.text != identity {
            walked.text = identity;
            walked.found.fill(None);
            walked.problem = walk(text, &source.trie, &mut walked.found).err();
        }
        let found = walked.found.get(slot).copied().flatten();
        match walked.problem {
            Some(problem) => {
                self.fail_json(&source.name, problem);
                None
            }
            None => found,
        }
    }
}
