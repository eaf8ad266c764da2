//! One page of books, and what is said with it.

use std::{str::FromStr, sync::Arc};

use serde::Serialize;

use super::Cursor;
use crate::{
    book::{Book, Genre},
    change::Position,
    error::BadValue,
};

/// At most how many things a page has: 1 to 100, usually 24.
///
/// ```
/// use bookhub_core::PageSize;
///
/// assert_eq!(PageSize::default().get(), 24);
/// assert!(PageSize::new(101).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageSize(u8);

impl PageSize {
    /// The largest page.
    pub const MAX: Self = Self(100);

    /// Accepts 1 to 100.
    pub fn new(books: usize) -> Result<Self, BadValue> {
        match u8::try_from(books) {
            Ok(books) if (1..=Self::MAX.0).contains(&books) => Ok(Self(books)),
            _ => Err(BadValue::new("Must be a whole number from 1 to 100.")),
        }
    }

    /// The number of things.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(24)
    }
}

impl FromStr for PageSize {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        Self::new(text.parse().unwrap_or(0))
    }
}

/// One page of the answer to a [`BookQuery`](crate::BookQuery).
///
/// ```
/// use bookhub_core::{BookQuery, Catalog, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let page = Catalog::new(MemoryStore::shared()).list(&BookQuery::default()).await.unwrap();
/// assert!(page.books.is_empty() && page.next.is_none());
/// assert_eq!(page.total.count, 0);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookPage {
    /// The books, in the order asked for.
    pub books: Vec<Arc<Book>>,
    /// How many books there are on all pages together.
    pub total: Total,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<Cursor>,
    /// Every change up to here is included in the page.
    pub position: Position,
}

/// How many books a query finds.
///
/// ```
/// use bookhub_core::Total;
///
/// let many = Total { count: 10_000, exact: false };
/// assert_ne!(many, Total::exactly(10_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// So many.
    pub count: u64,
    /// Whether it is this number, or at least this number.
    pub exact: bool,
}

impl Total {
    /// This number.
    #[must_use]
    pub const fn exactly(count: u64) -> Self {
        Self { count, exact: true }
    }
}

/// The books that are soon sold out.
///
/// ```
/// use bookhub_core::{BookStore, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let low = MemoryStore::new().low_stock(20).await.unwrap();
/// assert!(low.books.is_empty() && low.count == 0);
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LowStock {
    /// Those of which the fewest copies are left.
    pub books: Vec<Arc<Book>>,
    /// How many there are of all.
    pub count: u64,
}

/// A genre and how many books stand on its shelf.
///
/// ```
/// use bookhub_core::{Genre, GenreCount};
///
/// let shelf = GenreCount { genre: Genre::new("Fantasy").unwrap(), count: 12 };
/// assert_eq!(serde_json::to_string(&shelf).unwrap(), r#"{"genre":"Fantasy","count":12}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GenreCount {
    /// The genre, in a spelling that one of the books has.
    pub genre: Genre,
    /// How many books it has.
    pub count: u64,
}
