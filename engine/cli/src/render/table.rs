//! Plain aligned tables: no lines, two spaces between columns, cells painted after they are measured.

use super::{Console, Tone, cut};

/// Which side a column's cells stand at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    /// Left, and the one that is cut if the terminal is too narrow.
    Give,
    Right,
}

/// No column is cut to less.
const CUT_MIN: usize = 8;

/// A table to be filled row by row.
pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<(String, Option<Tone>)>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        Self { columns: columns.iter().map(|&(name, align)| (name.to_owned(), align)).collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<(String, Option<Tone>)>) {
        self.rows.push(cells);
    }

    /// Prints it.
    pub(crate) fn print(&self, console: &Console) {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| name.chars().count()).collect();
        for row in &self.rows {
            for (width, (cell, _)) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let total: usize = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let giving = self.columns.iter().position(|(_, align)| *align == Align::Give);
        if let (true, Some(i)) = (total > console.table_width(), giving) {
            widths[i] = widths[i].saturating_sub(total - console.table_width()).max(CUT_MIN);
        }
        let header = self.columns.iter().map(|(name, _)| (name.clone(), Some(Tone::Faint))).collect::<Vec<_>>();
        for row in std::iter::once(&header).chain(&self.rows) {
            console.line(&self.render(console, row, &widths));
        }
    }

    fn render(&self, console: &Console, row: &[(String, Option<Tone>)], widths: &[usize]) -> String {
        let mut line = String::new();
        for (i, ((cell, tone), &width)) in row.iter().zip(widths).enumerate() {
            let text = cut(cell, width);
            let padding = " ".repeat(width.saturating_sub(text.chars().count()));
            let painted = tone.map_or_else(|| text.clone(), |tone| console.paint(tone, &text));
            let gap = if i == 0 { "" } else { "  " };
            match self.columns[i].1 {
                Align::Left | Align::Give => line.push_str(&format!("{gap}{painted}{padding}")),
                Align::Right => line.push_str(&format!("{gap}{padding}{painted}")),
            }
        }
        line.trim_end().to_owned()
    }
}
