//! `${env:NAME}` and `${file:PATH}` in text, after parsing.
//!
//! Only values are filled in, never keys; what is put in is never parsed or filled in again. `$${` is a literal `${`.
//! Every value that is put in counts as a secret of the project.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::nearest::nearest;
use crate::problem::{Log, Span};
use crate::tree::{Data, Node, Text};

/// A secret in a file is no larger than this.
pub(crate) const SECRET_FILE_BYTES_MAX: u64 = 64 << 10;

/// Where values come from.
pub(crate) struct Values<'a> {
    /// The project's folder, which paths start from.
    pub(crate) root: &'a Path,
    /// The environment.
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
}

/// Fills in every text below `node`.
pub(crate) fn interpolate(node: &mut Node, values: &Values<'_>, log: &mut Log) {
    match &mut node.data {
        Data::Text(text) if text.value.contains("${") => {
            let (filled, complete) = fill(text, node.span, values, log);
            *text = filled;
            if !complete {
                // What is wrong with half a value is of no interest. An alias brings the same text again.
                log.silence(node.span);
            }
        }
        Data::List(items) => items.iter_mut().for_each(|item| interpolate(item, values, log)),
        Data::Map(members) => members.iter_mut().for_each(|member| interpolate(&mut member.value, values, log)),
        _ => {}
    }
}

/// The text with its references filled in, and whether all of them could be.
fn fill(text: &Text, span: Span, values: &Values<'_>, log: &mut Log) -> (Text, bool) {
    let mut filled = String::new();
    let (mut complete, mut interpolated) = (true, false);
    let mut rest = text.value.as_str();
    // References are found again in the file, so that a problem points at the one that it is about.
    let mut searched = 0;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            filled.push_str(&rest[..at - 1]);
            filled.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        filled.push_str(&rest[..at]);
        let whole = &rest[at..];
        let (reference, after) = match whole.find('}') {
            Some(end) => (&whole[..=end], &whole[end + 1..]),
            None => (whole, ""),
        };
        let place = locate(reference, span, &mut searched, log);
        interpolated = true;
        match value_of(reference, place, values, log) {
            Some(value) => {
                log.redactor.add(&value);
                filled.push_str(&value);
            }
            None => complete = false,
        }
        rest = after;
    }
    filled.push_str(rest);
    let written = interpolated.then(|| text.value.clone());
    (Text { value: filled, written, block: text.block }, complete)
}

/// Where `reference` stands in the file: in `span`, from byte `searched` of it on.
fn locate(reference: &str, span: Span, searched: &mut usize, log: &Log) -> Span {
    let slice = log.files.slice(span);
    let Some(found) = slice.get(*searched..).and_then(|slice| slice.find(reference)) else { return span };
    let start = *searched + found;
    *searched = start + reference.len();
    span.part(start, reference.len())
}

const ESCAPE: &str = "write `$${` for a literal `${`";

fn value_of(reference: &str, place: Span, values: &Values<'_>, log: &mut Log) -> Option<String> {
    let Some(inner) = reference.strip_prefix("${").and_then(|text| text.strip_suffix('}')) else {
        log.error(place, "`${` is never closed").help(format!("write `${{env:NAME}}` or `${{file:PATH}}`; {ESCAPE}"));
        return None;
    };
    match inner.split_once(':') {
        Some(("env", name)) => variable(name, place, values, log),
        Some(("file", path)) => file(path, place, values, log),
        Some((kind, _)) => {
            log.error(place, format!("`{reference}` refers to nothing that is known"))
                .meant(nearest(kind, ["env", "file"]))
                .help(format!("write `${{env:NAME}}` or `${{file:PATH}}`; {ESCAPE}"));
            None
        }
        None => {
            log.error(place, format!("`{reference}` does not say where its value comes from"))
                .help(format!("write `${{env:{inner}}}` for a variable of the environment; {ESCAPE}"));
            None
        }
    }
}

fn variable(name: &str, place: Span, values: &Values<'_>, log: &mut Log) -> Option<String> {
    // Anything else cannot be the name of a variable, and some systems panic at it.
    if name.is_empty() || name.contains(['=', '\0']) {
        log.error(place, format!("`{name}` cannot be the name of a variable")).help("write `${env:NAME}`");
        return None;
    }
    let value = (values.env)(name);
    if value.is_none() {
        log.unset(name, place);
    }
    value
}

fn file(path: &str, place: Span, values: &Values<'_>, log: &mut Log) -> Option<String> {
    let problem = match read(&values.root.join(path)) {
        Ok(text) => return Some(text),
        Err(problem) => problem,
    };
    log.error(place, format!("the file `{path}` {problem}"))
        .label("used here")
        .help("`${file:PATH}` takes a regular file of text of at most 64 KiB; a relative path starts at the project's folder");
    None
}

/// The text of a small regular file, one line break at its end removed; else what is wrong with it.
fn read(path: &Path) -> Result<String, String> {
    let io = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    // Asked before opening: opening a pipe would wait for its other end.
    let found = std::fs::symlink_metadata(path).map_err(io)?;
    if found.is_symlink() {
        return Err("is a symbolic link".to_owned());
    }
    if !found.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(SECRET_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > SECRET_FILE_BYTES_MAX {
        return Err("is larger than 64 KiB".to_owned());
    }
    let mut text = String::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn run(text: &str, root: &Path) -> (Node, Vec<String>) {
        let env = |name: &str| match name {
            "A" => Some("one".to_owned()),
            "EMPTY" => Some(String::new()),
            "NEST" => Some("${env:A} $${x".to_owned()),
            _ => None,
        };
        let mut log = Log::default();
        let file = log.files.add("outflow.yml", text);
        let mut node = yaml::parse(text, file, "outflow.yml", &mut log).unwrap();
        interpolate(&mut node, &Values { root, env: &env }, &mut log);
        let (problems, _) = log.finish();
        (node, problems.iter().map(|p| format!("{} {:?}", p.message(), p.position().unwrap())).collect())
    }

    fn filled(text: &str) -> String {
        let (node, problems) = run(&format!("v: '{text}'"), Path::new("/nowhere"));
        assert_eq!(problems, Vec::<String>::new());
        node.text("v").unwrap().to_owned()
    }

    #[test]
    fn references_are_filled_in_once_and_never_again() {
        assert_eq!(filled("${env:A}-${env:A}!"), "one-one!");
        assert_eq!(filled("${env:EMPTY}"), "");
        assert_eq!(filled("${env:NEST}"), "${env:A} $${x");
        assert_eq!(filled("$${env:A} ${env:A}"), "${env:A} one");
        assert_eq!(filled("$ {x} $x"), "$ {x} $x");
    }

    #[test]
    fn keys_stay_as_they_are_and_values_remember_how_they_were_written() {
        let (node, problems) = run("${env:A}: ${env:A}", Path::new("/nowhere"));
        assert!(problems.is_empty());
        assert_eq!(node.members()[0].key, "${env:A}");
        assert_eq!(node.written_json(), serde_json::json!({"${env:A}": "${env:A}"}));
        assert_eq!(node.members()[0].value.shown(), "`${env:A}`");
    }

    #[test]
    fn every_reference_that_cannot_be_filled_in_is_a_problem_at_its_place() {
        let (_, problems) = run("v: ${env:A} ${env:B}\nw: [\"${env:B} ${evn:A} ${A} ${\"]", Path::new("/nowhere"));
        let expected = [
            "the environment variable `B` is not set (1, 13)",
            "`${evn:A}` refers to nothing that is known (2, 15)",
            "`${A}` does not say where its value comes from (2, 24)",
            "`${` is never closed (2, 29)",
        ];
        assert_eq!(problems, expected);
    }

    #[test]
    fn a_file_is_read_only_if_it_is_a_small_regular_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ok"), "secret\n\n").unwrap();
        std::fs::write(folder.path().join("exact"), "x".repeat(64 << 10)).unwrap();
        std::fs::write(folder.path().join("large"), "x".repeat((64 << 10) + 1)).unwrap();
        std::os::unix::fs::symlink(folder.path().join("ok"), folder.path().join("link")).unwrap();
        let (node, problems) = run("v: ${file:ok}\nw: ${file:exact}", folder.path());
        assert!(problems.is_empty());
        assert_eq!(node.text("v"), Some("secret\n"));
        assert_eq!(node.text("w").map(str::len), Some(64 << 10));
        let problem = |name: &str| run(&format!("v: ${{file:{name}}}"), folder.path()).1.remove(0);
        assert_eq!(problem("large"), "the file `large` is larger than 64 KiB (1, 4)");
        assert_eq!(problem("link"), "the file `link` is a symbolic link (1, 4)");
        assert_eq!(problem("none"), "the file `none` does not exist (1, 4)");
        assert_eq!(problem("."), "the file `.` is not a regular file (1, 4)");
        assert_eq!(problem("/dev/zero"), "the file `/dev/zero` is not a regular file (1, 4)");
    }
}
