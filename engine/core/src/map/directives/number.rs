//! `@number`: the number that a text says.
//!
//! ```text
//! 1.234,50 €  ── currency ──► 1.234,50  ── group: "." ──► 1234,50  ── decimal: "," ──► 1234.50
//! ```
//!
//! All digits are kept, and nothing is guessed: what may stand between digits has to be said, for `1,234` is one number here and another
//! there. Numbers stay as they are; blank text is missing; other text fails the record.

use arrow::datatypes::DataType;
use outflow_contract::expr::Numeral;

use super::super::bind::Bound;
use super::super::call::Work;
use super::super::output::Output;
use super::super::types::Told;
use super::scalar::{Taker, is_space};

/// The directive.
#[derive(Debug)]
pub(crate) struct Number {
    taker: Taker,
    options: Numeral,
}

impl Number {
    pub(crate) fn new(options: &Numeral, place: &str) -> Self {
        Self { taker: Taker::new("@number", "a number, or text that is one", place), options: options.clone() }
    }

    /// Appends the number as JSON. `None` if the text is none.
    fn read(&self, text: &str, buf: &mut Vec<u8>) -> Option<()> {
        let start = buf.len();
        let (mut minus, mut rest) = sign(text);
        if self.options.currency {
            let before = without_currency(rest);
            // A second sign is one too many.
            let (inner, after) = if rest.len() == text.len() { sign(before) } else { (minus, before) };
            (minus, rest) = (inner, after);
        }
        if minus {
            buf.push(b'-');
        }
        let digits_start = buf.len();
        rest = self.whole(rest, buf);
        let whole = buf.len() - digits_start;
        if let Some(fraction) = rest.strip_prefix(self.options.decimal) {
            let digits = leading_digits(fraction);
            if whole == 0 && !digits.is_empty() {
                buf.push(b'0');
            }
            if !digits.is_empty() {
                buf.push(b'.');
                buf.extend_from_slice(digits.as_bytes());
            }
            rest = &fraction[digits.len()..];
        }
        if buf.len() == digits_start {
            return None;
        }
        exponent(rest, buf)?;
        let written = std::str::from_utf8(&buf[start..]).ok()?;
        let number = written.parse::<f64>().ok().filter(|number| number.is_finite())?;
        if minus && number == 0.0 {
            buf.remove(start);
        }
        Some(())
    }

    /// Appends the digits before the fraction, without zeros in front. Returns what follows them.
    fn whole<'t>(&self, text: &'t str, buf: &mut Vec<u8>) -> &'t str {
        let start = buf.len();
        let mut rest = text;
        loop {
            let digits = leading_digits(rest);
            for &digit in digits.as_bytes() {
                if buf.len() == start + 1 && buf[start] == b'0' {
                    buf.pop();
                }
                buf.push(digit);
            }
            rest = &rest[digits.len()..];
            // Between digits, and nowhere else.
            let mut chars = rest.chars();
            let is_group = !digits.is_empty() && chars.next().is_some_and(|c| self.is_group(c));
            if !is_group || leading_digits(chars.as_str()).is_empty() {
                return rest;
            }
            rest = chars.as_str();
        }
    }

    /// A space stands for every kind of it.
    fn is_group(&self, c: char) -> bool {
        self.options.group.contains(c) || (is_space(c) && self.options.group.contains(' '))
    }
}

fn leading_digits(text: &str) -> &str {
    &text[..text.bytes().take_while(u8::is_ascii_digit).count()]
}

/// Is there a minus, and what follows the sign, if there is one?
fn sign(text: &str) -> (bool, &str) {
    let minus = text.strip_prefix(['-', '\u{2212}']);
    (minus.is_some(), minus.or_else(|| text.strip_prefix('+')).unwrap_or(text))
}

/// Appends an exponent, if there is one. `None` if anything else is there.
fn exponent(text: &str, buf: &mut Vec<u8>) -> Option<()> {
    if text.is_empty() {
        return Some(());
    }
    let digits = text.strip_prefix(['e', 'E'])?;
    let plain = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    if plain.is_empty() || leading_digits(plain).len() < plain.len() {
        return None;
    }
    buf.extend_from_slice(text.as_bytes());
    Some(())
}

/// The text without the signs and letters of a currency at its ends: `US$ 5`, `5 kr.`
fn without_currency(text: &str) -> &str {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let mut rest = text;
    if are_currency(&text[..letters]) {
        rest = &rest[letters..];
        rest = rest.strip_prefix('.').filter(|after| after.starts_with(is_space)).unwrap_or(rest);
    }
    rest = rest.trim_start_matches(is_space);
    rest = rest.strip_prefix(is_currency).unwrap_or(rest).trim_matches(is_space);
    let bare = rest.strip_suffix('.').filter(|before| before.ends_with(|c: char| c.is_ascii_alphabetic())).unwrap_or(rest);
    let (number, letters) = bare.split_at(bare.len() - bare.bytes().rev().take_while(u8::is_ascii_alphabetic).count());
    if are_currency(letters) {
        rest = number;
    }
    rest = rest.trim_end_matches(is_space);
    rest.strip_suffix(is_currency).unwrap_or(rest).trim_end_matches(is_space)
}

/// `USD`, `kr`: three capitals, or no more than two letters.
fn are_currency(letters: &str) -> bool {
    matches!(letters.len(), 1 | 2) || (letters.len() == 3 && letters.bytes().all(|byte| byte.is_ascii_uppercase()))
}

fn is_currency(c: char) -> bool {
    matches!(
        c,
        '$' | '¢' | '£' | '¤' | '¥' | '֏' | '؋' | '৳' | '฿' | '៛' | '\u{20a0}'..='\u{20cf}' | '﷼' | '＄' | '￠' | '￡' | '￥' | '￦'
    )
}

impl Work for Number {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        self.taker.text(args, i, out, |text, is_text, out| {
            if !is_text {
                if text.starts_with(['t', 'f']) {
                    return self.taker.refuse(out, "true or false");
                }
                out.buf.extend_from_slice(text.as_bytes());
                return true;
            }
            let text = text.trim_matches(is_space);
            if text.is_empty() {
                return false;
            }
            let start = out.buf.len();
            if self.read(text, &mut out.buf).is_none() {
                out.buf.truncate(start);
                return self.taker.refuse(out, "text that is none");
            }
            true
        })
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        Some(match args.first()?.as_ref()? {
            Told::Is(data_type) if data_type.is_numeric() => Told::Is(data_type.clone()),
            _ => Told::Is(DataType::Float64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(decimal: char, group: &str, currency: bool, text: &str) -> Option<String> {
        let number = Number::new(&Numeral { decimal, group: group.to_owned(), currency }, "");
        let mut buf = b"x".to_vec();
        number.read(text, &mut buf)?;
        Some(String::from_utf8(buf).unwrap()[1..].to_owned())
    }

    #[test]
    fn plain_numbers_are_read_with_all_their_digits() {
        for (text, expected) in [
            ("0", "0"),
            ("007", "7"),
            ("12.50", "12.50"),
            ("-1", "-1"),
            ("+1", "1"),
            ("\u{2212}5", "-5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-0", "0"),
            ("-0.00", "0.00"),
            ("00.10", "0.10"),
            ("1e3", "1e3"),
            ("1.5E-3", "1.5E-3"),
            ("123456789012345678901234567890.10", "123456789012345678901234567890.10"),
        ] {
            let found = read('.', "", false, text).unwrap();
            assert_eq!(found, expected, "{text}");
            serde_json::from_str::<serde_json::Value>(&found).unwrap();
        }
        for text in ["", ".", "-", "1,234", "1 234", "12 apples", "1.2.3", "--1", "1e", "1e400", "inf", "nan", "0x10", "1_000", "$5", "٣"]
        {
            assert_eq!(read('.', "", false, text), None, "{text}");
        }
    }

    #[test]
    fn what_stands_between_digits_is_passed_over_where_it_may_stand() {
        assert_eq!(read('.', ",", false, "1,234,567.89").unwrap(), "1234567.89");
        assert_eq!(read(',', ".", false, "-1.234,50").unwrap(), "-1234.50");
        assert_eq!(read(',', " ", false, "1\u{a0}234\u{202f}567,5").unwrap(), "1234567.5");
        assert_eq!(read('.', "'_", false, "1'234_567").unwrap(), "1234567");
        assert_eq!(read('.', ",", false, "0,012").unwrap(), "12");
        for text in [",1", "1,", "1,,2", "1.2,3"] {
            assert_eq!(read('.', ",", false, text), None, "{text}");
        }
    }

    #[test]
    fn a_currency_may_stand_at_either_end() {
        for text in ["$12.5", "12.5 $", "€12.5", "US$ 12.5", "USD 12.5", "12.5 EUR", "12.5kr.", "Rs. 12.5", "+$12.5"] {
            assert_eq!(read('.', "", true, text).as_deref(), Some("12.5"), "{text}");
        }
        for text in ["-$12.5", "$-12.5", "- 12.5 kr", "\u{2212}£12.5"] {
            assert_eq!(read('.', "", true, text).as_deref(), Some("-12.5"), "{text}");
        }
        for text in ["$", "USD", "12.5 apples", "$$1", "one 5 two"] {
            assert_eq!(read('.', "", true, text), None, "{text}");
        }
    }
}
