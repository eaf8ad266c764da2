//! What an import that is all or nothing has written, and how it is taken back. Whether something was
//! written is not always known: each step back looks first, and can be done again.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    book::{Book, BookId, BookPatch, Stock},
    catalog::Catalog,
    error::CatalogError,
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
        let mut steps = self.steps.into_iter().rev();
        while let Some(written) = steps.next() {
            match written.undo_patiently(catalog, &mut pauses).await {
                Ok(true) => {}
                Ok(false) => left.push(written.book()),
                Err(error) => {
                    left.push(written.book());
                    left.extend(steps.by_ref().map(|written| written.book()));
                    let books = left.len();
                    tracing::error!(%error, books, "what an import has written cannot be taken back");
                }
            }
        }
        left
    }
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
        pauses: &mut impl Iterator<Item = u64>,
    ) -> Result<bool, CatalogError> {
        loop {
            let error = match self.undo(catalog).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            match pauses.next() {
                Some(pause) => sleep(Duration::from_secs(pause)).await,
                None => return Err(error),
            }
        }
    }

    /// Whether nothing is left of it.
    async fn undo(&self, catalog: &Catalog) -> Result<bool, CatalogError> {
        match self {
            Self::Created(id) => is_done(catalog.delete(*id, Some(1)).await),
            Self::Updated(before, patch) => restore(catalog, before, patch).await,
        }
    }
}

async fn restore(
    catalog: &Catalog,
    before: &Book,
    patch: &BookPatch,
) -> Result<bool, CatalogError> {
    let now = match catalog.get(before.id).await {
        Ok((now, _)) => now,
        Err(CatalogError::NotFound(_)) => return Ok(true),
        Err(error) => return Err(error),
    };
    let has_stock = |stock| patch.stock.is_none() || now.stock == stock;
    if now.content == before.content && has_stock(before.stock) {
        return Ok(true);
    }
    // Somebody else has changed it meanwhile, or has bought some.
    if now.content != patch.applied_to(before)
        || patch.stock.is_some_and(|stock| now.stock != stock)
    {
        return Ok(false);
    }
    let back = as_it_was(before, patch.stock.and(Some(before.stock)));
    is_done(catalog.update(before.id, &back, Some(now.version)).await)
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

/// Whether a step back was done, or there was nothing to do; not if somebody else is in the way.
fn is_done<T>(result: Result<T, CatalogError>) -> Result<bool, CatalogError> {
    match result {
        Ok(_) | Err(CatalogError::NotFound(_)) => Ok(true),
        Err(CatalogError::Store(error)) => Err(error.into()),
        Err(_) => Ok(false),
    }
}
