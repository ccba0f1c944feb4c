//! A template, parsed.

use std::sync::Arc;

use crate::filters::Known;
use crate::value::Value;

/// A piece of a template.
#[derive(Debug)]
pub(crate) enum Node {
    Text(String),
    Output(Filtered),
    Assign(Arc<str>, Filtered),
    Capture(Arc<str>, Vec<Node>),
    /// `if` and `unless`: the nodes of the first branch whose condition holds.
    Choice(Vec<Branch>),
    /// `increment` and `decrement`.
    Count {
        name: Arc<str>,
        up: bool,
    },
    Cycle {
        group: Option<Operand>,
        candidates: Vec<Filtered>,
        /// Tells cycles apart, with the group.
        key: String,
    },
    /// Those of a `liquid` tag.
    Nodes(Vec<Node>),
    /// `break` and `continue`, which end a template that has no loops.
    Stop,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) condition: Condition,
    pub(crate) nodes: Vec<Node>,
}

#[derive(Debug)]
pub(crate) enum Condition {
    If(Filtered),
    Unless(Filtered),
    Else,
}

/// An expression, and the filters that its value goes through.
#[derive(Debug, Default)]
pub(crate) struct Filtered {
    /// In postfix order.
    pub(crate) expression: Vec<Part>,
    pub(crate) filters: Vec<Filter>,
}

/// A part of an expression.
#[derive(Debug)]
pub(crate) enum Part {
    Operand(Operand),
    Operator(Operator),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Contains,
    Not,
    And,
    Or,
}

impl Operator {
    /// As they are written, those first that others begin with.
    pub(crate) const ALL: [(&'static str, Self); 10] = [
        ("==", Self::Equal),
        ("!=", Self::Unequal),
        (">=", Self::GreaterEqual),
        ("<=", Self::LessEqual),
        (">", Self::Greater),
        ("<", Self::Less),
        ("contains", Self::Contains),
        ("not", Self::Not),
        ("and", Self::And),
        ("or", Self::Or),
    ];

    pub(crate) fn precedence(self) -> u8 {
        match self {
            Self::And | Self::Or => 0,
            Self::Not => 1,
            _ => 2,
        }
    }
}

/// A value that is written, or found.
#[derive(Debug)]
pub(crate) enum Operand {
    Constant(Value),
    Variable(Variable),
    /// What lies in a constant or a range.
    Member {
        of: Box<Operand>,
        steps: Vec<Operand>,
    },
    Range(Box<Operand>, Box<Operand>),
}

/// A name, and the way from there.
#[derive(Debug)]
pub(crate) struct Variable {
    /// At least one: the first is the name.
    pub(crate) steps: Vec<Operand>,
    /// What of the record it may be.
    pub(crate) read: Option<Reading>,
}

/// A value of the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Which of the template's reads.
    pub(crate) read: usize,
    /// The read of what the value must lie in, where it lies in something.
    pub(crate) inside: Option<usize>,
    /// How many steps it goes along.
    pub(crate) steps: usize,
}

#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) known: &'static Known,
    pub(crate) args: Vec<Operand>,
    pub(crate) named: Vec<(Arc<str>, Operand)>,
}
