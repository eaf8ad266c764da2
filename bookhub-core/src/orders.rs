//! The orders: the rules by which they are placed, listed and moved along.
//! Must not know who may see or move which.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::{
    audit::{Action, Actor, Trail, differences},
    clock::Clock,
    error::{OrderWriteError, OrdersError},
    order::{IdempotencyKey, Order, OrderDraft, OrderId, OrderStatus},
    query::{OrderPage, OrderQuery},
    store::{NewOrder, Settled, Store},
    user::UserId,
};

/// How often a move is tried again when others move the same order.
const MOST_TRIES: usize = 100;

/// Whoever has not finished an order for so long is taken for dead.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// The orders of the shop. Cheap to clone.
///
/// ```
/// use bookhub_core::{Catalog, MemoryStore, OrderDraft, OrderStatus, Orders, OrdersError};
/// # use bookhub_core::{BookDraft, UserId};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), OrdersError> {
/// let store = MemoryStore::shared();
/// # let json = json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199, "stock": 3});
/// # let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
/// let catalog = Catalog::new(store.clone());
/// let emma = catalog.create(draft).await.unwrap();
///
/// let orders = Orders::new(store);
/// # let alice = UserId::generate(jiff::Timestamp::now());
/// let json = json!({"items": [{"bookId": emma.id, "quantity": 2}], "customer": {"name": "Alice"}});
/// let draft = OrderDraft::from_json(json.as_object().unwrap()).unwrap();
/// let key = "\"8e03978e\"".parse().ok();
/// let order = orders.place(alice, draft.clone(), key.clone()).await?;
/// assert_eq!(orders.place(alice, draft.clone(), key).await?, order, "a repeat");
/// assert_eq!(catalog.get(emma.id).await.unwrap().0.stock.count(), 1);
///
/// let refused = orders.place(alice, draft, None).await;
/// assert!(matches!(refused, Err(OrdersError::OutOfStock(short)) if short[0].book == emma.id));
///
/// orders.set_status(order.id, OrderStatus::Cancelled).await?;
/// assert_eq!(catalog.get(emma.id).await.unwrap().0.stock.count(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Orders {
    store: Arc<dyn Store>,
    clock: Clock,
    trail: Trail,
}

impl Orders {
    /// The orders in `store`, by the clock of this machine.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_clock(store, Clock::system())
    }

    /// The orders in `store`, by this clock.
    #[must_use]
    pub fn with_clock(store: Arc<dyn Store>, clock: Clock) -> Self {
        let trail = Trail::new(store.clone(), clock.clone());
        Self { store, clock, trail }
    }

    /// The same orders as `actor` moves them along; else the shop itself does.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        Self { trail: self.trail.by(actor), ..self.clone() }
    }

    /// Places an order of `user`: takes the copies of all its books, or of none. A repeat with the
    /// same key gets the answer of the first one and places nothing.
    pub async fn place(
        &self,
        user: UserId,
        draft: OrderDraft,
        key: Option<IdempotencyKey>,
    ) -> Result<Arc<Order>, OrdersError> {
        let now = self.clock.now();
        let id = OrderId::generate(now);
        let placed = self.store.place_order(NewOrder::of_draft(id, user, draft, key, now)).await;
        placed.map_err(|error| OrdersError::of_write(id, error))
    }

    /// The order `id`.
    pub async fn order(&self, id: OrderId) -> Result<Arc<Order>, OrdersError> {
        self.store.order(id).await?.ok_or(OrdersError::NotFound(id))
    }

    /// One page of the orders that `query` asks for, the newest first.
    pub async fn list(&self, query: &OrderQuery) -> Result<OrderPage, OrdersError> {
        Ok(self.store.orders(query).await?)
    }

    /// Moves the order `id` to `status`, if that follows on the status it has. An order that is
    /// cancelled puts its copies back. That is in the audit trail; what buyers do is not.
    pub async fn set_status(
        &self,
        id: OrderId,
        status: OrderStatus,
    ) -> Result<Arc<Order>, OrdersError> {
        let mut tries = 0;
        loop {
            let order = self.order(id).await?;
            if !order.status.may_become(status) {
                return Err(OrdersError::NotAllowed { from: order.status, to: status });
            }
            // A clock that was set back must not make an order older than its last move.
            let at = self.clock.now().max(order.updated_at);
            tries += 1;
            match self.write(&order, status, at).await {
                Err(OrderWriteError::VersionConflict { .. }) if tries < MOST_TRIES => {}
                moved => return moved.map_err(|error| OrdersError::of_write(id, error)),
            }
        }
    }

    /// Moves an order, if it has still the version that it was read with.
    async fn write(
        &self,
        order: &Order,
        status: OrderStatus,
        at: Timestamp,
    ) -> Result<Arc<Order>, OrderWriteError> {
        let changes = differences(Some(order), Some(&Order { status, ..order.clone() }));
        let entry = self.trail.entry(Action::OrderStatusChanged, order, changes.clone());
        let (store, id, version) = (Arc::clone(&self.store), order.id, order.version);
        let write = async move { store.set_order_status(id, version, status, at).await };
        self.trail.around(entry, write, |_| Some(changes)).await
    }

    /// Finishes or undoes what servers that died have left half done; to be called at the start
    /// and now and then.
    pub async fn settle(&self) -> Result<Settled, OrdersError> {
        let before = self.clock.now().checked_sub(PATIENCE).unwrap_or(Timestamp::MIN);
        let settled = self.store.settle_orders(before).await?;
        if settled != Settled::default() {
            let Settled { finished, undone } = settled;
            tracing::warn!(finished, undone, "Orders that were left half done were settled");
        }
        Ok(settled)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use futures_util::future::join_all;
    use serde_json::json;

    use super::*;
    use crate::{
        book::{BookDraft, BookId},
        catalog::Catalog,
        error::Invalid,
        store::MemoryStore,
    };

    async fn shop(clock: Clock) -> (Orders, Catalog, BookId) {
        let store = MemoryStore::shared();
        let catalog = Catalog::new(store.clone());
        let json = json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": 1815, "price": 199, "stock": 5});
        let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
        let emma = catalog.create(draft).await.unwrap().id;
        (Orders::with_clock(store, clock), catalog, emma)
    }

    fn draft(book: BookId, quantity: i64) -> Result<OrderDraft, Invalid> {
        let items = json!([{"bookId": book, "quantity": quantity, "price": 199}]);
        let json = json!({"items": items, "customer": {"name": "Alice"}});
        OrderDraft::from_json(json.as_object().unwrap())
    }

    #[tokio::test]
    async fn a_key_names_one_draft_of_one_user() {
        let (orders, catalog, emma) = shop(Clock::system()).await;
        let [alice, bob] = [UserId::generate(Timestamp::now()), UserId::generate(Timestamp::now())];
        let key = IdempotencyKey::new("one").ok();
        let placed = orders.place(alice, draft(emma, 1).unwrap(), key.clone()).await.unwrap();
        let repeated = orders.place(alice, draft(emma, 1).unwrap(), key.clone()).await.unwrap();
        assert_eq!(repeated, placed);
        let other = orders.place(alice, draft(emma, 2).unwrap(), key.clone()).await;
        assert!(matches!(other, Err(OrdersError::KeyReused)));
        let bobs = orders.place(bob, draft(emma, 2).unwrap(), key).await.unwrap();
        assert_ne!(bobs.id, placed.id);
        assert_eq!(catalog.get(emma).await.unwrap().0.stock.count(), 2);
        let alices = orders.list(&OrderQuery::default().with_user(alice)).await.unwrap();
        assert_eq!(alices.orders, [placed]);
    }

    #[tokio::test]
    async fn of_many_who_cancel_one_does_and_the_others_are_told() {
        let (orders, catalog, emma) = shop(Clock::system()).await;
        let alice = UserId::generate(Timestamp::now());
        let placed = orders.place(alice, draft(emma, 3).unwrap(), None).await.unwrap();
        let cancel = || orders.set_status(placed.id, OrderStatus::Cancelled);
        let results = join_all((0..10).map(|_| cancel())).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let is_told = |result: &Result<_, _>| {
            matches!(
                result,
                Ok(_) | Err(OrdersError::NotAllowed { from: OrderStatus::Cancelled, .. })
            )
        };
        assert!(results.iter().all(is_told), "{results:?}");
        assert_eq!(catalog.get(emma).await.unwrap().0.stock.count(), 5);
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_makes_no_order_older() {
        let second = Arc::new(AtomicI64::new(1_700_000_000));
        let shown = Arc::clone(&second);
        let second_of = move || shown.load(Ordering::Relaxed);
        let clock = Clock::from_fn(move || Timestamp::from_second(second_of()).unwrap());
        let (orders, _, emma) = shop(clock).await;
        let alice = UserId::generate(Timestamp::now());
        let placed = orders.place(alice, draft(emma, 1).unwrap(), None).await.unwrap();
        second.store(1_600_000_000, Ordering::Relaxed);
        let shipped = orders.set_status(placed.id, OrderStatus::Shipped).await.unwrap();
        assert_eq!(shipped.updated_at, placed.updated_at);
        assert_eq!(orders.settle().await.unwrap(), Settled::default());
    }
}
