//! `--select` and `--exclude`: patterns over mappings.
//!
//! A pattern is a name or a glob over the names of mappings, or `model:`, `destination:`, `source:` or `tag:` with one.
//! Several patterns are a union. Tags are those of a mapping and of its model.
//!
//! Mappings have no graph, so nothing here is before or after another; who writes `+`, `@` or a comma, as dbt has them, is told so.

use globset::{Glob, GlobMatcher};
use outflow_contract::plan::{Mapping, Project};
use outflow_contract::{Error, Result};

use crate::nearest::{list, nearest};

/// The mappings that `select` names, or all of them if it is empty, without those that `exclude` names; in the order
/// of the project. A pattern that matches nothing is an error of kind `Invalid` with a suggestion.
pub fn select<'a>(project: &'a Project, select: &[String], exclude: &[String]) -> Result<Vec<&'a Mapping>> {
    let select = patterns(project, select)?;
    let exclude = patterns(project, exclude)?;
    let named = |patterns: &[Pattern], mapping| patterns.iter().any(|pattern| pattern.matches(project, mapping));
    let chosen = project.mappings.iter().filter(|mapping| (select.is_empty() || named(&select, mapping)) && !named(&exclude, mapping));
    Ok(chosen.collect())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Mapping,
    Model,
    Destination,
    Source,
    Tag,
}

const METHODS: [(&str, By); 5] =
    [("mapping", By::Mapping), ("model", By::Model), ("destination", By::Destination), ("source", By::Source), ("tag", By::Tag)];

struct Pattern {
    by: By,
    glob: GlobMatcher,
}

impl Pattern {
    fn matches(&self, project: &Project, mapping: &Mapping) -> bool {
        names(self.by, project, mapping).iter().any(|name| self.glob.is_match(name))
    }
}

/// What a pattern of this kind is compared with.
fn names<'a>(by: By, project: &'a Project, mapping: &'a Mapping) -> Vec<&'a str> {
    let model = project.model(&mapping.model);
    match by {
        By::Mapping => vec![&mapping.name],
        By::Model => vec![&mapping.model],
        By::Destination => vec![&mapping.destination],
        By::Source => model.map(|model| model.source.as_str()).into_iter().collect(),
        By::Tag => mapping.tags.iter().chain(model.into_iter().flat_map(|model| &model.tags)).map(String::as_str).collect(),
    }
}

fn patterns(project: &Project, texts: &[String]) -> Result<Vec<Pattern>> {
    texts.iter().map(|text| pattern(project, text)).collect()
}

fn pattern(project: &Project, text: &str) -> Result<Pattern> {
    let (by, word, rest) = match text.split_once(':') {
        None => (By::Mapping, "mapping", text),
        Some((method, rest)) => match METHODS.iter().find(|(name, _)| *name == method) {
            Some((name, by)) => (*by, *name, rest),
            None => return Err(habit(project, text).unwrap_or_else(|| unknown_method(text, method))),
        },
    };
    let invalid = |error: &globset::Error| Error::invalid(format!("the pattern `{text}` is not valid: {}", error.kind()));
    let glob =
        Glob::new(rest).map_err(|error| invalid(&error).remedy("`*` stands for any letters, `?` for one, `[ab]` for one of them"))?;
    let pattern = Pattern { by, glob: glob.compile_matcher() };
    if project.mappings.iter().any(|mapping| pattern.matches(project, mapping)) {
        return Ok(pattern);
    }
    if let Some(error) = habit(project, text) {
        return Err(error);
    }
    let mut known: Vec<&str> = project.mappings.iter().flat_map(|mapping| names(by, project, mapping)).collect();
    known.sort_unstable();
    known.dedup();
    let remedy = match nearest(rest, known.iter().copied()) {
        Some(name) if by == By::Mapping => format!("did you mean `{name}`?"),
        Some(name) => format!("did you mean `{word}:{name}`?"),
        None if known.is_empty() => format!("no mapping of the project has a {word}"),
        None if by == By::Mapping => format!("the mappings are {}", list(known)),
        None => format!("{word}s of the mappings: {}", list(known)),
    };
    Err(Error::invalid(format!("the pattern `{text}` matches no mapping")).remedy(remedy))
}

/// A pattern as another tool would have it, or a name without the word that says of what.
fn habit(project: &Project, text: &str) -> Option<Error> {
    let refused = |why: &str, remedy: String| Some(Error::invalid(format!("the pattern `{text}` {why}")).remedy(remedy));
    if text.contains(',') {
        let parts: Vec<String> = text.split(',').filter(|part| !part.is_empty()).map(|part| prefixed(project, part)).collect();
        return refused("has a comma", format!("part patterns with a space, and each adds its mappings: --select {}", parts.join(" ")));
    }
    if text.contains(['+', '@']) {
        let bare = text.trim_matches(|c: char| c == '+' || c == '@' || c.is_ascii_digit() && text.contains('+'));
        let remedy = format!("mappings have no graph, so there is nothing before or after one: write `{}`", prefixed(project, bare));
        return refused("has a sign for what stands before or after", remedy);
    }
    let better = prefixed(project, text);
    (better != text).then(|| refused("matches no mapping", format!("`{text}` is a {}: write `{better}`", better.split(':').next()?)))?
}

/// A name that no mapping has, and something else of the project, with the word that says what.
fn prefixed(project: &Project, name: &str) -> String {
    let of = |by: By| project.mappings.iter().any(|mapping| names(by, project, mapping).contains(&name));
    let word = METHODS.iter().find(|(_, by)| of(*by)).map(|(word, _)| *word);
    word.filter(|word| *word != "mapping").map_or_else(|| name.to_owned(), |word| format!("{word}:{name}"))
}

fn unknown_method(text: &str, method: &str) -> Error {
    let names = METHODS.map(|(name, _)| name);
    let remedy = match nearest(method, names) {
        Some(name) => format!("did you mean `{name}:`?"),
        None => format!("write a mapping's name, or one of {}", names.map(|name| format!("{name}:")).join(", ")),
    };
    Error::invalid(format!("the pattern `{text}` begins with `{method}:`, which is not known")).remedy(remedy)
}
