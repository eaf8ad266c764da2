//! What an admin sees of the shop at a glance, with the JSON of the HTTP API. Must not know how it is
//! found.

use jiff::civil::Date;
use serde::Serialize;

use crate::{
    book::{Author, Book, BookId, Genre, Stock, Title},
    money::Amount,
};

/// How the shop is, and what it sold in a period. Orders that were cancelled do not count; an order
/// belongs to the day, in UTC, on which it was placed.
///
/// ```
/// use bookhub_core::{Dashboard, DashboardQuery, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let dashboard = Dashboard::new(MemoryStore::shared());
/// let following = tokio::spawn(dashboard.clone().follow());
/// let query = DashboardQuery::parse([("days", "7")]).unwrap();
///
/// let stats = dashboard.stats(&query).await.unwrap();
/// assert_eq!((stats.days, stats.revenue_by_day.len()), (7, 7));
/// let json = serde_json::to_value(&stats).unwrap();
/// assert_eq!(json["totals"]["orders"], 0);
/// assert_eq!(json["revenueByDay"][6]["date"], json["to"]);
/// # following.abort();
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DashboardStats {
    /// How many days the period has.
    pub days: u16,
    /// Its first day.
    pub from: Date,
    /// Its last day: the present one.
    pub to: Date,
    /// All in all.
    pub totals: ShopTotals,
    /// In the period.
    pub period: Sales,
    /// On each day of the period, the oldest first.
    pub revenue_by_day: Vec<DaySales>,
    /// At most ten books that sold best in the period: by copies, then by revenue.
    pub top_books: Vec<BookSales>,
    /// Each genre that has books, or sold some in the period.
    pub by_genre: Vec<GenreSales>,
    /// At most twenty books that are soon sold out, the fewest copies first, then by title.
    pub low_stock: Vec<LowBook>,
    /// How many books are soon sold out.
    pub low_stock_count: u64,
}

/// What the shop has, and what it ever sold.
///
/// ```
/// use bookhub_core::ShopTotals;
///
/// let none = serde_json::to_string(&ShopTotals::default()).unwrap();
/// assert_eq!(none, r#"{"books":0,"users":0,"orders":0,"revenue":0,"copies":0}"#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShopTotals {
    /// How many books are in the catalogue.
    pub books: u64,
    /// How many accounts there are.
    pub users: u64,
    /// What was ever sold.
    #[serde(flatten)]
    pub sales: Sales,
}

/// How much was sold.
///
/// ```
/// use bookhub_core::Sales;
///
/// let sales = Sales { orders: 1, revenue: "899.5".parse().unwrap(), copies: 2 };
/// let json = serde_json::to_string(&sales).unwrap();
/// assert_eq!(json, r#"{"orders":1,"revenue":899.5,"copies":2}"#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sales {
    /// How many orders were placed.
    pub orders: u64,
    /// What they cost together.
    pub revenue: Amount,
    /// How many copies were in them.
    pub copies: u64,
}

/// How much was sold on a day.
///
/// ```
/// use bookhub_core::{DaySales, Sales};
///
/// let date = "2026-11-28".parse().unwrap();
/// let json = serde_json::to_value(DaySales { date, sales: Sales::default() }).unwrap();
/// assert_eq!((&json["date"], &json["orders"]), (&"2026-11-28".into(), &0.into()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DaySales {
    /// The day, in UTC.
    pub date: Date,
    /// What was sold.
    #[serde(flatten)]
    pub sales: Sales,
}

/// How much was sold of a book.
///
/// ```
/// use bookhub_core::{Amount, BookSales};
///
/// let book = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
/// let (title, author) = ("Emma".parse().unwrap(), "Jane Austen".parse().unwrap());
/// let sold = BookSales { book, title, author, copies: 2, revenue: Amount::default() };
/// assert_eq!(serde_json::to_value(sold).unwrap()["bookId"], book.to_string());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BookSales {
    /// Which book.
    #[serde(rename = "bookId")]
    pub book: BookId,
    /// Its title; if it is gone, the one with which it was sold.
    pub title: Title,
    /// Its author, likewise.
    pub author: Author,
    /// How many copies.
    pub copies: u64,
    /// What they cost together.
    pub revenue: Amount,
}

/// How much was sold of a genre, as the genre of a book was when it was sold.
///
/// ```
/// use bookhub_core::{Amount, GenreSales};
///
/// let genre = "Fantasy".parse().unwrap();
/// let sold = GenreSales { genre, books: 12, copies: 2, revenue: "500".parse().unwrap() };
/// assert!(sold.revenue > Amount::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GenreSales {
    /// The genre.
    pub genre: Genre,
    /// How many books of the catalogue have it now.
    pub books: u64,
    /// How many copies.
    pub copies: u64,
    /// What they cost together.
    pub revenue: Amount,
}

/// A book that is soon sold out.
///
/// ```
/// use bookhub_core::LowBook;
/// # let json = serde_json::json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199});
/// # let draft = bookhub_core::BookDraft::from_json(json.as_object().unwrap()).unwrap();
/// # let now = jiff::Timestamp::now();
/// # let emma = bookhub_core::Book::new(bookhub_core::BookId::generate(now), draft, now);
///
/// let json = serde_json::to_value(LowBook::of(&emma)).unwrap();
/// assert_eq!((&json["title"], &json["stock"]), (&"Emma".into(), &0.into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LowBook {
    /// Which book.
    pub id: BookId,
    /// Its title.
    pub title: Title,
    /// Its author.
    pub author: Author,
    /// How many copies are left.
    pub stock: Stock,
}

impl LowBook {
    /// What is said of a book.
    #[must_use]
    pub fn of(book: &Book) -> Self {
        let (title, author) = (book.content.title.clone(), book.content.author.clone());
        Self { id: book.id, title, author, stock: book.stock }
    }
}
