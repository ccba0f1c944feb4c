//! Values in the cells of a table: nothing looks like something that it is not, and nothing in the data drives the terminal.

use serde_json::Value;

use super::text::width as width_of;
use super::{Align, Console, Tone, cut};

/// A value, ready to be shown on one line.
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Option<Tone>,
}

impl Cell {
    /// Null is `null`; text that could be taken for something else stands between quotes, as all text of a JSON column does.
    pub(crate) fn of(value: &Value, is_json: bool) -> Self {
        match value {
            Value::Null => Self { text: "null".to_owned(), tone: Some(Tone::Faint) },
            Value::String(text) if !is_json && !is_ambiguous(text) => Self { text: visible(text), tone: None },
            other => Self { text: visible(&other.to_string()), tone: None },
        }
    }
}

fn is_ambiguous(text: &str) -> bool {
    text.is_empty() || text.trim() != text || text == "null" || text.starts_with('"') || text.chars().any(is_hidden)
}

/// Neither seen nor harmless: controls, and what turns the direction of text or takes no room.
fn is_hidden(c: char) -> bool {
    let turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    turns || c.is_control() || matches!(c, '\u{061c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// `text` on one line, with everything that cannot be seen written as an escape.
pub(crate) fn visible(text: &str) -> String {
    if !text.chars().any(is_hidden) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_hidden(c) => shown.push_str(&format!("\\u{:04x}", c as u32)),
            c => shown.push(c),
        }
    }
    shown
}

/// A cell in `width` places.
pub(crate) fn pad(console: &Console, cell: &Cell, width: usize, align: Align) -> String {
    let text = cut(&cell.text, width);
    let padding = " ".repeat(width.saturating_sub(width_of(&text)));
    let painted = cell.tone.map_or_else(|| text.clone(), |tone| console.paint(tone, &text));
    match align {
        Align::Left | Align::Give => format!("{painted}{padding}"),
        Align::Right => format!("{padding}{painted}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_looks_like_something_that_it_is_not() {
        let shown = |value: Value| Cell::of(&value, false).text;
        assert_eq!(shown(Value::Null), "null");
        assert_eq!(shown(json!("null")), "\"null\"");
        assert_eq!(shown(json!("")), "\"\"");
        assert_eq!(shown(json!(" x")), "\" x\"");
        assert_eq!(shown(json!("x y")), "x y");
        assert_eq!(shown(json!({ "a": [1, "b"] })), "{\"a\":[1,\"b\"]}");
        assert_eq!(Cell::of(&json!("1"), true).text, "\"1\"");
    }

    #[test]
    fn data_cannot_drive_the_terminal() {
        assert_eq!(Cell::of(&json!("a\u{1b}[31mb\nc\u{202e}d\u{9b}"), false).text, "\"a\\u001b[31mb\\nc\\u202ed\\u009b\"");
        assert_eq!(visible("tab\there\u{7f}"), "tab\\there\\u007f");
    }
}
