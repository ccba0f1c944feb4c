//! Moments: read from text as generously as V8 reads it, and taken apart in a zone.
//!
//! ISO 8601 is read first. All other text is read as V8's legacy parser does: words before the first number do not count, `10:20` is a
//! time, other numbers are a day (`6/1/2024`, `1 June 2024`, `2024-06-01 10:20`), and what follows a time with a sign is an offset.
//! What says no offset is UTC.

use crate::chars::is_space;

pub(super) const MILLIS_PER_DAY: i64 = 86_400_000;
/// The furthest that a moment of JavaScript is away from 1970.
const MILLIS_MAX: f64 = 8.64e15;

/// Beyond the year of the last moment.
const YEAR_MAX: i64 = 300_000;

/// The milliseconds since 1970, if a moment of JavaScript may be there.
pub(super) fn clipped(millis: f64) -> Option<i64> {
    (millis.abs() <= MILLIS_MAX).then_some(millis as i64)
}

/// The days since 1970 of a day of the calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year, month and day.
pub(super) fn calendar(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The day of its year, from 1.
pub(super) fn day_of_year(at: i64) -> i64 {
    at - days(calendar(at).0, 1, 1) + 1
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    Number { value: i64, digits: usize },
    Symbol(char),
    Word(Word),
    Space,
    Other,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    Month(i64),
    /// The hours that it adds.
    HalfDay(i64),
    /// Its hours from UTC, and whether it is the letter `Z`.
    Zone(i64, bool),
    T,
    Unknown,
}

struct Scanner<'t> {
    rest: &'t str,
    next: Token,
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str) -> Self {
        let mut scanner = Self { rest: text, next: Token::End };
        scanner.take();
        scanner
    }

    /// The token that comes next, and goes behind it.
    fn take(&mut self) -> Token {
        std::mem::replace(&mut self.next, scan(&mut self.rest))
    }

    fn skip(&mut self, symbol: char) -> bool {
        let hit = self.next == Token::Symbol(symbol);
        if hit {
            self.take();
        }
        hit
    }

    /// A number of so many digits, in this range.
    fn fixed(&mut self, wanted: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        match self.next {
            Token::Number { value, digits } if digits == wanted && range.contains(&value) => {
                self.take();
                Some(value)
            }
            _ => None,
        }
    }

    fn sign(&mut self) -> Option<i64> {
        let sign = match self.next {
            Token::Symbol('+') => 1,
            Token::Symbol('-') => -1,
            _ => return None,
        };
        self.take();
        Some(sign)
    }
}

fn scan(rest: &mut &str) -> Token {
    let Some(first) = rest.chars().next() else { return Token::End };
    let is_letter = |c: char| c >= 'A' && !is_space(c);
    let (length, token) = if first.is_ascii_digit() {
        let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        // Nine digits count, without zeros before them.
        let value = rest[..length].trim_start_matches('0').bytes().take(9).fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        (length, Token::Number { value, digits: length })
    } else if matches!(first, ':' | '-' | '+' | '.' | ')') {
        (1, Token::Symbol(first))
    } else if is_letter(first) {
        let length = rest.find(|c| !is_letter(c)).unwrap_or(rest.len());
        (length, Token::Word(word(&rest[..length])))
    } else if is_space(first) {
        (first.len_utf8(), Token::Space)
    } else if first == '(' {
        (parentheses(rest), Token::Other)
    } else {
        (first.len_utf8(), Token::Other)
    };
    *rest = &rest[length..];
    token
}

/// The length of what stands in parentheses, which may not be closed.
fn parentheses(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

fn word(text: &str) -> Word {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let text = text.to_ascii_lowercase();
    if let Some(month) = MONTHS.iter().position(|month| text.starts_with(month)) {
        return Word::Month(month as i64 + 1);
    }
    match text.as_str() {
        "am" => Word::HalfDay(0),
        "pm" => Word::HalfDay(12),
        "ut" | "utc" | "gmt" => Word::Zone(0, false),
        "z" => Word::Zone(0, true),
        "edt" => Word::Zone(-4, false),
        "est" | "cdt" => Word::Zone(-5, false),
        "cst" | "mdt" => Word::Zone(-6, false),
        "mst" | "pdt" => Word::Zone(-7, false),
        "pst" => Word::Zone(-8, false),
        "t" => Word::T,
        _ => Word::Unknown,
    }
}

/// What has been read of a moment.
#[derive(Default)]
struct Read {
    /// At most three numbers of a day.
    day: Vec<i64>,
    month: Option<i64>,
    is_iso: bool,
    /// At most hour, minute, second and millisecond.
    time: Vec<i64>,
    hours_added: Option<i64>,
    sign: Option<i64>,
    zone_hour: Option<i64>,
    zone_minute: Option<i64>,
}

/// The milliseconds since 1970 that a text says.
pub(super) fn parse(text: &str) -> Option<i64> {
    let mut scanner = Scanner::new(text);
    let mut read = Read::default();
    if let Some(left) = read.iso(&mut scanner)? {
        read.legacy(left, &mut scanner)?;
    }
    read.millis()
}

impl Read {
    /// Reads ISO 8601. `None` if the text is nearly that, and so is no moment; otherwise the token at which it is something else.
    #[allow(clippy::option_option, reason = "what is no moment has no token to go on with")]
    fn iso(&mut self, scanner: &mut Scanner<'_>) -> Option<Option<Token>> {
        let first = scanner.next;
        if let Some(sign) = scanner.sign() {
            let Some(year) = scanner.fixed(6, 0..=999_999).filter(|year| sign > 0 || *year > 0) else { return Some(Some(first)) };
            self.day.push(sign * year);
        } else if let Some(year) = scanner.fixed(4, 0..=9999) {
            self.day.push(year);
        } else {
            return Some(Some(scanner.take()));
        }
        for range in [1..=12, 1..=31] {
            if !scanner.skip('-') {
                break;
            }
            let Some(part) = scanner.fixed(2, range) else { return Some(Some(scanner.take())) };
            self.day.push(part);
        }
        if scanner.next == Token::Word(Word::T) {
            scanner.take();
            self.iso_time(scanner)?;
        } else if scanner.next != Token::End {
            return Some(Some(scanner.take()));
        }
        self.is_iso = true;
        Some(None)
    }

    fn iso_time(&mut self, scanner: &mut Scanner<'_>) -> Option<()> {
        let hour = scanner.fixed(2, 0..=24)?;
        let most = |other: i64| if hour == 24 { 0 } else { other };
        self.time.push(hour);
        if !scanner.skip(':') {
            return None;
        }
        self.time.push(scanner.fixed(2, 0..=most(59))?);
        if scanner.skip(':') {
            self.time.push(scanner.fixed(2, 0..=most(59))?);
            if scanner.skip('.') {
                let Token::Number { value, digits } = scanner.take() else { return None };
                self.time.push(millis(value, digits));
            }
        }
        if scanner.next == Token::Word(Word::Zone(0, true)) {
            scanner.take();
            self.sign = Some(1);
        } else if let Some(sign) = scanner.sign() {
            self.sign = Some(sign);
            let (hour, minute) = if let Some(both) = scanner.fixed(4, 0..=2359) {
                (both / 100, both % 100)
            } else {
                let hour = scanner.fixed(2, 0..=23)?;
                if !scanner.skip(':') {
                    return None;
                }
                (hour, scanner.fixed(2, 0..=59)?)
            };
            (self.zone_hour, self.zone_minute) = (Some(hour), Some(minute).filter(|minute| *minute < 60));
            self.zone_minute?;
        }
        (scanner.next == Token::End).then_some(())
    }

    /// Does this number go on with the time?
    fn expects(&self, number: i64) -> bool {
        match self.time.len() {
            1 | 2 => (0..60).contains(&number),
            3 => (0..1000).contains(&number),
            _ => false,
        }
    }

    fn legacy(&mut self, first: Token, scanner: &mut Scanner<'_>) -> Option<()> {
        let mut has_number = !self.day.is_empty();
        let mut token = first;
        while token != Token::End {
            match token {
                Token::Number { value, .. } => {
                    has_number = true;
                    self.number(value, scanner)?;
                }
                Token::Word(Word::HalfDay(hours)) if !self.time.is_empty() => self.hours_added = Some(hours),
                Token::Word(Word::Month(month)) => {
                    self.month = Some(month);
                    scanner.skip('-');
                }
                Token::Word(Word::Zone(hours, _)) if has_number => {
                    self.sign = Some(if hours < 0 { -1 } else { 1 });
                    (self.zone_hour, self.zone_minute) = (Some(hours.abs()), Some(0));
                }
                Token::Word(_) if has_number || matches!(scanner.next, Token::Number { .. }) => return None,
                Token::Symbol(sign @ ('+' | '-')) if self.is_utc() || !self.time.is_empty() => {
                    has_number = true;
                    self.offset(if sign == '+' { 1 } else { -1 }, scanner)?;
                }
                Token::Symbol('+' | '-' | ')') if has_number => return None,
                _ => {}
            }
            token = scanner.take();
        }
        Some(())
    }

    fn is_utc(&self) -> bool {
        (self.zone_hour, self.zone_minute) == (Some(0), Some(0))
    }

    fn number(&mut self, value: i64, scanner: &mut Scanner<'_>) -> Option<()> {
        if scanner.skip(':') {
            let twice = scanner.skip(':');
            if self.time.len() == 4 || (twice && !self.time.is_empty()) {
                return None;
            }
            self.time.push(value);
            if twice {
                self.time.push(0);
            } else {
                scanner.skip('.');
            }
        } else if scanner.skip('.') && self.expects(value) {
            self.time.push(value);
            let Token::Number { value, digits } = scanner.take() else { return None };
            self.time.push(millis(value, digits));
            self.time.resize(4, 0);
        } else if self.zone_hour.is_some() && self.zone_minute.is_none() && (0..60).contains(&value) {
            self.zone_minute = Some(value);
        } else if self.expects(value) {
            self.time.push(value);
            self.time.resize(4, 0);
            let ends = matches!(scanner.next, Token::End | Token::Space | Token::Symbol('+' | '-') | Token::Word(Word::Zone(0, true)));
            return ends.then_some(());
        } else {
            if self.day.len() == 3 {
                return None;
            }
            self.day.push(value);
            scanner.skip('-');
        }
        Some(())
    }

    fn offset(&mut self, sign: i64, scanner: &mut Scanner<'_>) -> Option<()> {
        self.sign = Some(sign);
        let (value, digits) = match scanner.next {
            Token::Number { value, digits } => {
                scanner.take();
                (value, digits)
            }
            _ => (0, 0),
        };
        let minute = match digits {
            _ if scanner.next == Token::Symbol(':') => None,
            1 | 2 => Some(0),
            3 | 4 => Some(value % 100),
            _ => return None,
        };
        self.zone_hour = Some(if digits > 2 && minute.is_some() { value / 100 } else { value });
        self.zone_minute = minute;
        Some(())
    }

    fn millis(mut self) -> Option<i64> {
        if self.day.is_empty() {
            return None;
        }
        // As in V8: a day without its year is one of 2001.
        self.day.resize(3, 1);
        let is_day = |number: i64| (1..=31).contains(&number);
        let [a, b, c] = self.day[..] else { return None };
        let (year, month, day) = match self.month {
            None if self.is_iso || !is_day(a) => (a, b, c),
            None => (c, a, b),
            Some(month) if is_day(a) => (b, month, a),
            Some(month) => (a, month, b),
        };
        let year = match year {
            0..=49 if !self.is_iso => year + 2000,
            50..=99 if !self.is_iso => year + 1900,
            _ => year,
        };
        if !(1..=12).contains(&month) || !is_day(day) || year.abs() > YEAR_MAX {
            return None;
        }
        self.time.resize(4, 0);
        let [mut hour, minute, second, milli] = self.time[..] else { return None };
        if let Some(added) = self.hours_added {
            if !(0..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + added;
        }
        let is_time = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second) && (0..1000).contains(&milli);
        if !is_time && (hour, minute, second, milli) != (24, 0, 0, 0) {
            return None;
        }
        let offset = self.sign.unwrap_or_default() * (self.zone_hour.unwrap_or_default() * 60 + self.zone_minute.unwrap_or_default());
        let minutes = hour * 60 + minute - offset;
        let millis = (days(year, month, 1) + day - 1) * MILLIS_PER_DAY + minutes * 60_000 + second * 1000 + milli;
        clipped(millis as f64)
    }
}

/// The milliseconds of so many digits behind a point.
fn millis(value: i64, digits: usize) -> i64 {
    match digits {
        1 => value * 100,
        2 => value * 10,
        digits => value / 10_i64.pow(digits.min(9) as u32 - 3),
    }
}
