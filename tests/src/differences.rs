//! Where Outflow does otherwise than the reference on purpose: strict tables, and the page that shows them.
//!
//! A corpus of cases is run whole. A case that comes out otherwise has to be in its table; one that is in the table has to come out
//! otherwise, and to be there. So nothing is skipped in silence, and no line outlives what it speaks of.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Cases that come out otherwise for one reason.
pub struct Difference {
    /// The names of the cases, whole.
    pub cases: &'static [&'static str],
    /// What the reference does.
    pub reference: &'static str,
    /// What Outflow does, and why.
    pub here: &'static str,
}

/// What is wrong with a corpus: `outcomes` has for each case whether it came out equal, or what came out instead.
pub fn judge(table: &[Difference], outcomes: impl IntoIterator<Item = (String, Result<(), String>)>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut listed: BTreeMap<&str, usize> = BTreeMap::new();
    for case in table.iter().flat_map(|difference| difference.cases) {
        if listed.insert(case, 0).is_some() {
            wrong.push(format!("{case}: listed twice"));
        }
    }
    for (case, outcome) in outcomes {
        match (listed.get_mut(case.as_str()), outcome) {
            (None, Ok(())) => {}
            (None, Err(came)) => wrong.push(format!("{case}: {came}")),
            (Some(seen), Err(_)) => *seen += 1,
            (Some(_), Ok(())) => wrong.push(format!("{case}: it comes out equal, and is listed as different")),
        }
    }
    wrong.extend(listed.iter().filter(|(_, seen)| **seen == 0).map(|(case, _)| format!("{case}: listed, and there is no such difference")));
    wrong
}

/// A value in which two ways to write one number are equal, and the order of members does not count.
pub fn comparable(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(comparable).collect(),
        Value::Object(members) => {
            let sorted: BTreeMap<&String, Value> = members.iter().map(|(name, value)| (name, comparable(value))).collect();
            Value::Object(sorted.into_iter().map(|(name, value)| (name.clone(), value)).collect())
        }
        other => other.clone(),
    }
}

/// The table for people, in Markdown.
pub fn page(table: &[Difference]) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut page = String::from("| the reference | Outflow | cases |\n|---|---|---|\n");
    for difference in table {
        let cases: Vec<String> = difference.cases.iter().map(|case| format!("`{case}`")).collect();
        page.push_str(&format!("| {} | {} | {} |\n", cell(difference.reference), cell(difference.here), cases.join(", ")));
    }
    page
}

/// Fails unless the part of `text` between `<!-- name -->` and `<!-- /name -->` is that table.
#[track_caller]
pub fn shown(text: &str, name: &str, table: &[Difference]) {
    let inside = text.split_once(&format!("<!-- {name} -->\n")).and_then(|(_, rest)| rest.split_once(&format!("<!-- /{name} -->")));
    let inside = inside.unwrap_or_else(|| panic!("the page has no part `{name}`")).0;
    let wanted = page(table);
    assert!(inside == wanted, "the part `{name}` of the page must be:\n\n{wanted}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [Difference; 1] = [Difference { cases: &["a", "b"], reference: "x|y", here: "z" }];

    #[test]
    fn every_case_has_to_come_out_as_the_table_says() {
        let run = |outcomes: &[(&str, bool)]| {
            let outcome = |equal: bool| if equal { Ok(()) } else { Err("other".to_owned()) };
            judge(&TABLE, outcomes.iter().map(|(case, equal)| ((*case).to_owned(), outcome(*equal))))
        };
        assert_eq!(run(&[("a", false), ("b", false), ("c", true)]), Vec::<String>::new());
        assert_eq!(run(&[("a", true), ("b", false)]).len(), 2);
        assert_eq!(run(&[("a", false)]), ["b: listed, and there is no such difference"]);
        assert_eq!(run(&[("a", false), ("b", false), ("c", false)]), ["c: other"]);
    }

    #[test]
    fn the_page_shows_the_table() {
        let text = format!("before\n<!-- t -->\n{}<!-- /t -->\nbehind", page(&TABLE));
        assert!(text.contains("| x\\|y | z | `a`, `b` |"));
        shown(&text, "t", &TABLE);
    }
}
