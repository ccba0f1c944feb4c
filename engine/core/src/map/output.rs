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
