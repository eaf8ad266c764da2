//! The books with which a shop starts that has none: the catalogue in `data/sample-catalogue`.

use std::sync::Arc;

use jiff::SignedDuration;
use serde::Deserialize;

use crate::{
    book::{Author, Book, BookContent, BookDraft, BookId, Description, Genre, Stock, Title, Year},
    clock::Clock,
    error::{BadValue, BookWriteError, CatalogError},
    isbn::Isbn,
    money::Price,
    store::Store,
};

const CATALOGUE: &str = include_str!("../data/sample-catalogue/books.csv");

/// More than 500 well-known books. The best known comes last, so that it is the newest one of a
/// shop that puts them into its catalogue in this order.
///
/// Prices and stocks are made up; the rest comes from a public data set: its source and licence
/// are named in `data/sample-catalogue/README.md`.
///
/// ```
/// use bookhub_core::{Catalog, MemoryStore, sample_catalogue};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let catalog = Catalog::new(MemoryStore::shared());
/// let created = catalog.create_many(sample_catalogue()).await.unwrap();
/// assert!(created.len() >= 500 && created.iter().all(Result::is_ok));
/// # }
/// ```
#[must_use]
pub fn sample_catalogue() -> Vec<BookDraft> {
    let mut rows = csv::Reader::from_reader(CATALOGUE.as_bytes());
    let drafts = rows.deserialize().map(|row| draft(row.expect("a row of the built-in catalogue")));
    let mut drafts: Vec<_> = drafts.collect::<Result<_, _>>().expect("a book that is good");
    drafts.reverse();
    drafts
}

/// How many of the best-known books came in last, and so count as new.
const NEW: usize = 12;

/// Puts the sample catalogue into a store, as if most of it had come in a month ago and the
/// best-known books lately, and answers how many books there are in it. What the store has already is
/// left as it is, so that several servers may do so at the same time. Nobody has changed anything by
/// that: it is not in the audit trail.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bookhub_core::CatalogError> {
/// let books = bookhub_core::load_sample(bookhub_core::MemoryStore::shared()).await?;
/// assert!(books >= 500);
/// # Ok(())
/// # }
/// ```
pub async fn load_sample(store: Arc<dyn Store>) -> Result<usize, CatalogError> {
    let mut books = sample_catalogue();
    let count = books.len();
    let new = books.split_off(count.saturating_sub(NEW));
    let now = Clock::system().now();
    for (days, books) in [(30, books), (2, new)] {
        let then = now - SignedDuration::from_hours(24 * days);
        let book = |draft| Book::new(BookId::generate(then), draft, then);
        let books: Vec<_> = books.into_iter().map(book).collect();
        let ids: Vec<_> = books.iter().map(|book| book.id).collect();
        for (created, id) in store.insert_books(books).await?.into_iter().zip(ids) {
            match created {
                Ok(_) | Err(BookWriteError::IsbnTaken { .. }) => {}
                Err(error) => return Err(CatalogError::of_write(id, error)),
            }
        }
    }
    Ok(count)
}

#[derive(Deserialize)]
struct Row {
    title: String,
    author: String,
    year: i64,
    genre: String,
    isbn: String,
    price: String,
    stock: i64,
    description: String,
}

fn draft(row: Row) -> Result<BookDraft, BadValue> {
    let description = Some(row.description).filter(|text| !text.is_empty());
    let content = BookContent {
        title: Title::try_from(row.title)?,
        author: Author::try_from(row.author)?,
        genre: Genre::try_from(row.genre)?,
        year: Year::new(row.year)?,
        price: row.price.parse::<Price>()?,
        isbn: Some(row.isbn.parse::<Isbn>()?),
        cover_url: None,
        description: description.map(Description::try_from).transpose()?,
    };
    Ok(BookDraft { content, stock: Stock::new(row.stock)? })
}
