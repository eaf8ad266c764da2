//! The stock of a book as orders move it: each update of it also makes or takes away a mark, by which it
//! is done once. When that is to be done is [`super::todo`]'s to know.

use std::sync::Arc;

use mongodb::{
    bson::{self, Document, RawDocumentBuf, doc},
    options::ReturnDocument,
};

use super::{
    MongoStore, by_id,
    documents::{self, ItemDocument},
};
use crate::{
    book::{Book, BookId, Stock},
    error::StoreError,
    order::OrderId,
};

/// How often copies are put back while the stock of the book moves.
const MOST_TRIES: usize = 10;

/// Whether copies could be taken aside.
pub(super) enum Held {
    Now(Arc<Book>),
    Before,
    Short,
}

impl MongoStore {
    /// Takes copies aside, once.
    pub(super) async fn hold(
        &self,
        order: OrderId,
        item: &ItemDocument,
    ) -> Result<Held, StoreError> {
        let mark = format!("holds.{order}");
        let mut filter = by_id(item.book().uuid());
        filter.insert("stock", doc! { "$gte": item.copies() });
        filter.insert(&mark, doc! { "$exists": false });
        let change = doc! {
            "$inc": { "stock": -item.copies(), "stockVersion": 1_i64 },
            "$set": { &mark: item.copies() },
            // Since when there are holds at all.
            "$min": { "heldAt": documents::date(self.config.clock.now()) },
        };
        if let Some(book) = self.change_stock(filter, change).await? {
            return Ok(Held::Now(book));
        }
        let mut held = by_id(item.book().uuid());
        held.insert(mark, doc! { "$exists": true });
        let is_held = self.answer(self.books().find_one(held)).await?.is_some();
        Ok(if is_held { Held::Before } else { Held::Short })
    }

    /// Gives back what is held of a book for an order, once.
    pub(super) async fn give_back(
        &self,
        order: OrderId,
        book: BookId,
        copies: i64,
    ) -> Result<Option<Arc<Book>>, StoreError> {
        let mark = format!("holds.{order}");
        let held = doc! { &mark: { "$exists": true } };
        self.add_stock(book, copies, held, doc! { "$unset": { mark: "" } }).await
    }

    /// Adds copies to a book that is as `filter` says, and makes a mark with the same update.
    pub(super) async fn add_stock(
        &self,
        book: BookId,
        copies: i64,
        filter: Document,
        mark: Document,
    ) -> Result<Option<Arc<Book>>, StoreError> {
        let room = i64::from(Stock::MAX) - copies;
        let mut unmarked = filter;
        unmarked.extend(by_id(book.uuid()));
        let with_stock = |stock: Document| {
            let mut filter = unmarked.clone();
            filter.insert("stock", stock);
            filter
        };
        let mut add = mark.clone();
        add.insert("$inc", doc! { "stock": copies, "stockVersion": 1_i64 });
        // The shelf is full: what does not fit is not kept.
        let mut fill = mark;
        let mut set = fill.get_document("$set").cloned().unwrap_or_default();
        set.insert("stock", i64::from(Stock::MAX));
        fill.insert("$set", set);
        fill.insert("$inc", doc! { "stockVersion": 1_i64 });
        for _ in 0..MOST_TRIES {
            let fits = with_stock(doc! { "$lte": room });
            if let Some(book) = self.change_stock(fits, add.clone()).await? {
                return Ok(Some(book));
            }
            let is_full = with_stock(doc! { "$gt": room });
            if let Some(book) = self.change_stock(is_full, fill.clone()).await? {
                return Ok(Some(book));
            }
            // Marked before, or gone; else its stock has moved between the two.
            if self.answer(self.books().find_one(unmarked.clone())).await?.is_none() {
                return Ok(None);
            }
        }
        Err(StoreError::Corrupt(format!("book {book}, stock: takes no copies back")))
    }

    async fn change_stock(
        &self,
        filter: Document,
        change: Document,
    ) -> Result<Option<Arc<Book>>, StoreError> {
        let books = self.books();
        let changed = books.find_one_and_update(filter, change);
        let changed = self.answer(changed.return_document(ReturnDocument::After)).await?;
        Ok(changed.map(|raw| documents::book(&raw)).transpose()?.map(Arc::new))
    }
}

/// What is held of a book, and for which orders.
pub(super) fn holds(raw: &RawDocumentBuf) -> Vec<(OrderId, i64)> {
    let holds = raw.get_document("holds").into_iter().flat_map(|holds| holds.iter().flatten());
    let hold = |(order, copies): (&bson::raw::CStr, bson::RawBsonRef<'_>)| {
        Some((order.as_str().parse().ok()?, copies.as_i64()?))
    };
    holds.filter_map(hold).collect()
}

pub(super) fn held_for(raw: &RawDocumentBuf, order: OrderId) -> i64 {
    holds(raw).into_iter().find(|(held, _)| *held == order).map_or(0, |(_, copies)| copies)
}
