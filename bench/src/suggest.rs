//! How good `outflow suggest` is: precision and recall on the labelled set in `bench/suggest`.
//!
//! Precision is the share of the suggestions that are right, recall the share of the pairs that are found. A field without a column
//! that gets one all the same counts against precision. The matcher was made with the part `work`; what it is worth is what the part
//! `measure` says. So that this stays true, mistakes are only listed of `work`.

use std::fmt;

use outflow_contract::destination::{Field, FieldKind};
use outflow_contract::{Error, Result};
use outflow_planner::suggest::{CONFIDENCE_MIN, Column, suggest, targets};
use serde_json::Value;

use crate::figures::Table;

const ACTIONS: &str = include_str!("../suggest/actions.json");
const WORK: &str = include_str!("../suggest/work.json");
const MEASURE: &str = include_str!("../suggest/measure.json");

/// What is shown beside the figures of the program's own threshold.
const CONFIDENCES: [f64; 5] = [0.4, 0.5, 0.7, 0.8, 0.9];

/// A part of the labelled set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// What the matcher was made with.
    Work,
    /// What it is measured on.
    Measure,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Measure => "measure",
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// These parts; both of them if there is none.
    pub parts: Vec<Part>,
    /// List the mistakes of the part `work`.
    pub mistakes: bool,
}

/// How good it is.
#[derive(Clone, Debug)]
pub struct Report {
    lines: Vec<Line>,
    mistakes: Vec<String>,
}

/// One part at one confidence.
#[derive(Clone, Debug)]
pub struct Line {
    /// The part.
    pub part: Part,
    /// What is less sure is left out.
    pub confidence_min: f64,
    /// Mappings asked for.
    pub cases: usize,
    /// Pairs that there are.
    pub pairs: usize,
    /// Suggestions made.
    pub made: usize,
    /// Those that are right.
    pub right: usize,
}

impl Line {
    /// The share of the suggestions that are right.
    pub fn precision(&self) -> f64 {
        self.right as f64 / self.made.max(1) as f64
    }

    /// The share of the pairs that were found.
    pub fn recall(&self) -> f64 {
        self.right as f64 / self.pairs.max(1) as f64
    }
}

/// Measures.
pub fn measure(options: &Options) -> Result<Report> {
    let mut report = Report { lines: Vec::new(), mistakes: Vec::new() };
    let both = [Part::Work, Part::Measure];
    for part in both.into_iter().filter(|part| options.parts.is_empty() || options.parts.contains(part)) {
        let cases = cases(part)?;
        let mut confidences = vec![CONFIDENCE_MIN];
        confidences.extend(CONFIDENCES.iter().filter(|confidence| !is_own(**confidence)));
        confidences.sort_by(f64::total_cmp);
        for confidence_min in confidences {
            let own = options.mistakes && part == Part::Work && is_own(confidence_min);
            report.lines.push(line(part, &cases, confidence_min, own.then_some(&mut report.mistakes)));
        }
    }
    Ok(report)
}

/// Is it what the program leaves out by itself?
fn is_own(confidence: f64) -> bool {
    (confidence - CONFIDENCE_MIN).abs() < f64::EPSILON
}

fn line(part: Part, cases: &[Case], confidence_min: f64, mut mistakes: Option<&mut Vec<String>>) -> Line {
    let mut line = Line { part, confidence_min, cases: cases.len(), pairs: 0, made: 0, right: 0 };
    for case in cases {
        let targets = targets(&case.fields);
        let found = suggest(&targets, &case.columns, &[], confidence_min);
        line.pairs += case.answers.len();
        line.made += found.len();
        let mut seen = Vec::new();
        for one in &found {
            let (field, column) = (targets[one.target].name(), &case.columns[one.column].name);
            let answer = case.answers.iter().find(|(name, _)| *name == field);
            let right = answer.is_some_and(|(_, columns)| columns.contains(column));
            line.right += usize::from(right);
            if let (Some(mistakes), false) = (mistakes.as_deref_mut(), right) {
                let better = answer.map_or_else(|| "none".to_owned(), |(_, columns)| columns.join(" or "));
                mistakes.push(format!("wrong   {}: {field} = {column} ({:.2}, {}), rather {better}", case.name, one.confidence, one.why));
            }
            seen.push(field);
        }
        if let Some(mistakes) = mistakes.as_deref_mut() {
            let missed = case.answers.iter().filter(|(name, _)| !seen.contains(name));
            mistakes.extend(missed.map(|(name, columns)| format!("missed  {}: {name} = {}", case.name, columns.join(" or "))));
        }
    }
    line
}

/// One mapping to be filled in, and how it is filled in right.
struct Case {
    /// The schema and the action.
    name: String,
    columns: Vec<Column>,
    fields: Vec<Field>,
    /// For each field, the columns that are right.
    answers: Vec<(String, Vec<String>)>,
}

fn cases(part: Part) -> Result<Vec<Case>> {
    let text = match part {
        Part::Work => WORK,
        Part::Measure => MEASURE,
    };
    let parsed = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| broken("it is no JSON").caused_by(error));
    let (schemas, actions) = (parsed(text)?, parsed(ACTIONS)?);
    let mut cases = Vec::new();
    for schema in list(&schemas)? {
        let columns = list(&schema["columns"])?.iter().map(column).collect::<Result<Vec<Column>>>()?;
        for case in list(&schema["cases"])? {
            let action = self::text(&case["action"])?;
            let fields = list(&actions[action.as_str()])?.iter().map(field).collect::<Result<Vec<Field>>>()?;
            let answers = case["answers"].as_object().ok_or_else(|| broken("a case has no answers"))?;
            let answer = |(name, columns): (&String, &Value)| {
                Ok((name.clone(), list(columns)?.iter().map(self::text).collect::<Result<Vec<String>>>()?))
            };
            cases.push(Case {
                name: format!("{} to {action}", self::text(&schema["schema"])?),
                columns: columns.clone(),
                fields,
                answers: answers.iter().map(answer).collect::<Result<_>>()?,
            });
        }
    }
    Ok(cases)
}

fn column(value: &Value) -> Result<Column> {
    Ok(Column { name: text(&value["name"])?, kind: text(&value["type"])?, values: list(&value["values"])?.clone() })
}

fn field(value: &Value) -> Result<Field> {
    let kind = match text(&value["type"])?.as_str() {
        "string" => FieldKind::String,
        "number" => FieldKind::Number,
        "integer" => FieldKind::Integer,
        "boolean" => FieldKind::Boolean,
        "datetime" => FieldKind::Datetime,
        "object" => FieldKind::Object,
        other => return Err(broken(&format!("there is no type `{other}`"))),
    };
    let mut field = Field::new(&text(&value["name"])?, kind, &text(&value["description"])?);
    field.required = value["required"] == true;
    field.multiple = value["multiple"] == true;
    if let Value::Array(members) = &value["properties"] {
        field.properties = members.iter().map(self::field).collect::<Result<_>>()?;
    }
    Ok(field)
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().ok_or_else(|| broken("a list was expected"))
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| broken("a text was expected"))
}

fn broken(what: &str) -> Error {
    Error::invalid(format!("the labelled set cannot be read: {what}")).remedy("mend the files in bench/suggest")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.mistakes {
            writeln!(f, "{mistake}")?;
        }
        let mut table = Table::new(&["part", "cases", "pairs", "confidence", "made", "right", "precision", "recall"]);
        for line in &self.lines {
            let own = if is_own(line.confidence_min) { "*" } else { "" };
            table.line(vec![
                line.part.name().to_owned(),
                line.cases.to_string(),
                line.pairs.to_string(),
                format!("{own}{:.2}", line.confidence_min),
                line.made.to_string(),
                line.right.to_string(),
                format!("{:.3}", line.precision()),
                format!("{:.3}", line.recall()),
            ]);
        }
        write!(f, "{table}")?;
        writeln!(f, "* what the program leaves out by itself")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labelled_set_names_only_what_there_is() {
        let mut pairs = 0;
        for part in [Part::Work, Part::Measure] {
            for case in cases(part).unwrap() {
                let fields = targets(&case.fields);
                let names: Vec<String> = fields.iter().map(outflow_planner::suggest::Target::name).collect();
                let columns: Vec<&String> = case.columns.iter().map(|column| &column.name).collect();
                for (field, right) in &case.answers {
                    assert!(names.contains(field), "{}: {field}", case.name);
                    assert!(!right.is_empty() && right.iter().all(|column| columns.contains(&column)), "{}: {field}", case.name);
                }
                pairs += case.answers.len();
            }
        }
        assert!(pairs >= 1000, "only {pairs}");
    }

    #[test]
    fn nine_suggestions_of_ten_are_right_and_most_pairs_are_found() {
        for part in [Part::Work, Part::Measure] {
            let line = line(part, &cases(part).unwrap(), CONFIDENCE_MIN, None);
            assert!(line.precision() >= 0.9, "{} of {} are right", line.right, line.made);
            assert!(line.recall() >= 0.7, "{} of {} are found", line.right, line.pairs);
        }
    }

    #[test]
    fn mistakes_are_listed_of_the_part_to_work_with_alone() {
        let report = measure(&Options { parts: vec![Part::Measure], mistakes: true }).unwrap();
        assert!(report.mistakes.is_empty());
        assert!(report.to_string().contains("measure"));
    }
}
