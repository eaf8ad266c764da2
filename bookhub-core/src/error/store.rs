//! What a store answers when it cannot do what was asked. Must not know who asked.

use std::error::Error;

use crate::{
    book::{BookId, Stock},
    change::Position,
    isbn::Isbn,
    order::{OrderStatus, PriceChange, Refusal, Shortage},
};

/// The store itself failed: nobody's request is at fault.
///
/// ```
/// use bookhub_core::StoreError;
///
/// let error = StoreError::unavailable("connection refused");
/// assert_eq!(error.to_string(), "The database cannot be reached: connection refused");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached, or did not answer in time. Whether a write was done is not
    /// known. Retry later; operators look at `/health` and the database.
    #[error("The database cannot be reached: {0}")]
    Unavailable(Box<dyn Error + Send + Sync>),
    /// The database holds something that cannot be what this program wrote. Operators look at the
    /// log; a retry does not help.
    #[error("The database holds something unexpected: {0}")]
    Corrupt(String),
    /// The operator's: the settings of the database cannot be used. A retry does not help.
    #[error("The database's settings cannot be used: {0}")]
    Misconfigured(String),
    /// The store is full. Operators delete something or move to a larger store.
    #[error("The store is full: {0}")]
    Full(String),
}

impl StoreError {
    /// The database cannot be reached, because of `cause`.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into())
    }

    /// The stable name of the error for programs.
    ///
    /// ```
    /// use bookhub_core::StoreError;
    ///
    /// assert_eq!(StoreError::unavailable("connection refused").code(), "database_unavailable");
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "database_unavailable",
            Self::Full(_) => "store_full",
            Self::Corrupt(_) | Self::Misconfigured(_) => "internal",
        }
    }
}

/// Why the store did not write a book. Nothing was changed and nothing enters the feed, unless the store
/// itself failed: then it is not known whether the write was done.
///
/// ```
/// use bookhub_core::BookWriteError;
///
/// let error = BookWriteError::VersionConflict { current: 7 };
/// assert_eq!(error.to_string(), "the current version is 7");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookWriteError {
    /// There is no such book.
    #[error("there is no such book")]
    NotFound,
    /// The book does not have the version that the write is for.
    #[error("the current version is {current}")]
    VersionConflict {
        /// The version it has.
        current: u64,
    },
    /// Another book has the ISBN.
    #[error("the ISBN {isbn} belongs to {book}")]
    IsbnTaken {
        /// The ISBN both would have.
        isbn: Isbn,
        /// The book that has it.
        book: BookId,
    },
    /// The stock would leave 0 to [`Stock::MAX`].
    #[error("the stock {stock} cannot change by {delta}")]
    StockOutOfRange {
        /// The stock as it is.
        stock: Stock,
        /// The change that was refused.
        delta: i64,
    },
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the store did not place or move an order. No order and no stock was changed, unless the store
/// itself failed: then it is not known, and [`settle_orders`](crate::OrderStore::settle_orders) finishes
/// or undoes what was begun.
///
/// ```
/// use bookhub_core::OrderWriteError;
///
/// let error = OrderWriteError::VersionConflict { current: 2 };
/// assert_eq!(error.to_string(), "the current version is 2");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrderWriteError {
    /// There are fewer copies of some books than the order would take: every such book.
    #[error("there are too few copies of {} books", .0.len())]
    OutOfStock(Vec<Shortage>),
    /// Some books cost something else than their buyer saw: every such book.
    #[error("{} prices have changed", .0.len())]
    PriceChanged(Vec<PriceChange>),
    /// The user gave the key to an order that asks for something else.
    #[error("the key belongs to another order")]
    KeyReused,
    /// The first order with this key is not decided yet. Ask again.
    #[error("the order with this key is being placed")]
    InFlight,
    /// There is no such order.
    #[error("there is no such order")]
    NotFound,
    /// The order does not have the version that the write is for.
    #[error("the current version is {current}")]
    VersionConflict {
        /// The version it has.
        current: u64,
    },
    /// An order does not go from one status to the other.
    #[error("an order that is {from} cannot become {to}")]
    NotAllowed {
        /// The status it has.
        from: OrderStatus,
        /// The status that was asked for.
        to: OrderStatus,
    },
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the store did not write an account. Nothing was changed and nothing enters the feed, unless the
/// store itself failed: then it is not known whether the write was done.
///
/// ```
/// use bookhub_core::UserWriteError;
///
/// assert_eq!(UserWriteError::UsernameTaken.to_string(), "the username is taken");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserWriteError {
    /// An account has this username (in whatever letter case).
    #[error("the username is taken")]
    UsernameTaken,
    /// An account has this email address (in whatever letter case).
    #[error("the email address is taken")]
    EmailTaken,
    /// There is no such account.
    #[error("there is no such account")]
    NotFound,
    /// The account does not have the version that the write is for.
    #[error("the account was changed in the meantime")]
    VersionConflict,
    /// Nobody else could run the shop.
    #[error("it is the last administrator")]
    LastAdmin,
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for OrderWriteError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::PriceChanged(changes) => Self::PriceChanged(changes),
            Refusal::OutOfStock(shortages) => Self::OutOfStock(shortages),
        }
    }
}

/// Why a write failed.
pub(crate) trait WriteError: From<StoreError> {
    /// The failure of the store itself, if it is one.
    fn of_store(&self) -> Option<&StoreError>;
}

impl WriteError for StoreError {
    fn of_store(&self) -> Option<&StoreError> {
        Some(self)
    }
}

/// Those that have a variant for it.
macro_rules! write_error {
    ($($error:ident),*) => {$(
        impl WriteError for $error {
            fn of_store(&self) -> Option<&StoreError> {
                match self {
                    Self::Store(failure) => Some(failure),
                    _ => None,
                }
            }
        }
    )*};
}

write_error!(BookWriteError, OrderWriteError, UserWriteError);

/// Why a feed ended.
///
/// ```
/// use bookhub_core::{FeedError, Position};
///
/// let error = FeedError::HistoryExpired { oldest: Position::new(8) };
/// assert_eq!(error.to_string(), "the history no longer reaches back so far");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// Changes after the reader's position are no longer kept. The reader fetches what it shows
    /// anew and goes on from the position of that answer.
    #[error("the history no longer reaches back so far")]
    HistoryExpired {
        /// The oldest position from which the feed can still be read.
        oldest: Position,
    },
    /// The store itself failed. The reader opens the feed again from where it was.
    #[error(transparent)]
    Store(#[from] StoreError),
}
