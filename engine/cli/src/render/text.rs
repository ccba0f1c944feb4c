//! Text as a terminal shows it: how wide it is, where it is cut, where it breaks.
//!
//! Widths are columns of the terminal, not characters: 日 takes two, a combining accent none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns that `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` without control characters and without those that turn it round, so that data cannot drive a terminal.
pub(crate) fn plain(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// At most `columns` columns of `text`, with `…` where it was longer.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = head(text, columns.saturating_sub(1)).to_owned();
    kept.push('…');
    kept
}

/// What is before and what is after in a room that they share: half of it each, or what the other leaves.
pub(crate) fn share(before: &str, after: &str, room: usize) -> (String, String) {
    let left = width(before).min((room / 2).max(room.saturating_sub(width(after))));
    (cut(before, left), cut(after, room - left))
}

/// As much of `text` as fits into `columns` columns; marks stay with their letter.
fn head(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > columns {
            return &text[..at];
        }
    }
    text
}

/// `text` broken into lines of at most `columns` columns, at spaces; a longer word has a line of its own.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last().map(|line| width(line)).unwrap_or_default();
        if last > 0 && last + 1 + width(word) > columns {
            lines.push(word.to_owned());
        } else if let Some(line) = lines.last_mut() {
            if last > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// `text` folded into lines of at most `columns` columns wherever they end, at most `lines_max` of them, with `…` where there is
/// more: for data, in which a space means nothing.
pub(crate) fn fold(text: &str, columns: usize, lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().map(|line| plain(&line.replace('\t', "  "))) {
        let mut rest = line.as_str();
        loop {
            if lines.len() == lines_max {
                if let Some(last) = lines.last_mut() {
                    *last = format!("{}…", head(last, columns.saturating_sub(1)));
                }
                return lines;
            }
            // At least one letter a line, however narrow.
            let first = rest.chars().next().map_or(0, char::len_utf8);
            let taken = head(rest, columns).len().max(first);
            lines.push(rest[..taken].to_owned());
            rest = &rest[taken..];
            if rest.is_empty() {
                break;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_wraps_at_words_and_controls_do_not_reach_the_terminal() {
        assert_eq!(wrap("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(plain("a\u{1b}[31mb\n\u{202e}"), "a\u{fffd}[31mb\u{fffd}\u{fffd}");
        assert_eq!(cut("abcdef", 4), "abc…");
    }

    #[test]
    fn wide_letters_and_marks_are_counted_as_a_terminal_does() {
        assert_eq!([width("日本"), width("e\u{301}"), width("naïve")], [4, 1, 5]);
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…", "half of a letter is none");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(wrap("日本 語", 4), ["日本", "語"]);
    }

    #[test]
    fn data_is_folded_anywhere_and_ends_with_a_mark() {
        assert_eq!(fold("abcdefgh", 3, 9), ["abc", "def", "gh"]);
        assert_eq!(fold("abcdefgh", 3, 2), ["abc", "de…"]);
        assert_eq!(fold("HTTP 422\n\n{}", 20, 9), ["HTTP 422", "", "{}"]);
        assert_eq!(fold("日", 1, 9), ["日"]);
        assert_eq!(fold("a\tb\u{7}", 20, 9), ["a  b\u{fffd}"]);
        assert!(fold("", 20, 9).is_empty());
    }
}
