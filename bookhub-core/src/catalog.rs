//! The catalogue: the rules by which books are listed, made, changed and removed.
//! Must not know who asks or how books are kept.

use std::sync::Arc;

use crate::{
    audit::{Action, Actor, AuditEntry, Trail, differences},
    book::{Book, BookDraft, BookId, BookPatch, StockAdjustment},
    change::Position,
    clock::Clock,
    error::{BookWriteError, CatalogError},
    isbn::Isbn,
    query::{BookPage, BookQuery, GenreCount},
    store::{BookUpdate, Changed, Store},
};

/// How often an edit without an expected version is tried again when others edit the same book.
const MOST_TRIES: usize = 100;

/// Of how many new books at most the audit trail is written at once.
const BATCH: usize = 10_000;

/// The books of the shop. Cheap to clone. Each change of them is in the audit trail.
///
/// ```
/// use bookhub_core::{BookDraft, BookPatch, BookQuery, Catalog, CatalogError, MemoryStore};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), CatalogError> {
/// let catalog = Catalog::new(MemoryStore::shared());
///
/// let json = json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199});
/// let emma = catalog.create(BookDraft::from_json(json.as_object().unwrap())?).await?;
///
/// let cheaper = BookPatch::from_json(json!({"price": 149.5}).as_object().unwrap())?;
/// let edited = catalog.update(emma.id, &cheaper, Some(emma.version)).await?;
/// assert_eq!(edited.version, 2);
///
/// let stale = catalog.update(emma.id, &cheaper, Some(emma.version)).await;
/// assert!(matches!(stale, Err(CatalogError::VersionConflict { current: 2 })));
///
/// let found = catalog.list(&BookQuery::parse([("q", "aust")])?).await?;
/// assert_eq!(found.books, [edited]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Catalog {
    store: Arc<dyn Store>,
    clock: Clock,
    trail: Trail,
}

impl Catalog {
    /// The catalogue in `store`, by the clock of this machine.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_clock(store, Clock::system())
    }

    /// The catalogue in `store`, by this clock.
    #[must_use]
    pub fn with_clock(store: Arc<dyn Store>, clock: Clock) -> Self {
        let trail = Trail::new(store.clone(), clock.clone());
        Self { store, clock, trail }
    }

    /// The same catalogue as `actor` changes it; else the shop itself does.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        Self { trail: self.trail.by(actor), ..self.clone() }
    }

    /// One page of the books that `query` asks for.
    pub async fn list(&self, query: &BookQuery) -> Result<BookPage, CatalogError> {
        Ok(self.store.books(query).await?)
    }

    /// The book `id`, and a position up to which every change is included in it.
    pub async fn get(&self, id: BookId) -> Result<(Arc<Book>, Position), CatalogError> {
        match self.store.book(id).await? {
            (Some(book), position) => Ok((book, position)),
            (None, _) => Err(CatalogError::NotFound(id)),
        }
    }

    /// The genres and how many books each has, in the order of their keys.
    pub async fn genres(&self) -> Result<Vec<GenreCount>, CatalogError> {
        Ok(self.store.genres().await?)
    }

    /// The books that have one of these ISBNs, in whatever order.
    pub async fn by_isbn(&self, isbns: &[Isbn]) -> Result<Vec<Arc<Book>>, CatalogError> {
        Ok(self.store.books_by_isbn(isbns).await?)
    }

    /// Puts a book into the catalogue.
    pub async fn create(&self, draft: BookDraft) -> Result<Arc<Book>, CatalogError> {
        let (store, book) = (Arc::clone(&self.store), self.new_book(draft));
        let id = book.id;
        let entry = self.trail.entry(Action::BookCreated, &book, differences(None, Some(&book)));
        let write = async move { store.insert_book(book).await };
        let created =
            self.trail.around(entry, write, |book| Some(differences(None, Some(&**book)))).await;
        created.map_err(|error| CatalogError::of_write(id, error))
    }

    /// Puts many books into the catalogue, to seed or import it, far quicker than one by one. The
    /// answers stand in the order of the drafts: each succeeds or fails by itself. The books are
    /// created in this order, so the last one is the newest.
    pub async fn create_many(
        &self,
        drafts: Vec<BookDraft>,
    ) -> Result<Vec<Result<Arc<Book>, CatalogError>>, CatalogError> {
        let (mut all, mut drafts) = (Vec::with_capacity(drafts.len()), drafts.into_iter());
        while drafts.len() > 0 {
            let books = drafts.by_ref().take(BATCH).map(|draft| self.new_book(draft));
            all.extend(self.insert_many(books.collect()).await?);
        }
        Ok(all)
    }

    /// Makes the changes of `patch` to the book `id`. Where `expected` is given, the book must
    /// have that version; else the patch is applied to whatever the book is. What the patch does
    /// not name stays, and if it names nothing that differs, nothing is written.
    pub async fn update(
        &self,
        id: BookId,
        patch: &BookPatch,
        expected: Option<u64>,
    ) -> Result<Arc<Book>, CatalogError> {
        let mut tries = 0;
        loop {
            let (book, _) = self.get(id).await?;
            let current = book.version;
            if expected.is_some_and(|expected| expected != current) {
                return Err(CatalogError::VersionConflict { current });
            }
            let Some(update) = self.difference(&book, patch) else {
                return Ok(book);
            };
            tries += 1;
            match self.write(&book, update).await {
                Err(BookWriteError::VersionConflict { .. })
                    if expected.is_none() && tries < MOST_TRIES => {}
                result => return result.map_err(|error| CatalogError::of_write(id, error)),
            }
        }
    }

    /// Takes the book `id` out of the catalogue and returns it as it was last. Where `expected` is
    /// given, the book must have that version.
    pub async fn delete(
        &self,
        id: BookId,
        expected: Option<u64>,
    ) -> Result<Arc<Book>, CatalogError> {
        let (book, _) = self.get(id).await?;
        let store = Arc::clone(&self.store);
        let entry = self.trail.entry(Action::BookDeleted, &*book, differences(Some(&*book), None));
        let write = async move { store.delete_book(id, expected).await };
        let deleted =
            self.trail.around(entry, write, |book| Some(differences(Some(&**book), None))).await;
        deleted.map_err(|error| CatalogError::of_write(id, error))
    }

    /// Corrects the stock of the book `id`. Its `version` stays: an edit of the book at the same
    /// time is not disturbed.
    pub async fn adjust_stock(
        &self,
        id: BookId,
        adjustment: &StockAdjustment,
    ) -> Result<Arc<Book>, CatalogError> {
        let StockAdjustment { delta, reason } = adjustment;
        let (book, _) = self.get(id).await?;
        let (store, moved) = (Arc::clone(&self.store), *delta);
        let entry = AuditEntry {
            delta: Some(moved),
            reason: Some(reason.clone()),
            ..self.trail.entry(Action::BookStockAdjusted, &*book, Vec::new())
        };
        let write = async move { store.adjust_stock(id, moved).await };
        let changes = move |after: &Arc<Book>| {
            let stock = after.stock.moved_by(-moved).unwrap_or_default();
            Some(differences(Some(&Book { stock, ..Book::clone(after) }), Some(&**after)))
        };
        let adjusted = self.trail.around(entry, write, changes).await;
        let book = adjusted.map_err(|error| CatalogError::of_write(id, error))?;
        tracing::info!(book = %id, delta, reason = %reason, stock = %book.stock, "Stock was corrected");
        Ok(book)
    }

    /// Puts books into the catalogue that have their ids already, with entries in the trail for all
    /// at once.
    pub(crate) async fn insert_many(
        &self,
        books: Vec<Book>,
    ) -> Result<Vec<Result<Arc<Book>, CatalogError>>, CatalogError> {
        let ids: Vec<_> = books.iter().map(|book| book.id).collect();
        let entry =
            |book| self.trail.entry(Action::BookCreated, book, differences(None, Some(book)));
        let (store, entries) = (Arc::clone(&self.store), books.iter().map(entry).collect());
        let write = async move { store.insert_books(books).await };
        let created = self.trail.around_all(entries, write).await?.into_iter().zip(ids);
        Ok(created
            .map(|(result, id)| result.map_err(|error| CatalogError::of_write(id, error)))
            .collect())
    }

    /// Changes a book, if it has still the version that it was read with.
    async fn write(&self, book: &Book, update: BookUpdate) -> Result<Arc<Book>, BookWriteError> {
        let changes = differences(Some(book), Some(&update.applied_to(book)));
        let entry = self.trail.entry(Action::BookUpdated, book, changes);
        let (store, id, version) = (Arc::clone(&self.store), book.id, book.version);
        let write = async move { store.update_book(id, version, update).await };
        let changes = |changed: &Changed<Book>| {
            Some(differences(Some(&*changed.before), Some(&*changed.after)))
        };
        Ok(self.trail.around(entry, write, changes).await?.after)
    }

    pub(crate) fn new_book(&self, draft: BookDraft) -> Book {
        let now = self.clock.now();
        Book::new(BookId::generate(now), draft, now)
    }

    /// What must be written for `patch`, if anything.
    fn difference(&self, book: &Book, patch: &BookPatch) -> Option<BookUpdate> {
        let content = Some(patch.applied_to(book)).filter(|content| *content != book.content);
        let stock = patch.stock.filter(|stock| *stock != book.stock);
        // A clock that was set back must not make a book older than its last edit.
        let updated_at = self.clock.now().max(book.updated_at);
        let changes = content.is_some() || stock.is_some();
        changes.then_some(BookUpdate { content, stock, updated_at })
    }
}
