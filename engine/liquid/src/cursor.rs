//! Reading expressions: a place in a template's text that goes on over names, values, operators and filters.
//!
//! What stands behind a complete expression is as forgiving as in the reference: `{{ a b }}` is `a`.

use std::sync::Arc;

use crate::ast::{Filter, Filtered, Operand, Operator, Part, Variable};
use crate::chars::{is_blank, is_word};
use crate::filters;
use crate::literal;
use crate::number::Number;
use crate::problem::Problem;
use crate::value::{Value, Word};

/// The most values inside one another.
const DEPTH_MAX: usize = 64;
static LITERALS: [(&str, Value); 6] = [
    ("true", Value::Bool(true)),
    ("false", Value::Bool(false)),
    ("nil", Value::Word(Word::Nil)),
    ("null", Value::Word(Word::Nil)),
    ("empty", Value::Word(Word::Empty)),
    ("blank", Value::Word(Word::Blank)),
];

/// A place in a text, up to its end.
pub(crate) struct Cursor<'t> {
    text: &'t str,
    pub(crate) at: usize,
    depth: usize,
}

impl<'t> Cursor<'t> {
    /// From one place to another.
    pub(crate) fn new(text: &'t str, from: usize, to: usize) -> Self {
        Self { text: text.get(..to).unwrap_or(text), at: from, depth: 0 }
    }

    pub(crate) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn is_end(&self) -> bool {
        self.rest().is_empty()
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn take(&mut self, wanted: char) -> bool {
        let hit = self.peek() == Some(wanted);
        self.at += if hit { wanted.len_utf8() } else { 0 };
        hit
    }

    fn pass(&mut self, which: fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let passed = &rest[..rest.find(|c| !which(c)).unwrap_or(rest.len())];
        self.at += passed.len();
        passed
    }

    pub(crate) fn skip_blank(&mut self) {
        self.pass(is_blank);
    }

    /// A name, which may be empty.
    pub(crate) fn name(&mut self) -> &'t str {
        self.skip_blank();
        self.pass(is_word)
    }

    /// The name of a tag; `#` is one.
    pub(crate) fn tag_name(&mut self) -> &'t str {
        self.skip_blank();
        if self.peek() == Some('#') {
            self.at += 1;
            return &self.text[self.at - 1..self.at];
        }
        self.name()
    }

    /// Goes behind the next `wanted`, or to the end.
    pub(crate) fn behind(&mut self, wanted: char) -> bool {
        let found = self.rest().find(wanted);
        self.at = found.map_or(self.text.len(), |found| self.at + found + wanted.len_utf8());
        found.is_some()
    }

    /// An expression with its filters.
    pub(crate) fn filtered(&mut self) -> Result<Filtered, Problem> {
        self.skip_blank();
        let at = self.at;
        let expression = self.expression()?;
        if expression.is_empty() {
            return Err(self.no_value(at));
        }
        let mut filters = Vec::new();
        while let Some(filter) = self.filter()? {
            filters.push(filter);
        }
        Ok(Filtered { expression, filters })
    }

    fn no_value(&self, at: usize) -> Problem {
        let rest = &self.text[at..];
        if rest.starts_with("$.") {
            return Problem::new(at, "a path begins with its column here, and not with `$.`").help("write `{{ email }}` for `$.email`");
        }
        let came = if rest.is_empty() { "nothing".to_owned() } else { format!("`{}`", shortened(rest)) };
        Problem::new(at, format!("a value is wanted here, and this is {came}"))
            .help("write a path such as `traits.email`, or text in quotes")
    }

    /// Operands and operators in postfix order; the same precedence goes from right to left.
    fn expression(&mut self) -> Result<Vec<Part>, Problem> {
        let (mut postfix, mut operators): (Vec<Part>, Vec<Operator>) = (Vec::new(), Vec::new());
        loop {
            if let Some(operator) = self.operator() {
                while let Some(before) = operators.pop_if(|before| before.precedence() > operator.precedence()) {
                    postfix.push(Part::Operator(before));
                }
                operators.push(operator);
            } else if let Some(operand) = self.value()? {
                postfix.push(Part::Operand(operand));
            } else {
                break;
            }
        }
        postfix.extend(operators.into_iter().rev().map(Part::Operator));
        Ok(postfix)
    }

    fn operator(&mut self) -> Option<Operator> {
        self.skip_blank();
        let (_, operator) = self.word_of(&Operator::ALL)?;
        Some(*operator)
    }

    /// One of these words, and whole if it is made of letters.
    fn word_of<'w, T>(&mut self, words: &'w [(&'static str, T)]) -> Option<&'w (&'static str, T)> {
        let rest = self.rest();
        let found = words.iter().find(|(word, _)| {
            let behind = rest.strip_prefix(word);
            behind.is_some_and(|behind| !word.ends_with(is_word) || !behind.starts_with(is_word))
        })?;
        self.at += found.0.len();
        Some(found)
    }

    /// A value, unless none stands here.
    pub(crate) fn value(&mut self) -> Result<Option<Operand>, Problem> {
        if self.depth == DEPTH_MAX {
            return Err(Problem::new(self.at, format!("more than {DEPTH_MAX} values stand inside one another")));
        }
        self.depth += 1;
        let value = self.value_inside();
        self.depth -= 1;
        value
    }

    fn value_inside(&mut self) -> Result<Option<Operand>, Problem> {
        self.skip_blank();
        let constant = self.word_of(&LITERALS).map(|(_, value)| value.clone()).or_else(|| self.quoted()).or_else(|| self.number());
        let first = match constant {
            Some(constant) => Some(Operand::Constant(constant)),
            None if self.peek() == Some('(') => Some(self.range()?),
            None => None,
        };
        let steps = self.steps(first.is_none())?;
        Ok(match first {
            _ if steps.is_empty() => first,
            Some(of) => Some(Operand::Member { of: Box::new(of), steps }),
            None => Some(Operand::Variable(Variable { steps, read: None })),
        })
    }

    /// The way to a value: with its name, if it begins here.
    pub(crate) fn steps(&mut self, begins: bool) -> Result<Vec<Operand>, Problem> {
        let mut steps = Vec::new();
        let name = |name: &str| Operand::Constant(name.into());
        loop {
            if self.peek() == Some('[') {
                let at = self.at;
                self.at += 1;
                steps.push(self.value()?.unwrap_or_else(|| name("")));
                if !self.behind(']') {
                    return Err(Problem::new(at, "`[` is not closed").help("write `]` behind the key"));
                }
            } else if begins && steps.is_empty() && self.peek().is_some_and(|c| is_word(c) || is_blank(c)) {
                match self.name() {
                    "" => break,
                    found => steps.push(name(found)),
                }
            } else if self.rest().starts_with('.') && !self.rest().starts_with("..") {
                self.at += 1;
                match self.name() {
                    "" => break,
                    found => steps.push(name(found)),
                }
            } else {
                break;
            }
        }
        Ok(steps)
    }

    pub(crate) fn quoted(&mut self) -> Option<Value> {
        self.skip_blank();
        let length = literal::quoted(self.rest())?;
        let text = literal::content(&self.rest()[..length]);
        self.at += length;
        Some(text.into())
    }

    fn number(&mut self) -> Option<Value> {
        let rest = self.rest();
        let mut length = usize::from(rest.starts_with(['-', '+']));
        let (mut point, mut digit) = (false, false);
        loop {
            match rest.as_bytes().get(length) {
                Some(byte) if byte.is_ascii_digit() => digit = true,
                Some(b'.') if rest.as_bytes().get(length + 1) != Some(&b'.') => {
                    if point || !digit {
                        return None;
                    }
                    point = true;
                }
                _ => break,
            }
            length += 1;
        }
        if !digit || rest[length..].starts_with(is_word) {
            return None;
        }
        self.at += length;
        let written = rest[..length].trim_start_matches('+');
        let value = written.parse().unwrap_or(f64::NAN);
        Some(Value::Number(written.parse().ok().filter(|_| !point).map_or_else(|| Number::from(value), |whole: i128| Number::from(whole))))
    }

    fn range(&mut self) -> Result<Operand, Problem> {
        const HELP: &str = "write a range as `(1..3)`; other parentheses are not part of the language";
        let at = self.at;
        let wrong = || Problem::new(at, "this is no range").help(HELP);
        self.at += 1;
        let from = self.value()?.ok_or_else(wrong)?;
        self.skip_blank();
        if !self.rest().starts_with("..") {
            return Err(wrong());
        }
        self.at += 2;
        let to = self.value()?.ok_or_else(wrong)?;
        self.skip_blank();
        if self.take(')') { Ok(Operand::Range(Box::new(from), Box::new(to))) } else { Err(wrong()) }
    }

    fn filter(&mut self) -> Result<Option<Filter>, Problem> {
        self.skip_blank();
        if matches!(self.peek(), None | Some(')' | ',')) {
            return Ok(None);
        }
        if !self.take('|') {
            let message = format!("`{}` is not expected here", shortened(self.rest()));
            return Err(
                Problem::new(self.at, message).help("`|` begins a filter; values are compared with `==`, and combined with `and` and `or`")
            );
        }
        self.skip_blank();
        let at = self.at;
        let name = self.name();
        self.skip_blank();
        if name.is_empty() {
            return if self.is_end() { Ok(None) } else { Err(Problem::new(at, "the name of a filter is wanted behind `|`")) };
        }
        let known = filters::find(name, at)?;
        let (mut args, mut named) = (Vec::new(), Vec::new());
        if self.peek() == Some(':') {
            while self.take(if args.is_empty() && named.is_empty() { ':' } else { ',' }) {
                self.argument(&mut args, &mut named)?;
                self.skip_blank();
                if !matches!(self.peek(), None | Some(',' | '|' | ')')) {
                    let message = format!("`{}` is not expected in the arguments of `{name}`", shortened(self.rest()));
                    return Err(Problem::new(self.at, message).help("put a comma between arguments, and `|` before the next filter"));
                }
            }
        } else if !matches!(self.peek(), None | Some('|' | ')' | ',')) {
            let message = format!("`{}` is not expected behind `{name}`", shortened(self.rest()));
            return Err(Problem::new(self.at, message).help(format!("write the arguments of a filter behind a colon: `{name}: …`")));
        }
        if args.len() < known.args_min {
            let wanted = if known.args_min == 1 { "an argument".to_owned() } else { format!("{} arguments", known.args_min) };
            return Err(Problem::new(at, format!("the filter `{name}` lacks {wanted}")).help(format!("write `{name}: …`")));
        }
        // They alone look, in the reference.
        if args.len() > 1 && matches!(name, "append" | "prepend") {
            return Err(Problem::new(at, format!("the filter `{name}` takes one argument, and this has {}", args.len())));
        }
        Ok(Some(Filter { known, args, named }))
    }

    /// `value`, or `name: value`; nothing at all is neither.
    fn argument(&mut self, args: &mut Vec<Operand>, named: &mut Vec<(Arc<str>, Operand)>) -> Result<(), Problem> {
        self.skip_blank();
        let from = self.at;
        let Some(value) = self.value()? else { return Ok(()) };
        let name = &self.text[from..self.at];
        self.skip_blank();
        if self.take(':') {
            let value = self.value()?.unwrap_or(Operand::Constant(Value::Missing));
            named.push((name.into(), value));
        } else {
            args.push(value);
        }
        Ok(())
    }
}

/// The first characters of a text, for messages.
pub(crate) fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 24;
    let text = text.trim_end();
    if text.chars().count() <= CHARS_MAX { text.to_owned() } else { text.chars().take(CHARS_MAX).chain("…".chars()).collect() }
}
