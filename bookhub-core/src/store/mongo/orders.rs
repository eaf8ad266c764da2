//! The store's orders, in MongoDB. No transaction spans an order and its books: what is to be done is
//! noted in the order first, and then done step by step ([`super::todo`]).

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use mongodb::{
    bson::{DateTime, Document, RawDocumentBuf, doc},
    options::ReturnDocument,
};

use super::{
    MongoStore, by_id,
    documents::{self, OrderDocument, Status, Todo},
    error,
};
use crate::{
    book::{Book, BookId},
    change::ChangeKind,
    error::{OrderWriteError, StoreError, WriteError},
    order::{Fingerprint, IdempotencyKey, Order, OrderId, OrderItem, OrderLine, OrderStatus},
    query::{OrderCursor, OrderPage, OrderQuery},
    store::{BookStore as _, NewOrder, OrderStore, Settled},
};

/// How many orders come at once where all are read.
const MANY: u32 = 1_000;

#[async_trait]
impl OrderStore for MongoStore {
    async fn place_order(&self, order: NewOrder) -> Result<Arc<Order>, OrderWriteError> {
        let store = self.clone();
        self.finish(async move {
            let mut changes = Vec::new();
            (store.place(order, &mut changes).await, changes)
        })
        .await
    }

    async fn order(&self, id: OrderId) -> Result<Option<Arc<Order>>, StoreError> {
        let found = self.find_order(by_id(id.uuid())).await?;
        Ok(found.map(|order| order.shown()).transpose()?.flatten().map(Arc::new))
    }

    async fn orders(&self, query: &OrderQuery) -> Result<OrderPage, StoreError> {
        let shown = OrderStatus::ALL.map(OrderStatus::as_str);
        let mut filter = match query.status() {
            Some(status) => doc! { "status": status.as_str() },
            None => doc! { "status": { "$in": shown.to_vec() } },
        };
        if let Some(user) = query.user() {
            filter.insert("user", documents::uuid(user.uuid()));
        }
        if let Some(cursor) = query.after() {
            let at = DateTime::from_millis(cursor.created());
            let id = documents::uuid(cursor.id().uuid());
            filter.insert("createdAt", doc! { "$lte": at });
            filter.insert(
                "$or",
                vec![
                    doc! { "createdAt": { "$lt": at } },
                    doc! { "createdAt": at, "_id": { "$lt": id } },
                ],
            );
        }
        let (kept, most) =
            (self.orders_kept().clone_with_type::<RawDocumentBuf>(), query.limit().get());
        let asked = (filter, doc! { "createdAt": -1, "_id": -1 });
        // One more than the page has tells whether there is another.
        let mut orders = self.first(&kept, asked, most + 1, readable).await?;
        let more = orders.len() > most;
        orders.truncate(most);
        let next = orders.last().filter(|_| more).map(|order| OrderCursor::behind(order));
        Ok(OrderPage { orders, next })
    }

    fn all_orders(&self) -> BoxStream<'static, Result<Arc<Order>, StoreError>> {
        // As the documents stand there: by an index, one that moves meanwhile could be passed over.
        let walk = stream::try_unfold((self.clone(), None), |(store, cursor)| async move {
            let mut cursor = match cursor {
                Some(cursor) => cursor,
                None => {
                    let kept = store.orders_kept().clone_with_type::<RawDocumentBuf>();
                    store.answer(kept.find(doc! {}).batch_size(MANY)).await?
                }
            };
            while let Some(raw) = store.answer(cursor.try_next()).await? {
                if let Some(order) = readable(&raw) {
                    return Ok(Some((order, (store, Some(cursor)))));
                }
            }
            Ok(None)
        });
        walk.boxed()
    }

    async fn set_order_status(
        &self,
        id: OrderId,
        expected: u64,
        status: OrderStatus,
        at: Timestamp,
    ) -> Result<Arc<Order>, OrderWriteError> {
        let store = self.clone();
        self.finish(async move {
            let mut changes = Vec::new();
            (store.move_order(id, expected, status, at, &mut changes).await, changes)
        })
        .await
    }

    async fn settle_orders(&self, before: Timestamp) -> Result<Settled, StoreError> {
        let store = self.clone();
        self.finish(async move {
            let mut changes = Vec::new();
            (store.settle(before, &mut changes).await, changes)
        })
        .await
    }
}

/// The order that a document is, if it makes sense and is to be shown.
fn readable(raw: &RawDocumentBuf) -> Option<Arc<Order>> {
    let order = documents::read::<OrderDocument>(raw, "order").and_then(|order| order.shown());
    let order = order.inspect_err(|problem| {
        tracing::error!(%problem, "an order makes no sense, and is not shown");
    });
    order.ok().flatten().map(Arc::new)
}

impl MongoStore {
    /// Writes in a task of its own: what has been begun goes on, though nobody waits for it any more.
    async fn finish<T: Send + 'static, E: WriteError + Send + 'static>(
        &self,
        work: impl Future<Output = (Result<T, E>, Vec<ChangeKind>)> + Send + 'static,
    ) -> Result<T, E> {
        let store = self.clone();
        let finished = tokio::spawn(async move { store.write_steps(work).await }).await;
        finished.unwrap_or_else(|error| Err(StoreError::unavailable(error).into()))
    }

    pub(super) async fn find_order(
        &self,
        filter: Document,
    ) -> Result<Option<OrderDocument>, StoreError> {
        self.answer(self.orders_kept().find_one(filter)).await
    }

    async fn place(
        &self,
        order: NewOrder,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<Arc<Order>, OrderWriteError> {
        let books = self.books_of(&order.lines).await?;
        let document = match order.refusal(|id| books.get(&id).map(Arc::as_ref)) {
            None => {
                let item = |line: &OrderLine| {
                    books.get(&line.book).map(|book| OrderItem::of(book, line.quantity))
                };
                let items = order.lines.iter().filter_map(item).collect();
                OrderDocument::pending(&order, items, self.config.clock.now())
            }
            Some(refusal) if order.idempotency.is_none() => return Err(refusal.into()),
            Some(refusal) => OrderDocument::rejected(&order, &refusal),
        };
        let inserted = self.outcome(self.orders_kept().insert_one(&document)).await?;
        match (inserted, &order.idempotency) {
            (Ok(_), _) if document.todo.is_none() => Err(document.refusal()?.into()),
            (Ok(_), _) => self.decide_now(document, changes).await,
            (Err(failure), Some((key, fingerprint))) if error::is_duplicate(&failure) => {
                self.repeated(&order, key, *fingerprint, changes).await
            }
            (Err(failure), _) => Err(error::of_store(failure).into()),
        }
    }

    /// What the first order of the key got.
    async fn repeated(
        &self,
        order: &NewOrder,
        key: &IdempotencyKey,
        fingerprint: Fingerprint,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<Arc<Order>, OrderWriteError> {
        let key = documents::key_of(order.user, key);
        let Some(first) = self.find_order(doc! { "key": &key }).await? else {
            // It has been forgotten this moment: the next try is the first.
            return Err(OrderWriteError::InFlight);
        };
        let age = order.created_at.duration_since(first.created_at());
        if age >= IdempotencyKey::LIFETIME && first.todo != Some(Todo::Decide) {
            let mut old = by_id(first.id().uuid());
            old.insert("key", &key);
            let forget = doc! { "$unset": { "key": "", "fingerprint": "" } };
            self.answer(self.orders_kept().update_one(old, forget)).await?;
            return Box::pin(self.place(order.clone(), changes)).await;
        }
        if !first.is_of(fingerprint) {
            return Err(OrderWriteError::KeyReused);
        }
        match first.status {
            Status::Pending => Err(OrderWriteError::InFlight),
            Status::Rejected => Err(first.refusal()?.into()),
            _ => Ok(Arc::new(first.as_placed()?)),
        }
    }

    async fn move_order(
        &self,
        id: OrderId,
        expected: u64,
        status: OrderStatus,
        at: Timestamp,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<Arc<Order>, OrderWriteError> {
        let current = self.order(id).await?.ok_or(OrderWriteError::NotFound)?;
        if current.version != expected {
            return Err(OrderWriteError::VersionConflict { current: current.version });
        }
        if !current.status.may_become(status) {
            return Err(OrderWriteError::NotAllowed { from: current.status, to: status });
        }
        let mut set = doc! { "status": status.as_str(), "updatedAt": documents::date(at) };
        if status == OrderStatus::Cancelled {
            set.insert("todo", Todo::Return.name());
            set.insert("todoSince", documents::date(self.config.clock.now()));
        }
        let mut filter = by_id(id.uuid());
        filter.insert("version", i64::try_from(expected).unwrap_or(i64::MAX));
        let orders = self.orders_kept();
        let change = doc! { "$set": set, "$inc": { "version": 1_i64 } };
        let moved = orders.find_one_and_update(filter, change);
        let moved = self.answer(moved.return_document(ReturnDocument::After)).await?;
        let Some(moved) = moved else {
            let current = self.order(id).await?.ok_or(OrderWriteError::NotFound)?;
            return Err(OrderWriteError::VersionConflict { current: current.version });
        };
        let order = Arc::new(moved.shown()?.ok_or(OrderWriteError::NotFound)?);
        changes.push(ChangeKind::OrderUpdated(Arc::clone(&order)));
        if status == OrderStatus::Cancelled {
            // It is cancelled; what is missing is put back by whoever settles.
            if let Err(error) = self.return_copies(&moved, changes).await {
                self.note_open(&error);
                tracing::warn!(%error, order = %id, "its copies are put back later");
            }
        }
        Ok(order)
    }

    /// The books of these lines, as far as there are any.
    async fn books_of(
        &self,
        lines: &[OrderLine],
    ) -> Result<HashMap<BookId, Arc<Book>>, StoreError> {
        let ids: Vec<_> = lines.iter().map(|line| line.book).collect();
        let books = self.books_by_id(&ids).await?;
        Ok(books.into_iter().map(|book| (book.id, book)).collect())
    }
}
