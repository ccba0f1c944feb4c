//! Plain aligned tables: no lines, two spaces between columns, cells painted after they are measured.
//!
//! On a terminal that is too narrow, the columns that matter least go first, then names are cut, then further columns go. Numbers
//! are never cut.

use super::{Console, Tone, cut, text::width};

/// Which side a column's cells stand at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    /// Left, and one that is cut if the terminal is too narrow.
    Give,
    Right,
}

/// No column is cut to less.
const CUT_MIN: usize = 12;
/// Columns between columns.
const GAP: usize = 2;

/// A table to be filled row by row.
pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<(String, Option<Tone>)>>,
    /// Columns that may go, the first of them first.
    drops: Vec<&'static str>,
    /// Those that may go once names were cut.
    drops_last: Vec<&'static str>,
}

impl Table {
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|&(name, align)| (name.to_owned(), align)).collect();
        Self { columns, rows: Vec::new(), drops: Vec::new(), drops_last: Vec::new() }
    }

    /// On a narrow terminal these columns are left out, one after the other, as far as needed.
    pub(crate) fn drops(mut self, names: &[&'static str]) -> Self {
        self.drops = names.to_vec();
        self
    }

    /// And these, rather than that a name is cut to less than can be recognised.
    pub(crate) fn drops_last(mut self, names: &[&'static str]) -> Self {
        self.drops_last = names.to_vec();
        self
    }

    pub(crate) fn row(&mut self, cells: Vec<(String, Option<Tone>)>) {
        self.rows.push(cells);
    }

    /// Would it fit without cutting anything, once what may go has gone?
    pub(crate) fn fits(&self, columns: usize) -> bool {
        let staying: Vec<usize> = (0..self.columns.len()).filter(|&i| !self.drops.contains(&self.columns[i].0.as_str())).collect();
        total(&self.widths(), &staying) <= columns
    }

    /// Prints it.
    pub(crate) fn print(&self, console: &Console) {
        for line in self.lines(console.table_width(), |tone, text| console.paint(tone, text)) {
            console.line(&line);
        }
    }

    fn lines(&self, columns: usize, paint: impl Fn(Tone, &str) -> String) -> Vec<String> {
        let mut widths = self.widths();
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        self.drop_until(&mut shown, &self.drops, |shown| total(&widths, shown) <= columns);
        let least: Vec<usize> = self.columns.iter().zip(&widths).map(|((_, align), &width)| least(*align, width)).collect();
        self.drop_until(&mut shown, &self.drops_last, |shown| total(&least, shown) <= columns);
        // The widest gives first, so that two names of one length are cut alike.
        while total(&widths, &shown) > columns {
            let giving = shown.iter().copied().filter(|&i| widths[i] > least[i]);
            let Some(widest) = giving.max_by_key(|&i| widths[i]) else { break };
            widths[widest] -= 1;
        }
        let header = self.columns.iter().map(|(name, _)| (name.clone(), Some(Tone::Faint))).collect::<Vec<_>>();
        std::iter::once(&header).chain(&self.rows).map(|row| self.render(row, &widths, &shown, &paint)).collect()
    }

    fn drop_until(&self, shown: &mut Vec<usize>, names: &[&str], fits: impl Fn(&[usize]) -> bool) {
        for name in names {
            if fits(shown) {
                break;
            }
            shown.retain(|&i| self.columns[i].0 != *name);
        }
    }

    /// As wide as its widest cell.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| width(name)).collect();
        for row in &self.rows {
            for (widest, (cell, _)) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        widths
    }

    fn render(&self, row: &[(String, Option<Tone>)], widths: &[usize], shown: &[usize], paint: &impl Fn(Tone, &str) -> String) -> String {
        let mut line = String::new();
        for (place, &i) in shown.iter().enumerate() {
            let Some((cell, tone)) = row.get(i) else { continue };
            let text = cut(cell, widths[i]);
            let padding = " ".repeat(widths[i].saturating_sub(width(&text)));
            let painted = tone.map_or_else(|| text.clone(), |tone| paint(tone, &text));
            line.push_str(if place == 0 { "" } else { "  " });
            match self.columns[i].1 {
                Align::Left | Align::Give => line.push_str(&format!("{painted}{padding}")),
                Align::Right => line.push_str(&format!("{padding}{painted}")),
            }
        }
        line.trim_end().to_owned()
    }
}

/// What is left of a column that was cut as far as it may be.
fn least(align: Align, width: usize) -> usize {
    if align == Align::Give { width.min(CUT_MIN) } else { width }
}

fn total(widths: &[usize], shown: &[usize]) -> usize {
    shown.iter().map(|&i| widths[i]).sum::<usize>() + GAP * shown.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[("mapping", Align::Give), ("status", Align::Left), ("failed", Align::Right), ("bytes", Align::Right)])
            .drops(&["bytes", "failed"]);
        for (name, status) in [("customers_to_crm", "success"), ("日本の顧客", "partial_success"), ("e\u{301}te\u{301}", "failed")] {
            let cell = |text: &str| (text.to_owned(), None);
            table.row(vec![cell(name), cell(status), cell("1,234"), cell("0 B")]);
        }
        table
    }

    fn at(columns: usize) -> Vec<String> {
        table().lines(columns, |_, text| text.to_owned())
    }

    #[test]
    fn columns_stand_under_each_other_whatever_the_letters() {
        let lines = at(usize::MAX);
        assert_eq!(
            lines,
            [
                "mapping           status           failed  bytes",
                "customers_to_crm  success           1,234    0 B",
                "日本の顧客        partial_success   1,234    0 B",
                "e\u{301}te\u{301}               failed            1,234    0 B",
            ]
        );
        assert!(lines.iter().all(|line| width(line) == 48), "{lines:?}");
        assert!(table().fits(33) && !table().fits(32));
    }

    #[test]
    fn what_matters_least_goes_before_a_name_is_cut() {
        assert!(at(47)[0].ends_with("failed"));
        assert_eq!(at(40)[0], "mapping           status");
        assert_eq!(at(30)[1], "customers_to…  success");
        let last = table().drops_last(&["status"]).lines(20, |_, text| text.to_owned());
        assert_eq!(last[1], "customers_to_crm", "a name as a whole rather than half of it and half a row");
        assert_eq!(at(5)[1], "customers_t…  success", "not even then more than that");
        for columns in 29..60 {
            assert!(at(columns).iter().all(|line| width(line) <= columns), "{columns}");
        }
    }

    #[test]
    fn colours_do_not_move_anything() {
        let mut table = Table::new(&[("a", Align::Left), ("b", Align::Right)]);
        table.row(vec![("x".to_owned(), Some(Tone::Good)), ("12".to_owned(), Some(Tone::Bad))]);
        assert_eq!(table.lines(80, |_, text| format!("<{text}>")), ["<a>   <b>", "<x>  <12>"]);
    }
}
