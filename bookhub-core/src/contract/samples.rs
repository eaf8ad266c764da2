//! Small things that the cases are made of.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::BoxStream};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Author, Book, BookContent, BookDraft, BookId, BookUpdate, Change, ChangeKind, FeedError, Genre,
    Isbn, Position, Price, Stock, Store, Title, Year,
};

/// A moment of the distant past, in whole milliseconds.
pub(super) fn epoch() -> Timestamp {
    Timestamp::from_second(1_700_000_000).expect("a moment")
}

/// A book that came into the catalogue `age` milliseconds after [`epoch`].
pub(super) fn book(title: &str, author: &str, age: i64) -> Book {
    let content = BookContent {
        title: Title::new(title).expect("a title"),
        author: Author::new(author).expect("an author"),
        genre: Genre::new("Fiction").expect("a genre"),
        year: Year::new(1950).expect("a year"),
        price: Price::from_paise(19_900).expect("a price"),
        isbn: None,
        cover_url: None,
        description: None,
    };
    let now = epoch() + SignedDuration::from_millis(age);
    let stock = Stock::new(5).expect("a stock");
    Book::new(BookId::generate(now), BookDraft { content, stock }, now)
}

/// A book with nothing special about it.
pub(super) fn any_book() -> Book {
    book("Emma", "Jane Austen", 0)
}

/// The `number`th valid ISBN.
pub(super) fn isbn(number: u64) -> Isbn {
    let body = 978_000_000_000 + number;
    let digit = |place: u32| body / 10_u64.pow(11 - place) % 10;
    let sum: u64 = (0..12).map(|place| digit(place) * if place % 2 == 0 { 1 } else { 3 }).sum();
    format!("{body}{}", (10 - sum % 10) % 10).parse().expect("an ISBN")
}

/// An update that sets the title.
pub(super) fn retitle(book: &Book, title: &str) -> BookUpdate {
    let content =
        BookContent { title: Title::new(title).expect("a title"), ..book.content.clone() };
    let updated_at = book.updated_at + SignedDuration::from_secs(1);
    BookUpdate { content: Some(content), stock: None, updated_at }
}

/// Puts a book into the store.
pub(super) async fn insert(store: &dyn Store, book: Book) -> Arc<Book> {
    store.insert_book(book).await.expect("inserted")
}

/// Changes the title of a book, whatever its version.
pub(super) async fn rename(store: &dyn Store, book: &Book, title: &str) -> Arc<Book> {
    let (current, _) = store.book(book.id).await.expect("read");
    let current = current.expect("a book");
    let update = retitle(&current, title);
    store.update_book(book.id, current.version, update).await.expect("renamed").after
}

pub(super) type Changes = BoxStream<'static, Result<Arc<Change>, FeedError>>;

/// The next change that is fed.
pub(super) async fn next(changes: &mut Changes) -> Arc<Change> {
    let next = tokio::time::timeout(Duration::from_secs(20), changes.next()).await;
    next.expect("a change in time").expect("a feed that goes on").expect("a change")
}

/// The next so many changes that are fed.
pub(super) async fn take(changes: &mut Changes, count: usize) -> Vec<Arc<Change>> {
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count {
        taken.push(next(changes).await);
    }
    taken
}

/// Everything that was fed up to now: writes a last book and reads until it comes.
pub(super) async fn all_fed(store: &dyn Store, after: Position) -> Vec<Arc<Change>> {
    let mut changes = store.changes(after);
    let last = insert(store, book("The End", "Nobody", 1 << 40)).await;
    let mut fed = Vec::new();
    loop {
        let change = next(&mut changes).await;
        if change.kind == ChangeKind::BookCreated(Arc::clone(&last)) {
            return fed;
        }
        fed.push(change);
    }
}
