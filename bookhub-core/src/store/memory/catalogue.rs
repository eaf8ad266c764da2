//! All books with their indexes, as one value that is cheap to clone. Must not know how a change
//! becomes known.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};

use super::{
    entry::{Entry, TextKey},
    sorted::Sorted,
    terms::Terms,
};
use crate::{
    book::{Book, BookContent, BookId},
    error::{BookWriteError, StoreError},
    isbn::Isbn,
    query::{GenreCount, LowStock},
};

/// The books.
#[derive(Clone, Default)]
pub(super) struct Catalogue {
    /// Books by slot.
    records: Vector<Option<Arc<Record>>>,
    /// Slots that are not in use.
    free: Vector<u32>,
    slots: OrdMap<BookId, u32>,
    /// Those that are soon sold out, by their copies and titles.
    low: OrdSet<Entry<(u32, TextKey)>>,
    pub(super) sorted: Sorted,
    pub(super) terms: Terms,
}

/// A book with what it is sorted by.
pub(super) struct Record {
    pub(super) book: Arc<Book>,
    pub(super) title: TextKey,
    pub(super) author: TextKey,
}

impl Record {
    fn new(book: Arc<Book>) -> Self {
        let title = TextKey::of(book.content.title.as_str());
        let author = TextKey::of(book.content.author.as_str());
        Self { book, title, author }
    }

    /// Where it stands among those that are soon sold out, if it is one of them.
    fn low(&self, slot: u32) -> Option<Entry<(u32, TextKey)>> {
        let stock = self.book.stock;
        let entry = || Entry { key: (stock.count(), self.title.clone()), id: self.book.id, slot };
        stock.is_low().then(entry)
    }
}

impl Catalogue {
    /// How many books there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The book `id`.
    pub(super) fn book(&self, id: BookId) -> Option<&Arc<Book>> {
        let slot = self.slots.get(&id)?;
        self.record(*slot).map(|record| &record.book)
    }

    pub(super) fn by_isbn(&self, isbn: Isbn) -> Option<&Arc<Book>> {
        self.record(self.terms.by_isbn(isbn)?).map(|record| &record.book)
    }

    /// What is in a slot.
    pub(super) fn record(&self, slot: u32) -> Option<&Arc<Record>> {
        self.records.get(slot as usize)?.as_ref()
    }

    /// The genres, by key.
    pub(super) fn genres(&self) -> Vec<GenreCount> {
        let genre = |slot| Some(self.record(slot)?.book.content.genre.clone());
        let counts = self.terms.genres();
        counts.filter_map(|(count, one)| Some(GenreCount { genre: genre(one)?, count })).collect()
    }

    /// The books that are soon sold out, the fewest copies first.
    pub(super) fn low_stock(&self, most: usize) -> LowStock {
        let books = self.low.iter().filter_map(|entry| Some(&self.record(entry.slot)?.book));
        LowStock { books: books.take(most).cloned().collect(), count: self.low.len() as u64 }
    }

    /// Adds books, each if its ISBN is free.
    pub(super) fn insert(&mut self, books: Vec<Book>) -> Vec<Result<Arc<Book>, BookWriteError>> {
        let mut added = Vec::with_capacity(books.len());
        let results = books.into_iter().map(|book| {
            self.check_isbn(book.content.isbn, None)?;
            let slot = self.take_slot()?;
            let record = Arc::new(Record::new(Arc::new(book)));
            let book = Arc::clone(&record.book);
            self.slots.insert(book.id, slot);
            self.terms.claim(book.content.isbn, slot);
            self.low.extend(record.low(slot));
            self.records.set(slot as usize, Some(Arc::clone(&record)));
            added.push((slot, record));
            Ok(book)
        });
        let results = results.collect();
        self.sorted.insert(&added);
        self.terms.insert(added.iter().map(|(slot, record)| (&record.book.content, *slot)));
        results
    }

    /// Puts `book` in the place of the one with its id, if its ISBN is free.
    pub(super) fn replace(&mut self, book: Book) -> Result<Arc<Book>, BookWriteError> {
        let (slot, old) = self.find(book.id)?;
        let same_content = book.content == old.book.content;
        let record = if same_content {
            // A sale touches no index but that of what is soon sold out.
            let (title, author) = (old.title.clone(), old.author.clone());
            Record { book: Arc::new(book), title, author }
        } else {
            self.check_isbn(book.content.isbn, Some(slot))?;
            let record = Record::new(Arc::new(book));
            self.sorted.replace(&old, &record, slot);
            if !same_terms(&old.book.content, &record.book.content) {
                self.terms.remove(&old.book.content, slot);
                self.terms.claim(record.book.content.isbn, slot);
                self.terms.insert([(&record.book.content, slot)].into_iter());
            }
            record
        };
        let (was_low, is_low) = (old.low(slot), record.low(slot));
        if was_low != is_low {
            was_low.and_then(|entry| self.low.remove(&entry));
            self.low.extend(is_low);
        }
        let book = Arc::clone(&record.book);
        self.records.set(slot as usize, Some(Arc::new(record)));
        Ok(book)
    }

    /// Removes the book `id`.
    pub(super) fn remove(&mut self, id: BookId) -> Result<Arc<Book>, BookWriteError> {
        let (slot, old) = self.find(id)?;
        self.slots.remove(&id);
        self.sorted.remove(&old, slot);
        self.terms.remove(&old.book.content, slot);
        old.low(slot).and_then(|entry| self.low.remove(&entry));
        self.records.set(slot as usize, None);
        self.free.push_back(slot);
        Ok(Arc::clone(&old.book))
    }

    /// A slot that is not in use.
    fn take_slot(&mut self) -> Result<u32, StoreError> {
        if let Some(slot) = self.free.pop_back() {
            return Ok(slot);
        }
        let slot = u32::try_from(self.records.len());
        let slot = slot.map_err(|_| StoreError::Full("it has 2^32 books".to_owned()))?;
        self.records.push_back(None);
        Ok(slot)
    }

    fn find(&self, id: BookId) -> Result<(u32, Arc<Record>), BookWriteError> {
        let slot = *self.slots.get(&id).ok_or(BookWriteError::NotFound)?;
        let record = self.record(slot).ok_or(BookWriteError::NotFound)?;
        Ok((slot, Arc::clone(record)))
    }

    /// Refuses an ISBN that a book in another slot has.
    fn check_isbn(&self, isbn: Option<Isbn>, own: Option<u32>) -> Result<(), BookWriteError> {
        let Some(isbn) = isbn else { return Ok(()) };
        match self.terms.by_isbn(isbn).filter(|slot| Some(*slot) != own) {
            Some(slot) => {
                let book = self.record(slot).ok_or(BookWriteError::NotFound)?.book.id;
                Err(BookWriteError::IsbnTaken { isbn, book })
            }
            None => Ok(()),
        }
    }
}

/// Whether two states of a book are found by the same queries.
fn same_terms(one: &BookContent, other: &BookContent) -> bool {
    (&one.title, &one.author, &one.genre, one.year, one.isbn)
        == (&other.title, &other.author, &other.genre, other.year, other.isbn)
}
