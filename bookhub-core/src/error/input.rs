//! What was wrong with somebody's input: one value ([`BadValue`]), a named field ([`FieldError`]),
//! a whole request ([`Invalid`]). Must not know which fields exist.

use std::{borrow::Cow, fmt};

use serde::Serialize;

/// A value that a domain type refused. Shown as a sentence that says what would be accepted.
///
/// ```
/// use bookhub_core::Title;
///
/// let refused = Title::new("  ").unwrap_err();
/// assert_eq!(refused.to_string(), "Must not be empty: give 1 to 500 characters.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(Cow<'static, str>);

impl BadValue {
    /// A refusal with this sentence.
    pub fn new(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self(sentence.into())
    }
}

/// One field of a request and what is wrong with it.
///
/// ```
/// use bookhub_core::{BadValue, FieldError};
///
/// let error = FieldError::new("year", BadValue::new("Must not be 0."));
/// assert_eq!(error.to_string(), "year: Must not be 0.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// The name of the field, as the caller wrote it.
    pub field: Cow<'static, str>,
    /// What is wrong and what would be accepted, as a sentence for people.
    pub message: String,
}

impl FieldError {
    /// Says that `field` is wrong because of `problem`.
    pub fn new(field: impl Into<Cow<'static, str>>, problem: impl fmt::Display) -> Self {
        Self { field: field.into(), message: problem.to_string() }
    }
}

/// A request that cannot be accepted: every problem that was found in it, at least one.
///
/// ```
/// use bookhub_core::BookQuery;
///
/// let invalid = BookQuery::parse([("limit", "-1"), ("colour", "red")]).unwrap_err();
/// let fields: Vec<_> = invalid.errors().iter().map(|error| error.field.as_ref()).collect();
/// assert_eq!(fields, ["limit", "colour"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    errors: Vec<FieldError>,
}

impl Invalid {
    /// One problem with one field.
    pub fn field(field: impl Into<Cow<'static, str>>, problem: impl fmt::Display) -> Self {
        Self { errors: vec![FieldError::new(field, problem)] }
    }

    /// `value` if there are no problems, else the problems. `value` must be there without problems.
    pub(crate) fn unless<T>(errors: Vec<FieldError>, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(Self { errors }),
        }
    }

    /// The problems, in the order in which they were found.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The problems, to keep.
    #[must_use]
    pub fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
