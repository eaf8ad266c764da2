//! What a write found, and what it made of it: for those who tell of both.

use std::sync::Arc;

/// What a write found, and what it made of it. Nothing came between the two.
///
/// ```
/// use bookhub_core::Changed;
///
/// assert!(!Changed::unchanged(std::sync::Arc::new(5)).is_change());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed<T> {
    /// The thing as it was.
    pub before: Arc<T>,
    /// The thing as it is.
    pub after: Arc<T>,
}

impl<T> Changed<T> {
    /// There was nothing to do.
    #[must_use]
    pub fn unchanged(thing: Arc<T>) -> Self {
        Self { before: Arc::clone(&thing), after: thing }
    }
}

impl<T: PartialEq> Changed<T> {
    /// Whether there was something to do.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.before != self.after
    }
}
