//! What a run took, medians of several, and tables of them.

use std::fmt::{self, Write as _};

/// What one run took, or the medians of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// On the wall.
    pub seconds: f64,
    /// Of the processor, for the program and for the system on its behalf.
    pub cpu_seconds: f64,
    /// The most memory that was held at once.
    pub peak_bytes: u64,
}

impl Figures {
    /// The median of each figure by itself; `None` of no runs.
    pub fn medians(runs: &[Self]) -> Option<Self> {
        Some(Self {
            seconds: median(runs.iter().map(|run| run.seconds))?,
            cpu_seconds: median(runs.iter().map(|run| run.cpu_seconds))?,
            peak_bytes: median(runs.iter().map(|run| run.peak_bytes as f64))? as u64,
        })
    }
}

/// The one in the middle, or the mean of the two there.
pub fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let (below, above) = (figures.get(figures.len().checked_sub(1)? / 2)?, figures.get(figures.len() / 2)?);
    Some(f64::midpoint(*below, *above))
}

/// Bytes in MiB.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A table for people: the first column to the left, numbers to the right.
#[derive(Clone, Debug, Default)]
pub struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    /// A table with these titles.
    pub fn new(titles: &[&str]) -> Self {
        Self { lines: vec![titles.iter().map(|&title| title.to_owned()).collect()] }
    }

    /// One line more.
    pub fn line(&mut self, cells: Vec<String>) {
        self.lines.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            |column: usize| self.lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        for line in &self.lines {
            let mut text = String::new();
            for (column, cell) in line.iter().enumerate() {
                let width = width(column);
                if column == 0 { write!(text, "{cell:<width$}")? } else { write!(text, "  {cell:>width$}")? }
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_the_middle_of_odd_and_even_counts() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
        let run = |seconds, peak_bytes| Figures { seconds, cpu_seconds: 1.0, peak_bytes };
        let medians = Figures::medians(&[run(1.0, 9), run(3.0, 7), run(2.0, 8)]).unwrap();
        assert_eq!(medians, run(2.0, 8));
        assert_eq!(Figures::medians(&[]), None);
    }

    #[test]
    fn a_table_is_as_wide_as_its_widest_cells() {
        let mut table = Table::new(&["who", "seconds"]);
        table.line(vec!["outflow".to_owned(), "1.5".to_owned()]);
        table.line(vec!["a".to_owned(), "100.25".to_owned()]);
        assert_eq!(table.to_string(), "who      seconds\noutflow      1.5\na         100.25\n");
    }
}
