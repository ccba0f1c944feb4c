//! What a template reads of the record, known from its text.
//!
//! A name that the template has always assigned by then is its own. One that it may have assigned is its own if it did, and otherwise of
//! the record, if the record has it. Every other name has to be there.
//!
//! ```text
//! {% if vip %}{% assign tier = "gold" %}{% endif %}{{ tier }} {{ plan.name }}      reads: vip, tier (if it is there), plan.name, plan
//! ```
//!
//! A way into the record ends where it is no longer known from the text: at `[other]`, at a place from the end of a list, and at `size`,
//! `first` and `last`, which may be of the value rather than in it. Of a way of several steps what it leads through is read, too, where
//! the record does not say by itself whether there is anything to lead through (see `Machine::read`).

use std::collections::BTreeSet;

use crate::ast::{Filtered, Operand, Part, Reading, Variable};
use crate::value::Value;

/// A value that a template reads of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The steps from the root; none is the root itself.
    pub path: Vec<String>,
    /// The template may have a value of that name of its own: the record need not have one.
    pub optional: bool,
}

/// The names that a template assigns, and what it reads.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) reads: Vec<Read>,
    /// Those that are assigned here in any case.
    pub(crate) always: BTreeSet<String>,
    /// Those that may be.
    maybe: BTreeSet<String>,
    /// There are filters of moments.
    pub(crate) has_moments: bool,
}

impl Names {
    pub(crate) fn assign(&mut self, name: &str) {
        self.always.insert(name.to_owned());
        self.maybe.insert(name.to_owned());
    }

    /// Finds out what the variables in there are.
    pub(crate) fn resolve(&mut self, filtered: &mut Filtered) {
        for part in &mut filtered.expression {
            if let Part::Operand(operand) = part {
                self.operand(operand);
            }
        }
        for filter in &mut filtered.filters {
            self.has_moments |= filter.known.name.starts_with("date");
            for arg in filter.args.iter_mut().chain(filter.named.iter_mut().map(|(_, value)| value)) {
                self.operand(arg);
            }
        }
    }

    pub(crate) fn operand(&mut self, operand: &mut Operand) {
        match operand {
            Operand::Constant(_) => {}
            Operand::Variable(variable) => {
                for step in &mut variable.steps {
                    self.operand(step);
                }
                self.variable(variable);
            }
            Operand::Member { of, steps } => {
                self.operand(of);
                for step in steps {
                    self.operand(step);
                }
            }
            Operand::Range(from, to) => {
                self.operand(from);
                self.operand(to);
            }
        }
    }

    fn variable(&mut self, variable: &mut Variable) {
        let path: Vec<String> = match variable.steps.first() {
            Some(Operand::Constant(name)) => {
                let further = variable.steps[1..].iter().map_while(segment);
                std::iter::once(name.text().to_string()).chain(further).collect()
            }
            // Which name it is only the record tells.
            _ => Vec::new(),
        };
        let optional = match path.first() {
            Some(name) if self.always.contains(name) => return,
            Some(name) => self.maybe.contains(name),
            None => false,
        };
        let steps = path.len();
        let inside = (steps > 1).then(|| self.read(path[..steps - 1].to_vec(), optional));
        variable.read = Some(Reading { read: self.read(path, optional), inside, steps });
    }

    fn read(&mut self, path: Vec<String>, optional: bool) -> usize {
        if let Some(at) = self.reads.iter().position(|known| known.path == path) {
            self.reads[at].optional &= optional;
            return at;
        }
        self.reads.push(Read { path, optional });
        self.reads.len() - 1
    }
}

/// The step of a path that this is, if it is the same whatever the value is that it leads into.
fn segment(step: &Operand) -> Option<String> {
    let Operand::Constant(value) = step else { return None };
    match value {
        Value::Text(name) if !matches!(&**name, "size" | "first" | "last") => Some(name.to_string()),
        Value::Number(number) => number.whole().filter(|whole| *whole >= 0).map(|whole| whole.to_string()),
        _ => None,
    }
}
