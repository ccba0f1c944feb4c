//! `sources`: the tables of a `files` source. Other types are refused by name.

use outflow_contract::plan::{ColumnType, FileFormat, FileTable, SourceConfig, SourceKind};

use super::{Context, policy};
use crate::keys::TABLE;
use crate::nearest::nearest;
use crate::places::Places;
use crate::problem::Log;
use crate::shape::{self, Place};
use crate::sql;
use crate::tree::{Member, Node};

/// The types that this version runs.
pub(crate) const TYPES: [&str; 1] = ["files"];
/// Those that it will.
const TYPES_LATER: [&str; 9] = ["postgres", "redshift", "snowflake", "bigquery", "databricks", "duckdb", "sqlite", "flightsql", "adbc"];
/// What a path on another machine starts with.
const REMOTE: [&str; 10] = ["http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "azure"];

pub(super) fn all(root: &Node, context: &Context<'_>, places: &mut Places, log: &mut Log) -> Vec<SourceConfig> {
    let members = root.get("sources").map(Node::members).unwrap_or_default();
    members.iter().filter_map(|member| one(member, context, places, log)).collect()
}

fn one(member: &Member, context: &Context<'_>, places: &mut Places, log: &mut Log) -> Option<SourceConfig> {
    let (name, node) = (&member.key, &member.value);
    let kind = node.get("type")?;
    match kind.as_str()? {
        "files" => {}
        later if TYPES_LATER.contains(&later) => {
            log.error(kind.span, format!("sources of type `{later}` are not available in this version"))
                .help("this version reads `files`: Parquet, CSV, NDJSON and Arrow; export the tables that you need to one of them");
            return None;
        }
        other => {
            log.error(kind.span, format!("there is no source type {}", kind.shown()))
                .meant(nearest(other, TYPES.into_iter().chain(TYPES_LATER)))
                .help(format!("source types of this version: {}", TYPES.join(", ")));
            return None;
        }
    }
    let listed = node.get("tables").map(Node::members).unwrap_or_default();
    if listed.is_empty() && node.get("tables").is_none_or(|tables| tables.as_map().is_some()) {
        log.error(node.get("tables").map_or(member.key_span, |tables| tables.span), format!("source `{name}` has no tables"))
            .help("write `tables: { users: data/users.parquet }`");
    }
    let mut tables = Vec::with_capacity(listed.len());
    for table in listed {
        let key = (name.clone(), table.key.clone());
        match read_table(table, name, context, log) {
            Some(read) => {
                tables.push(read);
                places.tables.insert(key, table.value.get("path").unwrap_or(&table.value).span);
            }
            None => drop(places.lost.insert(key)),
        }
    }
    Some(SourceConfig {
        name: name.clone(),
        kind: SourceKind::Files { tables },
        max_concurrent_extractions: node.get("max_concurrent_extractions").and_then(Node::as_count).map_or(1, |count| count as usize),
        query_timeout: policy::duration(node, "query_timeout"),
    })
}

fn read_table(member: &Member, source: &str, context: &Context<'_>, log: &mut Log) -> Option<FileTable> {
    let (name, node) = (&member.key, &member.value);
    let owner = format!("table `{name}` of source `{source}`");
    if name.is_empty() || name.chars().count() > 128 || name.contains(char::is_control) {
        log.error(member.key_span, format!("`{}` cannot be the name of a table", name.chars().take(40).collect::<String>()))
            .help("a table's name is 1 to 128 characters");
        return None;
    }
    let path_node = match node.as_map() {
        Some(_) => {
            shape::check(node, TABLE, &Place::new(&owner, member.key_span), log);
            node.get("path")?
        }
        None if node.as_str().is_some_and(|path| !path.is_empty()) => node,
        None => {
            log.error(node.span, format!("{owner} must be a path or a mapping with `path`, and this is {}", node.kind_name()))
                .help(format!("write `{name}: data/{name}.parquet`"));
            return None;
        }
    };
    let columns = columns(node, &owner, log);
    let path = path_node.as_str().filter(|path| !path.is_empty())?;
    if path.split_once("://").is_some_and(|(scheme, _)| REMOTE.contains(&scheme.to_ascii_lowercase().as_str())) {
        log.error(path_node.span, "files on object storage or on the web are not available in this version")
            .help("write the path of a file on this machine");
        return None;
    }
    let format = format(node, path_node, path, &owner, log)?;
    let delimiter = delimiter(node, format, &owner, log);
    Some(FileTable { name: name.clone(), path: context.absolute(path).to_string_lossy().into_owned(), format, columns, delimiter })
}

/// What stands between the values of a CSV file, if that is said.
fn delimiter(node: &Node, format: FileFormat, owner: &str, log: &mut Log) -> Option<u8> {
    let written = node.get("delimiter").filter(|node| !node.is_null())?;
    let text = written.as_str().filter(|text| !text.is_empty())?;
    if format != FileFormat::Csv {
        log.error(written.span, format!("`delimiter` of {owner} is of no use: its format is {}", format.name()))
            .help("leave it out; only CSV has one");
        return None;
    }
    match *text.as_bytes() {
        _ if matches!(text, "tab" | r"\t") => Some(b'\t'),
        [one] if one == b'\t' || matches!(one, b' '..=b'~') && one != b'"' && !one.is_ascii_alphanumeric() => Some(one),
        _ => {
            log.error(written.span, format!("`delimiter` of {owner} cannot be {}", written.shown()))
                .help("it is one character, such as \";\" or \"|\", or `tab`; letters, digits and quotes are none");
            None
        }
    }
}

fn format(node: &Node, path_node: &Node, path: &str, owner: &str, log: &mut Log) -> Option<FileFormat> {
    if let Some(format) = node.get("format") {
        // Another text has been reported by the shape check.
        return format.as_str().and_then(of_ending);
    }
    let ending = path.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map_or("", |(_, ending)| ending);
    let format = of_ending(&ending.to_ascii_lowercase());
    if format.is_none() {
        let (what, help) = match ending.to_ascii_lowercase().as_str() {
            "xlsx" | "xlsm" | "xlsb" | "xls" | "ods" => (
                "is a workbook, which this version does not read",
                "export the sheet, in Excel with Save As, CSV UTF-8, and write the path of that file",
            ),
            "gz" | "zip" | "zst" | "bz2" | "xz" | "7z" => {
                ("is a compressed file, which this version does not read", "unpack it, and write the path of what is inside")
            }
            _ => (
                "does not tell its format",
                "write `{ path: …, format: parquet }`; known endings: .parquet, .csv, .tsv, .ndjson, .jsonl, .json, .arrow, .ipc, .feather",
            ),
        };
        log.error(path_node.span, format!("the path of {owner} {what}")).help(help);
    }
    format
}

fn of_ending(ending: &str) -> Option<FileFormat> {
    match ending {
        "parquet" => Some(FileFormat::Parquet),
        "csv" | "tsv" => Some(FileFormat::Csv),
        "ndjson" | "jsonl" | "json" => Some(FileFormat::Ndjson),
        "arrow" | "ipc" | "feather" => Some(FileFormat::Arrow),
        _ => None,
    }
}

fn columns(node: &Node, owner: &str, log: &mut Log) -> Vec<(String, ColumnType)> {
    let mut columns = Vec::new();
    for member in node.get("columns").map(Node::members).unwrap_or_default() {
        match member.value.as_str() {
            Some(text) if text.eq_ignore_ascii_case("json") => columns.push((member.key.clone(), ColumnType::Json)),
            Some(text) => match sql::check_type(text) {
                Ok(()) => columns.push((member.key.clone(), ColumnType::Sql(text.to_owned()))),
                Err(help) => {
                    const COMMON: [&str; 12] = [
                        "json",
                        "varchar",
                        "text",
                        "bigint",
                        "integer",
                        "smallint",
                        "double",
                        "real",
                        "boolean",
                        "date",
                        "timestamp",
                        "decimal",
                    ];
                    log.error(member.value.span, format!("{} is no type for column `{}` of {owner}", member.value.shown(), member.key))
                        .meant(nearest(text, COMMON))
                        .help(help);
                }
            },
            None => drop(
                log.error(member.value.span, format!("the type of column `{}` of {owner} must be text", member.key))
                    .help("write `json` or a SQL type"),
            ),
        }
    }
    columns
}
