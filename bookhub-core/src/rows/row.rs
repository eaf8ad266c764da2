//! One row of a file, and what can be wrong with it.

use std::{fmt, str::FromStr};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{BadValue, CatalogError, FieldError, Invalid};

/// How a file says its rows.
///
/// ```
/// use bookhub_core::RowFormat;
///
/// assert_eq!("ndjson".parse(), Ok(RowFormat::Ndjson));
/// assert_eq!(RowFormat::default().to_string(), "csv");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowFormat {
    /// Cells between commas (RFC 4180), the names of the columns first.
    #[default]
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl fmt::Display for RowFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        })
    }
}

impl FromStr for RowFormat {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            _ => Err(BadValue::new("Must be csv or ndjson.")),
        }
    }
}

/// A row of a file of books.
///
/// ```
/// use bookhub_core::{BookRows, RowFormat};
///
/// let rows = BookRows::new(RowFormat::Ndjson).read(b"\n{\"title\":\"Emma\"}\n").unwrap();
/// assert_eq!((rows[0].line, rows[0].fields.is_ok()), (2, true));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BookRow {
    /// In which line of the file it begins; the first is 1.
    pub line: u64,
    /// What it says about a book, as a request of the API would; or why it says nothing.
    pub fields: Result<Map<String, Value>, RowError>,
}

/// Why a row cannot be used, in the form that errors have everywhere.
///
/// ```
/// use bookhub_core::{BookRows, RowFormat};
///
/// let rows = BookRows::new(RowFormat::Ndjson).read(b"[]\n").unwrap();
/// assert_eq!(rows[0].fields.as_ref().unwrap_err().code, "invalid_json");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{error}")]
pub struct RowError {
    /// The stable name of the error, for programs.
    pub code: &'static str,
    /// What is wrong, as a sentence for people.
    pub error: String,
    /// The fields that are wrong, if it is that.
    pub details: Vec<FieldError>,
}

impl RowError {
    pub(super) fn csv(sentence: impl Into<String>) -> Self {
        Self { code: "invalid_csv", error: sentence.into(), details: Vec::new() }
    }

    pub(super) fn json(sentence: impl Into<String>) -> Self {
        Self { code: "invalid_json", error: sentence.into(), details: Vec::new() }
    }

    pub(super) fn too_large() -> Self {
        let error = "The row is larger than 1 MiB.".to_owned();
        Self { code: "row_too_large", error, details: Vec::new() }
    }
}

impl From<Invalid> for RowError {
    fn from(invalid: Invalid) -> Self {
        let error = "Invalid book data".to_owned();
        Self { code: "invalid", error, details: invalid.into_errors() }
    }
}

impl From<CatalogError> for RowError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Invalid(invalid) => invalid.into(),
            error => {
                Self { code: error.code(), error: error.to_string(), details: error.into_fields() }
            }
        }
    }
}
