//! Values that never leave the process except in the request that needs them.

use std::fmt;
use std::sync::{Arc, RwLock};

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
    secrets: Arc<RwLock<Vec<String>>>,
}

impl Redactor {
    /// Adds a secret, along with its percent-encoded and JSON-escaped forms.
    pub fn add(&self, secret: &str) {
        if secret.len() < SEARCHED_BYTES_MIN {
            return;
        }
        let escaped = serde_json::Value::from(secret).to_string();
        let mut forms = vec![secret.to_owned(), escaped[1..escaped.len() - 1].to_owned()];
        let percent: String = secret
            .bytes()
            .map(|b| if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect();
        forms.push(percent);
        if let Ok(mut secrets) = self.secrets.write() {
            secrets.extend(forms);
            // Longest first, so that a secret inside another one does not leave its rest behind.
            secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
            secrets.dedup();
        }
    }

    /// `text` with every secret replaced by [`REDACTED`].
    pub fn clean(&self, text: &str) -> String {
        let Ok(secrets) = self.secrets.read() else { return REDACTED.to_owned() };
        secrets.iter().fold(
            text.to_owned(),
            |text, secret| {
                if text.contains(secret.as_str()) { text.replace(secret.as_str(), REDACTED) } else { text }
            },
        )
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_each_of_its_forms() {
        let redactor = Redactor::default();
        redactor.add("p@ss\"word");
        assert_eq!(redactor.clean("a p@ss\"word b"), "a *** b");
        assert_eq!(redactor.clean(r#"{"t":"p@ss\"word"}"#), r#"{"t":"***"}"#);
        assert_eq!(redactor.clean("?t=p%40ss%22word"), "?t=***");
        assert_eq!(format!("{:?}", Secret::new("x")), "***");
    }
}
