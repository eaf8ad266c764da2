//! The table, in Markdown.

use std::fmt;

use crate::{load::Asked, servers::Kind};

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<(Asked, Kind, f64)>);

impl Table {
    pub(crate) fn add(&mut self, asked: Asked, kind: Kind, rate: f64) {
        self.0.push((asked, kind, rate));
    }

    fn median(&self, asked: Asked, kind: Kind) -> Option<f64> {
        let is_asked = |row: &&(Asked, Kind, f64)| (row.0, row.1) == (asked, kind);
        let mut rates: Vec<_> = self.0.iter().filter(is_asked).map(|row| row.2).collect();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| requests a second | the shop | bare axum | of it | Express 5 | times it |")?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|")?;
        for (asked, label) in [(Asked::Book, "one book"), (Asked::Page, "the first page, 24 books")]
        {
            let Some(shop) = self.median(asked, Kind::Shop) else { continue };
            write!(f, "| {label} | {shop:.0}")?;
            match self.median(asked, Kind::Bare) {
                Some(bare) => write!(f, " | {bare:.0} | {:.0} %", 100.0 * shop / bare)?,
                None => write!(f, " | | ")?,
            }
            match self.median(asked, Kind::Express) {
                Some(express) => writeln!(f, " | {express:.0} | {:.1} |", shop / express)?,
                None => writeln!(f, " | | |")?,
            }
        }
        Ok(())
    }
}
