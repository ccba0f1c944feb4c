//! Is the state whole? Every object is read: what it says of itself, and what commits say of it.
//!
//! ```text
//! chain ─► commits ─► what they name: there? its size? its hash?
//! runs  ─► plan, journal, seen, failures, report: readable?  open: waits for recovery
//! files ─► named by nothing: left over, `outflow gc` removes them
//! ```
//!
//! Nothing is changed, and nothing stops at the first fault. Large files are read whole, for their hashes, unless it has to be quick.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Kind, Result};
use serde::Serialize;

use crate::chain::{Chain, Commit};
use crate::changes::open_part;
use crate::commit::{MappingCommit, ModelCommit};
use crate::failures::read_failures;
use crate::journal::Frames;
use crate::runs::{self, Seen};
use crate::{footing, paths, retention};

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is wrong.
    Note,
    /// It works, and deserves a look.
    Warning,
    /// Something will not work, or is lost.
    Error,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Of what: a path of the state, or of the disk.
    pub path: String,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// A finding.
    pub fn new(severity: Severity, path: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity, path: path.into(), message: message.into(), remedy: remedy.into() }
    }
}

/// What an examination looks at.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Sizes only, no hashes of large files.
    pub quick: bool,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
    /// Reads a moment: RFC 3339 to milliseconds since 1970.
    pub parse_ms: fn(&str) -> Option<u64>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// Objects that were looked at.
    pub objects: u64,
    /// Their sizes.
    pub bytes: u64,
    /// In the order of their paths.
    pub findings: Vec<Finding>,
}

/// The folder of what was set aside: no part of the state any more.
pub const SET_ASIDE: &str = "set-aside";
/// Why a run had a plan that has none.
const SENT: &str = "this plan is missing, though its run has sent something";
/// Clocks differ, and commits may be a little ahead.
const AHEAD_MS_MAX: u64 = 60 * 60 * 1000;

/// Examines every object of the state. An error only where the state cannot be listed at all.
pub fn examine(store: &dyn StateStore, options: Options) -> Result<Examined> {
    let mut paths = store.list("")?;
    paths.retain(|path| !path.starts_with(&format!("{SET_ASIDE}/")));
    let mut owners: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let mut examining = Examining { store, options, examined: Examined::default(), heads: BTreeMap::new(), hashed: HashSet::new() };
    for path in &paths {
        let mut segments = path.split('/');
        match (segments.next(), segments.next(), segments.next()) {
            (Some(kind @ (paths::MODELS | paths::MAPPINGS)), Some(name), Some(_)) => owners.entry((kind, name)).or_default().push(path),
            _ => examining.stray(path),
        }
    }
    for (&(kind, name), files) in owners.iter().rev() {
        let files: BTreeSet<&str> = files.iter().copied().collect();
        // Models first: what a mapping has delivered is one of their versions.
        if kind == paths::MODELS { examining.model(name, &files) } else { examining.mapping(name, &files) }
    }
    examining.examined.findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.path.cmp(&b.path)));
    Ok(examining.examined)
}

struct Examining<'a> {
    store: &'a dyn StateStore,
    options: Options,
    examined: Examined,
    /// The newest commit of each model that can be read: what mappings stand on.
    heads: BTreeMap<String, ModelCommit>,
    hashed: HashSet<String>,
}

/// What a commit or a plan says of a file.
struct Named<'a> {
    path: &'a str,
    bytes: Option<u64>,
    blake3: &'a str,
}

impl Examining<'_> {
    fn find(&mut self, severity: Severity, path: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let finding = Finding::new(severity, path, message, remedy);
        if !self.examined.findings.contains(&finding) {
            self.examined.findings.push(finding);
        }
    }

    /// What an error says, of an object at `path`, and how `owner` can go on.
    fn fault(&mut self, path: &str, owner: &str, error: &Error) {
        let newer = error.message().contains("newer version of Outflow");
        let remedy = match error.remedy_text() {
            Some(remedy) if newer => remedy.to_owned(),
            _ => lost(owner),
        };
        self.find(Severity::Error, path, error.message(), remedy);
    }

    fn stray(&mut self, path: &str) {
        self.find(Severity::Warning, path, "this file is no part of a state", "move it elsewhere, if it is not of Outflow's making");
    }

    fn looked_at(&mut self, path: &str) {
        self.examined.objects += 1;
        self.examined.bytes += self.store.open(path).map_or(0, |object| object.size());
    }

    fn model(&mut self, name: &str, files: &BTreeSet<&str>) {
        for path in files {
            self.looked_at(path);
        }
        let chain: Chain<ModelCommit> = Chain::of_model(name);
        let commits = self.chain(&chain, &paths::model(name), &format!("model:{name}"), files);
        let mut named: HashSet<&str> = HashSet::new();
        for (age, commit) in commits.iter().rev().enumerate() {
            let values = commit.files.iter().map(|file| Named { path: &file.path, bytes: Some(file.bytes), blake3: &file.blake3 });
            let hashes = commit.hashes.iter().map(|file| Named { path: &file.path, bytes: Some(file.bytes), blake3: &file.blake3 });
            for file in values.chain(hashes) {
                named.insert(file.path);
                self.named(&file, &format!("model:{name}"), age == 0);
            }
        }
        self.left_over(&paths::model(name), files.iter().copied().filter(|path| !named.contains(path) && !is_commit(path)));
        if let Some(head) = commits.last() {
            self.heads.insert(name.to_owned(), head.clone());
        }
    }

    fn mapping(&mut self, name: &str, files: &BTreeSet<&str>) {
        for path in files {
            self.looked_at(path);
        }
        let chain: Chain<MappingCommit> = Chain::of_mapping(name);
        let commits = self.chain(&chain, &paths::mapping(name), name, files);
        let mut named: HashSet<String> = HashSet::new();
        for (age, commit) in commits.iter().rev().enumerate() {
            for file in &commit.pending {
                named.insert(file.path.clone());
                self.named(&Named { path: &file.path, bytes: Some(file.bytes), blake3: &file.blake3 }, name, age == 0);
            }
            if let Some(failures) = commit.failures.as_ref().filter(|path| !files.contains(path.as_str())) {
                let remedy = "nothing hangs on it: it says to people why records have failed";
                self.find(Severity::Warning, failures, "this file is missing, though a commit names it", remedy);
            }
            named.extend(commit.failures.clone());
        }
        let head = commits.last();
        if let Some(head) = head {
            self.footing(name, head);
        }
        self.runs(name, head, &mut named);
        self.left_over(&paths::mapping(name), files.iter().copied().filter(|path| !named.contains(*path) && !is_commit(path)));
    }

    /// The commits of a chain that can be read; holes and damage are told.
    fn chain<T: Commit>(&mut self, chain: &Chain<T>, owner: &str, name: &str, files: &BTreeSet<&str>) -> Vec<T> {
        let folder = paths::commits(owner);
        let mut numbers = Vec::new();
        for path in files.iter().filter(|path| path.starts_with(&format!("{folder}/"))) {
            match paths::commit_number(path) {
                Some(number) => numbers.push(number),
                None => self.stray(path),
            }
        }
        for hole in numbers.windows(2).filter(|pair| pair[0] + 1 != pair[1]) {
            let path = chain.path(hole[0] + 1);
            self.find(Severity::Error, &path, "this commit is missing, though there are later ones", lost(name));
        }
        let mut commits = Vec::new();
        for number in numbers {
            let path = chain.path(number);
            match chain.read(self.store, number) {
                Ok(Some(commit)) => {
                    self.moment(&path, commit.at());
                    commits.push(commit);
                }
                Ok(None) => {}
                Err(error) => self.fault(&path, name, &error),
            }
        }
        commits
    }

    fn moment(&mut self, path: &str, at: &str) {
        if (self.options.parse_ms)(at).is_some_and(|at| at > self.options.now_ms + AHEAD_MS_MAX) {
            let message = format!("it was made at {at}, which is still to come");
            self.find(Severity::Warning, path, message, "set the clock of this machine right: schedules, waiting and retention go by it");
        }
    }

    /// A file that a commit or a plan names: there, of that size, with that hash? `counts`: the head or an interrupted run names it;
    /// what only an earlier commit names is asked for by nobody.
    fn named(&mut self, file: &Named<'_>, owner: &str, counts: bool) {
        if !self.hashed.insert(format!("{}#{}", file.path, file.blake3)) {
            return;
        }
        let fault = match open_part(self.store, file.path) {
            Err(error) if error.kind() == Kind::NotFound => Some("this file is missing, though a commit names it".to_owned()),
            Err(error) => Some(error.message().to_owned()),
            Ok(part) => match file.bytes.filter(|&bytes| bytes != part.size()) {
                Some(bytes) => Some(format!("this file has {} bytes, and its commit says {bytes}", part.size())),
                None if self.options.quick => None,
                None => part.verify(file.blake3).err().map(|error| error.message().to_owned()),
            },
        };
        match fault {
            Some(message) if counts => self.find(Severity::Error, file.path, message, lost(owner)),
            Some(message) => {
                let remedy = "nothing hangs on it: only an earlier commit names it, and `outflow gc` removes that in time";
                self.find(Severity::Warning, file.path, message, remedy);
            }
            None => {}
        }
    }

    /// What a mapping has delivered must be a version of its model.
    fn footing(&mut self, name: &str, head: &MappingCommit) {
        let model = self.heads.get(&head.model);
        if let Some(departure) = footing::departs(name, head, model) {
            let path = paths::commit(&paths::mapping(name), head.number);
            let message = if model.is_some() { departure.message } else { format!("{} that can be read", departure.message) };
            self.find(Severity::Error, &path, message, footing::way_on(name));
        }
    }

    fn runs(&mut self, name: &str, head: Option<&MappingCommit>, named: &mut HashSet<String>) {
        let closed = head.map_or(0, |head| head.closed_through);
        let Ok(folders) = runs::folders(self.store, name) else { return };
        for (epoch, files) in folders {
            let open = epoch > closed;
            let has = |file: &str| files.iter().any(|path| path.ends_with(&format!("/{file}")));
            let reported = has(paths::REPORT);
            self.gone(name, epoch, open, &has);
            if has(paths::PLAN) {
                self.plan(name, epoch, head.map_or(0, |head| head.number), open, named);
            }
            for path in &files {
                let read = match path.rsplit('/').next().unwrap_or_default() {
                    paths::REPORT => runs::read_report(self.store, name, epoch).map(|_| ()),
                    paths::JOURNAL => self.journal(path),
                    paths::SEEN => Seen::read(self.store, path).map(|_| ()),
                    file if file.starts_with("failures") => {
                        read_failures(self.store, path).and_then(|mut all| all.try_for_each(|one| one.map(|_| ())))
                    }
                    _ => Ok(()),
                };
                match read {
                    Err(error) if open => self.fault(path, name, &error),
                    // The run is over: nothing hangs on it but what people read.
                    Err(error) => self.find(Severity::Warning, path, error.message(), "nothing hangs on it: it tells of a past sync only"),
                    Ok(()) => {}
                }
            }
            let run = retention::Run {
                epoch,
                planned: has(paths::PLAN),
                reported: reported.then_some(retention::Dated { number: epoch, at_ms: None }),
            };
            if !retention::run_goes(&run, closed, u64::MAX, 0) {
                named.extend(files);
            }
        }
    }

    /// What is missing of a run, as far as the rest of it tells.
    fn gone(&mut self, name: &str, epoch: u64, open: bool, has: &dyn Fn(&str) -> bool) {
        let file = |file: &str| paths::run_file(name, epoch, file);
        let plan = has(paths::PLAN).then(|| runs::read_plan(self.store, name, epoch).ok()).flatten();
        let report = has(paths::REPORT).then(|| runs::read_report(self.store, name, epoch).ok().flatten()).flatten();
        let began = has(paths::JOURNAL) && !runs::is_before_its_plan(self.store, &file(paths::JOURNAL)).unwrap_or_default();
        let sent = report.is_some_and(|report| report.requests > 0);
        let mut missing = Vec::new();
        if !has(paths::PLAN) && (began || sent) {
            missing.push((paths::PLAN, if began { "this plan is missing, though its run has a journal" } else { SENT }));
        }
        if !has(paths::JOURNAL) && (plan.is_some_and(|plan| plan.journaled) || sent) {
            missing.push((paths::JOURNAL, "this journal is missing, though its run has a plan or has sent something"));
        }
        if !open && !has(paths::REPORT) && (has(paths::PLAN) || began) {
            missing.push((paths::REPORT, "this report is missing: it was taken away, or the program was killed before it wrote it"));
        }
        for (what, message) in missing {
            let past = "nothing hangs on it: it tells of a past sync only, which cannot be shown or replayed whole without it";
            let (severity, remedy) = if open { (Severity::Error, lost(name)) } else { (Severity::Warning, past.to_owned()) };
            self.find(severity, &file(what), message, remedy);
        }
    }

    fn plan(&mut self, name: &str, epoch: u64, head: u64, open: bool, named: &mut HashSet<String>) {
        let path = paths::run_file(name, epoch, paths::PLAN);
        match runs::read_plan(self.store, name, epoch) {
            Ok(plan) if open => {
                let due = plan.again.iter().flat_map(|again| &again.due);
                for part in plan.parts.iter().chain(due) {
                    named.insert(part.path.clone());
                    self.named(&Named { path: &part.path, bytes: None, blake3: &part.blake3 }, name, true);
                }
                if let Some(seen) = &plan.seen {
                    named.insert(seen.clone());
                    if let Err(error) = Seen::read(self.store, seen) {
                        self.fault(seen, name, &error);
                    }
                }
                let saw = (plan.saw.version, plan.saw.footing.as_ref());
                if let Err(error) = footing::check_sealed(name, &plan.model, saw, self.heads.get(&plan.model)) {
                    return self.find(Severity::Error, &path, error.message(), footing::way_on(name));
                }
                if plan.base != head {
                    let message = format!("this run began with commit {} of its mapping; the state has commit {head}", plan.base);
                    return self.find(Severity::Error, &path, message, lost(name));
                }
                let message = "this run was interrupted, and waits for recovery";
                self.find(Severity::Note, &path, message, "nothing: the next run takes it up before anything else");
            }
            Ok(_) => {}
            Err(error) if open => self.fault(&path, name, &error),
            Err(error) => self.find(Severity::Warning, &path, error.message(), "nothing hangs on it: its run is over"),
        }
    }

    /// A journal may end in the middle of a frame; anything else that is no frame is damage.
    fn journal(&self, path: &str) -> Result<()> {
        let bytes = self.store.read(path)?.unwrap_or_default();
        let mut frames = Frames::new(&bytes);
        frames.by_ref().for_each(drop);
        if frames.is_damaged() { Err(crate::object::damaged(path)) } else { Ok(()) }
    }

    fn left_over<'b>(&mut self, owner: &str, paths: impl Iterator<Item = &'b str>) {
        let (mut files, mut bytes) = (0u64, 0u64);
        for path in paths {
            files += 1;
            bytes += self.store.open(path).map_or(0, |object| object.size());
        }
        if files > 0 {
            let message = format!("{files} files of {bytes} bytes are named by nothing: left over from what was interrupted or replaced");
            self.find(Severity::Note, owner, message, "nothing: `outflow gc` removes them");
        }
    }
}

fn is_commit(path: &str) -> bool {
    path.split('/').nth(2) == Some("commits")
}

/// What helps where something of `owner` is lost: a mapping, or `model:` and a model.
pub fn lost(owner: &str) -> String {
    format!("restore it from a backup of the state; or begin anew without it: `outflow doctor --set-aside {owner}` says what that means")
}
