//! `@template`: text with `{{ path }}` in it, to its parts.
//!
//! Triple braces are looked for first, then double ones in what remains, as the reference does. What a value brings is
//! never searched again (the reference does that with triple braces, which lets data inject templates).

use super::{Path, TemplatePart};

impl TemplatePart {
    /// The parts of the template that `text` writes. Every text writes one.
    pub fn parse(text: &str) -> Vec<Self> {
        parse(text)
    }
}

fn parse(text: &str) -> Vec<TemplatePart> {
    let mut parts: Vec<TemplatePart> = Vec::new();
    for piece in split(text, "{{{", "}}}") {
        match piece {
            Piece::Place(inner) => parts.push(place(inner)),
            Piece::Text(text) => {
                for piece in split(text, "{{", "}}") {
                    match piece {
                        Piece::Place(inner) => parts.push(place(inner)),
                        Piece::Text(text) => parts.push(TemplatePart::Text(text.to_owned())),
                    }
                }
            }
        }
    }
    parts
}

enum Piece<'a> {
    Text(&'a str),
    Place(&'a str),
}

fn place(inner: &str) -> TemplatePart {
    TemplatePart::Value(Path::parse(inner.trim()))
}

/// Cuts at `open`, one or more characters that are no closing brace, and `close`; the leftmost of them first.
fn split<'a>(text: &'a str, open: &str, close: &str) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let (mut from, mut search) = (0, 0);
    while let Some(found) = text[search..].find(open) {
        let at = search + found;
        let inner_from = at + open.len();
        let Some(length) = text[inner_from..].find('}') else { break };
        let end = inner_from + length;
        if length > 0 && text[end..].starts_with(close) {
            if from < at {
                pieces.push(Piece::Text(&text[from..at]));
            }
            pieces.push(Piece::Place(&text[inner_from..end]));
            from = end + close.len();
            search = from;
        } else {
            search = at + 1;
        }
    }
    if from < text.len() {
        pieces.push(Piece::Text(&text[from..]));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let part = |part: TemplatePart| match part {
            TemplatePart::Text(text) => format!("'{text}'"),
            TemplatePart::Value(path) => format!("<{}>", path.segments.join("|")),
        };
        parse(text).into_iter().map(part).collect()
    }

    #[test]
    fn templates_are_cut_as_the_language_says() {
        assert_eq!(shown("Hi {{ name }}, {{a.b}}!"), "'Hi '<name>', '<a|b>'!'");
        assert_eq!(shown("{{{raw}}}x"), "<raw>'x'");
        assert_eq!(shown("{{}} {{ }} {{.}}"), "'{{}} '<>' '<>");
        assert_eq!(shown("{{open"), "'{{open'");
        assert_eq!(shown("{{a}"), "'{{a}'");
        assert_eq!(shown("{{{{userId}}}}"), "<{userId>'}'");
        assert_eq!(shown("{{a {{b}}"), "<a {{b>");
        assert_eq!(shown("{{$.a}}"), "<a>");
        assert_eq!(shown("plain"), "'plain'");
        assert_eq!(shown(""), "");
        assert_eq!(shown("{{a}}{{b}}"), "<a><b>");
    }
}
