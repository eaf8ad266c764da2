//! What the [`Catalog`](crate::Catalog) answers when it cannot do what was asked.

use super::{BookWriteError, FieldError, Invalid, StoreError};
use crate::{book::BookId, book::Stock, isbn::Isbn};

/// Why the catalogue refused or failed.
///
/// ```
/// use bookhub_core::{Catalog, CatalogError, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let catalog = Catalog::new(MemoryStore::shared());
/// let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
/// assert!(matches!(catalog.get(id).await, Err(CatalogError::NotFound(missing)) if missing == id));
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The caller named a book that does not exist, or no longer does. Nothing to retry.
    #[error("There is no book {0}.")]
    NotFound(BookId),
    /// The caller's book has the ISBN of another one. Edit that book, or correct the ISBN.
    #[error("Another book ({book}) already has the ISBN {isbn}.")]
    IsbnTaken {
        /// The ISBN both would have.
        isbn: Isbn,
        /// The book that has it.
        book: BookId,
    },
    /// The caller edited a version of the book that is no longer the current one. Fetch the book,
    /// apply the edit again, and send it with the current version.
    #[error("The book was changed in the meantime: its version is now {current}.")]
    VersionConflict {
        /// The version the book has now.
        current: u64,
    },
    /// The caller would have taken more copies than there are.
    #[error("Only {stock} copies are in stock: they cannot change by {delta}.")]
    StockBelowZero {
        /// How many copies there are.
        stock: Stock,
        /// The change that was refused.
        delta: i64,
    },
    /// The caller would have added copies beyond what a book may have.
    #[error("{stock} copies are in stock: a change by {delta} would exceed {}.", Stock::MAX)]
    StockAboveLimit {
        /// How many copies there are.
        stock: Stock,
        /// The change that was refused.
        delta: i64,
    },
    /// The caller's request is wrong in one or more fields. Correct them.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// The store failed; the caller is not at fault and may retry.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CatalogError {
    /// The stable name of the error for programs, the same wherever it is told: over HTTP, or by
    /// the command line.
    ///
    /// ```
    /// use bookhub_core::CatalogError;
    ///
    /// assert_eq!(CatalogError::VersionConflict { current: 2 }.code(), "version_conflict");
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::IsbnTaken { .. } => "isbn_taken",
            Self::VersionConflict { .. } => "version_conflict",
            Self::StockBelowZero { .. } => "stock_below_zero",
            Self::StockAboveLimit { .. } => "stock_above_limit",
            Self::Invalid(_) => "invalid",
            Self::Store(error) => error.code(),
        }
    }

    /// The fields of the request that it complains of, if any.
    ///
    /// ```
    /// use bookhub_core::{CatalogError, Invalid};
    ///
    /// let error = CatalogError::from(Invalid::field("year", "Must not be 0."));
    /// assert_eq!(error.into_fields()[0].field, "year");
    /// ```
    #[must_use]
    pub fn into_fields(self) -> Vec<FieldError> {
        match self {
            Self::Invalid(invalid) => invalid.into_errors(),
            Self::IsbnTaken { .. } => vec![FieldError::new("isbn", self)],
            _ => Vec::new(),
        }
    }

    /// What a failed write of the book `id` means to the caller.
    pub(crate) fn of_write(id: BookId, error: BookWriteError) -> Self {
        match error {
            BookWriteError::NotFound => Self::NotFound(id),
            BookWriteError::VersionConflict { current } => Self::VersionConflict { current },
            BookWriteError::IsbnTaken { isbn, book } => Self::IsbnTaken { isbn, book },
            BookWriteError::StockOutOfRange { stock, delta } if delta < 0 => {
                Self::StockBelowZero { stock, delta }
            }
            BookWriteError::StockOutOfRange { stock, delta } => {
                Self::StockAboveLimit { stock, delta }
            }
            BookWriteError::Store(error) => Self::Store(error),
        }
    }
}
