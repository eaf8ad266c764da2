//! What became of each row, as people and programs read it.

use serde::Serialize;
use serde_json::Value;

use super::rows::Row;
use crate::{
    error::{Detail, Error, Result},
    printer::{Printer, details, of_detail, one_line},
};

/// How many failures people are shown; programs get all.
const MOST_SHOWN: usize = 20;

/// What became of a row, or would.
#[derive(Debug)]
pub(super) enum Outcome {
    Created,
    /// Its ISBN is there already.
    Skipped,
    Failed {
        error: String,
        details: Vec<Detail>,
    },
}

impl Outcome {
    pub(super) fn failed(error: &Error) -> Self {
        Self::Failed { error: error.to_string(), details: details(error).to_vec() }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    dry_run: bool,
    created: usize,
    skipped: usize,
    failed: usize,
    failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
struct Failure {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    title: String,
    error: String,
    details: Vec<Detail>,
}

impl Report {
    pub(super) const fn new(dry_run: bool) -> Self {
        Self { dry_run, created: 0, skipped: 0, failed: 0, failures: Vec::new() }
    }

    pub(super) fn count(&mut self, row: &Row, outcome: Outcome) {
        match outcome {
            Outcome::Created => self.created += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Failed { error, details } => {
                self.failed += 1;
                let title = row.fields.get("title").and_then(Value::as_str).unwrap_or_default();
                let title = title.to_owned();
                self.failures.push(Failure { line: row.line, title, error, details });
            }
        }
    }

    pub(super) fn print(&self, printer: &Printer) -> Result<()> {
        let Self { dry_run, created, skipped, failed, failures } = self;
        for failure in failures.iter().take(MOST_SHOWN) {
            printer.line(&failure.sentence())?;
        }
        if let Some(more) = failures.len().checked_sub(MOST_SHOWN + 1) {
            printer.line(&format!("and {} more that failed (see all with -o json)", more + 1))?;
        }
        let would = if *dry_run { "Would be: " } else { "" };
        printer.result(
            &format!(
                "{would}{created} created, {skipped} skipped (there already), {failed} failed."
            ),
            self,
        )
    }

    /// How the command ends after all rows.
    pub(super) fn verdict(&self) -> Result<()> {
        let Self { created, skipped, failed, .. } = *self;
        let total = created + skipped + failed;
        if failed > 0 { Err(Error::Partly { failed, total, what: "books" }) } else { Ok(()) }
    }
}

impl Failure {
    fn sentence(&self) -> String {
        let place = self.line.map(|line| format!("line {line}, ")).unwrap_or_default();
        let why = if self.details.is_empty() {
            self.error.clone()
        } else {
            self.details.iter().map(of_detail).collect::<Vec<_>>().join(" ")
        };
        one_line(&format!("{place}“{}”: {why}", self.title))
    }
}
