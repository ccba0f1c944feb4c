//! Sentences, broken at words where the terminal ends.

use super::{Console, wrap};

impl Console {
    /// A sentence of results.
    pub(crate) fn say(&self, text: &str) {
        for line in wrap(text, self.table_width()) {
            self.line(&line);
        }
    }

    /// A question on standard error; the answer is typed behind it.
    pub(crate) fn ask(&self, question: &str) {
        self.talk(&format!("{} ", wrap(question, self.width().saturating_sub(2)).join("\n")));
    }
}
