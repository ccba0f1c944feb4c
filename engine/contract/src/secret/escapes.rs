//! What a place of a text may stand for, if it is unescaped: in JSON and other languages (`\/`, `\u00df`, `\xdf`), HTML (`&amp;`, `&#47;`,
//! `&#x2f;`) and URLs (`%2F`, `%u00DF`, `+`). Escapes of escapes are followed, such as `\\u00df` or `%2526`.
//!
//! A text does not say how it is escaped, so each place has several readings: itself always, and what each escaping makes of it.

use std::collections::HashMap;

/// Escapes within escapes are followed so deep: JSON in JSON in a form.
const DEPTH_MAX: usize = 3;
/// Texts in which more may be are not read: nobody would read them either.
const ESCAPES_MAX: usize = 1 << 18;
/// With these an escape begins, whatever it is.
const INTRODUCERS: &[u8; 4] = b"\\&%+";
/// The longest number of a character reference.
const DIGITS_MAX: usize = 8;
/// The longest name of a character reference.
const NAME_BYTES_MAX: usize = 8;

/// Names of characters in HTML.
#[rustfmt::skip]
const NAMED: &[(&str, u8)] = &[
    ("Tab", b'\t'), ("NewLine", b'\n'), ("excl", b'!'), ("quot", b'"'), ("num", b'#'), ("dollar", b'$'), ("percnt", b'%'), ("amp", b'&'),
    ("apos", b'\''), ("lpar", b'('), ("rpar", b')'), ("ast", b'*'), ("midast", b'*'), ("plus", b'+'), ("comma", b','), ("period", b'.'),
    ("sol", b'/'), ("colon", b':'), ("semi", b';'), ("lt", b'<'), ("equals", b'='), ("gt", b'>'), ("quest", b'?'), ("commat", b'@'),
    ("lsqb", b'['), ("lbrack", b'['), ("bsol", b'\\'), ("rsqb", b']'), ("rbrack", b']'), ("Hat", b'^'), ("lowbar", b'_'), ("grave", b'`'),
    ("lcub", b'{'), ("lbrace", b'{'), ("verbar", b'|'), ("vert", b'|'), ("rcub", b'}'), ("rbrace", b'}'), ("QUOT", b'"'), ("AMP", b'&'),
    ("LT", b'<'), ("GT", b'>'),
];
/// Names of the characters from U+00A0 on, in their order.
const NAMED_LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot \
    cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml \
    Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig \
    agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute \
    ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

/// One reading of a place: what it stands for, and where the text goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    bytes: [u8; 4],
    len: usize,
    pub(super) end: usize,
}

impl Unit {
    fn byte(byte: u8, end: usize) -> Self {
        Self { bytes: [byte, 0, 0, 0], len: 1, end }
    }

    fn char(char: char, end: usize) -> Self {
        let mut bytes = [0; 4];
        let len = char.encode_utf8(&mut bytes).len();
        Self { bytes, len, end }
    }

    /// A character, or one byte of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn is(&self, byte: u8) -> bool {
        self.bytes() == [byte]
    }
}

/// May an escape begin with this byte? Any other stands for itself.
pub(super) fn is_introducer(byte: u8) -> bool {
    INTRODUCERS.contains(&byte)
}

/// Every place of a text, as what it may stand for. Each is read once for each depth, whatever the text: time and memory are in proportion
/// to it.
pub(super) struct Readings<'a> {
    text: &'a [u8],
    /// The readings of introducers, where there are others than themselves.
    found: HashMap<usize, Vec<Unit>>,
}

impl<'a> Readings<'a> {
    /// Reads `text`; `None` if too many escapes may be in it.
    pub(super) fn of(text: &'a [u8]) -> Option<Self> {
        let introducers: Vec<usize> = (0..text.len()).filter(|&at| is_introducer(text[at])).take(ESCAPES_MAX + 1).collect();
        if introducers.len() > ESCAPES_MAX {
            return None;
        }
        let mut readings = Self { text, found: HashMap::new() };
        for _ in 0..DEPTH_MAX {
            let deeper = |&at: &usize| Some((at, readings.deeper(at))).filter(|(_, units)| units.len() > 1);
            let found = introducers.iter().filter_map(deeper).collect();
            readings.found = found;
        }
        Some(readings)
    }

    /// What the place `at` may stand for; nothing at the end.
    pub(super) fn units(&self, at: usize) -> impl Iterator<Item = Unit> + '_ {
        let found = self.found.get(&at);
        let plain = self.text.get(at).filter(|_| found.is_none()).map(|byte| Unit::byte(*byte, at + 1));
        plain.into_iter().chain(found.into_iter().flatten().copied())
    }

    /// The same with escapes one deeper within one another.
    fn deeper(&self, at: usize) -> Vec<Unit> {
        let mut all: Vec<Unit> = self.units(at).collect();
        for introducer in all.clone() {
            let escaped = match introducer.bytes() {
                b"\\" => self.backslash(introducer.end),
                b"&" => self.reference(introducer.end),
                b"%" => self.percent(introducer.end),
                b"+" => vec![Unit::byte(b' ', introducer.end)],
                _ => Vec::new(),
            };
            for unit in escaped {
                if !all.contains(&unit) {
                    all.push(unit);
                }
            }
        }
        all
    }

    fn backslash(&self, at: usize) -> Vec<Unit> {
        self.units(at).flat_map(|letter| self.backslashed(letter)).collect()
    }

    /// What a backslash makes of a letter.
    fn backslashed(&self, letter: Unit) -> Vec<Unit> {
        let control = |byte| vec![Unit::byte(byte, letter.end)];
        match letter.bytes() {
            b"u" => self.unicode(letter.end, b'\\').into_iter().collect(),
            b"U" => self.hex(letter.end, 8).and_then(character).into_iter().collect(),
            b"x" => self.byte(letter.end),
            b"0" => control(0),
            b"a" => control(7),
            b"b" => control(8),
            b"t" => control(b'\t'),
            b"n" => control(b'\n'),
            b"v" => control(11),
            b"f" => control(12),
            b"r" => control(b'\r'),
            b"e" => control(27),
            [byte] if !byte.is_ascii_alphanumeric() && byte.is_ascii() => vec![letter],
            _ => Vec::new(),
        }
    }

    fn percent(&self, at: usize) -> Vec<Unit> {
        match self.one(at, b'u') {
            Some(end) => self.unicode(end, b'%').into_iter().collect(),
            None => self.byte(at),
        }
    }

    /// `&#47;`, `&#x2f;`, `&sol;`. The semicolon may be missing after a number.
    fn reference(&self, at: usize) -> Vec<Unit> {
        let Some(number) = self.one(at, b'#') else {
            let (name, end) = self.several(at, NAME_BYTES_MAX, |byte| byte.is_ascii_alphanumeric());
            let end = self.one(end, b';');
            return named(&name).zip(end).map(|(char, end)| Unit::char(char, end)).into_iter().collect();
        };
        let (radix, number) = match self.one(number, b'x').or_else(|| self.one(number, b'X')) {
            Some(digits) => (16, digits),
            None => (10, number),
        };
        let (digits, end) = self.several(number, DIGITS_MAX, |byte| char::from(byte).is_digit(radix));
        let end = self.one(end, b';').unwrap_or(end);
        value(&digits, radix).and_then(|code| character((code, end))).into_iter().collect()
    }

    /// `XXXX` or `{X…}` after a `u`; two of them where one alone is no character.
    fn unicode(&self, at: usize, introducer: u8) -> Option<Unit> {
        if let Some(number) = self.one(at, b'{') {
            let (digits, end) = self.several(number, DIGITS_MAX, |byte| byte.is_ascii_hexdigit());
            return character((value(&digits, 16)?, self.one(end, b'}')?));
        }
        let (high, end) = self.hex(at, 4)?;
        if !(0xd800..0xdc00).contains(&high) {
            return character((high, end));
        }
        let again = self.units(end).filter(|unit| unit.is(introducer));
        let (low, end) = again.filter_map(|unit| self.hex(self.one(unit.end, b'u')?, 4)).find(|(low, _)| (0xdc00..0xe000).contains(low))?;
        character((0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), end))
    }

    /// Two digits: a byte of UTF-8, or a character of Latin-1.
    fn byte(&self, at: usize) -> Vec<Unit> {
        let Some((code, end)) = self.hex(at, 2) else { return Vec::new() };
        let byte = u8::try_from(code).unwrap_or_default();
        let mut all = vec![Unit::byte(byte, end)];
        if !byte.is_ascii() {
            all.push(Unit::char(char::from(byte), end));
        }
        all
    }

    /// So many hexadecimal digits.
    fn hex(&self, at: usize, digits: usize) -> Option<(u32, usize)> {
        let (read, end) = self.several(at, digits, |byte| byte.is_ascii_hexdigit());
        value(&read, 16).filter(|_| read.len() == digits).map(|value| (value, end))
    }

    /// As many bytes as fit, and where the text goes on after them.
    fn several(&self, mut at: usize, most: usize, fits: impl Fn(u8) -> bool) -> (Vec<u8>, usize) {
        let mut read = Vec::new();
        while let Some((byte, end)) = self.fitting(at, &fits).filter(|_| read.len() < most) {
            read.push(byte);
            at = end;
        }
        (read, at)
    }

    /// Where the text goes on after this byte, if it is there.
    fn one(&self, at: usize, byte: u8) -> Option<usize> {
        self.fitting(at, |found| found == byte).map(|(_, end)| end)
    }

    fn fitting(&self, at: usize, fits: impl Fn(u8) -> bool) -> Option<(u8, usize)> {
        let byte = *self.text.get(at)?;
        if !is_introducer(byte) {
            return fits(byte).then_some((byte, at + 1));
        }
        let single = |unit: Unit| if let [byte] = unit.bytes() { Some((*byte, unit.end)) } else { None };
        self.units(at).filter_map(single).find(|(byte, _)| fits(*byte))
    }
}

fn value(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn character((code, end): (u32, usize)) -> Option<Unit> {
    char::from_u32(code).map(|char| Unit::char(char, end))
}

fn named(name: &[u8]) -> Option<char> {
    let name = std::str::from_utf8(name).ok()?;
    let ascii = || NAMED.iter().find(|(known, _)| *known == name).map(|(_, byte)| char::from(*byte));
    let latin = || (0xa0..=0xff_u8).zip(NAMED_LATIN.split_ascii_whitespace()).find(|(_, known)| *known == name);
    ascii().or_else(|| latin().map(|(byte, _)| char::from(byte)))
}
