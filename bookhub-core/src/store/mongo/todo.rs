//! What is to be done for an order, step by step. Each step is one conditional update that can be done
//! again, so whoever does them may die after any; whoever comes next goes on from what is noted.
//!
//! A hold is an entry `holds.<order>` in the book, set with the decrement of its stock in one update,
//! and so at most once. Copies that come back are marked `returns.<order>` in the same way; these marks
//! stay for [`LATEST`], which outlasts every writer that may still be at it. Holds go away once the order
//! is decided: one for an order with nothing to do is a stray one, of a writer that was too slow, and is
//! given back.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mongodb::{
    bson::{self, Document, RawDocumentBuf, doc},
    options::ReturnDocument,
};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    MongoStore, by_id, documents,
    documents::{OrderDocument, Status, Todo, text_of},
    few::Few,
    stock::{Held, held_for, holds},
};
use crate::{
    book::{BookId, Stock},
    change::ChangeKind,
    error::{OrderWriteError, StoreError},
    order::{Order, OrderId, Quantity, Refusal, Shortage},
    store::Settled,
};

/// How long one writer works for a decision before it leaves it to whoever settles what is left, which
/// is not before 30 s.
const LEASE: Duration = Duration::from_secs(15);

/// How late an update may still come that was sent within a lease, by the clocks of all servers: after
/// that the mark that would stop it is taken away.
const LATEST: SignedDuration = SignedDuration::from_hours(1);

/// What is left of an order, as far as it is looked at first.
#[derive(Deserialize)]
struct Left {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    todo: Todo,
}

impl MongoStore {
    /// Takes the copies of a new order and decides it. The marks are taken away afterwards.
    pub(super) async fn decide_now(
        &self,
        order: OrderDocument,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<Arc<Order>, OrderWriteError> {
        let decided = self.decide(&order, changes).await?;
        if decided.status == Status::Rejected {
            if let Err(error) = self.release(&decided, changes).await {
                self.note_open(&error);
                tracing::warn!(%error, order = %decided.id(), "its holds are given back later");
            }
            return Err(decided.refusal()?.into());
        }
        let placed = decided.as_placed()?;
        self.forget_later(decided);
        Ok(Arc::new(placed))
    }

    /// Finishes what was begun before `before`, for whatever reason it was left.
    pub(super) async fn settle(
        &self,
        before: Timestamp,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<Settled, StoreError> {
        let mut settled = Settled::default();
        let late = documents::date(before.checked_sub(LATEST).unwrap_or(Timestamp::MIN));
        let left = doc! {
            "todo": { "$exists": true },
            "todoSince": { "$lt": documents::date(before) },
            "$or": [
                { "todo": { "$ne": Todo::Forget.name() } },
                { "status": { "$ne": "cancelled" } },
                { "todoSince": { "$lt": late } },
            ],
        };
        let orders = self.orders_kept().clone_with_type::<RawDocumentBuf>();
        let mut found = Few::of(&orders, left, doc! { "todo": 1 });
        while let Some(raw) = found.next(self).await? {
            // One that makes no sense does not keep the others waiting.
            match self.settle_one(&raw, changes).await {
                Ok((Some(Todo::Decide), Some(Status::Rejected))) => settled.undone += 1,
                Ok((Some(Todo::Decide | Todo::Return), Some(_))) => settled.finished += 1,
                Ok(_) => {}
                Err(error) => {
                    self.note_open(&error);
                    tracing::error!(%error, "an order cannot be settled");
                }
            }
        }
        settled.undone += self.give_back_strays(before, changes).await?;
        Ok(settled)
    }

    /// Settles an order that was found to be left. Returns what was to be done, and what it has become.
    async fn settle_one(
        &self,
        raw: &RawDocumentBuf,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<(Option<Todo>, Option<Status>), StoreError> {
        let Left { id, todo } = documents::read(raw, "order")?;
        // Those before it have taken time: another server may have been here.
        let Some(order) = self.find_order(doc! { "_id": id }).await? else {
            return Ok((None, None));
        };
        let was = order.todo.filter(|now| *now == todo);
        if was.is_none() {
            return Ok((None, None));
        }
        Ok((was, self.go_on(order, changes).await?))
    }

    /// Does all that is to be done for an order. Returns what it has become.
    async fn go_on(
        &self,
        mut order: OrderDocument,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<Option<Status>, StoreError> {
        loop {
            let next = match order.todo {
                None => return Ok(Some(order.status)),
                // The marks of what was done stay until the next time: who was slow must find them, and
                // not take or return the copies once more.
                Some(Todo::Decide) => match self.decide(&order, changes).await? {
                    decided if decided.todo == Some(Todo::Forget) => {
                        return Ok(Some(decided.status));
                    }
                    decided => Some(decided),
                },
                Some(Todo::Release) => self.release(&order, changes).await?,
                Some(Todo::Return) => {
                    let returned = self.return_copies(&order, changes).await?;
                    return Ok(returned.map(|order| order.status));
                }
                Some(Todo::Forget) => self.forget(&order).await?,
            };
            match next {
                Some(next) => order = next,
                None => return Ok(None),
            }
        }
    }

    /// Holds the copies; then the order is placed if all are held, and else rejected.
    async fn decide(
        &self,
        order: &OrderDocument,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<OrderDocument, StoreError> {
        let set = match self.hold_all(order, changes).await? {
            Some(refusal) => {
                doc! { "status": "rejected", "refusal": text_of(&refusal), "todo": Todo::Release.name() }
            }
            None => {
                let since = documents::date(self.config.clock.now());
                doc! { "status": "placed", "todo": Todo::Forget.name(), "todoSince": since }
            }
        };
        if let Some(decided) = self.step(order, Todo::Decide, doc! { "$set": set }).await? {
            if let Some(placed) = decided.shown()? {
                changes.push(ChangeKind::OrderPlaced(Arc::new(placed)));
            }
            return Ok(decided);
        }
        // Somebody else has decided it.
        let decided = self.find_order(by_id(order.id().uuid())).await?;
        let decided = decided.ok_or_else(|| gone(order.id()))?;
        if decided.status == Status::Rejected {
            self.release_items(&decided, changes).await?;
        }
        Ok(decided)
    }

    /// Holds all copies, or says why not.
    async fn hold_all(
        &self,
        order: &OrderDocument,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<Option<Refusal>, StoreError> {
        let begun = Instant::now();
        'again: loop {
            for item in &order.items {
                in_time(begun)?;
                match self.hold(order.id(), item).await? {
                    Held::Now(book) => changes.push(ChangeKind::BookUpdated(book)),
                    Held::Before => {}
                    Held::Short => match self.shortages(order).await? {
                        // Copies have come in meanwhile.
                        none if none.is_empty() => continue 'again,
                        shortages => return Ok(Some(Refusal::OutOfStock(shortages))),
                    },
                }
            }
            return Ok(None);
        }
    }

    /// What there is too little of, not counting what is held for the order itself.
    async fn shortages(&self, order: &OrderDocument) -> Result<Vec<Shortage>, StoreError> {
        let mut shortages = Vec::new();
        for item in &order.items {
            let found = self.answer(self.books().find_one(by_id(item.book().uuid()))).await?;
            let own = found.as_ref().map_or(0, |raw| held_for(raw, order.id()));
            // Of one that makes no sense nothing can be sold.
            let book = found.as_ref().and_then(documents::readable);
            let stock = book.as_ref().map_or(0, |book| i64::from(book.stock.count())) + own;
            if stock < item.copies() {
                let corrupt =
                    |problem| StoreError::Corrupt(format!("order {}: {problem}", order.id()));
                shortages.push(Shortage {
                    book: item.book(),
                    title: book.map(|book| book.content.title),
                    wanted: Quantity::new(item.copies()).map_err(corrupt)?,
                    available: Stock::new(stock).unwrap_or_default(),
                });
            }
        }
        Ok(shortages)
    }

    /// Gives back what is held for a rejected order.
    async fn release(
        &self,
        order: &OrderDocument,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<Option<OrderDocument>, StoreError> {
        self.release_items(order, changes).await?;
        self.step(order, Todo::Release, doc! { "$unset": { "todo": "", "todoSince": "" } }).await
    }

    async fn release_items(
        &self,
        order: &OrderDocument,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<(), StoreError> {
        for item in &order.items {
            let book = self.give_back(order.id(), item.book(), item.copies()).await?;
            changes.extend(book.map(ChangeKind::BookUpdated));
        }
        Ok(())
    }

    /// Puts the copies of a cancelled order back, once.
    pub(super) async fn return_copies(
        &self,
        order: &OrderDocument,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<Option<OrderDocument>, StoreError> {
        let (begun, mark) = (Instant::now(), format!("returns.{}", order.id()));
        for item in &order.items {
            in_time(begun)?;
            let not_yet = doc! { &mark: { "$exists": false } };
            let set = doc! { "$set": { &mark: item.copies() } };
            let book = self.add_stock(item.book(), item.copies(), not_yet, set).await?;
            changes.extend(book.map(ChangeKind::BookUpdated));
        }
        let since = documents::date(self.config.clock.now());
        let next = doc! { "$set": { "todo": Todo::Forget.name(), "todoSince": since } };
        self.step(order, Todo::Return, next).await
    }

    /// Takes away the marks of an order.
    async fn forget(&self, order: &OrderDocument) -> Result<Option<OrderDocument>, StoreError> {
        let mut marks = doc! { format!("holds.{}", order.id()): "" };
        if order.status == Status::Cancelled {
            marks.insert(format!("returns.{}", order.id()), "");
        }
        let books: Vec<_> =
            order.items.iter().map(|item| documents::uuid(item.book().uuid())).collect();
        let marked = doc! { "_id": { "$in": books } };
        self.answer(self.books().update_many(marked, doc! { "$unset": marks })).await?;
        self.step(order, Todo::Forget, doc! { "$unset": { "todo": "", "todoSince": "" } }).await
    }

    /// Takes away the marks while nobody waits. What fails is done by whoever settles.
    fn forget_later(&self, order: OrderDocument) {
        if order.todo == Some(Todo::Forget) {
            let store = self.clone();
            tokio::spawn(async move {
                let (id, forgetful) = (order.id(), store.clone());
                // With its turn, where writes take turns.
                let forget = async move { forgetful.forget(&order).await };
                if let Err(error) = store.write_untold(forget).await {
                    tracing::debug!(%error, order = %id, "its marks are taken away later");
                }
            });
        }
    }

    /// Gives back what was held too late, for an order that had been settled.
    async fn give_back_strays(
        &self,
        before: Timestamp,
        changes: &mut Vec<ChangeKind>,
    ) -> Result<u64, StoreError> {
        let held = doc! { "heldAt": { "$lt": documents::date(before) } };
        let books = self.books();
        let mut found = Few::of(&books, held, doc! { "holds": 1 });
        let mut strays = 0;
        while let Some(raw) = found.next(self).await? {
            let Some(book) = documents::id(&raw).map(BookId::from_uuid) else { continue };
            for (order, copies) in holds(&raw) {
                let known = self.find_order(by_id(order.uuid())).await?;
                if known.is_some_and(|order| order.todo.is_some()) {
                    continue;
                }
                match self.give_back(order, book, copies).await {
                    Ok(Some(book)) => {
                        strays += 1;
                        changes.push(ChangeKind::BookUpdated(book));
                    }
                    Ok(None) => {}
                    Err(error @ StoreError::Unavailable(_)) => return Err(error),
                    // It was given back, but what it says makes no sense.
                    Err(error) => tracing::error!(%error, "a book of which copies came back"),
                }
            }
            let mut empty = by_id(book.uuid());
            empty.insert("holds", doc! {});
            let unset = doc! { "$unset": { "holds": "", "heldAt": "" } };
            self.answer(self.books().update_one(empty, unset)).await?;
        }
        Ok(strays)
    }

    /// Goes from what was to be done to what is next, unless somebody else has.
    async fn step(
        &self,
        order: &OrderDocument,
        from: Todo,
        change: Document,
    ) -> Result<Option<OrderDocument>, StoreError> {
        let mut filter = by_id(order.id().uuid());
        filter.insert("todo", from.name());
        // An admin who has moved it meanwhile may have given it something else to do.
        filter.insert("version", order.version);
        let orders = self.orders_kept();
        let stepped = orders.find_one_and_update(filter, change);
        self.answer(stepped.return_document(ReturnDocument::After)).await
    }
}

/// Whether who has begun then may still go on: after that, another may have done it all.
fn in_time(begun: Instant) -> Result<(), StoreError> {
    let slow = "the database is too slow: what was begun is finished later";
    if begun.elapsed() < LEASE { Ok(()) } else { Err(StoreError::unavailable(slow)) }
}

fn gone(order: OrderId) -> StoreError {
    StoreError::Corrupt(format!("order {order} was deleted while it was placed"))
}
