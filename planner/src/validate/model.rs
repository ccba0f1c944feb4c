//! `models`: the query, and the columns that identify its records.

use std::io::Read;

use outflow_contract::plan::{Model, OnBadId};

use super::{Context, Entries, unresolved};
use crate::nearest::nearest;
use crate::places::{Home, ModelPlaces, Places};
use crate::problem::{Log, Span};
use crate::sql::{self, SqlProblem};
use crate::tree::{Member, Node};

pub(super) fn all(root: &Node, context: &Context<'_>, places: &mut Places, log: &mut Log) -> Vec<Model> {
    let sources = Entries::of(root, "sources");
    root.get("models")
        .map(Node::members)
        .unwrap_or_default()
        .iter()
        .filter_map(|member| one(member, &sources, context, places, log))
        .collect()
}

fn one(member: &Member, sources: &Entries<'_>, context: &Context<'_>, places: &mut Places, log: &mut Log) -> Option<Model> {
    let (name, node) = (&member.key, &member.value);
    node.as_map()?;
    let owner = format!("model `{name}`");
    let source = node.get("source").and_then(|node| sources.resolve(node, "source", &owner, log)).map(|(name, _)| name.to_owned());
    let id = id(node, &owner, context, log);
    let timestamp = node.get("timestamp").and_then(|node| Some((node.as_str()?.to_owned(), node.span)));
    if let Some((column, span)) = &timestamp {
        name_length(column, *span, context.limits.timestamp_column_name, "timestamp", log);
    }
    if let Some(values) = node.get("values").filter(|values| values.as_str() == Some("none")) {
        log.error(values.span, "`values: none` is not available in this version").help("leave it out: the last known values are kept");
    }
    let Asked { statement, query, sql, home, tables } = query(member, sources, &owner, context, log)?;
    let id_columns = id.iter().map(|(column, _)| column.clone()).collect();
    places.models.insert(name.clone(), ModelPlaces { query, id, timestamp: timestamp.clone(), sql, home, tables });
    let on_bad = |key: &str| if node.text(key) == Some("abort") { OnBadId::Abort } else { OnBadId::Reject };
    Some(Model {
        name: name.clone(),
        source: source?,
        sql: statement,
        id: id_columns,
        timestamp: timestamp.map(|(column, _)| column),
        description: node.text("description").map(str::to_owned),
        tags: texts(node, "tags"),
        on_null_id: on_bad("on_null_id"),
        on_duplicate_id: on_bad("on_duplicate_id"),
    })
}

/// A list of texts.
pub(super) fn texts(node: &Node, name: &str) -> Vec<String> {
    node.get(name).and_then(Node::as_list).unwrap_or_default().iter().filter_map(Node::as_str).map(str::to_owned).collect()
}

fn id(node: &Node, owner: &str, context: &Context<'_>, log: &mut Log) -> Vec<(String, Span)> {
    let Some(node) = node.get("id") else { return Vec::new() };
    let items = node.as_list().unwrap_or(std::slice::from_ref(node));
    let mut columns: Vec<(String, Span)> = Vec::new();
    for item in items {
        let Some(column) = item.as_str().filter(|column| !column.is_empty()) else { continue };
        name_length(column, item.span, context.limits.id_column_name, "identifier", log);
        if let Some((_, first)) = columns.iter().find(|(other, _)| other == column) {
            log.error(item.span, format!("`id` of {owner} names the column `{column}` twice"))
                .label("again here")
                .also(*first, "first here");
        } else {
            columns.push((column.to_owned(), item.span));
        }
    }
    columns
}

fn name_length(column: &str, span: Span, max: usize, what: &str, log: &mut Log) {
    let length = column.chars().count();
    if length > max {
        log.error(span, format!("the name of the {what} column has {length} characters, and the limit is {max}")).help(format!(
            "give the column a shorter name in the query, or raise `limits.{}`",
            if what == "identifier" { "id_column_name" } else { "timestamp_column_name" }
        ));
    }
}

/// The query of a model.
struct Asked {
    /// The one statement.
    statement: String,
    /// Where the project speaks of it.
    query: Span,
    /// The text as it stands, comments and all.
    sql: String,
    home: Home,
    /// The tables that it names.
    tables: Vec<String>,
}

/// The SQL of a model, and where it stands.
fn query(member: &Member, sources: &Entries<'_>, owner: &str, context: &Context<'_>, log: &mut Log) -> Option<Asked> {
    let node = &member.value;
    if let Some(dbt) = node.member("dbt").filter(|dbt| !dbt.value.is_null()) {
        log.error(dbt.key_span, "dbt models are not available in this version")
            .help("point `query` at the compiled SQL, such as target/compiled/…/model.sql");
        return None;
    }
    match (node.get("query"), node.get("table")) {
        (Some(query), None) => from_query(query, owner, context, log),
        (None, Some(table)) => from_table(table, node, sources, owner, log),
        (None, None) => {
            log.error(member.key_span, format!("{owner} has neither `query` nor `table`"))
                .label("no query")
                .help("write `query: models/NAME.sql`, or `table: NAME` for all records of a table");
            None
        }
        (Some(query), Some(table)) => {
            log.error(table.span, format!("{owner} has both `query` and `table`"))
                .label("one too many")
                .also(query.span, "and here")
                .help("keep one of them");
            None
        }
    }
}

fn from_query(node: &Node, owner: &str, context: &Context<'_>, log: &mut Log) -> Option<Asked> {
    let text = node.as_text().filter(|text| !text.value.is_empty())?;
    let path = text.value.as_str();
    let is_file = is_sql(path) && !path.contains(char::is_whitespace);
    let (sql, home) = if is_file {
        let sql = read_file(node, path, owner, context, log)?;
        let file = log.files.add(text.written.as_deref().unwrap_or(path), sql.clone());
        (sql, Home::File(file))
    } else {
        (path.to_owned(), Home::of_inline(text, node.span, log))
    };
    let length = sql.chars().count();
    if length > context.limits.query_length {
        log.error(node.span, format!("the query of {owner} has {length} characters, and the limit is {}", context.limits.query_length))
            .help("make it shorter, or raise `limits.query_length`");
        return None;
    }
    match sql::check(&sql) {
        Ok(read) => Some(Asked { statement: read.statement, query: node.span, sql, home, tables: read.tables }),
        Err(problem) => {
            refuse(problem, &home, &sql, owner, log);
            None
        }
    }
}

/// Does a path end as one of SQL does?
fn is_sql(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("sql"))
}

fn refuse(problem: SqlProblem, home: &Home, sql: &str, owner: &str, log: &mut Log) {
    let span = home.span(sql, problem.start, problem.end);
    log.error(span, format!("{owner}: {}", problem.message)).label(problem.label).help(problem.help);
}

fn read_file(node: &Node, path: &str, owner: &str, context: &Context<'_>, log: &mut Log) -> Option<String> {
    let full = context.absolute(path);
    // No letter takes more than four bytes, so a longer file is over the limit whatever is in it.
    let bytes_max = (context.limits.query_length as u64).saturating_mul(4).saturating_add(1);
    let read = || -> Result<String, String> {
        let found = std::fs::metadata(&full).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "does not exist".to_owned(),
            _ => format!("cannot be read: {error}"),
        })?;
        if !found.is_file() {
            return Err("is not a regular file".to_owned());
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(&full).map_err(|error| format!("cannot be read: {error}"))?;
        file.take(bytes_max).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
        if bytes.len() as u64 == bytes_max {
            return Err(format!("is longer than the limit of {} characters", context.limits.query_length));
        }
        let text = String::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())?;
        Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
    };
    match read() {
        Ok(sql) => Some(sql),
        Err(what) => {
            log.error(node.span, format!("the query file of {owner}, {}, {what}", node.shown()))
                .label("this file")
                .meant(neighbour(&full, path).as_deref())
                .help(format!("looked for {}; a relative path starts at the project's folder", full.display()));
            None
        }
    }
}

/// A file of nearly the same name in the same folder, as the project would write it.
fn neighbour(full: &std::path::Path, path: &str) -> Option<String> {
    const FILES_MAX: usize = 1000;
    let entries = std::fs::read_dir(full.parent()?).ok()?.take(FILES_MAX);
    let names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(|name| is_sql(name)).collect();
    let wanted = full.file_name()?.to_str()?;
    let near = nearest(wanted, names.iter().map(String::as_str)).filter(|near| *near != wanted)?;
    Some(path.rsplit_once('/').map_or(near.to_owned(), |(folder, _)| format!("{folder}/{near}")))
}

/// `table: a.b` is `SELECT * FROM "a"."b"`.
fn from_table(node: &Node, model: &Node, sources: &Entries<'_>, owner: &str, log: &mut Log) -> Option<Asked> {
    let text = node.as_str().filter(|text| !text.is_empty())?;
    let Some(parts) = table_parts(text) else {
        log.error(node.span, format!("`table` of {owner} is no name of a table: {}", node.shown()))
            .help("write a name, or schema.name; put a part that holds a dot between double quotes");
        return None;
    };
    let source = model.text("source").and_then(|name| sources.get(name)).filter(|source| source.text("type") == Some("files"));
    if let (Some(source), [table]) = (source, parts.as_slice()) {
        let known: Vec<&str> =
            source.get("tables").map(Node::members).unwrap_or_default().iter().map(|member| member.key.as_str()).collect();
        if !known.contains(&table.as_str()) {
            unresolved(node, "table", owner, &known, log);
            return None;
        }
    }
    let quoted: Vec<String> = parts.iter().map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
    let statement = format!("SELECT * FROM {}", quoted.join("."));
    let tables = parts.last().cloned().into_iter().collect();
    Some(Asked { sql: statement.clone(), statement, query: node.span, home: Home::Whole(node.span), tables })
}

/// The parts of a name, quotes taken off: `a."b.c"` has two.
fn table_parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut inner = quoted;
            rest = loop {
                let (before, after) = inner.split_once('"')?;
                part.push_str(before);
                match after.strip_prefix('"') {
                    Some(more) => {
                        part.push('"');
                        inner = more;
                    }
                    None => break after,
                }
            };
            parts.push(part);
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            parts.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        if parts.last().is_none_or(|part| part.is_empty() || part.contains(char::is_control)) {
            return None;
        }
        match rest.strip_prefix('.') {
            Some(more) => rest = more,
            None if rest.is_empty() => return Some(parts),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_name_is_cut_at_its_dots_but_not_within_quotes() {
        let parts = |text: &str| table_parts(text);
        assert_eq!(parts("users"), Some(vec!["users".into()]));
        assert_eq!(parts("a.b.c"), Some(vec!["a".into(), "b".into(), "c".into()]));
        assert_eq!(parts("a.\"b.\"\"c\""), Some(vec!["a".into(), "b.\"c".into()]));
        assert_eq!(parts("my table"), Some(vec!["my table".into()]));
        for wrong in ["", ".", "a.", ".a", "\"a", "\"a\"b", "\"\""] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
