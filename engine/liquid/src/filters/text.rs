//! Filters of text.

use super::Call;
use crate::chars::{behind, is_space};
use crate::problem::Failure;
use crate::value::Value;

type Made = Result<Value, Failure>;

pub(super) fn append(call: &mut Call<'_>) -> Made {
    Ok([&*call.text(), &*call.arg_text(0)].concat().into())
}

pub(super) fn prepend(call: &mut Call<'_>) -> Made {
    Ok([&*call.arg_text(0), &*call.text()].concat().into())
}

pub(super) fn downcase(call: &mut Call<'_>) -> Made {
    Ok(call.text().to_lowercase().into())
}

pub(super) fn upcase(call: &mut Call<'_>) -> Made {
    Ok(call.text().to_uppercase().into())
}

pub(super) fn capitalize(call: &mut Call<'_>) -> Made {
    let text = call.text();
    let (first, rest) = text.split_at(behind(&text, 1));
    Ok((first.to_uppercase() + &rest.to_lowercase()).into())
}

/// What goes from the ends: whitespace, or the characters that are given.
fn stripped(call: &Call<'_>, left: bool, right: bool) -> Value {
    let (text, chars) = (call.text(), call.arg(0));
    let chars = chars.is_set().then(|| chars.text());
    let goes = |c: char| chars.as_ref().map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if left { text.trim_start_matches(goes) } else { &*text };
    if right { text.trim_end_matches(goes) } else { text }.into()
}

pub(super) fn strip(call: &mut Call<'_>) -> Made {
    Ok(stripped(call, true, true))
}

pub(super) fn lstrip(call: &mut Call<'_>) -> Made {
    Ok(stripped(call, true, false))
}

pub(super) fn rstrip(call: &mut Call<'_>) -> Made {
    Ok(stripped(call, false, true))
}

pub(super) fn strip_newlines(call: &mut Call<'_>) -> Made {
    Ok(call.text().replace("\r\n", "").replace('\n', "").into())
}

/// Each run of whitespace as one space.
fn with_single_spaces(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut spaced = false;
    for c in text.chars() {
        let space = is_space(c);
        if !space {
            made.push(c);
        } else if !spaced {
            made.push(' ');
        }
        spaced = space;
    }
    made
}

pub(super) fn normalize_whitespace(call: &mut Call<'_>) -> Made {
    Ok(with_single_spaces(&call.text()).into())
}

pub(super) fn squish(call: &mut Call<'_>) -> Made {
    Ok(with_single_spaces(&call.text()).trim_matches(' ').into())
}

pub(super) fn remove(call: &mut Call<'_>) -> Made {
    let (text, goes) = (call.text(), call.arg_text(0));
    Ok(if goes.is_empty() { Value::Text(text) } else { text.replace(&*goes, "").into() })
}

pub(super) fn remove_first(call: &mut Call<'_>) -> Made {
    Ok(put(&call.text(), &call.arg_text(0), "", false))
}

pub(super) fn remove_last(call: &mut Call<'_>) -> Made {
    Ok(put(&call.text(), &call.arg_text(0), "", true))
}

pub(super) fn replace_first(call: &mut Call<'_>) -> Made {
    Ok(put(&call.text(), &call.arg_text(0), &call.arg_text(1), false))
}

pub(super) fn replace_last(call: &mut Call<'_>) -> Made {
    Ok(put(&call.text(), &call.arg_text(0), &call.arg_text(1), true))
}

/// `with` in the place of the first or last `goes`.
fn put(text: &str, goes: &str, with: &str, last: bool) -> Value {
    let Some(at) = (if last { text.rfind(goes) } else { text.find(goes) }) else { return text.into() };
    [&text[..at], with, &text[at + goes.len()..]].concat().into()
}

/// Nothing is found between all characters, but not at the ends.
pub(super) fn replace(call: &mut Call<'_>) -> Made {
    let (text, goes, with) = (call.text(), call.arg_text(0), call.arg_text(1));
    let found = if goes.is_empty() { text.chars().count().saturating_sub(1) } else { text.matches(&*goes).count() };
    call.budget.take(found.saturating_mul(with.len()))?;
    if goes.is_empty() {
        let chars: Vec<&str> = text.split("").filter(|c| !c.is_empty()).collect();
        return Ok(chars.join(&with).into());
    }
    Ok(text.replace(&*goes, &with).into())
}

/// To so many characters at the most, those included that stand for what was cut.
pub(super) fn truncate(call: &mut Call<'_>) -> Made {
    let text = call.text();
    let length = call.arg_number(0).unwrap_or(50.0);
    let mark = mark(call);
    if text.is_empty() || text.chars().count() as f64 <= length.ceil() {
        return Ok(call.input.clone());
    }
    let kept = (length - mark.chars().count() as f64).max(0.0).ceil() as usize;
    Ok([&text[..behind(&text, kept)], &*mark].concat().into())
}

fn mark(call: &Call<'_>) -> std::sync::Arc<str> {
    match call.arg(1) {
        Value::Missing => "...".into(),
        given => given.text(),
    }
}

pub(super) fn truncatewords(call: &mut Call<'_>) -> Made {
    let text = call.text();
    let words: Vec<&str> = words(text.trim_start_matches(is_space)).collect();
    let wanted = if matches!(call.arg(0), Value::Missing) { 15.0 } else { call.arg(0).as_number().value() };
    let wanted = if wanted <= 0.0 { 1.0 } else { wanted };
    let mut made = words.iter().take(wanted as usize).copied().collect::<Vec<_>>().join(" ");
    if words.len() as f64 >= wanted {
        made.push_str(&mark(call));
    }
    Ok(made.into())
}

/// What stands between runs of whitespace.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.find(is_space).unwrap_or(text.len());
        let behind = &text[end..];
        rest = (!behind.is_empty()).then(|| behind.trim_start_matches(is_space));
        Some(&text[..end])
    })
}

/// Chinese, Japanese and Korean characters, which are words of their own if that is asked for.
pub(super) fn number_of_words(call: &mut Call<'_>) -> Made {
    let (text, mode) = (call.text(), call.arg_text(0));
    let text = text.trim_matches(is_space);
    let plain = words(text).filter(|word| !word.is_empty()).count();
    let characters = text.chars().filter(|c| is_cjk(*c)).count();
    let apart = text.split(|c| is_cjk(c) || is_space(c)).filter(|part| !part.is_empty()).count() + characters;
    Ok(match &*mode {
        "cjk" => apart,
        "auto" if characters > 0 => apart,
        _ => plain,
    }
    .into())
}

fn is_cjk(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{3400}'..='\u{4dbf}' | '\u{3040}'..='\u{30ff}' | '\u{ac00}'..='\u{d7af}')
}
