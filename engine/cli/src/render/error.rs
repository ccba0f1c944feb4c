//! Errors and problems, on standard error.

use outflow_contract::Error;
use outflow_planner::{Problem, Problems};
use serde_json::json;

use super::{Console, Tone, wrap};

impl Console {
    /// Everything that is wrong with the project.
    pub(crate) fn problems(&self, problems: &Problems) {
        if self.is_json() {
            let list: Vec<_> = problems.iter().map(|problem| json!({ "message": problem.message(), "place": problem.place(), "help": problem.help_text() })).collect();
            self.json(&json!({ "error": { "kind": "project", "problems": list } }));
            return;
        }
        for problem in problems.iter() {
            self.problem(problem);
        }
        let n = problems.iter().count();
        let what = if n == 1 { "1 problem".to_owned() } else { format!("{n} problems") };
        self.talk(&format!("{}\n", self.paint_talk(Tone::Bad, &format!("The project has {what}."))));
    }

    /// What deserves a look.
    pub(crate) fn warnings(&self, warnings: &[Problem]) {
        for warning in warnings.iter().filter(|_| self.tells_progress() && !self.is_json()) {
            self.problem(warning);
        }
    }

    fn problem(&self, problem: &Problem) {
        self.talk(&format!("{}\n", outflow_planner::render(problem, self.width().min(110), self.color_talk)));
    }

    /// Why a command could not do its work.
    pub(crate) fn error(&self, error: &Error) {
        if self.is_json() {
            let context: serde_json::Map<String, serde_json::Value> =
                error.context().iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
            let kind = format!("{:?}", error.kind()).to_lowercase();
            self.json(&json!({ "error": { "kind": kind, "message": error.to_string(), "help": error.remedy_text(), "context": context } }));
            return;
        }
        let mut text = format!("{} {error}\n", self.paint_talk(Tone::Bad, "error:"));
        for (name, value) in error.context() {
            text.push_str(&format!("  {} {value}\n", self.paint_talk(Tone::Faint, &format!("{name}:"))));
        }
        if let Some(remedy) = error.remedy_text() {
            let mut lines = wrap(remedy, self.width().saturating_sub(8)).into_iter();
            text.push_str(&format!("  {} {}\n", self.paint_talk(Tone::Good, "help:"), lines.next().unwrap_or_default()));
            for line in lines {
                text.push_str(&format!("        {line}\n"));
            }
        }
        self.talk(&text);
    }
}
