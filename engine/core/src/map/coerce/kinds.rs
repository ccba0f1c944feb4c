//! One value in its kind, and what is asked of it besides.

use outflow_contract::destination::FieldKind;
use outflow_contract::outcome::Rejection;

use super::super::json::{Piece, kind_of, unescaped};
use super::super::moment::is_moment;
use super::super::write;
use super::Wanted;

impl Wanted {
    /// The number that `text` is, or stands for, as JSON.
    pub(super) fn number(&self, text: &str) -> Result<String, Rejection> {
        let content = match text.as_bytes() {
            [b'-' | b'0'..=b'9', ..] => return Ok(text.to_owned()),
            [b't', ..] => return Ok("1".to_owned()),
            [b'f', ..] => return Ok("0".to_owned()),
            [b'"', ..] => unescaped(&text[1..text.len() - 1]),
            _ => return Err(self.wrong(kind_of(text))),
        };
        let content = content.trim();
        if content.is_empty() {
            return Ok("0".to_owned());
        }
        let finite = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        if content.starts_with(|c: char| c.is_ascii_digit() || c == '-') && Piece::parse(content).is_ok() && finite(content).is_some() {
            return Ok(content.to_owned());
        }
        // `+5`, `.5`, `5.`: numbers that JSON writes in another way. Not `inf` and `nan`, which are words.
        let number = content.strip_prefix('+').unwrap_or(content);
        let plain = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
        match finite(number).filter(|_| plain) {
            Some(number) => {
                let mut written = Vec::new();
                write::double(&mut written, number);
                Ok(String::from_utf8(written).unwrap_or_default())
            }
            None => Err(self.wrong("text that is no number")),
        }
    }

    pub(super) fn integer(&self, text: &str, buf: &mut Vec<u8>) -> Result<(), Rejection> {
        let number = self.number(text)?;
        if number.strip_prefix('-').unwrap_or(&number).bytes().all(|b| b.is_ascii_digit()) {
            buf.extend_from_slice(number.as_bytes());
            return Ok(());
        }
        let whole = number.parse::<f64>().ok().filter(|number| number.is_finite() && number.fract() == 0.0);
        let number = whole.ok_or_else(|| self.wrong("a number with a fraction"))?;
        write::double(buf, number);
        Ok(())
    }

    pub(super) fn boolean(&self, text: &str) -> Result<&'static str, Rejection> {
        let number = || text.parse::<f64>().ok();
        match text {
            "true" | "\"true\"" => Ok("true"),
            "false" | "\"false\"" => Ok("false"),
            _ if number() == Some(1.0) => Ok("true"),
            _ if number() == Some(0.0) => Ok("false"),
            _ if text.starts_with('"') => Err(self.wrong("other text")),
            _ => Err(self.wrong(if number().is_some() { "a number that is neither 1 nor 0" } else { kind_of(text) })),
        }
    }

    pub(super) fn moment(&self, text: &str) -> Result<(), Rejection> {
        match text.as_bytes() {
            [b'-' | b'0'..=b'9', ..] => Ok(()),
            [b'"', ..] if is_moment(&unescaped(&text[1..text.len() - 1])) => Ok(()),
            [b'"', ..] => Err(self.wrong("text that cannot be read as one")),
            _ => Err(self.wrong(kind_of(text))),
        }
    }

    /// Is more asked of a value than its kind?
    pub(super) fn is_checked(&self) -> bool {
        !self.choices.is_empty() || self.format.is_some() || self.minimum.is_some() || self.maximum.is_some()
    }

    /// Is what was written all that is asked of it?
    pub(super) fn check(&self, json: &[u8]) -> Result<(), Rejection> {
        if !self.is_checked() {
            return Ok(());
        }
        let text = std::str::from_utf8(json).unwrap_or_default();
        let content = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map(unescaped);
        if !self.choices.is_empty() && !self.choices.iter().any(|choice| *choice == *content.as_deref().unwrap_or(text)) {
            let choices = self.choices.join(", ");
            return Err(self.rejection("wrong_choice", &format!("is one of {choices}, and this is another value")));
        }
        let is_text = matches!(self.kind, FieldKind::String | FieldKind::StringOrObject);
        let Some(content) = content.filter(|_| is_text) else {
            return text.parse().map_or(Ok(()), |number| self.in_range(number, text, ""));
        };
        if let Some(format) = self.format.filter(|format| !format.fits(&content)) {
            return Err(self.rejection("wrong_format", &format!("is {}, and this is other text", format.words())));
        }
        let length = content.chars().count();
        self.in_range(length as f64, &length.to_string(), " characters")
    }

    /// Is it within the limits?
    fn in_range(&self, value: f64, came: &str, unit: &str) -> Result<(), Rejection> {
        if let Some(minimum) = self.minimum.filter(|minimum| value < *minimum) {
            return Err(self.rejection("out_of_range", &format!("takes at least {minimum}{unit}, and here it is {came}{unit}")));
        }
        if let Some(maximum) = self.maximum.filter(|maximum| value > *maximum) {
            return Err(self.rejection("out_of_range", &format!("takes at most {maximum}{unit}, and here it is {came}{unit}")));
        }
        Ok(())
    }

    #[cold]
    fn rejection(&self, code: &str, what: &str) -> Rejection {
        Rejection { code: code.to_owned(), message: format!("field `{}` {what}", self.path) }
    }
}

/// Appends a scalar as text: a string as it is, anything else in quotes.
pub(super) fn quoted(text: &str, buf: &mut Vec<u8>) {
    let quote: &[u8] = if text.starts_with('"') { b"" } else { b"\"" };
    buf.extend_from_slice(quote);
    buf.extend_from_slice(text.as_bytes());
    buf.extend_from_slice(quote);
}
