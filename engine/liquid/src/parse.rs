//! From pieces of text to nodes: what belongs to which tag.

use std::collections::BTreeSet;

use crate::ast::{Branch, Condition, Filtered, Node};
use crate::cursor::{Cursor, shortened};
use crate::lexer::{self, Kind, Token};
use crate::names::Names;
use crate::problem::Problem;

/// The tags that there are.
const TAGS: [&str; 11] = ["assign", "capture", "comment", "cycle", "decrement", "echo", "if", "increment", "liquid", "raw", "unless"];
/// Those of Liquid that the reference does not allow, and what belongs to them.
const DISABLED: [&str; 8] = ["case", "when", "for", "tablerow", "include", "layout", "block", "render"];

/// The nodes of a template, and what it reads.
pub(crate) fn parse(text: &str) -> Result<(Vec<Node>, Names), Problem> {
    let tokens = lexer::tokens(text)?;
    let mut names = Names::default();
    let nodes = Parser { text, tokens: tokens.into_iter(), names: &mut names }.all()?;
    Ok((nodes, names))
}

struct Parser<'t, 'n> {
    text: &'t str,
    tokens: std::vec::IntoIter<Token>,
    names: &'n mut Names,
}

/// A tag that has been met: where it begins, its name, and what stands behind that.
struct Tag<'t> {
    at: usize,
    name: String,
    args: Cursor<'t>,
}

impl<'t> Parser<'t, '_> {
    fn all(&mut self) -> Result<Vec<Node>, Problem> {
        let (nodes, _) = self.until(&[])?;
        Ok(nodes)
    }

    /// The nodes up to a tag of one of these names, and that.
    fn until(&mut self, ends: &[&str]) -> Result<(Vec<Node>, Option<Tag<'t>>), Problem> {
        let mut nodes = Vec::new();
        while let Some(token) = self.tokens.next() {
            match token.kind {
                Kind::Text(from, to) if from < to => nodes.push(Node::Text(self.text[from..to].to_owned())),
                Kind::Text(..) => {}
                Kind::Output(from, to) => nodes.push(Node::Output(self.filtered(&mut Cursor::new(self.text, from, to))?)),
                Kind::Tag { name, args } => {
                    let tag = Tag { at: token.span.0, name, args: Cursor::new(self.text, args.0, args.1) };
                    if ends.contains(&tag.name.as_str()) {
                        return Ok((nodes, Some(tag)));
                    }
                    nodes.extend(self.tag(tag)?);
                }
            }
        }
        Ok((nodes, None))
    }

    /// The same, where it has to come.
    fn closed(&mut self, at: usize, name: &str, ends: &[&str]) -> Result<(Vec<Node>, Tag<'t>), Problem> {
        let (nodes, end) = self.until(ends)?;
        Ok((nodes, end.ok_or_else(|| lexer::not_closed(at, name))?))
    }

    fn filtered(&mut self, cursor: &mut Cursor<'_>) -> Result<Filtered, Problem> {
        let mut filtered = cursor.filtered()?;
        self.names.resolve(&mut filtered);
        Ok(filtered)
    }

    fn tag(&mut self, mut tag: Tag<'t>) -> Result<Option<Node>, Problem> {
        Ok(Some(match tag.name.as_str() {
            "assign" => self.assign(&mut tag)?,
            "capture" => self.capture(&mut tag)?,
            "if" | "unless" => self.choice(tag)?,
            "increment" | "decrement" => {
                let name = new_name(&mut tag.args)?;
                self.names.assign(&name);
                Node::Count { name: name.into(), up: tag.name == "increment" }
            }
            "cycle" => self.cycle(&mut tag)?,
            "echo" if tag.args.is_end() => return Ok(None),
            "echo" => Node::Output(self.filtered(&mut tag.args)?),
            "liquid" => {
                let from = tag.args.at;
                let tokens = lexer::lines(self.text, from, from + tag.args.rest().len())?;
                Node::Nodes(Parser { text: self.text, tokens: tokens.into_iter(), names: self.names }.all()?)
            }
            "raw" => {
                let (from, to) = self.skip(&tag)?;
                Node::Text(self.text[from..to].to_owned())
            }
            "comment" => {
                self.skip(&tag)?;
                return Ok(None);
            }
            "#" => {
                let goes_on = tag.args.rest().lines().skip(1).any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
                if goes_on {
                    return Err(Problem::new(tag.at, "every line of a comment begins with `#`"));
                }
                return Ok(None);
            }
            "break" | "continue" => Node::Stop,
            _ => return Err(refused(&tag)),
        }))
    }

    fn assign(&mut self, tag: &mut Tag<'_>) -> Result<Node, Problem> {
        let name = new_name(&mut tag.args)?;
        tag.args.skip_blank();
        if !tag.args.take('=') {
            return Err(
                Problem::new(tag.args.at, format!("`=` is wanted behind `{name}`")).help(format!("write `{{% assign {name} = … %}}`"))
            );
        }
        let value = self.filtered(&mut tag.args)?;
        self.names.assign(&name);
        Ok(Node::Assign(name.into(), value))
    }

    fn capture(&mut self, tag: &mut Tag<'_>) -> Result<Node, Problem> {
        let quoted = matches!(tag.args.peek(), Some('\'' | '"')).then(|| tag.args.quoted()).flatten();
        let name = match quoted {
            Some(name) => name.text().to_string(),
            None => new_name(&mut tag.args)?,
        };
        let (nodes, _) = self.closed(tag.at, "capture", &["endcapture"])?;
        self.names.assign(&name);
        Ok(Node::Capture(name.into(), nodes))
    }

    fn choice(&mut self, mut tag: Tag<'t>) -> Result<Node, Problem> {
        let (at, name) = (tag.at, tag.name.clone());
        let end = format!("end{name}");
        let before = self.names.always.clone();
        // What each branch assigns, and what all of them do.
        let mut common: Option<BTreeSet<String>> = None;
        let mut branches: Vec<Branch> = Vec::new();
        loop {
            let has_else = branches.last().is_some_and(|branch| matches!(branch.condition, Condition::Else));
            let condition = match tag.name.as_str() {
                "else" | "elsif" if has_else => {
                    return Err(Problem::new(tag.at, format!("`{}` comes behind the `else` of this `{name}`", tag.name)));
                }
                "else" => {
                    nothing_behind(&tag)?;
                    Condition::Else
                }
                "unless" => Condition::Unless(self.filtered(&mut tag.args)?),
                _ => Condition::If(self.filtered(&mut tag.args)?),
            };
            let (nodes, next) = self.closed(at, &name, &["elsif", "else", &end])?;
            let assigned = std::mem::replace(&mut self.names.always, before.clone());
            common = Some(common.map_or_else(|| assigned.clone(), |common| common.intersection(&assigned).cloned().collect()));
            let is_else = matches!(condition, Condition::Else);
            branches.push(Branch { condition, nodes });
            tag = next;
            if tag.name == end {
                nothing_behind(&tag)?;
                if let (true, Some(common)) = (is_else, common) {
                    self.names.always = common;
                }
                return Ok(Node::Choice(branches));
            }
        }
    }

    fn cycle(&mut self, tag: &mut Tag<'_>) -> Result<Node, Problem> {
        let from = tag.args.at;
        let args = &mut tag.args;
        let mut group = args.value()?;
        args.skip_blank();
        if group.is_none() || !args.take(':') {
            (group, args.at) = (None, from);
        }
        if let Some(group) = &mut group {
            self.names.operand(group);
        }
        args.skip_blank();
        let (key, mut candidates) = (args.rest().to_owned(), Vec::new());
        while !args.is_end() {
            candidates.push(self.filtered(args)?);
            args.behind(',');
        }
        if candidates.is_empty() {
            return Err(Problem::new(tag.at, "`cycle` takes one value or more").help("write `{% cycle \"a\", \"b\" %}`"));
        }
        Ok(Node::Cycle { group, candidates, key })
    }

    /// What stands between a tag and the one that closes it, which is not looked into.
    fn skip(&mut self, tag: &Tag<'_>) -> Result<(usize, usize), Problem> {
        let end = format!("end{}", tag.name);
        let mut content: Option<(usize, usize)> = None;
        for token in self.tokens.by_ref() {
            if matches!(&token.kind, Kind::Tag { name, .. } if *name == end) {
                return Ok(content.unwrap_or_default());
            }
            content = Some((content.map_or(token.span.0, |(from, _)| from), token.span.1));
        }
        Err(lexer::not_closed(tag.at, &tag.name))
    }
}

/// The name of what is assigned.
fn new_name(args: &mut Cursor<'_>) -> Result<String, Problem> {
    match args.name() {
        "" => Err(Problem::new(args.at, "the name of a variable is wanted here").help("write `{% assign name = … %}`")),
        name => Ok(name.to_owned()),
    }
}

fn nothing_behind(tag: &Tag<'_>) -> Result<(), Problem> {
    let rest = tag.args.rest();
    if rest.is_empty() {
        return Ok(());
    }
    let problem = Problem::new(tag.args.at, format!("`{}` is not expected behind `{}`", shortened(rest), tag.name));
    Err(if tag.name == "else" { problem.help("a further condition is written `{% elsif … %}`") } else { problem })
}

/// A tag that is none of ours.
fn refused(tag: &Tag<'_>) -> Problem {
    let name = tag.name.as_str();
    if DISABLED.contains(&name) {
        return Problem::new(tag.at, format!("the tag `{name}` is not available in `@liquid`")).help(match name {
            "case" | "when" => "write `{% if … == … %}` and `{% elsif … %}`",
            "for" | "tablerow" => "join a list with the filter `join`, or map it with `@arrayPath`",
            _ => "a template stands alone: write all of it here",
        });
    }
    if matches!(name, "else" | "elsif") || name.strip_prefix("end").is_some_and(|opens| TAGS.contains(&opens) || DISABLED.contains(&opens))
    {
        return Problem::new(tag.at, format!("`{name}` belongs to no tag that is open here"));
    }
    Problem::new(tag.at, format!("there is no tag `{name}`")).help(format!("tags: {}", TAGS.join(", "))).unknown(name, TAGS.to_vec())
}
