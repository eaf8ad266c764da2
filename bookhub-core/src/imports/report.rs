//! What became of the rows of an import.

use serde::Serialize;

use crate::rows::RowError;

/// How many failures a report has at most: who has more corrects these first.
const MOST_ERRORS: usize = 100;

/// What became of the rows of an import, or would.
///
/// ```
/// use bookhub_core::ImportReport;
///
/// let json = serde_json::to_string(&ImportReport::default()).unwrap();
/// assert_eq!(json, r#"{"created":0,"updated":0,"skipped":0,"failed":0,"errors":[]}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// How many are new books.
    pub created: u64,
    /// How many changed a book that was there.
    pub updated: u64,
    /// How many were passed over, since a book has their ISBN.
    pub skipped: u64,
    /// How many could not be used.
    pub failed: u64,
    /// What is wrong with the first hundred of those, in the order of the file.
    pub errors: Vec<RowProblem>,
    /// Whether more than those are wrong.
    #[serde(skip_serializing_if = "is_false")]
    pub truncated: bool,
    /// Whether nothing was written, since only the report was wanted.
    #[serde(skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

/// What is wrong with one row.
///
/// ```
/// use bookhub_core::{BookRows, RowFormat, RowProblem};
///
/// let row = BookRows::new(RowFormat::Ndjson).read(b"[]\n").unwrap().remove(0);
/// let problem = RowProblem { row: row.line, problem: row.fields.unwrap_err() };
/// assert_eq!(serde_json::to_value(&problem).unwrap()["code"], "invalid_json");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowProblem {
    /// In which line of the file the row begins.
    pub row: u64,
    /// What it is.
    #[serde(flatten)]
    pub problem: RowError,
}

/// What became of one row.
#[derive(Debug)]
pub(super) enum Outcome {
    Created,
    Updated,
    Skipped,
    Failed(RowError),
}

impl ImportReport {
    pub(super) fn count(&mut self, row: u64, outcome: Outcome) {
        match outcome {
            Outcome::Created => self.created += 1,
            Outcome::Updated => self.updated += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Failed(problem) => {
                self.failed += 1;
                if self.errors.len() < MOST_ERRORS {
                    self.errors.push(RowProblem { row, problem });
                } else {
                    self.truncated = true;
                }
            }
        }
    }

    /// How many rows it tells of.
    pub(super) const fn rows(&self) -> u64 {
        self.created + self.updated + self.skipped + self.failed
    }

    /// The report where nothing was written, or nothing of it was left.
    pub(super) fn of_nothing(self) -> Self {
        Self { created: 0, updated: 0, ..self }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over like this")]
const fn is_false(value: &bool) -> bool {
    !*value
}
