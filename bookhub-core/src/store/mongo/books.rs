//! The store's books, in MongoDB.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use futures_util::{TryStreamExt as _, future::try_join};
use mongodb::{
    bson::{Bson, Document, deserialize_from_document, doc},
    error::ErrorKind,
    options::ReturnDocument,
};
use serde::Deserialize;

use super::{MongoStore, by_id, documents, error, query};
use crate::{
    book::{Book, BookId, Genre, Stock},
    change::{ChangeKind, Position},
    error::{BookWriteError, StoreError},
    isbn::Isbn,
    query::{BookPage, BookQuery, Cursor, GenreCount, LowStock, Total},
    search::GenreKey,
    store::{BookStore, BookUpdate, Changed},
};

/// Up to how many hits of a search are counted.
const MOST_COUNTED: u64 = 10_000;

/// How many books are sent to the server at once.
const BATCH: usize = 1_000;

#[async_trait]
impl BookStore for MongoStore {
    async fn book(&self, id: BookId) -> Result<(Option<Arc<Book>>, Position), StoreError> {
        let position = self.feed.seen();
        Ok((self.current(id).await?.map(Arc::new), position))
    }

    async fn books_by_id(&self, ids: &[BookId]) -> Result<Vec<Arc<Book>>, StoreError> {
        let ids = ids.iter().map(|id| documents::uuid(id.uuid()).into());
        self.those("_id", ids.collect()).await
    }

    async fn books_by_isbn(&self, isbns: &[Isbn]) -> Result<Vec<Arc<Book>>, StoreError> {
        let isbns = isbns.iter().map(|isbn| isbn.to_string().into());
        self.those("isbn", isbns.collect()).await
    }

    async fn books(&self, query: &BookQuery) -> Result<BookPage, StoreError> {
        // What has been seen in the feed before the read is in what is read.
        let position = self.feed.seen();
        let filter = query::filter(query);
        let (books, most) = (self.books(), query.limit().get());
        let asked = (query::page_filter(&filter, query), query::order(query));
        // One more than the page has tells whether there is another.
        let page =
            self.first(&books, asked, most + 1, |raw| documents::readable(raw).map(Arc::new));
        let (mut books, total) = try_join(page, self.total(query, filter)).await?;
        let more = books.len() > most;
        books.truncate(most);
        let last = books.last().filter(|_| more);
        let next = last.map(|book| Cursor::behind(book, query.sort()));
        Ok(BookPage { books, total, next, position })
    }

    async fn genres(&self) -> Result<Vec<GenreCount>, StoreError> {
        #[derive(Deserialize)]
        struct Spelling {
            #[serde(rename = "_id")]
            genre: Genre,
            count: i64,
        }
        // Spellings are few; what is one shelf is not for the database to say.
        let spellings = [
            doc! { "$sort": { "genre": 1 } },
            doc! { "$group": { "_id": "$genre", "count": { "$sum": 1_i64 } } },
        ];
        let books = self.books();
        let found =
            async { books.aggregate(spellings).await?.try_collect::<Vec<Document>>().await };
        let mut shelves = BTreeMap::<GenreKey, GenreCount>::new();
        let found = self.answer(found).await?;
        // What is no genre is no shelf.
        let found = found.into_iter().filter_map(|found| deserialize_from_document(found).ok());
        for Spelling { genre, count } in found {
            let shelf = shelves.entry(GenreKey::of(&genre));
            let shelf = shelf.or_insert_with(|| GenreCount { genre: genre.clone(), count: 0 });
            shelf.count += u64::try_from(count).unwrap_or(0);
            if genre.as_str() < shelf.genre.as_str() {
                shelf.genre = genre;
            }
        }
        Ok(shelves.into_values().collect())
    }

    async fn low_stock(&self, most: usize) -> Result<LowStock, StoreError> {
        let (books, low) = (self.books(), doc! { "stock": { "$lte": i64::from(Stock::LOW) } });
        let asked = (low.clone(), doc! { "stock": 1, "titleKey": 1, "_id": 1 });
        let first = self.first(&books, asked, most, |raw| documents::readable(raw).map(Arc::new));
        let count = async { books.count_documents(low).limit(MOST_COUNTED).await };
        let (books, count) = try_join(first, self.answer(count)).await?;
        Ok(LowStock { books, count })
    }

    async fn insert_book(&self, book: Book) -> Result<Arc<Book>, BookWriteError> {
        let store = self.clone();
        self.write(async move { created(store.insert(&book).await?) }).await
    }

    async fn insert_books(
        &self,
        books: Vec<Book>,
    ) -> Result<Vec<Result<Arc<Book>, BookWriteError>>, StoreError> {
        let mut results = Vec::with_capacity(books.len());
        let mut books = books.into_iter();
        while books.len() > 0 {
            let (store, batch) = (self.clone(), books.by_ref().take(BATCH).collect::<Vec<_>>());
            results.extend(self.write(async move { store.insert_batch(&batch).await }).await?);
        }
        Ok(results)
    }

    async fn update_book(
        &self,
        id: BookId,
        expected: u64,
        update: BookUpdate,
    ) -> Result<Changed<Book>, BookWriteError> {
        let store = self.clone();
        self.write(async move {
            let changed = store.update(id, expected, update).await?;
            let told = ChangeKind::BookUpdated(Arc::clone(&changed.after));
            Ok((changed, vec![told]))
        })
        .await
    }

    async fn adjust_stock(&self, id: BookId, delta: i64) -> Result<Arc<Book>, BookWriteError> {
        let store = self.clone();
        self.write(async move { updated(store.move_stock(id, delta).await?) }).await
    }

    async fn delete_book(
        &self,
        id: BookId,
        expected: Option<u64>,
    ) -> Result<Arc<Book>, BookWriteError> {
        let store = self.clone();
        self.write(async move {
            let book = store.delete(id, expected).await?;
            Ok((Arc::new(book), vec![ChangeKind::BookDeleted(id)]))
        })
        .await
    }
}

type Written<T, E> = Result<(T, Vec<ChangeKind>), E>;

fn created(book: Book) -> Written<Arc<Book>, BookWriteError> {
    let book = Arc::new(book);
    Ok((Arc::clone(&book), vec![ChangeKind::BookCreated(book)]))
}

fn updated(book: Book) -> Written<Arc<Book>, BookWriteError> {
    let book = Arc::new(book);
    Ok((Arc::clone(&book), vec![ChangeKind::BookUpdated(book)]))
}

impl MongoStore {
    async fn current(&self, id: BookId) -> Result<Option<Book>, StoreError> {
        let raw = self.answer(self.books().find_one(by_id(id.uuid()))).await?;
        raw.map(|raw| documents::book(&raw)).transpose()
    }

    /// Those books of which a field has one of these values; one that makes no sense is as good as none.
    async fn those(&self, field: &str, values: Vec<Bson>) -> Result<Vec<Arc<Book>>, StoreError> {
        let (books, many) = (self.books(), values.len());
        let filter = doc! { field: { "$in": values } };
        let found = async { books.find(filter).await?.try_collect::<Vec<_>>().await };
        Ok(self
            .answer_about(many, found)
            .await?
            .iter()
            .filter_map(documents::readable)
            .map(Arc::new)
            .collect())
    }

    async fn total(&self, query: &BookQuery, filter: Document) -> Result<Total, StoreError> {
        let books = self.books();
        if filter.is_empty() {
            let count = async { books.estimated_document_count().await };
            return Ok(Total::exactly(self.answer(count).await?));
        }
        if query.search().is_none() {
            let count = async { books.count_documents(filter).await };
            return Ok(Total::exactly(self.answer(count).await?));
        }
        let count = async { books.count_documents(filter).limit(MOST_COUNTED + 1).await };
        let count = self.answer(count).await?;
        Ok(Total { count: count.min(MOST_COUNTED), exact: count <= MOST_COUNTED })
    }

    async fn insert(&self, book: &Book) -> Result<Book, BookWriteError> {
        let document = documents::of_book(book)?;
        match self.outcome(self.books().insert_one(&document)).await? {
            Ok(_) => Ok(documents::book(&document)?),
            Err(failure) if error::is_duplicate(&failure) => {
                Err(self.isbn_taken(book.id, book.content.isbn).await?)
            }
            Err(failure) => Err(error::of_store(failure).into()),
        }
    }

    async fn insert_batch(
        &self,
        books: &[Book],
    ) -> Written<Vec<Result<Arc<Book>, BookWriteError>>, StoreError> {
        let documents = books.iter().map(documents::of_book).collect::<Result<Vec<_>, _>>()?;
        // Not ordered: one that fails does not keep those behind it out. They are still written one
        // after the other.
        let sent = async { self.books().insert_many(&documents).ordered(false).await };
        let mut failed = HashMap::new();
        match self.outcome_about(books.len(), sent).await? {
            Ok(_) => {}
            Err(failure) => match *failure.kind {
                ErrorKind::InsertMany(ref many) if many.write_concern_error.is_none() => {
                    for write in many.write_errors.iter().flatten() {
                        let Some(book) = books.get(write.index) else { continue };
                        let problem = match error::is_duplicate_code(write.code) {
                            true => self.isbn_taken(book.id, book.content.isbn).await?,
                            false => StoreError::unavailable(write.message.clone()).into(),
                        };
                        failed.insert(write.index, problem);
                    }
                }
                _ => return Err(error::of_store(failure)),
            },
        }
        let (mut results, mut changes) = (Vec::new(), Vec::new());
        for (index, document) in documents.into_iter().enumerate() {
            results.push(match failed.remove(&index) {
                Some(problem) => Err(problem),
                None => {
                    let book = Arc::new(documents::book(&document)?);
                    changes.push(ChangeKind::BookCreated(Arc::clone(&book)));
                    Ok(book)
                }
            });
        }
        Ok((results, changes))
    }

    async fn update(
        &self,
        id: BookId,
        expected: u64,
        mut update: BookUpdate,
    ) -> Result<Changed<Book>, BookWriteError> {
        // As precise as it is kept.
        update.updated_at = documents::timestamp(documents::date(update.updated_at));

        let (mut set, mut unset, mut add) = (doc! {}, doc! {}, doc! {});
        let isbn = update.content.as_ref().and_then(|content| content.isbn);
        if let Some(content) = &update.content {
            (set, unset) = documents::content_update(content);
            set.insert("updatedAt", documents::date(update.updated_at));
            add.insert("version", 1_i64);
        }
        if let Some(stock) = update.stock {
            set.insert("stock", i64::from(stock.count()));
            add.insert("stockVersion", 1_i64);
        }
        let change = [("$set", set), ("$unset", unset), ("$inc", add)];
        let change = change.into_iter().filter(|(_, fields)| !fields.is_empty());
        let change: Document =
            change.map(|(name, fields)| (name.to_owned(), fields.into())).collect();
        let mut filter = by_id(id.uuid());
        filter.insert("version", version(expected));
        let changed = async { self.books().find_one_and_update(filter, change).await };
        match self.outcome(changed).await? {
            Ok(Some(raw)) => {
                let before = documents::book(&raw)?;
                let after = update.applied_to(&before).into();
                Ok(Changed { before: before.into(), after })
            }
            Ok(None) => Err(self.conflict(id, expected).await?),
            Err(failure) if error::is_duplicate(&failure) => Err(self.isbn_taken(id, isbn).await?),
            Err(failure) => Err(error::of_store(failure).into()),
        }
    }

    async fn move_stock(&self, id: BookId, delta: i64) -> Result<Book, BookWriteError> {
        let most = i64::from(Stock::MAX);
        let mut filter = by_id(id.uuid());
        filter.insert(
            "stock",
            doc! {
                "$gte": delta.checked_neg().unwrap_or(i64::MAX).max(0),
                "$lte": most.saturating_sub(delta).min(most),
            },
        );
        let change = doc! { "$inc": { "stock": delta, "stockVersion": 1_i64 } };
        let books = self.books();
        let moved = books.find_one_and_update(filter, change);
        match self.answer(moved.return_document(ReturnDocument::After)).await? {
            Some(raw) => Ok(documents::book(&raw)?),
            None => match self.current(id).await? {
                Some(book) => Err(BookWriteError::StockOutOfRange { stock: book.stock, delta }),
                None => Err(BookWriteError::NotFound),
            },
        }
    }

    async fn delete(&self, id: BookId, expected: Option<u64>) -> Result<Book, BookWriteError> {
        // One that makes no sense could not be returned: it is refused, and not gone all the same.
        self.current(id).await?.ok_or(BookWriteError::NotFound)?;
        let mut filter = by_id(id.uuid());
        if let Some(expected) = expected {
            filter.insert("version", version(expected));
        }
        let deleted = self.answer(self.books().find_one_and_delete(filter)).await?;
        match (deleted, expected) {
            (Some(raw), _) => Ok(documents::book(&raw)?),
            (None, Some(expected)) => Err(self.conflict(id, expected).await?),
            (None, None) => Err(BookWriteError::NotFound),
        }
    }

    /// Why nothing was found to write.
    async fn conflict(&self, id: BookId, expected: u64) -> Result<BookWriteError, StoreError> {
        Ok(match self.current(id).await? {
            // It became what was expected after the write had looked: to the caller, a moment later.
            Some(book) if book.version == expected => {
                StoreError::unavailable("the book was changed back and forth while it was written")
                    .into()
            }
            Some(book) => BookWriteError::VersionConflict { current: book.version },
            None => BookWriteError::NotFound,
        })
    }

    /// Whose the ISBN is that a unique index has refused.
    async fn isbn_taken(
        &self,
        id: BookId,
        isbn: Option<Isbn>,
    ) -> Result<BookWriteError, StoreError> {
        let Some(isbn) = isbn else {
            return Err(StoreError::Corrupt(format!("there is a book {id} already")));
        };
        let other = doc! { "isbn": isbn.to_string(), "_id": { "$ne": documents::uuid(id.uuid()) } };
        let owner = self.answer(self.books().find_one(other)).await?;
        let owner = owner.map(|raw| documents::book(&raw)).transpose()?;
        // It has given the number up meanwhile; it was taken all the same.
        Ok(BookWriteError::IsbnTaken { isbn, book: owner.map_or(id, |book| book.id) })
    }
}

fn version(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
