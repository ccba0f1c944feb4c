use super::*;

fn cleaned(secret: &str, text: &str) -> String {
    let redactor = Redactor::default();
    redactor.add(secret);
    redactor.clean(text)
}

#[test]
fn a_secret_is_found_in_each_of_its_forms() {
    let redactor = Redactor::default();
    redactor.add("p@ss\"word");
    assert_eq!(redactor.clean("a p@ss\"word b"), "a *** b");
    assert_eq!(redactor.clean(r#"{"t":"p@ss\"word"}"#), r#"{"t":"***"}"#);
    assert_eq!(redactor.clean("?t=p%40ss%22word"), "?t=***");
    assert_eq!(format!("{:?}", Secret::new("x")), "***");
}

#[test]
fn a_secret_is_found_however_others_escape_it() {
    let secret = "aß/<&'\"> +=😀";
    let forms = [
        r#"aß\/<&'\"> +=😀"#,
        r#"a\u00df/<&'\"> +=\ud83d\ude00"#,
        r"a\u00DF\/\u003C\u0026\u0027\u0022\u003E \u002b\u003D\uD83D\uDE00",
        r#"a\xdf/<&\'\"> +=\U0001f600"#,
        r#"a\xc3\x9f/<&'\"> +=\u{1f600}"#,
        "aß/&lt;&amp;&#39;&quot;&gt; +=😀",
        "a&szlig;&#x2F;&lt;&amp;&apos;&#34;&gt;&#032;&plus;&equals;&#128512;",
        "a%C3%9F%2F%3C%26%27%22%3E%20%2B%3D%F0%9F%98%80",
        "a%c3%9f/%3c%26'%22%3e+%2b%3d%f0%9f%98%80",
        "a%DF/%3C%26%27%22%3E%20+%3D%uD83D%uDE00",
        r"a\\u00df\\\/<&'\\\u0022> +=\\ud83d\\ude00",
        "a%25C3%259F%252F%253C%2526%2527%2522%253E%2520%252B%253D%25F0%259F%2598%2580",
        "aß/&amp;lt;&amp;amp;&amp;#39;&amp;quot;&amp;gt; +=😀",
        "a%C3%9F%2F%26lt%3B%26amp%3B%26%2339%3B%26quot%3B%26gt%3B+%2B%3D%F0%9F%98%80",
        "YcOfLzwmJyI+ICs98J+YgA==",
        "YcOfLzwmJyI+ICs98J+YgA",
        "YcOfLzwmJyI-ICs98J-YgA",
        r"YcOfLzwmJyI+ICs98J+YgA\u003d\u003d",
        "61c39f2f3c2627223e202b3df09f9880",
        "61C39F2F3C2627223E202B3DF09F9880",
    ];
    for form in forms {
        assert_eq!(cleaned(secret, &format!("seen: [{form}], 1")), "seen: [***], 1", "{form}");
    }
    // base64 of `me:0123456789`, of `you:0123456789`, and of `they:0123456789`: what is not of the secret may stay.
    for form in ["bWU6MDEyMzQ1Njc4OQ==", "eW91OjAxMjM0NTY3ODk=", "dGhleTowMTIzNDU2Nzg5"] {
        let shown = cleaned("0123456789", form);
        assert!(shown.contains(REDACTED) && shown.len() <= 13, "{shown}");
    }
}

#[test]
fn of_secrets_that_overlap_or_lie_in_one_another_nothing_is_left() {
    let redactor = Redactor::default();
    for secret in ["token", "token-1234", "34-5678"] {
        redactor.add(secret);
    }
    assert_eq!(redactor.clean("a token-1234-5678 b token c"), "a *** b *** c");
    assert_eq!(cleaned("abcabc", "xabcabcabcx"), "x***x");
}

#[test]
fn what_is_no_secret_stays_as_it_is() {
    let text = "100% of A&B &amp; \\ C:\\new \\u12 %zz &#x; &bogus; 1+1 \\ud83d \\ud83d\\u0041 ß 😀 %";
    assert_eq!(cleaned("s3cr3t", text), text);
    assert_eq!(cleaned("abc", "abc"), "abc", "too short to be told from other text");
    assert_eq!(cleaned("s3cr3t", ""), "");
    assert_eq!(Redactor::default().clean(text), text);
}

#[test]
fn a_text_of_nothing_but_escapes_is_read_in_time_and_a_huge_one_is_hidden() {
    for unit in ["\\", "&", "%25", "&amp;", "\\u005c"] {
        let text = unit.repeat(5_000);
        assert_eq!(cleaned("s3cr3t", &text), text);
        assert!(cleaned("s3cr3t", &format!("{text}s3cr3t")).ends_with("***"));
        assert_eq!(cleaned("s3cr3t", &unit.repeat(300_000)), REDACTED);
    }
}

/// Numbers as if at random, the same ones each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn text(&mut self, parts: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| parts[self.below(parts.len())]).collect()
    }

    /// The character, as one of many would write it.
    fn escaped(&mut self, char: char) -> String {
        let code = u32::from(char);
        let units = || char.encode_utf16(&mut [0; 2]).to_vec();
        let bytes = || char.to_string().into_bytes();
        match self.below(9) {
            0 => units().iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat(),
            1 => units().iter().map(|unit| format!("\\u{unit:04X}")).collect::<Vec<_>>().concat(),
            2 if char.is_ascii_punctuation() => format!("\\{char}"),
            3 => format!("&#{code};"),
            4 => format!("&#x{code:X};"),
            5 => bytes().iter().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat(),
            6 => bytes().iter().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat(),
            7 => match char {
                '<' => "&lt;".to_owned(),
                '&' => "&amp;".to_owned(),
                ' ' => "+".to_owned(),
                _ => char.to_string(),
            },
            _ => char.to_string(),
        }
    }
}

fn unescaped_json(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (mut units, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let hex = || u16::from_str_radix(&chars.get(at + 2..at + 6)?.iter().collect::<String>(), 16).ok();
        match (chars[at], chars.get(at + 1)) {
            ('\\', Some('u')) if hex().is_some() => {
                units.extend(hex());
                at += 6;
            }
            ('\\', Some(other)) => {
                let stands_for = match other {
                    'n' => '\n',
                    't' => '\t',
                    other => *other,
                };
                units.extend_from_slice(stands_for.encode_utf16(&mut [0; 2]));
                at += 2;
            }
            (char, _) => {
                units.extend_from_slice(char.encode_utf16(&mut [0; 2]));
                at += 1;
            }
        }
    }
    String::from_utf16_lossy(&units)
}

fn unescaped_url(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let hex = || u8::from_str_radix(std::str::from_utf8(bytes.get(at + 1..at + 3)?).ok()?, 16).ok();
        match (bytes[at], hex()) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn unescaped_html(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let name = rest.find(';').map(|end| (&rest[1..end], end));
        let char = name.and_then(|(name, _)| match name {
            "lt" => Some('<'),
            "amp" => Some('&'),
            _ => match name.strip_prefix("#x") {
                Some(hex) => u32::from_str_radix(hex, 16).ok().and_then(char::from_u32),
                None => name.strip_prefix('#')?.parse().ok().and_then(char::from_u32),
            },
        });
        out.push(char.unwrap_or('&'));
        rest = &rest[if char.is_some() { name.map_or(1, |(_, end)| end + 1) } else { 1 }..];
    }
    out + rest
}

#[test]
fn any_secret_in_any_mixture_of_escapings_is_hidden_and_no_unescaping_brings_it_back() {
    let letters =
        ["a", "b", "0", "u", "n", "x", "/", "+", "=", "&", "<", "\"", "\\", "%", "'", ";", "#", " ", "\n", "ß", "😀", "25", "amp;"];
    let around = ["\\", "%", "&", "{\"", "\"", "%4", "&#", "\\u00", " ", "a", "0", "ß", ":", "amp", "\\\\", "%25", "x"];
    let unescape: [fn(&str) -> String; 3] = [unescaped_json, unescaped_url, unescaped_html];
    let mut dice = Dice(7);
    for _ in 0..4_000 {
        let secret = dice.text(&letters, 12);
        if secret.len() < SEARCHED_BYTES_MIN {
            continue;
        }
        let mut form = secret.clone();
        for _ in 0..=dice.below(2) {
            form = form.chars().map(|char| dice.escaped(char)).collect();
        }
        let text = format!("{}{form}{}", dice.text(&around, 4), dice.text(&around, 4));
        let shown = cleaned(&secret, &text);
        assert!(shown.contains(REDACTED), "{secret:?} in {text:?} is shown as {shown:?}");
        for once in unescape.map(|unescape| unescape(&shown)) {
            let twice = unescape.map(|unescape| unescape(&once));
            let told = [&shown, &once].into_iter().chain(&twice).find(|text| text.contains(&secret));
            assert_eq!(told, None, "{secret:?} in {text:?} is shown as {shown:?}");
        }
    }
}
