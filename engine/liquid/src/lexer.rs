//! The text of a template, cut into text, outputs and tags.
//!
//! A hyphen inside of the braces takes the whitespace beside them away, except in `raw`, whose content is nobody's but the reader's.

use crate::chars::{is_blank, is_word};
use crate::cursor::{Cursor, shortened};
use crate::problem::Problem;

/// A piece of the text, by places in it.
#[derive(Debug)]
pub(crate) struct Token {
    /// Where it begins and ends, braces included.
    pub(crate) span: (usize, usize),
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// What is left of it where whitespace goes.
    Text(usize, usize),
    /// What stands in `{{ }}`.
    Output(usize, usize),
    /// What stands behind the name of a tag.
    Tag { name: String, args: (usize, usize) },
}

/// What stands inside of a token's braces, and whether they take whitespace on their left and right.
struct Inside {
    span: (usize, usize),
    trims: (bool, bool),
}

impl Inside {
    fn of(text: &str, from: usize, to: usize) -> Self {
        let content = text.get(from..to).unwrap_or_default();
        let trims = (content.starts_with('-'), content.ends_with('-'));
        let content = content.strip_prefix('-').unwrap_or(content);
        let from = from + usize::from(trims.0);
        let content = content.strip_suffix('-').unwrap_or(content);
        let start = content.trim_start_matches(is_blank);
        let from = from + content.len() - start.len();
        Self { span: (from, from + start.trim_end_matches(is_blank).len()), trims }
    }
}

/// Cuts the text.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), raw_at: None, trims_next: false };
    while lexer.at < text.len() {
        lexer.token()?;
    }
    match lexer.raw_at {
        None => Ok(lexer.tokens),
        Some(at) => Err(not_closed(at, "raw")),
    }
}

/// Cuts what stands in a `liquid` tag: a tag on each line.
pub(crate) fn lines(text: &str, from: usize, to: usize) -> Result<Vec<Token>, Problem> {
    let mut tokens = Vec::new();
    let mut at = from;
    while at < to {
        let line = text.get(at..to).unwrap_or_default();
        let end = line.find('\n').map_or(to, |end| at + end + 1);
        if line[..end - at].contains(|c| !is_blank(c)) {
            tokens.push(tag(text, (at, end), &Inside::of(text, at, end))?);
        }
        at = end;
    }
    Ok(tokens)
}

/// A tag that lacks the one that closes it.
pub(crate) fn not_closed(at: usize, name: &str) -> Problem {
    Problem::new(at, format!("the tag `{name}` is not closed")).help(format!("write `{{% end{name} %}}` where it ends"))
}

fn tag(text: &str, span: (usize, usize), inside: &Inside) -> Result<Token, Problem> {
    let mut cursor = Cursor::new(text, inside.span.0, inside.span.1);
    let name = cursor.tag_name().to_owned();
    if name.is_empty() {
        return Err(Problem::new(span.0, "a tag begins with its name").help("write `{% if … %}`, `{% assign … %}` and their like"));
    }
    cursor.skip_blank();
    Ok(Token { span, kind: Kind::Tag { name, args: (cursor.at, inside.span.1) } })
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
    /// Where the `raw` begins that is open.
    raw_at: Option<usize>,
    /// The whitespace goes with which the next text begins.
    trims_next: bool,
}

impl Lexer<'_> {
    fn token(&mut self) -> Result<(), Problem> {
        let (start, text) = (self.at, self.text);
        let rest = &text[start..];
        if self.raw_at.is_some() {
            return self.raw();
        }
        if rest.starts_with("{%") {
            let end = self.end_of_tag()?;
            return self.tag(start, end);
        }
        if rest.starts_with("{{") {
            let end = self.end_of_output()?;
            let inside = Inside::of(text, start + 2, end - 2);
            self.trim(&inside);
            self.push((start, end), Kind::Output(inside.span.0, inside.span.1));
            return Ok(());
        }
        let end = [rest.find("{%"), rest.find("{{")].into_iter().flatten().min().map_or(text.len(), |found| start + found);
        self.push_text(start, end);
        Ok(())
    }

    fn push(&mut self, span: (usize, usize), kind: Kind) {
        self.at = span.1;
        self.tokens.push(Token { span, kind });
    }

    fn push_text(&mut self, from: usize, to: usize) {
        let kept = &self.text[from..to];
        let trimmed = if std::mem::take(&mut self.trims_next) { kept.trim_start_matches(is_blank) } else { kept };
        self.push((from, to), Kind::Text(to - trimmed.len(), to));
    }

    /// Takes the whitespace away that braces ask for.
    fn trim(&mut self, inside: &Inside) {
        if let (true, Some(Token { kind: Kind::Text(from, to), .. })) = (inside.trims.0, self.tokens.last_mut()) {
            *to = *from + self.text[*from..*to].trim_end_matches(is_blank).len();
        }
        self.trims_next = inside.trims.1;
    }

    /// The end of the tag that begins here. Quotes do not hide it.
    fn end_of_tag(&self) -> Result<usize, Problem> {
        // `{%}` closes itself, as in the reference.
        let found = self.text[self.at + 1..].find("%}").map(|found| self.at + 1 + found + 2);
        found.ok_or_else(|| {
            let message = format!("the tag `{}` is not closed", shortened(&self.text[self.at..]));
            Problem::new(self.at, message).help("write `%}` where it ends")
        })
    }

    /// The end of the output that begins here. Quotes hide it.
    fn end_of_output(&self) -> Result<usize, Problem> {
        let mut at = self.at;
        while let Some(c) = self.text[at..].chars().next() {
            if let Some(length) = crate::literal::quoted(&self.text[at..]) {
                at += length;
                continue;
            }
            at += c.len_utf8();
            if at >= self.at + 4 && self.text[..at].ends_with("}}") {
                return Ok(at);
            }
        }
        let message = format!("the output `{}` is not closed", shortened(&self.text[self.at..]));
        Err(Problem::new(self.at, message).help("write `}}` where it ends"))
    }

    fn tag(&mut self, start: usize, end: usize) -> Result<(), Problem> {
        let inside = Inside::of(self.text, start + 2, (end - 2).max(start + 2));
        let token = tag(self.text, (start, end), &inside)?;
        let Kind::Tag { name, .. } = &token.kind else { return Ok(()) };
        match name.as_str() {
            "raw" => {
                self.trim(&Inside { trims: (inside.trims.0, false), ..inside });
                self.raw_at = Some(start);
            }
            _ => self.trim(&inside),
        }
        self.push(token.span, token.kind);
        Ok(())
    }

    /// The content of `raw`, and the tag that closes it.
    fn raw(&mut self) -> Result<(), Problem> {
        let raw_at = self.raw_at.take().unwrap_or_default();
        let start = self.at;
        let mut from = start;
        while let Some(found) = self.text[from..].find("{%") {
            let open = from + found;
            let inner = self.text[open + 2..].trim_start_matches(is_blank);
            let is_end = inner.strip_prefix("endraw").is_some_and(|behind| !behind.starts_with(is_word) || behind.starts_with("-%}"));
            let close = self.text[open..].find("%}").map(|found| open + found + 2);
            if let (true, Some(end)) = (is_end, close) {
                if open > start {
                    self.push((start, open), Kind::Text(start, open));
                }
                let inside = Inside::of(self.text, open + 2, end - 2);
                self.trims_next = inside.trims.1;
                self.push((open, end), Kind::Tag { name: "endraw".to_owned(), args: (inside.span.1, inside.span.1) });
                return Ok(());
            }
            from = open + 2;
        }
        Err(not_closed(raw_at, "raw"))
    }
}
