//! Errors and problems: on standard error for people, as one document on standard output under `--output json`, and as JSON lines
//! on standard error under `--log-format json`.

use miette::GraphicalTheme;
use outflow_contract::Error;
use outflow_planner::{Problem, Problems, Severity};
use serde_json::json;

use super::{Console, Tone, counted, plain, wrap};

/// Excerpts of files are not drawn wider than this.
const PROBLEM_WIDTH_MAX: usize = 110;

impl Console {
    /// Everything that is wrong with the project.
    pub(crate) fn problems(&self, problems: &Problems) {
        if self.is_json() {
            let list: Vec<_> = problems.0.iter().map(problem_as_json).collect();
            let message = format!("the project has {}", counted(problems.errors() as u64, "problem"));
            self.json(&json!({ "error": { "kind": "project", "message": message, "problems": list } }));
        }
        if self.logs_json() {
            problems.0.iter().for_each(log_problem);
        }
        if self.is_json() || self.logs_json() {
            return;
        }
        self.draw(&problems.0);
        let what = counted(problems.errors() as u64, "problem");
        self.talk(&format!("\n{}\n", self.paint_talk(Tone::Bad, &format!("The project has {what}."))));
    }

    /// What deserves a look.
    pub(crate) fn warnings(&self, warnings: &[Problem]) {
        if self.logs_json() {
            warnings.iter().for_each(log_problem);
        } else if !warnings.is_empty() && self.tells_progress() && !self.is_json() {
            self.draw(warnings);
        }
    }

    /// The same in a line each, where more than results is asked for.
    pub(crate) fn warnings_in_brief(&self, warnings: &[Problem]) {
        if self.logs_json() {
            warnings.iter().for_each(log_problem);
        } else if self.is_verbose() && !self.is_json() {
            for warning in warnings {
                let place = match (warning.file(), warning.position()) {
                    (Some(file), Some((line, column))) => format!("{file}:{line}:{column}: "),
                    _ => String::new(),
                };
                self.talk(&format!("{} {place}{}\n", self.paint_talk(Tone::Warn, "warning:"), plain(warning.message())));
            }
        }
    }

    fn draw(&self, problems: &[Problem]) {
        let theme = if self.paints_talk() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        self.talk(&outflow_planner::render(problems, &theme, self.width_talk().min(PROBLEM_WIDTH_MAX)));
    }

    /// Why a command could not do its work.
    pub(crate) fn error(&self, error: &Error) {
        if self.is_json() {
            self.json(&json!({ "error": self.error_as_json(error) }));
        }
        if !self.is_json() || self.logs_json() {
            self.tell(error);
        }
    }

    /// The same on standard error alone.
    pub(crate) fn tell(&self, error: &Error) {
        if self.logs_json() {
            let (kind, message) = (kind(error), self.clean(&error.to_string()));
            let help = error.remedy_text().map(|help| self.clean(help));
            let fact = |name: &str| error.context().iter().find(|(known, _)| *known == name).map(|(_, value)| self.clean(value));
            let (mapping, model) = (fact("mapping"), fact("model"));
            let (source, destination) = (fact("source"), fact("destination"));
            tracing::error!(kind, mapping, model, source, destination, help, "{message}");
        } else {
            self.tell_in_words(error);
        }
    }

    /// An error as programs read it.
    pub(crate) fn error_as_json(&self, error: &Error) -> serde_json::Value {
        let context: serde_json::Map<String, serde_json::Value> =
            error.context().iter().map(|(name, value)| ((*name).to_owned(), self.clean(value).into())).collect();
        let help = error.remedy_text().map(|help| self.clean(help));
        json!({ "kind": kind(error), "message": self.clean(&error.to_string()), "help": help, "context": context })
    }

    fn tell_in_words(&self, error: &Error) {
        let message: Vec<String> = self.clean(&error.to_string()).lines().map(plain).collect();
        let message = message.join("\n");
        let mut text = format!("{} {message}\n", self.paint_talk(Tone::Bad, "error:"));
        for (name, value) in error.context() {
            text.push_str(&format!("  {} {}\n", self.paint_talk(Tone::Faint, &format!("{name}:")), plain(&self.clean(value))));
        }
        if let Some(remedy) = error.remedy_text() {
            let mut lines = wrap(&self.clean(remedy), self.width_talk().saturating_sub(8)).into_iter();
            text.push_str(&format!("  {} {}\n", self.paint_talk(Tone::Good, "help:"), lines.next().unwrap_or_default()));
            for line in lines {
                text.push_str(&format!("        {line}\n"));
            }
        }
        self.talk(&text);
    }
}

fn kind(error: &Error) -> String {
    format!("{:?}", error.kind()).to_lowercase()
}

fn log_problem(problem: &Problem) {
    let (line, column) = problem.position().unzip();
    let (kind, file, help) = ("project", problem.file(), problem.help());
    let message = problem.message();
    if problem.severity() == Severity::Error {
        tracing::error!(kind, file, line, column, help, "{message}");
    } else {
        tracing::warn!(kind, file, line, column, help, "{message}");
    }
}

/// A problem as programs read it.
pub(crate) fn problem_as_json(problem: &Problem) -> serde_json::Value {
    let (line, column) = problem.position().unzip();
    json!({
        "severity": problem.severity().as_str(),
        "message": problem.message(),
        "help": problem.help(),
        "file": problem.file(),
        "line": line,
        "column": column,
        "excerpt": problem.excerpt(),
    })
}
