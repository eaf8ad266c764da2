//! The store's books, in memory.

use std::sync::Arc;

use async_trait::async_trait;

use super::{MemoryStore, plan, state::State};
use crate::{
    book::{Book, BookId, Stock},
    change::{ChangeKind, Position},
    error::{BookWriteError, StoreError},
    isbn::Isbn,
    query::{BookPage, BookQuery, GenreCount, LowStock},
    store::{BookStore, BookUpdate, Changed},
};

/// How many books are put under their terms together.
const BATCH: usize = 20_000;

#[async_trait]
impl BookStore for MemoryStore {
    async fn book(&self, id: BookId) -> Result<(Option<Arc<Book>>, Position), StoreError> {
        let state = self.snapshot();
        Ok((state.catalogue.book(id).cloned(), state.history.head()))
    }

    async fn books_by_id(&self, ids: &[BookId]) -> Result<Vec<Arc<Book>>, StoreError> {
        let state = self.snapshot();
        Ok(ids.iter().filter_map(|id| state.catalogue.book(*id).cloned()).collect())
    }

    async fn books_by_isbn(&self, isbns: &[Isbn]) -> Result<Vec<Arc<Book>>, StoreError> {
        let state = self.snapshot();
        Ok(isbns.iter().filter_map(|isbn| state.catalogue.by_isbn(*isbn).cloned()).collect())
    }

    async fn books(&self, query: &BookQuery) -> Result<BookPage, StoreError> {
        Ok(plan::page(&self.snapshot(), query))
    }

    async fn genres(&self) -> Result<Vec<GenreCount>, StoreError> {
        Ok(self.snapshot().catalogue.genres())
    }

    async fn low_stock(&self, most: usize) -> Result<LowStock, StoreError> {
        Ok(self.snapshot().catalogue.low_stock(most))
    }

    async fn insert_book(&self, book: Book) -> Result<Arc<Book>, BookWriteError> {
        self.write(|state| insert(state, vec![book]).remove(0))
    }

    async fn insert_books(
        &self,
        books: Vec<Book>,
    ) -> Result<Vec<Result<Arc<Book>, BookWriteError>>, StoreError> {
        // One state for all of them: each node of it is copied once, not once for each book.
        self.write(|state| {
            let (mut books, mut results) = (books.into_iter(), Vec::new());
            while books.len() > 0 {
                results.extend(insert(state, books.by_ref().take(BATCH).collect()));
            }
            Ok(results)
        })
    }

    async fn update_book(
        &self,
        id: BookId,
        expected: u64,
        update: BookUpdate,
    ) -> Result<Changed<Book>, BookWriteError> {
        self.write(|state| {
            let before = current(state, id, Some(expected))?;
            let after = replace(state, update.applied_to(&before))?;
            Ok(Changed { before, after })
        })
    }

    async fn adjust_stock(&self, id: BookId, delta: i64) -> Result<Arc<Book>, BookWriteError> {
        self.write(|state| {
            let book = current(state, id, None)?;
            let moved = book.stock.moved_by(delta);
            let refused = BookWriteError::StockOutOfRange { stock: book.stock, delta };
            set_stock(state, &book, moved.ok_or(refused)?)
        })
    }

    async fn delete_book(
        &self,
        id: BookId,
        expected: Option<u64>,
    ) -> Result<Arc<Book>, BookWriteError> {
        self.write(|state| {
            current(state, id, expected)?;
            let book = state.catalogue.remove(id)?;
            state.history.record(ChangeKind::BookDeleted(id));
            Ok(book)
        })
    }
}

/// The book `id` to be changed, if its version is as expected.
fn current(state: &State, id: BookId, expected: Option<u64>) -> Result<Arc<Book>, BookWriteError> {
    let book = state.catalogue.book(id).ok_or(BookWriteError::NotFound)?;
    if expected.is_some_and(|expected| expected != book.version) {
        return Err(BookWriteError::VersionConflict { current: book.version });
    }
    Ok(Arc::clone(book))
}

fn insert(state: &mut State, books: Vec<Book>) -> Vec<Result<Arc<Book>, BookWriteError>> {
    let results = state.catalogue.insert(books);
    for book in results.iter().flatten() {
        state.history.record(ChangeKind::BookCreated(Arc::clone(book)));
    }
    results
}

/// Moves the stock of a book as it is, and says so.
pub(super) fn set_stock(
    state: &mut State,
    book: &Book,
    stock: Stock,
) -> Result<Arc<Book>, BookWriteError> {
    let stock_version = book.stock_version + 1;
    replace(state, Book { stock, stock_version, ..book.clone() })
}

fn replace(state: &mut State, book: Book) -> Result<Arc<Book>, BookWriteError> {
    let book = state.catalogue.replace(book)?;
    state.history.record(ChangeKind::BookUpdated(Arc::clone(&book)));
    Ok(book)
}
