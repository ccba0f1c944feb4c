//! Where a project says what, for those who learn more of it later: what a source says of a query, a destination of its settings.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::mapping::Uses;
use crate::problem::{Log, Span};
use crate::tree::{Data, Node, Text};

/// The places that are asked for again once sources and destinations have been asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) models: BTreeMap<String, ModelPlaces>,
    pub(crate) mappings: BTreeMap<String, MappingPlaces>,
    pub(crate) destinations: BTreeMap<String, NamedPlaces>,
    /// By source and table: the path.
    pub(crate) tables: BTreeMap<(String, String), Span>,
    /// Tables that could not be understood, by source.
    pub(crate) lost: HashSet<(String, String)>,
    /// What a mistake was found in: the noun and the name.
    pub(crate) broken: HashSet<(&'static str, String)>,
}

/// Where a model names its columns, and its query.
#[derive(Clone, Debug)]
pub(crate) struct ModelPlaces {
    pub(crate) query: Span,
    pub(crate) id: Vec<(String, Span)>,
    pub(crate) timestamp: Option<(String, Span)>,
    /// The whole text of the query.
    pub(crate) sql: String,
    pub(crate) home: Home,
    /// The tables that it names, without the names before a dot.
    pub(crate) tables: Vec<String>,
}

/// What a mapping reads.
#[derive(Clone, Debug)]
pub(crate) struct MappingPlaces {
    pub(crate) model: String,
    pub(crate) uses: Uses,
    pub(crate) fields: NamedPlaces,
}

/// A name, and what stands below it by its path, such as `batch.records`.
#[derive(Clone, Debug)]
pub(crate) struct NamedPlaces {
    pub(crate) name: Span,
    below: Vec<(String, Span)>,
}

impl NamedPlaces {
    pub(crate) fn of(name: Span, node: Option<&Node>) -> Self {
        let mut below = Vec::new();
        if let Some(node) = node {
            flatten(node, "", &mut below);
        }
        Self { name, below }
    }

    /// Where the first setting stands that `message` names in back quotes.
    pub(crate) fn named_in(&self, message: &str) -> Option<Span> {
        let names = message.split('`').skip(1).step_by(2);
        names.filter_map(|name| self.below.iter().find(|(path, _)| path == name)).map(|(_, span)| *span).next()
    }
}

fn flatten(node: &Node, path: &str, below: &mut Vec<(String, Span)>) {
    for member in node.members() {
        let path = format!("{path}{}", member.key);
        flatten(&member.value, &format!("{path}."), below);
        below.push((path, member.value.span));
    }
}

/// The entries of `root` that a mistake was found in.
pub(crate) fn broken(root: &Node, log: &Log) -> HashSet<(&'static str, String)> {
    const NOUNS: [(&str, &str); 4] = [("sources", "source"), ("models", "model"), ("destinations", "destination"), ("mappings", "mapping")];
    let errors = log.error_starts();
    let mut found = HashSet::new();
    for (key, noun) in NOUNS {
        for member in root.get(key).map(Node::members).unwrap_or_default() {
            if holds(member.key_span, &errors) || touched(&member.value, &errors) {
                found.insert((noun, member.key.clone()));
            }
        }
    }
    found
}

fn holds(span: Span, errors: &BTreeSet<(u32, u32)>) -> bool {
    errors.range((span.file, span.start)..(span.file, span.end.max(span.start + 1))).next().is_some()
}

fn touched(node: &Node, errors: &BTreeSet<(u32, u32)>) -> bool {
    match &node.data {
        Data::Map(members) => {
            errors.contains(&(node.span.file, node.span.start))
                || members.iter().any(|member| holds(member.key_span, errors) || touched(&member.value, errors))
        }
        Data::List(items) => errors.contains(&(node.span.file, node.span.start)) || items.iter().any(|item| touched(item, errors)),
        _ => holds(node.span, errors),
    }
}

/// Where the text of a query stands, for places in it.
#[derive(Clone, Debug)]
pub(crate) enum Home {
    /// In a file of its own.
    File(u32),
    /// In the project file, letter by letter from this byte on.
    Verbatim(Span),
    /// In a literal block: by line of the SQL, where in the project file it starts.
    Block { file: u32, lines: Vec<usize> },
    /// In the project file, folded, escaped or interpolated: only the whole can be shown.
    Whole(Span),
}

impl Home {
    pub(crate) fn of_inline(text: &Text, span: Span, log: &Log) -> Self {
        let raw = log.files.slice(span);
        if text.is_interpolated() {
            return Self::Whole(span);
        }
        if text.block {
            return Self::of_block(&text.value, raw, span).unwrap_or(Self::Whole(span));
        }
        match raw.find(&text.value) {
            Some(at) => Self::Verbatim(span.part(at, text.value.len())),
            None => Self::Whole(span),
        }
    }

    fn of_block(value: &str, raw: &str, span: Span) -> Option<Self> {
        let mut lines = Vec::new();
        let mut at = 0;
        // The parser's span begins with the first line of the text, behind its indentation.
        let mut raw_lines = raw.split_inclusive('\n');
        for line in value.lines() {
            let raw_line = raw_lines.next().unwrap_or("");
            let indent = raw_line.trim_end_matches(['\n', '\r']).len().checked_sub(line.len())?;
            if !raw_line.get(indent..)?.starts_with(line) {
                return None;
            }
            lines.push(span.start as usize + at + indent);
            at += raw_line.len();
        }
        Some(Self::Block { file: span.file, lines })
    }

    /// The place of bytes `start` to `end` of the SQL.
    pub(crate) fn span(&self, sql: &str, start: usize, end: usize) -> Span {
        match self {
            Self::File(file) => Span::new(*file, start, end),
            Self::Verbatim(span) => span.part(start, end - start),
            Self::Whole(span) => *span,
            Self::Block { file, lines } => {
                let place = |byte: usize| {
                    let before = &sql[..byte.min(sql.len())];
                    let line = before.matches('\n').count();
                    let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
                    lines.get(line).or(lines.last()).map_or(0, |start| start + column)
                };
                Span::new(*file, place(start), place(end))
            }
        }
    }
}
