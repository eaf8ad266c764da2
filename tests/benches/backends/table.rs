//! The tables, in Markdown.

use std::fmt;

use crate::{
    backend::Backend,
    options::Options,
    share::Share,
    speed::{Asked, Speed},
};

/// How quick one backend is.
#[derive(Debug)]
pub(crate) struct Speeds<'a> {
    pub(crate) backend: Backend,
    pub(crate) options: &'a Options,
    pub(crate) speeds: Vec<Speed>,
}

impl fmt::Display for Speeds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (label, books) = (self.backend.label(), self.options.books());
        let clients = self.options.connections;
        writeln!(
            f,
            "| {label}, {books} books | 1 connection | p50 | p99 | {clients} connections | p50 | p99 | \
             µs of the server |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|---:|")?;
        for Speed { operation, alone, together } in &self.speeds {
            let server = match &*together.server {
                server @ [_, ..] if together.refused == 0 => format!("{:.0}", median(server)),
                _ => String::new(),
            };
            writeln!(f, "| {} | {alone} | {together} | {server} |", operation.label())?;
        }
        Ok(())
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.refused > 0 {
            return write!(f, "{} of {} refused | | ", self.refused, self.times.len());
        }
        if self.rates.is_empty() {
            return f.write_str("| | ");
        }
        write!(f, "{:.0}/s", median(&self.rates))?;
        let [half, most] = [0.5, 0.99].map(|q| short(self.times.value_at_quantile(q)));
        write!(f, " | {half} | {most}")
    }
}

/// What the server of one backend takes beside the bare driver.
#[derive(Debug)]
pub(crate) struct Shares<'a> {
    pub(crate) backend: Backend,
    pub(crate) options: &'a Options,
    pub(crate) shares: Vec<Share>,
}

impl fmt::Display for Shares<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (label, books) = (self.backend.label(), self.options.share_books(self.backend));
        writeln!(
            f,
            "| {label}, {books} books, µs of processor time | commands | server | least server | ratio \
             | driver | ratio |"
        )?;
        writeln!(f, "|---|---|---:|---:|---:|---:|---:|")?;
        for Share { operation, commands, server, least, bare, is_refused } in &self.shares {
            if *is_refused {
                writeln!(f, "| {} | {commands} | refused | | | | |", operation.label())?;
                continue;
            }
            let (label, [server, least, bare]) =
                (operation.label(), [server, least, bare].map(|of| median(of)));
            let (of_least, of_bare) = (server / least, server / bare);
            writeln!(
                f,
                "| {label} | {commands} | {server:.0} | {least:.0} | {of_least:.2} | {bare:.0} \
                 | **{of_bare:.2}** |"
            )?;
        }
        Ok(())
    }
}

fn short(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..100_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{} ms", micros / 1_000),
    }
}

fn median(all: &[f64]) -> f64 {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}
