//! `outflow.yml` to a validated project.
//!
//! ```text
//! file ─ yaml.rs ─► tree ─ target.rs ─► tree ─ interpolate.rs ─► tree ─ validate/ ─► Loaded
//! ```
//!
//! Secrets are put in after parsing and after the target was laid over, so that a value can never change the structure,
//! and a target that was not chosen needs no secret.

use std::io::Read;
use std::path::Path;

use outflow_contract::destination::Descriptor;
use outflow_contract::limits::{Limits, PROJECT_FILE_BYTES_MAX};
use outflow_contract::plan::Project;

use crate::interpolate::{self, Values};
use crate::places::Places;
use crate::problem::{Log, Problem, Problems, Renderer, Severity};
use crate::then::Then;
use crate::validate::{self, Context};
use crate::{target, yaml};

/// The file of a project.
pub const PROJECT_FILE: &str = "outflow.yml";

/// What a project is loaded with.
pub struct Options<'a> {
    /// The project's folder.
    pub root: &'a Path,
    /// `--target`: the tree of `targets:` that is laid over the rest.
    pub target: Option<&'a str>,
    /// The environment: a variable's value, or `None` if it is not set.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The kinds of destinations that there are.
    pub descriptors: &'a [Descriptor],
}

/// A project that can be run, and what is needed to check it against the schemas of its queries.
pub struct Loaded {
    /// The project.
    pub project: Project,
    /// What deserves a look, sorted by place.
    pub warnings: Vec<Problem>,
    pub(crate) places: Places,
    pub(crate) renderer: Renderer,
}

/// A project that may have mistakes in it, and what can be told of it all the same.
pub struct Examined {
    /// What of the project could be understood: not to be run if `problems` has an error. Its warnings are among the problems.
    pub loaded: Option<Loaded>,
    /// All that is wrong, and what deserves a look, sorted by place.
    pub problems: Vec<Problem>,
}

/// Loads and checks `outflow.yml` in the root. All problems come at once, sorted by place, warnings among them.
pub fn load(options: &Options<'_>) -> Result<Loaded, Problems> {
    sound(examine(options))
}

/// The same for those who only look: mappings that lack required fields are let through, with what is there of them. Not to be run.
pub fn load_unfinished(options: &Options<'_>) -> Result<Loaded, Problems> {
    let Examined { loaded, mut problems } = examine(options);
    problems.retain(|problem| !problem.is_gap());
    sound(Examined { loaded, problems })
}

/// The same as [`load`], with a mapping as it was in an earlier sync.
pub fn load_as_it_was(options: &Options<'_>, then: &Then<'_>) -> Result<Loaded, Problems> {
    sound(examine_with(options, Some(then)))
}

fn sound(Examined { loaded, problems }: Examined) -> Result<Loaded, Problems> {
    match loaded {
        Some(loaded) if problems.iter().all(|problem| problem.severity() == Severity::Warning) => {
            Ok(Loaded { warnings: problems, ..loaded })
        }
        _ => Err(Problems(problems)),
    }
}

/// The same, and keeps what could be understood of a project with mistakes in it.
pub fn examine(options: &Options<'_>) -> Examined {
    examine_with(options, None)
}

/// The same of a project whose file would have this text: nothing has to be on the disk.
pub fn examine_text(text: &str, options: &Options<'_>) -> Examined {
    let mut log = Log::default();
    let built = build(text, options, None, &mut log);
    examined(built, log)
}

fn examine_with(options: &Options<'_>, then: Option<&Then<'_>>) -> Examined {
    let mut log = Log::default();
    let built = read(options.root, &mut log).and_then(|text| build(&text, options, then, &mut log));
    examined(built, log)
}

fn examined(built: Option<(Project, Places)>, mut log: Log) -> Examined {
    if built.is_none() && !log.failed() {
        // No check may drop a part in silence; if one did, a project without it must not run.
        log.error_nowhere(format!("{PROJECT_FILE} could not be understood"))
            .help("this is a defect of Outflow: please report it with the file");
    }
    let (problems, renderer) = log.finish();
    let loaded = built.map(|(project, places)| Loaded { project, warnings: Vec::new(), places, renderer });
    Examined { loaded, problems }
}

fn build(text: &str, options: &Options<'_>, then: Option<&Then<'_>>, log: &mut Log) -> Option<(Project, Places)> {
    let file = log.files.add(PROJECT_FILE, text);
    let mut tree = yaml::parse(text, file, PROJECT_FILE, log)?;
    if tree.as_map().is_none() {
        log.error(tree.span.part(0, 0), format!("{PROJECT_FILE} must be a mapping, and this is {}", tree.kind_name()))
            .help("begin with `version: 1`");
        return None;
    }
    let others = target::choose(&mut tree, options.target, log);
    if let Some(then) = then {
        then.lay_over(&mut tree, options.descriptors);
    }
    interpolate::interpolate(&mut tree, &Values { root: options.root, env: options.env }, log);
    let root = validate::plain(&std::path::absolute(options.root).unwrap_or_else(|_| options.root.to_owned()));
    let context = Context { root: &root, target: options.target, descriptors: options.descriptors, limits: Limits::default() };
    validate::project(&tree, &others, context, log)
}

const SMALLER: &str = "move long queries to `.sql` files, or split the project";

fn read(root: &Path, log: &mut Log) -> Option<String> {
    let path = root.join(PROJECT_FILE);
    let mut failed = |message: String, help: &str| {
        log.error_nowhere(message).help(help);
        None
    };
    let found = match std::fs::metadata(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let help = "run `outflow init NAME` to make a project, or change to a project's folder";
            return failed(format!("there is no {PROJECT_FILE} in {}", root.display()), help);
        }
        Err(error) => {
            return failed(format!("{} cannot be read: {error}", path.display()), "check the permissions of the file and its folder");
        }
    };
    if !found.is_file() {
        return failed(format!("{} is not a regular file", path.display()), "a project is described by a file of that name");
    }
    let too_large = || format!("{} is larger than {} MiB", path.display(), PROJECT_FILE_BYTES_MAX >> 20);
    if found.len() > PROJECT_FILE_BYTES_MAX {
        return failed(too_large(), SMALLER);
    }
    let mut bytes = Vec::new();
    let read = std::fs::File::open(&path).and_then(|file| file.take(PROJECT_FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return failed(format!("{} cannot be read: {error}", path.display()), "check the permissions of the file");
    }
    if bytes.len() as u64 > PROJECT_FILE_BYTES_MAX {
        return failed(too_large(), SMALLER);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned)),
        Err(_) => failed(format!("{} is not text in UTF-8", path.display()), "save it as UTF-8"),
    }
}
