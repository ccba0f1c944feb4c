//! The path language of `@path`, `@template` and `@arrayPath`: text to a [`Path`].
//!
//! `a.b`, `a[0]`, `a.0`, `a['b']` and `a["b"]` are steps; empty steps count for nothing; `$` and `$.` are the root.
//! One deliberate difference from the reference: a quoted step in brackets keeps its dots, so `$['a.b']` is the key `a.b`.

use super::Path;

impl Path {
    /// The record, or the item, itself.
    pub fn whole() -> Self {
        Self { segments: Vec::new() }
    }

    /// The path that `text` writes. Every text writes one.
    pub fn parse(text: &str) -> Self {
        parse(text)
    }
}

fn parse(text: &str) -> Path {
    let text = match text.strip_prefix("$.") {
        Some(rest) => rest,
        None if text == "$" => "",
        // `$['a']` and `$[0]`.
        None => text.strip_prefix('$').filter(|rest| opens_step(rest)).unwrap_or(text),
    };
    let mut segments = Vec::new();
    let mut segment = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((key, after)) = quoted_step(rest) {
            take(&mut segment, &mut segments);
            segments.push(key.to_owned());
            rest = after;
            continue;
        }
        let ends_step = c == ']' && text[..text.len() - rest.len()].ends_with(|before: char| before.is_ascii_digit() || is_quote(before));
        if c == '.' || ends_step || opens_step(rest) {
            take(&mut segment, &mut segments);
        } else if !is_quote(c) {
            segment.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    take(&mut segment, &mut segments);
    Path { segments }
}

fn take(segment: &mut String, segments: &mut Vec<String>) {
    if !segment.is_empty() {
        segments.push(std::mem::take(segment));
    }
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"')
}

/// A bracket with an index or a quoted key behind it.
fn opens_step(rest: &str) -> bool {
    rest.strip_prefix('[').is_some_and(|inner| inner.starts_with(|c: char| c.is_ascii_digit() || is_quote(c)))
}

/// The key of a complete `['key']` at the start, and what follows it.
fn quoted_step(rest: &str) -> Option<(&str, &str)> {
    let inner = rest.strip_prefix('[')?;
    let quote = inner.chars().next().filter(|c| is_quote(*c))?;
    let close = if quote == '"' { "\"]" } else { "']" };
    let (key, after) = inner[1..].split_once(close)?;
    (!key.is_empty()).then_some((key, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_into_steps_as_the_language_says() {
        let cases: [(&str, &[&str]); 26] = [
            ("$.a", &["a"]),
            ("a", &["a"]),
            ("a.b", &["a", "b"]),
            ("a..b", &["a", "b"]),
            ("a.b.", &["a", "b"]),
            ("$", &[]),
            ("$.", &[]),
            ("", &[]),
            (".", &[]),
            ("a[0].b", &["a", "0", "b"]),
            ("a.0.b", &["a", "0", "b"]),
            ("a[0][1]", &["a", "0", "1"]),
            ("a['b']", &["a", "b"]),
            ("a[\"b\"].c", &["a", "b", "c"]),
            ("a['x.y'].z", &["a", "x.y", "z"]),
            ("$['x.y']", &["x.y"]),
            ("$[0]", &["0"]),
            ("a[b]", &["a[b]"]),
            ("a[*].b", &["a[*]", "b"]),
            ("a[-1]", &["a[-1"]),
            ("items[0", &["items", "0"]),
            ("with space", &["with space"]),
            ("a-b.emoji😀", &["a-b", "emoji😀"]),
            (" $.a", &[" $", "a"]),
            ("$.$.a", &["$", "a"]),
            ("a['b", &["a", "b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).segments, expected, "{text}");
        }
    }
}
