//! What the values of a column look like.
//!
//! A shape is told of a column if most of its values have it; nulls and empty texts say nothing. Values are looked at and never kept:
//! what leaves here are counts.

use serde_json::Value;

/// What a value can look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Email,
    Phone,
    Url,
    Domain,
    Ip,
    UserAgent,
    Moment,
    Country,
    Currency,
    Language,
    TimeZone,
    Boolean,
    Number,
    Salutation,
    /// A hash or another long number in hexadecimal digits.
    Hash,
    /// An object or a list.
    Nested,
    /// Holds a digit.
    Digits,
    /// Letters and what stands between the words of a name.
    Letters,
}

const SHAPES: [Shape; 18] = [
    Shape::Email,
    Shape::Phone,
    Shape::Url,
    Shape::Domain,
    Shape::Ip,
    Shape::UserAgent,
    Shape::Moment,
    Shape::Country,
    Shape::Currency,
    Shape::Language,
    Shape::TimeZone,
    Shape::Boolean,
    Shape::Number,
    Shape::Salutation,
    Shape::Hash,
    Shape::Nested,
    Shape::Digits,
    Shape::Letters,
];

/// A shape is told from this share of the values on.
const MOST: f64 = 0.8;
/// A longer text has no shape; looking at it would take time.
const TEXT_MAX: usize = 2048;

/// How many values of a column have which shape.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    count: usize,
    with: [usize; SHAPES.len()],
}

impl Samples {
    pub(super) fn of(values: &[Value]) -> Self {
        let mut samples = Self::default();
        for value in values.iter().filter(|value| !value.is_null() && value.as_str() != Some("")) {
            samples.count += 1;
            for (with, shape) in samples.with.iter_mut().zip(SHAPES) {
                *with += usize::from(has(value, shape));
            }
        }
        samples
    }

    /// Were there any values?
    pub(super) fn any(&self) -> bool {
        self.count > 0
    }

    /// Do most values look like this?
    pub(super) fn mostly(&self, shape: Shape) -> bool {
        self.any() && self.share(shape) >= MOST
    }

    /// Does none, or next to none, look like this?
    pub(super) fn hardly(&self, shape: Shape) -> bool {
        self.any() && self.share(shape) <= 1.0 - MOST
    }

    fn share(&self, shape: Shape) -> f64 {
        let at = SHAPES.iter().position(|other| *other == shape).unwrap_or_default();
        self.with[at] as f64 / self.count.max(1) as f64
    }
}

fn has(value: &Value, shape: Shape) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) => shape == Shape::Boolean,
        Value::Number(_) => matches!(shape, Shape::Number | Shape::Digits),
        Value::Array(_) | Value::Object(_) => shape == Shape::Nested,
        Value::String(text) if text.len() > TEXT_MAX => false,
        Value::String(text) => text_has(text.trim(), shape),
    }
}

fn text_has(text: &str, shape: Shape) -> bool {
    match shape {
        Shape::Email => is_email(text),
        Shape::Phone => is_phone(text),
        Shape::Url => is_url(text),
        Shape::Domain => is_domain(text),
        Shape::Ip => text.parse::<std::net::IpAddr>().is_ok(),
        Shape::UserAgent => ["Mozilla/", "Opera/", "Dalvik/", "okhttp/", "curl/"].iter().any(|start| text.starts_with(start)),
        Shape::Moment => is_moment(text),
        Shape::Country => is_listed(text, 2, COUNTRIES) || is_letters(text, 4..=40),
        Shape::Currency => is_listed(text, 3, CURRENCIES),
        Shape::Language => is_language(text),
        Shape::TimeZone => is_time_zone(text),
        Shape::Boolean => ["true", "false", "yes", "no", "y", "n", "t", "f"].contains(&text.to_ascii_lowercase().as_str()),
        Shape::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
        Shape::Salutation => is_salutation(text),
        Shape::Hash => text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit()),
        Shape::Nested => text.starts_with(['{', '[']) && text.ends_with(['}', ']']),
        Shape::Digits => text.bytes().any(|b| b.is_ascii_digit()),
        Shape::Letters => is_letters(text, 1..=80),
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    !local.is_empty() && !text.contains(char::is_whitespace) && is_domain(domain)
}

fn is_domain(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let label = |label: &&str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    labels.len() >= 2
        && labels.iter().all(label)
        && labels.last().is_some_and(|last| last.len() >= 2 && last.chars().all(char::is_alphabetic))
}

fn is_url(text: &str) -> bool {
    let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| !rest.is_empty()) || (text.starts_with("www.") && is_domain(text.split('/').next().unwrap_or_default()))
}

/// As people write telephone numbers; digits alone could be anything.
fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let plain = text.strip_prefix('+').unwrap_or(text).chars().all(|c| c.is_ascii_digit() || " ()-./".contains(c));
    let written = text.starts_with('+') || text.contains([' ', '(', '-', '/']);
    plain && written && (7..=15).contains(&digits) && !is_moment(text)
}

/// `2026-03-01`, with or without a time behind it.
fn is_moment(text: &str) -> bool {
    let day = text.get(..10).unwrap_or_default();
    let parts: Vec<&str> = day.split(['-', '/', '.']).collect();
    let [a, b, c] = parts.as_slice() else { return false };
    let number = |part: &str, most: u32| part.parse::<u32>().is_ok_and(|number| (1..=most).contains(&number));
    let iso = a.len() == 4 && number(a, 9999) && number(b, 12) && number(c, 31);
    let turned = c.len() == 4 && number(c, 9999) && number(a, 31) && number(b, 31);
    let rest = text.get(10..).unwrap_or_default();
    (iso || turned) && (rest.is_empty() || rest.starts_with(['T', ' ']))
}

fn is_listed(text: &str, length: usize, list: &str) -> bool {
    text.len() == length && text.is_ascii() && list.split(' ').any(|code| code.eq_ignore_ascii_case(text))
}

fn is_letters(text: &str, chars: std::ops::RangeInclusive<usize>) -> bool {
    chars.contains(&text.chars().count()) && text.chars().all(|c| c.is_alphabetic() || " .'-&,".contains(c))
}

fn is_language(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let language = parts.next().is_some_and(|part| (2..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase()));
    language && parts.all(|part| (2..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn is_time_zone(text: &str) -> bool {
    const AREAS: [&str; 10] = ["Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"];
    text == "UTC" || text.split_once('/').is_some_and(|(area, place)| AREAS.contains(&area) && !place.is_empty())
}

fn is_salutation(text: &str) -> bool {
    const ALL: [&str; 18] =
        ["mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "herr", "frau", "m", "mme", "mlle", "sr", "sra", "sig", "dhr", "mevr"];
    ALL.contains(&text.trim_end_matches('.').to_lowercase().as_str())
}

/// ISO 3166-1, two letters.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA \
    CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI \
    GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC \
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA \
    PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH \
    TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW UK";

/// Those of ISO 4217 that are in everyday use.
const CURRENCIES: &str = "AED ARS AUD BDT BGN BHD BRL CAD CHF CLP CNY COP CRC CZK DKK DOP EGP EUR GBP GHS GTQ HKD HNL HRK HUF IDR ILS INR \
    ISK JMD JOD JPY KES KRW KWD KZT LBP LKR MAD MUR MXN MYR NGN NIO NOK NZD OMR PAB PEN PHP PKR PLN PYG QAR RON RSD RUB SAR SEK SGD THB TND \
    TRY TTD TWD TZS UAH UGX USD UYU UZS VND XAF XOF ZAR ZMW";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn looks_like(values: &[Value], shape: Shape) -> bool {
        Samples::of(values).mostly(shape)
    }

    #[test]
    fn values_tell_what_they_are() {
        assert!(looks_like(&[json!("a@example.com"), json!("b.c+d@mail.example.org")], Shape::Email));
        assert!(!looks_like(&[json!("a@b"), json!("@example.com"), json!("a b@example.com")], Shape::Email));
        assert!(looks_like(&[json!("+14155550100"), json!("(415) 555-0100"), json!("0049 30 5550100")], Shape::Phone));
        assert!(!looks_like(&[json!("2025-01-01"), json!("12345678"), json!("10115")], Shape::Phone));
        assert!(looks_like(&[json!("203.0.113.7"), json!("2001:db8::1")], Shape::Ip));
        assert!(looks_like(&[json!("NO"), json!("de"), json!("United Kingdom")], Shape::Country));
        assert!(!looks_like(&[json!("XX"), json!("1")], Shape::Country));
        assert!(looks_like(&[json!("EUR"), json!("usd")], Shape::Currency));
        assert!(looks_like(&[json!("https://example.com/a"), json!("www.example.org")], Shape::Url));
        assert!(looks_like(&[json!("2025-01-01"), json!("2025-01-01T10:00:00Z"), json!("31.12.2025 10:00")], Shape::Moment));
        assert!(looks_like(&[json!("Europe/Oslo"), json!("America/Argentina/Ushuaia")], Shape::TimeZone));
        assert!(looks_like(&[json!("en"), json!("de-DE"), json!("nb_NO")], Shape::Language));
        assert!(looks_like(&[json!(true), json!("false")], Shape::Boolean));
        assert!(looks_like(&[json!("Mr"), json!("Mme"), json!("Dr.")], Shape::Salutation));
    }

    #[test]
    fn nulls_and_blanks_say_nothing() {
        let none = Samples::of(&[Value::Null, json!("")]);
        assert!(!none.any() && !none.mostly(Shape::Email) && !none.hardly(Shape::Email));
        assert!(looks_like(&[Value::Null, json!("a@example.com"), json!("")], Shape::Email));
    }

    #[test]
    fn nothing_in_the_data_is_too_strange() {
        let strange = ["", " ", "\u{0}", "é", "😀", "+", "@", "..", "2025-é1-01", "日本", &"x".repeat(TEXT_MAX + 1)];
        for text in strange {
            for shape in SHAPES {
                has(&json!(text), shape);
            }
        }
    }
}
