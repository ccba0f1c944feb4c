//! The grammar of JSON (RFC 8259), as a scanner over a text that goes past whole values and keeps none.
//!
//! Nothing here recurses over the text, so the deepest hostile nesting costs no stack: it is refused at the limit.

use outflow_contract::limits::RECORD_DEPTH_MAX;

use super::write::plain_prefix;

// One bit for each open container in `Scanner::skip`.
const _: () = assert!(RECORD_DEPTH_MAX <= 64);

/// Why a text cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It is not JSON, from this byte on.
    Invalid(usize),
    /// It nests deeper than [`RECORD_DEPTH_MAX`].
    TooDeep,
}

/// A place in a text. All positions at which it slices stand before or after an ASCII byte.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pub(crate) at: usize,
    /// Whitespace was passed since this was last cleared.
    pub(crate) spaced: bool,
    /// Open containers.
    pub(crate) depth: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, spaced: false, depth: 0 }
    }

    /// The text from `start` to here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }

    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Problem> {
        if self.take(byte) { Ok(()) } else { Err(Problem::Invalid(self.at)) }
    }

    pub(crate) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
            self.spaced = true;
        }
    }

    pub(crate) fn end(&mut self) -> Result<(), Problem> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(Problem::Invalid(self.at)) }
    }

    pub(crate) fn open(&mut self) -> Result<(), Problem> {
        self.at += 1;
        self.depth += 1;
        if self.depth > RECORD_DEPTH_MAX { Err(Problem::TooDeep) } else { Ok(()) }
    }

    /// A string; returns its content as it stands.
    fn string(&mut self) -> Result<&'a str, Problem> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            self.at += plain_prefix(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(self.text.get(start..self.at - 1).unwrap_or_default());
                }
                Some(b'\\') => {
                    let escape = self.bytes.get(self.at + 1);
                    self.at += match escape {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                        Some(b'u') if self.hex(self.at + 2) => 6,
                        _ => return Err(Problem::Invalid(self.at)),
                    };
                }
                _ => return Err(Problem::Invalid(self.at)),
            }
        }
    }

    fn hex(&self, at: usize) -> bool {
        self.bytes.get(at..at + 4).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    }

    fn digits(&mut self) -> Result<(), Problem> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(Problem::Invalid(self.at)) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), Problem> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Problem> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            Ok(())
        } else {
            Err(Problem::Invalid(self.at))
        }
    }

    fn scalar(&mut self) -> Result<(), Problem> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => Err(Problem::Invalid(self.at)),
        }
    }

    /// A member's key and its colon.
    pub(crate) fn key(&mut self) -> Result<&'a str, Problem> {
        let key = self.string()?;
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(key)
    }

    /// Checks one value and goes past it. Not recursive: the containers open since the start are the bits of a number.
    pub(crate) fn skip(&mut self) -> Result<(), Problem> {
        let floor = self.depth;
        let mut objects: u64 = 0;
        loop {
            match self.peek() {
                Some(opening @ (b'{' | b'[')) => {
                    self.open()?;
                    let object = opening == b'{';
                    objects = (objects << 1) | u64::from(object);
                    self.space();
                    // In an empty container the loop below meets the closing bracket.
                    if self.peek() != Some(opening + 2) {
                        if object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            // A value has ended, or a container is empty: close what closes here, then go on with the next value.
            loop {
                if self.depth == floor {
                    return Ok(());
                }
                self.space();
                let object = objects & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.space();
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    _ => return Err(Problem::Invalid(self.at)),
                }
                self.at += 1;
                self.depth -= 1;
                objects >>= 1;
            }
        }
    }
}
