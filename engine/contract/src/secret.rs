//! Values that never leave the process except in the request that needs them.
//!
//! A secret comes back in other people's text as they like to write it: in JSON with `\/` or `\u00df`, in HTML as `&#47;`, percent-encoded,
//! in base64, and in several of these at once. So a secret is not looked for as text: `escapes` reads the text with every character of it
//! as what it may stand for, and what cannot be read character by character, base64 and hexadecimals, is looked for as a text of its own
//! (`forms`).

mod escapes;
mod forms;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, RwLock};

use self::forms::Forms;

/// What stands in the place of a secret.
pub const REDACTED: &str = "***";
/// Shorter secrets are not searched for in text: they would blank out half of any message.
const SEARCHED_BYTES_MIN: usize = 4;

/// A secret. `Debug` hides it; there is no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for the request that needs it, and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Every secret of a project, for taking them out of text that other programs wrote: answers, error messages, samples.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Arc<RwLock<Forms>>,
}

impl Redactor {
    /// Adds a secret, in whatever escaping it may come back.
    pub fn add(&self, secret: &str) {
        if secret.len() < SEARCHED_BYTES_MIN {
            return;
        }
        if let Ok(mut secrets) = self.secrets.write() {
            secrets.add(secret);
        }
    }

    /// `text` with every secret replaced by [`REDACTED`]: those that stand there as they are, and those that are there once the text is
    /// unescaped.
    pub fn clean(&self, text: &str) -> String {
        let Ok(secrets) = self.secrets.read() else { return REDACTED.to_owned() };
        let found = secrets.find(text.as_bytes());
        let mut clean = String::with_capacity(text.len());
        let mut from = 0;
        for place in found {
            clean.push_str(text.get(from..place.start).unwrap_or_default());
            clean.push_str(REDACTED);
            from = place.end;
        }
        clean.push_str(text.get(from..).unwrap_or_default());
        clean
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}
