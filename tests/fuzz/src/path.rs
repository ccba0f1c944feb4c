//! The path language and templates.

use outflow_contract::expr::{Path, TemplatePart};

/// Reads the bytes as a path and as a template, where they are text.
pub fn path(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let found = Path::parse(text);
    assert!(found.segments.iter().all(|segment| !segment.is_empty()), "an empty step: {found:?}");
    if !text.contains("['") && !text.contains("[\"") {
        assert_eq!(found.segments, naive(text), "{text:?}");
    }
    if found.segments.iter().all(|segment| !segment.contains(['.', '[', ']', '\'', '"'])) {
        let written = format!("$.{}", found.segments.join("."));
        assert_eq!(Path::parse(&written), found, "written as {written:?}");
    }
    if !text.is_empty() && !text.contains("']") {
        assert_eq!(Path::parse(&format!("$['{text}']")).segments, [text], "a quoted step is the key as it stands");
    }
    template(text);
    true
}

fn template(text: &str) {
    let parts = TemplatePart::parse(text);
    let constant: usize = parts.iter().map(|part| if let TemplatePart::Text(text) = part { text.len() } else { 0 }).sum();
    let places = parts.iter().filter(|part| matches!(part, TemplatePart::Value(_))).count();
    assert!(constant + places * "{{x}}".len() <= text.len(), "more than was written: {parts:?}");
    if places == 0 {
        assert_eq!(constant, text.len(), "text was lost: {parts:?}");
    }
}

/// As the language says it, without quoted steps: cut at dots, at a bracket before a digit, and at one behind a digit or a quote; no quotes.
fn naive(text: &str) -> Vec<String> {
    let opens = |rest: &[char]| matches!(rest, ['[', after, ..] if after.is_ascii_digit());
    let all: Vec<char> = text.chars().collect();
    let all = match all.as_slice() {
        ['$', '.', rest @ ..] => rest,
        ['$'] => &[],
        ['$', rest @ ..] if opens(rest) => rest,
        all => all,
    };
    let mut steps = vec![String::new()];
    for (at, &c) in all.iter().enumerate() {
        let closes = c == ']' && at > 0 && (all[at - 1].is_ascii_digit() || matches!(all[at - 1], '\'' | '"'));
        if c == '.' || closes || opens(&all[at..]) {
            steps.push(String::new());
        } else if !matches!(c, '\'' | '"') {
            steps.last_mut().expect("there is one").push(c);
        }
    }
    steps.retain(|step| !step.is_empty());
    steps
}
