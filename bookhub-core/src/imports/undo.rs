//! What an import that is all or nothing has written, and how it is taken back. Whether something was
//! written is not always known: each step back looks first, and can be done again.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::sleep;

use crate::{
    book::{Book, BookId, BookPatch, Stock},
    catalog::Catalog,
    error::{CatalogError, StoreError},
};

/// For how many seconds is waited before a step back is tried again that the store has failed.
const PAUSES: [u64; 4] = [1, 2, 4, 8];

/// What was written, or may have been.
#[derive(Debug, Default)]
pub(super) struct Journal {
    steps: Vec<Written>,
}

#[derive(Debug)]
enum Written {
    Created(BookId),
    /// A book as it was, and what was changed about it.
    Updated(Arc<Book>, BookPatch),
}

impl Journal {
    pub(super) fn creates(&mut self, ids: impl Iterator<Item = BookId>) {
        self.steps.extend(ids.map(Written::Created));
    }

    pub(super) fn updates(&mut self, before: Arc<Book>, patch: &BookPatch) {
        self.steps.push(Written::Updated(before, patch.clone()));
    }

    /// The last step was refused: there is nothing of it to take back.
    pub(super) fn forget_last(&mut self) {
        self.steps.pop();
    }

    /// Takes everything back, the last first; returns the books that stay as the import has made them,
    /// since others have edited them meanwhile, and those that may, since the store stays away.
    pub(super) async fn undo(self, catalog: &Catalog) -> Vec<BookId> {
        let (mut left, mut pauses) = (Vec::new(), PAUSES.into_iter());
        // The versions of the books that were changed, and are as they were: one may have been made
        // by this import, too.
        let mut versions = HashMap::new();
        let mut steps = self.steps.into_iter().rev();
        while let Some(written) = steps.next() {
            let version = versions.get(&written.book()).copied();
            match written.undo_patiently(catalog, version, &mut pauses).await {
                Ok(Undone::Gone) => {}
                Ok(Undone::Back(version)) => drop(versions.insert(written.book(), version)),
                Ok(Undone::Not) => left.push(written.book()),
                Err(error) if !is_away(&error) => {
                    tracing::error!(%error, book = %written.book(), "a book cannot be taken back");
                    left.push(written.book());
                }
                Err(error) => {
                    left.push(written.book());
                    left.extend(steps.by_ref().map(|written| written.book()));
                    let books = left.len();
                    tracing::error!(%error, books, "what an import has written cannot be taken back");
                }
            }
        }
        let mut named = HashSet::new();
        left.retain(|book| named.insert(*book));
        left
    }
}

/// What came of a step back.
enum Undone {
    /// The book is not there, or not any more.
    Gone,
    /// The book is as it was, in this version.
    Back(u64),
    /// Somebody else is in the way.
    Not,
}

impl Written {
    fn book(&self) -> BookId {
        match self {
            Self::Created(id) => *id,
            Self::Updated(before, _) => before.id,
        }
    }

    /// The same, while the store may come back.
    async fn undo_patiently(
        &self,
        catalog: &Catalog,
        version: Option<u64>,
        pauses: &mut impl Iterator<Item = u64>,
    ) -> Result<Undone, CatalogError> {
        loop {
            let error = match self.undo(catalog, version).await {
                Err(error) if is_away(&error) => error,
                undone => return undone,
            };
            match pauses.next() {
                Some(pause) => sleep(Duration::from_secs(pause)).await,
                None => return Err(error),
            }
        }
    }

    /// Takes it back. A book that was made is in its first version, unless a step back says another.
    async fn undo(&self, catalog: &Catalog, version: Option<u64>) -> Result<Undone, CatalogError> {
        match self {
            Self::Created(id) => {
                let deleted = catalog.delete(*id, version.or(Some(1))).await;
                of_result(deleted.map(|_| Undone::Gone))
            }
            Self::Updated(before, patch) => restore(catalog, before, patch).await,
        }
    }
}

async fn restore(
    catalog: &Catalog,
    before: &Book,
    patch: &BookPatch,
) -> Result<Undone, CatalogError> {
    let now = match catalog.get(before.id).await {
        Ok((now, _)) => now,
        Err(error) => return of_result(Err(error)),
    };
    let has_stock = |stock| patch.stock.is_none() || now.stock == stock;
    if now.content == before.content && has_stock(before.stock) {
        return Ok(Undone::Back(now.version));
    }
    // Somebody else has changed it meanwhile, or has bought some.
    if now.content != patch.applied_to(before)
        || patch.stock.is_some_and(|stock| now.stock != stock)
    {
        return Ok(Undone::Not);
    }
    let back = as_it_was(before, patch.stock.and(Some(before.stock)));
    let restored = catalog.update(before.id, &back, Some(now.version)).await;
    of_result(restored.map(|book| Undone::Back(book.version)))
}

fn as_it_was(before: &Book, stock: Option<Stock>) -> BookPatch {
    let content = before.content.clone();
    BookPatch {
        title: Some(content.title),
        author: Some(content.author),
        genre: Some(content.genre),
        year: Some(content.year),
        price: Some(content.price),
        isbn: Some(content.isbn),
        cover_url: Some(content.cover_url),
        description: Some(content.description),
        stock,
    }
}

/// What came of a step back, if the store has not failed.
fn of_result(result: Result<Undone, CatalogError>) -> Result<Undone, CatalogError> {
    match result {
        Err(CatalogError::NotFound(_)) => Ok(Undone::Gone),
        Err(error @ CatalogError::Store(_)) => Err(error),
        Err(_) => Ok(Undone::Not),
        undone => undone,
    }
}

/// Whether the store may come back.
const fn is_away(error: &CatalogError) -> bool {
    matches!(error, CatalogError::Store(StoreError::Unavailable(_)))
}
