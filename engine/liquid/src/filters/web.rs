//! Filters of what stands in addresses and pages.

use super::Call;
use crate::chars::is_space;
use crate::problem::Failure;
use crate::value::Value;

type Made = Result<Value, Failure>;

/// What JavaScript leaves as it is in a part of an address.
const PLAIN: &str = "-_.!~*'()";
/// What it leaves besides in a whole one.
const RESERVED: &str = ";/?:@&=+$,#";

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn percent(text: &str, plain: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || plain.contains(c) {
            made.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                made.extend(['%', char::from(HEX[usize::from(byte >> 4)]), char::from(HEX[usize::from(byte & 15)])]);
            }
        }
    }
    made
}

pub(super) fn url_encode(call: &mut Call<'_>) -> Made {
    Ok(percent(&call.text(), PLAIN).replace("%20", "+").into())
}

pub(super) fn cgi_escape(call: &mut Call<'_>) -> Made {
    Ok(percent(&call.text(), "-_.~").replace("%20", "+").into())
}

pub(super) fn uri_escape(call: &mut Call<'_>) -> Made {
    let plain = [PLAIN, RESERVED, "[]"].concat();
    Ok(percent(&call.text(), &plain).into())
}

pub(super) fn url_decode(call: &mut Call<'_>) -> Made {
    let text = call.text();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let code = digit().zip(digit()).ok_or_else(|| call.fail("a `%` is not followed by two hexadecimal digits"))?;
                (code.0 * 16 + code.1) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map(Value::from).map_err(|_| call.fail("what is encoded is no UTF-8"))
}

pub(super) fn escape(call: &mut Call<'_>) -> Made {
    Ok(escaped(&call.text()).into())
}

fn escaped(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => made.push_str("&amp;"),
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            '"' => made.push_str("&#34;"),
            '\'' => made.push_str("&#39;"),
            other => made.push(other),
        }
    }
    made
}

pub(super) fn escape_once(call: &mut Call<'_>) -> Made {
    const CODES: [(&str, char); 5] = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&#34;", '"'), ("&#39;", '\'')];
    let text = call.text();
    let (mut plain, mut rest) = (String::with_capacity(text.len()), &*text);
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let (length, c) = CODES.iter().find(|(code, _)| rest.starts_with(code)).map_or((1, '&'), |(code, c)| (code.len(), *c));
        plain.push(c);
        rest = &rest[length..];
    }
    plain.push_str(rest);
    Ok(escaped(&plain).into())
}

/// Without tags and comments, and without what scripts and styles hold.
pub(super) fn strip_html(call: &mut Call<'_>) -> Made {
    let text = call.text();
    let mut kinds = vec![("<script", "</script>"), ("<style", "</style>"), ("<!--", "-->"), ("<", ">")];
    let (mut made, mut rest) = (String::new(), &*text);
    while let Some(at) = rest.find('<') {
        made.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut behind = None;
        // What is nowhere closed is not looked for again.
        kinds.retain(|(open, close)| {
            if behind.is_some() || !rest.starts_with(open) {
                return true;
            }
            behind = rest[open.len()..].find(close).map(|found| open.len() + found + close.len());
            behind.is_some()
        });
        match behind {
            Some(end) => rest = &rest[end..],
            None => break,
        }
    }
    made.push_str(rest);
    Ok(made.into())
}

/// The text as it may stand in an address: `raw`, `default`, `pretty`, `ascii`, `latin` or `none` say what may stay.
pub(super) fn slugify(call: &mut Call<'_>) -> Made {
    let mode = call.arg(0);
    let mode = if matches!(mode, Value::Missing) { "default".into() } else { mode.text() };
    let text = call.text();
    let text: String = if &*mode == "latin" { text.chars().map(without_accent).collect::<Vec<_>>().concat() } else { (*text).to_owned() };
    // Marks that combine with the letter before belong to it.
    let is_letter = |c: char| c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}');
    let goes: Option<Box<dyn Fn(char) -> bool>> = match &*mode {
        "raw" => Some(Box::new(is_space)),
        "default" | "latin" => Some(Box::new(move |c| !is_letter(c))),
        "pretty" => Some(Box::new(move |c| !(is_letter(c) || "._~!$&'()+,;=@".contains(c)))),
        "ascii" => Some(Box::new(|c| !c.is_ascii_alphanumeric())),
        _ => None,
    };
    let slug = goes.map_or_else(|| text.clone(), |goes| hyphenated(&text, &*goes));
    Ok(if call.arg(1).plain().is_set() { slug } else { slug.to_lowercase() }.into())
}

/// With one hyphen for each run of what goes, and none at the ends.
fn hyphenated(text: &str, goes: &dyn Fn(char) -> bool) -> String {
    let mut made = String::with_capacity(text.len());
    let mut gone = false;
    for c in text.chars() {
        let gone_before = std::mem::replace(&mut gone, goes(c));
        if !gone {
            made.push(c);
        } else if !gone_before {
            made.push('-');
        }
    }
    let made = made.strip_prefix('-').unwrap_or(&made);
    made.strip_suffix('-').unwrap_or(made).to_owned()
}

fn without_accent(c: char) -> String {
    match c {
        'à'..='å' => "a",
        'æ' => "ae",
        'ç' => "c",
        'è'..='ë' => "e",
        'ì'..='ï' => "i",
        'ð' => "d",
        'ñ' => "n",
        'ò'..='ö' | 'ø' => "o",
        'ù'..='ü' => "u",
        'ý' | 'ÿ' => "y",
        'ß' => "ss",
        'œ' => "oe",
        'þ' => "th",
        'ẞ' => "SS",
        'Œ' => "OE",
        'Þ' => "TH",
        other => return other.to_string(),
    }
    .to_owned()
}
