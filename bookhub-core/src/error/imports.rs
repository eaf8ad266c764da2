//! What an [`Import`](crate::Import) answers when not all rows could be looked at, or none may be in.

use super::{Invalid, StoreError};
use crate::{book::BookId, imports::ImportReport};

/// Why an import did not come to its end, and what is left of it.
///
/// ```
/// use bookhub_core::{Catalog, Import, ImportError, ImportOptions, MemoryStore, RowFormat};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let catalog = Catalog::new(MemoryStore::shared());
/// let options = ImportOptions { atomic: true, ..ImportOptions::default() };
/// let mut import = Import::new(catalog, RowFormat::Ndjson, options);
/// import.read(b"{}\n").await.unwrap();
/// let rejected = import.finish().await.unwrap_err();
/// assert_eq!(rejected.code(), "import_rejected");
/// assert_eq!(rejected.report().unwrap().failed, 1);
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The caller's file has no usable header. Nothing was written.
    #[error("The header of the file cannot be used.")]
    Invalid(#[from] Invalid),
    /// The caller's file is too large to go in all or nothing. Nothing was written: split it, or
    /// import each row by itself.
    #[error(
        "All or nothing goes for at most 64 MiB and 100000 rows: split the file, or leave out atomic."
    )]
    TooLarge,
    /// Rows of the caller's file are wrong, and it was to go in all or nothing: nothing was written.
    #[error("Some rows are wrong, so nothing was imported: correct them and send all again.")]
    Rejected(Box<ImportReport>),
    /// The rest of the file did not come. What the report counts is in the catalogue.
    #[error("The file did not arrive whole: the report says what was imported.")]
    CutOff(Box<ImportReport>),
    /// The store failed before anything was written. The caller is not at fault and may try again.
    #[error("The database failed before anything was imported: try again.")]
    Unchecked(#[source] StoreError),
    /// The store failed. What the report counts is in the catalogue; of the rows behind it up to one
    /// batch may be. The caller is not at fault, and may send the file again, skipping what is there.
    #[error(
        "The database failed in the middle: the report says what was imported, and up to 500 rows more may be. \
         Send the file again with existing=skip."
    )]
    Stopped {
        /// What failed.
        #[source]
        cause: StoreError,
        /// What had been done.
        report: Box<ImportReport>,
    },
    /// It was to go in all or nothing, and a row failed though all had been good when they were
    /// checked. What had been written was taken back. The caller may try again.
    #[error("{}", undone(left))]
    Undone {
        /// What failed, if it was the store; else the report says which row.
        #[source]
        cause: Option<StoreError>,
        /// The rows that failed.
        report: Box<ImportReport>,
        /// The books that are as the import has made them all the same.
        left: Vec<BookId>,
    },
}

impl ImportError {
    /// The stable name of the error, for programs.
    ///
    /// ```
    /// assert_eq!(bookhub_core::ImportError::TooLarge.code(), "import_too_large");
    /// ```
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::TooLarge => "import_too_large",
            Self::Rejected(_) => "import_rejected",
            Self::CutOff(_) => "body_incomplete",
            Self::Unchecked(cause) | Self::Stopped { cause, .. } => cause.code(),
            Self::Undone { left, .. } if left.is_empty() => "import_undone",
            Self::Undone { .. } => "import_incomplete",
        }
    }

    /// What became of the rows, where any were looked at.
    ///
    /// ```
    /// assert!(bookhub_core::ImportError::TooLarge.report().is_none());
    /// ```
    #[must_use]
    pub fn report(&self) -> Option<&ImportReport> {
        match self {
            Self::Invalid(_) | Self::TooLarge | Self::Unchecked(_) => None,
            Self::Rejected(report)
            | Self::CutOff(report)
            | Self::Stopped { report, .. }
            | Self::Undone { report, .. } => Some(report),
        }
    }
}

fn undone(left: &[BookId]) -> String {
    match left.len() {
        0 => {
            "A row failed while all were written: everything was taken back. Try again.".to_owned()
        }
        left => format!(
            "A row failed while all were written, and {left} books could not be taken back: look at them."
        ),
    }
}
