//! From a project whose shape is right to one that means something: references, actions, settings, queries, mappings.
//!
//! ```text
//! tree ─ shape.rs ─► policy ─► source ─► model ─► destination ─► mapping ─► contract::plan::Project
//!                    limits    tables    SQL      settings       fields
//! ```
//!
//! Every step reports all that it finds and goes on; a part that cannot be built is left out. Since leaving one out is
//! always reported, a project without an error is complete.

mod cron;
mod destination;
mod fields;
mod mapping;
mod model;
mod policy;
mod range;
mod schedule;
mod settings;
mod source;

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use outflow_contract::destination::Descriptor;
use outflow_contract::limits::Limits;
use outflow_contract::plan::Project;

pub(crate) use self::source::TYPES as SOURCE_TYPES;
use crate::keys::{self, Entry};
use crate::nearest::nearest;
use crate::places::{self, Places};
use crate::problem::{Log, Span};
use crate::shape::{self, Place};
use crate::tree::Node;

/// What every step may ask.
pub(crate) struct Context<'a> {
    /// The project's folder, absolute.
    pub(crate) root: &'a Path,
    /// `--target`.
    pub(crate) target: Option<&'a str>,
    /// The kinds of destinations that there are.
    pub(crate) descriptors: &'a [Descriptor],
    /// The project's limits.
    pub(crate) limits: Limits,
}

impl Context<'_> {
    /// `path` from the project's folder on, plain.
    fn absolute(&self, path: &str) -> PathBuf {
        plain(&self.root.join(path))
    }
}

/// An absolute path without `.` and `..` in it. Links stay as they are, save one that a `..` leads out of: the way goes on from where the
/// link leads, as everywhere else.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if let Some(real) = plain.is_symlink().then(|| std::fs::canonicalize(&plain).ok()).flatten() {
                    plain = real;
                }
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Checks the whole tree; the targets that were not chosen are in `others`, checked for their keys alone.
pub(crate) fn project(root: &Node, others: &[crate::tree::Member], mut context: Context<'_>, log: &mut Log) -> Option<(Project, Places)> {
    let top = Place::new("the project", root.span.part(0, 0));
    shape::check(root, keys::PROJECT, &top, log);
    for other in others {
        let place = Place { partial: true, ..Place::new(format!("target `{}`", other.key), other.key_span) };
        shape::check(&other.value, keys::PROJECT, &place, log);
    }
    for (name, entry) in
        [("sources", &keys::SOURCE), ("models", &keys::MODEL), ("destinations", &keys::DESTINATION), ("mappings", &keys::MAPPING)]
    {
        names(root.get(name), entry, log);
    }
    alerts(root, log);
    context.limits = policy::limits(root.get("limits"), log);
    let guards = policy::guards(root.get("guards"), outflow_contract::plan::Guards::default());
    let mut places = Places::default();
    let state = state(root, &context, log);
    let sources = source::all(root, &context, &mut places, log);
    let models = model::all(root, &context, &mut places, log);
    let destinations = destination::all(root, &context, &mut places, log);
    let mappings = mapping::all(root, &context, guards, &mut places, log);
    if state.is_none() && !log.failed() {
        return None;
    }
    places.broken = places::broken(root, log);
    let project = Project {
        root: context.root.to_owned(),
        name: folder_name(context.root),
        target: context.target.map(str::to_owned),
        // Without one, the project is refused.
        state: state.unwrap_or_default(),
        sources,
        models,
        destinations,
        mappings,
        limits: context.limits,
        retention: policy::retention(root.get("retention")),
        redactor: log.redactor.clone(),
    };
    Some((project, places))
}

fn folder_name(root: &Path) -> String {
    let real = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    real.file_name().map_or_else(|| "outflow".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn alerts(root: &Node, log: &mut Log) {
    if let Some(member) = root.member("alerts").filter(|member| member.value.as_list().is_some_and(|list| !list.is_empty())) {
        log.warn(member.key_span, "this version does not send alerts yet")
            .help("the alerts stay in the project for a later version; until then, look at the exit code or at target/run_results.json");
    }
}

fn state(root: &Node, context: &Context<'_>, log: &mut Log) -> Option<PathBuf> {
    const DEFAULT: &str = "./state";
    let Some(node) = root.get("state") else { return Some(context.absolute(DEFAULT)) };
    let path = node.as_str().filter(|path| !path.is_empty())?;
    if let Some((scheme, _)) = path.split_once("://") {
        let message = match scheme {
            "s3" | "gs" | "az" | "abfs" | "abfss" => "state on object storage is not available in this version".to_owned(),
            _ => format!("`state` is a folder, and {} is a URL", node.shown()),
        };
        log.error(node.span, message).help("write the path of a folder, such as ./state");
        return None;
    }
    Some(context.absolute(path))
}

/// Names become folders of the state, so they are plain, and differ by more than the case of their letters.
fn names(node: Option<&Node>, entry: &Entry, log: &mut Log) {
    const CHARS_MAX: usize = 64;
    let mut seen: HashMap<String, (&str, Span)> = HashMap::new();
    for member in node.map(Node::members).unwrap_or_default() {
        let (name, noun) = (member.key.as_str(), entry.noun);
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !plain || name.len() > CHARS_MAX || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            log.error(member.key_span, format!("`{}` cannot be the name of a {noun}", name.chars().take(80).collect::<String>()))
                .help(format!("a name is up to {CHARS_MAX} letters, digits, `_` and `-`, and starts with a letter or a digit"));
        }
        match seen.insert(name.to_ascii_lowercase(), (name, member.key_span)) {
            Some((first, span)) if first != name => {
                log.error(member.key_span, format!("the names of two {noun}s differ only in case: `{first}` and `{name}`"))
                    .label("too alike")
                    .also(span, "the other one")
                    .help("some disks take both for the same folder: give one of them another name");
            }
            _ => {}
        }
    }
}

/// Reports a name that refers to nothing.
fn unresolved(node: &Node, noun: &str, owner: &str, known: &[&str], log: &mut Log) {
    let help = if known.is_empty() {
        format!("the project has no {noun}s yet")
    } else {
        format!("{noun}s: {}", crate::nearest::list(known.iter().copied()))
    };
    log.error(node.span, format!("{owner} refers to {noun} {}, which does not exist", node.shown()))
        .label(format!("no such {noun}"))
        .meant(node.as_str().and_then(|name| nearest(name, known.iter().copied())))
        .help(help);
}

/// The entries of `sources`, `models` or `destinations`, for references to them.
struct Entries<'a> {
    names: Vec<&'a str>,
    nodes: HashMap<&'a str, &'a Node>,
}

impl<'a> Entries<'a> {
    /// The entries below the key `name` of the project.
    fn of(root: &'a Node, name: &str) -> Self {
        let members = root.get(name).map(Node::members).unwrap_or_default();
        let names = members.iter().map(|member| member.key.as_str()).collect();
        Self { names, nodes: members.iter().map(|member| (member.key.as_str(), &member.value)).collect() }
    }

    fn get(&self, name: &str) -> Option<&'a Node> {
        self.nodes.get(name).copied()
    }

    /// What `node` refers to; reported if there is no such entry.
    fn resolve<'n>(&self, node: &'n Node, noun: &str, owner: &str, log: &mut Log) -> Option<(&'n str, &'a Node)> {
        let name = node.as_str().filter(|name| !name.is_empty())?;
        let found = self.get(name);
        if found.is_none() {
            unresolved(node, noun, owner, &self.names, log);
        }
        Some((name, found?))
    }
}
