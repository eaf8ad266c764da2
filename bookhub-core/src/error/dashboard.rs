//! What the [`Dashboard`](crate::Dashboard) answers when it cannot say how the shop is.

use super::StoreError;

/// Why nobody can say how the shop is.
///
/// ```
/// use bookhub_core::{DashboardError, StoreError};
///
/// let error = DashboardError::from(StoreError::unavailable("connection refused"));
/// assert!(matches!(error, DashboardError::Store(_)));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DashboardError {
    /// The orders are being counted for the first time since the start. Ask again soon.
    #[error("The orders are still being counted: ask again soon.")]
    Counting,
    /// The store failed; the caller is not at fault and may retry.
    #[error(transparent)]
    Store(#[from] StoreError),
}
