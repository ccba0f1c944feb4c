//! Errors and problems, on standard error.

use miette::GraphicalTheme;
use outflow_contract::Error;
use outflow_planner::{Problem, Problems};
use serde_json::json;

use super::{Console, Tone, counted, wrap};

impl Console {
    /// Everything that is wrong with the project.
    pub(crate) fn problems(&self, problems: &Problems) {
        if self.is_json() {
            let list: Vec<_> = problems.0.iter().map(problem_as_json).collect();
            self.json(&json!({ "error": { "kind": "project", "problems": list } }));
            return;
        }
        self.draw(&problems.0);
        let what = counted(problems.errors() as u64, "problem");
        self.talk(&format!("\n{}\n", self.paint_talk(Tone::Bad, &format!("The project has {what}."))));
    }

    /// What deserves a look.
    pub(crate) fn warnings(&self, warnings: &[Problem]) {
        if !warnings.is_empty() && self.tells_progress() && !self.is_json() {
            self.draw(warnings);
        }
    }

    fn draw(&self, problems: &[Problem]) {
        let theme = if self.color_talk { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        self.talk(&outflow_planner::render(problems, &theme, self.width().min(110)));
    }

    /// Why a command could not do its work.
    pub(crate) fn error(&self, error: &Error) {
        if self.is_json() {
            let context: serde_json::Map<String, serde_json::Value> =
                error.context().iter().map(|(name, value)| ((*name).to_owned(), self.clean(value).into())).collect();
            let kind = format!("{:?}", error.kind()).to_lowercase();
            self.json(&json!({ "error": { "kind": kind, "message": self.clean(&error.to_string()), "help": error.remedy_text().map(|help| self.clean(help)), "context": context } }));
            return;
        }
        let message = self.clean(&error.to_string());
        let mut text = format!("{} {message}\n", self.paint_talk(Tone::Bad, "error:"));
        for (name, value) in error.context() {
            text.push_str(&format!("  {} {}\n", self.paint_talk(Tone::Faint, &format!("{name}:")), self.clean(value)));
        }
        if let Some(remedy) = error.remedy_text() {
            let mut lines = wrap(&self.clean(remedy), self.width().saturating_sub(8)).into_iter();
            text.push_str(&format!("  {} {}\n", self.paint_talk(Tone::Good, "help:"), lines.next().unwrap_or_default()));
            for line in lines {
                text.push_str(&format!("        {line}\n"));
            }
        }
        self.talk(&text);
    }
}

fn problem_as_json(problem: &Problem) -> serde_json::Value {
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
