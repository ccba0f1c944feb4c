//! YAML text to a spanned tree, with a bound on everything: size, depth, nodes, and what aliases expand to.
//!
//! Scalars follow the core schema of YAML 1.2: `yes`, `no` and `on` are text, and so is everything quoted. Anchors,
//! aliases and `<<` work; several documents, tags of one's own and keys that are not plain text are refused.
//! A duplicate key is reported and its second value ignored, so that the rest of the file is still checked.

mod scalar;

use std::collections::HashMap;

use outflow_contract::limits::PROJECT_DEPTH_MAX;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use crate::problem::{Log, Span};
use crate::tree::{Data, Member, Node, Text};
use scalar::{Resolved, quoted_length, resolve};

/// Keys and values in a file. A file of the largest size could hold more, but no project does.
const NODES_MAX: usize = 1_000_000;
/// Values that aliases and merges may add to them.
const ALIAS_NODES_MAX: usize = 100_000;

/// Reads file number `file`, whose text is `text`. Returns nothing if the file is so broken that no more can be said of it.
pub(crate) fn parse(text: &str, file: u32, name: &str, log: &mut Log) -> Option<Node> {
    if let Some(place) = nesting(text) {
        too_deep(log, Span::new(file, place, place + 1), name);
        return None;
    }
    let offsets = Offsets::new(text);
    let mut builder = Builder { text, file, name, log, frames: Vec::new(), anchors: HashMap::new(), nodes: 0, copied: 0, root: None };
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = match event {
            Ok((event, span)) => (event, Span::new(file, offsets.byte(span.start.index()), offsets.byte(span.end.index()))),
            Err(error) => {
                let at = offsets.byte(error.marker().index()).min(text.len());
                syntax_error(builder.log, Span::new(file, 0, text.len()), Span::new(file, at, at), &error, name);
                return None;
            }
        };
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                let message = format!("{name} holds several YAML documents");
                builder.log.error(span, message).label("a second one starts here").help("remove the `---` line: a project is one document");
                return None;
            }
        }
        builder.event(event, span)?;
    }
    let root = builder.root;
    if root.is_none() {
        log.error(Span::new(file, 0, 0), format!("{name} is empty"))
            .help("begin with `version: 1`; `outflow init` makes a project that runs");
    }
    root
}

/// The place where brackets nest too deep, if they do. Asked first, for the scanner looks ahead without a bound.
fn nesting(text: &str) -> Option<usize> {
    // Brackets in quotes and comments count too, so the bound is far above that of the tree, which is exact.
    const BRACKETS_MAX: usize = 1024;
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > BRACKETS_MAX {
            return Some(at);
        }
    }
    None
}

fn too_deep(log: &mut Log, span: Span, name: &str) {
    log.error(span, format!("{name} is nested more than {PROJECT_DEPTH_MAX} levels deep"))
        .label("too deep here")
        .help("a project needs far fewer levels: look for a bracket that is not closed, or an anchor that holds itself");
}

/// The first tab in an indentation, looked for from the line of `span` on: the parser reports where the value began.
fn first_tab(text: &str, span: Span) -> Option<Span> {
    let mut at = text.get(..span.start as usize)?.rfind('\n').map_or(0, |at| at + 1);
    for line in text.get(at..)?.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indent].find('\t') {
            return Some(Span::new(span.file, at + tab, at + tab + 1));
        }
        at += line.len();
    }
    None
}

/// What to do with a text that is a key and a value without a space between them: `user_id:$.id`.
pub(crate) fn spaced(text: &str) -> Option<String> {
    let (key, value) = text.lines().next()?.split_once(':')?;
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    let value = value.split_whitespace().next().filter(|_| value.starts_with(|c: char| !c.is_whitespace() && !matches!(c, '/' | ':')))?;
    let shown: String = value.chars().take(40).collect();
    // A moment, such as 09:30, or a place, such as localhost:80, is no key.
    let number = value.chars().all(|c| c.is_ascii_digit() || c == ':');
    (plain && !number).then(|| format!("put a space after the colon: `{key}: {shown}`"))
}

/// The same for the line of `at`, and the one before it.
fn spaced_near(text: &str, at: usize) -> Option<String> {
    let line_end = text.get(at..)?.find('\n').map_or(text.len(), |end| at + end);
    let lines: Vec<&str> = text.get(..line_end)?.lines().collect();
    lines.iter().rev().take(2).find_map(|line| spaced(line.trim_start().trim_start_matches("- ")))
}

fn syntax_error(log: &mut Log, whole: Span, span: Span, error: &ScanError, name: &str) {
    let info = error.info();
    let (span, info) = match first_tab(log.files.slice(whole), span) {
        Some(tab) if info.contains("tab") => (tab, "a tab stands in the indentation"),
        _ => (span, info),
    };
    let spaced = spaced_near(log.files.slice(whole), span.start as usize);
    let help = if info.contains("tab") {
        "indent with spaces: YAML does not allow tabs there"
    } else if info.contains("mapping values are not allowed") || info.contains("simple key") {
        "check the indentation, and put text that contains `: ` between quotes"
    } else if info.contains("anchor") {
        "an alias such as `*name` needs an anchor `&name` before it; put text that starts with `*` or `&` between quotes"
    } else if info.contains("flow") || info.contains("illegal placement") || info.contains("']'") || info.contains("'}'") {
        "look for a `[` or `{` that is not closed, or a comma that is missing"
    } else if info.contains("scalar") || info.contains("quote") {
        "look for a quotation mark that is not closed"
    } else {
        "check the indentation and the quotation marks just before this place"
    };
    let help = spaced.unwrap_or_else(|| help.to_owned());
    log.error(span, format!("{name} is not valid YAML: {info}")).label("here").help(help);
}

/// The parser counts characters, and places are bytes.
struct Offsets(Option<Vec<u32>>);

impl Offsets {
    fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self(None);
        }
        let ends = std::iter::once(text.len() as u32);
        Self(Some(text.char_indices().map(|(at, _)| at as u32).chain(ends).collect()))
    }

    fn byte(&self, character: usize) -> usize {
        match &self.0 {
            None => character,
            Some(offsets) => offsets.get(character).or(offsets.last()).map_or(0, |at| *at as usize),
        }
    }
}

/// A list or mapping that is not complete yet.
enum Frame {
    List { anchor: usize, span: Span, items: Vec<Node> },
    Map { anchor: usize, span: Span, members: Vec<Member>, seen: HashMap<String, Span>, key: Option<Key>, merges: Vec<Node> },
}

/// A key whose value is awaited.
struct Key {
    name: String,
    span: Span,
    what: KeyKind,
}

enum KeyKind {
    Plain,
    Merge,
    Duplicate,
}

/// What an anchor stands for.
struct Anchor {
    node: Node,
    nodes: usize,
    height: usize,
}

struct Builder<'a> {
    text: &'a str,
    file: u32,
    name: &'a str,
    log: &'a mut Log,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Anchor>,
    nodes: usize,
    copied: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    /// Takes one event; `None` stops the reading.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::Scalar(value, style, anchor, tag) => self.scalar(&value, style, anchor, tag.as_deref(), span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::SequenceStart(anchor, _) => {
                self.not_as_key(span)?;
                self.open(Frame::List { anchor, span, items: Vec::new() }, span)
            }
            Event::MappingStart(anchor, _) => {
                self.not_as_key(span)?;
                let (members, seen, merges) = (Vec::new(), HashMap::new(), Vec::new());
                self.open(Frame::Map { anchor, span, members, seen, key: None, merges }, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => Some(()),
        }
    }

    fn scalar(&mut self, value: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, span: Span) -> Option<()> {
        let span = self.trimmed(span, style);
        let text = |value: &str| Data::Text(Text { value: value.to_owned(), written: None, block: style == ScalarStyle::Literal });
        let force_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            let message = format!("the tag `{tag}` has no meaning in {}", self.name);
            self.log.error(span, message).help("put text that starts with `!` between quotes");
        }
        if self.awaits_key() {
            self.store(anchor, Node { span, data: text(value) });
            return self.key(value, style, span);
        }
        let data = if style != ScalarStyle::Plain || force_text {
            text(value)
        } else {
            match resolve(value) {
                Resolved::Data(data) => data,
                Resolved::Text => text(value),
                Resolved::NoJson => {
                    self.log.error(span, format!("`{value}` is no number that can be sent")).help("JSON has neither infinity nor NaN");
                    Data::Null
                }
            }
        };
        let node = Node { span, data };
        self.store(anchor, node.clone());
        self.place(node)
    }

    /// A scalar's span without what the parser counts to it: space and comments behind a closing quote, line breaks behind a block.
    fn trimmed(&self, span: Span, style: ScalarStyle) -> Span {
        let slice = self.text.get(span.start as usize..span.end as usize).unwrap_or("");
        match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => span.part(0, quoted_length(slice)),
            _ => span.part(0, slice.trim_end().len()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Map { key: None, .. }))
    }

    fn not_as_key(&mut self, span: Span) -> Option<()> {
        if self.awaits_key() {
            self.log
                .error(span, "a key must be plain text, and this is a list or a mapping")
                .label("used as a key")
                .help("put text that starts with `{` or `[` between quotes");
            return None;
        }
        Some(())
    }

    fn key(&mut self, name: &str, style: ScalarStyle, span: Span) -> Option<()> {
        self.count(span)?;
        let within: Vec<String> = self.path();
        let Some(Frame::Map { key, seen, .. }) = self.frames.last_mut() else { return Some(()) };
        let first = seen.get(name).copied();
        let merge = name == "<<" && style == ScalarStyle::Plain;
        let what = if first.is_some() {
            KeyKind::Duplicate
        } else if merge {
            KeyKind::Merge
        } else {
            KeyKind::Plain
        };
        if first.is_none() {
            seen.insert(name.to_owned(), span);
        }
        *key = Some(Key { name: name.to_owned(), span, what });
        if let Some(first) = first {
            self.duplicate(name, span, first, &within);
        }
        Some(())
    }

    fn duplicate(&mut self, name: &str, span: Span, first: Span, within: &[String]) {
        let noun = match within.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["sources"] => Some("sources"),
            ["models"] => Some("models"),
            ["destinations"] => Some("destinations"),
            ["mappings"] => Some("mappings"),
            _ => None,
        };
        let (message, help) = match noun {
            Some(noun) => (format!("two {noun} are named `{name}`"), "give one of them another name"),
            None => (format!("the key `{name}` is there twice"), "keep one of them"),
        };
        self.log.error(span, message).label("again here").also(first, "first here").help(help);
    }

    /// The keys that lead to the open frame.
    fn path(&self) -> Vec<String> {
        let key = |frame: &Frame| match frame {
            Frame::Map { key: Some(key), .. } => Some(key.name.clone()),
            _ => None,
        };
        self.frames.iter().filter_map(key).collect()
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Option<()> {
        let name = self.name;
        let Some(found) = self.anchors.get(&anchor) else {
            self.log
                .error(span, format!("this alias in {name} stands inside its own anchor"))
                .help("move the anchor to a value that is complete");
            return None;
        };
        if self.frames.len() + found.height > PROJECT_DEPTH_MAX {
            too_deep(self.log, span, name);
            return None;
        }
        let (node, nodes) = (found.node.clone(), found.nodes);
        if self.awaits_key() {
            let Some(text) = node.as_str().map(str::to_owned) else { return self.not_as_key(span) };
            return self.key(&text, ScalarStyle::DoubleQuoted, span);
        }
        self.copies(nodes, span)?;
        self.place(node)
    }

    /// Counts nodes that were copied rather than written.
    fn copies(&mut self, nodes: usize, span: Span) -> Option<()> {
        self.copied += nodes;
        if self.copied > ALIAS_NODES_MAX {
            let message = format!("the aliases in {} expand to more than 100,000 values", self.name);
            self.log
                .error(span, message)
                .label("the bound is passed here")
                .help("write the repeated part out, or use fewer aliases inside anchors");
            return None;
        }
        Some(())
    }

    fn count(&mut self, span: Span) -> Option<()> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            self.log.error(span, format!("{} holds more than {NODES_MAX} values", self.name)).help("split the project in two");
            return None;
        }
        Some(())
    }

    fn open(&mut self, frame: Frame, span: Span) -> Option<()> {
        if self.frames.len() >= PROJECT_DEPTH_MAX {
            too_deep(self.log, span, self.name);
            return None;
        }
        self.frames.push(frame);
        Some(())
    }

    fn close(&mut self, end: Span) -> Option<()> {
        let (anchor, span, data) = match self.frames.pop()? {
            Frame::List { anchor, span, items } => (anchor, span, Data::List(items)),
            Frame::Map { anchor, span, members, seen, merges, .. } => (anchor, span, Data::Map(self.merged(members, &seen, merges))),
        };
        let children_end = match &data {
            Data::List(items) => items.last().map(|item| item.span),
            Data::Map(members) => members.last().map(|member| member.value.span),
            _ => None,
        };
        // A block ends where the next thing starts, so its last child says better where it ends; brackets know themselves.
        let end = if end.start == end.end { children_end.map_or(span.end, |child| child.end) } else { end.end };
        let node = Node { span: Span { end: end.max(span.start), ..span }, data };
        if anchor != 0 {
            let (nodes, height) = measure(&node);
            // The anchor keeps a copy, so nested anchors count like aliases.
            self.copies(nodes, span)?;
            self.anchors.insert(anchor, Anchor { node: node.clone(), nodes, height });
        }
        self.place(node)
    }

    /// The members with those of `<<` added, the mapping's own first.
    fn merged(&mut self, mut members: Vec<Member>, seen: &HashMap<String, Span>, merges: Vec<Node>) -> Vec<Member> {
        if merges.is_empty() {
            return members;
        }
        let mut names: std::collections::HashSet<String> = seen.keys().cloned().collect();
        for merge in merges {
            let sources = match merge.data {
                Data::List(items) => items,
                _ => vec![merge],
            };
            for source in sources {
                let Data::Map(added) = source.data else {
                    let message = "`<<` takes a mapping or a list of mappings";
                    self.log.error(source.span, message).label(format!("this is {}", source.kind_name())).help("write `<<: *name`");
                    continue;
                };
                for member in added {
                    if names.insert(member.key.clone()) {
                        members.push(member);
                    }
                }
            }
        }
        members
    }

    fn store(&mut self, anchor: usize, node: Node) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor { node, nodes: 1, height: 0 });
        }
    }

    /// Puts a complete value where it belongs.
    fn place(&mut self, node: Node) -> Option<()> {
        self.count(node.span)?;
        match self.frames.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { key, members, merges, .. }) => match key.take() {
                Some(Key { name, span, what: KeyKind::Plain }) => {
                    // Nothing after the colon: the key is the place to show.
                    let value = if node.is_null() && node.span.start == node.span.end { Node { span, ..node } } else { node };
                    members.push(Member { key: name, key_span: span, value });
                }
                Some(Key { what: KeyKind::Merge, .. }) => merges.push(node),
                Some(Key { what: KeyKind::Duplicate, .. }) => {}
                None => {
                    let message = format!("{} has a value without a key", self.name);
                    let file = self.file;
                    self.log.error(Span { file, ..node.span }, message);
                    return None;
                }
            },
        }
        Some(())
    }
}

/// How many nodes a value has, and how deep it nests.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.data {
        Data::List(items) => items.iter().collect(),
        Data::Map(members) => members.iter().map(|member| &member.value).collect(),
        _ => return (1, 0),
    };
    children.into_iter().map(measure).fold((1, 1), |(nodes, height), (n, h)| (nodes + n, height.max(h + 1)))
}

#[cfg(test)]
mod tests;
