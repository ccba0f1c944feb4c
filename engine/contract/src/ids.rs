//! The identifiers of many records in one buffer.

use std::ops::Index;

/// The identifiers of records as JSON text, one after another in one buffer: so none of them is an allocation of its own.
///
/// ```
/// use outflow_contract::outcome::Ids;
///
/// let mut ids: Ids = ["1", "\"a\""].into_iter().collect();
/// ids.push("{\"b\":2}");
/// assert_eq!((ids.len(), &ids[1], ids.iter().last()), (3, "\"a\"", Some("{\"b\":2}")));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    text: String,
    ends: Vec<usize>,
}

impl Ids {
    /// The identifiers in `text`, each up to its end. Ends ascend, and stand between characters of `text`.
    pub fn new(text: String, ends: Vec<usize>) -> Self {
        Self { text, ends }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Appends one.
    pub fn push(&mut self, id: impl AsRef<str>) {
        self.text.push_str(id.as_ref());
        self.ends.push(self.text.len());
    }

    /// That of record `i`, if there is one.
    pub fn get(&self, i: usize) -> Option<&str> {
        (i < self.len()).then(|| &self[i])
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|i| &self[i])
    }
}

impl Index<usize> for Ids {
    type Output = str;

    fn index(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start..self.ends[i]]
    }
}

impl<T: AsRef<str>> FromIterator<T> for Ids {
    fn from_iter<I: IntoIterator<Item = T>>(ids: I) -> Self {
        let mut all = Self::default();
        ids.into_iter().for_each(|id| all.push(id));
        all
    }
}
