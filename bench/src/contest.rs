//! Contenders against each other, in one run: rounds in which each works once, in an order that moves on from round to round.
//!
//! A contender that fails takes no further part; its error stands in the report, and is the error of the whole at the end.

use std::fmt;

use outflow_contract::{Error, Result};

use crate::figures::{Figures, Table, mib};

/// Somebody who does the work.
pub(crate) trait Contender {
    /// Its name.
    fn name(&self) -> String;
    /// Makes what it needs to have from before. Not measured.
    fn prepare(&mut self) -> Result<()>;
    /// Does the work once, and checks what came of it.
    fn round(&mut self) -> Result<Figures>;
}

/// Said of figures that mean nothing.
pub(crate) const REMARK: &str = if cfg!(debug_assertions) { "; built without optimisation: these figures mean nothing" } else { "" };

/// How each did.
#[derive(Debug)]
pub struct Report {
    /// What was compared.
    pub title: String,
    /// Whom the others are compared with.
    pub references: Vec<&'static str>,
    /// Medians, or what went wrong, by name.
    pub standings: Vec<(String, Result<Figures>)>,
}

impl Report {
    /// The medians of a contender that did well.
    pub fn figures(&self, name: &str) -> Option<&Figures> {
        self.standings.iter().find(|(known, _)| known == name).and_then(|(_, standing)| standing.as_ref().ok())
    }

    /// The error of the whole, if there is one: whose, and that of the first.
    pub fn into_result(self) -> Result<()> {
        let failed: Vec<(String, Error)> =
            self.standings.into_iter().filter_map(|(name, standing)| Some((name, standing.err()?))).collect();
        let names = failed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        failed.into_iter().next().map_or(Ok(()), |(_, error)| Err(error.with("contenders that failed", names)))
    }
}

/// Lets all of them work, `rounds` times.
pub(crate) fn contest(title: String, references: Vec<&'static str>, mut all: Vec<Box<dyn Contender + '_>>, rounds: usize) -> Report {
    let mut errors: Vec<Option<Error>> = all.iter_mut().map(|contender| contender.prepare().err()).collect();
    let mut figures: Vec<Vec<Figures>> = vec![Vec::new(); all.len()];
    for round in 0..rounds {
        for place in 0..all.len() {
            let turn = (round + place) % all.len();
            if errors[turn].is_some() {
                continue;
            }
            match all[turn].round() {
                Ok(measured) => figures[turn].push(measured),
                Err(error) => errors[turn] = Some(error),
            }
        }
    }
    let names = all.iter().map(|contender| contender.name());
    let standing = |(error, figures): (Option<Error>, Vec<Figures>)| match error {
        Some(error) => Err(error),
        None => Figures::medians(&figures).ok_or_else(|| Error::invalid("no rounds were asked for").remedy("give `--repeat 1` or more")),
    };
    Report { title, references, standings: names.zip(errors.into_iter().zip(figures).map(standing)).collect() }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let references: Vec<(&str, &Figures)> = self.references.iter().filter_map(|&name| Some((name, self.figures(name)?))).collect();
        let ratios: Vec<String> = references.iter().map(|(name, _)| format!("x {name}")).collect();
        let mut titles = vec!["contender", "seconds", "CPU s", "peak MiB"];
        titles.extend(ratios.iter().map(String::as_str));
        let mut table = Table::new(&titles);
        for (name, standing) in &self.standings {
            let Ok(figures) = standing else {
                table.line(vec![name.clone(), "failed".to_owned()]);
                continue;
            };
            let mut cells = vec![
                name.clone(),
                format!("{:.3}", figures.seconds),
                format!("{:.3}", figures.cpu_seconds),
                format!("{:.0}", mib(figures.peak_bytes)),
            ];
            cells.extend(references.iter().map(|(_, reference)| format!("{:.2}", figures.seconds / reference.seconds)));
            table.line(cells);
        }
        write!(f, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    struct Scripted<'a> {
        name: &'static str,
        seconds: Vec<f64>,
        calls: &'a RefCell<String>,
    }

    impl Contender for Scripted<'_> {
        fn name(&self) -> String {
            self.name.to_owned()
        }

        fn prepare(&mut self) -> Result<()> {
            Ok(())
        }

        fn round(&mut self) -> Result<Figures> {
            self.calls.borrow_mut().push_str(self.name);
            let seconds = self.seconds.pop().ok_or_else(|| Error::invalid("no more"))?;
            Ok(Figures { seconds, cpu_seconds: 2.0 * seconds, peak_bytes: 3 << 20 })
        }
    }

    #[test]
    fn the_order_moves_on_from_round_to_round_and_whoever_fails_is_out() {
        let calls = RefCell::new(String::new());
        let scripted = |name, seconds: &[f64]| Box::new(Scripted { name, seconds: seconds.to_vec(), calls: &calls }) as Box<dyn Contender>;
        let all = vec![scripted("a", &[1.0, 3.0, 2.0]), scripted("b", &[9.0]), scripted("c", &[8.0, 4.0, 4.0])];
        let report = contest("A title".to_owned(), vec!["a"], all, 3);
        assert_eq!(calls.borrow().as_str(), "abcbcaca");
        assert_eq!(
            report.to_string(),
            "A title\ncontender  seconds  CPU s  peak MiB   x a\na            2.000  4.000         3  1.00\nb           failed\nc            4.000  8.000         3  2.00\n"
        );
        let error = report.into_result().unwrap_err();
        assert_eq!((error.message(), error.context()[0].1.as_str()), ("no more", "b"));
    }
}
