//! Books are written and read.

use std::sync::Arc;

use super::samples::{any_book, book, epoch, insert, isbn, rename, retitle};
use crate::{
    Book, BookContent, BookId, BookUpdate, BookWriteError, Changed, Genre, Isbn, LowStock,
    Position, Stock, Store,
};

/// What is read is what was written, to the millisecond.
pub async fn a_book_is_read_as_it_was_written(store: Arc<dyn Store>) {
    let mut written = book("Ὀδύσσεια", "Ὅμηρος", 123);
    written.content.isbn = Some(isbn(1));
    written.content.description = "Sing,\nto me".parse().ok();
    written.content.cover_url = "https://example.org/cover.jpg".parse().ok();
    written.content.year = (-700).try_into().expect("a year");
    written.content.price = "899.95".parse().expect("a price");
    let created = insert(&*store, written.clone()).await;
    assert_eq!(*created, written);
    let (read, position) = store.book(written.id).await.expect("read");
    assert_eq!(read.as_deref(), Some(&written));
    assert!(position > Position::START);
    assert!(store.health().await.is_ok());
}

/// A book that never was is not an error to read.
pub async fn a_missing_book_is_none(store: Arc<dyn Store>) {
    let (read, _) = store.book(BookId::generate(epoch())).await.expect("read");
    assert_eq!(read, None);
}

/// New content adds to the version, new stock to the version of the stock.
pub async fn an_update_writes_content_and_counts_versions(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let renamed = rename(&*store, &emma, "Emma, revised").await;
    assert_eq!(renamed.content.title.as_str(), "Emma, revised");
    assert_eq!((renamed.version, renamed.stock_version), (2, 1));
    assert!(renamed.updated_at > emma.updated_at);
    assert_eq!((renamed.id, renamed.created_at), (emma.id, emma.created_at));

    let mut update = retitle(&renamed, "Emma again");
    update.stock = Stock::new(9).ok();
    let Changed { before, after: both } =
        store.update_book(emma.id, 2, update).await.expect("updated");
    assert_eq!(before, renamed);
    assert_eq!((both.version, both.stock_version, both.stock.count()), (3, 2, 9));
    assert_eq!(store.book(emma.id).await.expect("read").0, Some(both));
}

/// A stock that was counted is no edit of the book.
pub async fn a_counted_stock_leaves_the_version(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let update = BookUpdate { content: None, stock: Stock::new(0).ok(), updated_at: epoch() };
    let counted = store.update_book(emma.id, 1, update).await.expect("updated").after;
    let expected = Book { stock: Stock::default(), stock_version: 2, ..Book::clone(&emma) };
    assert_eq!(*counted, expected);
}

/// A write for another version than the current one changes nothing and says the current one.
pub async fn a_stale_write_conflicts(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let renamed = rename(&*store, &emma, "Emma, revised").await;
    for stale in [1, 3] {
        let update = store.update_book(emma.id, stale, retitle(&emma, "Lost")).await;
        assert!(matches!(update, Err(BookWriteError::VersionConflict { current: 2 })));
        let delete = store.delete_book(emma.id, Some(stale)).await;
        assert!(matches!(delete, Err(BookWriteError::VersionConflict { current: 2 })));
    }
    assert_eq!(store.book(emma.id).await.expect("read").0, Some(renamed));
}

/// Writes of a book that is not there say so.
pub async fn a_missing_book_cannot_be_written(store: Arc<dyn Store>) {
    let emma = any_book();
    let update = store.update_book(emma.id, 1, retitle(&emma, "Lost")).await;
    assert!(matches!(update, Err(BookWriteError::NotFound)));
    assert!(matches!(store.adjust_stock(emma.id, 1).await, Err(BookWriteError::NotFound)));
    assert!(matches!(store.delete_book(emma.id, None).await, Err(BookWriteError::NotFound)));
    assert!(matches!(store.delete_book(emma.id, Some(1)).await, Err(BookWriteError::NotFound)));
}

/// Stock moves without an edit of the book, and never below zero or above the limit.
pub async fn stock_moves_by_deltas_within_its_range(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let sold = store.adjust_stock(emma.id, -5).await.expect("sold");
    let expected = Book { stock: Stock::default(), stock_version: 2, ..Book::clone(&emma) };
    assert_eq!(*sold, expected);
    for (delta, have) in [(-1, 0), (i64::from(Stock::MAX) + 1, 0), (i64::MIN, 0), (i64::MAX, 0)] {
        let refused = store.adjust_stock(emma.id, delta).await;
        let is_right = matches!(refused, Err(BookWriteError::StockOutOfRange { stock, delta: of })
            if stock.count() == have && of == delta);
        assert!(is_right, "{refused:?}");
    }
    let filled = store.adjust_stock(emma.id, Stock::MAX.into()).await.expect("filled");
    assert_eq!((filled.stock.count(), filled.stock_version), (Stock::MAX, 3));
}

/// A deleted book is returned as it was last, and is nowhere any more.
pub async fn a_deleted_book_is_gone(store: Arc<dyn Store>) {
    let emma = insert(&*store, any_book()).await;
    let other = insert(&*store, book("Ulysses", "James Joyce", 1)).await;
    let last = store.delete_book(emma.id, Some(1)).await.expect("deleted");
    assert_eq!(last, emma);
    assert_eq!(store.book(emma.id).await.expect("read").0, None);
    let page = store.books(&Default::default()).await.expect("listed");
    assert_eq!((page.books, page.total.count), (vec![other], 1));
    assert!(matches!(store.delete_book(emma.id, None).await, Err(BookWriteError::NotFound)));
}

/// Two books never have the same ISBN, and the second one is told whose it is.
pub async fn an_isbn_belongs_to_one_book(store: Arc<dyn Store>) {
    let first = insert(&*store, with_isbn(any_book(), Some(isbn(1)))).await;
    let second = insert(&*store, with_isbn(any_book(), Some(isbn(2)))).await;
    insert(&*store, with_isbn(any_book(), None)).await;
    insert(&*store, with_isbn(any_book(), None)).await;
    let is_first = |error: &BookWriteError| {
        matches!(error, BookWriteError::IsbnTaken { isbn: taken, book }
            if *taken == isbn(1) && *book == first.id)
    };
    let third = store.insert_book(with_isbn(any_book(), Some(isbn(1)))).await.expect_err("taken");
    assert!(is_first(&third), "{third:?}");
    let update = isbn_update(&second, Some(isbn(1)));
    let moved = store.update_book(second.id, 1, update).await.expect_err("taken");
    assert!(is_first(&moved), "{moved:?}");
    assert_eq!(store.book(second.id).await.expect("read").0, Some(second));
    // Its own ISBN does not stand in a book's way.
    rename(&*store, &first, "Emma, revised").await;
    assert_eq!(store.books(&Default::default()).await.expect("listed").total.count, 4);
}

/// Those of several ISBNs that books have, as they are now.
pub async fn books_are_found_by_their_isbns(store: Arc<dyn Store>) {
    let mut books = Vec::new();
    for number in 1..=3 {
        let mut book = book("Numbered", "Somebody", 0);
        book.content.isbn = Some(isbn(number));
        books.push(insert(&*store, book).await);
    }
    insert(&*store, any_book()).await;
    store.delete_book(books[1].id, None).await.expect("deleted");
    let renamed = rename(&*store, &books[2], "Renamed").await;
    let asked = [3, 2, 9, 1].map(isbn);
    let mut found = store.books_by_isbn(&asked).await.expect("books");
    found.sort_unstable_by_key(|book| book.content.isbn);
    assert_eq!(found, [Arc::clone(&books[0]), renamed]);
    assert_eq!(store.books_by_isbn(&[]).await.expect("books"), []);
}

/// An ISBN can be used again when its book was deleted, got another one, or has none any more.
pub async fn an_isbn_is_free_again_when_its_book_gives_it_up(store: Arc<dyn Store>) {
    let deleted = insert(&*store, with_isbn(any_book(), Some(isbn(1)))).await;
    let changed = insert(&*store, with_isbn(any_book(), Some(isbn(2)))).await;
    let without = insert(&*store, with_isbn(any_book(), Some(isbn(3)))).await;
    store.delete_book(deleted.id, None).await.expect("deleted");
    let update = isbn_update(&changed, Some(isbn(4)));
    store.update_book(changed.id, 1, update).await.expect("updated");
    store.update_book(without.id, 1, isbn_update(&without, None)).await.expect("updated");
    for number in [1, 2, 3] {
        insert(&*store, with_isbn(any_book(), Some(isbn(number)))).await;
    }
    let taken = store.insert_book(with_isbn(any_book(), Some(isbn(4)))).await;
    assert!(matches!(taken, Err(BookWriteError::IsbnTaken { .. })));
}

/// Of many books each is a write of its own; the answers stand in their order.
pub async fn many_books_succeed_or_fail_one_by_one(store: Arc<dyn Store>) {
    let books: Vec<_> = [1, 2, 1, 3].map(|number| with_isbn(any_book(), Some(isbn(number)))).into();
    let results = store.insert_books(books.clone()).await.expect("inserted");
    assert_eq!(results.len(), 4);
    for (index, (result, book)) in results.iter().zip(&books).enumerate() {
        match result {
            Ok(created) => assert_eq!(**created, *book),
            Err(BookWriteError::IsbnTaken { .. }) => assert_eq!(index, 2),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(store.books(&Default::default()).await.expect("listed").total.count, 3);
    assert!(store.insert_books(Vec::new()).await.expect("inserted").is_empty());
}

/// Genres that differ in spelling only are one shelf; empty shelves are not listed.
pub async fn genres_are_counted_by_shelf(store: Arc<dyn Store>) {
    assert!(store.genres().await.expect("genres").is_empty());
    let mut last = None;
    for genre in ["Sci-Fi", "sci fi", "Fantasy", "SCI–FI", "Épopée", "Horror"] {
        let mut book = any_book();
        book.content.genre = Genre::new(genre).expect("a genre");
        last = Some(insert(&*store, book).await);
    }
    let horror = last.expect("a book");
    store.delete_book(horror.id, None).await.expect("deleted");
    let genres = store.genres().await.expect("genres");
    let counts: Vec<_> = genres.iter().map(|shelf| shelf.count).collect();
    assert_eq!(counts, [1, 1, 3]);
    assert_eq!((genres[0].genre.as_str(), genres[1].genre.as_str()), ("Épopée", "Fantasy"));
    assert!(["Sci-Fi", "sci fi", "SCI–FI"].contains(&genres[2].genre.as_str()));
}

/// Whatever moves the stock of a book: it is among those that are soon sold out or it is not.
pub async fn what_is_soon_sold_out_is_found(store: Arc<dyn Store>) {
    assert_eq!(store.low_stock(10).await.expect("found"), LowStock::default());
    let stocked = |title: &str, stock: u32| Book {
        stock: Stock::new(stock.into()).expect("a stock"),
        ..book(title, "Jane Austen", 0)
    };
    let full = insert(&*store, stocked("Emma", Stock::LOW + 1)).await;
    let low = insert(&*store, stocked("Persuasion", Stock::LOW)).await;
    let results = store.insert_books(vec![stocked("Émile", 0), stocked("Sanditon", 0)]).await;
    let none: Vec<_> =
        results.expect("inserted").into_iter().map(|book| book.expect("a book")).collect();
    found(&*store, &[none[0].id, none[1].id, low.id]).await;
    let first = store.low_stock(1).await.expect("found");
    assert_eq!((first.books, first.count), (vec![Arc::clone(&none[0])], 3));

    // Sold, delivered, counted and given another title.
    let sold = store.adjust_stock(full.id, -2).await.expect("moved");
    found(&*store, &[none[0].id, none[1].id, sold.id, low.id]).await;
    store.adjust_stock(low.id, 1).await.expect("moved");
    let renamed = rename(&*store, &none[0], "Vanity Fair").await;
    found(&*store, &[none[1].id, renamed.id, sold.id]).await;
    let counted = BookUpdate { content: None, stock: Stock::new(1).ok(), updated_at: epoch() };
    store.update_book(low.id, low.version, counted).await.expect("counted");
    store.delete_book(none[1].id, None).await.expect("deleted");
    found(&*store, &[renamed.id, low.id, sold.id]).await;
}

/// Sees to it that these books, as they are now, and no others are soon sold out.
async fn found(store: &dyn Store, expected: &[BookId]) {
    let mut books = Vec::new();
    for id in expected {
        books.extend(store.book(*id).await.expect("read").0);
    }
    let low = LowStock { count: expected.len() as u64, books };
    assert_eq!(store.low_stock(10).await.expect("found"), low);
}

pub(super) fn with_isbn(mut book: Book, isbn: Option<Isbn>) -> Book {
    book.content.isbn = isbn;
    book
}

fn isbn_update(book: &Book, isbn: Option<Isbn>) -> BookUpdate {
    let content = BookContent { isbn, ..book.content.clone() };
    BookUpdate { content: Some(content), stock: None, updated_at: book.updated_at }
}
