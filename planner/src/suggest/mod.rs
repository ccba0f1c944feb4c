//! Which column of a model goes to which field of an action: a guess, with how sure it is and why.
//!
//! ```text
//! columns ─ tokens.rs ─► meaning.rs ─┐
//!           samples.rs (values) ─────┼─► score.rs ─► assign.rs ─► suggestions
//! fields  ─ target.rs ─► meaning.rs ─┘   (0 to 1)    (one to one)
//!           synonyms.rs: what words mean, as data
//! ```
//!
//! Invariants: pure, and the same input gives the same output; no value is kept or returned; no field has two columns and no column two
//! fields. How good it is, is measured: `outflow-bench suggest`, on the labelled set in `bench/suggest`.
//!
//! Non-goals: it proposes paths and nothing else (no directives), and learns nothing from use.

mod assign;
mod kept;
mod meaning;
mod samples;
mod score;
mod synonyms;
mod target;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::HashSet;

use serde_json::Value;

use self::assign::Pair;
pub use self::kept::{Kept, kept, path_of};
use self::meaning::{Meaning, kind_of_record, settle_among};
use self::samples::{Samples, Shape};
use self::score::{Candidate, Held};
pub use self::target::{Target, targets};

/// From this confidence on a suggestion is right nine times out of ten, as measured on the labelled set.
pub const CONFIDENCE_MIN: f64 = 0.6;
/// More columns than this are not looked at: the work is the product of columns and fields.
const COLUMNS_MAX: usize = 2000;

/// A column of a model.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as SQL names it (`outflow_contract::source::type_name`).
    pub kind: String,
    /// Some of its values, as they would look in a payload.
    pub values: Vec<Value>,
}

/// A column for a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The field, by its number among the [`targets`].
    pub target: usize,
    /// The column, by its number.
    pub column: usize,
    /// How sure it is, from 0 to 1.
    pub confidence: f64,
    /// Why, in a few words, without any value.
    pub why: String,
}

/// A column for each of the `targets` that one can be found for, from `confidence_min` on. `kept` is what the mapping says already of each
/// target (nothing, if it is shorter): neither those nor their columns are asked for.
pub fn suggest(targets: &[Target<'_>], columns: &[Column], kept: &[Option<Kept>], confidence_min: f64) -> Vec<Suggestion> {
    let taken: HashSet<&str> = kept.iter().flatten().filter_map(|kept| kept.column.as_deref()).collect();
    let mut candidates: Vec<Candidate<'_>> = columns.iter().take(COLUMNS_MAX).map(candidate).collect();
    settle_among(&mut candidates.iter_mut().map(|candidate| &mut candidate.meaning).collect::<Vec<_>>());
    let record = kind_of_record(candidates.iter().map(|candidate| &candidate.meaning));
    let speaking = Speaking::of(targets, &candidates);
    let mut pairs = Vec::new();
    for (number, target) in targets.iter().enumerate().filter(|(number, _)| !matches!(kept.get(*number), Some(Some(_)))) {
        for (column, candidate) in candidates.iter().enumerate().filter(|(column, _)| !taken.contains(columns[*column].name.as_str())) {
            let Some(found) = score::score(target, candidate, record, speaking.is_alone(target, candidate)) else { continue };
            if found.confidence >= confidence_min {
                pairs.push(Pair { target: number, column, confidence: found.confidence, required: target.required, why: found.why });
            }
        }
    }
    let suggestion = |pair: Pair| Suggestion { target: pair.target, column: pair.column, confidence: pair.confidence, why: pair.why };
    assign::assign(pairs).into_iter().map(suggestion).collect()
}

fn candidate(column: &Column) -> Candidate<'_> {
    let samples = Samples::of(&column.values);
    Candidate { meaning: Meaning::of(&column.name), held: Held::of(&column.kind), samples, values: &column.values }
}

/// Values that say what they are, whatever their column is called, and the thing that asks for them.
const SPEAKING: [(Shape, &str); 4] =
    [(Shape::Email, "email"), (Shape::Ip, "ip"), (Shape::UserAgent, "user_agent"), (Shape::TimeZone, "time_zone")];

/// How many columns hold such values, and how many fields ask for them.
struct Speaking([(usize, usize); SPEAKING.len()]);

impl Speaking {
    fn of(targets: &[Target<'_>], candidates: &[Candidate<'_>]) -> Self {
        Self(SPEAKING.map(|(shape, what)| {
            let holding = candidates.iter().filter(|candidate| candidate.samples.mostly(shape)).count();
            (holding, targets.iter().filter(|target| target.meaning.says(what)).count())
        }))
    }

    /// Is it the only column for the only field?
    fn is_alone(&self, target: &Target<'_>, candidate: &Candidate<'_>) -> bool {
        let both = |(shape, what): (Shape, &str)| candidate.samples.mostly(shape) && target.meaning.says(what);
        SPEAKING.into_iter().zip(self.0).any(|(speaking, counts)| both(speaking) && counts == (1, 1))
    }
}
