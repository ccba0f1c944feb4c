//! Records as a table that fits the terminal; record by record where there are too many columns for it.

use outflow_engine::preview::{Preview, PreviewColumn};
use serde_json::Value;

use super::cells::{Cell, pad, visible};
use super::text::width as width_of;
use super::{Align, Console, Tone, cut, records};

/// Between two columns.
const GAP: usize = 2;
/// Types of which half a value is another value, or none.
const WHOLE: [&str; 6] = ["timestamp", "timestamptz", "date", "time", "boolean", "interval"];
/// Text is not cut to less; a table that would have to gives way to blocks.
const TEXT_MIN: usize = 10;
/// No column of a table is wider.
const COLUMN_MAX: usize = 60;

/// The records, under their columns and types.
pub(crate) fn print(console: &Console, preview: &Preview, limit: usize) {
    let count = preview.records.len();
    let what = match count {
        0 => "returns no records".to_owned(),
        n if n < limit => format!("all of its {}", records(n as u64)),
        1 => "the first record".to_owned(),
        n => format!("the first {}", records(n as u64)),
    };
    console.line(&format!("{}  {}", console.paint(Tone::Strong, &preview.model), console.paint(Tone::Faint, &what)));
    console.line("");
    let cells: Vec<Vec<Cell>> = preview
        .records
        .iter()
        .map(|record| record.iter().zip(&preview.columns).map(|(value, column)| Cell::of(value, column.kind == "json")).collect())
        .collect();
    match fit(&preview.columns, &cells, console.table_width()) {
        Some(widths) => table(console, &preview.columns, &cells, &widths),
        None => blocks(console, &preview.columns, &cells),
    }
}

/// The widths of the columns; `None` if they do not fit at all.
fn fit(columns: &[PreviewColumn], cells: &[Vec<Cell>], room: usize) -> Option<Vec<usize>> {
    let values = |i: usize| cells.iter().map(move |record| width_of(&record[i].text)).max().unwrap_or_default();
    let natural = |(i, column): (usize, &PreviewColumn)| {
        let name = width_of(&visible(&column.name));
        let head = name.max(width_of(&column.kind));
        let values = values(i).min(COLUMN_MAX);
        // A number that is cut is another number, and a name that is cut is none.
        let whole = column.number || WHOLE.contains(&column.kind.as_str());
        let least = if whole { values.max(TEXT_MIN) } else { TEXT_MIN }.max(name);
        let most = head.max(values).min(COLUMN_MAX).max(name);
        (least.min(most), most)
    };
    let bounds: Vec<(usize, usize)> = columns.iter().enumerate().map(natural).collect();
    let room = room.checked_sub(GAP * columns.len().saturating_sub(1))?;
    let at = |cap: usize| bounds.iter().map(|&(least, most)| cap.clamp(least.min(most), most)).collect::<Vec<usize>>();
    let total = |cap: usize| at(cap).iter().sum::<usize>();
    // The widest that fits, and then what is left over, a place for each column that is cut.
    let cap = (TEXT_MIN..=COLUMN_MAX).rev().find(|&cap| total(cap) <= room)?;
    let mut widths = at(cap);
    let mut left = room - widths.iter().sum::<usize>();
    for (width, (_, most)) in widths.iter_mut().zip(&bounds) {
        if left > 0 && *width < *most {
            *width += 1;
            left -= 1;
        }
    }
    Some(widths)
}

fn align(column: &PreviewColumn) -> Align {
    if column.number { Align::Right } else { Align::Left }
}

fn table(console: &Console, columns: &[PreviewColumn], cells: &[Vec<Cell>], widths: &[usize]) {
    let header = |text: &dyn Fn(&PreviewColumn) -> String, tone: Tone| {
        let row = columns.iter().map(|column| Cell { text: text(column), tone: Some(tone) }).collect::<Vec<Cell>>();
        line(console, columns, &row, widths);
    };
    header(&|column| visible(&column.name), Tone::Strong);
    header(&|column| column.kind.clone(), Tone::Faint);
    for record in cells {
        line(console, columns, record, widths);
    }
}

fn line(console: &Console, columns: &[PreviewColumn], cells: &[Cell], widths: &[usize]) {
    let mut line = String::new();
    for (i, ((column, cell), &width)) in columns.iter().zip(cells).zip(widths).enumerate() {
        let gap = if i == 0 { "" } else { "  " };
        line.push_str(&format!("{gap}{}", pad(console, cell, width, align(column))));
    }
    console.line(line.trim_end());
}

/// Record by record, a line for each column.
fn blocks(console: &Console, columns: &[PreviewColumn], cells: &[Vec<Cell>]) {
    let widest = |text: &dyn Fn(&PreviewColumn) -> String, max: usize| {
        columns.iter().map(|column| width_of(&text(column)).min(max)).max().unwrap_or_default()
    };
    let third = console.table_width().min(180) / 3;
    let (names, kinds) = (widest(&|column| visible(&column.name), usize::MAX), widest(&|column| column.kind.clone(), third));
    let room = console.table_width().saturating_sub(2 + names + GAP + kinds + GAP).max(TEXT_MIN);
    let label = |column: &PreviewColumn| {
        let name = Cell { text: visible(&column.name), tone: None };
        let kind = Cell { text: column.kind.clone(), tone: Some(Tone::Faint) };
        format!("  {}  {}", pad(console, &name, names, Align::Left), pad(console, &kind, kinds, Align::Left))
    };
    if cells.is_empty() {
        for column in columns {
            console.line(label(column).trim_end());
        }
    }
    for (n, record) in cells.iter().enumerate() {
        if n > 0 {
            console.line("");
        }
        console.line(&console.paint(Tone::Strong, &format!("record {}", n + 1)));
        for (column, cell) in columns.iter().zip(record) {
            let value = cut(&cell.text, room);
            let value = cell.tone.map_or_else(|| value.clone(), |tone| console.paint(tone, &value));
            console.line(format!("{}  {value}", label(column)).trim_end());
        }
    }
}

/// The columns of one record, as JSON text: a line each.
pub(crate) fn record(console: &Console, json: &str) {
    let Ok(Value::Object(members)) = serde_json::from_str(json) else {
        console.line(&format!("  {}", visible(json)));
        return;
    };
    let names = members.keys().map(|name| width_of(&visible(name))).max().unwrap_or_default();
    let room = console.table_width().saturating_sub(2 + names + GAP).max(TEXT_MIN);
    for (name, value) in &members {
        let cell = Cell::of(value, false);
        let value = cut(&cell.text, room);
        let value = cell.tone.map_or_else(|| value.clone(), |tone| console.paint(tone, &value));
        let name = Cell { text: visible(name), tone: Some(Tone::Faint) };
        console.line(format!("  {}  {value}", pad(console, &name, names, Align::Left)).trim_end());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn columns(names: &[(&str, &str)]) -> Vec<PreviewColumn> {
        let number = |kind: &str| kind == "bigint";
        names.iter().map(|(name, kind)| PreviewColumn { name: (*name).into(), kind: (*kind).into(), number: number(kind) }).collect()
    }

    fn cells(values: &[Value]) -> Vec<Vec<Cell>> {
        vec![values.iter().map(|value| Cell::of(value, false)).collect()]
    }

    #[test]
    fn what_has_room_is_not_cut_and_text_gives_way_before_numbers() {
        let columns = columns(&[("id", "bigint"), ("about", "text")]);
        let cells = cells(&[json!(1_234_567_890_123u64), json!("x".repeat(200))]);
        assert_eq!(fit(&columns, &cells, usize::MAX), Some(vec![13, COLUMN_MAX]));
        assert_eq!(fit(&columns, &cells, 40), Some(vec![13, 25]));
        assert_eq!(fit(&columns, &cells, 25), Some(vec![13, 10]));
        assert_eq!(fit(&columns, &cells, 24), None);
    }

    #[test]
    fn names_and_moments_are_never_cut() {
        let columns = columns(&[("a_name_of_some_length", "text"), ("at", "timestamptz")]);
        let cells = cells(&[json!("x".repeat(50)), json!("2026-03-01T12:30:00.000Z")]);
        assert_eq!(fit(&columns, &cells, 47), Some(vec![21, 24]));
        assert_eq!(fit(&columns, &cells, 46), None, "record by record, then");
    }

    #[test]
    fn the_room_is_used_to_its_end() {
        let columns = columns(&[("a", "text"), ("b", "text"), ("c", "text")]);
        let cells = cells(&[json!("x".repeat(50)), json!("y".repeat(50)), json!("z")]);
        let widths = fit(&columns, &cells, 60).unwrap();
        assert_eq!(widths.iter().sum::<usize>() + 2 * GAP, 60, "{widths:?}");
        assert_eq!(fit(&[], &[], 60), Some(Vec::new()));
    }
}
