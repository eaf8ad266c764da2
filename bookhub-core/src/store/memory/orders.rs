//! The store's orders, in memory. An order and the stock of its books are one write.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use jiff::Timestamp;

use super::{MemoryStore, books::set_stock, ledger::Answer, state::State};
use crate::{
    book::{Book, Stock},
    change::ChangeKind,
    error::{OrderWriteError, StoreError},
    order::{Order, OrderId, OrderItem, OrderStatus, Quantity},
    query::{OrderPage, OrderQuery},
    store::{NewOrder, OrderStore, Settled},
};

#[async_trait]
impl OrderStore for MemoryStore {
    async fn place_order(&self, order: NewOrder) -> Result<Arc<Order>, OrderWriteError> {
        self.write(|state| place(state, &order))?.told()
    }

    async fn order(&self, id: OrderId) -> Result<Option<Arc<Order>>, StoreError> {
        Ok(self.snapshot().ledger.order(id).cloned())
    }

    async fn orders(&self, query: &OrderQuery) -> Result<OrderPage, StoreError> {
        Ok(self.snapshot().ledger.page(query))
    }

    fn all_orders(&self) -> BoxStream<'static, Result<Arc<Order>, StoreError>> {
        stream::iter(self.snapshot().ledger.all().map(Ok)).boxed()
    }

    async fn set_order_status(
        &self,
        id: OrderId,
        expected: u64,
        status: OrderStatus,
        at: Timestamp,
    ) -> Result<Arc<Order>, OrderWriteError> {
        self.write(|state| {
            let order = state.ledger.order(id).ok_or(OrderWriteError::NotFound)?;
            if order.version != expected {
                return Err(OrderWriteError::VersionConflict { current: order.version });
            }
            if !order.status.may_become(status) {
                return Err(OrderWriteError::NotAllowed { from: order.status, to: status });
            }
            let order = Arc::new(order.moved_to(status, at));
            state.ledger.put(Arc::clone(&order));
            state.history.record(ChangeKind::OrderUpdated(Arc::clone(&order)));
            if status == OrderStatus::Cancelled {
                put_back(state, &order)?;
            }
            Ok(order)
        })
    }

    async fn settle_orders(&self, _before: Timestamp) -> Result<Settled, StoreError> {
        Ok(Settled::default())
    }
}

/// Places an order, or says why not; a repeat gets what the first one got.
fn place(state: &mut State, order: &NewOrder) -> Result<Answer, OrderWriteError> {
    state.ledger.forget(order.created_at);
    if let Some((key, fingerprint)) = &order.idempotency
        && let Some((first, answer)) = state.ledger.answer(order.user, key)
    {
        return if first == fingerprint {
            Ok(answer.clone())
        } else {
            Err(OrderWriteError::KeyReused)
        };
    }
    let book = |id| state.catalogue.book(id).map(|book| &**book);
    let answer = match order.refusal(book) {
        Some(refusal) => Answer::Refused(refusal),
        None => Answer::Placed(take(state, order)?),
    };
    state.ledger.remember(order, &answer);
    Ok(answer)
}

/// Takes the copies and keeps the order.
fn take(state: &mut State, order: &NewOrder) -> Result<Arc<Order>, OrderWriteError> {
    let mut items = Vec::with_capacity(order.lines.len());
    for line in &order.lines {
        let book = state.catalogue.book(line.book).cloned();
        let left = book.as_ref().and_then(|book| book.stock.moved_by(-copies(line.quantity)));
        let (Some(book), Some(left)) = (&book, left) else {
            return Err(OrderWriteError::OutOfStock(vec![line.shortage(book.as_deref())]));
        };
        items.push(OrderItem::of(book, line.quantity));
        restock(state, book, left)?;
    }
    let placed = Arc::new(order.placed(items));
    state.ledger.put(Arc::clone(&placed));
    state.history.record(ChangeKind::OrderPlaced(Arc::clone(&placed)));
    Ok(placed)
}

/// Puts the copies of an order back to where they still belong.
fn put_back(state: &mut State, order: &Order) -> Result<(), StoreError> {
    for item in &order.items {
        if let Some(book) = state.catalogue.book(item.book).cloned() {
            let full = Stock::new(Stock::MAX.into()).unwrap_or_default();
            let stock = book.stock.moved_by(copies(item.quantity)).unwrap_or(full);
            restock(state, &book, stock)?;
        }
    }
    Ok(())
}

fn restock(state: &mut State, book: &Book, stock: Stock) -> Result<(), StoreError> {
    let moved = set_stock(state, book, stock);
    moved.map(drop).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn copies(quantity: Quantity) -> i64 {
    quantity.count().into()
}
